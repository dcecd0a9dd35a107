"""What OL Connect, or something in its place, answers: never taken for more than it is."""

import asyncio
import gzip

import aiohttp
import pytest

from tests.support.peer import OK, Asked, Peer, saying
from tests.support.stage import CONFIG, Stage
from tests.support.wire import dial, head

# Answers at these paths are passed on as they are for the team that may touch any object.
FILE = "/filestore/file/7"
VERSION = "/entity/version"


def _said(*lines: str, body: bytes = b"", status: str = "200 OK") -> bytes:
    return "\r\n".join([f"HTTP/1.1 {status}", *lines, "", ""]).encode("latin-1") + body


BROKEN_HEADS = {
    "no HTTP": b"\x00\x01 this is not HTTP\r\n\r\n",
    "no status": b"HTTP/1.1 \r\n\r\n",
    "a word for a status": b"HTTP/1.1 OK OK\r\n\r\n",
    "four digits": b"HTTP/1.1 2000 OK\r\nContent-Length: 0\r\n\r\n",
    "HTTP/2": b"HTTP/2 200\r\nContent-Length: 0\r\n\r\n",
    "two lengths": _said("Content-Length: 2", "Content-Length: 3", body=b"abc"),
    "a list of lengths": _said("Content-Length: 2, 3", body=b"abc"),
    "a negative length": _said("Content-Length: -2", body=b"abc"),
    "no number for a length": _said("Content-Length: x", body=b"abc"),
    "a bad chunk": _said("Transfer-Encoding: chunked", body=b"zz\r\nab\r\n0\r\n\r\n"),
    "a NUL": _said("Content-Disposition: a\0b", "Content-Length: 2", body=b"ab"),
    "a bare CR": _said("Link: <a>\rX-Result-Type: b", "Content-Length: 2", body=b"ab"),
    "a header of 200 KB": _said("Link: <" + "a" * 200_000 + ">", "Content-Length: 0"),
    "1000 lines": _said(*(f"X-{n}: a" for n in range(1000)), "Content-Length: 0"),
    "101 unasked": _said("Upgrade: websocket", "Connection: Upgrade", status="101 Switching"),
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
    said = _said("Content-Length: 3", chunked, body=b"2\r\nab\r\n0\r\n\r\n")
    peer.script = saying(said + OK)
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
    peer.script = saying(_said(*lines, "Content-Length: 2", body=b"ok"), close=True)
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
    peer.script = saying(b"HTTP/1.1 100 Continue\r\n\r\n" + hints.encode() + OK)
    async with dial(peered.gateway.public.port) as wire:
        token = peered.token("ol-operators")
        await wire.send(head("GET", f"/rest/serverengine{VERSION}", token=token))
        answer = await wire.answer()
    assert (answer.status, answer.body) == (200, b"ok")
    assert answer.all("Link") == []


TRUNCATED = {
    "length": _said("Content-Length: 300000", body=b"a" * 200_000),
    "short length": _said("Content-Length: 3000", body=b"a" * 2000),
    "chunked": _said("Transfer-Encoding: chunked", body=b"7d0\r\n" + b"a" * 2000 + b"\r\n"),
    "in a chunk": _said("Transfer-Encoding: chunked", body=b"7d0\r\n" + b"a" * 200),
    "before the last line": _said("Transfer-Encoding: chunked", body=b"2\r\nab\r\n0\r\n"),
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
    peer.script = saying(_said("Content-Length: 30", body=b"[]"), close=True)
    path = "/entity/jobs/1/properties"
    assert (await caller.get(path)).code == "upstream_invalid_response"
    good = _said("Content-Type: application/json", "Content-Length: 2", body=b"[]")
    peer.script = saying(good)
    reply = await caller.get(path)
    assert (reply.status, reply.body) == (200, b"[]")
    assert "hit" not in reply.headers["Cache-Status"]


PRIVATE = (
    "Set-Cookie: JSESSIONID=1; Path=/",
    'WWW-Authenticate: Basic realm="OL Connect"',
    "Server: Jetty(9.4)",
    "X-Powered-By: Java",
    "auth_token: s3cret",
    "Token-Expires-In: 60",
    "Connection: X-Result-Type",
    "X-Result-Type: hop",
    "Keep-Alive: timeout=5",
    "Access-Control-Allow-Origin: *",
    "Via: 1.1 internal",
    "Proxy-Authenticate: Basic",
    "Strict-Transport-Security: max-age=1",
    "Refresh: 0; url=http://internal/",
)


async def test_what_is_the_upstreams_own_stays_there(peered: Stage, peer: Peer) -> None:
    """Pitfalls P5 and P10 on the way back; attacks 14."""
    peer.script = saying(_said(*PRIVATE, "Content-Type: text/plain", "Content-Length: 0"))
    async with dial(peered.gateway.public.port) as wire:
        token = peered.token("ol-operators")
        await wire.send(head("GET", f"/rest/serverengine{VERSION}", token=token))
        answer = await wire.answer()
    names = {name for name, _ in answer.lines}
    assert names == {
        "content-type",
        "content-length",
        "date",
        "x-request-id",
        "traceparent",
        "vary",
    }


async def test_a_file_name_in_latin_1_survives(peered: Stage, peer: Peer) -> None:
    """Pitfall P9: aiohttp loses the byte on the way through."""
    said = b'HTTP/1.1 200 OK\r\nContent-Disposition: attachment; filename="Z\xfcrich.pdf"\r\n'
    peer.script = saying(said + b"Content-Length: 2\r\n\r\nok")
    reply = await peered.caller("ol-operators").get(FILE)
    assert reply.status == 200
    assert reply.headers["Content-Disposition"] == (
        "attachment; filename=\"Zurich.pdf\"; filename*=UTF-8''Z%C3%BCrich.pdf"
    )


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
async def test_redirects_are_answers_and_are_not_followed(
    peered: Stage, peer: Peer, status: int
) -> None:
    """Pitfall P6; SSRF through Location (attacks 16)."""
    location = f"Location: {peer.url}/rest/serverengine/entity/jobs"
    peer.script = saying(_said(location, "Content-Length: 0", status=f"{status} Moved"))
    reply = await peered.caller("ol-operators").get(VERSION)
    assert reply.status == status
    assert reply.headers["Location"] == "http://gateway.test/rest/serverengine/entity/jobs"
    assert len(peer.asked) == 1
    foreign = f"Location: {peered.admin_url}/metrics"
    peer.script = saying(_said(foreign, "Content-Length: 0", status=f"{status} Moved"))
    assert (await peered.caller("ol-operators").get(VERSION)).status == status
    assert len(peer.asked) == 2


async def test_coded_bodies_pass_unchanged_both_ways(peered: Stage, peer: Peer) -> None:
    """Pitfalls P17 and P18: nothing is unpacked, in either direction."""
    packed = gzip.compress(b"a" * 5000)
    lines = ("Content-Encoding: gzip", f"Content-Length: {len(packed)}")
    peer.script = saying(_said(*lines, "Content-Type: text/plain", body=packed))
    caller = peered.caller("ol-operators")
    reply = await caller.get(FILE, headers={"Accept-Encoding": "gzip, br"})
    assert (reply.body, reply.headers["Content-Encoding"]) == (packed, "gzip")
    assert peer.asked[0].all("Accept-Encoding") == ["gzip, br"]
    peer.script = saying(_said("Content-Type: text/plain", "Content-Length: 1", body=b"7"))
    upload = {"Content-Encoding": "gzip"}
    reply = await caller.post("/filestore/DataFile?filename=a", data=packed, headers=upload)
    assert reply.status == 200
    assert peer.asked[1].body == packed
    assert peer.asked[1].all("Content-Encoding") == ["gzip"]


async def test_a_coded_answer_nobody_asked_for_is_502_where_it_must_be_read(
    peered: Stage, peer: Peer
) -> None:
    packed = gzip.compress(b'{"identifiers": [1]}')
    lines = ("Content-Encoding: gzip", f"Content-Length: {len(packed)}")
    peer.script = saying(_said(*lines, "Content-Type: application/json", body=packed))
    reply = await peered.caller("ol-billing").get("/entity/jobsets")
    assert reply.code == "upstream_invalid_response"


@pytest.mark.parametrize("status", ["200 OK", "404 Not Found", "500 Oops"])
async def test_head_has_no_body_and_stays_in_step(peered: Stage, peer: Peer, status: str) -> None:
    """Pitfall P16."""

    async def script(asked: Asked) -> None:
        body = b"" if asked.first.startswith("HEAD") else b"ok"
        asked.writer.write(_said("Content-Length: 2", body=body, status=status))

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
    peer.script = saying(_said('ETag: "a"', status=status))
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
        asked.writer.write(_said("Content-Length: 4", "Connection: close", body=b"full"))
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
        asked.writer.write(_said("Content-Length: 4", body=b"full", status="413 Too Large"))

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
    poison = _said("Content-Length: 6", body=b"poison")
    peer.script = saying(OK + poison)
    caller = peered.caller("ol-operators")
    assert (await caller.get(VERSION)).text == "ok"
    peer.script = saying(OK)
    for _ in range(3):
        reply = await caller.get(VERSION)
        assert reply.text != "poison"


async def test_an_operation_id_that_would_split_headers_is_refused(
    peered: Stage, peer: Peer
) -> None:
    for id_ in ("a/../b", "a b", "<script>", "a" * 200):
        peer.script = saying(_said(f"operationId: {id_}", "Content-Length: 0", status="202 A"))
        reply = await peered.caller("ol-operators").post("/workflow/datamining/preset/1")
        assert reply.code == "upstream_invalid_response"


async def test_a_long_link_of_the_upstreams_is_accepted(peered: Stage, peer: Peer) -> None:
    """Pitfall P30: aiohttp's default refuses 8190 bytes."""
    target = f"{peer.url}/rest/serverengine/entity/jobs?q={'a' * 20_000}"
    peer.script = saying(_said(f'Link: <{target}>; rel="next"', "Content-Length: 0"))
    async with dial(peered.gateway.public.port) as wire:
        token = peered.token("ol-operators")
        await wire.send(head("GET", f"/rest/serverengine{VERSION}", token=token))
        answer = await wire.answer()
    assert answer.status == 200
    assert (answer.one("Link") or "").startswith("<http://gateway.test/rest/serverengine/entity")


async def test_properties_have_one_etag(peered: Stage, peer: Peer) -> None:
    peer.script = saying(_said('ETag: W/"theirs"', "Content-Length: 2", body=b"[]"))
    caller, path = peered.caller("ol-operators"), "/entity/jobs/5/properties"
    fresh, [tag] = await caller.get(path), (await caller.get(path)).headers.getall("ETag")
    assert fresh.headers.getall("ETag") == [tag] != ['W/"theirs"']
    unchanged = await caller.get(path, headers={"If-None-Match": tag})
    assert (unchanged.status, unchanged.headers.getall("ETag")) == (304, [tag])


async def test_slow_upstream_is_504_and_says_so(peer: Peer) -> None:
    async def script(asked: Asked) -> None:
        await asyncio.sleep(5)

    peer.script = script
    config = CONFIG.replace("{upstream}", peer.url).replace("read_timeout: 5s", "read_timeout: 1s")
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
