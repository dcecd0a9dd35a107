"""What a request pays for, each part by itself, in microseconds of one core.

Run: python -m bench.micro. Each figure is the best of many short batches, so that it can be compared
on a busy machine. The last ones are whole requests through a connection whose other end is nobody:
everything but the system's part.
"""

import asyncio
import contextlib
import io
import sys
import tempfile
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import aiohttp

from bench.ground import Ground, free_port
from gateway import logs
from gateway.app import Gateway
from gateway.auth.tokens import Authenticator
from gateway.exchange import Exchange
from gateway.rules import headers, ids, paths, policy
from gateway.rules.links import Origins
from gateway.run import run
from gateway.settings import load

_BATCH, _BATCHES = 200, 60
_PATH = "/rest/serverengine/entity/jobs/1/properties"
_UPSTREAM = "http://127.0.0.1:9340"
_ANSWER = [
    (b"Server", b"Jetty"),
    (b"Date", b"Thu, 26 Nov 2026 12:00:00 GMT"),
    (b"operationId", b"0af7651916cd43dd8448eb211c80319c"),
    *(
        (b"Link", f'<{_UPSTREAM}/rest/serverengine/workflow/jobcreation/{m}/1>; rel="x"'.encode())
        for m in ("getProgress", "getResult", "cancel")
    ),
]


async def outside(work: Callable[[], float | None]) -> float | None:
    """Call ``work`` as a transport calls its protocol: in no task."""
    loop = asyncio.get_running_loop()
    done = loop.create_future()
    loop.call_soon(lambda: done.set_result(work()))
    result: float | None = await done
    return result


def best(work: Callable[[], object]) -> float:
    """Microseconds of one call, in the quickest batch."""
    quickest = float("inf")
    for _ in range(_BATCHES):
        began = time.perf_counter()
        for _ in range(_BATCH):
            work()
        quickest = min(quickest, time.perf_counter() - began)
    return quickest / _BATCH * 1e6


class Nobody(asyncio.Transport):
    """Takes all that is written."""

    def __init__(self) -> None:
        super().__init__()
        self.last = b""

    def write(self, data: Any) -> None:
        self.last = data

    def get_extra_info(self, name: str, default: Any = None) -> Any:
        return ("127.0.0.1", 1) if name == "peername" else default

    def is_closing(self) -> bool:
        return False

    def close(self) -> None: ...

    def abort(self) -> None: ...

    def set_write_buffer_limits(self, high: Any = None, low: Any = None) -> None: ...


class Caller:
    """One connection to the gateway without a socket."""

    def __init__(self, gateway: Gateway) -> None:
        self.transport = Nobody()
        self.connection = gateway.public.server()
        self.connection.connection_made(self.transport)

    def ask(self, *lines: str, path: str = _PATH) -> Callable[[], None]:
        head = "\r\n".join([f"GET {path} HTTP/1.1", "Host: gateway.test", *lines, "", ""]).encode()
        # A socket's bytes are new each time, their hash not known yet.
        return lambda: self.connection.data_received(bytes(memoryview(head)))

    async def expect(self, work: Callable[[], None], status: str) -> Callable[[], None]:
        await outside(work)
        assert self.transport.last.startswith(f"HTTP/1.1 {status}".encode()), self.transport.last
        return work


async def _parts(gateway: Gateway, token: str) -> dict[str, Callable[[], object]]:
    regime, front = gateway.front.regime, gateway.front
    caller = await regime.authenticator.identify(token)
    match = front._routes.recognise("GET", _PATH).match()
    named = ids.of_path(match.parameters)
    teams = regime.rulebook.teams_of(caller, None)
    origins = Origins("http://gateway.test", _UPSTREAM)
    exchange = Exchange("GET", _PATH, 0.0, "i" * 32, f"00-{'a' * 32}-{'b' * 16}-01")
    exchange.endpoint, exchange.team, exchange.status, exchange.source = (
        match.endpoint.name, "billing", 200, "cache",
    )  # fmt: skip
    fresh = Authenticator([i.verifier for i in regime.issuers.values()], time.time)
    del fresh._verified

    def verify() -> None:
        fresh._verified = {}  # type: ignore[assignment]
        with contextlib.suppress(StopIteration):
            fresh._judge(token).send(None)

    return {
        "path: one reading": lambda: paths.canonical(_PATH),
        "match: which endpoint": lambda: front._routes.recognise("GET", _PATH),
        "token: verify it (RS256)": verify,
        "token: known already": lambda: regime.authenticator.recall(token),
        "policy: which teams": lambda: regime.rulebook.teams_of(caller, None),
        "policy: by which grant": lambda: policy.admitted(
            teams, match.endpoint, match.parameters, named
        ),
        "cache key: the objects named": lambda: ids.of_path(match.parameters),
        "links: header lines of a 202": lambda: headers.for_caller(_ANSWER, origins, _PATH),
        "observe: count an exchange": lambda: gateway.metrics.counts_of(exchange).add(
            exchange, 0.001
        ),
        "observe: a line in the log": lambda: gateway._observer._requests.write(exchange, 0.001),
    }


async def _own(gateway: Gateway) -> None:
    """The job that is asked for, brought about by the team."""
    from gateway.model import Kind, Thing  # noqa: PLC0415

    await gateway.ledger.learn("billing", [Thing(Kind.JOB, "1")])


async def _requests(gateway: Gateway, ground: Ground) -> dict[str, Callable[[], object]]:
    caller, token = Caller(gateway), ground.token()
    await asyncio.sleep(0)
    hit = caller.ask(f"Authorization: Bearer {token}")
    await outside(hit)  # asks OL Connect
    await asyncio.sleep(0.5)
    forged = token[:-8] + ("AAAAAAAA" if token[-8:] != "AAAAAAAA" else "BBBBBBBB")
    refused = caller.ask(f"Authorization: Bearer {forged}")
    await outside(refused)
    await asyncio.sleep(0.5)
    return {
        "request: cache hit": await caller.expect(hit, "200"),
        "request: no token": await caller.expect(caller.ask(), "401"),
        "request: bad signature": await caller.expect(refused, "401"),
    }


async def measure(folder: Path) -> None:
    ground = Ground(folder, upstream_port=free_port())
    ground.prepare()
    config = ground.write(
        "gateway.yaml", "gateway.yaml", port=free_port(), admin_port=free_port(), ttl="1h"
    )
    settings = load(config)
    logs.configure(settings.log)
    upstream = await asyncio.start_server(_answer, "127.0.0.1", ground.upstream_port)
    gateway = await Gateway.open(settings)
    try:
        await _own(gateway)
        works = await _parts(gateway, ground.token()) | await _requests(gateway, ground)
        figures = {}
        with contextlib.redirect_stdout(io.StringIO()):
            for name, work in works.items():
                figures[name] = await outside(partial(best, work))
        for name, figure in figures.items():
            print(f"{name:<34}{figure:8.2f}")
    finally:
        await gateway.close()
        upstream.close()


async def _answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with contextlib.suppress(asyncio.IncompleteReadError, ConnectionError):
        while await reader.readuntil(b"\r\n\r\n"):
            body = b'[{"name":"copies","value":"007"}]'
            writer.write(
                b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%b"
                % (len(body), body)
            )
    writer.close()


def main() -> None:
    print(f"aiohttp {aiohttp.__version__}, Python {sys.version.split()[0]}; microseconds")
    with tempfile.TemporaryDirectory() as folder:
        run(measure(Path(folder)))


if __name__ == "__main__":
    main()
