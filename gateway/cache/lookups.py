"""Questions to the shared store, those of one moment in one round trip."""

import asyncio
import secrets
from dataclasses import dataclass, field

from gateway.cache.flights import outcome
from gateway.cache.wire import Generation, Names
from gateway.stores.contract import Store
from gateway.tasks import TaskSet

LARGEST_BATCH = 64
CONCURRENT_BATCHES = 8


@dataclass(slots=True, eq=False)
class _Batch:
    generations: set[str] = field(default_factory=set)
    entries: set[str] = field(default_factory=set)
    task: asyncio.Task[dict[str, bytes | None]] | None = None


class Lookups:
    """A question joins the others that have not been sent yet.

    It never joins one under way: what that brings may be older than a write that was answered
    before the question was asked.
    """

    def __init__(self, store: Store, tasks: TaskSet) -> None:
        self._store = store
        self._tasks = tasks
        self._open: _Batch | None = None
        self._turns = asyncio.Semaphore(CONCURRENT_BATCHES)

    async def read(self, names: Names, ttl_seconds: float) -> tuple[Generation, bytes | None]:
        """The generations, made where there were none, and what stands in the entry's place.

        Raises StoreUnavailable.
        """
        batch = self._open
        if batch is None or len(batch.entries) >= LARGEST_BATCH:
            batch = self._open = _Batch()
            batch.task = self._tasks.start(self._send(batch, ttl_seconds), name="cache_lookup")
        batch.generations.update(names.generations)
        batch.entries.add(names.entry)
        assert batch.task is not None
        values = await outcome(batch.task)
        thing, kind = (values[name] for name in names.generations)
        assert thing is not None
        assert kind is not None
        return (thing, kind), values[names.entry]

    async def _send(self, batch: _Batch, ttl_seconds: float) -> dict[str, bytes | None]:
        async with self._turns:
            if self._open is batch:
                self._open = None
            names = [*batch.generations, *batch.entries]
            values = dict(zip(names, await self._store.get_many(names), strict=True))
            absent = [name for name in batch.generations if values[name] is None]
            made = await asyncio.gather(*(self._make(name, ttl_seconds) for name in absent))
            return {**values, **dict(zip(absent, made, strict=True))}

    async def _make(self, name: str, ttl_seconds: float) -> bytes:
        """A generation that never was before: the store may have forgotten the one there was."""
        fresh = new_generation()
        return await self._store.put_if_absent(name, fresh, ttl_seconds) or fresh


def new_generation() -> bytes:
    return secrets.token_bytes(8)
