"""A real Prometheus scrapes a real gateway and answers every query of the dashboard."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from gateway.simulator.options import changed
from tests.support.ports import free_port
from tests.support.stage import Stage

CONFIG = """
global: {{scrape_interval: 250ms, evaluation_interval: 250ms}}
rule_files: ["{alerts}"]
scrape_configs:
  - job_name: olgw
    static_configs: [{{targets: ["127.0.0.1:{port}"]}}]
"""
VARIABLES = {
    "$__rate_interval": "30s",
    "$instance": ".*",
    "$endpoint": ".*",
    "$team": ".*",
}
# Empty as long as all is well.
MAY_BE_EMPTY = {"5xx by endpoint", "Reloads"}
PATIENCE_SECONDS = 30.0


@dataclass(frozen=True)
class Prometheus:
    url: str
    session: aiohttp.ClientSession

    async def get(self, path: str, **params: str) -> Any:
        # The stage's session takes bodies as they are.
        plain = {"Accept-Encoding": "identity"}
        url = f"{self.url}/api/v1/{path}"
        async with self.session.get(url, params=params, headers=plain) as reply:
            return await reply.json()

    async def value(self, query: str) -> float:
        result = (await self.get("query", query=query))["data"]["result"]
        return float(result[0]["value"][1]) if result else 0.0


async def _until(holds: Callable[[], Any]) -> None:
    async with asyncio.timeout(PATIENCE_SECONDS):
        while not await holds():  # noqa: ASYNC110 - another program, which sets no event of ours
            await asyncio.sleep(0.1)


@asynccontextmanager
async def prometheus_beside(
    stage: Stage, program: str, alerts: Path, folder: Path
) -> AsyncIterator[Prometheus]:
    config = folder / "prometheus.yaml"
    config.write_text(CONFIG.format(alerts=alerts, port=stage.gateway.admin.port))
    address = f"127.0.0.1:{free_port()}"
    process = await asyncio.create_subprocess_exec(
        program,
        f"--config.file={config}",
        f"--storage.tsdb.path={folder / 'data'}",
        f"--web.listen-address={address}",
        "--log.level=error",
        stderr=asyncio.subprocess.DEVNULL,
    )
    try:
        prometheus = Prometheus(f"http://{address}", stage.session)

        async def is_ready() -> bool:
            with suppress(aiohttp.ClientConnectionError):
                async with stage.session.get(f"{prometheus.url}/-/ready") as reply:
                    return reply.status == 200
            return False

        await _until(is_ready)
        yield prometheus
    finally:
        with suppress(ProcessLookupError):
            process.terminate()
        await process.wait()


async def _traffic(stage: Stage) -> None:
    """A little of everything: operations, cache misses and hits, a write, a refusal."""
    caller = stage.caller()
    job = await caller.job()
    for _ in range(2):
        await caller.get(f"/entity/jobs/{job}/properties")
    values = {"id": int(job), "properties": [{"name": "a", "value": "b"}]}
    assert (await caller.put(f"/entity/jobs/{job}/properties", json=values)).status == 200
    # One that does not end.
    path = f"/workflow/contentcreation/letter-ol.OL-template/{await caller.data_set()}"
    stage.simulator.options = changed(stage.simulator.options, {"operation_seconds": 60.0})
    await caller.start(path)
    refused = await stage.caller("ol-readers").get("/entity/jobsets")
    assert refused.status == 403


@pytest.fixture
async def prometheus(
    stage: Stage, program: Callable[[str], str], deploy: Path, tmp_path: Path
) -> AsyncIterator[Prometheus]:
    alerts = deploy / "prometheus/alerts.yaml"
    await _traffic(stage)
    async with prometheus_beside(stage, program("prometheus"), alerts, tmp_path) as server:

        async def has_scraped() -> bool:
            return await server.value('count_over_time(up{job="olgw"}[1m])') >= 4

        await _until(has_scraped)
        yield server


async def test_the_dashboard_shows_a_live_gateway(
    prometheus: Prometheus, queries: list[tuple[str, str, str]]
) -> None:
    for title, query, _ in queries:
        for name, value in VARIABLES.items():
            query = query.replace(name, value)  # noqa: PLW2901 - one substitution after the other

        async def is_shown(title: str = title, query: str = query) -> bool:
            answer = await prometheus.get("query", query=query)
            assert answer["status"] == "success", (title, answer)
            return bool(answer["data"]["result"]) or title in MAY_BE_EMPTY

        # A scrape that takes longer than the interval leaves a gap until the next one.
        try:
            await _until(is_shown)
        except TimeoutError:
            pytest.fail(f"{title}: {query} has no result")
    rules = await prometheus.get("rules")
    every = [rule for group in rules["data"]["groups"] for rule in group["rules"]]
    assert {rule["health"] for rule in every} <= {"ok", "unknown"}
    assert [rule["name"] for rule in every if rule.get("state") == "firing"] == []
