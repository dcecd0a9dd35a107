"""Who may use a connection to OL Connect next: the teams in turn, each in its own order."""

import asyncio
from collections import OrderedDict, deque

from gateway.problems import UpstreamOverloaded

# A team may hold so many times the slots that are left: of a hundred one team gets ninety, the next
# nine. However many slow readers a team has, others find a slot.
_TIMES_WHAT_IS_LEFT = 9


class Gate:
    """``capacity`` slots. A team that queues a thousand requests delays another's next by one, and
    none holds them all, where there are enough to share.

    A wait longer than ``patience_seconds``, or a queue of ``queue_limit`` requests, raises
    UpstreamOverloaded: a caller is better told early than held.
    """

    def __init__(self, capacity: int, patience_seconds: float, queue_limit: int) -> None:
        self._free = capacity
        self._patience_seconds = patience_seconds
        self._queue_limit = queue_limit
        self._waiting = 0
        self._held: dict[str, int] = {}  # by the team's name, of which there are few
        # The teams that wait, in the order of their turns.
        self._queues: OrderedDict[str, deque[asyncio.Future[None]]] = OrderedDict()

    def __repr__(self) -> str:
        return f"<gate free={self._free} waiting={self._waiting}>"

    async def enter(self, team: str) -> None:
        """Take a slot, to be given back by ``leave``. Raises UpstreamOverloaded."""
        if self.may_enter(team):
            self.take(team)
        else:
            await self._queue(team)

    def may_enter(self, team: str) -> bool:
        """Whether there is a slot for the team at this moment, which it may ``take``."""
        return self._held.get(team, 0) < _TIMES_WHAT_IS_LEFT * self._free

    def take(self, team: str) -> None:
        self._free -= 1
        self._held[team] = self._held.get(team, 0) + 1

    async def _queue(self, team: str) -> None:
        # Nor may a team fill the queue: its part may be as long as what is left to the others.
        if len(self._queues.get(team, ())) >= self._queue_limit - self._waiting:
            raise _overloaded()
        turn: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._queues.setdefault(team, deque()).append(turn)
        self._waiting += 1
        try:
            async with asyncio.timeout(self._patience_seconds):
                await turn
        except TimeoutError:
            self._give_up(team, turn)
            raise _overloaded() from None
        except asyncio.CancelledError:
            self._give_up(team, turn)
            raise

    def _give_up(self, team: str, turn: asyncio.Future[None]) -> None:
        if turn.done() and not turn.cancelled():
            self.leave(team)  # the slot was handed over at the very moment of leaving

    def leave(self, team: str) -> None:
        self._free += 1
        self._held[team] -= 1
        if self._queues:
            self._hand_out()

    def _hand_out(self) -> None:
        """Give what is free to the first in turn who may have it, until nobody who waits may."""
        while (team := next(filter(self.may_enter, self._queues), None)) is not None:
            turn = self._queues[team].popleft()
            self._queues.move_to_end(team)
            if not self._queues[team]:
                del self._queues[team]
            self._waiting -= 1
            if not turn.done():
                self.take(team)
                turn.set_result(None)


def _overloaded() -> UpstreamOverloaded:
    return UpstreamOverloaded(
        "All connections to OL Connect are in use. Try again shortly.",
        headers={"Retry-After": "1"},
    )
