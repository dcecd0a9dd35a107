"""The token bucket: never more than the burst at once, never more than the rate in the long run."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.rules.limits import Rate, policy_line, state_line, take


def test_a_burst_passes_and_then_the_rate_holds() -> None:
    rate, state = Rate(10, 3), 0.0
    remaining = []
    for _ in range(3):
        taken = take(rate, state, 100.0)
        state = taken.state
        remaining.append(taken.remaining)
    assert remaining == [2, 1, 0]
    assert take(rate, state, 100.0).wait_seconds == pytest.approx(0.1)
    assert take(rate, state, 100.1).wait_seconds == 0


@given(
    st.floats(0.01, 1000),
    st.integers(1, 100),
    st.lists(st.floats(0, 10), min_size=1, max_size=60),
)
def test_no_window_sees_more_than_burst_and_rate_allow(
    per_second: float, burst: int, pauses: list[float]
) -> None:
    rate, state, now, passed = Rate(per_second, burst), 0.0, 1_000_000.0, 0
    for pause in pauses:
        now += pause
        taken = take(rate, state, now)
        state = taken.state
        passed += not taken.wait_seconds
        assert 0 <= taken.remaining < burst
    assert passed <= burst + per_second * sum(pauses[1:]) + 1e-3


@given(st.floats(0.01, 1000), st.integers(1, 100))
def test_whoever_waits_as_told_gets_through(per_second: float, burst: int) -> None:
    rate, state, now = Rate(per_second, burst), 0.0, 1000.0
    for _ in range(burst):
        state = take(rate, state, now).state
    wait = take(rate, state, now).wait_seconds
    assert wait > 0
    assert take(rate, state, now + wait + 1e-6).wait_seconds == 0


def test_what_callers_are_told() -> None:
    assert policy_line(Rate(50, 100)) == '"team";q=100;w=2'
    assert state_line(7, 0.0) == '"team";r=7;t=0'
    assert state_line(0, 0.2) == '"team";r=0;t=1'
