"""What tests of the whole gateway share."""

import asyncio
import os
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from pathlib import Path

import pytest
import structlog
from hypothesis import HealthCheck, settings

from gateway.stores import redis
from tests.support.peer import Peer, open_peer
from tests.support.redis_server import RedisServer, running
from tests.support.stage import Stage

# A change is judged by the same examples each time; OLGW_EXPLORE=1 has others made up. How long an
# example takes is said by the machine, not by the code.
settings.register_profile(
    "steady",
    derandomize="OLGW_EXPLORE" not in os.environ,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow],
)
settings.load_profile("steady")


@pytest.fixture(autouse=True)
def logging_as_by_default() -> Iterator[None]:
    """Commands that were run in this process leave it as they want it."""
    yield
    structlog.reset_defaults()


@pytest.fixture
async def stage() -> AsyncIterator[Stage]:
    async with Stage() as stage:
        yield stage


@pytest.fixture
async def peer() -> AsyncIterator[Peer]:
    async with open_peer() as peer:
        yield peer


@pytest.fixture(scope="session")
def shared_redis_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RedisServer]:
    yield from running(tmp_path_factory.mktemp("redis"))


@pytest.fixture
def prompt_redis_server(shared_redis_server: RedisServer) -> RedisServer:
    """Empty, and not to be stopped: other tests use it, too."""
    shared_redis_server.flush()
    return shared_redis_server


@pytest.fixture
def patience(monkeypatch: pytest.MonkeyPatch) -> None:
    """Redis may take long to answer, as it does where three tests share two busy cores."""
    monkeypatch.setattr(redis, "SOCKET_TIMEOUT_SECONDS", 10.0)
    monkeypatch.setattr(redis, "DEADLINE_SECONDS", 20.0)


@pytest.fixture
def redis_server(prompt_redis_server: RedisServer, patience: None) -> RedisServer:
    return prompt_redis_server


@pytest.fixture
def own_redis_server(tmp_path: Path) -> Iterator[RedisServer]:
    """For tests that stop it."""
    yield from running(tmp_path)


@pytest.fixture
def until() -> Callable[[Callable[[], object]], Awaitable[None]]:
    """Waits for something to become true that announces itself in no other way."""

    async def wait(condition: Callable[[], object]) -> None:
        async with asyncio.timeout(30):
            while not condition():  # noqa: ASYNC110
                await asyncio.sleep(0.002)

    return wait
