"""aiohttp's low-level server, set up as a proxy's front must be: its requests and connections."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from itertools import islice
from typing import Any, Unpack, cast

from aiohttp import StreamReader, web, web_protocol
from aiohttp.http import RawRequestMessage
from aiohttp.http_exceptions import LineTooLong
from aiohttp.streams import EMPTY_PAYLOAD
from multidict import CIMultiDict

from gateway.connections import Connections
from gateway.express.lane import Lane
from gateway.inbound import Begun, Cancelable, Memo, ParserLimits
from gateway.problems import HeadersTooLarge, MalformedRequest, Problem
from gateway.rendering import Stream

Malformed = Callable[[Problem], web.Response]

_KEEPALIVE_SECONDS = 75.0
_LINGERING_SECONDS = 5.0
# A load balancer's kept connections get this long to be used once more and told to close: closing
# an idle one at once races with the request that is on its way to it (RFC 9112 section 9.6).
_IDLE_SECONDS = 1.0
_LOOK_SECONDS = 0.02
_CONTINUE = b"HTTP/1.1 100 Continue\r\n\r\n"


class Request(web.BaseRequest):
    """An ``Inbound`` of aiohttp's."""

    complete: bytes | None = None
    earlier: None = None
    memo: Memo | None = None
    answered_by: Cancelable | None = None

    async def invite(self) -> None:
        await self.writer.write(_CONTINUE)
        # The line is no part of the answer, whose head is yet to come.
        self.writer.output_size = 0

    async def begin(self, status: int, lines: Sequence[tuple[str, str]]) -> Begun:
        answer = Stream(status=status, headers=CIMultiDict(lines))
        await answer.prepare(self)
        return answer

    @property
    def keep_alive(self) -> bool:
        # The answer says so, too: aiohttp makes the Connection line of this.
        server = self.protocol.server if isinstance(self.protocol, Connection) else None
        return not self._message.should_close and not (server and server.is_draining)


Handler = Callable[[Request], Awaitable[web.StreamResponse]]
Express = Callable[["Connection"], Lane]


class Connection(web_protocol.RequestHandler):
    """aiohttp's connection, but for its express lane and for the answer to what is no request.

    aiohttp answers malformed heads with a text page that quotes them, and logs their raw bytes
    with a traceback: a bearer token in an overlong header would stand in both.
    """

    malformed: Malformed
    server: "Server"
    client: str | None = None  # under which the connection is counted
    remote: str | None = None
    head_deadline: asyncio.TimerHandle | None = None
    lane: "Lane | None" = None
    unanswered: int = 0  # of the requests that aiohttp has read
    body: StreamReader = EMPTY_PAYLOAD  # of the newest of them

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        super().connection_made(transport)
        connections, peer = self.server.connections_by_client, transport.get_extra_info("peername")
        self.remote = peer[0] if isinstance(peer, tuple) else None
        if self.server.express is not None:
            self.lane = self.server.express(self)
        client = connections.client_of(peer[0]) if connections and peer else None
        if connections is None or client is None:
            return
        if connections.enter(client):
            self.client = client
        elif self.transport is not None:
            self.transport.abort()

    def connection_lost(self, exc: BaseException | None) -> None:
        super().connection_lost(exc)
        self._end_deadline()
        if self.lane is not None:
            self.lane.abandon()
        if self.client is not None and self.server.connections_by_client is not None:
            self.server.connections_by_client.leave(self.client)
            self.client = None

    def data_received(self, data: bytes) -> None:
        if data and self.lane is not None and not (data := self.lane.receive(data)):
            return
        before = len(self._messages)
        super().data_received(data)
        self.unanswered += len(self._messages) - before
        for message, payload in islice(self._messages, before, None):
            self._follow(message, payload)
        if not self.is_idle:
            self._end_deadline()
        elif self.head_deadline is None:
            self.head_deadline = self._loop.call_later(self.server.head_seconds, self.force_close)

    def _follow(self, message: Any, payload: StreamReader) -> None:
        # aiohttp queues the error of a body behind the request that waits for that body.
        if isinstance(message, RawRequestMessage):
            self.body = payload
        elif not self.body.is_eof():
            self.body.set_exception(message.exc)

    def _end_deadline(self) -> None:
        if self.head_deadline is not None:
            self.head_deadline.cancel()
            self.head_deadline = None

    @property
    def is_idle(self) -> bool:
        """Whether nothing that was asked for is unanswered."""
        return not self.unanswered and not (self.lane is not None and self.lane.is_busy)

    async def _handle_request(self, *args: Any) -> tuple[web.StreamResponse, bool]:
        try:
            return await super()._handle_request(*args)
        finally:
            self.unanswered -= 1

    # For the express lane

    @property
    def loop(self) -> asyncio.AbstractEventLoop:
        return self._loop

    @property
    def is_draining(self) -> bool:
        return self.server.is_draining

    @property
    def is_waiting(self) -> bool:
        """Whether aiohttp has nothing to do here and would go on to a next request.

        Not for a caller who does not take the answers it has got: aiohttp makes it wait.
        """
        if self.unanswered or self._close or self._force_close or self._paused:
            return False
        return not self.server.is_draining

    async def write(self, data: bytes) -> None:
        """Returns when the caller keeps up. Raises ConnectionError when there is none."""
        if self.transport is None or self.transport.is_closing():
            raise ConnectionResetError("the caller has left")
        self.transport.write(data)
        if self._paused:
            await self._drain_helper()

    def stay_open(self) -> None:
        """Count the idle time from now on."""
        self._next_keepalive_close_time = self._loop.time() + _KEEPALIVE_SECONDS

    def _process_keepalive(self) -> None:
        if self.lane is not None and self.lane.is_busy:
            self.stay_open()
        super()._process_keepalive()

    # For aiohttp

    def handle_error(
        self,
        request: web.BaseRequest,
        status: int = 500,
        exc: BaseException | None = None,
        message: str | None = None,
    ) -> web.StreamResponse:
        if request.writer.output_size > 0:
            raise ConnectionError("an answer is under way already")
        problem: Problem = MalformedRequest("The request cannot be read as HTTP/1.1.")
        if isinstance(exc, LineTooLong) or (message and "Too many headers" in message):
            problem = HeadersTooLarge("A header line, or the whole header, is too long.")
        answer = self.malformed(problem)
        answer.force_close()
        return answer

    def log_exception(self, *args: Any, **kwargs: Any) -> None:
        self.logger.debug("A connection ended with an error.")


class Server(web.Server):
    """What the connections of one listener have in common."""

    def __init__(
        self,
        handler: Handler,
        malformed: Malformed,
        connections: Connections | None,
        head_seconds: float,
        express: "Express | None",
        **limits: Unpack[ParserLimits],
    ) -> None:
        super().__init__(
            cast(Any, handler),
            request_factory=self._request,
            handler_cancellation=True,
            keepalive_timeout=_KEEPALIVE_SECONDS,
            lingering_time=_LINGERING_SECONDS,
            auto_decompress=False,
            access_log=None,
            **limits,
        )
        self._malformed = malformed
        self.connections_by_client = connections
        self.head_seconds = head_seconds
        self.express = express
        self.is_draining = False

    def __call__(self) -> web_protocol.RequestHandler:
        connection = Connection(self, loop=self._loop, **self._kwargs)
        connection.malformed = self._malformed
        connection.server = self
        return connection

    def _request(
        self,
        message: Any,
        payload: Any,
        protocol: web_protocol.RequestHandler,
        writer: Any,
        task: "asyncio.Task[None]",
    ) -> web.BaseRequest:
        return Request(message, payload, protocol, writer, task, self._loop)

    async def empty(self, seconds: float, hurry: asyncio.Event | None = None) -> bool:
        """Wait until no connection is left; those that stay idle are closed after a while.

        False if some are left after ``seconds``, or when ``hurry`` was set.
        """
        began = self._loop.time()
        while self.connections:
            passed = self._loop.time() - began
            if passed >= seconds or (hurry and hurry.is_set()):
                return False
            if passed >= _IDLE_SECONDS:
                self._close_idle()
            await asyncio.sleep(_LOOK_SECONDS)
        return True

    def _close_idle(self) -> None:
        for connection in self.connections:
            if isinstance(connection, Connection) and connection.is_idle:
                connection.force_close()

    def abort(self) -> None:
        """Break off what is left, so that nobody takes half an answer for a whole one."""
        for connection in self.connections:
            if connection.transport is not None:
                connection.transport.abort()
