"""Two gateways that differ in one setting only, each before a peer of its own."""

import re
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from typing import Any

import pytest

from gateway.requestlog import RequestLog
from gateway.settings import Log
from gateway.wiring import Clock
from tests.support.peer import Asked, Peer, open_peer
from tests.support.stage import CONFIG, Stage

NOW = 1_790_000_000.0
_TIMES = {"duration_seconds", "upstream_seconds", "client", "request_id", "traceparent"}
_BIG = bytes(range(256)) * 1024
_OPERATION = "operationId: op-1\r\n" + "".join(
    f"Link: <http://OLSERVER:9340/rest/serverengine/workflow/jobcreation/{method}/op-1>; "
    f'rel="{method}"\r\n'
    for method in ("getProgress", "getResult", "cancel")
)
_TYPE = "Content-Type: application/json\r\n"
_ANSWERS: tuple[tuple[str, int, str, bytes], ...] = (
    ("GET /rest/serverengine/entity/jobs/1/properties", 200, _TYPE, b'[{"name":"a","value":"1%"}]'),
    ("GET /rest/serverengine/entity/jobs/2/properties", 500, _TYPE, b'{"error":{"status":500}}'),
    ("GET /rest/serverengine/entity/jobs/3/", 404, "", b""),
    ("GET /rest/serverengine/entity/jobs/4/", 200, "Cache-Control: no-store\r\n", b"[]"),
    ("PUT /rest/serverengine/entity/", 200, _TYPE, b"true"),
    ("POST /rest/serverengine/workflow/jobcreation/getProgress", 200, "", b"50"),
    ("POST /rest/serverengine/workflow/jobcreation/", 202, _OPERATION, b""),
    ("POST /rest/serverengine/filestore/DataFile", 200, "", b"7"),
    ("GET /rest/serverengine/filestore/file/7", 200, "", _BIG),
    ("GET /rest/serverengine/filestore/file/8", 204, "", b""),
    ("GET /rest/serverengine/authentication/version", 200, "Content-Type: text/plain\r\n", b"2024"),
)


def _said(first: str) -> tuple[int, str, bytes]:
    """Status, header lines and body for a request line."""
    for start, status, lines, body in _ANSWERS:
        if first.replace("HEAD ", "GET ").startswith(start):
            return status, lines, body
    return 404, "", b""


async def answer(asked: Asked) -> None:
    """As OL Connect would, always the same."""
    await asked.read_body()
    if asked.first.startswith("GET /rest/serverengine/filestore/file/9"):  # chunked, in two pieces
        asked.writer.write(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nfirst\r\n")
        await asked.writer.drain()
        asked.writer.write(b"4\r\nlast\r\n0\r\n\r\n")
        return
    status, lines, body = _said(asked.first)
    length = "" if status == 204 else f"Content-Length: {len(body)}\r\n"
    head = f"HTTP/1.1 {status} Whatever\r\n{lines}{length}\r\n".encode()
    asked.writer.write(head if asked.first.startswith("HEAD ") else head + body)


@dataclass
class Side:
    """One of the two, and what was seen of it."""

    stage: Stage
    peer: Peer
    log: list[dict[str, Any]] = field(default_factory=list)
    tokens: dict[str, str] = field(default_factory=dict)

    def token(self, group: str) -> str:
        if group not in self.tokens:
            self.tokens[group] = self.stage.token(group)
        return self.tokens[group]

    def plain(self, data: bytes) -> bytes:
        """Without what differs from request to request, or from one gateway to the other."""
        for own, name in ((self.peer.url, b"peer"), (self.stage.issuer.url, b"issuer")):
            data = data.replace(own.removeprefix("http://").encode(), name)
        data = re.sub(rb"(?m)^Date: [^\r]*", b"Date: now", data)
        data = re.sub(rb"00-[0-9a-f]{32}-[0-9a-f]{16}-0[0-9]", b"trace", data)
        return re.sub(rb"\b[0-9a-f]{32}\b", b"id", data)

    def asked(self) -> list[tuple[bytes, bytes]]:
        """Head and body of each request that came to the peer."""
        return [(self.plain(asked.head), asked.body) for asked in self.peer.asked]

    def counted(self) -> dict[tuple[str, ...], float]:
        """All of the gateway's metrics but times."""
        counted = {}
        for family in self.stage.gateway.metrics.registry.collect():
            for sample in family.samples:
                is_time = sample.name.endswith(("_created", "_sum", "_bucket"))
                if not is_time and "seconds" not in sample.name:
                    counted[sample.name, *map(str, sample.labels.items())] = sample.value
        return counted

    def logged(self) -> list[dict[str, Any]]:
        """A line for each request, without what differs from one to the next."""
        return [{key: line[key] for key in line.keys() - _TIMES} for line in self.log]


@pytest.fixture
async def sides(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[tuple[Side, Side]]:
    """The first has an express lane."""
    logs: list[list[dict[str, Any]]] = []

    def opened(*_: Any) -> RequestLog:
        lines: list[dict[str, Any]] = []
        logs.append(lines)
        every = Log.model_validate({"requests": "all"})
        return RequestLog(every, lambda _, **values: lines.append(values))

    monkeypatch.setattr("gateway.app.RequestLog", opened)
    async with AsyncExitStack() as stack:
        both = []
        for lane in ("true", "false"):
            peer = await stack.enter_async_context(open_peer())
            peer.script = answer
            stage = Stage(
                config=CONFIG.replace("{upstream}", peer.url),
                replace={"drain_timeout: 1s": f"drain_timeout: 1s, express: {lane}"},
                clock=Clock(now=lambda: NOW),
            )
            both.append(Side(await stack.enter_async_context(stage), peer))
            # No polls: they would come to the two at different moments.
            stage.gateway.poller.pace = lambda age, percent, *, listened: 3600.0
        for side, lines in zip(both, logs, strict=True):
            side.log = lines
        yield both[0], both[1]
