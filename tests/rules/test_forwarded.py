"""Who is at the other end: only trusted proxies are believed about it."""

from ipaddress import ip_network

import pytest

from gateway.rules.forwarded import Networks, client_of, scheme_of

TRUSTED: Networks = (ip_network("10.0.0.0/8"), ip_network("fd00::/8"))


@pytest.mark.parametrize(
    ("peer", "header", "client"),
    [
        ("1.2.3.4", None, "1.2.3.4"),
        ("1.2.3.4", "9.9.9.9", "1.2.3.4"),
        ("10.0.0.1", None, "10.0.0.1"),
        ("10.0.0.1", "1.2.3.4", "1.2.3.4"),
        ("10.0.0.1", "9.9.9.9, 1.2.3.4", "1.2.3.4"),
        ("10.0.0.1", "9.9.9.9, 1.2.3.4, 10.0.0.2", "1.2.3.4"),
        ("10.0.0.1", "junk, 10.0.0.2", "10.0.0.2"),
        ("10.0.0.1", "1.2.3.4, junk", "10.0.0.1"),
        ("10.0.0.1", "", "10.0.0.1"),
        ("fd00::1", "2001:db8::1", "2001:db8::1"),
        (None, "1.2.3.4", None),
        ("a socket", "1.2.3.4", "a socket"),
    ],
)
def test_the_nearest_stranger(peer: str | None, header: str | None, client: str | None) -> None:
    assert client_of(peer, header, TRUSTED) == client


def test_nobody_is_trusted_by_default() -> None:
    assert client_of("127.0.0.1", "1.2.3.4", ()) == "127.0.0.1"


@pytest.mark.parametrize(
    ("peer", "header", "scheme"),
    [
        ("10.0.0.1", "https", "https"),
        ("10.0.0.1", "http, HTTPS ", "https"),
        ("10.0.0.1", "https, http", "http"),
        ("10.0.0.1", "", "http"),
        ("10.0.0.1", "gopher", "http"),
        ("1.2.3.4", "https", "http"),
        (None, "https", "http"),
    ],
)
def test_the_scheme_is_what_the_nearest_proxy_says(
    peer: str | None, header: str, scheme: str
) -> None:
    assert scheme_of(peer, header, TRUSTED) == scheme
