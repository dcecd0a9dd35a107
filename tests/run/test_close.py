"""What a closing gateway uses is closed after those who use it."""

import asyncio

import pytest

from gateway.stores.memory import MemoryStore
from tests.support.stage import Stage


async def test_nobody_asks_the_store_any_more_when_it_is_closed(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A Redis client that is asked after its end connects once more, and nobody closes that."""
    close, running = MemoryStore.close, set[str]()

    async def look_and_close(store: MemoryStore) -> None:
        running.update(task.get_name() for task in asyncio.all_tasks())
        await close(store)

    monkeypatch.setattr(MemoryStore, "close", look_and_close)
    async with Stage() as stage:
        assert "housekeeping" in {task.get_name() for task in asyncio.all_tasks()}
        await stage.caller().get("/entity/version")
    assert running
    assert not running & {"housekeeping", "resume"}
