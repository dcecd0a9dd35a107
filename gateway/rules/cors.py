"""Cross-origin resource sharing: which header lines a browser gets to see (Fetch standard).

There is no Access-Control-Allow-Credentials: tokens are sent explicitly, never by the browser.
"""

ALLOW_METHODS = "GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS"
ALLOW_HEADERS = (
    "Authorization, auth_token, Content-Type, Idempotency-Key, If-Match, If-None-Match, "
    "Last-Event-ID, OL-Team, Prefer, Cache-Control, X-Request-Id, traceparent"
)
EXPOSE_HEADERS = (
    "Link, Location, operationId, Retry-After, ETag, Cache-Status, RateLimit, RateLimit-Policy, "
    "X-Request-Id, Content-Disposition"
)

_METHODS = frozenset(ALLOW_METHODS.split(", "))
_HEADERS = frozenset(ALLOW_HEADERS.lower().split(", "))


def preflight(
    origin: str | None,
    method: str | None,
    request_headers: str | None,
    allowed: frozenset[str],
    max_age_seconds: int,
) -> list[tuple[str, str]] | None:
    """The header lines that grant a preflight; None if it is none or is not granted.

    ``method`` and ``request_headers`` are the values of Access-Control-Request-Method and
    Access-Control-Request-Headers.
    """
    if origin is None or origin not in allowed or method not in _METHODS:
        return None
    names = (name.strip().lower() for name in (request_headers or "").split(","))
    if any(name and name not in _HEADERS for name in names):
        return None
    return [
        ("Access-Control-Allow-Origin", origin),
        ("Access-Control-Allow-Methods", ALLOW_METHODS),
        ("Access-Control-Allow-Headers", ALLOW_HEADERS),
        ("Access-Control-Max-Age", str(max_age_seconds)),
        ("Vary", "Origin"),
    ]


def for_answer(origin: str | None, allowed: frozenset[str]) -> list[tuple[str, str]]:
    """The header lines of any answer; ``Vary`` also goes to origins that are not allowed."""
    if not allowed:
        return []
    if origin is None or origin not in allowed:
        return [("Vary", "Origin")]
    return [
        ("Access-Control-Allow-Origin", origin),
        ("Access-Control-Expose-Headers", EXPOSE_HEADERS),
        ("Vary", "Origin"),
    ]
