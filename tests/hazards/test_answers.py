"""What OL Connect, or something in its place, answers: never taken for more than it is."""

import asyncio

import aiohttp
import pytest

from tests.support.peer import OK, Asked, Peer, said, saying
from tests.support.stage import CONFIG, Stage
from tests.support.wire import dial, head

# Answers at these paths are passed on as they are for the team that may touch any object.
FILE = "/filestore/file/7"
VERSION = "/entity/version"


BROKEN_HEADS = {
    "no HTTP": b"\x00\x01 this is not HTTP\r\n\r\n",
    "no status": b"HTTP/1.1 \r\n\r\n",
    "a word for a status": b"HTTP/1.1 OK OK\r\n\r\n",
    "four digits": b"HTTP/1.1 2000 OK\r\nContent-Length: 0\r\n\r\n",
    "HTTP/2": b"HTTP/2 200\r\nContent-Length: 0\r\n\r\n",
    "two lengths": said("Content-Length: 2", "Content-Length: 3", body=b"abc"),
    "a list of lengths": said("Content-Length: 2, 3", body=b"abc"),
    "two equal lengths": said("Content-Length: 2", "Content-Length: 2", body=b"ab"),
    "a signed length": said("Content-Length: +2", body=b"ab"),
    "another coding": said("Transfer-Encoding: gzip, chunked", body=b"2\r\nab\r\n0\r\n\r\n"),
    "a look-alike of chunked": said("Transfer-Encoding: xchunked", body=b"ab"),
    "identity": said("Transfer-Encoding: identity", "Content-Length: 2", body=b"ab"),
    "204 with a body": said("Content-Length: 2", status="204 No Content", body=b"ab"),
    "204 in chunks": said(
        "Transfer-Encoding: chunked", status="204 No", body=b"2\r\nab\r\n0\r\n\r\n"
    ),
    "304 with a body": said("Content-Length: 2", status="304 Not Modified", body=b"ab"),
    "a status below 100": said("Content-Length: 2", status="099 No", body=b"ab"),
    "a status above 599": said("Content-Length: 2", status="600 No", body=b"ab"),
    "a negative length": said("Content-Length: -2", body=b"abc"),
    "no number for a length": said("Content-Length: x", body=b"abc"),
    "a bad chunk": said("Transfer-Encoding: chunked", body=b"zz\r\nab\r\n0\r\n\r\n"),
    "a NUL": said("Content-Disposition: a\0b", "Content-Length: 2", body=b"ab"),
    "a bare CR": said("Link: <a>\rX-Result-Type: b", "Content-Length: 2", body=b"ab"),
    "a header of 200 KB": said("Link: <" + "a" * 200_000 + ">", "Content-Length: 0"),
    "1000 lines": said(*(f"X-{n}: a" for n in range(1000)), "Content-Length: 0"),
    "101 unasked": said("Upgrade: websocket", "Connection: Upgrade", status="101 Switching"),
    "a broken head": b"HTTP/1.1 200 OK\r\nContent-Le",
    "a silent goodbye": b"",
}


@pytest.mark.parametrize("answer", BROKEN_HEADS.values(), ids=BROKEN_HEADS.keys())
async def test_what_is_no_answer_is_502(peered: Stage, peer: Peer, answer: bytes) -> None:
    peer.script = saying(answer, close=True)
    reply = await peered.caller("ol-operators").get(VERSION)
    assert reply.status == 502
    assert reply.code in ("upstream_invalid_response", "upstream_unreachable")
    assert peer.url.removeprefix("http://") not in reply.text
    # The connection is not used again: the next answer is not the rest of the last.
    peer.script = saying(OK)
    assert (await peered.caller("ol-operators").get(VERSION)).text == "ok"


async def test_length_and_chunked_together_are_read_as_chunked_or_refused(
    peered: Stage, peer: Peer
) -> None:
    chunked = "Transfer-Encoding: chunked"
    both = said("Content-Length: 3", chunked, body=b"2\r\nab\r\n0\r\n\r\n")
    peer.script = saying(both + OK)
    async with dial(peered.gateway.public.port) as wire:
        token = peered.token("ol-operators")
        await wire.send(head("GET", f"/rest/serverengine{VERSION}", token=token))
        answer = await wire.answer()
        assert (answer.status, answer.body) == (200, b"ab") or answer.status == 502
        assert not (answer.one("Content-Length") == "3" and answer.status == 200)
        await wire.send(head("GET", f"/rest/serverengine{VERSION}", token=token))
        assert (await wire.answer()).status in (200, 502)


@pytest.mark.parametrize(
    ("lines", "seen"),
    [
        (("Content-Type:", " text/plain"), "text/plain"),
        (("Content-Type : text/plain",), None),
        (("Content-Type: text/plain", "\tx"), None),
    ],
)
async def test_folded_lines_do_not_pass_as_they_are(
    peered: Stage, peer: Peer, lines: tuple[str, ...], seen: str | None
) -> None:
    peer.script = saying(said(*lines, "Content-Length: 2", body=b"ok"), close=True)
    async with dial(peered.gateway.public.port) as wire:
        token = peered.token("ol-operators")
        await wire.send(head("GET", f"/rest/serverengine{VERSION}", token=token))
        answer = await wire.answer()
    assert answer.status in (200, 502)
    for line in answer.head.split(b"\r\n")[1:]:
        assert not line.startswith((b" ", b"\t"))
        assert b" :" not in line.partition(b":")[0] + b":"
    if seen is not None and answer.status == 200:
        assert answer.one("Content-Type") == seen


async def test_early_hints_do_not_pass_and_the_answer_does(peered: Stage, peer: Peer) -> None:
    hints = f"HTTP/1.1 103 Early Hints\r\nLink: <{peer.url}/internal>; rel=preload\r\n\r\n"
    more = b"HTTP/1.1 102 Processing\r\n\r\n" * 50
    peer.script = saying(b"HTTP/1.1 100 Continue\r\n\r\n" + hints.encode() + more + OK)
    async with dial(peered.gateway.public.port) as wire:
        token = peered.token("ol-operators")
        await wire.send(head("GET", f"/rest/serverengine{VERSION}", token=token))
        answer = await wire.answer()
    assert (answer.status, answer.body) == (200, b"ok")
    assert answer.all("Link") == []


TRUNCATED = {
    "length": said("Content-Length: 300000", body=b"a" * 200_000),
    "short length": said("Content-Length: 3000", body=b"a" * 2000),
    "chunked": said("Transfer-Encoding: chunked", body=b"7d0\r\n" + b"a" * 2000 + b"\r\n"),
    "in a chunk": said("Transfer-Encoding: chunked", body=b"7d0\r\n" + b"a" * 200),
    "before the last line": said("Transfer-Encoding: chunked", body=b"2\r\nab\r\n0\r\n"),
}


@pytest.mark.parametrize("answer", TRUNCATED.values(), ids=TRUNCATED.keys())
@pytest.mark.parametrize("path", [FILE, VERSION])
async def test_a_truncated_answer_never_looks_complete(
    peered: Stage, peer: Peer, answer: bytes, path: str
) -> None:
    """Pitfalls P14 and P15: no second answer in the first, no end that looks like one."""
    peer.script = saying(answer, close=True)
    async with dial(peered.gateway.public.port) as wire:
        token = peered.token("ol-operators")
        await wire.send(head("GET", f"/rest/serverengine{path}", token=token))
        received = await wire.rest() if answer is not TRUNCATED["short length"] else b""
        if not received:
            whole = await wire.answer()
            assert (whole.status, whole.code) == (502, "upstream_invalid_response")
            return
    if received.startswith(b"HTTP/1.1 502"):
        return
    assert received.count(b"HTTP/1.1") == 1
    assert not received.endswith(b"0\r\n\r\n")
    assert len(received.partition(b"\r\n\r\n")[2]) < 300_000


async def test_a_truncated_property_list_is_not_cached(peered: Stage, peer: Peer) -> None:
    caller = peered.caller("ol-operators")
    peer.script = saying(said("Content-Length: 30", body=b"[]"), close=True)
    path = "/entity/jobs/1/properties"
    assert (await caller.get(path)).code == "upstream_invalid_response"
    good = said("Content-Type: application/json", "Content-Length: 2", body=b"[]")
    peer.script = saying(good)
    reply = await caller.get(path)
    assert (reply.status, reply.body) == (200, b"[]")
    assert "hit" not in reply.headers["Cache-Status"]


@pytest.mark.parametrize("status", ["200 OK", "404 Not Found", "500 Oops"])
async def test_head_has_no_body_and_stays_in_step(peered: Stage, peer: Peer, status: str) -> None:
    """Pitfall P16."""

    async def script(asked: Asked) -> None:
        body = b"" if asked.first.startswith("HEAD") else b"ok"
        asked.writer.write(said("Content-Length: 2", body=body, status=status))

    peer.script = script
    token = peered.token("ol-operators")
    async with dial(peered.gateway.public.port) as wire:
        for method in ("HEAD", "GET", "HEAD", "GET"):
            await wire.send(head(method, f"/rest/serverengine{FILE}", token=token))
            answer = await wire.answer(bodiless=method == "HEAD")
            assert answer.one("Content-Length") == "2"
            assert answer.body == (b"" if method == "HEAD" else b"ok")
            assert answer.status == int(status[:3])


@pytest.mark.parametrize("status", ["204 No Content", "304 Not Modified"])
async def test_statuses_without_body_stay_in_step(peered: Stage, peer: Peer, status: str) -> None:
    peer.script = saying(said('ETag: "a"', status=status))
    token = peered.token("ol-operators")
    async with dial(peered.gateway.public.port) as wire:
        for _ in range(3):
            await wire.send(head("GET", f"/rest/serverengine{FILE}", token=token))
            answer = await wire.answer()
            assert answer.status == int(status[:3])
            assert "transfer-encoding" not in dict(answer.lines)
            assert answer.one("Content-Length") is None


async def test_an_early_answer_reaches_a_caller_who_still_sends(peered: Stage, peer: Peer) -> None:
    async def script(asked: Asked) -> None:
        await asked.reader.readexactly(1000)
        asked.writer.write(said("Content-Length: 4", "Connection: close", body=b"full"))
        asked.writer.close()

    peer.script = script
    token = peered.token("ol-operators")
    async with dial(peered.gateway.public.port) as wire:
        length = "Content-Length: 10000000"
        upload = "/rest/serverengine/filestore/DataFile?filename=a"
        await wire.send(head("POST", upload, length, token=token), b"a" * 10_000)
        answer = await wire.answer()
    assert answer.status in (200, 502)
    assert answer.body == b"full" or answer.code == "upstream_unreachable"


async def test_an_early_answer_on_a_kept_connection_does_not_disturb_the_next(
    peered: Stage, peer: Peer
) -> None:
    async def script(asked: Asked) -> None:
        await asked.reader.readexactly(1000)
        asked.writer.write(said("Content-Length: 4", body=b"full", status="413 Too Large"))

    peer.script = script
    token = peered.token("ol-operators")
    upload = "/rest/serverengine/filestore/DataFile?filename=a"
    async with dial(peered.gateway.public.port) as wire:
        await wire.send(head("POST", upload, "Content-Length: 9000000", token=token), b"a" * 10_000)
        answer = await wire.answer()
        assert (answer.status, answer.body) == (413, b"full")
    peer.script = saying(OK)
    assert (await peered.caller("ol-operators").get(VERSION)).text == "ok"
    assert peer.connections == 2


async def test_bytes_after_an_answer_are_no_answer_to_the_next(peered: Stage, peer: Peer) -> None:
    """Queue poisoning (attacks 18)."""
    poison = said("Content-Length: 6", body=b"poison")
    peer.script = saying(OK + poison)
    caller = peered.caller("ol-operators")
    assert (await caller.get(VERSION)).text == "ok"
    peer.script = saying(OK)
    for _ in range(3):
        reply = await caller.get(VERSION)
        assert reply.text != "poison"


async def test_a_body_in_answer_to_head_is_no_answer_to_the_next(peered: Stage, peer: Peer) -> None:
    async def script(asked: Asked) -> None:
        poison = said("Content-Length: 6", body=b"poison")
        asked.writer.write(said(f"Content-Length: {len(poison)}", body=poison))

    caller = peered.caller("ol-operators")
    for _ in range(3):
        peer.script = script
        reply = await caller("HEAD", VERSION)
        assert (reply.status in (200, 502), reply.body) == (True, b"")
        peer.script = saying(OK)
        assert (await caller.get(VERSION)).text == "ok"


async def test_slow_upstream_is_504_and_says_so(peer: Peer) -> None:
    async def script(asked: Asked) -> None:
        await asyncio.sleep(5)

    peer.script = script
    config = CONFIG.replace("{upstream}", peer.url).replace("read_timeout: 15s", "read_timeout: 1s")
    async with Stage(config=config) as stage:
        reply = await stage.caller("ol-operators").get(VERSION)
    assert (reply.status, reply.code) == (504, "upstream_timeout")


async def test_an_unreachable_upstream_is_502_and_its_address_stays_secret(
    stage: Stage,
) -> None:
    url = stage.simulator.url
    await stage.simulator.stop()
    reply = await stage.caller("ol-operators").get(VERSION)
    assert (reply.status, reply.code) == (502, "upstream_unreachable")
    assert url.rpartition(":")[2] not in reply.text


async def test_an_aiohttp_client_notices_a_truncated_download(peered: Stage, peer: Peer) -> None:
    peer.script = saying(TRUNCATED["length"], close=True)
    with pytest.raises(aiohttp.ClientError):
        await peered.caller("ol-operators").get(FILE)
