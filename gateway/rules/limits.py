"""How fast a team may ask: a token bucket kept as one number, its theoretical arrival time.

GCRA (ITU-T I.371): the state says when the bucket will be full again. One number swaps atomically,
so the same rule holds in one process and, through the store, in many.
"""

import math
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Rate:
    """``burst`` requests at once, ``per_second`` on average."""

    per_second: float
    burst: int

    @property
    def window_seconds(self) -> int:
        """How long an empty bucket takes to fill."""
        return max(1, math.ceil(self.burst / self.per_second))


@dataclass(frozen=True, slots=True)
class Taken:
    """``state`` goes to the next call. ``wait_seconds`` is 0 when the request may pass."""

    state: float
    remaining: int
    wait_seconds: float


def take(rate: Rate, state: float, now: float) -> Taken:
    """Take one request out of the bucket. ``state`` 0 is a full bucket."""
    interval = 1 / rate.per_second
    full_at = max(state, now)
    depth = interval * rate.burst
    wait = full_at + interval - now - depth
    if wait > 1e-9:
        return Taken(state, 0, wait)
    full_at += interval
    return Taken(full_at, int((depth - (full_at - now)) / interval + 1e-6), 0.0)


def policy_line(rate: Rate) -> str:
    """``RateLimit-Policy`` of draft-ietf-httpapi-ratelimit-headers."""
    return f'"team";q={rate.burst};w={rate.window_seconds}'


def state_line(remaining: int, wait_seconds: float) -> str:
    """``RateLimit``: what is left, and after how many seconds there is more."""
    return f'"team";r={remaining};t={math.ceil(wait_seconds)}'
