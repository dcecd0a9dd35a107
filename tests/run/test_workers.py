"""Several workers behind one address and one admin listener."""

import asyncio
import os
import re
import signal
import socket
import sys
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from aiohttp import web
from prometheus_client.exposition import generate_latest
from prometheus_client.parser import text_string_to_metric_families

from gateway import admin, listener
from gateway.app import Place
from gateway.catalogue import ENDPOINTS
from gateway.families import Registry
from gateway.merging import Total, accumulated, part_of, read, snapshot
from gateway.metrics import Metrics
from gateway.settings import Address, load
from gateway.supervisor import Worker
from gateway.worker import framed

posix = pytest.mark.skipif(sys.platform == "win32", reason="workers are POSIX")

VERSION = "/authentication/version"
STORE = "/filestore"


def _children(pid: int) -> list[int]:
    text = Path(f"/proc/{pid}/task/{pid}/children").read_text()
    return [int(child) for child in text.split()]


async def _requests_counted(gateway: Any, endpoint: str) -> float:
    text = await gateway.metrics()
    return sum(
        sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
        if sample.name == "olgw_requests_total" and sample.labels["endpoint"] == endpoint
    )


async def _load(
    world: Any, gateway: Any, tally: Counter[str], stop: asyncio.Event, path: str
) -> None:
    headers = world.headers()
    url = f"{gateway.url}/rest/serverengine{path}"
    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(force_close=True)) as session:
        while not stop.is_set():
            try:
                async with session.get(url, headers=headers) as response:
                    await response.read()
                    tally[str(response.status)] += 1
            except aiohttp.ClientError as error:
                tally[type(error).__name__] += 1
            await asyncio.sleep(0.005)


@posix
@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="looks into /proc")
async def test_a_worker_that_is_killed_under_load_is_replaced(
    world: Any, redis_url: str, until: Any
) -> None:
    world.configure(workers=2, store=redis_url)
    gateway = await world.serve()
    workers = _children(gateway.process.pid)
    assert len(workers) == 2
    before, meanwhile, after = Counter[str](), Counter[str](), Counter[str]()
    async with _under_load(world, gateway, before, VERSION):
        await until(lambda: before["200"] > 100)
    await _has_counted(world, gateway, before, "authentication.service_version")
    async with _under_load(world, gateway, meanwhile, VERSION):
        await until(lambda: meanwhile["200"] > 10)
        os.kill(workers[0], signal.SIGKILL)
        died = await gateway.line("worker_died")
        assert died["exit_code"] == -signal.SIGKILL
        await world.eventually(lambda: _replaced(world, gateway, workers))
        assert await _requests_counted(gateway, "authentication.service_version") >= before["200"]

    async with _under_load(world, gateway, after, STORE):
        await until(lambda: after["200"] > 100)
    await _has_counted(world, gateway, after, "file_store.service_handshake")
    gateway.send(signal.SIGTERM)
    assert await gateway.end() == 0


@asynccontextmanager
async def _under_load(
    world: Any, gateway: Any, tally: Counter[str], path: str
) -> AsyncIterator[None]:
    """Ends when all that was asked is answered."""
    stop = asyncio.Event()
    async with asyncio.TaskGroup() as group:
        load = [group.create_task(_load(world, gateway, tally, stop, path)) for _ in range(4)]
        yield
        stop.set()
    assert all(task.done() for task in load)


async def _has_counted(world: Any, gateway: Any, tally: Counter[str], endpoint: str) -> None:
    """All were answered well and are counted: by workers that may be too busy to say so at once."""
    assert set(tally) == {"200"}

    async def is_so() -> bool:
        return await _requests_counted(gateway, endpoint) == tally["200"]

    await world.eventually(is_so)


async def _replaced(world: Any, gateway: Any, old: list[int]) -> bool:
    new = set(_children(gateway.process.pid)) - set(old)
    async with world.session.get(f"{gateway.admin_url}/readyz?verbose") as response:
        text = await response.text()
    return len(new) == 1 and response.status == 200 and "[+] worker 2" in text


@posix
async def test_all_workers_take_over_a_reload_and_stop_with_their_supervisor(
    world: Any, redis_url: str
) -> None:
    world.configure(workers=2, store=redis_url)
    gateway = await world.serve()
    text = world.configure({'"file_store.*", ': ""}, workers=2, store=redis_url)
    gateway.send(signal.SIGHUP)
    await gateway.line("reloaded")
    await world.eventually(lambda: _none_allows(world, gateway))
    world.write(text.replace("version: 1", "version: 2"))
    gateway.send(signal.SIGHUP)
    await gateway.line("reload_refused")
    metrics = await gateway.metrics()
    assert "olgw_config_last_reload_successful 0.0" in metrics
    # More, if the supervisor looked at the file before the order came.
    assert re.search(r'^olgw_config_reloads_total\{result="failure"\} [1-9]', metrics, re.MULTILINE)
    assert re.search(r'^olgw_build_info\{version="[^"]+"\} 1\.0$', metrics, re.MULTILINE)
    gateway.send(signal.SIGINT)
    assert await gateway.end() == 0


async def _none_allows(world: Any, gateway: Any) -> bool:
    """Every connection goes to one worker or the other, by chance."""
    for _ in range(12):
        async with aiohttp.ClientSession() as fresh:
            url = f"{gateway.url}/rest/serverengine{STORE}"
            async with fresh.get(url, headers=world.headers()) as response:
                if response.status != 403:
                    return False
    return True


@posix
@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="looks into /proc")
async def test_workers_end_when_their_supervisor_is_killed(
    world: Any, redis_url: str, until: Any
) -> None:
    """Under load, and although somebody reads a stream that goes on and on."""
    drained = {"drain_timeout: 60s": "drain_timeout: 1s"}
    world.configure(drained, workers=2, store=redis_url)
    gateway = await world.serve()
    workers = _children(gateway.process.pid)
    file = world.simulator.engine.add_zero_file("slow.zeros", 2**20).id
    world.simulator.faults.add("slow_body", path="filestore/file", seconds=120)
    url = f"{gateway.url}/rest/serverengine/filestore/file/{file}"
    tally, stop = Counter[str](), asyncio.Event()
    async with asyncio.TaskGroup() as group:
        callers = [group.create_task(_load(world, gateway, tally, stop, VERSION)) for _ in range(4)]
        async with world.session.get(url, headers=world.headers()) as download:
            assert download.status == 200
            await until(lambda: tally["200"])
            gateway.send(signal.SIGKILL)
            await gateway.process.wait()
            # Long before the leash would be drawn: by themselves, because their orders have ended.
            await world.eventually(lambda: _all_gone(workers), seconds=10)
            with pytest.raises(aiohttp.ClientPayloadError):
                await download.read()
        stop.set()
    assert all(caller.done() for caller in callers)


@posix
@pytest.mark.slow
async def test_a_worker_that_misses_its_supervisors_end_is_ended(world: Any) -> None:
    """Here its orders do not end, because somebody holds their other end."""
    world.configure({"drain_timeout: 60s": "drain_timeout: 1s"})
    gone = await asyncio.create_subprocess_exec("true")
    await gone.wait()
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "gateway.worker", str(gone.pid)), stdin=asyncio.subprocess.PIPE
    )
    assert process.stdin is not None
    settings = load(world.config, known_endpoints=ENDPOINTS)
    place = Place(Address("127.0.0.1", 0), world.folder / "admin.sock", shared=True)
    process.stdin.write(framed((settings, place)))
    async with asyncio.timeout(60):
        assert await process.wait() == 1


async def _all_gone(pids: list[int]) -> bool:
    return not any(os.path.exists(f"/proc/{pid}/fd") for pid in pids)  # noqa: ASYNC240


@posix
async def test_an_address_that_another_program_has_is_not_shared_with_it(
    world: Any, redis_url: str
) -> None:
    """Another gateway, say, whose workers share it among themselves."""
    with socket.socket() as other:
        other.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        other.bind(("127.0.0.1", 0))
        other.listen()
        world.configure(workers=2, store=redis_url, port=other.getsockname()[1])
        with pytest.raises(AssertionError, match="ended without"):
            await world.serve()
    assert await world.gateways[-1].end() == 1


# Adding up


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
