"""The chain of the audit journal: each line bears the SHA-256 of the one before it."""

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from pydantic_core import from_json, to_json

FIRST = "0" * 64
"""What the first line bears in place of a predecessor's hash."""

_MAX_LINE_BYTES = 1024 * 1024


@dataclass(frozen=True, slots=True)
class Verdict:
    """``line`` is the first bad one, counted from 1; None where the whole chain holds."""

    lines: int
    line: int | None = None
    reason: str = ""


def digest(line: bytes) -> str:
    """The hash of a line without its end."""
    return hashlib.sha256(line).hexdigest()


def line_of(event: Mapping[str, Any], previous: str) -> bytes:
    """A line without its end."""
    return to_json({"previous": previous, **event})


def verify(lines: Iterable[bytes]) -> Verdict:
    """Judge the lines of a journal, each with its end as it was read."""
    expected, count = FIRST, 0
    for count, line in enumerate(lines, 1):
        reason = _fault(line, expected)
        if reason is not None:
            return Verdict(count, count, reason)
        expected = digest(line.removesuffix(b"\n"))
    return Verdict(count)


def _fault(line: bytes, expected: str) -> str | None:
    if not line.endswith(b"\n"):
        return "the line has no end"
    if len(line) > _MAX_LINE_BYTES:
        return "the line is longer than any that is written"
    try:
        event = from_json(line)
    except ValueError:
        return "the line is not JSON"
    if not isinstance(event, dict):
        return "the line is no JSON object"
    if event.get("previous") != expected:
        return "the line before it was changed, moved or taken away, or this one was put in"
    return None
