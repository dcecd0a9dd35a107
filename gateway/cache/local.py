"""Entries in the memory of the only process there is."""

import math
from collections.abc import Callable, Hashable
from dataclasses import dataclass, replace

from cachetools import LRUCache

from gateway.cache.entries import (
    LARGEST_BYTES,
    CacheKey,
    Entry,
    Fetch,
    Fetched,
    Filled,
    Found,
    Freshness,
    Lines,
    Marks,
    entry_of,
    retention_seconds,
    size_of,
    size_of_lines,
)
from gateway.cache.generations import Generations
from gateway.settings.models import PropertiesCache
from gateway.upstream.breaker import CANNOT_ANSWER

# Room for the largest entry in place of the smallest; it bounds how long one write takes.
EVICTED_PER_WRITE = 80

KNOWN_LINES = 100


@dataclass(frozen=True, slots=True, eq=False)
class _Slot:
    key: CacheKey
    entry: Entry
    read_at: int  # by the clock of the generations
    size: int


class LocalEntries:
    """The least recently used go first, and with them what has expired and is not asked for.

    Nothing sweeps: cachetools' caches with expiry drop all that has expired in one long pause.
    """

    def __init__(
        self,
        settings: PropertiesCache,
        *,
        now: Callable[[], float],
        generations: Generations | None = None,
    ) -> None:
        self.settings = settings
        self._now = now
        self._generations = generations or Generations(now=now)
        self._known_lines: LRUCache[Lines, Lines] = LRUCache(KNOWN_LINES)
        self._slots: LRUCache[CacheKey, _Slot] = LRUCache(
            math.inf, getsizeof=lambda slot: slot.size
        )

    @property
    def count(self) -> int:
        return len(self._slots)

    @property
    def bytes(self) -> int:
        return int(self._slots.currsize)

    async def look(self, key: CacheKey) -> Found:
        return Found(self._generations.of(key.thing), self.entry(key))

    def entry(self, key: CacheKey) -> Entry | None:
        slot = self._slots.get(key)
        if slot is None:
            return None
        if not self._is_current(slot) or self._is_over(slot):
            del self._slots[key]
            return None
        return slot.entry

    def still(self, key: CacheKey, fetched: Fetched) -> Freshness | None:
        """How fresh the entry is, if it is this answer still and is fresh."""
        try:
            slot = self._slots[key]  # half the price of ``get``
        except KeyError:
            return None
        if slot.entry.fetched is not fetched or not self._is_current(slot):
            return None
        entry = slot.entry
        age = max(0.0, self._now() - entry.began)
        ttl = min(self.settings.ttl, fetched.permission.fresh_seconds) - age
        return Freshness(age, ttl) if ttl > 0 else None

    async def fill(self, key: CacheKey, generation: Hashable, fetch: Fetch, alone: bool) -> Filled:
        read_at = self._generations.tick()
        uncertain = self._generations.uncertain(key.thing)
        began = self._now()
        fetched = await fetch()
        if fetched.status in CANNOT_ANSWER:
            return Filled(fetched, began)
        fetched, size = self._compact(key, fetched)
        entry = entry_of(fetched, began, self.settings)
        if entry is None or uncertain or size > min(LARGEST_BYTES, self.settings.max_size):
            self._drop_older(key, read_at)
            return Filled(fetched, began)
        return Filled(fetched, began, self._keep(_Slot(key, entry, read_at, size)))

    async def begin(self, marks: Marks) -> None:
        self._generations.begin(marks.targets)

    async def end(self, marks: Marks, *, doubtful: bool) -> None:
        self._generations.end(marks.targets, doubtful=doubtful)

    def _compact(self, key: CacheKey, fetched: Fetched) -> tuple[Fetched, int]:
        """The answer with header lines it shares with others where possible, and its size."""
        size = size_of(key, fetched)
        lines = self._known_lines.get(fetched.lines)
        if lines is not None:
            return replace(fetched, lines=lines), size
        size_with_lines = size + size_of_lines(fetched.lines)
        if size_with_lines <= LARGEST_BYTES:
            self._known_lines[fetched.lines] = fetched.lines
        return fetched, size_with_lines

    def _keep(self, slot: _Slot) -> Entry | None:
        if not self._is_current(slot) or not self._drop_older(slot.key, slot.read_at):
            return None
        self._slots[slot.key] = slot
        self._evict()
        return slot.entry

    def _is_current(self, slot: _Slot) -> bool:
        return slot.read_at > self._generations.of(slot.key.thing)

    def _is_over(self, slot: _Slot) -> bool:
        return slot.entry.age_seconds(self._now()) > retention_seconds(self.settings)

    def _drop_older(self, key: CacheKey, read_at: int) -> bool:
        """Whether the place is free now: what was read later than this stays."""
        slot = self._slots.get(key)
        if slot is not None and slot.read_at > read_at:
            return False
        self._slots.pop(key, None)
        return True

    def _evict(self) -> None:
        for _ in range(EVICTED_PER_WRITE):
            if self.count <= self.settings.max_entries and self.bytes <= self.settings.max_size:
                return
            self._slots.popitem()
