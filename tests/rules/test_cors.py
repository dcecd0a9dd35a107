"""Cross-origin lines: exactly the contract's, and only for the configured origins."""

import pytest

from gateway.rules.cors import for_answer, preflight

PORTAL = "https://portal.example.com"
ALLOWED = frozenset({PORTAL})


def test_a_granted_preflight() -> None:
    lines = preflight(PORTAL, "PATCH", "auth_token, if-match,traceparent", ALLOWED, 600)
    assert lines == [
        ("Access-Control-Allow-Origin", PORTAL),
        ("Access-Control-Allow-Methods", "GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS"),
        (
            "Access-Control-Allow-Headers",
            "Authorization, auth_token, Content-Type, Idempotency-Key, If-Match, If-None-Match, "
            "Last-Event-ID, OL-Team, Prefer, Cache-Control, X-Request-Id, traceparent",
        ),
        ("Access-Control-Max-Age", "600"),
        ("Vary", "Origin"),
    ]


@pytest.mark.parametrize("request_headers", [None, "", " ", "authorization", "CONTENT-TYPE"])
def test_header_names_are_optional_and_of_any_case(request_headers: str | None) -> None:
    assert preflight(PORTAL, "GET", request_headers, ALLOWED, 1) is not None


@pytest.mark.parametrize(
    ("origin", "method", "request_headers"),
    [
        (None, "GET", None),
        (PORTAL, None, None),
        ("null", "GET", None),
        ("*", "GET", None),
        ("https://portal.example.com.evil.example", "GET", None),
        ("https://PORTAL.example.com", "GET", None),
        ("http://portal.example.com", "GET", None),
        (PORTAL, "TRACE", None),
        (PORTAL, "get", None),
        (PORTAL, "GET", "authorization, cookie"),
        (PORTAL, "GET", "auth-token"),
    ],
)
def test_anything_else_is_not_granted(
    origin: str | None, method: str | None, request_headers: str | None
) -> None:
    assert preflight(origin, method, request_headers, ALLOWED, 600) is None


def test_the_lines_of_an_answer() -> None:
    assert for_answer(PORTAL, ALLOWED) == [
        ("Access-Control-Allow-Origin", PORTAL),
        (
            "Access-Control-Expose-Headers",
            "Link, Location, operationId, Retry-After, ETag, Cache-Status, RateLimit, "
            "RateLimit-Policy, X-Request-Id, Content-Disposition",
        ),
        ("Vary", "Origin"),
    ]


@pytest.mark.parametrize("origin", [None, "null", "https://other.example"])
def test_other_origins_get_nothing_but_vary(origin: str | None) -> None:
    assert for_answer(origin, ALLOWED) == [("Vary", "Origin")]


def test_without_origins_there_is_no_cors() -> None:
    assert for_answer(PORTAL, frozenset()) == []
