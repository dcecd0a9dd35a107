"""One connection pool to OL Connect, and the translation of its failures into problems."""

import asyncio
from collections.abc import AsyncIterator, Iterable, Iterator
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager
from time import monotonic, perf_counter
from typing import Any, Protocol

import aiohttp
from aiohttp.http_exceptions import HttpProcessingError
from yarl import URL

from gateway.inbound import ParserLimits
from gateway.problems import (
    Problem,
    UpstreamInvalidResponse,
    UpstreamTimeout,
    UpstreamUnreachable,
)
from gateway.settings import Upstream as UpstreamSettings
from gateway.upstream.breaker import Breaker
from gateway.upstream.call import Call
from gateway.upstream.lines import Lines
from gateway.upstream.reply import Reply
from gateway.upstream.tls import ssl_context

# Java servers close idle connections after 20 to 60 s without a word; ours are gone before.
_KEEPALIVE_SECONDS = 15.0
# Of an answer's header: bytes, bytes, lines.
_LIMITS = ParserLimits(max_line_size=64 * 1024, max_field_size=64 * 1024, max_headers=512)


class Spans(Protocol):
    """Follows calls for tracing; the outcome is a status or what came instead of an answer."""

    def begin_call(self, call: Call, origin: str) -> Any: ...

    def end_call(self, span: Any, outcome: int | BaseException) -> None: ...


class Upstream:
    """OL Connect's origin. Owns the session; ``close`` it in the loop that opened it."""

    def __init__(
        self,
        settings: UpstreamSettings,
        breaker: Breaker | None = None,
        spans: Spans | None = None,
        *,
        express: bool = True,
    ) -> None:
        self.breaker = breaker or Breaker(monotonic)
        self._spans = spans
        self._origin = settings.url.rstrip("/")
        self._read_timeout = settings.read_timeout
        tls = ssl_context(settings)
        self._lines = None
        if express:
            self._lines = Lines(settings, tls, keepalive_seconds=_KEEPALIVE_SECONDS, **_LIMITS)
        trace = aiohttp.TraceConfig()
        trace.on_request_headers_sent.append(_note_sent)
        self._session = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(
                limit=0,  # ``gateway.upstream.gate`` shares the connections out, team by team
                keepalive_timeout=_KEEPALIVE_SECONDS,
                ttl_dns_cache=10,
                ssl=tls,
            ),
            timeout=aiohttp.ClientTimeout(
                total=None,
                sock_connect=settings.connect_timeout,
                sock_read=settings.read_timeout,
            ),
            cookie_jar=aiohttp.DummyCookieJar(),
            auto_decompress=False,
            trust_env=False,
            raise_for_status=False,
            skip_auto_headers=("Accept", "Accept-Encoding", "User-Agent", "Content-Type"),
            **_LIMITS,
            trace_configs=[trace],
        )
        # aiohttp repeats GET, PUT and DELETE by itself when a connection breaks. Some of OL
        # Connect's GETs have effects, so what may be repeated is decided by the catalogue.
        self._session._retry_connection = False

    @property
    def lines(self) -> Lines | None:
        """The connections for what is small, where they are used."""
        return self._lines

    async def close(self) -> None:
        await self._session.close()
        if self._lines is not None:
            await self._lines.close()

    @asynccontextmanager
    async def send(self, call: Call) -> AsyncIterator[Reply]:
        """Send once; yields the answer when its head is complete.

        Raises UpstreamOverloaded (nothing was sent), UpstreamUnreachable, UpstreamTimeout or
        UpstreamInvalidResponse. Redirects are answers like any other.
        """
        response = await self.open(call)
        try:
            yield response
        finally:
            self.end(response)

    async def open(self, call: Call) -> Reply:
        """As ``send``, for those who ``end`` the answer themselves."""
        response = await self._judged(call)
        if (fault := _fault_of(response)) is not None:
            response.close()
            raise UpstreamInvalidResponse(fault)
        return response

    def end(self, response: Reply) -> None:
        # An answer that was not read to its end must not go back to the pool.
        if response.content.is_eof():
            response.release()
        else:
            response.close()

    async def _judged(self, call: Call) -> Reply:
        """The answer, of which the breaker was told; a body that broke off is not its fault."""
        permit = self.breaker.admit()
        try:
            response = await self._answer(call)
        except Problem:
            report = self.breaker.failed if call.failure is None else self.breaker.withdrew
            report(permit)
            raise
        except BaseException:
            self.breaker.withdrew(permit)
            raise
        self.breaker.answered(permit, response.status)
        return response

    async def _answer(self, call: Call) -> Reply:
        if self._spans is None:
            return await self._sent(call)
        span = self._spans.begin_call(call, self._origin)
        try:
            response = await self._sent(call)
        except BaseException as error:
            self._spans.end_call(span, error)
            raise
        self._spans.end_call(span, response.status)
        return response

    async def _sent(self, call: Call) -> Reply:
        began = perf_counter()
        try:
            if self._lines is not None and not isinstance(call.body, AsyncIterator):
                return await self._lines.send(call)
            return await self._session.request(
                call.method,
                URL(self._origin + call.target, encoded=True),
                headers=call.headers,
                data=call.body,
                allow_redirects=False,
                trace_request_ctx=call,
            )
        except _RAISED as error:
            raise call.failure or problem_of(error) from error
        finally:
            call.seconds += perf_counter() - began

    async def chunks(self, response: Reply) -> AsyncIterator[bytes]:
        """The body as it comes. Raises the same problems as ``send``."""
        with _ending_with_its_connection(response):
            try:
                if "Transfer-Encoding" in response.headers:
                    async for chunk in response.content.iter_any():
                        yield chunk
                    return
                # Piece by piece: to put together what has piled up copies it once more.
                async for chunk, _ in response.content.iter_chunks():
                    yield chunk
            except (TimeoutError, aiohttp.ClientError, OSError) as error:
                raise problem_of(error) from error

    async def read(self, response: Reply, limit: int) -> bytes:
        """The whole body. Raises UpstreamInvalidResponse when it is longer than ``limit`` bytes."""
        content = response.content
        if content.is_eof() and content.exception() is None and content.total_bytes <= limit:
            return content.read_nowait()
        body = bytearray()
        async for chunk in self.chunks(response):
            body += chunk
            if len(body) > limit:
                raise UpstreamInvalidResponse("OL Connect's answer is larger than can be checked.")
        return bytes(body)


def _fault_of(response: Reply) -> str | None:
    """Why it must not pass, although aiohttp takes it for an answer."""
    if response.status == 101:
        return "OL Connect changed the protocol unasked."
    if not 200 <= response.status <= 599:
        return "OL Connect's answer has no status that there is."
    # No other was asked for (RFC 9110 section 10.1.4), and aiohttp undoes none.
    if response.headers.get("Transfer-Encoding", "chunked").lower() != "chunked":
        return "OL Connect's answer is coded in a way nobody asked for."
    return None


@contextmanager
def _ending_with_its_connection(response: Reply) -> Iterator[None]:
    """Break a body off when its connection ends before it.

    When a chunk cannot be read, aiohttp 3.14.5 closes the connection, stops its own read timeout
    and tells the reader of the body nothing: it would wait for ever.
    """
    content, connection = response.content, response.connection
    protocol = None if connection is None else connection.protocol
    closed = None if protocol is None else protocol.closed

    def end(_: object = None) -> None:
        if not content.is_eof() and content.exception() is None:
            content.set_exception(
                aiohttp.ClientPayloadError("the connection ended before the body")
            )

    if closed is None:
        end()
        yield
        return
    closed.add_done_callback(end)
    try:
        yield
    finally:
        closed.remove_done_callback(end)
        # Once for each connection: a future that is told of a reset and never heard is reported.
        closed.remove_done_callback(_hear)
        closed.add_done_callback(_hear)


def _hear(closed: "asyncio.Future[None]") -> None:
    if not closed.cancelled():
        closed.exception()


@asynccontextmanager
async def sent_twice_at_most(upstream: Upstream, call: Call) -> AsyncIterator[Reply]:
    """As ``Upstream.send``, for a call that does no harm when it arrives twice.

    A connection that OL Connect has closed in the meantime is found out only by using it.
    """
    async with AsyncExitStack() as stack:
        try:
            response = await stack.enter_async_context(upstream.send(call))
        except UpstreamUnreachable:
            if not call.sent:
                raise
            response = await stack.enter_async_context(upstream.send(call))
        yield response


async def _note_sent(
    _session: aiohttp.ClientSession, context: Any, _params: aiohttp.TraceRequestHeadersSentParams
) -> None:
    context.trace_request_ctx.sent = True


_RAISED = (TimeoutError, aiohttp.ClientError, HttpProcessingError, OSError, ValueError)

# The order matters: every one of these is a subclass of a later one.
_FAILURES: Iterable[tuple[type[BaseException], type[Problem], str]] = (
    (aiohttp.ServerTimeoutError, UpstreamTimeout, ""),
    (aiohttp.ClientConnectorError, UpstreamUnreachable, "No connection to OL Connect."),
    (aiohttp.ClientPayloadError, UpstreamInvalidResponse, "OL Connect's answer broke off."),
    (aiohttp.ClientResponseError, UpstreamInvalidResponse, "OL Connect's answer is not HTTP."),
    (HttpProcessingError, UpstreamInvalidResponse, "OL Connect's answer is not HTTP."),
    (aiohttp.ServerDisconnectedError, UpstreamUnreachable, "OL Connect closed the connection."),
    (aiohttp.ClientConnectionError, UpstreamUnreachable, "The connection to OL Connect broke."),
    (TimeoutError, UpstreamTimeout, ""),
    (OSError, UpstreamUnreachable, "The connection to OL Connect broke."),
)


def problem_of(error: BaseException) -> Problem:
    """What a failure of aiohttp's client is called here; the address it names stays behind."""
    for failure, problem, detail in _FAILURES:
        if isinstance(error, failure):
            return problem(detail)
    return UpstreamInvalidResponse()
