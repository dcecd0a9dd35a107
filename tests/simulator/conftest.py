"""A simulator on a real socket with a clock that only tests move, and a client for it."""

import asyncio
import json
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from typing import Any

import aiohttp
import pytest

from gateway.simulator.options import Options
from gateway.simulator.server import Simulator

BASE = "/rest/serverengine"
CSV = b"ID,FirstName,Email\n0001,Ann,ann@example.com\n0002,Bob,\n0003,Cyd,cyd@example.com\n"


class Clock:
    def __init__(self) -> None:
        self.time = 1_700_000_000.0

    def __call__(self) -> float:
        return self.time

    def advance(self, seconds: float) -> None:
        self.time += seconds


@dataclass(frozen=True)
class Reply:
    status: int
    headers: Mapping[str, str]
    links: list[str]
    body: bytes

    @property
    def text(self) -> str:
        return self.body.decode()

    @property
    def json(self) -> Any:
        assert self.headers["Content-Type"].startswith("application/json")
        return json.loads(self.body)

    @property
    def message(self) -> str:
        """Of a JSON Error."""
        assert self.json["error"]["status"] == self.status
        return str(self.json["error"]["message"])


class Api:
    """Calls below /rest/serverengine; Basic credentials unless told otherwise."""

    def __init__(self, simulator: Simulator, session: aiohttp.ClientSession, clock: Clock) -> None:
        self.simulator = simulator
        self.session = session
        self.clock = clock
        self.auth = {"Authorization": aiohttp.encode_basic_auth("ol-admin", "secret")}

    async def __call__(self, method: str, path: str, **request: Any) -> Reply:
        request.setdefault("headers", self.auth)
        url = self.simulator.url + (path if path.startswith("/__") else BASE + path)
        async with self.session.request(method, url, **request) as response:
            body = await response.read()
            return Reply(
                response.status, response.headers, response.headers.getall("Link", []), body
            )

    async def upload(self, data: bytes = CSV, kind: str = "DataFile", **query: str) -> str:
        return (await self("POST", f"/filestore/{kind}", data=data, params=query)).text

    async def start(self, base: str, path: str, **request: Any) -> str:
        reply = await self("POST", base + path, **request)
        assert reply.status == 202, reply.body
        return reply.headers["operationId"]

    async def run(self, base: str, path: str, result: str = "getResult", **request: Any) -> Reply:
        """Start, let the time pass, fetch."""
        operation = await self.start(base, path, **request)
        self.clock.advance(1000)
        return await self("POST", f"{base}/{result}/{operation}")

    async def data_set(self) -> int:
        file = await self.upload()
        path = f"/Promo-EN.OL-datamapper/{file}"
        return int((await self.run("/workflow/datamining", path)).text)

    async def content_set(self) -> int:
        path = f"/letter-ol.OL-template/{await self.data_set()}"
        return int((await self.run("/workflow/contentcreation", path)).text)

    async def job_set(self) -> int:
        body = {"identifiers": [await self.content_set()]}
        path = "/Invoices.OL-jobpreset"
        return int((await self.run("/workflow/jobcreation", path, json=body)).text)

    async def raw(self, head: str) -> bytes:
        """What comes back on a bare socket until the server closes it."""
        reader, writer = await asyncio.open_connection("127.0.0.1", self.simulator.port)
        lines = [*head.strip().splitlines(), "Host: ol", "Connection: close"]
        lines.append(f"Authorization: {self.auth['Authorization']}")
        writer.write("\r\n".join(lines).encode() + b"\r\n\r\n")
        received = await reader.read()
        writer.close()
        return received


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
async def simulator(clock: Clock) -> AsyncIterator[Simulator]:
    simulator = Simulator(Options(operation_seconds=10, seconds_per_record=0), now=clock)
    await simulator.start()
    yield simulator
    await simulator.stop()


@pytest.fixture
async def api(simulator: Simulator, clock: Clock) -> AsyncIterator[Api]:
    async with aiohttp.ClientSession() as session:
        yield Api(simulator, session, clock)
