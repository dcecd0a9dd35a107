"""What a request is aimed at: methods, targets, hosts and upgrades lead nowhere else (RFC 9112)."""

import pytest

from tests.support.stage import Stage
from tests.support.wire import dial, head


async def test_absolute_form_is_taken_by_its_path_and_never_leads_elsewhere(stage: Stage) -> None:
    """Pitfalls P3 and P11: neither path nor Host of another origin goes up."""
    token = stage.token()
    for authority in ("gateway.test", "127.0.0.1:1", "evil.test:80"):
        async with dial(stage.gateway.public.port) as wire:
            target = f"http://{authority}/rest/serverengine/entity/version?a=%7E"
            await wire.send(head("GET", target, token=token))
            assert (await wire.answer()).status == 200
    assert {entry.raw_path for entry in stage.requests()} == {
        "/rest/serverengine/entity/version?a=%7E"
    }
    upstream = stage.simulator.url.removeprefix("http://")
    assert {dict(entry.headers)["Host"] for entry in stage.requests()} == {upstream}


async def test_a_problem_of_an_absolute_form_has_the_form_of_its_face(stage: Stage) -> None:
    async with dial(stage.gateway.public.port) as wire:
        await wire.send(head("GET", "http://gateway.test/rest/serverengine/entity"))
        answer = await wire.answer()
    assert (answer.status, answer.one("Content-Type")) == (401, "application/json")
    assert b'"error"' in answer.body


HOSTS = (
    *("", " ", "a b", "a,b", "a@b", "user:pw@a", "a/b", "a?b", "a#b", "a\\b", "a%20b", "a;b", "é"),
    *("a:b", "a:1:2", "a:-1", "a:999999", "[::1", "::1", "[::1]a", "[g]", "<script>", '"a"'),
)


@pytest.mark.parametrize("host", HOSTS)
async def test_a_host_that_is_none_is_refused(stage: Stage, host: str) -> None:
    """RFC 9112 section 3.2, whatever the target says."""
    for target in ("/rest/serverengine/entity", "http://gateway.test/rest/serverengine/entity"):
        token = f"Authorization: Bearer {stage.token()}"
        request = f"GET {target} HTTP/1.1\r\nHost: {host}\r\n{token}\r\n\r\n"
        async with dial(stage.gateway.public.port) as wire:
            await wire.send(request.encode("latin-1"))
            answer = await wire.answer()
        assert (answer.status, answer.code) == (400, "malformed_request")
    assert stage.requests() == []


@pytest.mark.parametrize(
    "host", ["gateway.test", "GATEWAY.test:80", "127.0.0.1:8080", "[::1]:443", "my_host", "a:"]
)
async def test_a_host_that_is_one_is_served_whatever_it_is(stage: Stage, host: str) -> None:
    """Callers know the gateway by many names; what links lead to is configured (pitfall P11)."""
    async with dial(stage.gateway.public.port) as wire:
        token = f"Authorization: Bearer {stage.token()}"
        target = "/rest/serverengine/entity"
        await wire.send(f"GET {target} HTTP/1.1\r\nHost: {host}\r\n{token}\r\n\r\n".encode())
        assert (await wire.answer()).status == 200


@pytest.mark.parametrize("method", ["TRACE", "DELETE", "PATCH", "PROPFIND", "OPTIONS", "PUT"])
async def test_methods_an_endpoint_does_not_have_go_nowhere(stage: Stage, method: str) -> None:
    """Pitfall P12."""
    target = "/rest/serverengine/entity"
    async with dial(stage.gateway.public.port) as wire:
        await wire.send(head(method, target))
        assert (await wire.answer()).status == 401
        await wire.send(head(method, target, "Max-Forwards: 0", token=stage.token()))
        answer = await wire.answer()
    assert (answer.status, answer.code) == (405, "method_not_allowed")
    assert answer.one("Allow") == "GET, HEAD"
    assert stage.requests() == []


@pytest.mark.parametrize(
    "target", ["evil.test:80", "*", "//evil.test/rest", "@evil.test/", "http://a@evil.test/rest"]
)
@pytest.mark.parametrize("method", ["GET", "OPTIONS", "CONNECT"])
async def test_odd_targets_are_refused(stage: Stage, method: str, target: str) -> None:
    async with dial(stage.gateway.public.port) as wire:
        await wire.send(head(method, target, token=stage.token("ol-operators")))
        answer = await wire.answer()
        assert answer.status == 400
    assert stage.requests() == []


async def test_connect_opens_no_tunnel(stage: Stage) -> None:
    after = head("GET", "/rest/serverengine/entity", token=stage.token())
    async with dial(stage.gateway.public.port) as wire:
        await wire.send(head("CONNECT", "evil.test:80", token=stage.token()) + after)
        assert (await wire.answer()).status == 400
        assert await wire.rest() == b""
    assert stage.requests() == []


async def test_an_upgrade_to_http_2_is_ignored_as_java_clients_expect(stage: Stage) -> None:
    upgrade = ("Connection: Upgrade, HTTP2-Settings", "Upgrade: h2c", "HTTP2-Settings: AAMAAABk")
    target = "/rest/serverengine/entity/version"
    async with dial(stage.gateway.public.port) as wire:
        await wire.send(head("GET", target, *upgrade, token=stage.token()))
        assert (await wire.answer()).status == 200
        await wire.send(head("GET", target, token=stage.token()))
        assert (await wire.answer()).status == 200
    sent = {name.lower() for entry in stage.requests() for name, _ in entry.headers}
    assert sent.isdisjoint({"upgrade", "http2-settings", "connection"})


@pytest.mark.parametrize("body", [b"", b"GET /rest/serverengine/statistics HTTP/1.1\r\n\r\n"])
async def test_an_upgrade_to_websocket_is_not_tunnelled(stage: Stage, body: bytes) -> None:
    """Pitfall P31."""
    upgrade = ("Connection: Upgrade", "Upgrade: websocket", "Sec-WebSocket-Version: 13")
    async with dial(stage.gateway.public.port) as wire:
        target = "/rest/serverengine/entity/version"
        length = f"Content-Length: {len(body)}"
        await wire.send(head("GET", target, *upgrade, length, token=stage.token()), body)
        assert (await wire.answer()).status == 400
        assert await wire.rest() == b""
    assert stage.requests() == []
