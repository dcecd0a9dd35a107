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

PREFIX = "properties:1:"
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
            f"{PREFIX}entry:{view}",
            view,
        )

    def lease(self, generation: Generation) -> str:
        """Of one generation only: nobody waits for a read that began before the last write."""
        return f"{PREFIX}lease:{b''.join(generation).hex()}:{self.view}"


def generation_name(target: Target) -> str:
    return f"{PREFIX}generation:{_text(target)}"


def writers_name(target: Target) -> str:
    return f"{PREFIX}writers:{_text(target)}"


def _text(target: Target) -> str:
    return f"{target.kind}:{target.id}" if isinstance(target, Thing) else str(target)


def encode(entry: Entry, generation: Generation) -> bytes:
    head = {
        "generation": [part.hex() for part in generation],
        "began": entry.began,
        "lines": entry.fetched.lines,
        "fresh": None
        if math.isinf(entry.permission.fresh_seconds)
        else entry.permission.fresh_seconds,
        "stale": entry.permission.stale_allowed,
    }
    return json.dumps(head, separators=(",", ":")).encode() + b"\n" + entry.fetched.body


def decode(data: bytes | None, generation: Generation) -> Entry | None:
    """The entry, if it is there and of this generation."""
    if data is None:
        return None
    text, _, body = data.partition(b"\n")
    head = json.loads(text)
    if not is_current(head["generation"], generation):
        return None
    lines = tuple((name, value) for name, value in head["lines"])
    fresh_seconds = math.inf if head["fresh"] is None else head["fresh"]
    permission = Permission(fresh_seconds, head["stale"])
    return Entry(Fetched(200, lines, body), caching.etag(body), head["began"], permission)


def is_current(written: list[str], generation: Generation) -> bool:
    return written == [part.hex() for part in generation]
