"""Several workers behind one address and one admin listener."""

import asyncio
import os
import re
import signal
import socket
import sys
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from prometheus_client.parser import text_string_to_metric_families

from gateway.app import Place
from gateway.catalogue import ENDPOINTS
from gateway.settings import Address, load
from gateway.worker import framed

posix = pytest.mark.skipif(sys.platform == "win32", reason="workers are POSIX")

VERSION = "/authentication/version"
STORE = "/filestore"


def _children(pid: int) -> list[int]:
    text = Path(f"/proc/{pid}/task/{pid}/children").read_text()
    return [int(child) for child in text.split()]


async def _requests_counted(gateway: Any, endpoint: str) -> float:
    text = await gateway.metrics()
    return sum(
        sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
        if sample.name == "olgw_requests_total" and sample.labels["endpoint"] == endpoint
    )


async def _load(
    world: Any, gateway: Any, tally: Counter[str], stop: asyncio.Event, path: str
) -> None:
    headers = world.headers()
    url = f"{gateway.url}/rest/serverengine{path}"
    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(force_close=True)) as session:
        while not stop.is_set():
            try:
                async with session.get(url, headers=headers) as response:
                    await response.read()
                    tally[str(response.status)] += 1
            except aiohttp.ClientError as error:
                tally[type(error).__name__] += 1
            await asyncio.sleep(0.005)


@posix
@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="looks into /proc")
async def test_a_worker_that_is_killed_under_load_is_replaced(
    world: Any, redis_url: str, until: Any
) -> None:
    world.configure(workers=2, store=redis_url)
    gateway = await world.serve()
    workers = _children(gateway.process.pid)
    assert len(workers) == 2
    before, meanwhile, after = Counter[str](), Counter[str](), Counter[str]()
    async with _under_load(world, gateway, before, VERSION):
        await until(lambda: before["200"] > 100)
    await _has_counted(world, gateway, before, "authentication.service_version")
    async with _under_load(world, gateway, meanwhile, VERSION):
        await until(lambda: meanwhile["200"] > 10)
        os.kill(workers[0], signal.SIGKILL)
        died = await gateway.line("worker_died")
        assert died["exit_code"] == -signal.SIGKILL
        await world.eventually(lambda: _replaced(world, gateway, workers))
        assert await _requests_counted(gateway, "authentication.service_version") >= before["200"]

    async with _under_load(world, gateway, after, STORE):
        await until(lambda: after["200"] > 100)
    await _has_counted(world, gateway, after, "file_store.service_handshake")
    gateway.send(signal.SIGTERM)
    assert await gateway.end() == 0


@asynccontextmanager
async def _under_load(
    world: Any, gateway: Any, tally: Counter[str], path: str
) -> AsyncIterator[None]:
    """Ends when all that was asked is answered."""
    stop = asyncio.Event()
    async with asyncio.TaskGroup() as group:
        load = [group.create_task(_load(world, gateway, tally, stop, path)) for _ in range(4)]
        yield
        stop.set()
    assert all(task.done() for task in load)


async def _has_counted(world: Any, gateway: Any, tally: Counter[str], endpoint: str) -> None:
    """All were answered well and are counted: by workers that may be too busy to say so at once."""
    assert set(tally) == {"200"}

    async def is_so() -> bool:
        return await _requests_counted(gateway, endpoint) == tally["200"]

    await world.eventually(is_so)


async def _replaced(world: Any, gateway: Any, old: list[int]) -> bool:
    new = set(_children(gateway.process.pid)) - set(old)
    async with world.session.get(f"{gateway.admin_url}/readyz?verbose") as response:
        text = await response.text()
    return len(new) == 1 and response.status == 200 and "[+] worker 2" in text


@posix
async def test_all_workers_take_over_a_reload_and_stop_with_their_supervisor(
    world: Any, redis_url: str
) -> None:
    world.configure(workers=2, store=redis_url)
    gateway = await world.serve()
    text = world.configure({'"file_store.*", ': ""}, workers=2, store=redis_url)
    gateway.send(signal.SIGHUP)
    await gateway.line("reloaded")
    await world.eventually(lambda: _none_allows(world, gateway))
    world.write(text.replace("version: 1", "version: 2"))
    gateway.send(signal.SIGHUP)
    await gateway.line("reload_refused")
    metrics = await gateway.metrics()
    assert "olgw_config_last_reload_successful 0.0" in metrics
    # More, if the supervisor looked at the file before the order came.
    assert re.search(r'^olgw_config_reloads_total\{result="failure"\} [1-9]', metrics, re.MULTILINE)
    assert re.search(r'^olgw_build_info\{version="[^"]+"\} 1\.0$', metrics, re.MULTILINE)
    gateway.send(signal.SIGINT)
    assert await gateway.end() == 0


async def _none_allows(world: Any, gateway: Any) -> bool:
    """Every connection goes to one worker or the other, by chance."""
    for _ in range(12):
        async with aiohttp.ClientSession() as fresh:
            url = f"{gateway.url}/rest/serverengine{STORE}"
            async with fresh.get(url, headers=world.headers()) as response:
                if response.status != 403:
                    return False
    return True


@posix
@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="looks into /proc")
async def test_workers_end_when_their_supervisor_is_killed(
    world: Any, redis_url: str, until: Any
) -> None:
    """Under load, and although somebody reads a stream that goes on and on."""
    drained = {"drain_timeout: 60s": "drain_timeout: 1s"}
    world.configure(drained, workers=2, store=redis_url)
    gateway = await world.serve()
    workers = _children(gateway.process.pid)
    file = world.simulator.engine.add_zero_file("slow.zeros", 2**20).id
    world.simulator.faults.add("slow_body", path="filestore/file", seconds=120)
    url = f"{gateway.url}/rest/serverengine/filestore/file/{file}"
    tally, stop = Counter[str](), asyncio.Event()
    async with asyncio.TaskGroup() as group:
        callers = [group.create_task(_load(world, gateway, tally, stop, VERSION)) for _ in range(4)]
        async with world.session.get(url, headers=world.headers()) as download:
            assert download.status == 200
            await until(lambda: tally["200"])
            gateway.send(signal.SIGKILL)
            await gateway.process.wait()
            # Long before the leash would be drawn: by themselves, because their orders have ended.
            await world.eventually(lambda: _all_gone(workers), seconds=10)
            with pytest.raises(aiohttp.ClientPayloadError):
                await download.read()
        stop.set()
    assert all(caller.done() for caller in callers)


@posix
@pytest.mark.slow
async def test_a_worker_that_misses_its_supervisors_end_is_ended(world: Any) -> None:
    """Here its orders do not end, because somebody holds their other end."""
    world.configure({"drain_timeout: 60s": "drain_timeout: 1s"})
    gone = await asyncio.create_subprocess_exec("true")
    await gone.wait()
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "gateway.worker", str(gone.pid)), stdin=asyncio.subprocess.PIPE
    )
    assert process.stdin is not None
    settings = load(world.config, known_endpoints=ENDPOINTS)
    place = Place(Address("127.0.0.1", 0), world.folder / "admin.sock", shared=True)
    process.stdin.write(framed((settings, place)))
    async with asyncio.timeout(60):
        assert await process.wait() == 1


async def _all_gone(pids: list[int]) -> bool:
    return not any(os.path.exists(f"/proc/{pid}/fd") for pid in pids)  # noqa: ASYNC240


@posix
async def test_an_address_that_another_program_has_is_not_shared_with_it(
    world: Any, redis_url: str
) -> None:
    """Another gateway, say, whose workers share it among themselves."""
    with socket.socket() as other:
        other.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        other.bind(("127.0.0.1", 0))
        other.listen()
        world.configure(workers=2, store=redis_url, port=other.getsockname()[1])
        with pytest.raises(AssertionError, match="ended without"):
            await world.serve()
    assert await world.gateways[-1].end() == 1
