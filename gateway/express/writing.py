"""Answers as bytes, the same ones that aiohttp would send."""

from collections.abc import Iterable
from functools import lru_cache
from http import HTTPStatus

from aiohttp.helpers import rfc822_formatted_time

_REASONS = {status.value: status.phrase for status in HTTPStatus}
# RFC 9110 sections 8.6 and 15.4.5: no length where there can be no body.
_WITHOUT_BODY = frozenset({204, 304})


def head(
    status: int, lines: Iterable[tuple[str, str]], length: int | None, *, is_last: bool
) -> bytes:
    """Status line and header section. Raises ValueError for a line break within a line."""
    if length is not None and status not in _WITHOUT_BODY:
        lines = [*lines, ("Content-Length", str(length))]
    return start(status, lines) + end(is_last=is_last)


def start(status: int, lines: Iterable[tuple[str, str]]) -> bytes:
    """The first lines of an answer. Raises ValueError for a line break within a line."""
    return f"HTTP/1.1 {status} {_REASONS.get(status, '')}\r\n".encode() + section(lines)


def section(lines: Iterable[tuple[str, str]]) -> bytes:
    """Some of an answer's lines. Raises ValueError for a line break within one."""
    written = [f"{name}: {value}\r\n" for name, value in lines]
    text = "".join(written)
    if text.count("\n") != len(written) or text.count("\r") != len(written):
        raise ValueError("a header line holds a line break")
    return text.encode()


def end(*, is_last: bool) -> bytes:
    """The last lines of an answer's head."""
    return _ends(rfc822_formatted_time())[is_last]


@lru_cache(1)
def _ends(date: str) -> tuple[bytes, bytes]:
    last = f"Date: {date}\r\nConnection: close\r\n\r\n"
    return f"Date: {date}\r\n\r\n".encode(), last.encode()


def whole(
    method: str, status: int, lines: list[tuple[str, str]], body: bytes | None, *, is_last: bool
) -> bytes:
    """An answer whose body is at hand."""
    if method == "HEAD" and any(name.lower() == "content-length" for name, _ in lines):
        return head(status, lines, None, is_last=is_last)
    content = body or b""
    written = head(status, lines, len(content), is_last=is_last)
    return written if method == "HEAD" or status in _WITHOUT_BODY else written + content
