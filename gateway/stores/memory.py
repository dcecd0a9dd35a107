"""The store for one process that may forget everything when it ends."""

import time
from collections import OrderedDict, deque
from collections.abc import AsyncGenerator, Callable, Sequence
from dataclasses import dataclass
from typing import TypeAlias

from gateway.stores.contract import Add, Change, Delete, Put, Remove, Store, counter, effective_ttl
from gateway.stores.fanout import Fanout
from gateway.stores.ordered import OrderedSet

# A dictionary that grows moves all it holds at once: some 7 ms at this size, more beyond.
MAX_ENTRIES = 50_000

# More than one per write, so that the expired go faster than new ones come.
CHECKED_PER_WRITE = 4


_Place: TypeAlias = tuple[str | None, str]
"""None and a key, or a set's name and a member."""


@dataclass(frozen=True, slots=True, eq=False)
class _Entry:
    """A value, or a set's member (its score is kept in the set)."""

    place: _Place
    value: bytes
    expires: float


class MemoryStore(Store):
    """At most ``max_entries`` keys and members; beyond that the least recently used go.

    A key is used when read or written, a member when added. No operation sweeps everything: each
    write looks at the next few entries in a circle and drops those that have expired.
    """

    shared = False

    def __init__(
        self, *, max_entries: int = MAX_ENTRIES, now: Callable[[], float] = time.time
    ) -> None:
        self._max_entries = max_entries
        self._now = now
        self._entries: OrderedDict[_Place, _Entry] = OrderedDict()
        self._circle: deque[_Entry] = deque()
        self._sets: dict[str, OrderedSet] = {}
        self._fanout = Fanout()

    def __len__(self) -> int:
        return len(self._entries)

    async def get(self, key: str) -> bytes | None:
        return self._read(key, self._now())

    async def get_many(self, keys: Sequence[str]) -> list[bytes | None]:
        now = self._now()
        return [self._read(key, now) for key in keys]

    async def put_if_absent(self, key: str, value: bytes, ttl: float) -> bytes | None:
        now = self._now()
        current = self._read(key, now)
        if current is None:
            self._change(Put(key, value, ttl), now)
        return current

    async def swap(self, key: str, expected: bytes | None, value: bytes | None, ttl: float) -> bool:
        now = self._now()
        if self._read(key, now) != expected:
            return False
        self._change(Delete(key) if value is None else Put(key, value, ttl), now)
        return True

    async def increment(self, key: str, by: int, ttl: float) -> int:
        now = self._now()
        total = counter(self._read(key, now)) + by
        self._change(Put(key, b"%d" % total, ttl), now)
        return total

    async def members(
        self, name: str, *, limit: int, newest_first: bool = True, minimum: float | None = None
    ) -> list[tuple[str, float]]:
        ordered = self._sets.get(name)
        if ordered is None:
            return []
        return ordered.members(self._now(), limit=limit, newest_first=newest_first, minimum=minimum)

    async def count(self, name: str) -> int:
        ordered = self._sets.get(name)
        return 0 if ordered is None else ordered.count(self._now())

    async def apply(self, changes: Sequence[Change]) -> None:
        now = self._now()
        for change in changes:
            self._change(change, now)

    async def publish(self, channel: str, message: bytes) -> None:
        self._fanout.publish(channel, message)

    def subscribe(self, channel: str) -> AsyncGenerator[bytes, None]:
        return self._fanout.subscribe(channel)

    async def ping(self) -> None:
        """Memory always answers."""

    async def close(self) -> None:
        self._fanout.close()
        self._entries.clear()
        self._circle.clear()
        self._sets.clear()

    def _read(self, key: str, now: float) -> bytes | None:
        entry = self._entries.get((None, key))
        if entry is None or entry.expires <= now:
            return None
        self._entries.move_to_end((None, key))
        return entry.value

    def _change(self, change: Change, now: float) -> None:
        match change:
            case Put(key, value, ttl):
                self._write(_Entry((None, key), value, now + effective_ttl(ttl)), now)
            case Delete(key):
                self._entries.pop((None, key), None)
            case Add(name, member, score, ttl):
                expires = now + effective_ttl(ttl)
                self._sets.setdefault(name, OrderedSet()).add(member, score, expires)
                self._write(_Entry((name, member), b"", expires), now)
            case Remove(name, member):
                if entry := self._entries.get((name, member)):
                    self._drop(entry)

    def _write(self, entry: _Entry, now: float) -> None:
        self._entries[entry.place] = entry
        self._entries.move_to_end(entry.place)
        self._circle.append(entry)
        self._check_next(now)
        while len(self._entries) > self._max_entries:
            self._drop(next(iter(self._entries.values())))

    def _check_next(self, now: float) -> None:
        for _ in range(min(CHECKED_PER_WRITE, len(self._circle))):
            entry = self._circle.popleft()
            if self._entries.get(entry.place) is not entry:
                continue  # overwritten or dropped since: its successor has a turn of its own
            if entry.expires <= now:
                self._drop(entry)
            else:
                self._circle.append(entry)

    def _drop(self, entry: _Entry) -> None:
        del self._entries[entry.place]
        name, member = entry.place
        if name is None:
            return
        ordered = self._sets[name]
        ordered.remove(member)
        if not len(ordered):
            del self._sets[name]
