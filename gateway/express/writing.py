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
    written = [f"HTTP/1.1 {status} {_REASONS.get(status, '')}"]
    written += [f"{name}: {value}" for name, value in lines]
    if length is not None and status not in _WITHOUT_BODY:
        written.append(f"Content-Length: {length}")
    written.append(f"Date: {rfc822_formatted_time()}")
    if is_last:
        written.append("Connection: close")
    text = "\r\n".join(written)
    if text.count("\n") != len(written) - 1 or text.count("\r") != len(written) - 1:
        raise ValueError("a header line holds a line break")
    return f"{text}\r\n\r\n".encode()


def whole(
    method: str, status: int, lines: list[tuple[str, str]], body: bytes | None, *, is_last: bool
) -> bytes:
    """An answer whose body is at hand."""
    if method == "HEAD" and any(name.lower() == "content-length" for name, _ in lines):
        return head(status, lines, None, is_last=is_last)
    content = body or b""
    written = head(status, lines, len(content), is_last=is_last)
    return written if method == "HEAD" or status in _WITHOUT_BODY else written + content
