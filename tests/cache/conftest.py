"""Property caches over memory and over a real redis-server, with OL Connect's side at hand."""

import logging
import shutil
import socket
import subprocess
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
from gateway.settings import PropertiesCache
from gateway.stores import Store, open_store
from gateway.tasks import TaskSet

REDIS_SERVER = shutil.which("redis-server")
TEXT = (("Content-Type", "application/json"),)


@dataclass
class Clock:
    """Unix time; moved by the test, or real where Redis' own time counts."""

    time: float = 1_700_000_000.0

    def __call__(self) -> float:
        return self.time

    def advance(self, seconds: float) -> None:
        self.time += seconds


class RedisServer:
    """One redis-server without persistence, on a port of its own that it keeps when restarted."""

    def __init__(self, directory: Path) -> None:
        assert REDIS_SERVER is not None
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port: int = probe.getsockname()[1]
        self._command = [REDIS_SERVER, "--bind", "127.0.0.1", "--port", str(self.port)]
        self._command += ["--save", "", "--appendonly", "no", "--dir", str(directory)]
        self.url = f"redis://127.0.0.1:{self.port}/0"
        self.restart()

    def restart(self) -> None:
        self.process = subprocess.Popen(self._command, stdout=subprocess.DEVNULL)
        deadline = time.monotonic() + 10
        while not self._answers():
            assert self.process.poll() is None, "redis-server ended at its start"
            assert time.monotonic() < deadline, "redis-server does not answer"
            time.sleep(0.01)

    def stop(self) -> None:
        self.process.kill()
        self.process.wait()

    def say(self, command: bytes) -> bytes:
        with socket.create_connection(("127.0.0.1", self.port), timeout=1) as connection:
            connection.sendall(command + b"\r\n")
            return connection.recv(65536)

    def _answers(self) -> bool:
        try:
            return self.say(b"PING") == b"+PONG\r\n"
        except OSError:
            return False


def _running(directory: Path) -> Iterator[RedisServer]:
    if REDIS_SERVER is None:
        pytest.skip("redis-server is not installed: the shared cache is not tested")
    server = RedisServer(directory)
    try:
        yield server
    finally:
        server.stop()


@pytest.fixture(scope="session")
def shared_redis_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RedisServer]:
    yield from _running(tmp_path_factory.mktemp("redis"))


@pytest.fixture
def redis_server(shared_redis_server: RedisServer) -> RedisServer:
    """Empty, and not to be stopped."""
    shared_redis_server.say(b"FLUSHALL")
    return shared_redis_server


@pytest.fixture
def own_redis_server(tmp_path: Path) -> Iterator[RedisServer]:
    """For tests that stop it."""
    yield from _running(tmp_path)


def key_of(
    thing: int | str = 1, credential: str = "printing", facet: str = "properties"
) -> CacheKey:
    return CacheKey(credential, Thing(Kind.JOB, str(thing)), facet)


def answer(body: bytes = b"{}", status: int = 200, lines: Any = TEXT) -> Fetched:
    return Fetched(status, lines, body)


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
