"""Over a hundred thousand requests under changing faults, then the books are balanced."""

import asyncio
from collections import Counter
from itertools import count
from typing import Any

import aiohttp
import pytest

from tests.support.faultproxy import NONE, Fault
from tests.support.faulty import FaultyStage, descriptors, recovers, resident_bytes
from tests.support.stage import TestCaller

FAULTS = [
    Fault(latency_seconds=0.005),
    Fault(slice_bytes=50),
    Fault(bytes_per_second=100_000),
    Fault(cut_after_bytes=100),
    Fault(cut_after_bytes=200, resets=True),
    Fault(cut_after_bytes=0, resets=True),
    Fault(cut_requests_after_bytes=300),
    Fault(cut_requests_after_bytes=50, resets=True),
    Fault(black_hole=True),
    Fault(half_open=True),
    Fault(reset_at_once=True),
]
CALLERS = 30
# A broken line, an open breaker, a full queue: never an error of the gateway's own.
EXPECTED = {200, 502, 503, 504}


class Storm:
    def __init__(self, faulty: FaultyStage, caller: TestCaller, data_set: str) -> None:
        self.faulty = faulty
        self.caller = caller
        self.path = f"/entity/datasets/{data_set}/properties"
        self.data_set = int(data_set)
        self.numbers = count()
        self.statuses: Counter[int] = Counter()

    async def one(self) -> None:
        number = next(self.numbers)
        try:
            if number % 3:
                path = "/entity/datasets" if number % 2 else self.path
                reply = await self.caller.get(path)
            else:
                values = [{"name": "n", "value": str(number)}]
                body: Any = {"id": self.data_set, "properties": values}
                reply = await self.caller.put(self.path, json=body)
        except aiohttp.ClientError:
            self.statuses[0] += 1
            return
        self.statuses[reply.status] += 1
        if reply.status == 200:
            assert reply.body.startswith((b"[", b"{", b"true")), reply.body[:100]

    async def rounds(self, requests: int) -> None:
        async def caller() -> None:
            for _ in range(requests // CALLERS):
                await self.one()

        await asyncio.gather(*(caller() for _ in range(CALLERS)))

    def balance(self) -> None:
        """No write twice, nothing but what was authorised."""
        writes = [e.body_sha256 for e in self.faulty.requests() if e.method == "PUT" and e.status]
        assert len(writes) == len(set(writes))
        self.faulty.as_authorised(
            ("GET", "/entity/datasets"), ("GET", self.path), ("PUT", self.path)
        )
        assert set(self.statuses) <= EXPECTED, self.statuses
        self.faulty.simulator.record.clear()


async def _weather(faulty: FaultyStage, requests_per_fault: int) -> Storm:
    caller = faulty.caller("ol-operators")
    storm = Storm(faulty, caller, await caller.data_set())
    faulty.simulator.record.clear()
    await storm.rounds(CALLERS)
    files, memory = descriptors(), resident_bytes()
    for fault in FAULTS:
        faulty.upstream.fault = fault
        faulty.upstream.reset()
        await storm.rounds(requests_per_fault)
        faulty.upstream.fault = NONE
        await recovers(lambda: caller.get("/entity/datasets"))
        storm.balance()
    await asyncio.sleep(0.5)
    faulty.upstream.reset()
    await asyncio.sleep(0.1)
    assert descriptors() <= files + 2 * CALLERS
    assert resident_bytes() < memory + 150 * 1024 * 1024
    return storm


async def test_under_every_fault_the_books_balance(faulty: FaultyStage) -> None:
    storm = await _weather(faulty, 3 * CALLERS)
    assert storm.statuses[200] > 100


@pytest.mark.slow
async def test_a_hundred_thousand_requests_under_every_fault(faulty: FaultyStage) -> None:
    storm = await _weather(faulty, 9_600)
    assert sum(storm.statuses.values()) > 100_000
