"""How far OL Connect's clock is ahead of ours, as far as the ``Date`` of its answers tells.

Such a line is rounded down to the second, and was written between question and answer: each tells
an interval, and all of them together a smaller one.
"""

import math
from dataclasses import dataclass

from gateway.rules import http_date

# Two clocks drift apart by less than this, in seconds a second, also while one is being corrected.
_DRIFT = 1e-3


@dataclass(frozen=True, slots=True)
class ClockOffset:
    """Between ``least`` and ``most`` seconds, as known at the Unix time ``at``."""

    least: float = -math.inf
    most: float = math.inf
    at: float = 0.0

    @property
    def is_known(self) -> bool:
        return math.isfinite(self.most - self.least)

    def told(self, date: str | None, asked: float, answered: float) -> "ClockOffset":
        """With what one more answer says, of which the head came at ``answered`` by our clock."""
        second = http_date.unix_time(date)
        if second is None:
            return self
        drift = _DRIFT * abs(answered - self.at)
        said_least, said_most = second - answered, second + 1 - asked
        least, most = max(self.least - drift, said_least), min(self.most + drift, said_most)
        if least > most:  # one of the clocks was set
            least, most = said_least, said_most
        return ClockOffset(least, most, answered)

    def ours(self, time: float) -> tuple[float, float]:
        """A Unix time of OL Connect's as one of ours: not before the one, not after the other."""
        return time - self.most, time - self.least
