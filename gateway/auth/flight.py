"""Single flight: however many ask at once, the work is done once and all get its outcome."""

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any, Generic, TypeVar

from gateway.tasks import TaskSet

T = TypeVar("T")


class SingleFlight(Generic[T]):
    """The work runs as a task of its own, so that a caller who leaves takes nobody along."""

    def __init__(self, tasks: TaskSet, name: str) -> None:
        self._tasks = tasks
        self._name = name
        self._task: asyncio.Task[T] | None = None

    @property
    def under_way(self) -> bool:
        return self._task is not None and not self._task.done()

    async def join(self, work: Callable[[], Coroutine[Any, Any, T]]) -> T:
        """What the work under way comes to; ``work`` is started only if there is none."""
        task = self._task
        if task is None or task.done():
            task = self._task = self._tasks.start(work(), name=self._name)
        return await asyncio.shield(task)
