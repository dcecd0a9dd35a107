"""What an intermediary owes both sides: header lines, credentials, Expect, and the order of
refusals (RFC 9110; attacks 1 and 2)."""

import pytest

from tests.support.peer import Peer
from tests.support.stage import Stage
from tests.support.wire import dial, head

P = "/rest/serverengine"
VERSION = f"{P}/entity/version"

LOOK_ALIKES = (
    "auth-token: forged",
    "Auth_Token: forged",
    "AUTH-TOKEN: forged",
    "auth.token: forged",
    "X-Auth-Token: forged",
    "X_Forwarded_User: forged",
    "X-Forwarded-User: forged",
    "X-Forwarded-For: forged",
    "X-Forwarded-Proto: forged",
    "X-Forwarded-Access-Token: forged",
    "X-Access-Token: forged",
    "X-Real-IP: forged",
    "Forwarded: for=forged",
    "Cookie: JSESSIONID=forged",
    "Cookie2: forged",
    "Proxy-Authorization: Basic forged",
    "Proxy-Connection: forged",
    "Remote-User: forged",
    "TE: forged",
    "Trailer: forged",
    "Range: bytes=0-1",
    "Via: 1.1 forged",
    "Origin: http://forged.test",
    "Referer: http://forged.test",
    "X-HTTP-Method-Override: forged",
    "Authorization2: forged",
)


async def test_no_look_alike_of_a_credential_goes_up(stage: Stage) -> None:
    """Pitfalls P4 and P10; attacks 11 and 13. OL Connect's own header has an underscore, and some
    servers read ``auth-token`` as the same name."""
    token = stage.token()
    for line in LOOK_ALIKES:
        stage.simulator.record.clear()
        async with dial(stage.gateway.public.port) as wire:
            name = line.partition(":")[0].lower()
            shown = None if name in ("auth_token",) else token
            await wire.send(head("GET", VERSION, line, token=shown))
            status = (await wire.answer()).status
        if name == "auth_token":
            assert status == 401
            assert stage.requests() == []
            continue
        assert status == 200, line
        [entry] = stage.requests()
        sent = dict((name.lower(), value) for name, value in entry.headers)
        assert "forged" not in str(entry.headers), line
        assert token not in str(entry.headers)
        assert sent.keys() <= {"host", "auth_token", "x-request-id", "traceparent"}, line


async def test_a_caller_sends_exactly_what_is_listed(peered: Stage, peer: Peer) -> None:
    """Values unchanged, in their order, repetitions kept (RFC 9110 section 5.3)."""
    lines = ("Accept: b", "User-Agent: x/1", "Accept: a", "trace_id: 7", "X-Requested-With: Q")
    async with dial(peered.gateway.public.port) as wire:
        token = peered.token("ol-operators")
        await wire.send(head("GET", VERSION, *lines, token=token))
        assert (await wire.answer()).status == 200
    [asked] = peer.asked
    passed = [f"{name}: {value}" for name, value in asked.lines]
    assert [line for line in passed if line in lines] == list(lines)
    assert len(asked.all("Host")) == len(asked.all("Authorization")) == 1
    assert asked.all("Host") == [peer.url.removeprefix("http://")]


@pytest.mark.parametrize("team", ["ol-billing", "ol-operators"])
@pytest.mark.parametrize(
    "named", ["auth_token", "Authorization", "Host, Content-Length", "X-Request-Id", "traceparent"]
)
async def test_connection_cannot_strip_what_the_gateway_adds(
    peered: Stage, peer: Peer, team: str, named: str
) -> None:
    """CVE-2022-31813: a hop-by-hop header named by the caller takes ours away."""
    async with dial(peered.gateway.public.port) as wire:
        connection = f"Connection: close, {named}, Accept"
        length = "Content-Length: 2"
        target = f"{P}/filestore/DataFile?filename=a"
        token = peered.token(team)
        await wire.send(head("POST", target, connection, "Accept: a", length, token=token), b"[]")
        answer = await wire.answer()
    assert answer.status == 200, answer.body
    asked = peer.asked[-1]
    assert asked.all("auth_token") or asked.all("Authorization")
    assert asked.all("Host")
    assert asked.all("Content-Length") == ["2"]
    assert asked.all("X-Request-Id")
    assert asked.all("traceparent")
    assert asked.all("Accept") == []
    assert "close" not in asked.all("Connection")


@pytest.mark.parametrize("target", [f"{P}/filestore/DataFile?filename=a", f"{P}/entity/find"])
async def test_expect_is_answered_only_after_the_caller_is_known(stage: Stage, target: str) -> None:
    """Pitfall P21: 401 before 100; and Expect does not go up."""
    method = "PUT" if target.endswith("find") else "POST"
    expect = ("Expect: 100-continue", "Content-Length: 17")
    async with dial(stage.gateway.public.port) as wire:
        await wire.send(head(method, target, *expect))
        assert (await wire.answer()).status == 401
    async with dial(stage.gateway.public.port) as wire:
        await wire.send(head(method, target, *expect, token=stage.token("ol-nobody")))
        assert (await wire.answer()).status == 403
    async with dial(stage.gateway.public.port) as wire:
        await wire.send(head(method, target, *expect, token=stage.token("ol-operators")))
        assert (await wire.answer()).status == 100
        await wire.send(b'{"entity":"JOBS"}')
        answer = await wire.answer()
        assert answer.status in (200, 500), answer
        assert answer.one("Content-Length") is not None
        await wire.send(head("GET", VERSION, token=stage.token("ol-operators")))
        assert (await wire.answer()).status == 200
    for entry in stage.requests():
        assert "expect" not in {name.lower() for name, _ in entry.headers}


async def test_expect_of_an_http_1_0_caller_is_ignored(stage: Stage) -> None:
    """RFC 9110 section 10.1.1: it would take the 100 for the answer."""
    token = stage.token()
    async with dial(stage.gateway.public.port) as wire:
        await wire.send(
            f"POST {P}/filestore/DataFile?filename=a HTTP/1.0\r\nExpect: 100-continue\r\n"
            f"Authorization: Bearer {token}\r\nContent-Length: 2\r\n\r\n[]".encode()
        )
        assert (await wire.answer()).status == 200


async def test_a_body_too_large_is_refused_before_it_is_asked_for() -> None:
    """Pitfall P19: counted whether or not its length is announced."""
    replace = {'"127.0.0.1:0", cors': '"127.0.0.1:0", max_body: 64KiB, cors'}
    target = f"{P}/filestore/DataFile?filename=a"
    async with Stage(replace=replace) as stage:
        token = stage.token()
        async with dial(stage.gateway.public.port) as wire:
            lines = ("Content-Length: 100000", "Expect: 100-continue")
            await wire.send(head("POST", target, *lines, token=token))
            answer = await wire.answer()
            assert (answer.status, answer.code) == (413, "body_too_large")
        assert stage.requests() == []
        async with dial(stage.gateway.public.port) as wire:
            await wire.send(head("POST", target, "Transfer-Encoding: chunked", token=token))
            await wire.send((b"4000\r\n" + b"a" * 0x4000 + b"\r\n") * 6 + b"0\r\n\r\n")
            answer = await wire.answer()
            assert (answer.status, answer.code) == (413, "body_too_large")
        assert {entry.status for entry in stage.requests("filestore")} <= {0}
        assert (await stage.caller().upload(b"a" * 64 * 1024)).isdigit()


@pytest.mark.parametrize("framing", ["Content-Length: 17", "Transfer-Encoding: chunked", None])
async def test_bodies_are_framed_as_they_came(
    peered: Stage, peer: Peer, framing: str | None
) -> None:
    """Pitfall P20: a length stays one, chunks stay chunks, and no body is no body."""
    body = b'{"entity":"JOBS"}'
    lines = [framing] if framing else []
    async with dial(peered.gateway.public.port) as wire:
        token = peered.token("ol-operators")
        target = f"{P}/filestore/DataFile?filename=a"
        await wire.send(head("POST", target, *lines, token=token))
        if framing == "Transfer-Encoding: chunked":
            await wire.send(b"11\r\n" + body + b"\r\n0\r\n\r\n")
        elif framing:
            await wire.send(body)
        assert (await wire.answer()).status == 200
    [asked] = peer.asked
    assert asked.body == (body if framing else b"")
    assert asked.all("Content-Length") == ({"Content-Length: 17": ["17"], None: ["0"]}).get(
        framing, []
    )
    assert asked.all("Transfer-Encoding") == (["chunked"] if framing and "T" in framing else [])
    assert asked.all("Content-Type") == []
