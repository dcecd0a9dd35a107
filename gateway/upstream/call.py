"""One request to OL Connect."""

from collections.abc import AsyncIterator
from dataclasses import dataclass, field

from gateway.problems import Problem

Body = bytes | AsyncIterator[bytes] | None
# What aiohttp's session sends no length with, if there is no body.
_WITHOUT_BODY = frozenset({"GET", "HEAD", "OPTIONS", "TRACE"})


@dataclass(slots=True)
class Call:
    """One request to OL Connect: exactly the bytes that were authorised, our headers added.

    ``sent`` turns true when bytes of the request may have left; a failure before that is known to
    have had no effect.
    """

    method: str
    path: str  # raw, from /rest/serverengine on
    raw_query: str = ""
    headers: list[tuple[str, str]] = field(default_factory=list)
    body: Body = None
    sent: bool = False
    seconds: float = 0.0  # until the answer's head
    failure: Problem | None = None  # why the body broke off, where its source is to blame

    @property
    def target(self) -> str:
        return f"{self.path}?{self.raw_query}" if self.raw_query else self.path


def written(call: Call, authority: str) -> bytes:
    """The request as aiohttp's session writes it. Raises ValueError for a line break."""
    lines = [f"{call.method} {call.target} HTTP/1.1", f"Host: {authority}"]
    lines += [f"{name}: {value}" for name, value in call.headers]
    body = call.body
    assert not isinstance(body, AsyncIterator)
    if body or call.method not in _WITHOUT_BODY:
        lines.append(f"Content-Length: {len(body or b'')}")
    text = "\r\n".join(lines)
    if text.count("\n") != len(lines) - 1 or text.count("\r") != len(lines) - 1:
        raise ValueError("a header line holds a line break")
    return f"{text}\r\n\r\n".encode() + (body or b"")
