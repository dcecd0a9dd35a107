"""What may be kept, and the header fields of RFC 9110, 9111 and 9211."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.rules.caching import (
    Permission,
    asks_anew,
    cache_status,
    directives,
    etag,
    if_match,
    matches,
    permission,
)

TAG = etag(b"body")
NOW = 784_111_777.0  # Sun, 06 Nov 1994 08:49:37 GMT


@given(st.binary(), st.binary())
def test_other_bytes_have_another_tag(one: bytes, other: bytes) -> None:
    assert (etag(one) == etag(other)) == (one == other)
    assert etag(one).startswith('"')
    assert matches(etag(one), etag(one))
    assert if_match(etag(one), etag(one))


@pytest.mark.parametrize(
    "value",
    [
        "*",
        " * ",
        TAG,
        f"W/{TAG}",
        f'"a,b", {TAG}',
        f', "" , W/"x" ,, {TAG} ,',
        f'"{"x" * 9}",{TAG}',
    ],
)
def test_if_none_match(value: str) -> None:
    assert matches(value, TAG)


@pytest.mark.parametrize(
    "value",
    [
        "",
        '"other"',
        TAG.strip('"'),
        f"w/{TAG}",
        f"{TAG} {TAG}",
        f"{TAG} junk",
        f"*, {TAG}",
        TAG[:-1],
        f'"x{TAG}',
        ",",
        f'"a", {TAG}, "unterminated',
    ],
)
def test_if_none_match_of_something_else(value: str) -> None:
    assert not matches(value, TAG)
    assert not if_match(value, TAG)


def test_if_match_is_strong() -> None:
    assert if_match(f'"a", {TAG}', TAG)
    assert if_match("*", TAG)
    assert not if_match(f"W/{TAG}", TAG)
    assert not if_match(f"W/{TAG}", f"W/{TAG}")
    assert not if_match("*", None)
    assert not if_match(TAG, None)


@given(st.text())
def test_any_text_is_read_without_error(text: str) -> None:
    matches(text, TAG)
    directives(text)
    asks_anew(text, text)
    names = ("Cache-Control", "Vary", "Expires", "Date", "Age")
    permission([(name, text) for name in names], NOW)


def test_long_malformed_values_are_read_in_no_time() -> None:
    for text in ('"a" ' * 8000, "," * 30_000, '"' * 30_001, '"\\' * 15_000, "a=" * 15_000):
        assert not matches(text, TAG)
        assert not asks_anew(text, None)


def test_directives() -> None:
    value = ' Max-Age=60 , private="set-cookie, x" ,,no-store, max-age=9,ext="a\\"b'
    assert directives(value) == {
        "max-age": "60",
        "private": "set-cookie, x",
        "no-store": None,
        "ext": 'a\\"b',
    }


@pytest.mark.parametrize(
    ("cache_control", "pragma", "expected"),
    [
        (None, None, False),
        ("no-cache", None, True),
        ("No-Cache", None, True),
        ("max-stale=5, no-store", None, True),
        ("max-age=0", None, True),
        ('max-age="0"', None, True),
        ("max-age=00", None, True),
        ("max-age=1", None, False),
        ("max-age=", None, False),
        ("max-age", None, False),
        ("max-age=" + "9" * 10_000, None, False),
        ('ext="no-cache"', None, False),
        ('ext="a, no-cache, b"', None, False),
        ("no-cachet", None, False),
        ("", None, False),
        (None, "no-cache", True),
        (None, "x", False),
        ("max-age=5", "no-cache", False),
    ],
)
def test_who_asks_anew(cache_control: str | None, pragma: str | None, expected: bool) -> None:
    assert asks_anew(cache_control, pragma) is expected


@pytest.mark.parametrize(
    "lines",
    [
        [("Cache-Control", "no-store")],
        [("cache-control", "max-age=60"), ("Cache-Control", "Private")],
        [("Cache-Control", 'no-cache="set-cookie"')],
        [("Cache-Control", "max-age=0")],
        [("Cache-Control", "s-maxage=0, max-age=60")],
        [("Cache-Control", "max-age=soon")],
        *([("Cache-Control", text)] for text in ("max-age =60", "max-age= 60", "max-age='60'")),
        [("Vary", "*")],
        [("Vary", "Accept-Encoding"), ("vary", "Accept-Language")],
        [("Content-Encoding", "gzip")],
        [("Expires", "Sun, 06 Nov 1994 08:49:37 GMT")],
        [("Expires", "Sun, 06 Nov 1994 08:50:07 GMT"), ("Expires", "0")],
        *([("Expires", text)] for text in ("0", "-1", "", "now", "1994", "Sunday")),
        [("Cache-Control", "public"), ("Expires", "Thu, 01 Jan 1970 00:00:00 GMT")],
        [
            ("Expires", "Sun, 06 Nov 1994 08:50:07 GMT"),
            ("Date", "Sun, 06 Nov 1994 08:50:07 GMT"),
        ],
    ],
)
def test_what_may_not_be_kept(lines: list[tuple[str, str]]) -> None:
    assert permission(lines, NOW).fresh_seconds == 0


@pytest.mark.parametrize(
    ("lines", "expected"),
    [
        ([], Permission()),
        ([("Content-Type", "text/plain"), ("Vary", "accept-encoding, Origin")], Permission()),
        ([("Cache-Control", "public, max-age=60")], Permission(60.0)),
        ([("Cache-Control", "max-age=9, s-maxage=60")], Permission(60.0, stale_allowed=False)),
        ([("Expires", "Sun, 06 Nov 1994 08:50:07 GMT")], Permission(30.0)),
        (
            [
                ("Expires", "Sun, 06 Nov 1994 08:50:07 GMT"),
                ("Date", "Sun, 06 Nov 1994 08:49:57 GMT"),
            ],
            Permission(10.0),
        ),
        ([("Expires", "Sun, 06 Nov 1994 08:50:07 GMT"), ("Date", "x")], Permission(30.0)),
        ([("Age", "15")], Permission(age_seconds=15.0)),
        ([("Age", "9" * 400)], Permission(age_seconds=2.0**31)),
        ([("age", "7"), ("Age", "0"), ("Cache-Control", "max-age=9")], Permission(9.0, True, 7.0)),
        *(([("Age", text)], Permission()) for text in ("0", "0, 9", "-9", "9.5", "old", "")),
        ([("Expires", "0"), ("Cache-Control", "max-age=60")], Permission(60.0)),
        ([("Cache-Control", "must-revalidate")], Permission(math.inf, stale_allowed=False)),
        ([("Cache-Control", 'ext="no-store, private"')], Permission()),
    ],
)
def test_what_may_be_kept(lines: list[tuple[str, str]], expected: Permission) -> None:
    assert permission(lines, NOW) == expected


def test_cache_status() -> None:
    assert cache_status("hit", 42.9) == "olgw; hit; ttl=42"
    assert cache_status("miss", 60) == "olgw; fwd=uri-miss; stored"
    assert cache_status("miss", 0) == "olgw; fwd=uri-miss"
    assert cache_status("coalesced", 60) == "olgw; fwd=uri-miss; collapsed"
    assert cache_status("stale", 0) == "olgw; hit; detail=stale"
    assert cache_status("bypass", 0) == "olgw; fwd=bypass"
    assert cache_status("miss", 60, anew=True) == "olgw; fwd=request"
    assert cache_status("coalesced", 60, anew=True) == "olgw; fwd=request; collapsed"
