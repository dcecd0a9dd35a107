"""Connections to OL Connect are shared out fairly, and nobody waits for ever."""

import asyncio

import pytest

from gateway.problems import UpstreamOverloaded
from gateway.tasks import TaskSet
from gateway.upstream.gate import Gate


async def _hold(gate: Gate, team: str, order: list[str], name: str = "") -> None:
    async with gate.slot(team):
        order.append(name or team)
        await asyncio.sleep(0)


async def test_a_team_with_a_long_queue_delays_another_by_one_only() -> None:
    gate, order, tasks = Gate(1, 1.0, 100), list[str](), TaskSet()
    async with gate.slot("first"):
        waiting = [tasks.start(_hold(gate, "greedy", order)) for _ in range(10)]
        await asyncio.sleep(0)
        waiting.append(tasks.start(_hold(gate, "modest", order)))
        await asyncio.sleep(0)
    await asyncio.gather(*waiting)
    assert order.index("modest") <= 1
    assert order.count("greedy") == 10


async def test_within_a_team_first_come_is_first_served() -> None:
    gate, order, tasks = Gate(1, 1.0, 100), list[str](), TaskSet()
    async with gate.slot("a"):
        waiting = [tasks.start(_hold(gate, "a", order, str(n))) for n in range(5)]
        await asyncio.sleep(0)
    await asyncio.gather(*waiting)
    assert order == ["0", "1", "2", "3", "4"]


async def test_whoever_waits_too_long_or_behind_too_many_is_told() -> None:
    gate, tasks = Gate(1, 0.01, 1), TaskSet()
    async with gate.slot("a"):
        waiting = tasks.start(_hold(gate, "a", []))
        await asyncio.sleep(0)
        with pytest.raises(UpstreamOverloaded):
            await _hold(gate, "a", [])
        with pytest.raises(UpstreamOverloaded) as overloaded:
            await waiting
        assert overloaded.value.headers == {"Retry-After": "1"}
    await _hold(gate, "a", [])


async def test_no_slot_is_lost_when_waiters_leave() -> None:
    gate, tasks = Gate(2, 1.0, 100), TaskSet()
    async with gate.slot("a"), gate.slot("a"):
        waiting = [tasks.start(_hold(gate, "b", [])) for _ in range(6)]
        await asyncio.sleep(0)
        for task in waiting[::2]:
            task.cancel()
        await asyncio.sleep(0)
    # Slots have been handed over by now; one of those who got them leaves at that moment.
    waiting[1].cancel()
    await asyncio.gather(*waiting, return_exceptions=True)
    async with asyncio.timeout(1):
        async with gate.slot("a"), gate.slot("b"):
            assert "free=0" in repr(gate)
    assert "free=2 waiting=0" in repr(gate)
