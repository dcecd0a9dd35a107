"""A thousand callers who hold connections and never get on with it, and one who is in a hurry."""

import asyncio
import resource
from contextlib import AsyncExitStack
from time import monotonic

import pytest

from tests.support.faulty import descriptors, resident_bytes
from tests.support.stage import Stage
from tests.support.wire import Wire, dial, head

SLOW = 1000
LIMIT = {"drain_timeout: 1s": "drain_timeout: 0s, max_connections_per_client: 5000"}


async def _trickle(wire: Wire, number: int, until: float) -> None:
    """Some never end their head, some their body; some only hold the line."""
    try:
        if number % 3 == 0:
            wire.writer.write(b"GET /api/v1/me HTTP/1.1\r\nHost: x\r\nX-Slow: ")
        elif number % 3 == 1:
            wire.writer.write(head("POST", "/api/v1/jobs", "Content-Length: 100000"))
        while monotonic() < until:
            await asyncio.sleep(0.5)
            if number % 3 != 2:
                wire.writer.write(b"a")
    except ConnectionError:
        return


async def _worst_of_hundred(stage: Stage, seconds: float) -> float:
    """The 99th percentile of a normal caller's durations while slow ones hold on."""
    caller = stage.caller("ol-operators")
    durations: list[float] = []
    async with AsyncExitStack() as stack, asyncio.TaskGroup() as group:
        until = monotonic() + seconds
        for number in range(SLOW):
            wire = await stack.enter_async_context(dial(stage.gateway.public.port))
            group.create_task(_trickle(wire, number, until))
        while monotonic() < until:
            began = monotonic()
            assert (await caller.get("/entity/datasets")).status == 200
            durations.append(monotonic() - began)
            await asyncio.sleep(0.005)
    assert len(durations) > 50
    return sorted(durations)[int(len(durations) * 0.99)]


async def _judged(seconds: float) -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft < 3 * SLOW:
        resource.setrlimit(resource.RLIMIT_NOFILE, (min(hard, 4 * SLOW), hard))
    async with Stage(replace=LIMIT) as stage:
        await stage.caller("ol-operators").get("/entity/datasets")
        files, memory = descriptors(), resident_bytes()
        assert await _worst_of_hundred(stage, seconds) < 0.1
        await asyncio.sleep(0.2)
        assert descriptors() <= files + 20
        assert resident_bytes() < memory + 100 * 1024 * 1024


async def test_a_thousand_slow_callers_do_not_slow_down_another() -> None:
    await _judged(4.0)


@pytest.mark.slow
async def test_a_thousand_slow_callers_for_a_minute() -> None:
    await _judged(60.0)
