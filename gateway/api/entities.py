"""Entities' properties and metadata as one JSON object.

``passage`` has been let in by the right to the underlying endpoint of OL Connect; whose the
object is remains to be asked here.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from gateway import answers
from gateway.api import Handler, asking, content, values
from gateway.api.turns import Turns
from gateway.api.values import Values
from gateway.cache.flights import outcome
from gateway.catalogue.simplified import ENTITIES
from gateway.facets import Facets, cache_lines
from gateway.front import Passage
from gateway.model import Thing
from gateway.ownership import Ownership
from gateway.problems import PreconditionFailed
from gateway.rules import caching
from gateway.rules.links import Origins
from gateway.tasks import TaskSet

_FACETS = ("properties", "metadata")
_TYPE = ("Content-Type", content.JSON)


@dataclass(frozen=True, slots=True)
class Target:
    """A name/value list: whose it is, and its path at OL Connect."""

    thing: Thing
    path: str

    @property
    def turn(self) -> str:
        return turn_of(self.thing, self.path.rpartition("/")[2])


def turn_of(thing: Thing, facet: str) -> str:
    """The name of the turn in which a list is changed (``gateway.api.turns``)."""
    return f"{thing.kind}:{thing.id}:{facet}"


@dataclass(frozen=True, slots=True)
class Entities:
    """``tasks`` carry writes to their end, also when the caller has left."""

    facets: Facets
    ownership: Ownership
    origins: Origins
    turns: Turns
    tasks: TaskSet

    def handlers(self) -> Mapping[str, Handler]:
        return {
            **{f"api.get_{facet}": self.read for facet in _FACETS},
            **{f"api.replace_{facet}": self.replace for facet in _FACETS},
            **{f"api.patch_{facet}": self.patch for facet in _FACETS},
        }

    async def read(self, passage: Passage) -> answers.Answer:
        """The list through the cache; its ETag is that of the object shown here."""
        target = await self._target(passage)
        anew = caching.asks_anew(passage.header("Cache-Control"), passage.header("Pragma"))
        recalled = await self.facets.read(passage, target.thing, target.path, anew=anew)
        exchange = passage.exchange
        if recalled.outcome in ("hit", "coalesced", "stale"):
            exchange.source = "cache"
        shown = values.of_list(values.succeeded(recalled.fetched, self.origins))
        body = values.to_body(shown)
        tag = caching.etag(body)
        lines = [*cache_lines(recalled, anew=anew), ("ETag", tag)]
        wanted = passage.header("If-None-Match")
        if wanted is not None and caching.matches(wanted, tag):
            return answers.whole(exchange, 304, lines, None)
        return answers.whole(exchange, 200, [_TYPE, *lines], body)

    async def replace(self, passage: Passage) -> answers.Answer:
        target = await self._target(passage)
        after = values.of_document(await content.read(passage, content.JSON))
        return await outcome(self.tasks.start(self._replace(passage, target, after)))

    async def patch(self, passage: Passage) -> answers.Answer:
        target = await self._target(passage)
        patch = await content.read(passage, content.MERGE_PATCH, content.JSON)
        values.merged({}, patch)  # refused before OL Connect is asked
        return await outcome(self.tasks.start(self._patch(passage, target, patch)))

    async def _replace(self, passage: Passage, target: Target, after: Values) -> answers.Whole:
        async with self.turns.take([target.turn]):
            if passage.header("If-Match") is not None:
                _check(passage, await self._current(passage, target))
            await self._write(passage, target, after)
        return _told(passage, after)

    async def _patch(self, passage: Passage, target: Target, patch: Any) -> answers.Whole:
        """Between the read and the write no other change of the simplified face comes in."""
        async with self.turns.take([target.turn]):
            before = await self._current(passage, target)
            _check(passage, before)
            after = values.merged(before, patch)
            if after != before:
                await self._write(passage, target, after)
        return _told(passage, after)

    async def _current(self, passage: Passage, target: Target) -> Values:
        fetched = await self.facets.send(passage, asking.reading(passage, target.path))
        return values.of_list(values.succeeded(fetched, self.origins))

    async def _write(self, passage: Passage, target: Target, after: Values) -> None:
        document = {"id": int(target.thing.id), "properties": values.as_list(after)}
        call = asking.writing(passage, target.path, document)
        fetched = await self.facets.change(passage, call, [target.thing], target.thing.kind)
        values.written(fetched, self.origins)

    async def _target(self, passage: Passage) -> Target:
        """Raises NotFound for what is no id, and for what is not the team's."""
        kind, id_ = ENTITIES[passage.parameters["entity"]][1], passage.parameters["id"]
        path = asking.path_of(asking.underlying(passage), id_)
        thing = Thing(kind, id_)
        passage.exchange.things.append(thing)
        await self.ownership.require(passage.team, [thing])
        return Target(thing, path)


def _check(passage: Passage, current: Values) -> None:
    """``If-Match`` against what OL Connect has now. Raises PreconditionFailed."""
    wanted = passage.header("If-Match")
    if wanted is None:
        return
    tag = caching.etag(values.to_body(current))
    if not caching.if_match(wanted, tag):
        raise PreconditionFailed(
            "The values are not those with that ETag any more: read them again.",
            parameter="If-Match",
            headers={"ETag": tag},
        )


def _told(passage: Passage, after: Values) -> answers.Whole:
    body = values.to_body(after)
    lines = [_TYPE, ("ETag", caching.etag(body))]
    return answers.whole(passage.exchange, 200, lines, body)
