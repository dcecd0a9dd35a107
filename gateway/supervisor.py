"""Several worker processes that share one public address, kept alive by one that does no work.

The system spreads new connections over the workers (SO_REUSEPORT, hence not on Windows). The
supervisor reads the configuration, hands it to the workers, and answers on the admin listener.
"""

import asyncio
import os
import socket
import sys
import tempfile
from collections.abc import Collection
from contextlib import AsyncExitStack, suppress
from functools import partial
from itertools import count
from pathlib import Path
from time import monotonic

import aiohttp
import structlog

from gateway import admin, listener, merging, worker
from gateway.admin import Admin, Check
from gateway.app import Place
from gateway.families import Registry
from gateway.merging import Part, Total
from gateway.metrics import Metrics
from gateway.risks import Risk
from gateway.run import Orders, Reloader, follow
from gateway.settings import Address, Settings
from gateway.tasks import TaskSet, every

log = structlog.get_logger("gateway")

_COLLECT_SECONDS = 2.0
_ASK_TIMEOUT = aiohttp.ClientTimeout(total=2.0)
_LIVED_SECONDS = 5.0
_FIRST_BACK_OFF_SECONDS = 0.5
_LONGEST_BACK_OFF_SECONDS = 30.0
_LOOK_SECONDS = 0.02
# What a worker may take beyond its drain to write down what it knows.
_GRACE_SECONDS = 10.0


async def serve(path: Path, settings: Settings, taken: Collection[Risk] = ()) -> None:
    """Run ``listen.workers`` workers until told to stop. Raises OSError if they cannot start."""
    orders = Orders()
    orders.follow_signals()
    with tempfile.TemporaryDirectory(prefix="olgw-") as folder, _reserved(settings) as public:
        host, port = public.getsockname()[:2]
        supervisor = Supervisor(settings, Address(host, port), Path(folder))
        async with AsyncExitStack() as stack:
            stack.push_async_callback(supervisor.stop, orders)
            await supervisor.start()
            reloader = Reloader(path, settings, supervisor.metrics, supervisor.take_over, taken)
            await follow(orders, reloader)


def _reserved(settings: Settings) -> socket.socket:
    """The public address, bound but not listened on: it fixes a port that the system chooses.

    Raises OSError if another program has it; of two gateways the second must not get a share.
    """
    address = settings.listen.address
    family, kind, protocol, _, target = socket.getaddrinfo(
        address.host, address.port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
    )[0]
    with socket.socket(family, kind, protocol) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        probe.bind(target)
        probe.listen()
    reserved = socket.socket(family, kind, protocol)
    reserved.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
    reserved.bind(target)
    return reserved


class Worker:
    """One worker process, and what it has told about itself."""

    def __init__(self, process: asyncio.subprocess.Process, admin_socket: Path) -> None:
        self.process = process
        self.part: Part = {}
        self._taken_at = 0.0
        self.born = monotonic()
        self._socket = admin_socket

    @property
    def is_listening(self) -> bool:
        return self.process.returncode is None and self._socket.exists()

    def order(self, order: worker.Order) -> None:
        assert self.process.stdin is not None
        if self.process.returncode is None:
            self.process.stdin.write(worker.framed(order))

    async def collect(self) -> None:
        if self.is_listening:
            status, content = await self._ask("/snapshot")
            if status == 200:
                self._take(*merging.read(content))

    def _take(self, taken_at: float, part: Part) -> None:
        # Two may have asked at once, and the older answer come last; or the worker have died
        # since, and what it told be counted as a dead one's. Either would make counters fall.
        if taken_at > self._taken_at and self.process.returncode is None:
            self._taken_at, self.part = taken_at, part

    async def is_ready(self) -> bool:
        return (await self._ask("/readyz"))[0] == 200

    async def _ask(self, path: str) -> tuple[int, bytes]:
        connector = aiohttp.UnixConnector(str(self._socket))
        try:
            async with (
                aiohttp.ClientSession(connector=connector, timeout=_ASK_TIMEOUT) as session,
                session.get(f"http://worker{path}") as answer,
            ):
                return answer.status, await answer.read()
        except (aiohttp.ClientError, TimeoutError, OSError):
            return 0, b""


class Supervisor:
    """Starts workers, restarts those that die, and speaks for them all."""

    def __init__(self, settings: Settings, public: Address, folder: Path) -> None:
        self.metrics = Metrics()
        self._settings = settings
        self._public = public
        self._folder = folder
        self._tasks = TaskSet()
        self._workers: dict[int, Worker] = {}
        self._sockets = count()
        self._total = Total()
        self._departed: Part = {}
        self._stopping = False
        self._admin: listener.Listener | None = None

    async def start(self) -> None:
        """Returns when all workers listen. Raises OSError if one of them cannot."""
        numbers = range(1, self._settings.listen.workers + 1)
        for number in numbers:
            self._workers[number] = await self._spawn()
        while not all(worker.is_listening for worker in self._workers.values()):
            if any(worker.process.returncode is not None for worker in self._workers.values()):
                raise OSError("a worker cannot start; its log line says why")
            await asyncio.sleep(_LOOK_SECONDS)
        for number in numbers:
            self._tasks.launch(self._keep(number), name=f"worker {number}")
        # Added up as well: series that are new since then are made here, not at the next scrape.
        self._tasks.launch(every(_COLLECT_SECONDS, self._gathered, name="metrics"), name="metrics")
        self._admin = await self._listen()
        log.info("listening", public=f"http://{self._public}", admin=str(self._admin))

    async def _listen(self) -> listener.Listener:
        checks = [Check("at least one worker listens", self._has_workers)]
        checks += [Check(f"worker {n}", partial(self._is_fit, n)) for n in self._workers]
        return await listener.listen(
            Admin(self._gathered, checks).handle,
            self._settings.admin.address,
            malformed=admin.refused,
            max_header_bytes=self._settings.listen.max_header,
        )

    def take_over(self, settings: Settings) -> None:
        """Hand a changed configuration to all workers, and to those that come after them."""
        self._settings = settings
        for worker_ in self._workers.values():
            worker_.order(settings)

    async def stop(self, orders: Orders) -> None:
        """End the workers as ``Gateway.close`` ends one; in the end, by force."""
        self._stopping = True
        log.info("stopping", drain_seconds=self._settings.listen.drain_timeout)
        self._order_stop()
        ended = self._tasks.start(self._all_ended(), name="end")
        hurried = self._tasks.start(orders.hurry.wait(), name="hurry")
        limit = self._settings.listen.drain_timeout + _GRACE_SECONDS
        await asyncio.wait((ended, hurried), timeout=limit, return_when=asyncio.FIRST_COMPLETED)
        if not ended.done():
            self._order_stop()
            await asyncio.wait((ended,), timeout=_GRACE_SECONDS)
        for worker_ in self._workers.values():
            with suppress(ProcessLookupError):
                worker_.process.kill()
        # An event loop does not close while it has children.
        await self._all_ended()
        await self._tasks.cancel()
        if self._admin is not None:
            await self._admin.stop()
        log.info("stopped")

    def _order_stop(self) -> None:
        for worker_ in self._workers.values():
            worker_.order("stop")

    async def _all_ended(self) -> None:
        await asyncio.gather(*(worker_.process.wait() for worker_ in self._workers.values()))

    async def _spawn(self) -> Worker:
        admin_socket = self._folder / f"{next(self._sockets)}.sock"
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            "-m",
            "gateway.worker",
            str(os.getpid()),
            stdin=asyncio.subprocess.PIPE,
            # Ctrl-C is for the supervisor, which passes it on.
            start_new_session=True,
        )
        spawned = Worker(process, admin_socket)
        assert process.stdin is not None
        place = Place(self._public, admin_socket, shared=True)
        process.stdin.write(worker.framed((self._settings, place)))
        return spawned

    async def _keep(self, number: int) -> None:
        """Put a new worker in the place of one that has died; later, if it dies at once."""
        back_off = 0.0
        while True:
            dead = self._workers[number]
            code = await dead.process.wait()
            if self._stopping:
                return
            lived = monotonic() - dead.born
            brief = lived < _LIVED_SECONDS
            back_off = min(2 * back_off, _LONGEST_BACK_OFF_SECONDS) if brief else 0.0
            log.error("worker_died", worker=number, exit_code=code, restart_seconds=back_off)
            self._departed = merging.accumulated(Total().of((self._departed, dead.part)))
            dead.part = {}
            await asyncio.sleep(back_off)
            if self._stopping:
                return
            back_off = back_off or _FIRST_BACK_OFF_SECONDS
            self._workers[number] = await self._spawn()
            if self._stopping:  # the order to stop came while it was being made
                self._workers[number].order("stop")

    async def _collect(self) -> None:
        await asyncio.gather(*(worker_.collect() for worker_ in self._workers.values()))

    async def _gathered(self) -> Registry:
        await self._collect()
        own = merging.part_of(self.metrics.registry)
        workers = (worker_.part for worker_ in self._workers.values())
        return self._total.of((own, *workers, self._departed))

    async def _has_workers(self) -> bool:
        return not self._stopping and any(one.is_listening for one in self._workers.values())

    async def _is_fit(self, number: int) -> bool:
        """Whether the worker is ready. One that does not listen gets no requests either."""
        worker_ = self._workers[number]
        return not worker_.is_listening or await worker_.is_ready()
