"""A stop as a real process sees it: who is under way arrives, nobody new comes in."""

import asyncio
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import aiohttp
import pytest

from gateway.app import Gateway
from gateway.tasks import TaskSet
from tests.support.stage import Stage
from tests.support.wire import dial

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="signals are POSIX")

REST = "/rest/serverengine"
MIB = 1024 * 1024
LARGE = 32 * MIB  # more than the way to the caller holds: under way for as long as nobody reads it


async def _upload(world: Any, gateway: Any, pieces: asyncio.Queue[bytes]) -> tuple[int, int]:
    async def body() -> AsyncIterator[bytes]:
        while piece := await pieces.get():
            yield piece

    url = f"{gateway.url}{REST}/filestore/DataFile?filename=slow.bin"
    async with world.session.post(url, data=body(), headers=world.headers()) as response:
        identifier = await response.text()
    return response.status, world.simulator.engine.files.find(identifier).content.size


@asynccontextmanager
async def _download(world: Any, gateway: Any, size: int) -> AsyncIterator[aiohttp.ClientResponse]:
    """Entered when the answer has begun."""
    file = world.simulator.engine.add_zero_file("some.zeros", size).id
    url = f"{gateway.url}{REST}/filestore/file/{file}"
    async with world.session.get(url, headers=world.headers()) as response:
        assert response.status == 200
        yield response


@asynccontextmanager
async def _endless_download(world: Any, gateway: Any) -> AsyncIterator[aiohttp.ClientResponse]:
    world.simulator.faults.add("slow_body", path="filestore/file", seconds=600)
    async with _download(world, gateway, MIB) as response:
        yield response


async def test_what_is_under_way_ends_and_nobody_new_comes_in(world: Any) -> None:
    gateway = await world.serve()
    pieces: asyncio.Queue[bytes] = asyncio.Queue()
    async with asyncio.TaskGroup() as group:
        upload = group.create_task(_upload(world, gateway, pieces))
        await pieces.put(b"a" * MIB)
        async with _download(world, gateway, LARGE) as download:
            await world.eventually(lambda: _under_way(gateway, 2))
            gateway.send(signal.SIGTERM)
            await gateway.line("stopping")
            await world.eventually(lambda: _refuses(world, gateway))
            assert await gateway.ready() == 503
            assert len(await download.read()) == LARGE
        for _ in range(5):
            await pieces.put(b"b" * MIB)
            await asyncio.sleep(0.2)
        await pieces.put(b"")
    assert upload.result() == (200, 6 * MIB)
    assert await gateway.end() == 0


async def _under_way(gateway: Any, count: int) -> bool:
    return f"olgw_requests_in_flight {count}.0" in await gateway.metrics()


async def _refuses(world: Any, gateway: Any) -> bool:
    try:
        async with aiohttp.ClientSession() as fresh:
            await (await fresh.get(gateway.url)).read()
    except aiohttp.ClientConnectionError:
        return True
    return False


async def test_an_idle_connection_does_not_hold_up_the_stop(world: Any) -> None:
    gateway = await world.serve()
    assert await gateway.status("/authentication/version", world.headers()) == 200
    gateway.send(signal.SIGINT)
    assert await gateway.end() == 0


async def test_the_second_signal_stops_at_once_and_breaks_streams_off(world: Any) -> None:
    gateway = await world.serve()
    async with _endless_download(world, gateway) as download:
        gateway.send(signal.SIGTERM)
        await gateway.line("stopping")
        gateway.send(signal.SIGTERM)
        with pytest.raises(aiohttp.ClientPayloadError):
            await asyncio.wait_for(download.read(), 30)
    assert await gateway.end() == 0


async def test_after_the_drain_timeout_whoever_waits_is_refused_and_streams_break(
    world: Any,
) -> None:
    world.configure({"drain_timeout: 60s": "drain_timeout: 500ms"})
    gateway = await world.serve()
    world.simulator.faults.add("delay", path="authentication/version", seconds=60)
    url = f"{gateway.url}{REST}/authentication/version"
    waiting = asyncio.ensure_future(_answer(world, url))  # noqa: TID251
    async with _endless_download(world, gateway) as download:
        await world.eventually(lambda: _under_way(gateway, 2))
        gateway.send(signal.SIGTERM)
        status, retry_after, body = await asyncio.wait_for(waiting, 30)
        assert (status, retry_after, body["error"]["code"]) == (503, "1", "draining")
        with pytest.raises(aiohttp.ClientPayloadError):
            await asyncio.wait_for(download.read(), 30)
    requests = [await gateway.line("request") for _ in range(2)]
    assert {(line["status"], line["problem"]) for line in requests} == {
        (503, "draining"),
        (200, "draining"),
    }
    assert await gateway.end() == 0


async def _answer(world: Any, url: str) -> tuple[int, str, Any]:
    async with world.session.get(url, headers=world.headers()) as response:
        return response.status, response.headers.get("Retry-After", ""), await response.json()


# What a process would show only with luck


async def test_a_kept_connection_is_told_to_close_with_its_next_answer(
    stage: Stage, until: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Then the one that is idle is closed, which the machine may have spent standing still.
    monkeypatch.setattr("gateway.server._IDLE_SECONDS", 60.0)
    gateway = await Gateway.open(stage.settings(**{"drain_timeout: 1s": "drain_timeout: 60s"}))
    request = b"GET / HTTP/1.1\r\nHost: gateway.test\r\n\r\n"
    async with dial(gateway.public.port) as wire:
        await wire.send(request)
        assert (await wire.answer()).one("Connection") is None
        closing = TaskSet().start(gateway.close())
        await until(lambda: gateway.public.server.is_draining)
        await wire.send(request)
        answer = await wire.answer()
        assert (answer.status, answer.one("Connection")) == (200, "close")
        assert await wire.rest() == b""
    await closing
