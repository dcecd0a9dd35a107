"""The breaker: what opens it, what closes it, and what it costs a server that has come back."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.problems import UpstreamOverloaded
from gateway.upstream import breaker
from gateway.upstream.breaker import Breaker, State


class Clock:
    def __init__(self) -> None:
        self.seconds = 100.0

    def __call__(self) -> float:
        return self.seconds


def opened(clock: Clock) -> Breaker:
    tested = Breaker(clock)
    for _ in range(breaker.FAILURES_IN_A_ROW):
        tested.failed(tested.admit())
    assert tested.state is State.OPEN
    return tested


def test_failures_in_a_row_open_it_and_the_refusal_says_when_to_come_again() -> None:
    with pytest.raises(UpstreamOverloaded) as refusal:
        opened(Clock()).admit()
    assert refusal.value.headers == {"Retry-After": "1"}


def test_one_success_in_between_keeps_it_closed() -> None:
    tested = Breaker(Clock())
    for outcome in [tested.failed] * 9 + [tested.succeeded] + [tested.failed] * 9:
        outcome(tested.admit())
    assert tested.state is State.CLOSED


@pytest.mark.parametrize(("seconds_between", "state"), [(0.4, State.OPEN), (1.0, State.CLOSED)])
def test_half_of_the_last_twenty_open_it_if_they_were_within_ten_seconds(
    seconds_between: float, state: State
) -> None:
    clock = Clock()
    tested = Breaker(clock)
    for number in range(breaker.WINDOW):
        (tested.failed if number % 2 else tested.succeeded)(tested.admit())
        clock.seconds += seconds_between
    assert tested.state is state


def test_one_probe_at_a_time_and_its_success_closes() -> None:
    clock = Clock()
    tested = opened(clock)
    clock.seconds += breaker.FIRST_PAUSE_SECONDS
    probe = tested.admit()
    states = [tested.state]
    with pytest.raises(UpstreamOverloaded):
        tested.admit()
    tested.succeeded(probe)
    assert [*states, tested.state] == [State.HALF_OPEN, State.CLOSED]


def test_what_was_sent_before_it_opened_says_nothing_about_now() -> None:
    tested = Breaker(Clock())
    permits = [tested.admit() for _ in range(30)]
    for permit in permits[:15]:
        tested.failed(permit)
    tested.succeeded(permits[20])
    assert tested.state is State.OPEN


def test_a_probe_whose_caller_left_makes_room_for_the_next() -> None:
    clock = Clock()
    tested = opened(clock)
    clock.seconds += breaker.FIRST_PAUSE_SECONDS
    tested.withdrew(tested.admit())
    tested.succeeded(tested.admit())
    assert tested.state is State.CLOSED


def test_a_probe_that_hangs_does_not_keep_the_next_one_back() -> None:
    clock = Clock()
    tested = opened(clock)
    clock.seconds += breaker.FIRST_PAUSE_SECONDS
    hanging = tested.admit()
    clock.seconds += breaker.LONGEST_PAUSE_SECONDS
    tested.succeeded(tested.admit())
    assert tested.state is State.CLOSED
    tested.failed(hanging)
    assert tested.state is State.CLOSED


_STEP = st.tuples(
    st.sampled_from(["good", "bad", "left", "hangs"]), st.floats(0, 5, allow_nan=False)
)


def _permit(tested: Breaker) -> int | None:
    try:
        return tested.admit()
    except UpstreamOverloaded:
        return None


@given(st.lists(_STEP, max_size=200))
def test_whatever_happens_a_probe_is_let_through_in_time(steps: list[tuple[str, float]]) -> None:
    clock = Clock()
    tested = Breaker(clock)
    last_sent = clock.seconds
    for outcome, seconds in steps:
        clock.seconds += seconds
        permit = _permit(tested)
        if permit is None:
            assert clock.seconds - last_sent < breaker.LONGEST_PAUSE_SECONDS
            continue
        last_sent = clock.seconds
        report = {"good": tested.succeeded, "bad": tested.failed, "left": tested.withdrew}
        report.get(outcome, lambda _: None)(permit)
        if outcome == "good":
            assert tested.state is State.CLOSED


@given(st.lists(st.booleans(), max_size=300), st.floats(0, 0.2))
def test_below_a_probe_per_second_while_nothing_answers(leaves: list[bool], step: float) -> None:
    clock = Clock()
    tested = opened(clock)
    sent = 0
    began = clock.seconds
    for _ in leaves:
        clock.seconds += step
        permit = _permit(tested)
        if permit is not None:
            tested.failed(permit)
            sent += 1
    assert sent <= (clock.seconds - began) / breaker.FIRST_PAUSE_SECONDS + 1
