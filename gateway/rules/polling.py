"""How often OL Connect is asked how far an operation has come."""

_SHORTEST_SECONDS = 0.2
_LONGEST_SECONDS = 5.0
_QUIET_SHORTEST_SECONDS = 10.0
_QUIET_LONGEST_SECONDS = 60.0
# Of what is left: an end that was guessed right is seen late by a twentieth of it at most.
_SHARE_OF_REST = 0.05
# Of the age: what has stood still at 99 for an hour is not asked five times a second.
_SHARE_OF_AGE = 0.01


def interval_seconds(age_seconds: float, percent: int, *, listened: bool) -> float:
    """The pause before the next poll: by the operation's age, and by its size as its pace shows it.

    Without listeners only the ledger and the metrics wait for the end.
    """
    age = max(0.0, age_seconds)
    if not listened:
        return min(max(_QUIET_SHORTEST_SECONDS, 0.1 * age), _QUIET_LONGEST_SECONDS)
    rest = age * (100 - percent) / percent if percent else age
    wanted = max(_SHORTEST_SECONDS, _SHARE_OF_REST * rest, _SHARE_OF_AGE * age)
    return min(wanted, _LONGEST_SECONDS)
