"""Durations (``250ms``, ``30s``) and sizes (``64KiB``) as an operator writes them."""

import re
from collections.abc import Mapping
from typing import Annotated, Any

from pydantic import AfterValidator, BeforeValidator, PlainSerializer, WithJsonSchema
from pydantic_core import PydanticCustomError

_SECONDS: Mapping[str, float] = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}
_BYTES: Mapping[str, int] = {"B": 1, "KiB": 2**10, "MiB": 2**20, "GiB": 2**30, "TiB": 2**40}
# Twelve digits keep every value exact as a float and far from overflow.
_DURATION = re.compile(r"([0-9]{1,12})(ms|s|m|h|d)")
_SIZE = re.compile(r"([0-9]{1,12})(B|KiB|MiB|GiB|TiB)")


def parse_duration(value: Any) -> float:
    """Seconds. Raises PydanticCustomError for anything but a number with its unit."""
    match = _DURATION.fullmatch(value) if isinstance(value, str) else None
    if match is None:
        raise PydanticCustomError(
            "duration", "must be a whole number with its unit: 250ms, 30s, 5m, 1h or 1d"
        )
    return int(match[1]) * _SECONDS[match[2]]


def parse_size(value: Any) -> int:
    """Bytes. Raises PydanticCustomError for anything but a number with its unit."""
    match = _SIZE.fullmatch(value) if isinstance(value, str) else None
    if match is None:
        raise PydanticCustomError(
            "size", "must be a whole number with its unit: 512B, 64KiB, 1MiB or 2GiB"
        )
    return int(match[1]) * _BYTES[match[2]]


def format_duration(seconds: float) -> str:
    milliseconds = round(seconds * 1000)
    if milliseconds == 0:
        return "0s"
    for unit in ("d", "h", "m", "s"):
        in_unit, rest = divmod(milliseconds, round(_SECONDS[unit] * 1000))
        if rest == 0:
            return f"{in_unit}{unit}"
    return f"{milliseconds}ms"


def format_size(size: int) -> str:
    if size == 0:
        return "0B"
    for unit in ("TiB", "GiB", "MiB", "KiB"):
        in_unit, rest = divmod(size, _BYTES[unit])
        if rest == 0:
            return f"{in_unit}{unit}"
    return f"{size}B"


def duration_between(low: str, high: str) -> AfterValidator:
    """Both ends are allowed, and are named in the mistake as they are written here."""
    lowest, highest = parse_duration(low), parse_duration(high)

    def check(seconds: float) -> float:
        if not lowest <= seconds <= highest:
            raise PydanticCustomError("duration_range", f"must be from {low} to {high}")
        return seconds

    return AfterValidator(check)


def size_between(low: str, high: str) -> AfterValidator:
    """Both ends are allowed, and are named in the mistake as they are written here."""
    lowest, highest = parse_size(low), parse_size(high)

    def check(size: int) -> int:
        if not lowest <= size <= highest:
            raise PydanticCustomError("size_range", f"must be from {low} to {high}")
        return size

    return AfterValidator(check)


Duration = Annotated[
    float,
    BeforeValidator(parse_duration),
    PlainSerializer(format_duration, return_type=str),
    WithJsonSchema({"type": "string", "pattern": f"^{_DURATION.pattern}$"}),
]
"""Written ``30s``; seconds in Python."""

Size = Annotated[
    int,
    BeforeValidator(parse_size),
    PlainSerializer(format_size, return_type=str),
    WithJsonSchema({"type": "string", "pattern": f"^{_SIZE.pattern}$"}),
]
"""Written ``64KiB``; bytes in Python."""
