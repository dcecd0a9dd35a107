"""How long a caller would wait."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.rules.prefer import LONGEST_WAIT_SECONDS, wait_seconds


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ([], None),
        ([""], None),
        (["wait=10"], 10),
        (["wait=0"], 0),
        (["Wait = 10"], 10),
        (['wait="7"'], 7),
        (["wait=121"], LONGEST_WAIT_SECONDS),
        (["respond-async, wait=100"], 100),
        (["respond-async", "wait=5"], 5),
        (["wait=5, wait=9"], 5),
        (["wait=5; foo=bar"], 5),
        (['foo="a, wait=9", wait=3'], 3),
        (["wait"], None),
        (["wait=-1"], None),
        (["wait=1.5"], None),
        (["wait=ten"], None),
        (["waiting=5"], None),
        (["wait=\u0661"], None),
    ],
)
def test_wait(values: list[str], expected: int | None) -> None:
    assert wait_seconds(values) == expected


@given(st.lists(st.text()))
def test_any_header_is_survived(values: list[str]) -> None:
    seconds = wait_seconds(values)
    assert seconds is None or 0 <= seconds <= LONGEST_WAIT_SECONDS
