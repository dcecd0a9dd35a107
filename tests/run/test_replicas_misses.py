"""A thousand callers want the same at once, through three replicas: OL Connect is asked once."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from typing import Any

import aiohttp
import pytest

from gateway.app import Gateway
from tests.support.peer import Asked, Peer, said, saying
from tests.support.stage import CONFIG, REST, Stage

CALLERS = 1000
PATH = f"{REST}/entity/jobs/7/properties"
RED = b'[{"name":"colour","value":"red"}]'
ANSWER = said("Content-Type: application/json", f"Content-Length: {len(RED)}", body=RED)


@pytest.fixture
async def stage(peer: Peer, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Stage]:
    """Whoever waits has all the time that a thousand need to come."""
    monkeypatch.setattr("gateway.cache.shared.LEASE_SECONDS", 60.0)
    patient = {"read_timeout: 15s": "read_timeout: 60s"}
    async with Stage(config=CONFIG.replace("{upstream}", peer.url), replace=patient) as stage:
        yield stage


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


async def _rush(stage: Stage, peer: Peer, replicas: list[Gateway]) -> Counter[str]:
    """A thousand reads at once; how each was come by. All have come before OL Connect answers."""
    outcomes, have_come = Counter[str](), asyncio.Event()

    async def answer(asked: Asked) -> None:
        await have_come.wait()
        await saying(ANSWER)(asked)

    async def look() -> None:
        while sum(map(_under_way, replicas)) < CALLERS:  # noqa: ASYNC110 - nothing tells of it
            await asyncio.sleep(0.01)
        have_come.set()

    async def ask(session: aiohttp.ClientSession, replica: Gateway) -> None:
        async with session.get(f"http://127.0.0.1:{replica.public.port}{PATH}") as response:
            assert (response.status, await response.json()) == (
                200,
                [{"name": "colour", "value": "red"}],
            )
            outcomes[_outcome(response.headers["Cache-Status"])] += 1

    peer.script = answer
    headers = {"Authorization": f"Bearer {stage.token('ol-operators')}"}
    connector = aiohttp.TCPConnector(limit=0)
    async with aiohttp.ClientSession(headers=headers, connector=connector) as session:
        await asyncio.gather(look(), *(ask(session, replicas[n % 3]) for n in range(CALLERS)))
    return outcomes


def _under_way(replica: Gateway) -> float:
    return replica.metrics.registry.get_sample_value("olgw_requests_in_flight") or 0.0


def _outcome(cache_status: str) -> str:
    if "collapsed" in cache_status:
        return "coalesced"
    return "hit" if "; hit" in cache_status else "miss"


async def test_one_read_in_all_where_replicas_share_redis(
    stage: Stage, peer: Peer, sharing: Any
) -> None:
    outcomes = await _rush(stage, peer, sharing)
    assert len(peer.asked) == 1
    assert outcomes == {"miss": 1, "coalesced": CALLERS - 1}


async def test_one_read_each_where_they_share_nothing(stage: Stage, peer: Peer, apart: Any) -> None:
    outcomes = await _rush(stage, peer, apart)
    assert len(peer.asked) == 3
    assert outcomes == {"miss": 3, "coalesced": CALLERS - 3}
