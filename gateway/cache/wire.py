"""How entries and their names are written into a store that several processes share."""

import json
import math
from dataclasses import dataclass
from typing import TypeAlias
from urllib.parse import quote

from gateway.cache.entries import CacheKey, Entry, Fetched, Target
from gateway.model import Thing
from gateway.rules import caching
from gateway.rules.caching import Permission

PREFIX = "props1:"
"""With the number of the form: processes of two releases may share a store for a while."""

INDEX = f"{PREFIX}index"

Generation: TypeAlias = tuple[bytes, bytes]
"""Of the entity and of its kind."""


@dataclass(frozen=True, slots=True)
class Names:
    """Where everything about one key is found."""

    generations: tuple[str, str]
    writers: tuple[str, str]
    entry: str
    view: str

    @classmethod
    def of(cls, key: CacheKey) -> "Names":
        thing = key.thing
        # The id comes last: it alone may hold any character.
        view = f"{key.facet}:{quote(key.credential, safe='')}:{thing.kind}:{thing.id}"
        return cls(
            (generation_name(thing), generation_name(thing.kind)),
            (writers_name(thing), writers_name(thing.kind)),
            entry_name(view),
            view,
        )

    def lease(self, generation: Generation) -> str:
        """Of one generation only: nobody waits for a read that began before the last write."""
        return f"{PREFIX}lease:{_hex(generation)}:{self.view}"


def entry_name(view: str) -> str:
    return f"{PREFIX}entry:{view}"


def unit_name(unit: str) -> str:
    return f"{PREFIX}unit:{unit}"


def generation_name(target: Target) -> str:
    return f"{PREFIX}gen:{_text(target)}"


def writers_name(target: Target) -> str:
    return f"{PREFIX}writers:{_text(target)}"


def _text(target: Target) -> str:
    return f"{target.kind}:{target.id}" if isinstance(target, Thing) else str(target)


def encode(entry: Entry, generation: Generation) -> bytes:
    """One line of JSON, as short as can be, then the body."""
    permission = entry.fetched.permission
    limit = permission.fresh_seconds
    head = (
        _hex(generation),
        round(entry.began, 3),
        entry.fetched.lines,
        None if math.isinf(limit) else limit,
        permission.stale_allowed,
    )
    return json.dumps(head, separators=(",", ":")).encode() + b"\n" + entry.fetched.body


def decode(data: bytes | None, generation: Generation) -> Entry | None:
    """The entry, if it is there and of this generation."""
    if data is None:
        return None
    head, _, body = data.partition(b"\n")
    written, began, pairs, limit, stale_allowed = json.loads(head)
    if not is_current(written, generation):
        return None
    lines = tuple((name, value) for name, value in pairs)
    permission = Permission(math.inf if limit is None else limit, stale_allowed)
    return Entry(Fetched(200, lines, body, permission), caching.etag(body), began)


def is_current(written: str, generation: Generation) -> bool:
    return written == _hex(generation)


def _hex(generation: Generation) -> str:
    return b"".join(generation).hex()
