"""Work that many wait for and that is done once, by key."""

import asyncio
from collections.abc import Callable, Coroutine, Hashable
from typing import Any, Generic, TypeVar

from gateway.tasks import TaskSet

T = TypeVar("T")
_Work = Callable[[], Coroutine[Any, Any, T]]


class Flights(Generic[T]):
    """Each runs as a task of its own, so that whoever leaves takes nobody along."""

    def __init__(self, tasks: TaskSet, name: str) -> None:
        self._tasks = tasks
        self._name = name
        self._under_way: dict[Hashable, asyncio.Task[T]] = {}
        self._boarding: dict[Hashable, asyncio.Task[T]] = {}
        self._departed: dict[Hashable, asyncio.Task[T]] = {}

    def join(self, key: Hashable, work: _Work[T]) -> tuple[asyncio.Task[T], bool]:
        """The work under way for this key, and whether it was started now."""
        task = self._under_way.get(key)
        if task is not None:
            return task, False
        return self._start(self._under_way, key, work()), True

    def board(self, key: Hashable, work: _Work[T]) -> tuple[asyncio.Task[T], bool]:
        """Like ``join``, but only what has not begun yet: it begins when the one before has ended.

        For those who must not be given what was read before they came.
        """
        task = self._boarding.get(key)
        if task is not None:
            return task, False
        return self._start(self._boarding, key, self._depart(key, work)), True

    async def _depart(self, key: Hashable, work: _Work[T]) -> T:
        before = self._departed.get(key)
        if before is not None:
            await asyncio.wait([before])
        task = self._boarding.pop(key)
        self._departed[key] = task
        task.add_done_callback(lambda done: _remove(self._departed, key, done))
        return await work()

    def _start(
        self, tasks: dict[Hashable, asyncio.Task[T]], key: Hashable, work: Coroutine[Any, Any, T]
    ) -> asyncio.Task[T]:
        task = tasks[key] = self._tasks.start(work, name=self._name)
        task.add_done_callback(lambda done: _remove(tasks, key, done))
        return task


async def outcome(task: asyncio.Task[T]) -> T:
    """What the task comes to; it goes on if the waiting is cancelled."""
    return await asyncio.shield(task)


def _remove(tasks: dict[Hashable, asyncio.Task[T]], key: Hashable, task: asyncio.Task[T]) -> None:
    if tasks.get(key) is task:
        del tasks[key]
