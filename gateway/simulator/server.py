"""The simulator as a server: one handler, its own routing, real sockets."""

import asyncio
import logging
import time
from collections.abc import Callable
from dataclasses import replace

from aiohttp import web

from gateway.simulator import control, sending, wire
from gateway.simulator.call import Call
from gateway.simulator.engine import Engine
from gateway.simulator.errors import Refusal, SimulatorError
from gateway.simulator.faults import Fault, Faults
from gateway.simulator.options import Options
from gateway.simulator.record import Record, RequestEntry
from gateway.simulator.routes.table import ROUTES
from gateway.simulator.routing import NoRoute, Route, Router
from gateway.simulator.security import Security, check_roles
from gateway.simulator.wire import Answer

log = logging.getLogger("simulator")
_ACCEPTING_SECONDS = 0.01
LONGEST_LINE_BYTES = 64 * 1024  # generous: limits are for whoever stands in front
UNREAD_BYTES = 64 * 1024  # bodies up to this size are read, and recorded, though nobody asked
CORS_METHODS = "GET, POST, PUT, HEAD, OPTIONS"
CORS_HEADERS = "auth_token, authorization, content-type"
CORS_EXPOSED = "operationId, Link, Token-Expires-In, Content-Disposition"


def served_routes() -> list[tuple[str, str]]:
    """Method and path template of everything documented; HEAD also works wherever GET does."""
    return [(route.method, route.template) for route in ROUTES]


class Simulator:
    """OL Connect Server on a socket. Options may be replaced while it runs."""

    def __init__(
        self, options: Options | None = None, now: Callable[[], float] = time.time
    ) -> None:
        self._first_options = options or Options()
        self._now = now
        self._router = Router(ROUTES)
        self._runner: web.AppRunner | None = None
        self.faults = Faults()
        self.engine = Engine(self._first_options, now)
        self.security = Security(now)
        self.host = ""
        self.port = 0

    @property
    def options(self) -> Options:
        return self.engine.options

    @options.setter
    def options(self, options: Options) -> None:
        self.engine.options = options

    def change(self, **changes: object) -> None:
        """Replace single options."""
        self.options = replace(self.options, **changes)  # type: ignore[arg-type]

    @property
    def record(self) -> Record:
        return self.engine.record

    @property
    def url(self) -> str:
        return f"http://{self.host}:{self.port}"

    def reset(self) -> None:
        """Back to how it was constructed; logins are forgotten too."""
        self.options = self._first_options
        self.engine.reset()
        self.record.clear()
        self.faults.clear()
        self.security = Security(self._now)

    async def start(self, host: str = "127.0.0.1", port: int = 0) -> None:
        """Raises SimulatorError if the address cannot be had."""
        app = web.Application()
        app.router.add_route("*", r"/{path:[\s\S]*}", self._handle)
        app.on_response_prepare.append(sending.trim_headers)
        self._runner = web.AppRunner(
            app,
            access_log=None,
            auto_decompress=False,
            max_line_size=LONGEST_LINE_BYTES,
            max_field_size=LONGEST_LINE_BYTES,
            shutdown_timeout=0.1,
        )
        await self._runner.setup()
        site = web.TCPSite(self._runner, host, port)
        try:
            await site.start()
        except OSError as error:
            await self.stop()
            raise SimulatorError(f"cannot listen on {host}:{port}: {error.strerror}") from error
        self.host = host
        self.port = self._runner.addresses[0][1]

    async def stop(self) -> None:
        if self._runner is None:
            return
        runner, self._runner = self._runner, None
        for site in runner.sites:
            _end_accepting(site._server)
        # What was accepted becomes a connection some turns later, if the server is still open.
        await asyncio.sleep(_ACCEPTING_SECONDS)
        await runner.cleanup()

    async def _handle(self, request: web.Request) -> web.StreamResponse:
        raw_path = request.raw_path
        if raw_path.startswith(control.CONTROL):
            return await control.answer(self, request)
        entry = self.record.request(request.method, raw_path, list(request.headers.items()))
        fault = self.faults.take(request.method, raw_path)
        if fault is None:
            return await self._respond(request, entry, None)
        entry.fault = fault.fault
        match fault.fault:
            case "delay":
                await asyncio.sleep(fault.seconds)
            case "expire_token":
                self.security.expire_tokens()
            case "drop_before":
                return sending.drop(request)
            case "garbage_head":
                return sending.garble_head(request)
        return await self._respond(request, entry, fault)

    async def _respond(
        self, request: web.Request, entry: RequestEntry, fault: Fault | None
    ) -> web.StreamResponse:
        call = Call(request, self.engine, self.security, entry)
        if fault and fault.fault == "error":
            answer = wire.error(Refusal(fault.status, "Fault on request"))
        else:
            answer = await self._answer(call)
        await self._read_rest(call)
        if fault and fault.fault == "drop_after_start":
            return sending.drop(request)
        entry.status = answer.status
        return await sending.send(request, self._shared(request, answer), self.options, fault)

    async def _read_rest(self, call: Call) -> None:
        if call.request.body_exists and 0 < (call.request.content_length or 0) <= UNREAD_BYTES:
            await call.content()

    async def _answer(self, call: Call) -> Answer:
        try:
            self.engine.sweep()
            return await self._route(call)
        except Refusal as refusal:
            return wire.error(refusal)
        except wire.Denied as denied:
            return denied.answer
        except (ConnectionError, web.RequestPayloadError):
            raise  # the client is gone, or sent what is not HTTP
        except Exception:
            # Like the server it stands for: a bug is a 500, not a broken connection.
            log.exception("%s %s", call.entry.method, call.entry.raw_path)
            return wire.error(Refusal(500, "Internal server error"))

    async def _route(self, call: Call) -> Answer:
        request, options = call.request, self.options
        if options.cors and request.method == "OPTIONS" and "Origin" in request.headers:
            return _preflight(request)
        path = request.raw_path.partition("?")[0]
        try:
            route, params = self._router.match(request.method, path)
        except NoRoute as error:
            return _no_route(error, path)
        self._authorize(call, route)
        call.service, call.base, call.params = route.service.name, route.service.base, params
        return await route.handler(call)

    def _authorize(self, call: Call, route: Route) -> None:
        if route.roles is None:
            return
        request, options = call.request, self.options
        call.who, roles = self.security.authenticate(request.headers, request.cookies, options)
        call.entry.who = call.who
        key = f"{route.method} {route.template.removeprefix(wire.PREFIX)}"
        check_roles(roles, options.route_roles.get(key, route.roles), options)

    def _shared(self, request: web.Request, answer: Answer) -> Answer:
        """With CORS on, a browser's other origin may read the answer."""
        origin = request.headers.get("Origin")
        if not self.options.cors or origin is None:
            return answer
        headers = [
            *answer.headers,
            ("Access-Control-Allow-Origin", origin),
            ("Access-Control-Expose-Headers", CORS_EXPOSED),
            ("Vary", "Origin"),
        ]
        return Answer(answer.status, answer.content, answer.content_type, headers)


def _preflight(request: web.Request) -> Answer:
    headers = [
        ("Access-Control-Allow-Methods", CORS_METHODS),
        (
            "Access-Control-Allow-Headers",
            request.headers.get("Access-Control-Request-Headers", CORS_HEADERS),
        ),
    ]
    return Answer(200, headers=headers)


def _no_route(error: NoRoute, path: str) -> Answer:
    if not error.allowed:
        return wire.error(Refusal(404, "HTTP 404 Not Found", path))
    allowed = ", ".join(error.allowed)
    return wire.error(Refusal(405, "HTTP 405 Method Not Allowed", path), [("Allow", allowed)])


async def serve(port: int, host: str = "127.0.0.1", options: Options | None = None) -> None:
    """Runs until cancelled. Raises SimulatorError, whose text is meant to be shown."""
    simulator = Simulator(options)
    await simulator.start(host, port)
    names = ", ".join(simulator.options.users) or "nobody"
    print(f"OL Connect simulator on {simulator.url}{wire.PREFIX} (users: {names})", flush=True)
    try:
        await asyncio.Event().wait()
    finally:
        await simulator.stop()


def _end_accepting(server: asyncio.AbstractServer | None) -> None:
    loop = asyncio.get_running_loop()
    if isinstance(loop, asyncio.SelectorEventLoop) and isinstance(server, asyncio.Server):
        for accepting in server.sockets:
            loop.remove_reader(accepting)
