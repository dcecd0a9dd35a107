"""The store for one process that may forget everything when it ends."""

import time
from collections import OrderedDict, deque
from collections.abc import AsyncGenerator, Callable, Sequence
from dataclasses import dataclass

from gateway.stores.contract import Change, Delete, Put, Store, counter, effective_ttl
from gateway.stores.fanout import Fanout
from gateway.stores.ordered import OrderedKeys

# A dictionary that grows moves all it holds at once: some 7 ms at this size, more beyond.
MAX_ENTRIES = 50_000

# More than one per write, so that the expired go faster than new ones come.
CHECKED_PER_WRITE = 4


@dataclass(frozen=True, slots=True, eq=False)
class _Entry:
    key: str
    value: bytes
    expires: float
    listed: str | None


class MemoryStore(Store):
    """At most ``max_entries`` keys; beyond that the least recently used go.

    A key is used when it is read by its name, or written. No operation sweeps everything: each
    write looks at the next few entries in a circle and drops those that have expired.
    """

    shared = False

    def __init__(
        self, *, max_entries: int = MAX_ENTRIES, now: Callable[[], float] = time.time
    ) -> None:
        self._max_entries = max_entries
        self._now = now
        self._entries: OrderedDict[str, _Entry] = OrderedDict()
        self._circle: deque[_Entry] = deque()
        self._lists: dict[str, OrderedKeys] = {}
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

    async def swap(self, expected: bytes | None, change: Change) -> bool:
        now = self._now()
        if self._read(change.key, now) != expected:
            return False
        self._change(change, now)
        return True

    async def increment(self, key: str, by: int, ttl: float) -> int:
        now = self._now()
        total = counter(self._read(key, now)) + by
        self._change(Put(key, b"%d" % total, ttl), now)
        return total

    async def listed(
        self, name: str, *, limit: int, newest_first: bool = True, minimum: float | None = None
    ) -> list[bytes]:
        keys = self._lists.get(name)
        if keys is None:
            return []
        found = keys.first(self._now(), limit=limit, newest_first=newest_first, minimum=minimum)
        return [self._entries[key].value for key in found]

    async def count(self, name: str) -> int:
        keys = self._lists.get(name)
        return 0 if keys is None else keys.count(self._now())

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
        self._lists.clear()

    def _read(self, key: str, now: float) -> bytes | None:
        entry = self._entries.get(key)
        if entry is None or entry.expires <= now:
            return None
        self._entries.move_to_end(key)
        return entry.value

    def _change(self, change: Change, now: float) -> None:
        self._drop(change.key)
        if isinstance(change, Delete):
            return
        key, value, ttl, listed, score = change
        entry = _Entry(key, value, now + effective_ttl(ttl), listed)
        self._entries[key] = entry
        if listed is not None:
            self._lists.setdefault(listed, OrderedKeys()).add(key, score, entry.expires)
        self._circle.append(entry)
        self._check_next(now)
        while len(self._entries) > self._max_entries:
            self._drop(next(iter(self._entries)))

    def _check_next(self, now: float) -> None:
        for _ in range(min(CHECKED_PER_WRITE, len(self._circle))):
            entry = self._circle.popleft()
            if self._entries.get(entry.key) is not entry:
                continue  # overwritten or dropped since: its successor has a turn of its own
            if entry.expires <= now:
                self._drop(entry.key)
            else:
                self._circle.append(entry)

    def _drop(self, key: str) -> None:
        entry = self._entries.pop(key, None)
        if entry is None or entry.listed is None:
            return
        keys = self._lists[entry.listed]
        keys.remove(key)
        if not len(keys):
            del self._lists[entry.listed]
