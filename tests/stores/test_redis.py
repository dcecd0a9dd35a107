"""Redis goes away and comes back."""

import asyncio
import sys
import time
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable
from contextlib import aclosing, asynccontextmanager, suppress
from pathlib import Path

import pytest

from gateway.problems import StoreUnavailable
from gateway.stores import MAY_HAVE_MISSED, Put, Store, StoreUnusable, open_store
from gateway.stores.redis import RedisStore
from tests.support.redis_server import RedisServer


@asynccontextmanager
async def _easily_worried(server: RedisServer, quiet_seconds: float) -> AsyncIterator[RedisStore]:
    store = RedisStore(server.url, quiet_seconds=quiet_seconds)
    try:
        yield store
    finally:
        await store.close()


async def _next(subscription: AsyncGenerator[bytes, None]) -> bytes:
    return await anext(subscription)


OPERATIONS: dict[str, Callable[[Store], Awaitable[object]]] = {
    "get": lambda store: store.get("a"),
    "get_many": lambda store: store.get_many(["a", "b"]),
    "put": lambda store: store.put("a", b"1", 60),
    "put_if_absent": lambda store: store.put_if_absent("a", b"1", 60),
    "swap": lambda store: store.swap(None, Put("a", b"1", 60)),
    "increment": lambda store: store.increment("n", 1, 60),
    "listed": lambda store: store.listed("s", limit=1),
    "count": lambda store: store.count("s"),
    "publish": lambda store: store.publish("c", b"1"),
    "ping": lambda store: store.ping(),
}


@pytest.fixture
async def store(
    own_redis_server: RedisServer, tmp_path: Path, patience: None
) -> AsyncIterator[Store]:
    opened = await open_store(own_redis_server.url, base=tmp_path)
    yield opened
    await opened.close()


async def test_every_operation_survives_a_restart(
    store: Store, own_redis_server: RedisServer
) -> None:
    for operation in OPERATIONS.values():
        await operation(store)
    own_redis_server.stop()
    for operation in OPERATIONS.values():
        started = time.monotonic()
        with pytest.raises(StoreUnavailable):
            await operation(store)
        # At once, rather than at its deadline, which is twenty seconds here.
        assert time.monotonic() - started < 15
    own_redis_server.restart()
    for operation in OPERATIONS.values():
        await operation(store)
    assert await store.get("n") == b"1"


async def test_a_restart_between_two_operations_goes_unnoticed(
    store: Store, own_redis_server: RedisServer
) -> None:
    await asyncio.gather(*(store.get("a") for _ in range(5)), store.increment("n", 1, 60))
    own_redis_server.stop()
    # Elsewhere, so that the loop hears meanwhile that its connections were closed.
    await asyncio.to_thread(own_redis_server.restart)
    assert await store.increment("n", 1, 60) == 1
    assert await asyncio.gather(*(store.get("n") for _ in range(5))) == [b"1"] * 5


@pytest.mark.skipif(sys.platform == "win32", reason="needs SIGSTOP")
async def test_a_silent_redis_is_unavailable_within_a_second(
    own_redis_server: RedisServer, tmp_path: Path
) -> None:
    store, asked = await open_store(own_redis_server.url, base=tmp_path), 0

    async def count() -> int:
        nonlocal asked
        asked += 1
        return await store.increment("n", 1, 60)

    await _answered(count)
    own_redis_server.pause()
    operations = (store.get("a"), count(), store.listed("s", limit=1))
    async with asyncio.timeout(15):  # beyond the second, what the machine may stand still
        outcomes = await asyncio.gather(*operations, return_exceptions=True)
    assert [type(outcome) for outcome in outcomes] == [StoreUnavailable] * 3
    own_redis_server.go_on()
    # Redis reads what was sent while it stood still: counted once, never twice.
    assert await _answered(count) <= asked
    await store.close()


async def _answered(ask: Callable[[], Awaitable[int]]) -> int:
    """What is answered by a Redis that may be too busy for it at first."""
    async with asyncio.timeout(30):
        while True:
            with suppress(StoreUnavailable):
                return await ask()


async def test_a_subscription_returns_and_says_so(
    store: Store, own_redis_server: RedisServer
) -> None:
    async with asyncio.timeout(60), aclosing(store.subscribe("c")) as subscription:
        assert await anext(subscription) == MAY_HAVE_MISSED
        await store.publish("c", b"1")
        assert await anext(subscription) == b"1"
        own_redis_server.stop()
        own_redis_server.restart()
        assert await anext(subscription) == MAY_HAVE_MISSED
        await store.publish("c", b"2")
        assert await anext(subscription) == b"2"


@pytest.mark.usefixtures("patience")
async def test_a_subscription_keeps_a_connection_that_is_only_quiet(
    own_redis_server: RedisServer,
) -> None:
    # On a machine that stands still for a moment nothing is heard in time: then more patience.
    for quiet_seconds in (0.02, 0.2, 2, 10):
        if await _hears_after_quiet(own_redis_server, quiet_seconds):
            return
    pytest.fail("a connection that was only quiet was left, whatever the patience")


async def _hears_after_quiet(server: RedisServer, quiet_seconds: float) -> bool:
    """Whether what comes after a long quiet comes on the connection that there was."""
    async with (
        asyncio.timeout(90),
        _easily_worried(server, quiet_seconds) as store,
        aclosing(store.subscribe("c")) as subscription,
    ):
        assert await anext(subscription) == MAY_HAVE_MISSED
        waiting = asyncio.gather(_next(subscription))
        await asyncio.wait([waiting], timeout=5 * quiet_seconds)
        await store.publish("c", b"1")
        return list(await waiting) == [b"1"]


@pytest.mark.usefixtures("patience")
@pytest.mark.skipif(sys.platform == "win32", reason="needs SIGSTOP")
async def test_a_subscription_leaves_a_connection_that_fell_silent(
    own_redis_server: RedisServer,
) -> None:
    async with (
        asyncio.timeout(30),
        _easily_worried(own_redis_server, 0.02) as store,
        aclosing(store.subscribe("c")) as subscription,
    ):
        assert await anext(subscription) == MAY_HAVE_MISSED
        waiting = asyncio.gather(_next(subscription))
        # Again, if this process stood still as well, and noticed nothing.
        while not waiting.done():
            own_redis_server.pause()
            await asyncio.wait([waiting], timeout=0.2)
            own_redis_server.go_on()
            await asyncio.wait([waiting], timeout=0.2)
        assert list(waiting.result()) == [MAY_HAVE_MISSED]


async def test_nobody_starves_when_all_connections_are_busy(store: Store) -> None:
    answers, longest_queue = 0, 0

    async def ask_again_and_again() -> None:
        nonlocal answers, longest_queue
        while answers < 1500:
            before = answers
            await store.ping()
            answers += 1
            longest_queue = max(longest_queue, answers - before)

    await asyncio.gather(*(ask_again_and_again() for _ in range(64)))
    # In a queue, everybody else is answered about once before one is answered again.
    assert longest_queue < 300


async def test_two_stores_see_each_other(
    store: Store, own_redis_server: RedisServer, tmp_path: Path
) -> None:
    other = await open_store(own_redis_server.url, base=tmp_path)
    elsewhere = await open_store(own_redis_server.database(1), base=tmp_path)
    async with aclosing(other.subscribe("c")) as subscription:
        assert await anext(subscription) == MAY_HAVE_MISSED
        await store.put("a", b"1", 60)
        await elsewhere.publish("c", b"another database")
        await store.publish("c", b"1")
        assert await anext(subscription) == b"1"
    assert store.shared
    assert await other.get("a") == b"1"
    assert await elsewhere.get("a") is None
    await other.close()
    await elsewhere.close()


@pytest.mark.usefixtures("patience")
async def test_a_store_opens_before_its_redis_does(
    own_redis_server: RedisServer, tmp_path: Path
) -> None:
    own_redis_server.stop()
    store = await open_store(own_redis_server.url, base=tmp_path)
    with pytest.raises(StoreUnavailable):
        await store.ping()
    own_redis_server.restart()
    await store.ping()
    await store.close()


async def test_a_malformed_url_is_refused_without_showing_its_password(tmp_path: Path) -> None:
    with pytest.raises(StoreUnusable) as caught:
        await open_store("redis://:secret@127.0.0.1:port/0", base=tmp_path)
    assert "secret" not in str(caught.value)


async def test_a_missing_extra_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(sys.modules, "gateway.stores.redis", raising=False)
    monkeypatch.setitem(sys.modules, "redis.asyncio", None)
    with pytest.raises(StoreUnusable, match=r"olconnect-gateway\[redis\]"):
        await open_store("redis://127.0.0.1:1/0", base=tmp_path)
