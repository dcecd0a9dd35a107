"""Who may use a connection to OL Connect next: the teams in turn, each in its own order."""

import asyncio
from collections import OrderedDict, deque
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from gateway.problems import UpstreamOverloaded


class Gate:
    """``capacity`` slots. A team that queues a thousand requests delays another's next by one.

    A wait longer than ``patience_seconds``, or a queue of ``queue_limit`` requests, raises
    UpstreamOverloaded: a caller is better told early than held.
    """

    def __init__(self, capacity: int, patience_seconds: float, queue_limit: int) -> None:
        self._free = capacity
        self._patience_seconds = patience_seconds
        self._queue_limit = queue_limit
        self._waiting = 0
        # The teams that wait, in the order of their turns.
        self._queues: OrderedDict[str, deque[asyncio.Future[None]]] = OrderedDict()

    def __repr__(self) -> str:
        return f"<gate free={self._free} waiting={self._waiting}>"

    @asynccontextmanager
    async def slot(self, team: str) -> AsyncIterator[None]:
        if self._free and not self._waiting:
            self._free -= 1
        else:
            await self._queue(team)
        try:
            yield
        finally:
            self._release()

    async def _queue(self, team: str) -> None:
        if self._waiting >= self._queue_limit:
            raise _overloaded()
        turn: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._queues.setdefault(team, deque()).append(turn)
        self._waiting += 1
        try:
            async with asyncio.timeout(self._patience_seconds):
                await turn
        except TimeoutError:
            self._give_up(turn)
            raise _overloaded() from None
        except asyncio.CancelledError:
            self._give_up(turn)
            raise

    def _give_up(self, turn: asyncio.Future[None]) -> None:
        if turn.done() and not turn.cancelled():
            self._release()  # the slot was handed over at the very moment of leaving

    def _release(self) -> None:
        while self._queues:
            team, queue = self._queues.popitem(last=False)
            turn = queue.popleft()
            if queue:
                self._queues[team] = queue
            self._waiting -= 1
            if not turn.done():
                turn.set_result(None)
                return
        self._free += 1


def _overloaded() -> UpstreamOverloaded:
    return UpstreamOverloaded(
        "All connections to OL Connect are in use. Try again shortly.",
        headers={"Retry-After": "1"},
    )
