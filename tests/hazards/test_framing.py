"""What is not exactly one request is refused, and the connection with it (RFC 9112)."""

import asyncio
import logging
from contextlib import suppress
from typing import Any

import pytest

from tests.support.stage import Stage
from tests.support.wire import dial, head

JOB = "/rest/serverengine/entity/jobs/1/properties"
UPLOAD = "/rest/serverengine/filestore/DataFile?filename=a.json"

SMUGGLING = {
    "length and chunked": ("Content-Length: 4", "Transfer-Encoding: chunked"),
    "chunked and length": ("Transfer-Encoding: chunked", "Content-Length: 4"),
    "two lengths": ("Content-Length: 4", "Content-Length: 5"),
    "two equal lengths": ("Content-Length: 4", "Content-Length: 4"),
    "a list of lengths": ("Content-Length: 4, 4",),
    "a signed length": ("Content-Length: +4",),
    "a negative length": ("Content-Length: -1",),
    "a hexadecimal length": ("Content-Length: 0x4",),
    "a length with an underscore": ("Content-Length: 1_0",),
    "a length that overflows": ("Content-Length: 99999999999999999999999",),
    "a length with a fraction": ("Content-Length: 4.0",),
    "a length and a blank": ("Content-Length: 4 4",),
    "no length": ("Content-Length:",),
    "identity": ("Transfer-Encoding: identity",),
    "gzip only": ("Transfer-Encoding: gzip",),
    "chunked not last": ("Transfer-Encoding: chunked, gzip",),
    "chunked and a parameter": ("Transfer-Encoding: chunked;q=1",),
    "chunked in quotes": ('Transfer-Encoding: "chunked"',),
    "chunked and nothing": ("Transfer-Encoding: chunked,",),
    "chunked twice": ("Transfer-Encoding: chunked, chunked",),
    "gzip and chunked": ("Transfer-Encoding: gzip, chunked",),
    "identity and chunked": ("Transfer-Encoding: identity, chunked",),
    "an empty coding": ("Transfer-Encoding: , chunked",),
    "two codings": ("Transfer-Encoding: chunked", "Transfer-Encoding: identity"),
    "a look-alike": ("Transfer-Encoding: xchunked",),
    "a space before the colon": ("Transfer-Encoding : chunked",),
    "a tab in the name": ("Transfer\tEncoding: chunked",),
    "a vertical tab": ("Transfer-Encoding: \x0bchunked",),
    "a folded line": ("Transfer-Encoding:", " chunked"),
    "a folded header": ("Accept: a", "\tb"),
    "a bare CR": ("Accept: a\rX-Other: b",),
    "a bare LF in a value": ("Accept: a\nContent-Length: 4\nX: ",),
    "a NUL": ("Accept: a\0b",),
    "a NUL in a name": ("Acc\0ept: a",),
    "no name": (": value",),
    "no colon": ("just text",),
    "a second Host": ("Host: other.test",),
    "a name in UTF-8": ("Ac\xc3\xa7ept: a",),
}


@pytest.mark.parametrize("lines", SMUGGLING.values(), ids=SMUGGLING.keys())
async def test_a_request_with_two_readings_is_refused_and_the_connection_closed(
    stage: Stage, lines: tuple[str, ...]
) -> None:
    second = head("GET", JOB, token=stage.token())
    async with dial(stage.gateway.public.port) as wire:
        await wire.send(head("POST", UPLOAD, *lines, token=stage.token()), b"0\r\n\r\n", second)
        answer = await wire.answer()
        assert answer.status == 400
        assert answer.code == "malformed_request"
        assert await wire.rest() == b""
    assert stage.requests() == []


FIRST_LINES = {
    "no version": b"GET /rest/serverengine/entity\r\n\r\n",
    "a lower-case method": b"get /rest/serverengine/entity HTTP/1.1\r\nHost: a\r\n\r\n",
    "an unknown method": b"FROB /rest/serverengine/entity HTTP/1.1\r\nHost: a\r\n\r\n",
    "HTTP/2 by prior knowledge": b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    "HTTP/1.2": b"GET /rest HTTP/1.2\r\nHost: a\r\n\r\n",
    "no target": b"GET  HTTP/1.1\r\nHost: a\r\n\r\n",
    "a target without a slash": b"GET rest/serverengine/entity HTTP/1.1\r\nHost: a\r\n\r\n",
    "a tab": b"GET\t/rest/serverengine/entity HTTP/1.1\r\nHost: a\r\n\r\n",
    "a blank before the method": b" GET /rest/serverengine/entity HTTP/1.1\r\nHost: a\r\n\r\n",
    "a word too many": b"GET /rest/serverengine/entity HTTP/1.1 x\r\nHost: a\r\n\r\n",
    "http/1.1": b"GET /rest/serverengine/entity http/1.1\r\nHost: a\r\n\r\n",
    "HTTP/1.10": b"GET /rest/serverengine/entity HTTP/1.10\r\nHost: a\r\n\r\n",
    "no Host": b"GET /rest/serverengine/entity HTTP/1.1\r\n\r\n",
    "a control character": b"GET /rest/\x01 HTTP/1.1\r\nHost: a\r\n\r\n",
    "bytes": bytes(range(256)) + b"\r\n\r\n",
    "TLS": b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + b"a" * 200 + b"\r\n\r\n",
}


@pytest.mark.parametrize("request_", FIRST_LINES.values(), ids=FIRST_LINES.keys())
async def test_what_is_no_request_is_refused(stage: Stage, request_: bytes) -> None:
    """Pitfalls P8 and P12: parser errors get the same form, count and log line as all others."""
    async with dial(stage.gateway.public.port) as wire:
        await wire.send(request_)
        answer = await wire.answer()
        assert (answer.status, answer.code) == (400, "malformed_request")
        assert await wire.rest() == b""
    assert stage.requests() == []


@pytest.mark.parametrize(
    "chunks",
    [
        b"zz\r\n",
        b"-1\r\n",
        b"0x2\r\nab\r\n0\r\n\r\n",
        b"2\r\nabc\r\n0\r\n\r\n",
        b"2 \r\nab\r\n0\r\n\r\n",
        b"2\nab\n0\n\n",
        b"fffffffffffffffff\r\n",
        b"2\r\nabXX0\r\n\r\n",
    ],
)
async def test_a_badly_framed_body_never_becomes_a_file(stage: Stage, chunks: bytes) -> None:
    chunked = "Transfer-Encoding: chunked"
    async with dial(stage.gateway.public.port) as wire:
        await wire.send(head("POST", UPLOAD, chunked, token=stage.token()))
        await wire.send(chunks + head("GET", JOB, token=stage.token()))
        answer = await wire.answer()
        assert (answer.status, answer.code) == (400, "malformed_request")
        rest = await wire.rest()
    assert b"200 OK" not in rest
    assert all(entry.status == 0 for entry in stage.requests("filestore"))
    assert stage.requests("/entity/") == []


@pytest.mark.parametrize(
    "chunks",
    [
        b"zz\r\n",
        b"2;\r\n[]\r\n0\r\n\r\n",
        b"2\n[]\r\n0\r\n\r\n",
        b"2\r\n[]\n0\r\n\r\n",
        b"2\r\n[]0\r\n\r\n",
        b"2\r\n[]\r\n0\r\n X: folded\r\n\r\n",
        b"2\r\n[]\r\n0\r\nX : y\r\n\r\n",
    ],
)
@pytest.mark.parametrize("known", [True, False])
async def test_a_body_that_is_found_to_be_badly_framed_later_is_refused_at_once(
    stage: Stage, until: Any, chunks: bytes, known: bool
) -> None:
    token = stage.token() if known else None
    registry = stage.gateway.metrics.registry
    async with dial(stage.gateway.public.port) as wire, asyncio.timeout(20):
        await wire.send(head("POST", UPLOAD, "Transfer-Encoding: chunked", token=token))
        if known:  # it is read without what follows
            await until(lambda: registry.get_sample_value("olgw_requests_in_flight") == 1)
        else:
            assert (await wire.answer()).status == 401
        await wire.send(chunks)
        if known:
            assert (await wire.answer()).status == 400
        assert await wire.rest() == b""
    assert all(entry.status == 0 for entry in stage.requests("filestore"))


@pytest.mark.parametrize("length", [10**18, 2**63 - 1, None], ids=["huge", "largest", "zeros"])
async def test_the_body_of_a_refused_request_is_not_read_as_the_next_one(
    stage: Stage, length: int | None
) -> None:
    """However its length is written: with more digits than any body has, or with zeros."""
    hidden = head("GET", JOB, token=stage.token())
    digits = str(len(hidden)).zfill(30) if length is None else str(length)
    async with dial(stage.gateway.public.port) as wire:
        await wire.send(head("POST", UPLOAD, f"Content-Length: {digits}"))
        assert (await wire.answer()).status == 401
        with suppress(ConnectionError):  # it has ended meanwhile
            await wire.send(hidden)
        with pytest.raises((TimeoutError, asyncio.IncompleteReadError, ConnectionError)):
            async with asyncio.timeout(0.2):
                await wire.answer()
    assert stage.requests() == []


async def test_chunk_extensions_and_trailers_are_not_passed_on(stage: Stage) -> None:
    body = b'2;secret=1;x="y"\r\n[{\r\n2\r\n}]\r\n0\r\nauth_token: forged\r\nX-A: b\r\n\r\n'
    async with dial(stage.gateway.public.port) as wire:
        await wire.send(
            head("POST", UPLOAD, "Transfer-Encoding: chunked", "Trailer: X-A", token=stage.token()),
            body,
        )
        answer = await wire.answer()
        assert answer.status == 200
        [upload] = stage.requests("filestore")
        assert upload.body_size == 4
        assert "forged" not in str(upload.headers)
        assert "trailer" not in {name.lower() for name, _ in upload.headers}
        await wire.send(head("GET", "/rest/serverengine/entity", token=stage.token()))
        assert (await wire.answer()).status == 200


@pytest.mark.parametrize(
    ("request_", "status"),
    [
        (b"GET /" + b"a" * 20_000 + b" HTTP/1.1\r\nHost: a\r\n\r\n", 431),
        (head("GET", JOB, "X-Long: " + "a" * 40_000), 431),
        (head("GET", JOB, *(f"X-{n}: a" for n in range(300))), 431),
        (head("GET", JOB, *(f"X-{n}: {'a' * 1000}" for n in range(100))), 431),
        (head("GET", JOB, "X-" + "a" * 40_000 + ": a"), 431),
    ],
    ids=["line", "value", "count", "sum", "name"],
)
async def test_heads_are_bounded(stage: Stage, request_: bytes, status: int) -> None:
    async with dial(stage.gateway.public.port) as wire:
        await wire.send(request_)
        answer = await wire.answer()
    assert (answer.status, answer.code) == (status, "headers_too_large")
    assert b"aaaa" not in answer.head + answer.body


@pytest.mark.parametrize(
    "wrong",
    ["Transfer-Encoding : chunked", "X-Long: " + "a" * 40_000, "X: \0"],
    ids=["form", "length", "NUL"],
)
async def test_a_refused_head_leaves_no_token_and_few_bytes_in_the_log(
    stage: Stage, caplog: pytest.LogCaptureFixture, wrong: str
) -> None:
    """Pitfall P7: aiohttp logs and echoes the raw bytes of what it cannot read."""
    caplog.set_level(logging.DEBUG)
    caplog.clear()
    token = stage.token()
    async with dial(stage.gateway.public.port) as wire:
        await wire.send(head("GET", JOB, wrong, f"auth_token: {token}", token=token))
        answer = await wire.answer()
    assert answer.status in (400, 431)
    logged = caplog.text
    pieces = {token[start : start + 24] for start in range(0, len(token) - 24, 8)}
    assert not any(piece in logged or piece.encode() in answer.body for piece in pieces)
    assert len(logged) <= 500


async def test_pipelined_requests_are_answered_in_order(stage: Stage) -> None:
    token = stage.token()
    stage.simulator.faults.add("delay", path="/entity$", seconds=0.1)
    paths = ["entity", "filestore", "entity/jobs/404", "authentication", "nothing"]
    async with dial(stage.gateway.public.port) as wire:
        await wire.send(
            b"".join(head("GET", f"/rest/serverengine/{path}", token=token) for path in paths)
        )
        answers = [await wire.answer() for _ in paths]
    assert [answer.status for answer in answers] == [200, 200, 404, 200, 404]
    assert answers[2].code == "not_found"
    assert answers[4].code == "unknown_endpoint"


async def test_a_flood_of_pipelined_requests_is_answered_whole(stage: Stage) -> None:
    one = head("GET", "/rest/serverengine/nothing", token=stage.token())
    async with dial(stage.gateway.public.port) as wire:
        await wire.send(one * 100)
        for _ in range(100):
            assert (await wire.answer()).status == 404


async def test_http_1_0_is_answered_without_chunks_and_closed(stage: Stage) -> None:
    name = "zeros.bin"
    number = stage.simulator.engine.add_zero_file(name, 200_000).id
    token = stage.token("ol-operators")
    async with dial(stage.gateway.public.port) as wire:
        request = f"GET /rest/serverengine/filestore/file/{number} HTTP/1.0\r\n"
        await wire.send(f"{request}Authorization: Bearer {token}\r\n\r\n".encode())
        answer = await wire.answer()
        assert answer.status == 200
        assert answer.one("Transfer-Encoding") is None
        assert answer.body == bytes(200_000)
        assert await wire.rest() == b""


async def test_http_1_0_with_a_transfer_coding_is_refused(stage: Stage) -> None:
    token = stage.token()
    async with dial(stage.gateway.public.port) as wire:
        await wire.send(
            f"POST {UPLOAD} HTTP/1.0\r\nAuthorization: Bearer {token}\r\n"
            "Transfer-Encoding: chunked\r\n\r\n2\r\n[]\r\n0\r\n\r\n".encode()
        )
        answer = await wire.answer()
        assert answer.status == 400
        assert await wire.rest() == b""
