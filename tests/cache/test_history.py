"""The judge of the load tests notices what is wrong, and lets pass what is not."""

import pytest

from tests.cache.history import History

JOB = "/jobs/1/properties"


@pytest.fixture
def history() -> History:
    """Written and answered: "a" from 1 to 2, "b" from 3 to 4."""
    history = History()
    for value, began in (("a", 1.0), ("b", 3.0)):
        answered(history, value, began, began + 1)
    return history


def answered(history: History, value: str | None, began: float, ended: float) -> None:
    written = history.begin(JOB, value, began)
    written.ended, written.was_answered = ended, True


@pytest.mark.parametrize(
    ("value", "began"), [("", 2.5), ("", 9.0), ("a", 4.1), ("a", 9.0), ("c", 9.0), (None, 9.0)]
)
def test_what_is_older_than_an_answered_write_is_objected_to(
    history: History, value: str | None, began: float
) -> None:
    assert history.objection(JOB, value, began)


@pytest.mark.parametrize(
    ("value", "began"), [("", 0.0), ("", 2.0), ("a", 0.5), ("a", 3.9), ("b", 3.0), ("b", 9.0)]
)
def test_what_a_read_may_have_met_passes(history: History, value: str, began: float) -> None:
    assert history.objection(JOB, value, began) is None


def test_of_two_writes_at_once_either_may_have_come_last(history: History) -> None:
    answered(history, "c", 5.0, 7.0)
    answered(history, "d", 6.0, 8.0)
    assert history.objection(JOB, "c", 9.0) is None
    assert history.objection(JOB, "d", 9.0) is None


def test_a_write_of_unknown_fate_may_come_until_it_has_settled(history: History) -> None:
    unknown = history.begin(JOB, "c", 5.0)
    assert history.objection(JOB, "b", 9.0) is None
    assert history.objection(JOB, "c", 9.0) is None
    answered(history, "d", 10.0, 11.0)
    assert history.objection(JOB, "c", 12.0) is None
    unknown.ended = 7.0
    assert history.objection(JOB, "c", 12.0)


def test_nothing_is_read_of_what_was_deleted(history: History) -> None:
    answered(history, None, 5.0, 6.0)
    assert history.objection(JOB, "b", 7.0)
    assert history.objection(JOB, None, 7.0) is None
