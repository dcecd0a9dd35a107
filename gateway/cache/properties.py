"""Reads from the cache, or from OL Connect on behalf of everyone who waits; and writes past it."""

import asyncio
import secrets
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager, suppress

from gateway.cache.entries import (
    CacheKey,
    Entries,
    Entry,
    Fetch,
    Fetched,
    Filled,
    Found,
    Freshness,
    Marks,
    Recalled,
    targets_of,
)
from gateway.cache.flights import Flights, outcome
from gateway.cache.local import LocalEntries
from gateway.cache.shared import SharedEntries
from gateway.model import Kind, Thing
from gateway.problems import (
    Problem,
    StoreUnavailable,
    UpstreamInvalidResponse,
    UpstreamOverloaded,
    UpstreamTimeout,
    UpstreamUnreachable,
)
from gateway.rules import caching
from gateway.rules.caching import Outcome
from gateway.settings.models import PropertiesCache
from gateway.stores.contract import Store
from gateway.tasks import TaskSet
from gateway.upstream.breaker import CANNOT_ANSWER

MAX_TARGETS = 1000

# A store that does not answer costs each question its time-out: it is left alone for a moment.
STORE_PAUSE_SECONDS = 0.5

_NO_ANSWER = (UpstreamUnreachable, UpstreamTimeout, UpstreamOverloaded, UpstreamInvalidResponse)


class Write:
    """A write under way."""

    def __init__(self) -> None:
        self.is_doubtful = False

    def doubt(self) -> None:
        """OL Connect may still carry it out, although it has not said so (a 5xx)."""
        self.is_doubtful = True


class PropertyCache:
    """Once a write was answered, no read that begins later is given what was before it.

    ``now`` is Unix time. ``observe`` is called with each read's outcome, ``invalidated`` for each
    write. With a shared store the promise holds for all processes that use it.
    """

    def __init__(
        self,
        settings: PropertiesCache,
        store: Store,
        *,
        now: Callable[[], float],
        tasks: TaskSet,
        observe: Callable[[Outcome], None],
        invalidated: Callable[[], None],
    ) -> None:
        self._settings = settings
        self._now = now
        self._tasks = tasks
        self._observe = observe
        self._invalidated = invalidated
        self._local = None if store.shared else LocalEntries(settings, now=now)
        self._entries: Entries = self._local or SharedEntries(settings, store, now=now, tasks=tasks)
        self._flights: Flights[Filled] = Flights(tasks, "cache_fill")
        self._store_paused_until = 0.0

    @property
    def entries(self) -> int:
        return self._entries.count

    @property
    def bytes(self) -> int:
        return self._entries.bytes

    @property
    def is_off(self) -> bool:
        return self._settings.ttl <= 0

    def replace(self, settings: PropertiesCache) -> None:
        """Go on with other settings; what is too much now goes with the next entries."""
        self._settings = self._entries.settings = settings

    def still(self, key: CacheKey, fetched: Fetched) -> Freshness | None:
        """A fresh hit with the same answer as before, if this process can tell by itself.

        None says nothing: a store that is shared has to be asked.
        """
        if self._local is None:
            return None
        freshness = self._local.still(key, fetched)
        if freshness is not None:
            self._observe("hit")
        return freshness

    async def read(self, key: CacheKey, fetch: Fetch, *, no_cache: bool = False) -> Recalled:
        """What OL Connect says, or said a moment ago.

        ``fetch`` may raise any Problem; those that mean that OL Connect cannot answer (a 502, 503
        or 504 means it too) give way to an entry that may be stale, unless ``no_cache``.
        """
        if self.is_off:
            return await self._past(fetch)
        found = None if no_cache else await self._look(key)
        if found is None:
            return await self._anew(key, fetch)
        entry = found.entry
        if entry is not None and entry.ttl_seconds(self._now(), self._settings) > 0:
            return self._told(entry, "hit")
        task, started = self._flights.join(
            # Whoever comes after a write finds another generation, hence no read from before it.
            (key, found.generation),
            lambda: self._entries.fill(key, found.generation, fetch, alone=False),
        )
        return await self._landed(task, "miss" if started else "coalesced", stale_key=key)

    @asynccontextmanager
    async def writing(self, things: Sequence[Thing] | None, kind: Kind) -> AsyncIterator[Write]:
        """Make all entries of the entities unusable, before and after what happens inside.

        ``things`` None: of every entity of the kind. Whatever is raised inside leaves the write in
        doubt. Raises StoreUnavailable before or after it, if that cannot be recorded.
        """
        marks = Marks(secrets.token_hex(8), targets_of(things, kind, MAX_TARGETS))
        write = Write()
        self._invalidated()
        # A task of its own: whoever leaves now must not leave a mark without its end.
        begun = self._tasks.start(self._entries.begin(marks), name="cache_begin")
        try:
            await outcome(begun)
            yield write
        except BaseException:
            write.doubt()
            with suppress(StoreUnavailable):
                await self._end(begun, marks, write)
            raise
        await self._end(begun, marks, write)

    async def _end(self, begun: asyncio.Task[None], marks: Marks, write: Write) -> None:
        async def end() -> None:
            await asyncio.wait([begun])
            if not begun.cancelled() and begun.exception() is None:
                await self._entries.end(marks, doubtful=write.is_doubtful)

        await outcome(self._tasks.start(end(), name="cache_end"))

    async def _look(self, key: CacheKey) -> Found | None:
        """None while the store is away."""
        if self._now() < self._store_paused_until:
            return None
        try:
            return await self._entries.look(key)
        except StoreUnavailable:
            self._store_paused_until = self._now() + STORE_PAUSE_SECONDS
            return None

    async def _anew(self, key: CacheKey, fetch: Fetch) -> Recalled:
        """With a read that begins after this: asked for, or because generations are not known."""

        async def work() -> Filled:
            found = await self._look(key)
            if found is None:
                began = self._now()
                return Filled(await fetch(), began, is_bypass=True)
            return await self._entries.fill(key, found.generation, fetch, alone=True)

        task, started = self._flights.board(key, work)
        return await self._landed(task, "miss" if started else "coalesced", stale_key=None)

    async def _past(self, fetch: Fetch) -> Recalled:
        """Where nothing is cached: nobody waits for what another one reads."""
        self.bypassed()
        fetched = await fetch()
        tag = caching.etag(fetched.body) if fetched.status == 200 else None
        return Recalled(fetched, "bypass", fetched.permission.age_seconds, 0.0, tag)

    def bypassed(self) -> None:
        """Count a read of what is not cached."""
        self._observe("bypass")

    async def _landed(
        self, task: asyncio.Task[Filled], how: Outcome, *, stale_key: CacheKey | None
    ) -> Recalled:
        """The read's outcome, or the stale entry that stands in for it."""
        try:
            filled = await outcome(task)
        except Problem as problem:
            stale = await self._stale(stale_key) if isinstance(problem, _NO_ANSWER) else None
            if stale is None:
                self._observe(how)
                raise
            return stale
        fetched = filled.fetched
        if fetched.status in CANNOT_ANSWER and (stale := await self._stale(stale_key)):
            return stale
        if filled.from_peer:
            how = "coalesced"
        if filled.is_bypass:
            how = "bypass"
        if filled.entry is not None:
            return self._told(filled.entry, how)
        self._observe(how)
        tag = caching.etag(fetched.body) if fetched.status == 200 else None
        age_seconds = fetched.permission.age_seconds + max(0.0, self._now() - filled.began)
        return Recalled(fetched, how, age_seconds, 0.0, tag)

    async def _stale(self, key: CacheKey | None) -> Recalled | None:
        # Looked up again: a write may have come in while OL Connect was asked.
        found = None if key is None else await self._look(key)
        entry = None if found is None else found.entry
        if entry is None or not entry.helps_in_need(self._now(), self._settings):
            return None
        return self._told(entry, "stale")

    def _told(self, entry: Entry, how: Outcome) -> Recalled:
        self._observe(how)
        now = self._now()
        ttl_seconds = max(0.0, entry.ttl_seconds(now, self._settings))
        return Recalled(entry.fetched, how, entry.age_seconds(now), ttl_seconds, entry.etag)
