"""Over a hundred thousand requests in all kinds of weather, then the books are balanced."""

import asyncio
import os
import sys
from collections import Counter
from collections.abc import AsyncIterator, Iterable
from pathlib import Path

import pytest

from gateway.simulator.options import Options
from tests.faults.storm import Storm
from tests.faults.weather import WEATHER
from tests.support.apart import FaultyApart
from tests.support.faulty import RECOVERY_SECONDS, SILENCE_IS_SHORT, descriptors, resident_bytes
from tests.support.redis_server import RedisServer
from tests.support.stage import USERS

REQUESTS = int(os.environ.get("OLGW_STORM_REQUESTS", "100000"))
"""Of the long run."""

MIB = 1024 * 1024
MORE_BYTES = 60 * MIB
MORE_DESCRIPTORS = 40
SHORT = (
    *("latency", "answer reset", "body reset", "request cut", "connections go", "dropped before"),
    *("dropped after", "dropped in the body", "ended token", "no HTTP", "callers leave"),
    "Redis reset",
)

pytestmark = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="looks into /proc")


@pytest.fixture
async def storm(
    request: pytest.FixtureRequest, redis_server: RedisServer, tmp_path: Path
) -> AsyncIterator[Storm]:
    """The parameter is how long the gateway waits for OL Connect."""
    async with FaultyApart(
        options=Options(users=USERS, operation_seconds=0.02),
        redis_port=redis_server.port,
        timeouts=request.param,
        folder=tmp_path,
    ) as stage:
        storm = Storm(stage)
        await storm.prepare()
        yield storm


async def _endured(
    storm: Storm,
    spells: Iterable[Iterable[str]],
    requests: int,
    callers: int,
    recovery_seconds: float = RECOVERY_SECONDS,
) -> None:
    """So many requests in each kind of weather. The books are balanced after each spell."""
    pid = storm.stage.serving.pid
    await storm.rage(requests, callers)
    await storm.books.balance(storm.stage)
    files, memory = descriptors(pid), resident_bytes(pid)
    total: Counter[str] = Counter()
    for names in spells:
        storm.turn_the_page()
        for name in names:
            async with WEATHER[name](storm):
                await storm.rage(requests, callers)
        seconds = await storm.calm(recovery_seconds)
        total += (balance := await storm.books.balance(storm.stage))
        more = resident_bytes(pid) - memory
        well = f"well after {seconds:.2f} s, {more / MIB:+.1f} MiB"
        print(f"{', '.join(names)}: {well}, {dict(balance)}")
        assert more < MORE_BYTES
        async with asyncio.timeout(30):  # those of callers who have left go soon
            while descriptors(pid) > files + MORE_DESCRIPTORS:  # noqa: ASYNC110 - another process
                await asyncio.sleep(0.1)
    print(f"{storm.requests} requests: {dict(storm.statuses)}, {dict(total)}")


# In no weather of these is anybody silent: what takes longer than a moment is the machine's doing.
@pytest.mark.parametrize("storm", ["read_timeout: 8s, connect_timeout: 4s"], indirect=True)
async def test_in_changing_weather_the_books_balance(storm: Storm) -> None:
    # Fewer callers than it takes failures in a row to open the breaker.
    await _endured(storm, [SHORT], 40, callers=8)
    assert storm.requests > 40 * len(SHORT)


@pytest.mark.slow
@pytest.mark.parametrize("storm", [SILENCE_IS_SHORT], indirect=True)
@pytest.mark.timeout(1800)
async def test_a_hundred_thousand_requests_in_every_weather(storm: Storm) -> None:
    assert len(WEATHER) > 15
    spells = [[name] for name in WEATHER]
    await _endured(storm, spells, REQUESTS // len(WEATHER), callers=30, recovery_seconds=5.0)
    assert storm.requests > REQUESTS
