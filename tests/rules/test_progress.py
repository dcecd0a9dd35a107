"""OL Connect's progress text."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.rules.progress import is_done, percent_of


@pytest.mark.parametrize(
    ("text", "percent"),
    [
        (b"0", 0),
        (b"42", 42),
        (b"100\n", 100),
        (b"999", 100),
        (b"done", 100),
        (b" done\r\n", 100),
        (b"", None),
        (b"-1", None),
        (b"1000", None),
        (b"1.5", None),
        (b"Done", None),
        (b"<html>", None),
        (b"\xff", None),
    ],
)
def test_percent(text: bytes, percent: int | None) -> None:
    assert percent_of(text) == percent


@given(st.binary(max_size=8))
def test_nothing_else_is_a_percentage(text: bytes) -> None:
    percent = percent_of(text)
    assert percent is None or 0 <= percent <= 100
    assert not is_done(text) or percent == 100
