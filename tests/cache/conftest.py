"""Property caches over memory and over a real redis-server, with OL Connect's side at hand."""

import logging
import time
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import structlog

from gateway.cache import CacheKey, Fetched, PropertyCache, Recalled
from gateway.model import Kind, Thing
from gateway.rules.caching import permission
from gateway.settings import PropertiesCache
from gateway.stores import Store, open_store, redis
from gateway.tasks import TaskSet
from tests.support.redis_server import RedisServer

TEXT = (("Content-Type", "application/json"),)


@dataclass
class Clock:
    """Unix time; moved by the test, or real where Redis' own time counts."""

    time: float = 1_700_000_000.0

    def __call__(self) -> float:
        return self.time

    def advance(self, seconds: float) -> None:
        self.time += seconds


def key_of(
    thing: int | str = 1, credential: str = "printing", facet: str = "properties"
) -> CacheKey:
    return CacheKey(credential, Thing(Kind.JOB, str(thing)), facet)


def answer(body: bytes = b"{}", status: int = 200, lines: Any = TEXT) -> Fetched:
    return Fetched(status, lines, body, permission(lines, time.time()))


@dataclass
class World:
    """Caches of one fleet, and the functions to ask them."""

    clock: Callable[[], float]
    base: Path
    tasks: TaskSet = field(default_factory=TaskSet)
    outcomes: Counter[str] = field(default_factory=Counter)
    invalidations: int = 0
    caches: list[PropertyCache] = field(default_factory=list)
    stores: list[Store] = field(default_factory=list)
    key: Callable[..., CacheKey] = key_of
    answer: Callable[..., Fetched] = answer

    async def add(self, url: str = "memory:", **settings: Any) -> PropertyCache:
        store = await open_store(url, base=self.base)
        self.stores.append(store)
        cache = PropertyCache(
            PropertiesCache().model_copy(update=settings),
            store,
            now=self.clock,
            tasks=self.tasks,
            observe=lambda outcome: self.outcomes.update([outcome]),
            invalidated=self._count,
        )
        self.caches.append(cache)
        return cache

    def configure(self, **settings: Any) -> None:
        for cache in self.caches:
            cache.replace(PropertiesCache().model_copy(update=settings))

    async def read(
        self, cache: PropertyCache, body: bytes = b"{}", *, of: Any = 1, no_cache: bool = False
    ) -> Recalled:
        """Reads while OL Connect says ``body``."""
        return await cache.read(key_of(of), self.saying(body), no_cache=no_cache)

    def saying(
        self, body: bytes = b"{}", status: int = 200, lines: Any = TEXT
    ) -> Callable[[], Awaitable[Fetched]]:
        async def fetch() -> Fetched:
            return answer(body, status, lines)

        return fetch

    def failing(self, error: Exception) -> Callable[[], Awaitable[Fetched]]:
        async def fetch() -> Fetched:
            raise error

        return fetch

    async def write(self, cache: PropertyCache, *things: int) -> None:
        async with cache.writing([Thing(Kind.JOB, str(thing)) for thing in things], Kind.JOB):
            pass

    async def close(self) -> None:
        await self.tasks.cancel()
        for store in self.stores:
            await store.close()

    def _count(self) -> None:
        self.invalidations += 1


@pytest.fixture(autouse=True)
def no_log() -> Iterator[None]:
    """Thousands of failed reads are what these tests are about."""
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL))
    yield
    structlog.reset_defaults()


@pytest.fixture(autouse=True)
def patient(monkeypatch: pytest.MonkeyPatch) -> None:
    """A Redis that is there is waited for, also one that a test stops: then it refuses at once."""
    monkeypatch.setattr(redis, "SOCKET_TIMEOUT_SECONDS", 10.0)
    monkeypatch.setattr(redis, "DEADLINE_SECONDS", 20.0)


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
async def world(clock: Clock, tmp_path: Path) -> AsyncIterator[World]:
    """For caches in memory; time stands still."""
    world = World(clock, tmp_path)
    yield world
    await world.close()


@pytest.fixture
async def real_time_world(tmp_path: Path) -> AsyncIterator[World]:
    """For caches over Redis."""
    world = World(time.time, tmp_path)
    yield world
    await world.close()


@pytest.fixture(params=["memory", "redis"])
async def fleet(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[World]:
    """One cache in memory, or two that share a Redis: ``caches[0]`` and ``caches[-1]``."""
    world = World(time.time, tmp_path)
    if request.param == "memory":
        await world.add()
    else:
        server: RedisServer = request.getfixturevalue("redis_server")
        await world.add(server.url)
        await world.add(server.url)
    yield world
    await world.close()
