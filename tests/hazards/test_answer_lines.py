"""Header lines of OL Connect's answers: which pass, in which form, and that none is followed."""

import gzip

import pytest

from tests.support.peer import Peer, said, saying
from tests.support.stage import Stage
from tests.support.wire import dial, head

# Answers at these paths are passed on as they are for the team that may touch any object.
FILE = "/filestore/file/7"
VERSION = "/entity/version"

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
    peer.script = saying(said(*PRIVATE, "Content-Type: text/plain", "Content-Length: 0"))
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


async def test_trailers_of_the_upstreams_do_not_become_header_lines(
    peered: Stage, peer: Peer
) -> None:
    """RFC 9112 section 7.1.2."""
    chunks = b"2\r\nok\r\n0\r\nLink: <http://evil.test/>; rel=x\r\nSet-Cookie: a=b\r\n\r\n"
    peer.script = saying(said("Transfer-Encoding: chunked", "Trailer: Link", body=chunks))
    async with dial(peered.gateway.public.port) as wire:
        token = peered.token("ol-operators")
        await wire.send(head("GET", f"/rest/serverengine{FILE}", token=token))
        answer = await wire.answer()  # it asserts that no trailer follows
        assert (answer.status, answer.body) == (200, b"ok")
        assert answer.all("Link") == answer.all("Trailer") == answer.all("Set-Cookie") == []
        await wire.send(head("GET", f"/rest/serverengine{FILE}", token=token))
        assert (await wire.answer()).body == b"ok"


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
    peer.script = saying(said(location, "Content-Length: 0", status=f"{status} Moved"))
    reply = await peered.caller("ol-operators").get(VERSION)
    assert reply.status == status
    assert reply.headers["Location"] == "http://gateway.test/rest/serverengine/entity/jobs"
    assert len(peer.asked) == 1
    foreign = f"Location: {peered.admin_url}/metrics"
    peer.script = saying(said(foreign, "Content-Length: 0", status=f"{status} Moved"))
    assert (await peered.caller("ol-operators").get(VERSION)).status == status
    assert len(peer.asked) == 2


async def test_coded_bodies_pass_unchanged_both_ways(peered: Stage, peer: Peer) -> None:
    """Pitfalls P17 and P18: nothing is unpacked, in either direction."""
    packed = gzip.compress(b"a" * 5000)
    lines = ("Content-Encoding: gzip", f"Content-Length: {len(packed)}")
    peer.script = saying(said(*lines, "Content-Type: text/plain", body=packed))
    caller = peered.caller("ol-operators")
    reply = await caller.get(FILE, headers={"Accept-Encoding": "gzip, br"})
    assert (reply.body, reply.headers["Content-Encoding"]) == (packed, "gzip")
    assert peer.asked[0].all("Accept-Encoding") == ["gzip, br"]
    peer.script = saying(said("Content-Type: text/plain", "Content-Length: 1", body=b"7"))
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
    peer.script = saying(said(*lines, "Content-Type: application/json", body=packed))
    reply = await peered.caller("ol-billing").get("/entity/jobsets")
    assert reply.code == "upstream_invalid_response"


async def test_an_operation_id_that_would_split_headers_is_refused(
    peered: Stage, peer: Peer
) -> None:
    for id_ in ("a/../b", "a b", "<script>", "a" * 200):
        peer.script = saying(said(f"operationId: {id_}", "Content-Length: 0", status="202 A"))
        reply = await peered.caller("ol-operators").post("/workflow/datamining/preset/1")
        assert reply.code == "upstream_invalid_response"


async def test_a_long_link_of_the_upstreams_is_accepted(peered: Stage, peer: Peer) -> None:
    """Pitfall P30: aiohttp's default refuses 8190 bytes."""
    target = f"{peer.url}/rest/serverengine/entity/jobs?q={'a' * 20_000}"
    peer.script = saying(said(f'Link: <{target}>; rel="next"', "Content-Length: 0"))
    async with dial(peered.gateway.public.port) as wire:
        token = peered.token("ol-operators")
        await wire.send(head("GET", f"/rest/serverengine{VERSION}", token=token))
        answer = await wire.answer()
    assert answer.status == 200
    assert (answer.one("Link") or "").startswith("<http://gateway.test/rest/serverengine/entity")


async def test_properties_have_one_etag(peered: Stage, peer: Peer) -> None:
    peer.script = saying(said('ETag: W/"theirs"', "Content-Length: 2", body=b"[]"))
    caller, path = peered.caller("ol-operators"), "/entity/jobs/5/properties"
    fresh, [tag] = await caller.get(path), (await caller.get(path)).headers.getall("ETag")
    assert fresh.headers.getall("ETag") == [tag] != ['W/"theirs"']
    unchanged = await caller.get(path, headers={"If-None-Match": tag})
    assert (unchanged.status, unchanged.headers.getall("ETag")) == (304, [tag])
