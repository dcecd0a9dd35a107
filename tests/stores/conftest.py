"""A clock that is set by hand, and every store behind one fixture."""

from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from gateway.stores import Store, open_store
from tests.support.redis_server import RedisServer


@dataclass
class Clock:
    """Unix time, moved by the test."""

    time: float = 1_700_000_000.0

    def __call__(self) -> float:
        return self.time

    def advance(self, seconds: float) -> None:
        self.time += seconds


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def advance(clock: Clock) -> Callable[[float], None]:
    """Moves the clock forward by so many seconds."""
    return clock.advance


@pytest.fixture(params=["memory", "sqlite", "redis"])
def store_url(request: pytest.FixtureRequest) -> str:
    if request.param != "redis":
        return {"memory": "memory:", "sqlite": "sqlite:state/store.db"}[request.param]
    server: RedisServer = request.getfixturevalue("redis_server")
    return server.url


@pytest.fixture
async def store(store_url: str, tmp_path: Path, clock: Clock) -> AsyncIterator[Store]:
    """Each test that takes this runs over every store."""
    opened = await open_store(store_url, base=tmp_path, now=clock)
    yield opened
    await opened.close()
