"""Background work that somebody owns: tasks are kept until they end, and ended with their owner."""

import asyncio
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any, TypeVar

import structlog

T = TypeVar("T")
_AGAIN_SECONDS = 0.5
log = structlog.get_logger("gateway.tasks")


class Later:
    """Work that begins after a while, or when ``begin`` is called, or never after ``drop``."""

    def __init__(
        self, tasks: "TaskSet", seconds: float, work: Callable[[], Coroutine[Any, Any, Any]]
    ) -> None:
        self._tasks = tasks
        self._work = work
        self._timer = asyncio.get_running_loop().call_later(seconds, self.begin)
        self._is_over = False

    def begin(self) -> None:
        if self.drop():
            self._tasks.launch(self._work())

    def drop(self) -> bool:
        """Whether it had not begun."""
        was_over, self._is_over = self._is_over, True
        self._timer.cancel()
        self._tasks.forget(self)
        return not was_over


class TaskSet:
    """Strong references to running tasks; a bare ``create_task`` may be collected while it runs."""

    def __init__(self) -> None:
        self._tasks: set[asyncio.Task[Any]] = set()
        self._later: set[Later] = set()

    def start(self, work: Coroutine[Any, Any, T], *, name: str | None = None) -> asyncio.Task[T]:
        task = asyncio.get_running_loop().create_task(work, name=name)
        self._tasks.add(task)
        task.add_done_callback(self._ended)
        return task

    def launch(self, work: Coroutine[Any, Any, Any], *, name: str | None = None) -> None:
        """As ``start``, for work whose outcome nobody waits for."""
        _ = self.start(work, name=name)

    def launch_later(self, seconds: float, work: Callable[[], Coroutine[Any, Any, Any]]) -> Later:
        """As ``launch``, in a while: until then it costs no task."""
        later = Later(self, seconds, work)
        self._later.add(later)
        return later

    def forget(self, later: Later) -> None:
        self._later.discard(later)

    def _ended(self, task: asyncio.Task[Any]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            # Reading the exception here also keeps asyncio from reporting it a second time.
            log.debug("task_failed", task=task.get_name(), error=type(error).__name__)

    async def finish(self, timeout_seconds: float) -> None:
        """Wait for what is under way, then cancel what is left."""
        if self._tasks:
            await asyncio.wait(list(self._tasks), timeout=timeout_seconds)
        await self.cancel()

    async def cancel(self) -> None:
        """Cancel all tasks and wait for their end; what has not begun never does."""
        for later in list(self._later):
            later.drop()
        while tasks := self._tasks - {asyncio.current_task()}:
            for task in tasks:
                task.cancel()
            # A cancellation can get lost in a library: before Python 3.12 ``asyncio.wait_for``
            # swallows one that comes together with the result (python/cpython#86296).
            await asyncio.wait(tasks, timeout=_AGAIN_SECONDS)


async def every(seconds: float, work: Callable[[], Awaitable[Any]], *, name: str) -> None:
    """Do ``work`` again and again, for as long as the task lives; a failure is logged only."""
    while True:
        try:
            await work()
        except Exception as error:
            # Housekeeping must not end because one round of it failed.
            log.warning("housekeeping_failed", task=name, error=type(error).__name__)
        await asyncio.sleep(seconds)
