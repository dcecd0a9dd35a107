"""A whole stage for a test: simulator, issuer and gateway on real sockets, and callers."""

import asyncio
import heapq
from collections.abc import Mapping
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import aiohttp
from yarl import URL

from gateway.app import Gateway
from gateway.catalogue import ENDPOINTS
from gateway.settings import Settings, Sources, parse
from gateway.simulator.call import Call
from gateway.simulator.issuer import Client, DemoIssuer, SigningKey, new_key
from gateway.simulator.options import Options, User
from gateway.simulator.server import Simulator
from gateway.simulator.wire import Answer
from gateway.wiring import Clock
from tests.support.ports import free_port

REST = "/rest/serverengine"

CONFIG = """
version: 1
public_url: http://gateway.test
listen: {{address: "127.0.0.1:0", cors: {{origins: ["http://portal.test"]}}, drain_timeout: 1s}}
admin: {{address: "127.0.0.1:0"}}
upstream: {{url: "{upstream}", aliases: ["http://OLSERVER:9340"], read_timeout: 15s}}
store: "memory:"
log: {{requests: none}}
issuers:
  corporate: {{issuer: "{issuer}", audiences: [olconnect]}}
credentials:
  printing: {{kind: auth_token, username: svc-print, password: {{value: print-pw}}}}
  archive: {{kind: basic, username: svc-archive, password: {{value: archive-pw}}}}
teams:
  billing:
    members: {{issuer: corporate, claim: groups, any_of: [ol-billing]}}
    credential: printing
    allow: [{{endpoints: ["*.*"]}}]
    pipelines: ["*"]
  marketing:
    members: {{issuer: corporate, claim: groups, any_of: [ol-marketing]}}
    credential: printing
    allow: [{{endpoints: ["*.*"]}}]
    pipelines: [flyer]
  operators:
    members: {{issuer: corporate, claim: groups, any_of: [ol-operators]}}
    credential: archive
    objects: any
    allow: [{{endpoints: ["*.*"]}}]
  readers:
    members: {{issuer: corporate, claim: groups, any_of: [ol-readers]}}
    credential: archive
    allow: [{{endpoints: ["job_entity.get_*"]}}]
pipelines:
  invoice:
    data_mapping: Promo-EN.OL-datamapper
    template: letter-ol.OL-template
    output_preset: Print-PDF.OL-outputpreset
  flyer:
    data_mapping: Promo-EN.OL-datamapper
    template: letter-ol.OL-template
    job_preset: Invoices.OL-jobpreset
    output_preset: Print-PDF.OL-outputpreset
"""
"""Two teams that own what they make on one account, one that sees all, one that may little."""

USERS = {"svc-print": User("print-pw"), "svc-archive": User("archive-pw")}


def settings_of(text: str, environ: Mapping[str, str] | None = None) -> Settings:
    folder = Path.cwd()
    sources = Sources(folder, environ or {})
    return parse(text.encode(), folder / "test.yaml", sources, known_endpoints=ENDPOINTS)


def end_operations(simulator: Simulator) -> None:
    """As if the time of all that run were over: whoever asks next is told of their ends.

    For tests that have to see an operation run first, however long they take for it.
    """
    operations = simulator.engine.operations
    for operation in operations.active():
        heapq.heappush(operations._ends, (0.0, operation.id))


@cache
def signing_keys() -> tuple[SigningKey, ...]:
    """One set for all tests of a process: to make them takes longer than all else of a stage."""
    return tuple(new_key(algorithm) for algorithm in ("RS256", "ES256"))


@dataclass
class Stage:
    """Use as ``async with``. ``replace`` maps texts of the configuration to others."""

    config: str = CONFIG
    replace: Mapping[str, str] = field(default_factory=dict)
    options: Options = field(default_factory=lambda: Options(users=USERS, operation_seconds=0.05))
    clock: Clock = field(default_factory=Clock)

    async def __aenter__(self) -> Self:
        self._stack = AsyncExitStack()
        self.simulator = Simulator(self.options)
        await self.simulator.start(port=free_port())
        self._stack.push_async_callback(self.simulator.stop)
        clients = {"robot": Client("robot-secret", {"groups": ["ol-billing"]})}
        self.issuer = DemoIssuer(clients, audience="olconnect", algorithms=(), now=self.clock.now)
        self.issuer.keys = list(signing_keys())
        await self.issuer.start(port=free_port())
        self._stack.push_async_callback(self.issuer.stop)
        await self._open_gateway()
        self.session = await self._stack.enter_async_context(
            aiohttp.ClientSession(auto_decompress=False, cookie_jar=aiohttp.DummyCookieJar())
        )
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        await self._stack.aclose()

    async def _open_gateway(self) -> None:
        self.gateway = await Gateway.open(self.settings(), self.clock)
        self._stack.push_async_callback(self.gateway.close)

    def settings(self, **replace: str) -> Settings:
        return settings_of(self.text(**replace))

    def text(self, **replace: str) -> str:
        """The configuration as a file would have it."""
        text = self.config.format(upstream=self.simulator.url, issuer=self.issuer.url)
        for old, new in {**self.replace, **replace}.items():
            assert old in text, f"{old!r} is not in the configuration"
            text = text.replace(old, new)
        return text

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.gateway.public.port}"

    @property
    def admin_url(self) -> str:
        return f"http://127.0.0.1:{self.gateway.admin.port}"

    def token(self, *groups: str, **claims: Any) -> str:
        return self.issuer.mint(groups=list(groups or ("ol-billing",)), **claims)

    def caller(self, *groups: str, **claims: Any) -> "TestCaller":
        return TestCaller(self, self.token(*groups, **claims))

    async def end_of(self, service: str, operation: str) -> None:
        """Wait until an operation has ended at OL Connect, without the gateway's knowing."""
        path = f"/workflow/{service}/getResult/{operation}"
        account = {"Authorization": aiohttp.encode_basic_auth("svc-print", "print-pw")}
        async with self.session.post(self.simulator.url + REST + path, headers=account) as response:
            assert response.status == 200

    def hold(self, path: str) -> asyncio.Event:
        """What has ``path`` in its raw path is recorded, and waits until the event is set."""
        answer, release = self.simulator._answer, asyncio.Event()

        async def held(call: Call) -> Answer:
            if path in call.entry.raw_path:
                await release.wait()
            return await answer(call)

        self.simulator._answer = held  # type: ignore[method-assign]
        return release

    def requests(self, path: str = "") -> list[Any]:
        """What reached the simulator, logins left out, with ``path`` in its raw path."""
        return [
            entry
            for entry in self.simulator.record.requests
            if path in entry.raw_path and not entry.raw_path.endswith("/authentication/login")
        ]


@dataclass(frozen=True)
class Reply:
    """An answer, read whole."""

    status: int
    headers: Any
    body: bytes

    @property
    def text(self) -> str:
        return self.body.decode()

    def json(self) -> Any:
        import json  # noqa: PLC0415

        return json.loads(self.body)

    @property
    def code(self) -> str | None:
        """The problem's code, in the form of either face."""
        content = self.json()
        code = content.get("code") or content.get("error", {}).get("code")
        return None if code is None else str(code)


class TestCaller:
    """Somebody with a token. Paths below OL Connect's prefix may leave it out."""

    __test__ = False

    def __init__(self, stage: Stage, token: str | None) -> None:
        self._stage = stage
        self.token = token

    async def __call__(self, method: str, path: str, **options: Any) -> Reply:
        headers = {"Authorization": f"Bearer {self.token}"} if self.token else {}
        headers |= dict(options.pop("headers", {}))
        base = self._stage.url
        whole = path.startswith(("/api", "/rest", "/open", "/docs", "/.well"))
        target = URL(base + (path if whole else REST + path), encoded=True)
        async with self._stage.session.request(
            method, target, headers=headers, allow_redirects=False, **options
        ) as response:
            return Reply(response.status, response.headers, await response.read())

    async def get(self, path: str, **options: Any) -> Reply:
        return await self("GET", path, **options)

    async def post(self, path: str, **options: Any) -> Reply:
        return await self("POST", path, **options)

    async def put(self, path: str, **options: Any) -> Reply:
        return await self("PUT", path, **options)

    # OL Connect's steps, for tests that need their outcome

    async def upload(self, content: bytes = b'[{"Name":"Jane"}]', name: str = "data.json") -> str:
        reply = await self.post(f"/filestore/DataFile?filename={name}", data=content)
        assert reply.status == 200, reply
        return reply.text

    async def start(self, path: str, **options: Any) -> str:
        reply = await self.post(path, **options)
        assert reply.status == 202, reply
        return str(reply.headers["operationId"])

    async def result(self, service: str, operation: str) -> str:
        reply = await self.post(f"/workflow/{service}/getResult/{operation}")
        assert reply.status == 200, reply
        return reply.text

    async def data_set(self, content: bytes = b'[{"Name":"Jane"}]') -> str:
        file = await self.upload(content)
        operation = await self.start(f"/workflow/datamining/Promo-EN.OL-datamapper/{file}")
        return await self.result("datamining", operation)

    async def content_set(self) -> str:
        data_set = await self.data_set()
        path = f"/workflow/contentcreation/letter-ol.OL-template/{data_set}"
        return await self.result("contentcreation", await self.start(path))

    async def job_set(self) -> str:
        content_set = await self.content_set()
        operation = await self.start(
            "/workflow/jobcreation/Invoices.OL-jobpreset",
            json={"identifiers": [int(content_set)]},
        )
        return await self.result("jobcreation", operation)

    async def job(self) -> str:
        reply = await self.get(f"/entity/jobsets/{await self.job_set()}")
        return str(reply.json()["identifiers"][0])
