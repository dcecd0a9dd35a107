"""One connection's express lane: begins a request where it arrives, and ends it there if it can.

What is in the least unusual goes on to aiohttp untouched. The two never answer at the same time, so
answers keep the order of their requests.
"""

import asyncio
from collections.abc import Coroutine
from typing import TYPE_CHECKING, Any, Protocol

from gateway.answers import Answer, Whole
from gateway.express import writing
from gateway.express.boundary import Boundary
from gateway.express.errand import Errand, begin
from gateway.express.heads import Head, Heads
from gateway.express.passing import Recipient
from gateway.express.request import Flow, PlainRequest
from gateway.inbound import Cancelable, Earlier
from gateway.problems import Problem

if TYPE_CHECKING:
    from gateway.server import Connection

# What a caller may send ahead while its last request is being answered.
_HELD_BYTES = 64 * 1024


class Answerer(Protocol):
    """The way to the journey, and past it."""

    def answer(self, request: PlainRequest) -> Coroutine[Any, Any, Answer]: ...

    def introduce(self, head: Head) -> None:
        """A head comes for the first time."""

    def repeat(self, head: Head, client: str | None) -> bytes | None:
        """The answer if it is known by rote."""

    def pass_on(self, head: Head, client: str | None, recipient: Recipient) -> Cancelable | None:
        """Pass a read on to OL Connect, if how is known by rote; ``recipient`` gets the answer."""


class Lane:
    """``receive`` gets all that comes; what it returns is for aiohttp."""

    __slots__ = (
        "_answerer",
        "_asked",
        "_boundary",
        "_connection",
        "_errand",
        "_heads",
        "_held",
        "_is_paused",
    )

    def __init__(self, connection: "Connection", heads: Heads, answerer: Answerer) -> None:
        self._connection = connection
        self._heads = heads
        self._answerer = answerer
        self._boundary = Boundary()
        self._errand: Cancelable | None = None
        self._asked: tuple[Head, bytes] | None = None  # what is passed on by rote
        self._held = b""
        self._is_paused = False

    @property
    def is_busy(self) -> bool:
        return self._errand is not None

    @property
    def is_draining(self) -> bool:
        return self._connection.is_draining

    def receive(self, data: bytes) -> bytes:
        """What arrived; returns what is for aiohttp, which must be given it at once."""
        if self._errand is not None:
            self._hold(data)
            return b""
        boundary = self._boundary
        if boundary.is_reached and self._connection.is_waiting:
            read = self._heads.read(data)
            if read is not None:
                self._take(*read)
                return b""
        boundary.pass_on(data)
        return data

    def abandon(self) -> None:
        """The connection is lost, and with it the request under way."""
        if self._errand is not None:
            self._errand.cancel()

    def _take(self, head: Head, body: bytes) -> None:
        connection = self._connection
        if head.memo.naming is None:
            self._answerer.introduce(head)
        if head.memo.course is not None:
            self._errand = self._answerer.pass_on(head, connection.remote, self)
            if self._errand is None:
                self._begin(PlainRequest(connection, head, body))
            else:
                self._asked = head, body
            return
        known = self._answerer.repeat(head, connection.remote)
        if known is None:
            self._begin(PlainRequest(connection, head, body))
        elif connection.transport is not None:
            connection.transport.write(known)
            connection.stay_open()

    def passed(self, said: bytes | None, problem: Problem | None) -> None:
        connection = self._connection
        if said is None:
            # Not at once: it may be a task that says so, in which no other can begin.
            connection.loop.call_soon(self._ask_again, Earlier(problem))
            return
        self._errand = self._asked = None
        self._write(said, is_last=connection.is_draining)
        self._go_on()

    def _ask_again(self, earlier: Earlier) -> None:
        assert self._asked is not None
        head, body = self._asked
        self._errand = self._asked = head.memo.course = None
        self._begin(PlainRequest(self._connection, head, body, earlier))
        if self._errand is None:
            self._go_on()

    def _begin(self, request: PlainRequest) -> None:
        def waits(errand: Errand[Answer]) -> None:
            self._errand = request.answered_by = errand
            errand.task.add_done_callback(ended)

        def ended(task: asyncio.Task[Answer]) -> None:
            self._ended(request, task)

        connection = self._connection
        try:
            answer = begin(connection.loop, self._answerer.answer(request), waits)
        except (Exception, asyncio.CancelledError):
            connection.force_close()
        else:
            if answer is not None:
                self._finish(request, answer)

    def _ended(self, request: PlainRequest, task: asyncio.Task[Answer]) -> None:
        self._errand = None
        if task.cancelled() or task.exception() is not None:
            # Nothing was answered, or only a part of it: that must not look complete.
            self._connection.force_close()
            return
        self._finish(request, task.result())
        self._go_on()

    def _go_on(self) -> None:
        """With what the caller has sent in the meantime."""
        if self._is_paused:
            self._is_paused = False
            if self._connection.transport is not None:
                self._connection.transport.resume_reading()
        if self._held:
            held, self._held = self._held, b""
            self._connection.data_received(held)

    def _finish(self, request: PlainRequest, answer: Answer) -> None:
        if isinstance(answer, Whole):
            is_last = answer.closes or self._connection.is_draining
            status, lines, body = answer.status, answer.lines, answer.body
            self._write(
                writing.whole(request.method, status, lines, body, is_last=is_last),
                is_last=is_last,
            )
        else:
            assert isinstance(answer, Flow)
            self._write(b"", is_last=answer.is_last)

    def _write(self, data: bytes, *, is_last: bool) -> None:
        connection = self._connection
        if connection.transport is None:
            return
        if data:
            connection.transport.write(data)
        if is_last:
            connection.force_close()
        else:
            connection.stay_open()

    def _hold(self, data: bytes) -> None:
        self._held += data
        if len(self._held) > _HELD_BYTES and self._connection.transport is not None:
            self._is_paused = True
            self._connection.transport.pause_reading()
