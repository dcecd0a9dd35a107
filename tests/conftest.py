"""What tests of the whole gateway share."""

from collections.abc import AsyncIterator

import pytest

from tests.support.stage import Stage


@pytest.fixture
async def stage() -> AsyncIterator[Stage]:
    async with Stage() as stage:
        yield stage
