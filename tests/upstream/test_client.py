"""aiohttp's failures become problems, and nothing of a call is changed on its way."""

import asyncio
import gc
import socket
import struct
from collections.abc import AsyncIterator
from typing import Any

import aiohttp
import pytest

from gateway.problems import (
    Problem,
    UpstreamInvalidResponse,
    UpstreamTimeout,
    UpstreamUnreachable,
)
from gateway.settings import Upstream as Settings
from gateway.upstream.call import Call
from gateway.upstream.client import Upstream, problem_of, sent_twice_at_most
from tests.support.peer import OK, Asked, Peer, saying


@pytest.fixture
async def upstream(peer: Peer) -> AsyncIterator[Upstream]:
    upstream = Upstream(Settings.model_validate({"url": peer.url}))
    yield upstream
    await upstream.close()


@pytest.mark.parametrize(
    ("failure", "problem"),
    [
        (aiohttp.SocketTimeoutError(), UpstreamTimeout),
        (aiohttp.ServerDisconnectedError(), UpstreamUnreachable),
        (aiohttp.ClientPayloadError(), UpstreamInvalidResponse),
        (aiohttp.ClientOSError(), UpstreamUnreachable),
        (aiohttp.ClientConnectionResetError(), UpstreamUnreachable),
        (aiohttp.ClientConnectionError(), UpstreamUnreachable),
        (TimeoutError(), UpstreamTimeout),
        (ConnectionResetError(), UpstreamUnreachable),
        (ValueError("10.0.0.1"), UpstreamInvalidResponse),
    ],
)
def test_every_failure_has_its_problem_and_names_no_address(
    failure: Exception, problem: type[Problem]
) -> None:
    found = problem_of(failure)
    assert type(found) is problem
    assert "10.0.0.1" not in found.detail


async def test_the_target_goes_out_byte_for_byte(upstream: Upstream, peer: Peer) -> None:
    call = Call("GET", "/rest/serverengine/filestore/file/a%20b", "q=%7E~%27+&&x=%zz")
    async with upstream.send(call) as response:
        assert response.status == 200
    assert peer.asked[0].target == call.target
    assert {name for name, _ in peer.asked[0].lines} == {"Host"}
    assert call.sent
    assert call.seconds > 0


async def test_what_was_not_sent_is_known_not_to_be(peer: Peer) -> None:
    upstream = Upstream(Settings.model_validate({"url": "http://127.0.0.1:1"}))
    call = Call("POST", "/rest/serverengine")
    with pytest.raises(UpstreamUnreachable):
        async with upstream.send(call):
            pass
    await upstream.close()
    assert not call.sent


async def test_an_answer_not_read_to_its_end_is_not_reused(upstream: Upstream, peer: Peer) -> None:
    peer.script = saying(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nab")
    for _ in range(2):
        async with upstream.send(Call("GET", "/a")) as response:
            assert response.status == 200
    assert peer.connections == 2


async def test_a_kept_connection_that_is_reset_is_nothing_to_report(
    upstream: Upstream, peer: Peer, until: Any, caplog: pytest.LogCaptureFixture
) -> None:
    """asyncio logs, as an error, what a future was told and nobody asked it."""
    kept = asyncio.Event()

    async def script(asked: Asked) -> None:
        asked.writer.write(OK[:-1])
        await asyncio.sleep(0.02)  # so that the body is waited for
        asked.writer.write(OK[-1:])
        if len(peer.asked) == 2:
            await kept.wait()
            line: Any = asked.writer.get_extra_info("socket")
            line.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            asked.writer.transport.abort()

    peer.script = script
    for number in range(3):
        async with upstream.send(Call("GET", "/a")) as response:
            assert await upstream.read(response, 10) == b"ok"
            line = response.connection.protocol
        if number == 1:
            kept.set()
            await until(lambda line=line: not line.is_connected())
    assert peer.connections == 2
    gc.collect()
    assert not [record for record in caplog.records if record.name == "asyncio"]


async def test_a_longer_answer_than_can_be_checked_is_refused(
    upstream: Upstream, peer: Peer
) -> None:
    with pytest.raises(UpstreamInvalidResponse):
        async with upstream.send(Call("GET", "/a")) as response:
            await upstream.read(response, 1)


async def test_a_call_that_does_no_harm_is_sent_again_once(upstream: Upstream, peer: Peer) -> None:
    async def script(asked: Asked) -> None:
        if len(peer.asked) != 2:
            asked.writer.close()
        else:
            asked.writer.write(OK)

    peer.script = script
    async with sent_twice_at_most(upstream, Call("GET", "/a")) as response:
        assert response.status == 200
    with pytest.raises(UpstreamUnreachable):
        async with sent_twice_at_most(upstream, Call("GET", "/a")):
            pass
    assert len(peer.asked) == 4
