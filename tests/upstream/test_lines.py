"""Connections for small requests: used again, told apart from broken ones, not kept for ever."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest
from aiohttp.http_exceptions import HttpProcessingError

from gateway.inbound import ParserLimits
from gateway.problems import UpstreamUnreachable
from gateway.settings import Upstream
from gateway.upstream.call import Call
from gateway.upstream.lines import Lines
from tests.support.peer import OK, Asked, Peer, saying

LIMITS = ParserLimits(max_line_size=8000, max_field_size=8000, max_headers=100)


async def _opened(
    peer: Peer, keepalive_seconds: float, read_timeout: str = "30s"
) -> AsyncIterator[Lines]:
    settings = Upstream.model_validate({"url": peer.url, "read_timeout": read_timeout})
    lines = Lines(settings, None, keepalive_seconds=keepalive_seconds, **LIMITS)
    yield lines
    await lines.close()


@pytest.fixture
async def lines(peer: Peer) -> AsyncIterator[Lines]:
    async for opened in _opened(peer, 3600.0):
        yield opened


@pytest.fixture
async def brief_lines(peer: Peer) -> AsyncIterator[Lines]:
    async for opened in _opened(peer, 0.1):
        yield opened


@pytest.fixture
async def impatient_lines(peer: Peer) -> AsyncIterator[Lines]:
    async for opened in _opened(peer, 3600.0, "250ms"):
        yield opened


async def _asked(lines: Lines, method: str = "GET", body: bytes | None = None) -> Any:
    reply = await lines.send(Call(method, "/a", body=body))
    line = reply.connection.protocol if reply.connection else None
    reply.release()
    return reply, line


async def test_a_connection_serves_again(lines: Lines, peer: Peer) -> None:
    first, second = [(await _asked(lines, method))[1] for method in ("GET", "HEAD")]
    assert first is second
    assert peer.connections == 1


async def test_bodies_are_framed(lines: Lines, peer: Peer) -> None:
    await _asked(lines, "POST", b"abc")
    await _asked(lines, "POST")
    assert [asked.all("Content-Length") for asked in peer.asked] == [["3"], ["0"]]
    assert peer.asked[0].body == b"abc"


async def test_what_is_idle_is_closed_when_nobody_asks(
    brief_lines: Lines, peer: Peer, until: Any
) -> None:
    _, line = await _asked(brief_lines)
    assert line.is_connected()
    await until(lambda: not line.is_connected())
    assert (await _asked(brief_lines))[0].status == 200
    assert peer.connections == 2


async def test_a_connection_with_more_than_its_answer_is_not_used_again(
    lines: Lines, peer: Peer
) -> None:
    ok = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
    peer.script = saying(ok + ok)
    _, line = await _asked(lines)
    await asyncio.sleep(0.01)
    assert (await _asked(lines))[1] is not line


@pytest.mark.parametrize("unasked", [b"H", b"HTTP/1.1 200 OK\r\n", b"\r\n"])
async def test_what_is_said_unasked_ends_the_connection(
    lines: Lines, peer: Peer, until: Any, unasked: bytes
) -> None:
    """Half an answer that nobody has asked for would be the beginning of the next one's."""
    asked: list[Asked] = []

    async def script(one: Asked) -> None:
        asked.append(one)
        one.writer.write(OK)

    peer.script = script
    _, line = await _asked(lines)
    asked[0].writer.write(unasked)
    await until(lambda: not line.is_connected())
    assert (await _asked(lines))[0].status == 200
    assert peer.connections == 2


async def test_a_connection_lost_as_soon_as_it_stands_is_told_as_such(
    lines: Lines, monkeypatch: pytest.MonkeyPatch
) -> None:
    connect = lines._connect

    async def lost() -> Any:
        line = await connect()
        line.abort()
        return line

    monkeypatch.setattr(lines, "_connect", lost)
    call = Call("POST", "/a")
    with pytest.raises(UpstreamUnreachable):
        await lines.send(call)
    assert not call.sent


async def test_failures_have_names(lines: Lines, impatient_lines: Lines, peer: Peer) -> None:
    peer.script = saying(b"SMTP ready\r\n\r\n")
    with pytest.raises(HttpProcessingError):
        await lines.send(Call("GET", "/a"))

    async def silent(_: object) -> None:
        await asyncio.Event().wait()

    peer.script = silent
    with pytest.raises(TimeoutError):
        await impatient_lines.send(Call("GET", "/a"))
    with pytest.raises(ValueError, match="line break"):
        await lines.send(Call("GET", "/a", headers=[("a", "b\r\nc: d")]))


async def test_nobody_there() -> None:
    settings = Upstream.model_validate({"url": "http://127.0.0.1:1"})
    lines = Lines(settings, None, keepalive_seconds=1, **LIMITS)
    with pytest.raises(UpstreamUnreachable):
        await lines.send(Call("GET", "/a"))
    await lines.close()
