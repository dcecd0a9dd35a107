"""Whether OL Connect is worth asking: after many failures only a probe now and then is sent.

A server that is down is not helped by a hundred requests that wait for it, and neither are their
callers.
"""

import math
from collections import deque
from collections.abc import Callable
from enum import IntEnum

from gateway.problems import UpstreamOverloaded

# A 500 is OL Connect's way to refuse bad input, hence a sign of life.
CANNOT_ANSWER = frozenset({502, 503, 504})
FAILURES_IN_A_ROW = 10
WINDOW = 20
WINDOW_SECONDS = 10.0
FIRST_PAUSE_SECONDS = 1.0
# OL Connect must be in use again within 5 s of its return, so this is the longest unattended time.
LONGEST_PAUSE_SECONDS = 4.0


class State(IntEnum):
    """The values of the metric ``olgw_upstream_breaker_state``."""

    CLOSED = 0
    HALF_OPEN = 1
    OPEN = 2


class Breaker:
    """Each request is admitted, then reported as succeeded, failed or neither.

    A permit that was given before the state last changed says nothing about OL Connect now, and
    its report is passed over. ``now`` is monotonic.
    """

    def __init__(self, now: Callable[[], float]) -> None:
        self._now = now
        self._permit = 0  # even while closed, odd while open
        self._recent: deque[tuple[float, bool]] = deque(maxlen=WINDOW)
        self._in_a_row = 0
        self._pause_seconds = FIRST_PAUSE_SECONDS
        self._next_probe = 0.0
        self._probing = False

    @property
    def state(self) -> State:
        if self.is_closed:
            return State.CLOSED
        return State.HALF_OPEN if self._probing else State.OPEN

    @property
    def is_closed(self) -> bool:
        return self._permit % 2 == 0

    def check(self) -> None:
        """Raises UpstreamOverloaded where ``admit`` would."""
        if self.is_closed:
            return
        wait_seconds = self._next_probe - self._now()
        if wait_seconds > 0:
            raise UpstreamOverloaded(
                "OL Connect does not answer. Try again shortly.",
                headers={"Retry-After": str(math.ceil(wait_seconds))},
            )

    def admit(self) -> int:
        """A permit. While open it is a probe's, of which there is one at a time."""
        if not self.is_closed:
            self.check()
            self._probing = True
            # A probe that hangs must not keep the next one back for longer than a failed one.
            self._next_probe = self._now() + self._pause_seconds
        return self._permit

    def answered(self, permit: int, status: int) -> None:
        if status in CANNOT_ANSWER:
            self.failed(permit)
        else:
            self.succeeded(permit)

    def succeeded(self, permit: int) -> None:
        if permit != self._permit:
            return
        if self.is_closed:
            self._in_a_row = 0
            self._recent.append((self._now(), False))
            return
        self._permit += 1
        self._pause_seconds = FIRST_PAUSE_SECONDS
        self._probing = False

    def failed(self, permit: int) -> None:
        if permit != self._permit:
            return
        if not self.is_closed:
            self._probing = False
            self._pause_seconds = min(2 * self._pause_seconds, LONGEST_PAUSE_SECONDS)
            self._next_probe = self._now() + self._pause_seconds
            return
        self._in_a_row += 1
        self._recent.append((self._now(), True))
        if self._in_a_row >= FAILURES_IN_A_ROW or self._half_failed():
            self._open()

    def withdrew(self, permit: int) -> None:
        """The request ended without a word on OL Connect, as when its caller left."""
        if permit == self._permit and self._probing:
            self._probing = False
            self._next_probe = self._now()

    def _half_failed(self) -> bool:
        if len(self._recent) < WINDOW or self._now() - self._recent[0][0] > WINDOW_SECONDS:
            return False
        return sum(failed for _, failed in self._recent) * 2 >= WINDOW

    def _open(self) -> None:
        self._permit += 1
        self._in_a_row = 0
        self._recent.clear()
        self._next_probe = self._now() + self._pause_seconds
