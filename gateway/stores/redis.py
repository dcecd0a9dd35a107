"""The store that several processes share: Redis or Valkey. Needs the ``redis`` extra."""

import asyncio
import contextlib
import random
from collections.abc import AsyncGenerator, AsyncIterator, Iterable, Iterator, Sequence
from typing import Any, TypeAlias, cast

from redis.asyncio import BlockingConnectionPool, Connection, Redis, SSLConnection
from redis.asyncio.client import PubSub
from redis.asyncio.retry import Retry
from redis.backoff import ExponentialWithJitterBackoff
from redis.exceptions import ConnectionError as LostConnection
from redis.exceptions import RedisError, ResponseError

from gateway.problems import StoreUnavailable
from gateway.stores import redis_scripts
from gateway.stores.contract import (
    MAY_HAVE_MISSED,
    Change,
    Delete,
    Put,
    Store,
    StoreUnusable,
    as_bytes,
    ttl_milliseconds,
)

PREFIX = redis_scripts.PREFIX.encode()

SOCKET_TIMEOUT_SECONDS = 0.4  # of what is asked twice; what is not has all of the time there is
DEADLINE_SECONDS = 0.9
MAX_OPERATIONS = 16  # at a time; each of the two pools may come to hold as many connections
MAX_CONNECTIONS = MAX_OPERATIONS + 16  # each subscription keeps one

QUIET_SECONDS = 10.0
LONGEST_PAUSE_SECONDS = 2.0

_Arguments: TypeAlias = list[str | bytes | int | float]


class RedisStore(Store):
    """Nothing is connected before it is needed, and lost connections come back by themselves.

    Keys start with ``olgw:`` (see `gateway.stores.redis_scripts`), channels with ``olgw:c:DB:``,
    since Redis shares them between its databases. Works from Redis 5 on; not for Redis Cluster,
    where one script may not touch several slots.
    """

    shared = True

    def __init__(self, url: str, *, quiet_seconds: float = QUIET_SECONDS) -> None:
        # What a repetition cannot change is repeated once when the answer is lost. A counter would
        # count twice and a swap would report its own success as defeat: those are sent once.
        self._client = _client(url, retries=1)
        self._once = _client(url, retries=0)
        database = self._client.connection_pool.connection_kwargs.get("db", 0)
        self._channels = PREFIX + b"c:%d:" % database
        self._quiet_seconds = quiet_seconds
        self._turns = asyncio.Semaphore(MAX_OPERATIONS)
        self._closing = asyncio.Event()
        self._waiting: set[asyncio.Timeout] = set()
        repeatable, once = self._client.register_script, self._once.register_script
        self._apply = repeatable(redis_scripts.APPLY)
        self._count = repeatable(redis_scripts.COUNT)
        self._listed = repeatable(redis_scripts.LISTED)
        self._put_if_absent = once(redis_scripts.PUT_IF_ABSENT)
        self._swap = once(redis_scripts.SWAP)
        self._increment = once(redis_scripts.INCREMENT)

    async def get(self, key: str) -> bytes | None:
        async with self._answering():
            value = await self._client.get(_value_key(key))
        return cast(bytes | None, value)

    async def get_many(self, keys: Sequence[str]) -> list[bytes | None]:
        if not keys:
            return []
        async with self._answering():
            values = await self._client.mget([_value_key(key) for key in keys])
        return cast(list[bytes | None], values)

    async def put_if_absent(self, key: str, value: bytes, ttl: float) -> bytes | None:
        async with self._answering():
            current = await self._put_if_absent(args=_wired(Put(key, value, ttl)))
        return cast(bytes | None, current)

    async def swap(self, expected: bytes | None, change: Change) -> bool:
        arguments: _Arguments = [0, b""] if expected is None else [1, expected]
        async with self._answering():
            return bool(await self._swap(args=[*arguments, *_wired(change)]))

    async def increment(self, key: str, by: int, ttl: float) -> int:
        async with self._answering():
            return int(await self._increment(args=[as_bytes(key), by, ttl_milliseconds(ttl)]))

    async def listed(
        self, name: str, *, limit: int, newest_first: bool = True, minimum: float | None = None
    ) -> list[bytes]:
        lowest = "-inf" if minimum is None else repr(minimum)
        arguments: _Arguments = [as_bytes(name), int(newest_first), lowest, limit]
        async with self._answering():
            return cast(list[bytes], await self._listed(args=arguments))

    async def count(self, name: str) -> int:
        async with self._answering():
            return int(await self._count(args=[as_bytes(name)]))

    async def apply(self, changes: Sequence[Change]) -> None:
        if not changes:
            return
        arguments = [argument for change in changes for argument in _wired(change)]
        async with self._answering():
            await self._apply(args=arguments)

    async def publish(self, channel: str, message: bytes) -> None:
        async with self._answering():
            await self._client.publish(self._channels + as_bytes(channel), message)

    async def subscribe(self, channel: str) -> AsyncGenerator[bytes, None]:
        failures = 0
        while not self._closing.is_set():
            # RedisError and OSError: the connection is lost, and the next round makes a new one.
            with contextlib.suppress(RedisError, OSError):
                async with contextlib.aclosing(self._listen(channel)) as messages:
                    async for message in messages:
                        failures = 0
                        yield message
            await self._pause(failures)
            failures += 1

    async def ping(self) -> None:
        async with self._answering():
            await self._client.ping()

    async def close(self) -> None:
        self._closing.set()
        for patience in self._waiting:
            patience.reschedule(0)
        await self._client.aclose()
        await self._once.aclose()

    @contextlib.asynccontextmanager
    async def _answering(self) -> AsyncIterator[None]:
        """Bounds the wait as a whole (each attempt has only its own limit) and maps failures."""
        with _mapped():
            # The pool gives a free connection to whoever asks next and lets those who wait starve;
            # the semaphore is a queue.
            async with asyncio.timeout(DEADLINE_SECONDS), self._turns:
                yield

    async def _listen(self, channel: str) -> AsyncGenerator[bytes, None]:
        """One connection's messages. The marker stands for each subscription Redis confirms.

        The client resubscribes behind our back when it reconnects; the confirmation shows it.
        """
        async with self._client.pubsub() as pubsub:
            await pubsub.subscribe(self._channels + as_bytes(channel))
            async for event in self._events(pubsub):
                if event["type"] == "subscribe":
                    yield MAY_HAVE_MISSED
                elif event["type"] == "message":
                    yield event["data"]

    async def _events(self, pubsub: PubSub) -> AsyncIterator[dict[str, Any]]:
        """What the connection says; ends if it stays silent although it was asked for a sign."""
        was_asked = False
        while not self._closing.is_set():
            event = await self._next_event(pubsub)
            if event is not None:
                was_asked = False
                yield event
            elif was_asked:
                return
            else:
                was_asked = True
                await pubsub.ping()

    async def _next_event(self, pubsub: PubSub) -> dict[str, Any] | None:
        # Closing has to end the wait itself: cut off, the client would connect anew and wait on.
        async with asyncio.timeout(None) as patience:
            self._waiting.add(patience)
            try:
                event = await pubsub.get_message(timeout=self._quiet_seconds)
                return cast(dict[str, Any] | None, event)
            finally:
                self._waiting.discard(patience)

    async def _pause(self, failures: int) -> None:
        # Jitter: all processes lose Redis at the same moment and shall not return at the same.
        longest = min(LONGEST_PAUSE_SECONDS, 0.02 * 2 ** min(failures, 10))
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._closing.wait(), longest * random.uniform(0.5, 1))  # noqa: S311


class _Attentive(Connection):
    """redis-py 8 takes a pooled connection that was reset, rather than closed, for a good one."""

    async def can_read(self) -> bool:
        if self._reader is not None and self._reader.exception() is not None:
            raise LostConnection("The pooled connection was reset.")
        return await super().can_read()

    async def _send_packed_command(self, command: Iterable[bytes]) -> None:
        try:
            await super()._send_packed_command(command)
        except RuntimeError as error:
            # uvloop's word for a closed transport, to which asyncio writes without any.
            raise LostConnection("The connection has been closed.") from error


class _AttentiveTls(SSLConnection, _Attentive):
    """The same over TLS."""


def _client(url: str, *, retries: int) -> "Redis":
    patience = SOCKET_TIMEOUT_SECONDS if retries else DEADLINE_SECONDS
    try:
        pool = BlockingConnectionPool.from_url(
            url,
            # With RESP3, redis-py 8 listens for maintenance notices, and then hands out pooled
            # connections that the server has closed as if they were good.
            protocol=2,
            max_connections=MAX_CONNECTIONS,
            timeout=DEADLINE_SECONDS,
            retry=Retry(ExponentialWithJitterBackoff(), retries),
            socket_timeout=patience,
            socket_connect_timeout=patience,
            socket_keepalive=True,
        )
    except ValueError as error:
        # The URL may hold a password: the message does not repeat it.
        raise StoreUnusable("The store's Redis URL is not redis://HOST:PORT/DB.") from error
    is_tls = issubclass(pool.connection_class, SSLConnection)
    pool.connection_class = _AttentiveTls if is_tls else _Attentive
    return Redis.from_pool(pool)


@contextlib.contextmanager
def _mapped() -> Iterator[None]:
    try:
        yield
    except ResponseError as error:
        if "not an integer" in str(error):
            raise ValueError("The key holds something other than a counter.") from error
        raise StoreUnavailable("The gateway's store refused a command.") from error
    except (RedisError, OSError) as error:  # OSError: TimeoutError is one
        raise StoreUnavailable("The gateway's store does not answer at the moment.") from error


def _value_key(key: str) -> bytes:
    return PREFIX + b"v:" + as_bytes(key)


def _wired(change: Change) -> _Arguments:
    """The arguments of one change, as the scripts read them."""
    if isinstance(change, Delete):
        return ["delete", as_bytes(change.key)]
    key, value, ttl, listed, score = change
    put: _Arguments = [as_bytes(key), value, ttl_milliseconds(ttl)]
    return ["put", *put] if listed is None else ["put_listed", *put, as_bytes(listed), repr(score)]
