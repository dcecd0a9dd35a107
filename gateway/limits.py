"""The limits of a team, kept in memory or, where several processes serve it, in the store."""

import asyncio
import math
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

from gateway.exchange import Exchange
from gateway.ledger import Ledger
from gateway.operation import Operation
from gateway.problems import RateLimited, StoreUnavailable, TooManyOperations
from gateway.rules import limits
from gateway.rules.limits import Rate, Taken
from gateway.settings import Limits as LimitSettings
from gateway.stores import Put, Store

_ATTEMPTS = 8
_OPERATION_RETRY_SECONDS = 5
_LOOKED_AT = 20


class Limiter:
    """Counts requests and running operations of every team. ``now`` gives Unix time.

    ``look`` asks OL Connect whether an operation has ended.
    """

    def __init__(
        self,
        store: Store,
        ledger: Ledger,
        now: Callable[[], float],
        look: Callable[[Operation], Awaitable[object]],
    ) -> None:
        self._store = store
        self._ledger = ledger
        self._now = now
        self._look = look
        self._states: dict[str, float] = {}
        self._starting: dict[str, list[object]] = {}  # by team, in the order they came

    async def take(self, team: str, settings: LimitSettings, exchange: Exchange) -> None:
        """Count a request; its answer says what is left. Raises RateLimited."""
        rate = rate_of(settings)
        if rate is None:
            return
        taken = await self._taken(team, rate)
        exchange.headers += [
            ("RateLimit-Policy", limits.policy_line(rate)),
            ("RateLimit", limits.state_line(taken.remaining, taken.wait_seconds)),
        ]
        if taken.wait_seconds:
            wait = math.ceil(taken.wait_seconds)
            raise RateLimited(
                f"The team may make {rate.per_second:g} requests per second. "
                f"Try again in {wait} s.",
                headers={"Retry-After": str(wait)},
            )

    async def admit_start(self, team: str, settings: LimitSettings) -> None:
        """Raises TooManyOperations for a team with as many running operations as it may have."""
        most = settings.running_operations
        if most is None or await self._ledger.count_running(team) < most:
            return
        # Some may have ended without anybody asking.
        running = await self._ledger.running(team, limit=_LOOKED_AT)
        await asyncio.gather(*map(self._look, running))
        if await self._ledger.count_running(team) >= most:
            raise _too_many(most)

    @asynccontextmanager
    async def starting(self, team: str, most: int) -> AsyncIterator[None]:
        """For as long as a start is under way, and not among the running operations as yet.

        Raises TooManyOperations where others, in this process, came first: ``most`` may run.
        Several processes may let one each pass at the same instant.
        """
        starting, place = self._starting.setdefault(team, []), object()
        starting.append(place)
        try:
            if not await self._has_room(team, most, place):
                raise _too_many(most)
            yield
        finally:
            starting.remove(place)

    async def _has_room(self, team: str, most: int, place: object) -> bool:
        starting = self._starting[team]
        while True:
            ahead = starting.index(place)
            running = await self._ledger.count_running(team)
            # Whoever was ahead is among those counted by now, or never will be.
            if starting.index(place) == ahead:
                return running + ahead < most

    def remaining(self, team: str, settings: LimitSettings) -> int | None:
        """Requests left at this moment, as this process knows; None where there is no limit."""
        rate = rate_of(settings)
        if rate is None:
            return None
        taken = limits.take(rate, self._states.get(team, 0.0), self._now())
        return taken.remaining + 1 if not taken.wait_seconds else 0

    async def _taken(self, team: str, rate: Rate) -> Taken:
        if not self._store.shared:
            return self._take_here(team, rate)
        try:
            return await self._take_shared(team, rate)
        except StoreUnavailable:
            # Better a limit per process for a while than no service at all.
            return self._take_here(team, rate)

    def _take_here(self, team: str, rate: Rate) -> Taken:
        taken = limits.take(rate, self._states.get(team, 0.0), self._now())
        self._states[team] = taken.state
        return taken

    async def _take_shared(self, team: str, rate: Rate) -> Taken:
        key = f"rate:{team}"
        taken = Taken(0.0, 0, 1.0)
        for _ in range(_ATTEMPTS):
            before = await self._store.get(key)
            taken = limits.take(rate, float(before or 0), self._now())
            if taken.wait_seconds:
                return taken
            after = repr(taken.state).encode()
            if await self._store.swap(before, Put(key, after, rate.window_seconds + 1)):
                self._states[team] = taken.state
                return taken
        # So many others took theirs in the meantime that the bucket is as good as empty.
        return Taken(taken.state, 0, 1 / rate.per_second)


def _too_many(most: int) -> TooManyOperations:
    return TooManyOperations(
        f"The team may have {most} operations running. Wait for one to end, or cancel it.",
        headers={
            "Retry-After": str(_OPERATION_RETRY_SECONDS),
            "RateLimit-Policy": f'"operations";q={most}',
            "RateLimit": f'"operations";r=0;t={_OPERATION_RETRY_SECONDS}',
        },
    )


def rate_of(settings: LimitSettings) -> Rate | None:
    if settings.requests_per_second is None:
        return None
    burst = settings.burst or max(1, math.ceil(settings.requests_per_second))
    return Rate(settings.requests_per_second, burst)
