"""The listeners: aiohttp's low-level server, set up as a proxy's front must be."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

from aiohttp import web, web_protocol
from aiohttp.http_exceptions import LineTooLong

from gateway.problems import HeadersTooLarge, MalformedRequest, Problem
from gateway.settings import Address

Handler = Callable[[web.BaseRequest], Awaitable[web.StreamResponse]]
Malformed = Callable[[Problem], web.Response]

_KEEPALIVE_SECONDS = 75.0
_LINGERING_SECONDS = 5.0
_MAX_LINE_BYTES = 16 * 1024
_MAX_HEADERS = 200


class _Connection(web_protocol.RequestHandler):
    """aiohttp's connection, but for the answer to what is no request.

    aiohttp answers malformed heads with a text page that quotes them, and logs their raw bytes
    with a traceback: a bearer token in an overlong header would stand in both.
    """

    malformed: Malformed

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


class _Server(web.Server):
    def __init__(self, handler: Handler, malformed: Malformed, **kwargs: Any) -> None:
        super().__init__(handler, **kwargs)
        self._malformed = malformed

    def __call__(self) -> web_protocol.RequestHandler:
        connection = _Connection(self, loop=self._loop, **self._kwargs)
        connection.malformed = self._malformed
        return connection


@dataclass(slots=True)
class Listener:
    """One address that is listened on. ``port`` is the real one where 0 was asked for."""

    runner: web.ServerRunner
    site: web.TCPSite

    @property
    def port(self) -> int:
        return self.site.port

    async def close(self) -> None:
        """Take no new connections; those that are open stay."""
        await self.site.stop()

    async def stop(self) -> None:
        await self.runner.cleanup()


async def listen(
    handler: Handler,
    address: Address,
    *,
    malformed: Malformed,
    max_header_bytes: int,
    drain_seconds: float,
    reuse_port: bool = False,
) -> Listener:
    server = _Server(
        handler,
        malformed,
        handler_cancellation=True,
        keepalive_timeout=_KEEPALIVE_SECONDS,
        lingering_time=_LINGERING_SECONDS,
        max_line_size=_MAX_LINE_BYTES,
        max_field_size=max_header_bytes,
        max_headers=_MAX_HEADERS,
        auto_decompress=False,
        access_log=None,
    )
    runner = web.ServerRunner(server, shutdown_timeout=drain_seconds)
    await runner.setup()
    site = web.TCPSite(
        runner, address.host, address.port, backlog=1024, reuse_port=reuse_port or None
    )
    await site.start()
    return Listener(runner, site)
