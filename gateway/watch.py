"""One poll per running operation, however many wait for it.

A watch is what this process knows of one operation. Whatever changes the record, a poll of ours, a
caller's request or another process, reaches those who listen through it.
"""

import asyncio
from collections.abc import Callable, Iterator
from contextlib import aclosing, contextmanager, suppress
from random import random

from gateway.ledger import Ledger
from gateway.operation import Operation
from gateway.poller import Poller, Watch
from gateway.problems import Draining, StoreUnavailable
from gateway.stores import MAY_HAVE_MISSED, Store
from gateway.tasks import TaskSet, every

CHANNEL = "operations"
_RESUME_SECONDS = 60.0
_PATIENCE_SECONDS = 1.0
# Whoever asks how an operation stands is likely to ask again soon.
_INTEREST_SECONDS = 10.0


class Watcher:
    """Watches every running operation."""

    def __init__(
        self,
        *,
        store: Store,
        ledger: Ledger,
        poller: Poller,
        tasks: TaskSet,
        draining: asyncio.Event,
        monotonic: Callable[[], float],
    ) -> None:
        self._store = store
        self._ledger = ledger
        self._poller = poller
        self._tasks = tasks
        self._draining = draining
        self._monotonic = monotonic
        self._watches: dict[str, Watch] = {}

    def __repr__(self) -> str:
        listeners = sum(watch.listeners for watch in self._watches.values())
        return f"<watcher operations={len(self._watches)} listeners={listeners}>"

    @property
    def draining(self) -> bool:
        return self._draining.is_set()

    def start(self) -> None:
        """Resume what was running when the last gateway ended, and keep at it."""
        self._tasks.launch(every(_RESUME_SECONDS, self._resume, name="resume"), name="resume")
        self._tasks.launch(self._release(), name="release listeners")
        if self._store.shared:
            self._tasks.launch(self._hear(), name="hear of operations")

    async def _resume(self) -> None:
        new = [
            operation
            for operation in await self._ledger.running()
            if operation.id not in self._watches and not self._poller.is_too_old(operation)
        ]
        for operation in new:
            # Not all at once: spread over the first interval.
            interval = self._poller.interval(operation, listened=False)
            self._open(operation, early_seconds=random() * interval)  # noqa: S311

    async def _release(self) -> None:
        await self._draining.wait()
        for watch in list(self._watches.values()):
            watch.tell()

    async def _hear(self) -> None:
        async with aclosing(self._store.subscribe(CHANNEL)) as messages:
            async for message in messages:
                # What was missed is read from the ledger at each watch's next turn.
                if message != MAY_HAVE_MISSED:
                    operation = Operation.from_bytes(message)
                    if operation.id in self._watches:
                        self._watches[operation.id].update(operation)

    # What others do

    def started(self, operation: Operation) -> None:
        """An operation has begun, by whichever face."""
        if operation.id not in self._watches:
            self._open(operation)

    def changed(self, operation: Operation) -> None:
        """The ledger has a new record, whoever learned what it says."""
        watch = self._watches.get(operation.id)
        if watch is not None:
            watch.update(operation)
        if self._store.shared:
            self._tasks.launch(self._publish(operation), name="tell of operation")

    async def _publish(self, operation: Operation) -> None:
        with suppress(StoreUnavailable):
            await self._store.publish(CHANNEL, operation.to_bytes())

    # Listening

    @contextmanager
    def listening(self, operation: Operation) -> Iterator[Watch]:
        """Watch an operation closely for as long as the context lasts. Raises Draining."""
        if self.draining:
            raise Draining(headers={"Retry-After": "1"})
        watch = self._watches.get(operation.id)
        if watch is None:
            watch = Watch(operation, self._monotonic())
            if not operation.ended:
                watch = self._open(operation)
        watch.update(operation)
        watch.listeners += 1
        watch.rouse()
        try:
            yield watch
        finally:
            watch.listeners -= 1

    async def until_ended(self, operation: Operation, seconds: float) -> Operation:
        """How the operation stands when it ends, or when ``seconds`` have passed."""
        if operation.ended:
            return operation
        with self.listening(operation) as watch:
            with suppress(TimeoutError):
                async with asyncio.timeout(seconds):
                    while not (watch.over or self.draining):
                        await watch.change()
            return watch.operation

    async def refreshed(self, operation: Operation) -> Operation:
        """How the operation stands now, as far as OL Connect says so in a short time."""
        if operation.ended or self.draining:
            return operation
        self.take_interest(operation)
        watch = self._watches[operation.id]
        if self._poller.due_in(watch) <= 0:
            with suppress(TimeoutError):
                async with asyncio.timeout(_PATIENCE_SECONDS):
                    await watch.turn()
        return watch.operation

    def take_interest(self, operation: Operation, *, at_once: bool = False) -> None:
        """Watch closely for a while; ``at_once`` where it seems to have ended."""
        watch = self._watches.get(operation.id)
        if watch is None:
            if operation.ended or self.draining:
                return
            watch = self._open(operation, early_seconds=_INTEREST_SECONDS)
        watch.interest_until = self._monotonic() + _INTEREST_SECONDS
        if at_once:
            watch.polled = float("-inf")
        watch.rouse()

    def _open(self, operation: Operation, *, early_seconds: float = 0.0) -> Watch:
        watch = Watch(operation, self._monotonic() - early_seconds)
        self._watches[operation.id] = watch
        # Nothing is to be done before its first poll, and many have ended by then.
        seconds = max(0.0, self._poller.due_in(watch))
        watch.asleep = self._tasks.launch_later(seconds, lambda: self._follow(watch))
        return watch

    async def _follow(self, watch: Watch) -> None:
        watch.asleep = None
        try:
            await self._poller.follow(watch)
        finally:
            watch.end()
            del self._watches[watch.operation.id]
