"""What is kept, under which key, and what every place that keeps it promises."""

from collections.abc import Awaitable, Callable, Hashable, Sequence
from dataclasses import dataclass
from typing import NamedTuple, Protocol, TypeAlias

from gateway.model import Kind, Thing
from gateway.rules import caching
from gateway.rules.caching import Outcome, Permission
from gateway.settings.models import PropertiesCache

Lines: TypeAlias = tuple[tuple[str, str], ...]

Target: TypeAlias = Thing | Kind
"""What a write makes stale: one entity, or every entity of a kind."""

LARGEST_BYTES = 64 * 1024

# What an entry takes besides its text (objects in memory; in Redis its key, its entity's generation
# and its place in the index), and a header line in memory. Both are measured.
OVERHEAD_BYTES = 850
LINE_OVERHEAD_BYTES = 150

WRITE_SECONDS = 300.0
"""Longer than a write can take: until then nothing is kept, should its end never be heard of."""

DOUBT_SECONDS = 60.0
"""How long OL Connect may still carry out a write whose answer was lost."""


class CacheKey(NamedTuple):
    """Whose view of which part of which entity; facet is ``properties`` or ``metadata``."""

    credential: str
    thing: Thing
    facet: str


@dataclass(frozen=True, slots=True)
class Fetched:
    """An answer of OL Connect's, complete, its header lines already fit for callers."""

    status: int
    lines: Lines
    body: bytes
    permission: Permission = caching.UNLIMITED


Fetch: TypeAlias = Callable[[], Awaitable[Fetched]]


@dataclass(frozen=True, slots=True)
class Recalled:
    """An answer and how it was come by; ``ttl_seconds`` is 0 for one that was not kept."""

    fetched: Fetched
    outcome: Outcome
    age_seconds: float
    ttl_seconds: float
    etag: str | None  # of a 200


class Freshness(NamedTuple):
    """How old an answer is, and how long it may still be given out."""

    age_seconds: float
    ttl_seconds: float


@dataclass(frozen=True, slots=True)
class Entry:
    """A 200 that may be given out again. ``began`` is the Unix time at which its read began.

    Or at which its age began, if OL Connect's answer had one already.
    """

    fetched: Fetched
    etag: str
    began: float

    def age_seconds(self, now: float) -> float:
        return max(0.0, now - self.began)

    def ttl_seconds(self, now: float, settings: PropertiesCache) -> float:
        """How long it stays fresh; the settings are asked each time, for they may be reloaded."""
        limit_seconds = min(settings.ttl, self.fetched.permission.fresh_seconds)
        return limit_seconds - self.age_seconds(now)

    def helps_in_need(self, now: float, settings: PropertiesCache) -> bool:
        if not self.fetched.permission.stale_allowed:
            return self.ttl_seconds(now, settings) > 0
        return self.age_seconds(now) <= settings.stale_if_error


@dataclass(frozen=True, slots=True)
class Found:
    """What a look brought: the entity's generation then, and the entry of that generation."""

    generation: Hashable
    entry: Entry | None


@dataclass(frozen=True, slots=True)
class Filled:
    """What a read at OL Connect brought; ``entry`` if it was kept."""

    fetched: Fetched
    began: float
    entry: Entry | None = None
    from_peer: bool = False  # another process had read it
    is_bypass: bool = False  # the store was away


@dataclass(frozen=True, slots=True)
class Marks:
    """One write's name and what it makes stale."""

    write_id: str
    targets: tuple[Target, ...]


class Entries(Protocol):
    """Where entries are. A generation stands for the time between two writes of an entity."""

    settings: PropertiesCache

    @property
    def count(self) -> int: ...

    @property
    def bytes(self) -> int: ...

    async def look(self, key: CacheKey) -> Found:
        """Raises StoreUnavailable."""
        ...

    async def fill(self, key: CacheKey, generation: Hashable, fetch: Fetch, alone: bool) -> Filled:
        """Read at OL Connect and keep what comes, unless a write has come in between.

        ``alone``: without waiting for another process that reads the same. Raises what ``fetch``
        raises.
        """
        ...

    async def begin(self, marks: Marks) -> None:
        """Raise the generations; nothing is kept of the targets until ``end``."""
        ...

    async def end(self, marks: Marks, *, doubtful: bool) -> None:
        """Raise the generations again; a doubtful write goes on being watched for a while."""
        ...


def entry_of(fetched: Fetched, began: float, settings: PropertiesCache) -> Entry | None:
    """The entry that an answer makes, if it may be kept at all."""
    if fetched.status != 200 or settings.ttl <= 0:
        return None
    entry = Entry(fetched, caching.etag(fetched.body), began - fetched.permission.age_seconds)
    return entry if entry.ttl_seconds(began, settings) > 0 else None


def size_of(key: CacheKey, fetched: Fetched) -> int:
    """What an entry takes, in bytes, its header lines not counted."""
    return OVERHEAD_BYTES + len(key.credential) + len(key.thing.id) + len(fetched.body)


def size_of_lines(lines: Lines) -> int:
    return sum(LINE_OVERHEAD_BYTES + len(name) + len(value) for name, value in lines)


def retention_seconds(settings: PropertiesCache) -> float:
    """How long an entry is of any use."""
    return max(settings.ttl, settings.stale_if_error)


def targets_of(things: Sequence[Thing] | None, kind: Kind, limit: int) -> tuple[Target, ...]:
    """The entities, each once; their kinds instead if they are unknown or more than ``limit``."""
    if things is None:
        return (kind,)
    distinct = tuple(dict.fromkeys(things))
    if len(distinct) <= limit:
        return distinct
    return tuple(dict.fromkeys(thing.kind for thing in distinct))
