"""The listeners: where they listen, and how they end.

How a listener ends is its own: aiohttp's way drops the bodies of uploads under way.
"""

import asyncio
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import structlog
from aiohttp import web

from gateway.connections import Connections
from gateway.inbound import ParserLimits
from gateway.server import Express, Handler, Malformed, Server
from gateway.settings import Address
from gateway.tasks import TaskSet

log = structlog.get_logger("gateway")

_MAX_LINE_BYTES = 16 * 1024
_MAX_HEADERS = 200
_BACKLOG = 1024
_REOPEN_SECONDS = 1.0
_LAST_WORDS_SECONDS = 0.5
_SETTING_UP_TURNS = 2
# From its first byte on. aiohttp lets a head take as long as it lets a connection be idle.
_HEAD_SECONDS = 10.0


@dataclass(slots=True)
class Listener:
    """One address that is listened on; ``port`` is the real one, where 0 was asked for."""

    server: Server
    runner: web.ServerRunner
    site: web.BaseSite
    port: int

    async def drain(
        self, seconds: float, expire: Callable[[], None], hurry: asyncio.Event | None = None
    ) -> None:
        """Take no new connections, and let what is under way end.

        After ``seconds``, or when ``hurry`` is set, ``expire`` is called, which may have waiting
        requests answered in a hurry; what is left then is broken off.
        """
        self.server.is_draining = True
        # One turn of the loop accepts what the kernel has accepted already.
        await asyncio.sleep(0)
        await self._end_accepting()
        await self.site.stop()
        if not await self.server.empty(seconds, hurry):
            expire()
            await self.server.empty(_LAST_WORDS_SECONDS)
            self.server.abort()

    async def _end_accepting(self) -> None:
        """Let what was accepted in this turn of the loop become a connection.

        Once its server is closed, asyncio leaves it open, and answered by nobody
        (python/cpython#109564).
        """
        loop = asyncio.get_running_loop()
        server = self.site._server
        if isinstance(loop, asyncio.SelectorEventLoop) and isinstance(server, asyncio.Server):
            for accepting in server.sockets:
                loop.remove_reader(accepting)
            for _ in range(_SETTING_UP_TURNS):
                await asyncio.sleep(0)

    async def stop(self) -> None:
        await self.runner.cleanup()

    def __str__(self) -> str:
        return self.site.name

    def is_at(self, address: object) -> bool:
        return address in self.runner.addresses

    async def reopen(self) -> None:
        """Listen anew at the same address. Raises OSError."""
        site = self.site
        if not isinstance(site, web.TCPSite):
            return
        await site.stop()
        self.site = web.TCPSite(self.runner, site._host, self.port, backlog=_BACKLOG)
        await self.site.start()


async def listen(
    handler: Handler,
    address: Address | Path,
    *,
    malformed: Malformed,
    max_header_bytes: int,
    reuse_port: bool = False,
    connections: Connections | None = None,
    head_seconds: float = _HEAD_SECONDS,
    express: "Callable[..., Express] | None" = None,
) -> Listener:
    """Listen on an address, or on a Unix socket at a path. Raises OSError.

    ``express`` makes the maker of connections' express lanes; None: aiohttp reads all requests.
    """
    limits: ParserLimits = {
        "max_line_size": _MAX_LINE_BYTES,
        "max_field_size": max_header_bytes,
        "max_headers": _MAX_HEADERS,
    }
    server = Server(
        handler,
        malformed,
        connections,
        head_seconds,
        None if express is None else express(**limits),
        **limits,
    )
    runner = web.ServerRunner(server, shutdown_timeout=_LAST_WORDS_SECONDS)
    await runner.setup()
    site = _site(runner, address, reuse_port)
    await site.start()
    port = site.port if isinstance(site, web.TCPSite) else 0
    return Listener(server, runner, site, port)


def _site(runner: web.ServerRunner, address: Address | Path, reuse_port: bool) -> web.BaseSite:
    if isinstance(address, Path):
        return web.UnixSite(runner, str(address))
    return web.TCPSite(
        runner, address.host, address.port, backlog=_BACKLOG, reuse_port=reuse_port or None
    )


def keep_accepting(listeners: Iterable[Listener], tasks: TaskSet) -> None:
    """Undo a bug of Python's on Windows (gh-93821) in the running loop.

    When a caller leaves while being accepted, its loop closes the listening socket for good, and
    the process lives on without any new connection. It says so to the exception handler only.
    """

    def handle(loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
        loop.default_exception_handler(context)
        if context.get("message") != "Accept failed on a socket":
            return
        # The socket is open still, and closed as soon as this returns.
        address = context["socket"].getsockname()
        for listener in listeners:
            if listener.is_at(address):
                tasks.launch(_reopen(listener), name="listen anew")

    asyncio.get_running_loop().set_exception_handler(handle)


async def _reopen(listener: Listener) -> None:
    while True:
        try:
            return await listener.reopen()
        except OSError as error:
            log.warning("cannot_listen", address=str(listener), error=type(error).__name__)
            await asyncio.sleep(_REOPEN_SECONDS)
