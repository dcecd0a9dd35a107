"""What the answers of OL Connect's login mean."""

import pytest

from gateway.problems import (
    Problem,
    UpstreamCredentialRefused,
    UpstreamInvalidResponse,
    UpstreamOverloaded,
)
from gateway.settings import Upstream as Settings
from gateway.upstream.client import Upstream
from gateway.upstream.login import UpstreamLogin
from tests.support.peer import Peer


async def _login(peer: Peer, answer: bytes) -> tuple[str, float]:
    peer.login = answer
    upstream = Upstream(Settings.model_validate({"url": peer.url}))
    try:
        token = await UpstreamLogin(upstream, lambda: 5.0)("Basic x")
    finally:
        await upstream.close()
    assert token.since == 5.0
    return token.text, token.seconds


def _said(status: str, *lines: str, body: str = "") -> bytes:
    head = "\r\n".join([f"HTTP/1.1 {status}", f"Content-Length: {len(body)}", *lines, "", ""])
    return (head + body).encode("latin-1")


@pytest.mark.parametrize(
    ("line", "seconds"),
    [("Token-Expires-In: 60", 60.0), ("X: y", 3600.0), ("Token-Expires-In: -1", 3600.0)],
)
async def test_a_token_and_its_life(peer: Peer, line: str, seconds: float) -> None:
    assert await _login(peer, _said("200 OK", line, body="abc")) == ("abc", seconds)


async def test_open_servers_may_answer_with_nothing(peer: Peer) -> None:
    assert await _login(peer, _said("200 OK")) == ("", 3600.0)


@pytest.mark.parametrize(
    ("answer", "problem"),
    [
        (_said("401 No"), UpstreamCredentialRefused),
        (_said("403 No"), UpstreamCredentialRefused),
        (_said("429 Slow", "Retry-After: 7"), UpstreamOverloaded),
        (_said("503 Slow"), UpstreamOverloaded),
        (_said("500 Oops"), UpstreamInvalidResponse),
        (_said("302 Found", "Location: http://evil.test/"), UpstreamInvalidResponse),
        (_said("200 OK", body="a b"), UpstreamInvalidResponse),
        (_said("200 OK", body="a\nX: y"), UpstreamInvalidResponse),
        (_said("200 OK", body="<html>\xe4</html>"), UpstreamInvalidResponse),
        (_said("200 OK", body="a" * 20_000), UpstreamInvalidResponse),
    ],
)
async def test_what_is_no_token_is_a_problem(
    peer: Peer, answer: bytes, problem: type[Problem]
) -> None:
    with pytest.raises(problem) as raised:
        await _login(peer, answer)
    if problem is UpstreamOverloaded:
        assert raised.value.headers["Retry-After"] in ("7", "5")
