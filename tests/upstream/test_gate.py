"""Connections to OL Connect are shared out fairly, and nobody waits for ever."""

import asyncio
import random
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager

import pytest

from gateway.problems import UpstreamOverloaded
from gateway.tasks import TaskSet
from gateway.upstream.gate import Gate

PATIENCE = 60.0  # more than any test takes


@asynccontextmanager
async def _slot(gate: Gate, team: str) -> AsyncIterator[None]:
    await gate.enter(team)
    try:
        yield
    finally:
        gate.leave(team)


async def _hold(gate: Gate, team: str, order: list[str], name: str = "") -> None:
    async with _slot(gate, team):
        order.append(name or team)
        await asyncio.sleep(0)


async def test_a_team_with_a_long_queue_delays_another_by_one_only() -> None:
    gate, order, tasks = Gate(1, PATIENCE, 100), list[str](), TaskSet()
    async with _slot(gate, "first"):
        waiting = [tasks.start(_hold(gate, "greedy", order)) for _ in range(10)]
        await asyncio.sleep(0)
        waiting.append(tasks.start(_hold(gate, "modest", order)))
        await asyncio.sleep(0)
    await asyncio.gather(*waiting)
    assert order.index("modest") <= 1
    assert order.count("greedy") == 10


async def test_within_a_team_first_come_is_first_served() -> None:
    gate, order, tasks = Gate(1, PATIENCE, 100), list[str](), TaskSet()
    async with _slot(gate, "a"):
        waiting = [tasks.start(_hold(gate, "a", order, str(n))) for n in range(5)]
        await asyncio.sleep(0)
    await asyncio.gather(*waiting)
    assert order == ["0", "1", "2", "3", "4"]


async def test_whoever_waits_too_long_or_behind_too_many_is_told() -> None:
    gate, tasks = Gate(1, 0.01, 1), TaskSet()
    async with _slot(gate, "a"):
        waiting = tasks.start(_hold(gate, "a", []))
        await asyncio.sleep(0)
        with pytest.raises(UpstreamOverloaded):
            await _hold(gate, "a", [])
        with pytest.raises(UpstreamOverloaded) as overloaded:
            await waiting
        assert overloaded.value.headers == {"Retry-After": "1"}
    await _hold(gate, "a", [])


async def test_no_slot_is_lost_when_waiters_leave() -> None:
    gate, tasks = Gate(2, PATIENCE, 100), TaskSet()
    async with _slot(gate, "a"), _slot(gate, "a"):
        waiting = [tasks.start(_hold(gate, "b", [])) for _ in range(6)]
        await asyncio.sleep(0)
        for task in waiting[::2]:
            task.cancel()
        await asyncio.sleep(0)
    # Slots have been handed over by now; one of those who got them leaves at that moment.
    waiting[1].cancel()
    await asyncio.gather(*waiting, return_exceptions=True)
    async with asyncio.timeout(10):
        async with _slot(gate, "a"), _slot(gate, "b"):
            assert "free=0" in repr(gate)
    assert "free=2 waiting=0" in repr(gate)


async def test_no_team_holds_all_slots_and_another_gets_one_at_once() -> None:
    gate, order, tasks = Gate(20, PATIENCE, 100), list[str](), TaskSet()
    async with AsyncExitStack() as greedy:
        for _ in range(18):
            await greedy.enter_async_context(_slot(gate, "greedy"))
        waiting = tasks.start(_hold(gate, "greedy", order))
        await asyncio.sleep(0)
        assert not order
        await _hold(gate, "modest", order)
        assert order == ["modest"]
    await waiting
    assert "free=20 waiting=0" in repr(gate)


async def test_no_team_fills_the_queue() -> None:
    gate, order, tasks = Gate(1, PATIENCE, 10), list[str](), TaskSet()
    async with _slot(gate, "first"):
        waiting = [tasks.start(_hold(gate, "greedy", order)) for _ in range(20)]
        await asyncio.sleep(0)
        waiting.append(tasks.start(_hold(gate, "modest", order)))
        await asyncio.sleep(0)
    outcomes = await asyncio.gather(*waiting, return_exceptions=True)
    assert order.count("greedy") == 5
    assert order.index("modest") == 1
    assert sum(isinstance(one, UpstreamOverloaded) for one in outcomes) == 15


async def _comes_and_goes(gate: Gate, team: str, chance: random.Random) -> None:
    try:
        async with asyncio.timeout(chance.choice([0.0, 0.001, 1.0])), _slot(gate, team):
            await asyncio.sleep(chance.choice([0.0, 0.0, 0.001]))
    except (TimeoutError, UpstreamOverloaded):
        pass


@pytest.mark.parametrize("seed", range(20))
async def test_whoever_comes_and_goes_the_slots_are_all_there_in_the_end(seed: int) -> None:
    chance = random.Random(seed)
    gate, tasks = Gate(chance.choice([1, 3, 15]), 0.001, 12), TaskSet()
    visits = [tasks.start(_comes_and_goes(gate, chance.choice("abc"), chance)) for _ in range(100)]
    for visit in chance.sample(visits, 30):
        await asyncio.sleep(0)
        visit.cancel()
    await asyncio.gather(*visits, return_exceptions=True)
    async with asyncio.timeout(10), _slot(gate, "d"):
        pass
    assert repr(gate) == repr(Gate(gate._free, 0.001, 12))
    assert gate._free in (1, 3, 15)
