"""Starts under faults, with OL Connect restarted and the gateway killed: none lost, none twice."""

import asyncio
import signal
import sys
from collections import Counter, deque
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from gateway.ledger import Ledger
from gateway.model import Kind, Thing
from gateway.simulator.issuer import DemoIssuer
from gateway.simulator.options import Options
from gateway.simulator.server import Simulator
from gateway.stores import open_store
from tests.support.ports import free_port
from tests.support.stage import CONFIG, REST, USERS

CALLERS = 20
MAPPER = f"{REST}/workflow/datamining/Promo-EN.OL-datamapper"


class Killable:
    """The real command in a process of its own, killed without a warning and begun again."""

    def __init__(self, config: Path, port: int) -> None:
        self._config = config
        self.url = f"http://127.0.0.1:{port}"
        self._process: asyncio.subprocess.Process | None = None

    async def start(self) -> None:
        arguments = ("-m", "gateway", "serve", "--config", str(self._config))
        self._process = await asyncio.create_subprocess_exec(
            sys.executable, *arguments, stdout=asyncio.subprocess.DEVNULL
        )

    async def stop(self, number: signal.Signals) -> None:
        assert self._process is not None
        if self._process.returncode is None:
            self._process.send_signal(number)
        await self._process.wait()


class Theatre:
    """Simulator, issuer and gateway, and what goes wrong between them."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.simulator = Simulator(Options(users=USERS, operation_seconds=20))
        self.issuer = DemoIssuer(audience="olconnect")
        self.gateway: Killable
        self.session: aiohttp.ClientSession
        self.path = ""
        self.outcomes: dict[str, str] = {}
        self.disturbed: set[str] = set()
        """Keys whose start met a fault, or a restart while it was asked for."""
        self._asked: set[str] = set()
        self._restarting = 0

    @asynccontextmanager
    async def open(self) -> AsyncIterator["Theatre"]:
        await self.simulator.start(port=free_port())
        # Nothing may be forgotten that the test will count.
        self.simulator.record.requests = deque()
        self.simulator.record.operations = deque()
        await self.issuer.start(port=free_port())
        self.gateway = Killable(self._write_config(port := free_port()), port)
        await self.gateway.start()
        token = self.issuer.mint(groups=["ol-billing"], ttl_seconds=3600)
        headers = {"Authorization": f"Bearer {token}"}
        try:
            async with aiohttp.ClientSession(headers=headers) as self.session:
                self.path = f"{MAPPER}/{await self._upload()}"
                yield self
        finally:
            await self.gateway.stop(signal.SIGTERM)
            await self.issuer.stop()
            await self.simulator.stop()

    def _write_config(self, port: int) -> Path:
        text = CONFIG.format(upstream=self.simulator.url, issuer=self.issuer.url)
        for old, new in (
            ('address: "127.0.0.1:0", cors', f'address: "127.0.0.1:{port}", cors'),
            ('admin: {address: "127.0.0.1:0"}', f'admin: {{address: "127.0.0.1:{free_port()}"}}'),
            ('"memory:"', "sqlite:olgw.db"),
            ("read_timeout: 15s", "read_timeout: 60s"),  # the machine may be slower than OL Connect
        ):
            assert old in text
            text = text.replace(old, new)
        config = self.folder / "gateway.yaml"
        config.write_text(text)
        config.chmod(0o600)  # it holds passwords
        return config

    async def _upload(self) -> str:
        url = f"{self.gateway.url}{REST}/filestore/DataFile"
        for _ in range(200):
            try:
                async with self.session.post(url, data=b'[{"Name":"Jane"}]') as reply:
                    assert reply.status == 200
                    return await reply.text()
            except aiohttp.ClientError:
                await asyncio.sleep(0.05)
        raise AssertionError("the gateway does not come up")

    async def ask(self, key: str) -> None:
        self._asked.add(key)
        if self._restarting:
            self.disturbed.add(key)
        try:
            await self._ask(key)
        finally:
            self._asked.discard(key)

    async def _ask(self, key: str) -> None:
        """Start what belongs to a key, as a patient client does; note what came of it."""
        unknown, status, content = 0, 0, dict[str, Any]()
        for _ in range(300):
            status, content, operation = await self._post(key)
            if status == 202:
                self.outcomes[key] = operation
                return
            unknown += content.get("error", {}).get("started") == "unknown"
            if unknown == 3:
                self.outcomes[key] = "unknown"
                return
            await asyncio.sleep(0.1)
        raise AssertionError(f"{key}: {status} {content}")

    async def _post(self, key: str) -> tuple[int, dict[str, Any], str]:
        url = f"{self.gateway.url}{self.path}?key={key}"
        try:
            async with self.session.post(url, headers={"Idempotency-Key": key}) as reply:
                content = {} if reply.status == 202 else await reply.json()
                return reply.status, content, reply.headers.get("operationId", "")
        except (aiohttp.ClientError, TimeoutError):
            return 0, {}, ""

    async def restart_gateway(self) -> None:
        with self._disturbing():
            await self.gateway.stop(signal.SIGKILL)
            await self.gateway.start()

    async def restart_upstream(self) -> None:
        port = self.simulator.port
        with self._disturbing():
            await self.simulator.stop()
            await asyncio.sleep(0.2)
            await self.simulator.start(port=port)

    @contextmanager
    def _disturbing(self) -> Iterator[None]:
        self.disturbed |= self._asked
        self._restarting += 1
        try:
            yield
        finally:
            self._restarting -= 1

    def spoil(self, key: str, number: int) -> None:
        faults = self.simulator.faults
        faults.set([fault for fault in faults._faults if fault.times])
        if number % 10 in (3, 7):
            self.disturbed.add(key)
            fault = "drop_before" if number % 10 == 3 else "drop_after_start"
            faults.add(fault, method="POST", path=f"key={key}$")

    async def owners(self) -> Counter[str | None]:
        """Whose the operations that OL Connect began are, by what the ledger's file says."""
        store = await open_store("sqlite:olgw.db", base=self.folder)
        try:
            ids = [operation.id for operation in self.simulator.record.operations]
            ledger = Ledger(store, lambda: 0.0)
            return Counter(await ledger.owners([Thing(Kind.OPERATION, id_) for id_ in ids]))
        finally:
            await store.close()

    def begun(self) -> Counter[str]:
        """How often OL Connect began an operation for each key."""
        return Counter(
            entry.raw_path.partition("key=")[2]
            for entry in self.simulator.record.requests
            if "key=" in entry.raw_path
            and (entry.status == 202 or entry.fault == "drop_after_start")
        )


async def _run(
    theatre: Theatre, count: int, events: dict[int, Callable[[], Awaitable[None]]]
) -> None:
    keys = iter(range(count))

    async def caller() -> None:
        for number in keys:
            key = f"k{number}-"
            theatre.spoil(key, number)
            if number in events:
                await events[number]()
            await theatre.ask(key)

    async with asyncio.TaskGroup() as group:
        for _ in range(CALLERS):
            group.create_task(caller())


@pytest.mark.timeout(1200)
@pytest.mark.parametrize("count", [60, pytest.param(10_000, marks=pytest.mark.slow)])
async def test_none_is_lost_and_none_is_started_twice(tmp_path: Path, count: int) -> None:
    async with Theatre(tmp_path).open() as theatre:
        events: dict[int, Callable[[], Awaitable[None]]] = {}
        for part in range(1, 6):
            event = theatre.restart_gateway if part % 2 else theatre.restart_upstream
            events[part * count // 6] = event
        await _run(theatre, count, events)
        owners = await theatre.owners()
        for _ in range(60):
            if None not in owners:
                break
            await asyncio.sleep(0.25)
            owners = await theatre.owners()
    begun = theatre.begun()
    assert begun.total() == len(theatre.simulator.record.operations)
    assert max(begun.values()) == 1, "started twice"
    assert owners == Counter(billing=begun.total()), "lost"
    known = {key: id_ for key, id_ in theatre.outcomes.items() if id_ != "unknown"}
    assert len(theatre.outcomes) == count
    assert len(set(known.values())) == len(known)
    assert set(known.values()) <= {each.id for each in theatre.simulator.record.operations}
    assert known.keys() | theatre.disturbed == theatre.outcomes.keys(), "unknown without a reason"
