"""Tasks that somebody owns: kept while they run, ended with their owner."""

import asyncio
from contextlib import suppress

import pytest

from gateway import tasks
from gateway.tasks import TaskSet


async def test_a_task_that_lost_its_cancellation_is_cancelled_again(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(tasks, "_AGAIN_SECONDS", 0.01)
    lost = asyncio.Event()

    async def loses_one() -> None:
        with suppress(asyncio.CancelledError):
            await asyncio.Event().wait()
        lost.set()
        await asyncio.Event().wait()

    owned = TaskSet()
    task = owned.start(loses_one())
    await asyncio.sleep(0)
    async with asyncio.timeout(30):
        await owned.cancel()
    assert lost.is_set()
    assert task.cancelled()


async def test_the_task_that_ends_the_others_is_not_ended_by_itself() -> None:
    owned = TaskSet()
    other = owned.start(asyncio.Event().wait())

    async def end() -> str:
        await owned.cancel()
        return "ended"

    assert await owned.start(end()) == "ended"
    assert other.cancelled()


async def test_what_is_to_begin_later_does_so_once() -> None:
    owned, begun = TaskSet(), list[str]()

    async def work(name: str) -> None:
        begun.append(name)

    owned.launch_later(0.0, lambda: work("due"))
    hurried = owned.launch_later(3600.0, lambda: work("hurried"))
    hurried.begin()
    hurried.begin()
    dropped = owned.launch_later(0.0, lambda: work("dropped"))
    assert dropped.drop()
    assert not dropped.drop()
    await asyncio.sleep(0.01)
    assert sorted(begun) == ["due", "hurried"]


async def test_what_has_not_begun_at_the_end_never_does() -> None:
    owned, begun = TaskSet(), list[str]()

    async def work() -> None:
        begun.append("work")

    later = owned.launch_later(0.0, work)
    await owned.cancel()
    later.begin()
    await asyncio.sleep(0.01)
    assert begun == []
