"""Small requests to OL Connect without aiohttp's session: its connections, kept for the next.

What an answer may look like, and how its failures are called, is so the same as with the session.
"""

import asyncio
from collections import deque
from dataclasses import dataclass
from ssl import SSLContext
from time import monotonic
from typing import Unpack
from urllib.parse import urlsplit

from aiohttp import StreamReader
from aiohttp.http_parser import RawResponseMessage
from multidict import CIMultiDictProxy

from gateway.inbound import ParserLimits
from gateway.problems import UpstreamTimeout, UpstreamUnreachable
from gateway.settings import Upstream as UpstreamSettings
from gateway.tasks import TaskSet
from gateway.upstream.call import Call, written
from gateway.upstream.heads import AnswerHeads
from gateway.upstream.line import Line

_DEFAULT_PORTS = {"http": 80, "https": 443}
# A crowd leaves many connections behind; these few are kept for the next request, the rest go soon.
_KEPT_LINES = 8
_SURPLUS_SECONDS = 1.0


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
