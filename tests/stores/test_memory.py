"""The memory store beyond the contract: it stays small, and says what it dropped."""

from collections.abc import Callable

from gateway.stores import MAY_HAVE_MISSED, Put
from gateway.stores.fanout import Fanout
from gateway.stores.memory import MemoryStore


async def test_the_least_recently_used_make_room(clock: Callable[[], float]) -> None:
    store = MemoryStore(max_entries=3, now=clock)
    await store.put_many({"a": b"1", "b": b"2"}, 60)
    await store.apply([Put("m", b"1", 60, listed="s")])
    assert await store.get("a") == b"1"
    await store.put("c", b"3", 60)
    assert await store.get_many(["a", "b", "c"]) == [b"1", None, b"3"]
    await store.put("d", b"4", 60)
    assert await store.count("s") == 0
    assert len(store) == 3


async def test_the_expired_go_without_being_asked_for(
    clock: Callable[[], float], advance: Callable[[float], None]
) -> None:
    store = MemoryStore(now=clock)
    await store.put_many({f"k{number}": b"1" for number in range(100)}, 10)
    await store.apply([Put(f"m{number}", b"1", 10, listed="s") for number in range(100)])
    advance(10)
    for number in range(50):
        await store.put("other", b"%d" % number, 60)
    assert len(store) == 1


async def test_overwriting_does_not_pile_up(clock: Callable[[], float]) -> None:
    store = MemoryStore(now=clock)
    for number in range(1000):
        await store.put(f"k{number % 10}", b"1", 60)
        await store.delete("k0")
        await store.apply([Put("m", b"1", 60, listed="s", score=number)])
    assert len(store) == 10
    assert len(store._circle) < 40


async def test_a_subscriber_that_does_not_read_is_told_what_it_missed() -> None:
    fanout = Fanout(backlog=3)
    subscription = fanout.subscribe("a")
    assert await anext(subscription) == MAY_HAVE_MISSED
    for number in range(4):
        fanout.publish("a", b"%d" % number)
    assert [await anext(subscription), await anext(subscription)] == [MAY_HAVE_MISSED, b"3"]
    await subscription.aclose()
