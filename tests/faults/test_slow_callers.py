"""A thousand callers who hold connections and never get on with it, and one who is in a hurry."""

import asyncio
import resource
import socket
import sys
from contextlib import suppress
from pathlib import Path
from time import monotonic
from typing import Any

import pytest

from gateway.tasks import TaskSet
from tests.support.apart import Apart
from tests.support.faulty import descriptors, resident_bytes
from tests.support.stage import REST
from tests.support.wire import Wire, head

SLOW = 1000
LIMIT = {"drain_timeout: 1s": "drain_timeout: 0s, max_connections_per_client: 5000"}
MIB = 1024 * 1024
# Until all hold what they can get. Hundreds of readers fill every buffer on the way first, and the
# simulator, which shares its process with a thousand callers, takes its time for that.
SETTLING_SECONDS = 3.0
# Slow readers have what is on its way to them in memory, as many as there are connections.
MORE_BYTES = 200 * MIB
UPLOAD = f"{REST}/filestore/DataFile?filename=slow"
LARGE = 64 * MIB

pytestmark = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="looks into /proc")


class Slow:
    """Callers who never end what they begin, and come again when they are cut off.

    Those who send slowly are of the hurried caller's own team, those who read slowly of another.
    """

    def __init__(self, stage: Apart) -> None:
        number = stage.simulator.engine.add_zero_file("zeros.bin", LARGE).id
        length = f"Content-Length: {LARGE}"
        operators = stage.token("ol-operators")
        self._port = stage.serving.public
        self._beginnings = {
            "head": b"GET /api/v1/me HTTP/1.1\r\nHost: x\r\nX-Slow: ",
            "stranger's body": head("POST", UPLOAD, length),
            "body": head("POST", UPLOAD, length, token=stage.token("ol-billing")),
            "reader": head("GET", f"{REST}/filestore/file/{number}", token=operators),
            "idle": b"",
        }

    async def dawdle(self, number: int) -> None:
        kind = list(self._beginnings)[number % len(self._beginnings)]
        while True:
            with suppress(ConnectionError):
                await self._hold(self._beginnings[kind], trickles=kind in ("head", "body"))

    async def _hold(self, beginning: bytes, *, trickles: bool) -> None:
        endpoint = socket.socket()
        # Little room, so that what a reader does not take stays with the gateway.
        endpoint.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        endpoint.setblocking(False)
        await asyncio.get_running_loop().sock_connect(endpoint, ("127.0.0.1", self._port))
        wire = Wire(*await asyncio.open_connection(sock=endpoint, limit=1))
        try:
            wire.writer.write(beginning)
            while not wire.writer.is_closing() and not wire.reader.at_eof():
                await asyncio.sleep(0.5)
                if trickles:
                    wire.writer.write(b"a")
        finally:
            wire.writer.close()


async def _worst_of_hundred(stage: Apart, seconds: float) -> float:
    """The 99th percentile of a normal caller's durations while slow ones hold on."""
    caller, slow, tasks = stage.caller("ol-billing"), Slow(stage), TaskSet()
    durations: list[float] = []
    for number in range(SLOW):
        tasks.launch(slow.dawdle(number), name="slow")
    await asyncio.sleep(SETTLING_SECONDS)
    until = monotonic() + seconds
    while monotonic() < until:
        began = monotonic()
        assert (await caller.get("/entity/datasets")).status == 200
        durations.append(monotonic() - began)
        await asyncio.sleep(0.005)
    await tasks.cancel()
    assert len(durations) > 50
    return sorted(durations)[int(len(durations) * 0.99)]


async def _judged(folder: Path, seconds: float, until: Any) -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft < 3 * SLOW:
        resource.setrlimit(resource.RLIMIT_NOFILE, (min(hard, 4 * SLOW), hard))
    async with Apart(replace=LIMIT, folder=folder) as stage:
        pid = stage.serving.pid
        await stage.caller("ol-billing").get("/entity/datasets")
        files, memory = descriptors(pid), resident_bytes(pid)
        worst = await _worst_of_hundred(stage, seconds)
        more = resident_bytes(pid) - memory
        print(f"beside {SLOW} slow callers: {worst * 1000:.1f} ms, {more / MIB:+.1f} MiB")
        assert worst < 0.1
        assert more < MORE_BYTES
        # Connections to OL Connect that the crowd has left behind go within moments.
        await until(lambda: descriptors(pid) <= files + 20)


# Slow as well, for it measures: beside other tests on the same cores everybody is slow.
@pytest.mark.slow
async def test_a_thousand_slow_callers_do_not_slow_down_another(tmp_path: Path, until: Any) -> None:
    await _judged(tmp_path, 2.0, until)


@pytest.mark.slow
async def test_a_thousand_slow_callers_for_a_minute(tmp_path: Path, until: Any) -> None:
    await _judged(tmp_path, 60.0, until)
