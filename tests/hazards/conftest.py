"""A gateway in front of a scripted server instead of the simulator."""

from collections.abc import AsyncIterator

import pytest

from tests.support.peer import Peer
from tests.support.stage import CONFIG, Stage


@pytest.fixture
async def peered(peer: Peer) -> AsyncIterator[Stage]:
    """Operators (objects: any, Basic) and billing (objects: own, auth_token) call the peer."""
    async with Stage(config=CONFIG.replace("{upstream}", peer.url)) as stage:
        yield stage
