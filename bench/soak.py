"""The gateway's memory: idle, for each idle connection, and over a long time of mixed work.

The simulator runs here, the gateway in a process of its own, whose resident set is read from
/proc. Run: python -m bench.soak [--minutes N] [--connections N] [--rate N]; Linux only.
"""

import argparse
import asyncio
import random
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

import aiohttp

from bench.memory import MIB, free_port, resident_bytes, until_listening
from gateway.simulator.issuer import Client, DemoIssuer
from gateway.simulator.options import Options, User
from gateway.simulator.server import Simulator

CONFIG = """
version: 1
public_url: http://127.0.0.1:{port}
listen: {{address: "127.0.0.1:{port}", max_connections_per_client: 100000}}
admin: {{address: "127.0.0.1:{admin}"}}
upstream: {{url: "{upstream}"}}
store: "sqlite:{folder}/state/olgw.db"
issuers: {{demo: {{issuer: "{issuer}", audiences: [olconnect]}}}}
credentials: {{account: {{kind: auth_token, username: svc, password: {{value: pw}}}}}}
teams:
  bench:
    members: {{issuer: demo, claim: groups, any_of: [bench]}}
    credential: account
    allow: [{{endpoints: ["*.*"]}}]
"""
_DATA = b'[{"Name":"Jane"}]'
_CALLERS = 16
_TOKEN_SECONDS = 20.0


@dataclass
class Soak:
    """Callers of one gateway, each as if it knew of no other."""

    simulator: Simulator
    issuer: DemoIssuer
    pid: int
    port: int
    admin: int
    done: Counter[str] = field(default_factory=Counter)
    chance: random.Random = field(default_factory=lambda: random.Random(1))
    sets: list[str] = field(default_factory=list)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/rest/serverengine"

    def token(self) -> str:
        return self.issuer.mint(groups=["bench"], sub=f"user-{self.chance.randrange(10**9)}")

    async def call(
        self, session: aiohttp.ClientSession, method: str, path: str, **options: object
    ) -> aiohttp.ClientResponse:
        async with session.request(method, self.url + path, **options) as response:  # type: ignore[arg-type]
            await response.read()
        self.done[f"{method} {response.status}"] += 1
        return response

    async def data_set(self, session: aiohttp.ClientSession) -> None:
        """An upload, a start, its progress to the end, its result."""
        stored = await self.call(session, "POST", "/filestore/DataFile", data=_DATA)
        path = f"/workflow/datamining/Promo-EN.OL-datamapper/{await stored.text()}"
        id_ = (await self.call(session, "POST", path)).headers["operationId"]
        progress = f"/workflow/datamining/getProgress/{id_}"
        while await (await self.call(session, "GET", progress)).text() != "done":  # noqa: ASYNC110
            await asyncio.sleep(0.2)
        result = await self.call(session, "POST", f"/workflow/datamining/getResult/{id_}")
        self.sets = [*self.sets[-200:], await result.text()]

    async def read(self, session: aiohttp.ClientSession) -> None:
        path = f"/entity/datasets/{self.chance.choice(self.sets)}/properties"
        await self.call(session, "GET", path)

    async def look(self, session: aiohttp.ClientSession) -> None:
        await self.call(session, "GET", "/entity/datasets")

    async def write(self, session: aiohttp.ClientSession) -> None:
        number = self.chance.choice(self.sets)
        await self.call(
            session,
            "PUT",
            f"/entity/datasets/{number}/properties",
            json={"id": int(number), "properties": [{"name": "a", "value": "b"}]},
        )

    async def scrape(self, session: aiohttp.ClientSession) -> None:
        async with session.get(f"http://127.0.0.1:{self.admin}/metrics") as response:
            await response.read()

    async def intrude(self, session: aiohttp.ClientSession) -> None:
        forged = f"Bearer {self.token()[:-6]}AAAAAA"
        await self.call(session, "GET", "/entity/jobs", headers={"Authorization": forged})

    async def caller(self, until: float, per_second: float) -> None:
        deeds: dict[Callable[[aiohttp.ClientSession], Awaitable[None]], int] = {
            self.read: 70,
            self.look: 8,
            self.write: 5,
            self.data_set: 3,
            self.intrude: 5,
            self.scrape: 1,
        }
        while time.monotonic() < until:
            renewed = time.monotonic() + _TOKEN_SECONDS
            headers = {"Authorization": f"Bearer {self.token()}"}
            async with aiohttp.ClientSession(headers=headers) as session:
                if not self.sets:
                    await self.data_set(session)
                while time.monotonic() < min(until, renewed):
                    await self.chance.choices(list(deeds), list(deeds.values()))[0](session)
                    await asyncio.sleep(self.chance.expovariate(per_second))

    async def run(self, minutes: float, rate: float) -> None:
        until = time.monotonic() + 60 * minutes
        async with asyncio.TaskGroup() as group:
            for _ in range(_CALLERS):
                group.create_task(self.caller(until, rate / _CALLERS))
            minute = 0
            while time.monotonic() < until:
                await asyncio.sleep(min(60.0, max(0.0, until - time.monotonic())))
                minute += 1
                self.simulator.engine.record.requests.clear()
                self.simulator.engine.record.operations.clear()
                print(f"minute {minute}: {self._resident()}, {self.done.total()} requests")
        print(dict(self.done))

    async def idle(self, connections: int) -> None:
        """Each has had an answer, so that nothing of it is still to be made."""
        before = resident_bytes(self.pid)
        request = (
            "GET /rest/serverengine/entity/version HTTP/1.1\r\nHost: x\r\n"
            f"Authorization: Bearer {self.token()}\r\n\r\n"
        ).encode()
        writers = []
        for _ in range(connections):
            reader, writer = await asyncio.open_connection("127.0.0.1", self.port)
            writers.append(writer)
            writer.write(request)
            await reader.readuntil(b"\r\n\r\n")
        each = (resident_bytes(self.pid) - before) / connections
        for writer in writers:
            writer.close()
        print(f"{connections} idle connections: {each / 1024:.1f} KiB each")

    def _resident(self) -> str:
        return f"{resident_bytes(self.pid) / MIB:.1f} MiB"


@asynccontextmanager
async def opened() -> AsyncIterator[Soak]:
    simulator = Simulator(Options(users={"svc": User("pw")}, keep_upload_bytes=0))
    issuer = DemoIssuer({"bench": Client("secret")})
    await simulator.start()
    await issuer.start()
    port, admin = free_port(), free_port()
    with tempfile.TemporaryDirectory() as folder:
        config = Path(folder) / "gateway.yaml"
        config.touch(mode=0o600)  # a password stands in it
        config.write_text(
            CONFIG.format(
                port=port, admin=admin, upstream=simulator.url, issuer=issuer.url, folder=folder
            )
        )
        command = [sys.executable, "-m", "gateway", "serve", "--config", str(config)]
        gateway = subprocess.Popen(command, stdout=subprocess.DEVNULL)  # noqa: ASYNC220
        try:
            soak = Soak(simulator, issuer, gateway.pid, port, admin)
            headers = {"Authorization": f"Bearer {soak.token()}"}
            async with aiohttp.ClientSession(headers=headers) as session:
                await until_listening(session, soak.url)
            yield soak
        finally:
            gateway.terminate()
            gateway.wait(20)
            await simulator.stop()
            await issuer.stop()


async def measure(minutes: float, connections: int, rate: float) -> None:
    async with opened() as soak:
        print(f"idle: {resident_bytes(soak.pid) / MIB:.1f} MiB")
        await soak.idle(connections)
        await soak.run(minutes, rate)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--minutes", type=float, default=60.0)
    parser.add_argument("--connections", type=int, default=5000)
    parser.add_argument("--rate", type=float, default=100.0, help="of deeds, in a second")
    arguments = parser.parse_args()
    asyncio.run(measure(arguments.minutes, arguments.connections, arguments.rate))


if __name__ == "__main__":
    main()
