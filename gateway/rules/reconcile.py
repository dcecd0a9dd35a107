"""Which of OL Connect's running operations came of which start whose answer was lost.

OL Connect says of an operation only its service and the time it began, by its own clock; so an
operation is given to an attempt only if nobody else can have begun it.
"""

from collections.abc import Sequence
from dataclasses import dataclass

RIVALRY_SECONDS = 2.0
"""How much later than is believed of it an attempt of another team may have begun something."""


@dataclass(frozen=True, slots=True)
class Listed:
    """An operation that is listed and that nobody has claimed. It began between two Unix times."""

    id: str
    earliest: float
    latest: float


@dataclass(frozen=True, slots=True)
class Attempt:
    """A start of unknown fate. It can have begun an operation between its two Unix times.

    ``owner`` is the team with its subject and what was asked for: attempts of one owner may be
    exchanged for one another without anyone noticing. ``open`` means an answer may still come.
    """

    id: str
    owner: str
    team: str
    earliest: float
    latest: float
    open: bool = False

    def may_have_begun(self, operation: Listed, later_seconds: float = 0.0) -> bool:
        return (
            self.earliest <= operation.latest and operation.earliest <= self.latest + later_seconds
        )


def assign(attempts: Sequence[Attempt], listed: Sequence[Listed]) -> dict[str, str]:
    """Attempt id to operation id, for every pair that is certain; open attempts only compete."""
    assigned: dict[str, str] = {}
    waiting = sorted(listed, key=lambda operation: operation.earliest)
    progressed = True
    while progressed:
        progressed = False
        for operation in list(waiting):
            attempt = _certain(
                _candidates([each for each in attempts if each.id not in assigned], operation)
            )
            if attempt is not None:
                assigned[attempt.id] = operation.id
                waiting.remove(operation)
                progressed = True
    return assigned


def teams(attempts: Sequence[Attempt], listed: Sequence[Listed]) -> dict[str, str]:
    """Operation id to attempt id, where it is certain whose team's an operation is, but not which
    of the team's attempts began it; the attempt is one that can have."""
    given: dict[str, str] = {}
    for operation in listed:
        candidates = _candidates(attempts, operation)
        if any(attempt.open for attempt in candidates):
            continue
        if len({attempt.team for attempt in candidates}) == 1:
            given[operation.id] = candidates[0].id
    return given


def _candidates(attempts: Sequence[Attempt], operation: Listed) -> list[Attempt]:
    """Who may have begun it; if anybody may, with those of other teams of whom it is just possible.

    Among a team's own, a mistake shows nobody what is not his.
    """
    likely = [attempt for attempt in attempts if attempt.may_have_begun(operation)]
    named = {attempt.team for attempt in likely}
    return likely + [
        attempt
        for attempt in attempts
        if likely
        and attempt.team not in named
        and attempt.may_have_begun(operation, RIVALRY_SECONDS)
    ]


def _certain(candidates: Sequence[Attempt]) -> Attempt | None:
    if not candidates or any(attempt.open for attempt in candidates):
        return None
    if len({attempt.owner for attempt in candidates}) > 1:
        return None
    return min(candidates, key=lambda attempt: attempt.earliest)
