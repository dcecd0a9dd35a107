"""A thousand callers want the same at once, through three replicas: OL Connect is asked once."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from typing import Any

import aiohttp
import pytest

from gateway.app import Gateway
from gateway.simulator.entities import Kind
from tests.support.stage import REST, Stage

CALLERS = 1000
READ_SECONDS = 1.0
"""How long OL Connect takes: so long that nearly all have come before it answers."""


async def _opened(stage: Stage, store: str) -> AsyncIterator[list[Gateway]]:
    settings = stage.settings(**{'store: "memory:"': f'store: "{store}"'})
    async with AsyncExitStack() as stack:
        replicas = [await Gateway.open(settings, stage.clock) for _ in range(3)]
        for replica in replicas:
            stack.push_async_callback(replica.close)
        yield replicas


@pytest.fixture
async def sharing(stage: Stage, redis_url: str) -> AsyncIterator[list[Gateway]]:
    async for replicas in _opened(stage, redis_url):
        yield replicas


@pytest.fixture
async def apart(stage: Stage) -> AsyncIterator[list[Gateway]]:
    async for replicas in _opened(stage, "memory:"):
        yield replicas


async def _rush(stage: Stage, replicas: list[Gateway]) -> Counter[str]:
    """A thousand reads at once; how each was come by."""
    job = stage.simulator.engine.entities.add(Kind.JOB, properties={"colour": "red"})
    path = f"{REST}/entity/jobs/{job.id}/properties"
    stage.simulator.faults.add("delay", path=path, seconds=READ_SECONDS, times=None)
    outcomes = Counter[str]()

    async def ask(session: aiohttp.ClientSession, replica: Gateway) -> None:
        async with session.get(f"http://127.0.0.1:{replica.public.port}{path}") as response:
            assert (response.status, await response.json()) == (
                200,
                [{"name": "colour", "value": "red"}],
            )
            outcomes[_outcome(response.headers["Cache-Status"])] += 1

    headers = {"Authorization": f"Bearer {stage.token('ol-operators')}"}
    connector = aiohttp.TCPConnector(limit=0)
    async with aiohttp.ClientSession(headers=headers, connector=connector) as session:
        await asyncio.gather(*(ask(session, replicas[n % 3]) for n in range(CALLERS)))
    return outcomes


def _outcome(cache_status: str) -> str:
    if "collapsed" in cache_status:
        return "coalesced"
    return "hit" if "; hit" in cache_status else "miss"


async def test_one_read_in_all_where_replicas_share_redis(stage: Stage, sharing: Any) -> None:
    outcomes = await _rush(stage, sharing)
    assert len(stage.requests("/properties")) == 1
    assert outcomes["miss"] == 1
    assert outcomes["coalesced"] > CALLERS / 2, outcomes


async def test_one_read_each_where_they_share_nothing(stage: Stage, apart: Any) -> None:
    outcomes = await _rush(stage, apart)
    assert len(stage.requests("/properties")) == 3
    assert outcomes["miss"] == 3
    assert outcomes["coalesced"] > CALLERS / 2, outcomes
