"""One connection to OL Connect, and aiohttp's own protocol on it: a request at a time."""

import asyncio
from typing import Protocol, Unpack

from aiohttp import ClientPayloadError, StreamReader
from aiohttp.client_proto import ResponseHandler
from aiohttp.http_parser import RawResponseMessage

from gateway.inbound import ParserLimits
from gateway.upstream.heads import AnswerHead, AnswerHeads, is_simple

_LARGE_BYTES = 1024 * 1024


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
