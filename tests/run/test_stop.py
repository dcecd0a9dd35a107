"""A stop as a real process sees it: who is under way arrives, nobody new comes in."""

import asyncio
import signal
import sys
from collections.abc import AsyncIterator
from typing import Any

import aiohttp
import pytest

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="signals are POSIX")

REST = "/rest/serverengine"
MIB = 1024 * 1024


async def _upload(world: Any, gateway: Any, pieces: asyncio.Queue[bytes]) -> tuple[int, int]:
    async def body() -> AsyncIterator[bytes]:
        while piece := await pieces.get():
            yield piece

    url = f"{gateway.url}{REST}/filestore/DataFile?filename=slow.bin"
    async with world.session.post(url, data=body(), headers=world.headers()) as response:
        identifier = await response.text()
    return response.status, world.simulator.engine.files.find(identifier).content.size


async def _download(world: Any, gateway: Any, seconds: float) -> tuple[int, int]:
    file = world.simulator.engine.add_zero_file("slow.zeros", MIB).id
    world.simulator.faults.add("slow_body", path="filestore/file", seconds=seconds)
    url = f"{gateway.url}{REST}/filestore/file/{file}"
    async with world.session.get(url, headers=world.headers()) as response:
        return response.status, len(await response.read())


async def test_what_is_under_way_ends_and_nobody_new_comes_in(world: Any) -> None:
    gateway = await world.serve()
    pieces: asyncio.Queue[bytes] = asyncio.Queue()
    async with asyncio.TaskGroup() as group:
        upload = group.create_task(_upload(world, gateway, pieces))
        download = group.create_task(_download(world, gateway, 1.5))
        await pieces.put(b"a" * MIB)
        await world.eventually(lambda: _under_way(gateway, 2))
        gateway.send(signal.SIGTERM)
        await gateway.line("stopping")
        await world.eventually(lambda: _refuses(world, gateway))
        assert await gateway.ready() == 503
        for _ in range(5):
            await pieces.put(b"b" * MIB)
            await asyncio.sleep(0.2)
        await pieces.put(b"")
    assert upload.result() == (200, 6 * MIB)
    assert download.result() == (200, MIB)
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


async def test_a_kept_connection_is_told_to_close_with_its_next_answer(world: Any) -> None:
    gateway = await world.serve()
    host, port = gateway.url.removeprefix("http://").split(":")
    reader, writer = await asyncio.open_connection(host, int(port))
    request = b"GET / HTTP/1.1\r\nHost: gateway.test\r\n\r\n"
    writer.write(request)
    assert b"connection: close" not in (await reader.readuntil(b"\r\n\r\n")).lower()
    gateway.send(signal.SIGTERM)
    await world.eventually(lambda: _refuses(world, gateway))
    writer.write(request)
    answer = await reader.read()
    assert b"HTTP/1.1 200" in answer
    assert b"connection: close" in answer.lower()
    writer.close()
    assert await gateway.end() == 0


async def test_an_idle_connection_does_not_hold_up_the_stop(world: Any) -> None:
    gateway = await world.serve()
    assert await gateway.status("/authentication/version", world.headers()) == 200
    gateway.send(signal.SIGINT)
    assert await gateway.end(seconds=5) == 0


async def test_the_second_signal_stops_at_once_and_breaks_streams_off(world: Any) -> None:
    gateway = await world.serve()
    download = asyncio.ensure_future(_download(world, gateway, 60))  # noqa: TID251
    await world.eventually(lambda: _under_way(gateway, 1))
    await asyncio.sleep(0.1)
    gateway.send(signal.SIGTERM)
    await gateway.line("stopping")
    gateway.send(signal.SIGTERM)
    with pytest.raises(aiohttp.ClientError):
        await asyncio.wait_for(download, 5)
    assert await gateway.end(seconds=5) == 0


async def test_after_the_drain_timeout_whoever_waits_is_refused_and_streams_break(
    world: Any,
) -> None:
    world.configure({"drain_timeout: 10s": "drain_timeout: 500ms"})
    gateway = await world.serve()
    world.simulator.faults.add("delay", path="authentication/version", seconds=60)
    url = f"{gateway.url}{REST}/authentication/version"
    waiting = asyncio.ensure_future(_answer(world, url))  # noqa: TID251
    download = asyncio.ensure_future(_download(world, gateway, 60))  # noqa: TID251
    await world.eventually(lambda: _under_way(gateway, 2))
    await asyncio.sleep(0.2)
    gateway.send(signal.SIGTERM)
    status, retry_after, body = await asyncio.wait_for(waiting, 5)
    assert (status, retry_after, body["error"]["code"]) == (503, "1", "draining")
    with pytest.raises(aiohttp.ClientError):
        await asyncio.wait_for(download, 5)
    requests = [await gateway.line("request") for _ in range(2)]
    assert {(line["status"], line["problem"]) for line in requests} == {
        (503, "draining"),
        (200, "draining"),
    }
    assert await gateway.end(seconds=5) == 0


async def _answer(world: Any, url: str) -> tuple[int, str, Any]:
    async with world.session.get(url, headers=world.headers()) as response:
        return response.status, response.headers.get("Retry-After", ""), await response.json()
