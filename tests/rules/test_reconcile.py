"""Which operation came of which lost start: given out only where it is certain."""

from hypothesis import given
from hypothesis import strategies as st

from gateway.rules.reconcile import Attempt, Listed, assign, teams


def _attempt(
    id_: str,
    earliest: float,
    latest: float,
    *,
    owner: str = "",
    team: str = "a",
    open_: bool = False,
) -> Attempt:
    return Attempt(id_, owner or id_, team, earliest, latest, open_)


def test_the_only_attempt_there_was_gets_the_operation() -> None:
    assert assign([_attempt("1", 0, 2)], [Listed("x", 1, 1)]) == {"1": "x"}
    assert assign([_attempt("1", 0, 2)], [Listed("x", 3, 3)]) == {}
    assert assign([_attempt("1", 0, 2)], []) == {}


def test_one_that_may_still_be_answered_leaves_nothing_certain() -> None:
    attempts = [_attempt("1", 0, 2), _attempt("2", 0, 9, open_=True)]
    assert assign(attempts, [Listed("x", 1, 1)]) == {}
    assert teams(attempts, [Listed("x", 1, 1)]) == {}


def test_different_requests_are_not_exchanged_for_one_another() -> None:
    attempts = [_attempt("1", 0, 2), _attempt("2", 0, 2)]
    assert assign(attempts, [Listed("x", 1, 1), Listed("y", 1, 1)]) == {}
    assert set(teams(attempts, [Listed("x", 1, 1), Listed("y", 1, 1)])) == {"x", "y"}


def test_equal_requests_of_one_caller_may_be_exchanged() -> None:
    attempts = [_attempt(id_, 0, 2, owner="same") for id_ in "12"]
    assert assign(attempts, [Listed("x", 1, 1), Listed("y", 1.5, 1.5)]) == {"1": "x", "2": "y"}
    assert assign(attempts, [Listed("x", 1, 1)]) == {"1": "x"}


def test_what_one_explains_leaves_the_other_to_the_other() -> None:
    attempts = [_attempt("1", 0, 2), _attempt("2", 1, 4)]
    listed = [Listed("y", 1.5, 1.5), Listed("z", 3, 3)]
    assert assign(attempts, listed) == {"2": "z", "1": "y"}


def test_nobody_is_given_what_another_team_may_just_have_begun() -> None:
    """OL Connect may have read a request long after its connection broke."""
    late = _attempt("1", 0, 2, team="b")
    mine = _attempt("2", 3, 5)
    assert assign([late, mine], [Listed("x", 3.9, 3.9)]) == {}
    assert teams([late, mine], [Listed("x", 3.9, 3.9)]) == {}
    assert assign([late, mine], [Listed("x", 4.1, 4.1)]) == {"2": "x"}
    assert assign([late, mine], [Listed("x", 2.5, 2.5)]) == {}
    assert assign([_attempt("1", 0, 2), mine], [Listed("x", 3.9, 3.9)]) == {"2": "x"}


def test_an_hour_that_is_known_roughly_may_be_anybodys() -> None:
    attempts = [_attempt("1", 0, 1), _attempt("2", 2, 3)]
    assert assign(attempts, [Listed("x", 0.5, 2.5)]) == {}
    assert assign(attempts, [Listed("x", 0.5, 1.5)]) == {"1": "x"}
    assert assign(attempts, [Listed("x", 1.1, 1.9)]) == {}


def test_two_teams_at_once_leave_it_open() -> None:
    attempts = [_attempt("1", 0, 2), _attempt("2", 0, 2, team="b")]
    assert assign(attempts, [Listed("x", 1, 1)]) == {}
    assert teams(attempts, [Listed("x", 1, 1)]) == {}


ATTEMPTS = st.lists(
    st.builds(
        lambda id_, start, length, owner, open_: Attempt(
            str(id_), owner, owner[0], start, start + length, open_
        ),
        st.integers(0, 999),
        st.floats(0, 10),
        st.floats(0, 3),
        st.sampled_from(["a1", "a2", "b1"]),
        st.booleans(),
    ),
    unique_by=lambda attempt: attempt.id,
    max_size=8,
)
LISTED = st.lists(
    st.builds(
        lambda id_, began, seconds: Listed(str(id_), began, began + seconds),
        st.integers(0, 99),
        st.floats(0, 13),
        st.floats(0, 1),
    ),
    unique_by=lambda operation: operation.id,
    max_size=8,
)


@given(ATTEMPTS, LISTED)
def test_nothing_is_given_twice_or_to_who_cannot_have_begun_it(
    attempts: list[Attempt], listed: list[Listed]
) -> None:
    assigned = assign(attempts, listed)
    began = {operation.id: operation for operation in listed}
    by_id = {attempt.id: attempt for attempt in attempts}
    assert len(set(assigned.values())) == len(assigned)
    for attempt_id, operation_id in assigned.items():
        assert by_id[attempt_id].may_have_begun(began[operation_id])
        assert not by_id[attempt_id].open
    for operation_id, attempt_id in teams(attempts, listed).items():
        possible = [each for each in attempts if each.may_have_begun(began[operation_id])]
        assert {each.team for each in possible} == {by_id[attempt_id].team}
