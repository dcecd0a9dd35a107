"""What several workers have counted, as one gateway's."""

import asyncio
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import aiohttp
import pytest
from aiohttp import web
from prometheus_client.exposition import generate_latest

from gateway import admin, listener
from gateway.families import Registry
from gateway.merging import Total, accumulated, part_of, read, snapshot
from gateway.metrics import Metrics
from gateway.supervisor import Worker

posix = pytest.mark.skipif(sys.platform == "win32", reason="workers are POSIX")


def _counted(*, teams: dict[str, int], reload_worked: bool = True) -> Metrics:
    metrics = Metrics()
    for team, count in teams.items():
        metrics.team_requests.labels(team, "2xx").inc(count)
        metrics.request_seconds.labels("entity.list", "GET").observe(0.02, team * 16)
    metrics.cache_entries.set(sum(teams.values()))
    metrics.in_flight.set(1)
    metrics.last_reload_successful.set(reload_worked)
    return metrics


def _sum(*parts: Metrics) -> Registry:
    return Total().of(read(snapshot(part.registry))[1] for part in parts)


def _value(registry: Registry, name: str, **labels: str) -> float | None:
    return registry.get_sample_value(name, labels)


def test_counters_and_histograms_are_added_up_and_gauges_as_they_mean() -> None:
    both = _sum(
        _counted(teams={"a": 2, "b": 3}), _counted(teams={"b": 5, "c": 7}, reload_worked=False)
    )
    counted = {
        team: _value(both, "olgw_team_requests_total", team=team, code_class="2xx")
        for team in "abc"
    }
    assert counted == {"a": 2, "b": 8, "c": 7}
    labels = {"endpoint": "entity.list", "method": "GET"}
    assert _value(both, "olgw_request_duration_seconds_count", **labels) == 4
    assert _value(both, "olgw_request_duration_seconds_bucket", le="0.025", **labels) == 4
    assert _value(both, "olgw_request_duration_seconds_bucket", le="0.01", **labels) == 0
    assert _value(both, "olgw_cache_entries") == 12
    assert _value(both, "olgw_requests_in_flight") == 2
    assert _value(both, "olgw_config_last_reload_successful") == 0


def test_one_workers_metrics_come_out_as_they_went_in() -> None:
    one = _counted(teams={"a": 2})
    assert generate_latest(_sum(one)) == generate_latest(one.registry)


def test_what_a_dead_worker_counted_stays_and_its_gauges_go() -> None:
    total, gone = Total(), _counted(teams={"a": 2})
    gone.jwks_age.labels("corporate").set(5)
    total.of([part_of(gone.registry)])
    rest = total.of([accumulated(_sum(gone))])
    assert _value(rest, "olgw_team_requests_total", team="a", code_class="2xx") == 2
    assert _value(rest, "olgw_requests_in_flight") is None
    assert _value(rest, "olgw_jwks_age_seconds", issuer="corporate") is None


def test_no_sum_falls_by_a_rounding_when_a_worker_dies() -> None:
    """0.1 + 0.2 + 0.3 is more than 0.2 + 0.3 + 0.1, and whatever falls has begun anew."""
    dead, *alive = (part_of(_took(seconds).registry) for seconds in (0.1, 0.2, 0.3))
    before = _seconds(Total().of([dead, *alive]))
    departed = accumulated(Total().of([dead]))
    assert _seconds(Total().of([part_of(Metrics().registry), *alive, departed])) >= before > 0.5


def _took(seconds: float) -> Metrics:
    metrics = Metrics()
    metrics.operation_seconds.labels("all_in_one", "a").observe(seconds)
    return metrics


def _seconds(registry: Registry) -> float:
    labels = {"service": "all_in_one", "team": "a"}
    return _value(registry, "olgw_operation_duration_seconds_sum", **labels) or 0.0


@pytest.fixture
def patient_supervisor(monkeypatch: pytest.MonkeyPatch) -> None:
    """It waits for a worker's answer as long as a test may stand still."""
    monkeypatch.setattr("gateway.supervisor._ASK_TIMEOUT", aiohttp.ClientTimeout(total=60))


class SlowWorker:
    """Counts one request for each time it is asked, and keeps its first answer back."""

    def __init__(self) -> None:
        self.metrics = Metrics()
        self.asked, self.may_answer = asyncio.Event(), asyncio.Event()

    async def answer(self, request: web.BaseRequest) -> web.StreamResponse:
        self.metrics.team_requests.labels("a", "2xx").inc()
        content = snapshot(self.metrics.registry)
        if not self.asked.is_set():
            self.asked.set()
            await self.may_answer.wait()
        return web.Response(body=content)

    @asynccontextmanager
    async def known(self, path: Path) -> AsyncIterator[Worker]:
        listening = await listener.listen(
            self.answer, path, malformed=admin.refused, max_header_bytes=8192
        )
        process = await asyncio.create_subprocess_exec("sleep", "60")
        try:
            yield Worker(process, path)
        finally:
            if process.returncode is None:
                process.kill()
                await process.wait()
            await listening.stop()


@posix
@pytest.mark.usefixtures("patient_supervisor")
async def test_an_answer_that_was_overtaken_does_not_count(tmp_path: Path) -> None:
    slow = SlowWorker()
    async with slow.known(tmp_path / "admin.sock") as worker, asyncio.TaskGroup() as group:
        group.create_task(worker.collect())
        await slow.asked.wait()
        await worker.collect()
        assert _requests(worker) == 2
        slow.may_answer.set()
    assert _requests(worker) == 2


@posix
@pytest.mark.usefixtures("patient_supervisor")
async def test_an_answer_that_comes_after_its_worker_died_does_not_count(tmp_path: Path) -> None:
    slow = SlowWorker()
    async with slow.known(tmp_path / "admin.sock") as worker, asyncio.TaskGroup() as group:
        group.create_task(worker.collect())
        await slow.asked.wait()
        worker.process.kill()
        await worker.process.wait()
        slow.may_answer.set()
    assert worker.part == {}


def _requests(worker: Worker) -> float | None:
    return _value(Total().of([worker.part]), "olgw_team_requests_total", team="a", code_class="2xx")
