"""Large bodies, which pass the parser by: what is whole is whole, what is cut is told to be."""

import asyncio
from collections.abc import AsyncIterator, Callable

import pytest
from aiohttp import ClientError

from gateway.inbound import ParserLimits
from gateway.settings import Upstream
from gateway.upstream.call import Call
from gateway.upstream.lines import LineReply, Lines
from tests.support.peer import Asked, Peer, Script, said

LIMITS = ParserLimits(max_line_size=8000, max_field_size=8000, max_headers=100)
BODY = bytes(range(256)) * 16_384  # 4 MiB
HEAD = said(f"Content-Length: {len(BODY)}")
SMALL = said("Content-Length: 2", body=b"ok")


@pytest.fixture
async def lines(peer: Peer, request: pytest.FixtureRequest) -> AsyncIterator[Lines]:
    """The parameter is how long they wait."""
    read_timeout = getattr(request, "param", "30s")
    settings = Upstream.model_validate({"url": peer.url, "read_timeout": read_timeout})
    opened = Lines(settings, None, keepalive_seconds=60.0, **LIMITS)
    yield opened
    await opened.close()


def _writing(*pieces: bytes, then: Callable[[Asked], None] = lambda asked: None) -> Script:
    async def script(asked: Asked) -> None:
        for piece in pieces:
            asked.writer.write(piece)
            await asked.writer.drain()
            await asyncio.sleep(0.01)
        then(asked)

    return script


def _closes(asked: Asked) -> None:
    asked.writer.close()


def _resets(asked: Asked) -> None:
    asked.writer.transport.abort()


WHOLE = {
    "in one piece": _writing(HEAD + BODY),
    "after its head": _writing(HEAD, BODY),
    "in pieces": _writing(HEAD + BODY[:1], BODY[1:2_000_000], BODY[2_000_000:-1], BODY[-1:]),
    "begun with its head": _writing(HEAD + BODY[:4_000_000], BODY[4_000_000:]),
    "and the end": _writing(HEAD + BODY, then=_closes),
    "and more than that": _writing(HEAD, BODY + b"more", b"and more"),
    "and another answer": _writing(HEAD, BODY[:-1], BODY[-1:] + SMALL),
    "in chunks": _writing(
        said("Transfer-Encoding: chunked"), b"%x\r\n%b\r\n" % (len(BODY), BODY), b"0\r\n\r\n"
    ),
}
CUT = {
    "closed": _writing(HEAD, BODY[:-1], then=_closes),
    "closed early": _writing(HEAD, then=_closes),
    "reset": _writing(HEAD, BODY[:2_000_000], then=_resets),
}
SILENT = _writing(HEAD, BODY[:-1])


async def _sent(lines: Lines) -> LineReply:
    return await lines.send(Call("GET", "/a"))


async def _read(reply: LineReply) -> bytes:
    read = [piece async for piece in reply.content.iter_any()]
    reply.release()
    return b"".join(read)


@pytest.mark.parametrize("script", WHOLE.values(), ids=WHOLE)
async def test_it_is_what_was_sent(lines: Lines, peer: Peer, script: Script) -> None:
    peer.script = script
    assert await _read(await _sent(lines)) == BODY


@pytest.mark.parametrize("name", ["and the end", "and more than that"])
async def test_it_is_whole_however_late_it_is_read(lines: Lines, peer: Peer, name: str) -> None:
    peer.script = WHOLE[name]
    reply = await _sent(lines)
    read = [await reply.content.read(1000)]
    while not reply.content.at_eof():
        await asyncio.sleep(0.002)
        read.append(await reply.content.read(500_000))
    reply.release()
    assert b"".join(read) == BODY


@pytest.mark.parametrize("script", CUT.values(), ids=CUT)
async def test_a_part_is_never_taken_for_it(lines: Lines, peer: Peer, script: Script) -> None:
    peer.script = script
    reply = await _sent(lines)
    with pytest.raises(ClientError):
        await _read(reply)
    reply.close()


@pytest.mark.parametrize("lines", ["1s"], indirect=True)
async def test_a_rest_that_does_not_come_is_not_waited_for(lines: Lines, peer: Peer) -> None:
    peer.script = SILENT
    with pytest.raises((ClientError, TimeoutError)):
        await _read(await _sent(lines))


async def test_nothing_that_follows_is_taken_for_an_answer(lines: Lines, peer: Peer) -> None:
    peer.script = WHOLE["and another answer"]
    await _read(await _sent(lines))
    peer.script = _writing(said("Content-Length: 3", body=b"new"))
    assert await _read(await _sent(lines)) == b"new"
    assert peer.connections == 2


async def test_what_nobody_reads_is_not_held(lines: Lines, peer: Peer) -> None:
    peer.script = _writing(said(f"Content-Length: {64 * len(BODY)}"), BODY * 64)
    reply = await _sent(lines)
    await asyncio.sleep(0.2)  # it has all the time to come in
    assert reply.content.total_bytes < len(BODY)
    reply.close()
