"""What every store promises, asked of every store."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import aclosing, suppress
from typing import Any

import pytest

from gateway.stores import MAY_HAVE_MISSED, Delete, Put, Store

ODD_TEXTS = ["", "a:b", "nul\0", "\U0001f600", "\udcff"]


async def test_get_is_none_for_what_was_never_put(store: Store) -> None:
    assert await store.get("a") is None


@pytest.mark.parametrize("value", [b"", b"\x00\xff", b"x" * 100_000])
async def test_put_then_get(store: Store, value: bytes) -> None:
    await store.put("a", b"before", 60)
    await store.put("a", value, 60)
    assert await store.get("a") == value


@pytest.mark.parametrize("text", ODD_TEXTS)
async def test_any_text_is_a_key_and_a_lists_name(store: Store, text: str) -> None:
    await store.apply([Put(text, b"1", 60, listed=text)])
    assert await store.get(text) == b"1"
    assert await store.listed(text, limit=1) == [b"1"]
    await store.delete(text)
    assert await store.count(text) == 0


async def test_many_keep_the_order_of_the_keys(store: Store) -> None:
    await store.put_many({"a": b"1", "b": b"2"}, 60)
    assert await store.get_many(["b", "none", "a", "b"]) == [b"2", None, b"1", b"2"]
    assert await store.get_many([]) == []
    await store.put_many({}, 60)


async def test_delete_takes_several_and_ignores_the_absent(store: Store) -> None:
    await store.put_many({"a": b"1", "b": b"2", "c": b"3"}, 60)
    await store.delete("a", "b", "none")
    assert await store.get_many(["a", "b", "c"]) == [None, None, b"3"]


async def test_put_if_absent_writes_once(store: Store) -> None:
    assert await store.put_if_absent("a", b"1", 60) is None
    assert await store.put_if_absent("a", b"2", 60) == b"1"
    assert await store.get("a") == b"1"


async def test_an_empty_value_is_there_all_the_same(store: Store) -> None:
    await store.put("a", b"", 60)
    assert await store.put_if_absent("a", b"1", 60) == b""
    assert not await store.swap(None, Put("a", b"1", 60))
    assert await store.swap(b"", Put("a", b"2", 60))


async def test_put_if_absent_has_one_winner(store: Store) -> None:
    values = [b"%d" % number for number in range(20)]
    answers = await asyncio.gather(*(store.put_if_absent("a", value, 60) for value in values))
    winner = await store.get("a")
    assert answers.count(None) == 1
    assert set(answers) == {None, winner}


async def test_swap_compares(store: Store) -> None:
    assert await store.swap(None, Put("a", b"1", 60))
    assert not await store.swap(None, Put("a", b"2", 60))
    assert not await store.swap(b"other", Put("a", b"2", 60))
    assert await store.swap(b"1", Put("a", b"2", 60))
    assert await store.get("a") == b"2"


async def test_swap_deletes(store: Store) -> None:
    await store.put("a", b"1", 60)
    assert not await store.swap(b"2", Delete("a"))
    assert await store.swap(b"1", Delete("a"))
    assert await store.get("a") is None
    assert await store.swap(None, Delete("a"))


async def test_swap_has_one_winner(store: Store) -> None:
    await store.put("a", b"start", 60)
    swaps = (store.swap(b"start", Put("a", b"%d" % number, 60)) for number in range(20))
    assert (await asyncio.gather(*swaps)).count(True) == 1


async def test_increment_counts_every_call(store: Store) -> None:
    totals = await asyncio.gather(*(store.increment("a", 2, 60) for _ in range(30)))
    assert sorted(totals) == list(range(2, 62, 2))
    assert await store.increment("a", -100, 60) == -40
    assert await store.get("a") == b"-40"


async def test_increment_refuses_what_is_no_counter(store: Store) -> None:
    await store.put("a", b"text", 60)
    good, bad = store.increment("b", 1, 60), store.increment("a", 1, 60)
    total, error = await asyncio.gather(good, bad, return_exceptions=True)
    assert total == 1
    assert isinstance(error, ValueError)
    assert await store.get("a") == b"text"


def _listed(key: str, score: float, name: str = "s") -> Put:
    return Put(key, key.encode(), 60, listed=name, score=score)


async def test_a_list_is_ordered_by_score_then_key(store: Store) -> None:
    scores = {"b": 2.0, "a": 2.0, "low": -1.5, "high": 1e12}
    await store.apply([_listed(key, score) for key, score in scores.items()])
    newest = [b"high", b"b", b"a", b"low"]
    assert await store.listed("s", limit=10) == newest
    assert await store.listed("s", limit=10, newest_first=False) == newest[::-1]
    assert await store.count("s") == 4


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ({"limit": 2}, b"dc"),
        ({"limit": 0}, b""),
        ({"limit": 2, "newest_first": False}, b"ab"),
        ({"limit": 9, "minimum": 2.5}, b"dc"),
        ({"limit": 9, "minimum": 3}, b"dc"),
        ({"limit": 1, "minimum": 2, "newest_first": False}, b"b"),
        ({"limit": 9, "minimum": 99}, b""),
    ],
)
async def test_a_list_within_limits(store: Store, options: dict[str, Any], expected: bytes) -> None:
    await store.apply([_listed(key, score) for score, key in enumerate("abcd", start=1)])
    assert b"".join(await store.listed("s", **options)) == expected


async def test_scores_keep_their_precision(store: Store) -> None:
    score = 1_700_000_000.123456
    await store.apply([_listed("a", score)])
    assert await store.listed("s", limit=1, minimum=score) == [b"a"]


async def test_a_key_listed_again_moves(store: Store) -> None:
    await store.apply([_listed("a", 1), _listed("b", 2), _listed("a", 3)])
    assert await store.listed("s", limit=9) == [b"a", b"b"]
    assert await store.count("s") == 2


async def test_a_key_is_in_one_list_at_most(store: Store) -> None:
    await store.apply([_listed("a", 1), _listed("b", 2)])
    await store.apply([_listed("a", 1, "other")])
    assert await store.listed("s", limit=9) == [b"b"]
    assert await store.listed("other", limit=9) == [b"a"]
    assert await store.swap(b"a", _listed("a", 3))
    assert await store.listed("s", limit=9) == [b"a", b"b"]
    assert await store.count("other") == 0


@pytest.mark.parametrize("leave", ["put", "delete", "swap", "increment"])
async def test_a_key_leaves_its_list(store: Store, leave: str) -> None:
    await store.apply([Put("a", b"1", 60, listed="s"), _listed("b", 2)])
    if leave == "put":
        await store.put("a", b"1", 60)
    elif leave == "delete":
        await store.delete("a")
    elif leave == "swap":
        assert await store.swap(b"1", Put("a", b"2", 60))
    else:
        await store.increment("a", 1, 60)
    assert await store.listed("s", limit=9) == [b"b"]
    assert await store.count("s") == 1


async def test_what_changes_nothing_leaves_the_list_alone(store: Store) -> None:
    await store.apply([_listed("a", 1)])
    assert await store.put_if_absent("a", b"2", 60) == b"a"
    assert not await store.swap(b"2", Put("a", b"3", 60))
    assert not await store.swap(None, Delete("a"))
    assert await store.listed("s", limit=9) == [b"a"]


async def test_a_long_list_comes_whole(store: Store) -> None:
    numbers = [range(start, start + 1000) for start in range(0, 5000, 1000)]
    for some in numbers:
        await store.apply([_listed(f"k{number:04}", number) for number in some])
    found = await store.listed("s", limit=5000, newest_first=False)
    assert found == [b"k%04d" % number for number in range(5000)]
    for some in numbers:
        await store.apply([Delete(f"k{number:04}") for number in some])
    assert await store.count("s") == 0


async def test_keys_and_lists_do_not_meet(store: Store) -> None:
    await store.apply([Put("a", b"1", 60), _listed("m", 1, "a")])
    await store.delete("a")
    assert await store.count("a") == 1
    await store.put("a", b"2", 60)
    await store.delete("m")
    assert await store.get("a") == b"2"


async def test_apply_makes_all_changes_in_order(store: Store) -> None:
    await store.put("attempt", b"1", 60)
    await store.apply([_listed("old", 1)])
    await store.apply(
        [
            Put("owner", b"first", 60),
            Put("owner", b"team", 60),
            _listed("new", 2),
            Delete("old"),
            Delete("attempt"),
        ]
    )
    await store.apply([])
    assert await store.get_many(["owner", "attempt"]) == [b"team", None]
    assert await store.listed("s", limit=9) == [b"new"]


async def test_a_ttl_that_is_over_or_endless_is_no_error(store: Store) -> None:
    await store.put("a", b"1", -5)
    await store.put("b", b"2", float("inf"))
    await store.apply([Put("m", b"1", float("inf"), listed="s")])
    assert await store.get("b") == b"2"
    assert await store.count("s") == 1


async def test_subscribers_get_what_is_published_after_the_marker(store: Store) -> None:
    await store.publish("a", b"too early")
    async with aclosing(store.subscribe("a")) as first, aclosing(store.subscribe("a")) as second:
        assert [await anext(first), await anext(second)] == [MAY_HAVE_MISSED] * 2
        await store.publish("b", b"elsewhere")
        await store.publish("a", b"1")
        await store.publish("a", b"2")
        for subscription in (first, second):
            assert [await anext(subscription), await anext(subscription)] == [b"1", b"2"]


async def _rest(subscription: AsyncGenerator[bytes, None]) -> list[bytes]:
    return [message async for message in subscription]


async def test_a_subscription_ends_with_the_store(store: Store) -> None:
    async with aclosing(store.subscribe("a")) as subscription:
        assert await anext(subscription) == MAY_HAVE_MISSED
        async with asyncio.timeout(10):
            rest, _ = await asyncio.gather(_rest(subscription), store.close())
        assert rest == []


async def test_ping(store: Store) -> None:
    await store.ping()


async def test_a_caller_who_leaves_harms_nobody(store: Store) -> None:
    leaving = asyncio.gather(*(store.put(f"k{number}", b"1", 60) for number in range(10)))
    await asyncio.sleep(0)
    leaving.cancel()
    with suppress(asyncio.CancelledError):
        await leaving
    await store.put("a", b"1", 60)
    assert await store.get("a") == b"1"
