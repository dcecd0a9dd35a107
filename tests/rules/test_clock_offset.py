"""What the Date of answers tells of another clock, which is never more than is true."""

from email.utils import formatdate

from hypothesis import given
from hypothesis import strategies as st

from gateway.rules.clock_offset import ClockOffset

NOW = 1_790_000_000.0


def told(
    offset: ClockOffset, ahead: float, asked: float, before: float, after: float
) -> ClockOffset:
    """An answer to what was ``asked``, of so long before its Date was written and so long after."""
    date = formatdate(int(asked + before + ahead), usegmt=True)
    return offset.told(date, asked, asked + before + after)


@given(
    st.floats(-1e5, 1e5),
    st.lists(st.tuples(st.floats(0, 5), st.floats(0, 3), st.floats(0, 3)), min_size=1, max_size=9),
)
def test_the_truth_is_always_inside(
    ahead: float, answers: list[tuple[float, float, float]]
) -> None:
    offset, asked = ClockOffset(), NOW
    for pause, before, after in answers:
        asked += pause
        offset = told(offset, ahead, asked, before, after)
        asked += before + after
        assert offset.least - 1e-3 <= ahead <= offset.most + 1e-3
        earliest, latest = offset.ours(asked + ahead)
        assert earliest - 1e-3 <= asked <= latest + 1e-3


def test_many_answers_tell_more_than_one() -> None:
    offset = ClockOffset()
    assert not offset.is_known
    offset = told(offset, 90.0, NOW, 0.01, 0.01)
    assert offset.is_known
    assert 1.0 < offset.most - offset.least < 1.1
    for number in range(100):
        offset = told(offset, 90.0, NOW + number * 0.37, 0.01, 0.01)
    assert offset.most - offset.least < 0.15
    assert offset.least <= 90.0 <= offset.most


def test_a_clock_that_is_set_is_believed() -> None:
    offset = told(ClockOffset(), 0.0, NOW, 0.01, 0.01)
    offset = told(offset, -3600.0, NOW + 1, 0.01, 0.01)
    assert offset.least <= -3600.0 <= offset.most
    assert offset.most - offset.least < 1.1


def test_what_is_no_date_tells_nothing() -> None:
    late, zoned = "Fri, 27 Nov 2026 06:00:00", "+99999999999999999"
    for date in (None, "", "yesterday", "0", late, f"{late} {zoned}", f"{late} +2500"):
        assert ClockOffset().told(date, NOW, NOW) == ClockOffset()
