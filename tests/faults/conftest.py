"""Stages with fault proxies."""

from collections.abc import AsyncIterator

import pytest

from gateway.simulator.options import Options
from gateway.stores import redis
from tests.support.faulty import SILENCE_IS_SHORT, FaultyStage, recovers
from tests.support.redis_server import RedisServer
from tests.support.stage import USERS


@pytest.fixture
async def faulty() -> AsyncIterator[FaultyStage]:
    options = Options(users=USERS, operation_seconds=0.02)
    async with FaultyStage(options=options) as stage:
        yield stage


@pytest.fixture
async def impatient() -> AsyncIterator[FaultyStage]:
    """For an OL Connect that says nothing."""
    options = Options(users=USERS, operation_seconds=0.02)
    async with FaultyStage(options=options, timeouts=SILENCE_IS_SHORT) as stage:
        yield stage


@pytest.fixture
async def sharing(
    redis_server: RedisServer, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[FaultyStage]:
    """With Redis as its store, for which only the deadline is ever too long."""
    monkeypatch.setattr(redis, "SOCKET_TIMEOUT_SECONDS", 60.0)
    options = Options(users=USERS, operation_seconds=0.02)
    async with FaultyStage(options=options, redis_port=redis_server.port) as stage:
        caller = stage.caller("ol-operators")
        await recovers(lambda: caller.get("/entity/datasets"))
        yield stage
