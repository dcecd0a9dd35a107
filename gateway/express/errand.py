"""A coroutine that is begun at once, and becomes a task only if it has to wait.

What eager tasks are from Python 3.12 on, without a task where none is needed. The hooks are those
that asyncio documents for task implementations ("Extending", task lifetime support).
"""

import asyncio
from asyncio.tasks import _enter_task, _leave_task
from collections.abc import Callable, Coroutine, Generator
from types import coroutine
from typing import Any, Generic, TypeVar, cast

T = TypeVar("T")


class Errand(Generic[T]):
    """Stands in for the current task before there is one, and for the task afterwards.

    Timeouts keep the task that they began in: ``asyncio.timeout`` asks for ``cancel``,
    ``cancelling`` and ``uncancel``.
    """

    __slots__ = ("_is_resumed", "_loop", "task")

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._is_resumed = False
        self.task: asyncio.Task[T]

    def cancel(self, msg: Any = None) -> bool:
        if self._is_resumed:
            return self.task.cancel(msg)
        # A task that is cancelled before its first step never takes it: the work would be left as
        # it stands, with all that it holds. The step is due already, so this comes after it.
        self._loop.call_soon(self._cancel, msg)
        return True

    def _cancel(self, msg: Any) -> None:
        if self._is_resumed:
            self.task.cancel(msg)

    def cancelling(self) -> int:
        return self.task.cancelling() if self._is_resumed else 0

    def uncancel(self) -> int:
        return self.task.uncancel() if self._is_resumed else 0

    def go_on(self, work: Coroutine[Any, Any, T], waits_for: Any) -> None:
        self.task = self._loop.create_task(self._rest(work, waits_for))

    async def _rest(self, work: Coroutine[Any, Any, T], waits_for: Any) -> T:
        self._is_resumed = True
        result: T = await _continued(work, waits_for)
        return result


def begin(
    loop: asyncio.AbstractEventLoop,
    work: Coroutine[Any, Any, T],
    waits: Callable[[Errand[T]], None],
) -> T | None:
    """What ``work`` comes to; None if it has to wait, when ``waits`` is given the errand.

    Raises what ``work`` raises before it waits. ``loop`` is the running one.
    """
    errand: Errand[T] = Errand(loop)
    current = cast("asyncio.Task[Any]", errand)
    _enter_task(loop, current)
    try:
        waits_for = work.send(None)
    except StopIteration as done:
        result: T = done.value
        return result
    finally:
        _leave_task(loop, current)
    errand.go_on(work, waits_for)
    waits(errand)
    return None


@coroutine
def _continued(work: Coroutine[Any, Any, T], waits_for: Any) -> Generator[Any, Any, T]:
    """``work`` from its first wait on, as a task can run it."""
    try:
        while True:
            try:
                value = yield waits_for
            except BaseException as error:
                waits_for = work.throw(error)
            else:
                waits_for = work.send(value)
    except StopIteration as done:
        result: T = done.value
        return result
