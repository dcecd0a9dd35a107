"""Asking OL Connect how far an operation is: in turns, with growing pauses, until its end."""

import asyncio
from collections.abc import Callable

import structlog

from gateway.catalogue import ENDPOINTS
from gateway.connect import Connect
from gateway.learning import Learning, Told
from gateway.ledger import Ledger
from gateway.operation import Operation
from gateway.outcome import UNCODED, Outcomes
from gateway.problems import Problem, StoreUnavailable, UpstreamInvalidResponse
from gateway.rules import operations, polling, progress
from gateway.stores import Put, Store
from gateway.tasks import Later
from gateway.upstream.call import Call

log = structlog.get_logger("gateway.watch")

_PROGRESS_BYTES = 4096
_LONGEST_BACK_OFF_SECONDS = 60.0
_LISTENED_BACK_OFF_SECONDS = 10.0
_LONGEST_WATCH_SECONDS = 86_400.0
_TURN_SECONDS = 120.0
# Another process may come a little early for its turn: clocks and loops are never quite even.
_TOLERANCE = 0.9
_OUTCOME_SECONDS = 90.0

Pace = Callable[..., float]
"""As ``polling.interval_seconds``."""


class Watch:
    """One operation as it is known here. ``operation`` is replaced with every change."""

    def __init__(self, operation: Operation, polled: float) -> None:
        self.operation = operation
        self.polled = polled  # monotonic, as is ``interest_until``
        self.interest_until = float("-inf")
        self.listeners = 0
        self.failures = 0
        self.over = operation.ended  # nothing more will come, whether it has ended or not
        self.asleep: Later | None = None  # until it is followed
        # For the poller, and for the listeners, all at once. Most operations have none of them.
        self._wake: asyncio.Event | None = None
        self._changed: asyncio.Event | None = None
        self._turned: asyncio.Event | None = None

    async def change(self) -> None:
        """Wait for the next change, or for the end of watching."""
        self._changed = self._changed or asyncio.Event()
        await self._changed.wait()

    async def turn(self) -> None:
        """Wait until OL Connect has been asked once more, whatever came of it."""
        self._turned = self._turned or asyncio.Event()
        await self._turned.wait()

    def end_turn(self) -> None:
        turned, self._turned = self._turned, None
        if turned is not None:
            turned.set()

    def rouse(self) -> None:
        """Have the poller look when it is due, which may have changed."""
        if self.asleep is not None:
            self.asleep.begin()
        if self._wake is not None:
            self._wake.set()

    async def sleep(self, seconds: float) -> bool:
        """For the poller; False if it was roused before the time was over."""
        self._wake = asyncio.Event()
        try:
            async with asyncio.timeout(seconds):
                await self._wake.wait()
        except TimeoutError:
            return True
        finally:
            self._wake = None
        return False

    def update(self, operation: Operation) -> None:
        """Take a record over, unless it is older than the one at hand."""
        known = self.operation
        outdated = known.ended or operation.progress < known.progress
        if operation == known or (outdated and not operation.ended):
            return
        self.operation = operation
        self.over = self.over or operation.ended
        self.tell()

    def end(self) -> None:
        self.over = True
        self.tell()
        self.end_turn()

    def tell(self) -> None:
        changed, self._changed = self._changed, None
        if changed is not None:
            changed.set()
        if self.over:
            self.rouse()


class Poller:
    """Follows watches. ``pace`` gives the pauses; ``now`` is Unix time."""

    def __init__(
        self,
        *,
        store: Store,
        ledger: Ledger,
        learning: Learning,
        connect: Connect,
        now: Callable[[], float],
        monotonic: Callable[[], float],
    ) -> None:
        self.pace: Pace = polling.interval_seconds
        self._store = store
        self._ledger = ledger
        self._learning = learning
        self._connect = connect
        self._outcomes = Outcomes(connect, learning, ledger)
        self._now = now
        self._monotonic = monotonic

    async def follow(self, watch: Watch) -> None:
        """Until its end; one that nobody listens to is given up after a day."""
        while True:
            await self._pause(watch)
            if watch.over or (self.is_too_old(watch.operation) and not watch.listeners):
                return
            await self._turn(watch)
            watch.end_turn()

    def is_too_old(self, operation: Operation) -> bool:
        return self._now() - operation.created > _LONGEST_WATCH_SECONDS

    def interval(self, operation: Operation, *, listened: bool) -> float:
        age = self._now() - operation.created
        return self.pace(age, operation.progress, listened=listened)

    async def _pause(self, watch: Watch) -> None:
        """Until the next poll is due, which a new listener makes earlier."""
        while not watch.over and (seconds := self.due_in(watch)) > 0:
            if await watch.sleep(seconds):
                return

    def due_in(self, watch: Watch) -> float:
        """Seconds until OL Connect is to be asked again."""
        return watch.polled + self._interval_of(watch) - self._monotonic()

    async def _turn(self, watch: Watch) -> None:
        watch.polled = self._monotonic()
        try:
            if await self._is_due(watch):
                await self._poll(watch)
            watch.failures = 0
        except Problem as problem:
            # The gateway's trouble, or the way's, is not the operation's.
            watch.failures += 1
            log.debug("poll_failed", operation_id=watch.operation.id, problem=problem.code)

    async def _is_due(self, watch: Watch) -> bool:
        """Whether it is this process's turn to ask, after a look at what others have written."""
        operation = await self._ledger.operation(watch.operation.id)
        if operation is None:
            watch.end()  # the store has forgotten it: nobody could be told of its end
            return False
        watch.update(operation)
        return not operation.ended and await self._takes_turn(watch)

    async def _takes_turn(self, watch: Watch) -> bool:
        """True for one of the processes that want to poll at about this time."""
        if not self._store.shared:
            return True
        key, now = f"polled:{watch.operation.id}", self._now()
        try:
            before = await self._store.get(key)
            since = _TURN_SECONDS if before is None else now - float(before)
            if 0 <= since < self._interval_of(watch) * _TOLERANCE:
                return False
            return await self._store.swap(before, Put(key, repr(now).encode(), _TURN_SECONDS))
        except StoreUnavailable:
            return True

    async def _poll(self, watch: Watch) -> None:
        operation = watch.operation
        told = await self._ask(operation)
        if told.status not in (200, 404):
            raise UpstreamInvalidResponse("OL Connect does not say how far the operation is.")
        ended = told.status == 404 or (told.status == 200 and progress.is_done(told.body or b""))
        if ended and operation.simplified:
            await self._settle(operation)
        else:
            await self._learning.learn_progress(told)

    async def _ask(self, operation: Operation) -> Told:
        path = operations.path_of(operation.service, "get_progress", operation.id)
        call = Call("GET", path, headers=[UNCODED])
        async with self._connect.ask(
            call, team=operation.team, credential=operation.credential, repeatable=True
        ) as response:
            body = await self._connect.upstream.read(response, _PROGRESS_BYTES)
            endpoint = ENDPOINTS[f"{operation.service}.get_progress"]
            parameters = {"operationId": operation.id}
            return Told(endpoint, parameters, "", response.status, response.headers, body)

    async def _settle(self, operation: Operation) -> None:
        """Ask for the outcome, in one process only: some servers give a result away once."""
        key = f"outcome:{operation.id}"
        if self._store.shared and await self._store.put_if_absent(key, b"1", _OUTCOME_SECONDS):
            return
        try:
            await self._outcomes.settle(operation)
        except Problem:
            if self._store.shared:
                await self._store.delete(key)
            raise

    def _interval_of(self, watch: Watch) -> float:
        listened = watch.listeners > 0 or self._monotonic() < watch.interest_until
        pace = self.interval(watch.operation, listened=listened)
        if not watch.failures:
            return pace
        longest = _LISTENED_BACK_OFF_SECONDS if listened else _LONGEST_BACK_OFF_SECONDS
        return min(pace * 2.0 ** min(watch.failures, 10), longest)
