"""The pauses between polls."""

from hypothesis import given
from hypothesis import strategies as st

from gateway.rules.polling import interval_seconds

AGES = st.floats(0, 1e6)
PERCENT = st.integers(0, 100)


def test_a_young_operation_is_asked_soon() -> None:
    assert interval_seconds(0.0, 0, listened=True) == 0.2


def test_a_large_one_is_asked_more_rarely_than_a_small_one_of_the_same_age() -> None:
    assert interval_seconds(10, 10, listened=True) > interval_seconds(10, 90, listened=True)


def test_what_stands_still_near_its_end_is_not_asked_for_ever_at_the_same_rate() -> None:
    assert interval_seconds(3600, 99, listened=True) == 5.0


def test_without_listeners_pauses_are_long() -> None:
    assert interval_seconds(0, 0, listened=False) == 10
    assert interval_seconds(3600, 50, listened=False) == 60


@given(AGES, PERCENT)
def test_the_bounds_hold(age: float, percent: int) -> None:
    assert 0.2 <= interval_seconds(age, percent, listened=True) <= 5
    assert 10 <= interval_seconds(age, percent, listened=False) <= 60
