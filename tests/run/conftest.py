"""The gateway as a process of its own, in front of a simulator and an issuer in the test's."""

import asyncio
import json
import os
import signal
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from gateway.simulator.issuer import DemoIssuer
from gateway.simulator.options import Options, User
from gateway.simulator.server import Simulator
from tests.support.ports import free_port
from tests.support.redis_server import RedisServer
from tests.support.stage import signing_keys

REST = "/rest/serverengine"
ROOT = Path(__file__).resolve().parents[2]

CONFIG = """
version: 1
public_url: http://gateway.test
listen: {{address: "127.0.0.1:{port}", drain_timeout: 60s, workers: {workers}}}
admin: {{address: "127.0.0.1:{admin_port}"}}
upstream: {{url: "{upstream}", read_timeout: 60s}}
store: "{store}"
log: {{requests: problems}}
issuers:
  corporate: {{issuer: "{issuer}", audiences: [olconnect]}}
credentials:
  printing: {{kind: auth_token, username: svc-print, password: {{file: print.password}}}}
teams:
  billing:
    members: {{issuer: corporate, claim: groups, any_of: [ol-billing]}}
    credential: printing
    objects: any
    allow: [{{endpoints: ["file_store.*", "authentication.*", "job_entity.*"]}}]
"""


@dataclass
class World:
    """What is around the gateway, and its configuration file."""

    folder: Path
    simulator: Simulator
    issuer: DemoIssuer
    session: aiohttp.ClientSession
    gateways: list["Process"] = field(default_factory=list)

    @property
    def config(self) -> Path:
        return self.folder / "gateway.yaml"

    def configure(self, replace: Mapping[str, str] | None = None, **values: Any) -> str:
        """Write the configuration; ``values`` fill it, ``replace`` maps texts to others."""
        filled = {"port": 0, "admin_port": 0, "workers": 1, "store": "memory:"} | values
        text = CONFIG.format(upstream=self.simulator.url, issuer=self.issuer.url, **filled)
        for old, new in (replace or {}).items():
            assert old in text, f"{old!r} is not in the configuration"
            text = text.replace(old, new)
        self.write(text)
        return text

    def write(self, text: str, name: str = "gateway.yaml") -> None:
        """All at once: the gateway may look at any moment."""
        fresh = self.folder / f"{name}.new"
        fresh.touch(mode=0o600)
        fresh.write_text(text)
        fresh.replace(self.folder / name)

    def token(self, *groups: str) -> str:
        return self.issuer.mint(groups=list(groups or ("ol-billing",)))

    def headers(self, *groups: str) -> dict[str, str]:
        return {"Authorization": f"Bearer {self.token(*groups)}"}

    async def serve(self) -> "Process":
        process = Process(self, await _started("serve", "--config", str(self.config)))
        self.gateways.append(process)
        listening = await process.line("listening")
        process.url, process.admin_url = listening["public"], listening["admin"]
        await self.eventually(process.is_ready)
        return process

    async def eventually(self, holds: Callable[[], Awaitable[bool]], seconds: float = 30) -> None:
        async with asyncio.timeout(seconds):
            while not await holds():  # noqa: ASYNC110 - what is waited for is another process
                await asyncio.sleep(0.02)


@dataclass
class Process:
    """One ``olgw serve``; its log lines are read one by one."""

    world: World
    process: asyncio.subprocess.Process
    url: str = ""
    admin_url: str = ""
    lines: list[dict[str, Any]] = field(default_factory=list)

    async def line(self, event: str, seconds: float = 30) -> dict[str, Any]:
        """The next log line of this event."""
        assert self.process.stdout is not None
        async with asyncio.timeout(seconds):
            while raw := await self.process.stdout.readline():
                self.lines.append(json.loads(raw))
                if self.lines[-1]["event"] == event:
                    return self.lines[-1]
        raise AssertionError(f"ended without {event!r}: {self.lines}")

    def send(self, number: int) -> None:
        self.process.send_signal(number)

    async def end(self, seconds: float = 30) -> int:
        """The exit code."""
        async with asyncio.timeout(seconds):
            await self.process.communicate()
        assert self.process.returncode is not None
        return self.process.returncode

    async def ready(self) -> int:
        try:
            async with self.world.session.get(f"{self.admin_url}/readyz?verbose") as response:
                return response.status
        except aiohttp.ClientConnectionError:
            return 0

    async def is_ready(self) -> bool:
        return await self.ready() == 200

    async def metrics(self) -> str:
        async with self.world.session.get(f"{self.admin_url}/metrics") as response:
            return await response.text()

    async def status(self, path: str, headers: Mapping[str, str]) -> int:
        async with self.world.session.get(self.url + REST + path, headers=headers) as response:
            return response.status


async def _started(*arguments: str) -> asyncio.subprocess.Process:
    return await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "gateway",
        *arguments,
        stdout=asyncio.subprocess.PIPE,
        cwd=ROOT,
        env=os.environ | {"PYTHONWARNINGS": "error"},
        start_new_session=True,
    )


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[World]:
    async with AsyncExitStack() as stack:
        simulator = Simulator(Options(users={"svc-print": User("print-pw")}))
        await simulator.start(port=free_port())
        stack.push_async_callback(simulator.stop)
        issuer = DemoIssuer(audience="olconnect", algorithms=())
        issuer.keys = list(signing_keys())
        await issuer.start(port=free_port())
        stack.push_async_callback(issuer.stop)
        session = await stack.enter_async_context(aiohttp.ClientSession())
        world = World(tmp_path, simulator, issuer, session)
        world.write("print-pw\n", "print.password")
        world.configure()
        try:
            yield world
        finally:
            for gateway in world.gateways:
                if gateway.process.returncode is None:
                    gateway.send(signal.SIGKILL)
                    await gateway.process.communicate()


@pytest.fixture
def redis_url(redis_server: RedisServer) -> str:
    return redis_server.url


@pytest.fixture
def free_ports() -> Callable[[int], list[int]]:
    """Ports that nobody has at the moment."""
    return lambda count: [free_port() for _ in range(count)]
