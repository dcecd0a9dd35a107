"""Nothing is seen after its time: by a clock set by hand, and in Redis by Redis' own."""

import asyncio
from collections.abc import Callable
from pathlib import Path

import pytest

from gateway.stores import Put, Store, open_store
from tests.support.redis_server import RedisServer

Advance = Callable[[float], None]


@pytest.fixture(params=["memory:", "sqlite:store.db"])
def store_url(request: pytest.FixtureRequest) -> str:
    """In place of all stores, those that ask the clock."""
    url: str = request.param
    return url


async def test_a_key_is_gone_from_the_instant_it_expires(store: Store, advance: Advance) -> None:
    await store.put("a", b"1", 10)
    advance(9.5)
    assert await store.get("a") == b"1"
    advance(0.5)
    assert await store.get("a") is None
    assert await store.get_many(["a"]) == [None]


async def test_an_expired_key_counts_as_absent(store: Store, advance: Advance) -> None:
    await store.put_many({"a": b"1", "b": b"1", "c": b"5"}, 10)
    advance(10)
    assert not await store.swap(b"1", Put("a", b"2", 10))
    assert await store.swap(None, Put("a", b"2", 10))
    assert await store.put_if_absent("b", b"3", 10) is None
    assert await store.increment("c", 1, 10) == 1
    assert await store.get_many(["a", "b", "c"]) == [b"2", b"3", b"1"]


@pytest.mark.parametrize("refresh", ["put", "swap", "increment"])
async def test_writing_starts_the_ttl_again(store: Store, advance: Advance, refresh: str) -> None:
    await store.put("a", b"1", 10)
    advance(8)
    if refresh == "put":
        await store.put("a", b"2", 10)
    elif refresh == "swap":
        await store.swap(b"1", Put("a", b"2", 10))
    else:
        await store.increment("a", 1, 10)
    advance(8)
    assert await store.get("a") == b"2"


async def test_a_refused_write_leaves_the_ttl(store: Store, advance: Advance) -> None:
    await store.put("a", b"1", 10)
    advance(8)
    assert await store.put_if_absent("a", b"2", 10) == b"1"
    assert not await store.swap(b"2", Put("a", b"3", 10))
    advance(2)
    assert await store.get("a") is None


def _listed(key: str, score: float, ttl: float) -> Put:
    return Put(key, key.encode(), ttl, listed="s", score=score)


async def test_what_has_expired_is_in_no_list(store: Store, advance: Advance) -> None:
    await store.apply([_listed("short", 2, 5), _listed("long", 1, 20), _listed("new", 3, 5)])
    advance(4)
    await store.apply([_listed("new", 3, 20)])
    advance(1)
    assert await store.listed("s", limit=9) == [b"new", b"long"]
    assert await store.listed("s", limit=1, newest_first=False) == [b"long"]
    assert await store.count("s") == 2
    await store.apply([_listed("short", 4, 5)])
    assert await store.count("s") == 3
    advance(20)
    assert await store.listed("s", limit=9) == []
    assert await store.count("s") == 0


async def test_redis_expires_keys_and_what_is_listed(
    redis_server: RedisServer, tmp_path: Path
) -> None:
    store = await open_store(redis_server.database(5), base=tmp_path)
    try:
        await store.apply([Put("a", b"1", 60), _listed("long", 1, 60), _listed("short", 2, 60)])
        assert await store.count("s") == 2
        await store.apply([Put("a", b"1", 0.03), _listed("short", 2, 0.03)])
        async with asyncio.timeout(30):
            while await store.count("s") == 2 or await store.get("a"):  # noqa: ASYNC110
                await asyncio.sleep(0.005)
        assert await store.listed("s", limit=9) == [b"long"]
    finally:
        await store.close()
