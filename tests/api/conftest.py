"""Callers of the simplified face."""

from collections.abc import AsyncIterator
from dataclasses import replace

import pytest

from tests.support.stage import CONFIG, Stage, TestCaller

_TEAM = "any_of: [ol-billing]}}\n    credential: printing\n"
# So slow that nothing comes back while a test is held up.
_LIMITS = "    limits: {{requests_per_second: 0.001, burst: 5, running_operations: 2}}\n"


@pytest.fixture
def caller(stage: Stage) -> TestCaller:
    return stage.caller("ol-billing")


@pytest.fixture
async def limited_stage() -> AsyncIterator[Stage]:
    """With limits for the team billing."""
    assert _TEAM in CONFIG
    async with Stage(CONFIG.replace(_TEAM, _TEAM + _LIMITS)) as stage:
        yield stage


@pytest.fixture
def impatient(stage: Stage) -> Stage:
    """With polls every 10 ms, whoever listens."""
    stage.gateway.poller.pace = lambda age, percent, *, listened: 0.01
    return stage


@pytest.fixture
def slow(stage: Stage) -> Stage:
    """With operations that last longer than any test."""
    stage.simulator.options = replace(stage.simulator.options, operation_seconds=60.0)
    return stage
