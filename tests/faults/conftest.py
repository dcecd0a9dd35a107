"""Stages with fault proxies."""

from collections.abc import AsyncIterator

import pytest

from gateway.simulator.options import Options
from tests.support.faulty import FaultyStage, recovers
from tests.support.redis_server import RedisServer
from tests.support.stage import USERS


@pytest.fixture
async def faulty() -> AsyncIterator[FaultyStage]:
    options = Options(users=USERS, operation_seconds=0.02)
    async with FaultyStage(options=options) as stage:
        yield stage


@pytest.fixture
async def sharing(prompt_redis_server: RedisServer) -> AsyncIterator[FaultyStage]:
    """With Redis as its store."""
    options = Options(users=USERS, operation_seconds=0.02)
    async with FaultyStage(options=options, redis_port=prompt_redis_server.port) as stage:
        caller = stage.caller("ol-operators")
        await recovers(lambda: caller.get("/entity/datasets"))
        yield stage
