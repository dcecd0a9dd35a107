"""Turns: one at a time, in this process and among many, and nobody waits for ever."""

import asyncio

import pytest

from gateway.api import turns
from gateway.api.turns import Turns
from gateway.problems import UpstreamOverloaded
from gateway.stores.memory import MemoryStore


class SharedStore(MemoryStore):
    """As if other processes saw it too."""

    shared = True


async def _overlap(one: Turns, other: Turns, first: list[str], second: list[str]) -> int:
    """How many were inside at the same time, at most."""
    inside = most = 0

    async def enter(holder: Turns, names: list[str]) -> None:
        nonlocal inside, most
        async with holder.take(names):
            inside += 1
            most = max(most, inside)
            await asyncio.sleep(0.005)
            inside -= 1

    await asyncio.gather(*(enter(one, first) for _ in range(3)), enter(other, second))
    return most


async def test_one_at_a_time_in_a_process() -> None:
    here = Turns(MemoryStore())
    assert await _overlap(here, here, ["a"], ["a"]) == 1
    assert await _overlap(here, here, ["a"], ["b"]) == 2


async def test_one_at_a_time_among_processes() -> None:
    store = SharedStore()
    assert await _overlap(Turns(store), Turns(store), ["a"], ["a"]) == 1
    assert await _overlap(Turns(store), Turns(store), ["a"], ["b"]) == 2


async def test_crossed_names_do_not_wait_for_each_other() -> None:
    store = SharedStore()
    async with asyncio.timeout(30):
        assert await _overlap(Turns(store), Turns(store), ["a", "b"], ["b", "a"]) == 1


async def test_a_turn_is_given_back_after_a_failure() -> None:
    store = SharedStore()
    with pytest.raises(ValueError, match="inside"):
        async with Turns(store).take(["a"]):
            raise ValueError("inside")
    async with asyncio.timeout(10), Turns(store).take(["a"]):
        pass


async def test_waiting_ends(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(turns, "_PATIENCE_SECONDS", 0.01)
    store = SharedStore()
    async with Turns(store).take(["a"]):
        for other in (Turns(store), Turns(store)):
            with pytest.raises(UpstreamOverloaded) as refused:
                async with other.take(["a"]):
                    pytest.fail("two at a time")
            assert refused.value.headers["Retry-After"] == "1"
    async with asyncio.timeout(10), Turns(store).take(["a"]):
        pass
