"""Durations and sizes."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import TypeAdapter, ValidationError

from gateway.settings.units import (
    Duration,
    Size,
    format_duration,
    format_size,
    parse_duration,
    parse_size,
)


@pytest.mark.parametrize(
    ("written", "seconds"),
    [("250ms", 0.25), ("30s", 30.0), ("5m", 300.0), ("1h", 3600.0), ("2d", 172800.0), ("0s", 0.0)],
)
def test_durations_become_seconds(written: str, seconds: float) -> None:
    assert TypeAdapter(Duration).validate_python(written) == seconds


@pytest.mark.parametrize(
    ("written", "size"),
    [("512B", 512), ("64KiB", 65536), ("1MiB", 2**20), ("2GiB", 2**31), ("1TiB", 2**40)],
)
def test_sizes_become_bytes(written: str, size: int) -> None:
    assert TypeAdapter(Size).validate_python(written) == size


@pytest.mark.parametrize(
    "written", [30, 1.5, True, None, "30", "1.5s", "-1s", " 1s", "1s\n", "1 s", "1S", "٣s", ["1s"]]
)
def test_other_durations_are_refused_with_what_to_write(written: Any) -> None:
    with pytest.raises(ValidationError, match="250ms, 30s, 5m, 1h or 1d"):
        TypeAdapter(Duration).validate_python(written)


@pytest.mark.parametrize("written", [64, "64", "64K", "64KB", "64kib", "1.5MiB", "1MiB\n", {}])
def test_other_sizes_are_refused_with_what_to_write(written: Any) -> None:
    with pytest.raises(ValidationError, match="512B, 64KiB, 1MiB or 2GiB"):
        TypeAdapter(Size).validate_python(written)


@given(st.integers(0, 10**9))
def test_a_duration_survives_being_written(milliseconds: int) -> None:
    assert parse_duration(format_duration(milliseconds / 1000)) == pytest.approx(
        milliseconds / 1000
    )


@given(st.integers(0, 10**12 - 1))
def test_a_size_survives_being_written(size: int) -> None:
    assert parse_size(format_size(size)) == size
