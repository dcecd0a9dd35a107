"""W3C Trace Context: reading, continuing and beginning a ``traceparent``."""

import re
from typing import NamedTuple

_TRACEPARENT = re.compile(
    r"(?P<version>(?!ff)[0-9a-f]{2})-(?P<trace>(?!0{32})[0-9a-f]{32})"
    r"-(?P<span>(?!0{16})[0-9a-f]{16})-(?P<flags>[0-9a-f]{2})(?P<more>-[\x21-\x7e]*)?"
)
_SAMPLED = 0x01
_RANDOM_TRACE_ID = 0x02
_OTHER_FLAGS = f"{_RANDOM_TRACE_ID:02x}"
_SAMPLED_FLAGS = f"{_RANDOM_TRACE_ID | _SAMPLED:02x}"
_LONGEST = 512
_TRACE_LENGTH, _SPAN_LENGTH = 32, 16
_NO_TRACE, _NO_SPAN = "0" * _TRACE_LENGTH, "0" * _SPAN_LENGTH
_LENGTH = len("00-") + _TRACE_LENGTH + len("-") + _SPAN_LENGTH + len("-01")


class TraceParent(NamedTuple):
    """A valid ``traceparent``: ids in lower-case hexadecimal, flags reduced to the known ones."""

    trace_id: str
    span_id: str
    flags: int

    def __str__(self) -> str:
        return f"00-{self.trace_id}-{self.span_id}-{self.flags:02x}"


def parse(value: str) -> TraceParent | None:
    """None if the value is not valid; a later version is read as version 00 (section 4.3)."""
    found = _TRACEPARENT.fullmatch(value) if len(value) <= _LONGEST else None
    if found is None or (found["version"] == "00" and found["more"] is not None):
        return None
    flags = int(found["flags"], 16) & (_SAMPLED | _RANDOM_TRACE_ID)
    return TraceParent(found["trace"], found["span"], flags)


def child(traceparent: str, new_span_id: bytes) -> str:
    """The same trace, continued by the span of 8 bytes. ``traceparent`` is one written here."""
    if len(traceparent) != _LENGTH:
        raise ValueError("not a traceparent of this module's")
    span_id = new_span_id.hex()
    if len(span_id) != _SPAN_LENGTH or span_id == _NO_SPAN:
        raise ValueError("a span's id is 8 bytes that are not all zero")
    return f"{traceparent[:36]}{span_id}{traceparent[52:]}"


def new(octets: bytes, *, sampled: bool = False) -> str:
    """A trace that begins here, from 24 random bytes."""
    ids = octets.hex()
    trace_id, span_id = ids[:_TRACE_LENGTH], ids[_TRACE_LENGTH:]
    if len(span_id) != _SPAN_LENGTH or trace_id == _NO_TRACE or span_id == _NO_SPAN:
        raise ValueError("the ids are 16 and 8 bytes, neither of them all zero")
    return f"00-{trace_id}-{span_id}-{_SAMPLED_FLAGS if sampled else _OTHER_FLAGS}"
