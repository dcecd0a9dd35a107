"""Small requests to OL Connect without aiohttp's session: one write, and aiohttp's own protocol for
the answer.

What an answer may look like, and how its failures are called, is so the same as with the session.
"""

import asyncio
from collections import deque
from collections.abc import AsyncIterator
from dataclasses import dataclass
from ssl import SSLContext
from time import monotonic
from typing import Protocol, Unpack
from urllib.parse import urlsplit

from aiohttp import ClientPayloadError, StreamReader
from aiohttp.client_proto import ResponseHandler
from aiohttp.http_parser import RawResponseMessage
from multidict import CIMultiDictProxy

from gateway.inbound import ParserLimits
from gateway.problems import UpstreamTimeout, UpstreamUnreachable
from gateway.settings import Upstream as UpstreamSettings
from gateway.tasks import TaskSet
from gateway.upstream.call import Call
from gateway.upstream.heads import AnswerHead, AnswerHeads, is_simple

_DEFAULT_PORTS = {"http": 80, "https": 443}
# A crowd leaves many connections behind; these few are kept for the next request, the rest go soon.
_KEPT_LINES = 8
_SURPLUS_SECONDS = 1.0
_LARGE_BYTES = 1024 * 1024
# What aiohttp's session sends no length with, if there is no body.
_WITHOUT_BODY = frozenset({"GET", "HEAD", "OPTIONS", "TRACE"})


class Receiver(Protocol):
    """Who is told what comes of a request, once."""

    def received(self, status: int, head: AnswerHead | None, body: bytes) -> None:
        """``head`` is that of a small, complete 200; None stands for whatever else came."""

    def failed(self, error: BaseException) -> None: ...


class Line(ResponseHandler):
    """One connection. Its read timeout is looked at when it may be over, not wound at each read."""

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        read_timeout: float,
        heads: AnswerHeads,
        **limits: Unpack[ParserLimits],
    ) -> None:
        super().__init__(loop)
        self.idle_since = 0.0
        self.is_idle = False
        self.receiver: Receiver | None = None
        self._heads = heads
        self._has_begun = False  # the answer that ``receiver`` is to be told
        self._limits = limits
        self._deadline: float | None = None
        self._seconds = read_timeout
        self._with_body: bool | None = None
        self._left = 0  # bytes to come of a body that the parser does not see
        self._large: StreamReader | None = None

    def expect(self, *, with_body: bool) -> None:
        """Get ready for one answer."""
        if self._with_body is not with_body:
            self._with_body = with_body
            self.set_response_params(
                skip_payload=not with_body,
                read_until_eof=True,
                auto_decompress=False,
                read_timeout=self._seconds,
                **self._limits,
            )
        self._reschedule_timeout()

    def send(self, data: bytes, receiver: "Receiver") -> None:
        """Ask, and tell ``receiver`` once what comes, rather than whoever reads."""
        assert self.transport is not None
        self.expect(with_body=True)
        self.receiver = receiver
        self._has_begun = False
        self.transport.write(data)

    def bypass_parser(self, message: RawResponseMessage, content: StreamReader) -> None:
        """Take the rest of a large body as it comes: the parser would copy each piece of it.

        The parser never learns of its end, so this is the connection's last answer.
        """
        length = message.headers.get("Content-Length")
        if length is None or not length.isdigit() or message.chunked or content.is_eof():
            return
        left = int(length) - content.total_bytes
        if left >= _LARGE_BYTES:
            self._left, self._large = left, content
            self.force_close()

    def _take(self, data: bytes, content: StreamReader) -> None:
        self._reschedule_timeout()
        if len(data) > self._left:
            data = data[: self._left]
        self._left -= len(data)
        content.feed_data(data)
        if not self._left:
            # Neither what else comes nor how the connection ends concerns the body any more.
            self._large = self._payload = self._parser = None
            content.feed_eof()

    def resume_reading(self, resume_parser: bool = True) -> None:
        # aiohttp runs its parser on nothing for each body that was read, paused or not.
        if self._reading_paused:
            super().resume_reading(resume_parser)

    def data_received(self, data: bytes) -> None:
        if self.is_idle:
            # Whatever it says to nobody, the next request must not take for its answer.
            self.close()
        elif self._large is not None:
            self._take(data, self._large)
        elif self.receiver is None:
            super().data_received(data)
        elif self._has_begun:
            super().data_received(data)
            self._hand_over(self.receiver, b"")
        elif (known := self._heads.read(data)) is not None:
            receiver, self.receiver = self.receiver, None
            self._drop_timeout()
            receiver.received(200, *known)
        else:
            self._has_begun = True
            super().data_received(data)
            if self.receiver is not None:
                self._hand_over(self.receiver, data)

    def _hand_over(self, receiver: Receiver, data: bytes) -> None:
        """Tell the answer if it has come, in ``data`` if that is all of it."""
        while self._buffer:
            (message, content), _ = self._buffer[0]
            is_told = not message.upgrade and is_simple(message.code, message.headers)
            if is_told and not content.is_eof():
                return
            self._buffer.popleft()
            if 100 <= message.code < 200 and message.code != 101:
                continue
            self.receiver = None
            if not is_told:
                return receiver.received(message.code, None, b"")
            head, body = AnswerHead(message), content.read_nowait()
            if not message.should_close:
                self._heads.learn(data, head)
            return receiver.received(200, head, body)

    def set_exception(self, exc: BaseException, *cause: BaseException) -> None:
        super().set_exception(exc, *cause)
        if self.receiver is not None:
            receiver, self.receiver = self.receiver, None
            is_cut = bool(self._buffer) and not isinstance(exc, TimeoutError)
            receiver.failed(ClientPayloadError() if is_cut else exc)

    def connection_lost(self, exc: BaseException | None) -> None:
        super().connection_lost(exc)
        if self._closed is not None:
            self._closed.exception()  # whoever had to know was told; nobody else asks

    def _reschedule_timeout(self) -> None:
        self._deadline = self._loop.time() + self._seconds
        if self._read_timeout_handle is None:
            self._read_timeout_handle = self._loop.call_at(self._deadline, self._look)

    def _drop_timeout(self) -> None:
        self._deadline = None
        if self.transport is None and self._read_timeout_handle is not None:
            self._read_timeout_handle.cancel()
            self._read_timeout_handle = None

    def _look(self) -> None:
        self._read_timeout_handle = None
        if self._deadline is None:
            return
        if self._loop.time() < self._deadline:
            self._read_timeout_handle = self._loop.call_at(self._deadline, self._look)
        else:
            self._on_read_timeout()


class LineReply:
    """A ``Reply``. ``release`` or ``close`` it, whatever becomes of it."""

    __slots__ = ("_lines", "_message", "connection", "content")

    def __init__(
        self, lines: "Lines", line: Line, message: RawResponseMessage, content: StreamReader
    ) -> None:
        self._lines = lines
        self._message = message
        self.content = content
        self.connection: _Held | None = _Held(line)

    @property
    def status(self) -> int:
        return self._message.code

    @property
    def headers(self) -> CIMultiDictProxy[str]:
        return self._message.headers

    @property
    def raw_headers(self) -> tuple[tuple[bytes, bytes], ...]:
        return self._message.raw_headers

    @property
    def content_length(self) -> int | None:
        length = self._message.headers.get("Content-Length")
        return None if length is None else int(length)

    def release(self) -> None:
        if self.connection is not None:
            self._lines.take_back(self.connection.protocol)
            self.connection = None

    def close(self) -> None:
        if self.connection is not None:
            self.connection.protocol.close()
            self.connection = None


@dataclass(slots=True)
class _Held:
    protocol: Line


class Lines:
    """Connections that are open and idle, the last one used first.

    ``close`` ends the idle ones. How many there may be at a time is the gate's to say.
    """

    def __init__(
        self,
        settings: UpstreamSettings,
        ssl: SSLContext | bool | None,
        *,
        keepalive_seconds: float,
        **limits: Unpack[ParserLimits],
    ) -> None:
        parts = urlsplit(settings.url)
        assert parts.hostname is not None
        self._host = parts.hostname
        self._port = parts.port or _DEFAULT_PORTS[parts.scheme]
        self._ssl = ssl if parts.scheme == "https" else None
        self.authority = parts.netloc
        self._connect_timeout = settings.connect_timeout
        self._read_timeout = settings.read_timeout
        self._keepalive_seconds = keepalive_seconds
        self._heads = AnswerHeads()
        self._limits = limits
        self._tasks = TaskSet()
        self._idle: deque[Line] = deque()  # the one that has been idle longest first
        self._pruning: asyncio.TimerHandle | None = None

    async def send(self, call: Call) -> LineReply:
        """Raises UpstreamTimeout, UpstreamUnreachable, what aiohttp's session would, or, for what
        that calls a ClientResponseError, HttpProcessingError."""
        line = self.idle()
        if line is None:  # an idle one is empty, and so counts as false
            line = await self._connected()
        transport = line.transport
        if transport is None:  # it has ended in the turn of the loop since it was opened
            raise UpstreamUnreachable("OL Connect closed the connection.")
        line.expect(with_body=call.method != "HEAD")
        call.sent = True
        try:
            transport.write(written(call, self.authority))
            message, content = await line.read()
            while 100 <= message.code < 200 and message.code != 101:
                message, content = await line.read()
            line.bypass_parser(message, content)
        except BaseException:
            line.close()
            raise
        return LineReply(self, line, message, content)

    def take_back(self, line: Line) -> None:
        if line.should_close:
            line.close()
            return
        line.idle_since = monotonic()
        line.is_idle = True
        self._idle.append(line)
        if self._pruning is None:
            self._prune_later()

    def _prune_later(self) -> None:
        seconds = min(self._keepalive_seconds, _SURPLUS_SECONDS)
        self._pruning = asyncio.get_running_loop().call_later(seconds, self._prune)

    def _prune(self) -> None:
        """Close what nobody has needed for a while, also when nobody asks for anything."""
        self._pruning = None
        self._close_old()
        if self._idle:
            self._prune_later()

    def _close_old(self) -> None:
        now = monotonic()
        while self._idle:
            is_surplus = len(self._idle) > _KEPT_LINES
            seconds = _SURPLUS_SECONDS if is_surplus else self._keepalive_seconds
            if now - self._idle[0].idle_since < min(seconds, self._keepalive_seconds):
                return
            self._idle.popleft().close()

    async def close(self) -> None:
        await self._tasks.cancel()
        if self._pruning is not None:
            self._pruning.cancel()
        for line in self._idle:
            line.close()

    def idle(self) -> Line | None:
        """A connection that is open and was not used for a while, to be given back."""
        while self._idle:
            line = self._idle.pop()
            line.is_idle = False
            age = monotonic() - line.idle_since
            if age < self._keepalive_seconds and line.is_connected():
                return line
            line.close()
        return None

    async def _connected(self) -> Line:
        # A task of its own: a line that was opened for somebody who has left serves the next.
        task = self._tasks.start(self._connect(), name="connect")
        try:
            await asyncio.wait([task])
        except asyncio.CancelledError:
            task.add_done_callback(self._keep)
            raise
        return task.result()

    def _keep(self, task: asyncio.Task[Line]) -> None:
        if not task.cancelled() and task.exception() is None:
            self.take_back(task.result())

    async def _connect(self) -> Line:
        loop = asyncio.get_running_loop()
        try:
            async with asyncio.timeout(self._connect_timeout):
                _, line = await loop.create_connection(
                    lambda: Line(loop, self._read_timeout, self._heads, **self._limits),
                    self._host,
                    self._port,
                    ssl=self._ssl,
                )
        except TimeoutError as error:
            raise UpstreamTimeout from error
        except (OSError, ValueError) as error:
            raise UpstreamUnreachable("No connection to OL Connect.") from error
        return line


def written(call: Call, authority: str) -> bytes:
    """The request as aiohttp's session writes it. Raises ValueError for a line break."""
    lines = [f"{call.method} {call.target} HTTP/1.1", f"Host: {authority}"]
    lines += [f"{name}: {value}" for name, value in call.headers]
    body = call.body
    assert not isinstance(body, AsyncIterator)
    if body or call.method not in _WITHOUT_BODY:
        lines.append(f"Content-Length: {len(body or b'')}")
    text = "\r\n".join(lines)
    if text.count("\n") != len(lines) - 1 or text.count("\r") != len(lines) - 1:
        raise ValueError("a header line holds a line break")
    return f"{text}\r\n\r\n".encode() + (body or b"")
