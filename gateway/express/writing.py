"""Answers as bytes, the same ones that aiohttp would send."""

from collections.abc import Iterable
from http import HTTPStatus

from aiohttp.helpers import rfc822_formatted_time

_REASONS = {status.value: status.phrase for status in HTTPStatus}
# RFC 9110 sections 8.6 and 15.4.5: no length where there can be no body.
_WITHOUT_BODY = frozenset({204, 304})


def head(
    status: int, lines: Iterable[tuple[str, str]], length: int | None, *, is_last: bool
) -> bytes:
    """Status line and header section. Raises ValueError for a line break within a line."""
    return f"{start(status, lines)}{_end(status, length, is_last=is_last)}".encode()


def start(status: int, lines: Iterable[tuple[str, str]]) -> str:
    """The first lines of an answer. Raises ValueError for a line break within a line."""
    return f"HTTP/1.1 {status} {_REASONS.get(status, '')}\r\n{_section(lines)}"


def rest(start: str, lines: Iterable[tuple[str, str]], body: bytes, *, is_last: bool) -> bytes:
    """An answer of 200 that begins with ``start``. Raises ValueError as that does."""
    return f"{start}{_section(lines)}{_end(200, len(body), is_last=is_last)}".encode() + body


def _section(lines: Iterable[tuple[str, str]]) -> str:
    written = [f"{name}: {value}\r\n" for name, value in lines]
    text = "".join(written)
    if text.count("\n") != len(written) or text.count("\r") != len(written):
        raise ValueError("a header line holds a line break")
    return text


def _end(status: int, length: int | None, *, is_last: bool) -> str:
    framing = ""
    if length is not None and status not in _WITHOUT_BODY:
        framing = f"Content-Length: {length}\r\n"
    closing = "Connection: close\r\n" if is_last else ""
    return f"{framing}Date: {rfc822_formatted_time()}\r\n{closing}\r\n"


def whole(
    method: str, status: int, lines: list[tuple[str, str]], body: bytes | None, *, is_last: bool
) -> bytes:
    """An answer whose body is at hand."""
    if method == "HEAD" and any(name.lower() == "content-length" for name, _ in lines):
        return head(status, lines, None, is_last=is_last)
    content = body or b""
    written = head(status, lines, len(content), is_last=is_last)
    return written if method == "HEAD" or status in _WITHOUT_BODY else written + content
