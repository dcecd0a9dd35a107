"""Entries in a store that any number of processes share."""

import asyncio
import contextlib
import math
from collections.abc import Callable, Hashable, Sequence
from typing import cast

from gateway.cache import wire
from gateway.cache.entries import (
    DOUBT_SECONDS,
    LARGEST_BYTES,
    WRITE_SECONDS,
    CacheKey,
    Entry,
    Fetch,
    Fetched,
    Filled,
    Found,
    Marks,
    Target,
    entry_of,
    retention_seconds,
    size_of,
)
from gateway.cache.lookups import Lookups, new_generation
from gateway.cache.wire import Generation, Names
from gateway.problems import StoreUnavailable
from gateway.settings.models import PropertiesCache
from gateway.stores.contract import Change, Delete, Put, Store, as_bytes, as_text
from gateway.tasks import TaskSet
from gateway.upstream.breaker import CANNOT_ANSWER

LEASE_SECONDS = 10.0
SHORTEST_POLL_SECONDS = 0.005
LONGEST_POLL_SECONDS = 0.05

# So that an entity that is asked for all the time rarely loses its entry to an expired generation.
GENERATION_MARGIN_SECONDS = 3600.0

TRIMMED_PER_FILL = 256


class SharedEntries:
    """Every hit is checked against the generation that the store holds at that moment.

    An entry is counted in units of ``max_size / max_entries`` bytes, each listed in the index:
    at most ``max_entries`` of them keep both bounds. The oldest go first.
    """

    def __init__(
        self,
        settings: PropertiesCache,
        store: Store,
        *,
        now: Callable[[], float],
        tasks: TaskSet,
    ) -> None:
        self.settings = settings
        self._store = store
        self._now = now
        self._tasks = tasks
        self._lookups = Lookups(store, tasks)
        self._units = 0
        self._trimming: asyncio.Task[None] | None = None

    @property
    def count(self) -> int:
        """At most so many, when this process last kept one."""
        return self._units

    @property
    def bytes(self) -> int:
        return math.ceil(self._units * self._unit_bytes)

    async def look(self, key: CacheKey) -> Found:
        names = Names.of(key)
        generation, data = await self._lookups.read(names, self._generation_seconds)
        return Found(generation, wire.decode(data, generation))

    async def fill(self, key: CacheKey, generation: Hashable, fetch: Fetch, alone: bool) -> Filled:
        read = cast(Generation, generation)
        names = Names.of(key)
        try:
            keepable = self.settings.ttl > 0 and not await self._writers(names)
            if keepable and not alone:
                entry = await self._from_peer(names, read)
                if entry is not None:
                    return Filled(entry.fetched, entry.began, entry, from_peer=True)
        except StoreUnavailable:
            keepable = False
        if keepable:
            return await self._fetch_and_keep(key, names, read, fetch)
        began = self._now()
        return Filled(await fetch(), began)

    async def _fetch_and_keep(
        self, key: CacheKey, names: Names, generation: Generation, fetch: Fetch
    ) -> Filled:
        began = self._now()
        entry = None
        changes: Sequence[Change] = ()
        try:
            fetched = await fetch()
            if fetched.status not in CANNOT_ANSWER:
                entry = self._entry(key, fetched, began)
                changes = self._keeping(key, names, entry, generation)
        finally:
            kept = await self._apply([*changes, Delete(names.lease(generation))])
        if entry is None or not kept:
            return Filled(fetched, began)
        if self._trimming is None or self._trimming.done():
            self._trimming = self._tasks.start(self._trim(), name="cache_trim")
        return Filled(fetched, began, entry)

    async def _apply(self, changes: Sequence[Change]) -> bool:
        try:
            await self._store.apply(changes)
        except StoreUnavailable:
            return False
        return True

    async def begin(self, marks: Marks) -> None:
        await self._store.apply(
            [
                change
                for target in marks.targets
                for change in (
                    self._raised(wire.generation_name(target)),
                    _writer(target, marks, WRITE_SECONDS),
                )
            ]
        )

    async def end(self, marks: Marks, *, doubtful: bool) -> None:
        changes: list[Change] = []
        for target in marks.targets:
            writer = _writer(target, marks, DOUBT_SECONDS)
            changes.append(self._raised(wire.generation_name(target)))
            changes.append(writer if doubtful else Delete(writer.key))
        await self._store.apply(changes)

    def _raised(self, name: str) -> Put:
        return Put(name, new_generation(), self._generation_seconds)

    async def _writers(self, names: Names) -> int:
        """How many write, or may still be writing.

        Asked after the generation was read: a write that begins in between has raised it since, so
        that what is kept under the older one is never found.
        """
        return sum(await asyncio.gather(*(self._store.count(name) for name in names.writers)))

    async def _from_peer(self, names: Names, generation: Generation) -> Entry | None:
        """What another process has read, or is reading now; None: it is this one's turn.

        It is so for the holder of the lease, and for all when the holder ends without an entry or
        takes too long.
        """
        lease = names.lease(generation)
        pause = SHORTEST_POLL_SECONDS
        is_holder = await self._store.put_if_absent(lease, b"1", LEASE_SECONDS) is None
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(LEASE_SECONDS):
                while True:
                    # The holder looks as well: the one before it may just have ended.
                    data, held = await self._store.get_many([names.entry, lease])
                    entry = wire.decode(data, generation)
                    if entry is not None and entry.ttl_seconds(self._now(), self.settings) > 0:
                        if is_holder:
                            await self._store.delete(lease)
                        return entry
                    if is_holder or held is None:
                        return None
                    await asyncio.sleep(pause)
                    pause = min(2 * pause, LONGEST_POLL_SECONDS)
        return None

    def _entry(self, key: CacheKey, fetched: Fetched, began: float) -> Entry | None:
        if _size_of(key, fetched) > min(LARGEST_BYTES, self.settings.max_size):
            return None
        return entry_of(fetched, began, self.settings)

    def _keeping(
        self, key: CacheKey, names: Names, entry: Entry | None, generation: Generation
    ) -> Sequence[Change]:
        """What makes the entry findable; without one, what OL Connect no longer says goes."""
        if entry is None:
            return [Delete(names.entry)]
        seconds = retention_seconds(self.settings)
        units = math.ceil(_size_of(key, entry.fetched) / self._unit_bytes)
        return [
            Put(names.entry, wire.encode(entry, generation), seconds),
            *(_unit(f"{n}:{names.view}", seconds, entry.began) for n in range(units)),
        ]

    async def _trim(self) -> None:
        self._units = await self._store.count(wire.INDEX)
        excess = self._units - self.settings.max_entries
        if excess <= 0:
            return
        limit = min(excess, TRIMMED_PER_FILL)
        oldest = await self._store.listed(wire.INDEX, limit=limit, newest_first=False)
        changes: list[Change] = []
        for unit in map(as_text, oldest):
            changes += [
                Delete(wire.unit_name(unit)),
                Delete(wire.entry_name(unit.partition(":")[2])),
            ]
        await self._store.apply(changes)
        self._units -= len(oldest)

    @property
    def _unit_bytes(self) -> float:
        return self.settings.max_size / self.settings.max_entries

    @property
    def _generation_seconds(self) -> float:
        return retention_seconds(self.settings) + GENERATION_MARGIN_SECONDS


def _writer(target: Target, marks: Marks, seconds: float) -> Put:
    writers = wire.writers_name(target)
    return Put(f"{writers}:{marks.write_id}", b"", seconds, listed=writers)


def _unit(name: str, seconds: float, began: float) -> Put:
    return Put(wire.unit_name(name), as_bytes(name), seconds, listed=wire.INDEX, score=began)


def _size_of(key: CacheKey, fetched: Fetched) -> int:
    return size_of(key, fetched) + sum(len(name) + len(value) for name, value in fetched.lines)
