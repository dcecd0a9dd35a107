"""What a request says in one way to the gateway and could say in another one to OL Connect."""

import json

import pytest

from tests.support.peer import Peer, said, saying
from tests.support.stage import CONFIG, REST, Stage
from tests.support.wire import Raw, dial, head

PROPERTIES = f"{REST}/entity/jobs/1/properties"
JSON = "Content-Type: application/json"


async def asked(stage: Stage, method: str, target: str, *lines: str, body: bytes = b"") -> Raw:
    async with dial(stage.gateway.public.port) as wire:
        length = f"Content-Length: {len(body)}"
        token = stage.token("ol-operators" if method == "GET" else "ol-billing")
        await wire.send(head(method, target, length, *lines, token=token) + body)
        return await wire.answer()


async def test_a_charset_cannot_hide_ids_in_a_text(stage: Stage) -> None:
    """Read as Shift_JIS, the backslash is half a character, and the text ends before the ids."""
    own = await stage.caller().content_set()
    hidden = json.dumps({"identifiers": [int(own)], "note": '\u3041"AND'}, ensure_ascii=False)
    body = hidden.replace("AND", ', \\"identifiers\\": [1], \\"x\\": \\"').encode()
    assert json.loads(body)["identifiers"] == [int(own)]
    assert '",' in body.decode("shift_jis").partition("note")[2]
    stage.simulator.record.clear()
    target = f"{REST}/workflow/jobcreation/Invoices.OL-jobpreset"
    answer = await asked(stage, "POST", target, f"{JSON}; charset=Shift_JIS", body=body)
    assert (answer.status, answer.code) == (415, "unsupported_media_type")
    assert stage.requests() == []
    answer = await asked(stage, "POST", target, f"{JSON}; charset=UTF-8", body=body)
    assert answer.status == 202


async def test_a_second_coding_is_not_passed_over(stage: Stage) -> None:
    lines = ("Content-Encoding: identity", "Content-Encoding: gzip")
    answer = await asked(stage, "PUT", PROPERTIES, JSON, *lines, body=b"[]")
    assert (answer.status, answer.code) == (400, "malformed_request")
    assert stage.requests() == []


@pytest.mark.parametrize(
    ("lines", "status", "calls"),
    [
        ((), 200, 1),
        (("Cache-Control: max-age=60",), 200, 1),
        (("Cache-Control: max-age=60", "Cache-Control: no-cache"), 200, 2),
        (('If-None-Match: W/"x"', "If-None-Match: TAG"), 304, 1),
    ],
)
async def test_lines_of_a_list_are_one_list(
    peered: Stage, peer: Peer, lines: tuple[str, ...], status: int, calls: int
) -> None:
    peer.script = saying(said(JSON, "Content-Length: 2", body=b"[]"))
    first = await asked(peered, "GET", PROPERTIES)
    tag = first.one("ETag")
    assert tag is not None
    for _ in range(2):
        peer.asked = peer.asked[:1]
        sent = [line.replace("TAG", tag) for line in lines]
        answer = await asked(peered, "GET", PROPERTIES, *sent)
        assert (answer.status, len(peer.asked)) == (status, calls)


async def test_head_tells_what_get_would(peered: Stage, peer: Peer) -> None:
    """RFC 9110 sections 9.3.2 and 13.1.2: its validator, its length, and 304 for who has it."""
    peer.script = saying(said(JSON, "Content-Length: 2", body=b"[]"))
    token = peered.token("ol-operators")
    async with dial(peered.gateway.public.port) as wire:
        for method in ("HEAD", "GET", "HEAD", "HEAD", "GET"):
            await wire.send(head(method, PROPERTIES, token=token))
            answer = await wire.answer(bodiless=method == "HEAD")
            assert answer.status == 200
            assert answer.one("Content-Length") == "2"
            tag = answer.one("ETag")
            assert tag is not None
            await wire.send(head(method, PROPERTIES, f"If-None-Match: {tag}", token=token))
            assert (await wire.answer(bodiless=True)).status == 304
    assert [asked.first.split(" ")[0] for asked in peer.asked] == ["GET"]


UNKEYED = (
    *("X-Forwarded-Host: evil.test", "X-Host: evil.test", "Forwarded: host=evil.test"),
    *("X-Forwarded-Scheme: http", "X-Original-URL: /evil", "X-Rewrite-URL: /evil"),
    *("X-HTTP-Method-Override: PUT", "X-HTTP-Method: DELETE", "Accept: text/evil"),
    *("Accept-Encoding: evil", "Accept-Language: evil", "User-Agent: evil", "Cookie: evil=1"),
    *("Origin: http://evil.test", "trace_id: evil", "X-Requested-With: evil", "TE: evil"),
    *("Range: bytes=0-0", 'If-Range: "evil"', "Max-Forwards: 0", "Via: 1.1 evil"),
    *("If-Modified-Since: Fri, 31 Dec 2100 23:59:59 GMT", 'If-Match: "evil"'),
    *("X-Request-Id: evil", "traceparent: 00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"),
)


@pytest.mark.parametrize("express", ["true", "false"])
async def test_nothing_a_caller_adds_changes_what_the_next_one_is_told(
    peer: Peer, express: str
) -> None:
    """Whoever fills the entry: the same call upstream, and the answer that all others get."""
    peer.script = saying(said(JSON, "Content-Length: 2", body=b"[]"))
    config = CONFIG.replace("{upstream}", peer.url)
    lane = {"drain_timeout: 1s": f"drain_timeout: 1s, express: {express}"}
    async with Stage(config=config, replace=lane) as stage:
        for number, line in enumerate(UNKEYED):
            target = f"{REST}/entity/jobs/{number}/properties"
            first = await asked(stage, "GET", f"{target}?evil=1", line)
            for _ in range(3):
                answer = await asked(stage, "GET", target)
                assert (answer.status, answer.body) == (first.status, first.body) == (200, b"[]")
                assert b"evil" not in answer.head
            [call] = peer.asked
            assert call.target == target
            assert b"evil" not in call.head.replace(b"X-Request-Id: evil", b"")
            peer.asked.clear()
