"""Entities' name/value lists: read through the cache, written around it.

Policy and ownership have been decided before anything here is asked.
"""

from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from contextlib import AsyncExitStack

from gateway import answers, requests
from gateway.bodies import READ_LIMIT
from gateway.cache import CacheKey, Fetched, PropertyCache, Recalled
from gateway.connect import Connect
from gateway.exchange import Hit
from gateway.front import Passage
from gateway.model import Kind, Thing
from gateway.requests import IDENTITY, Asked
from gateway.rules import caching, headers
from gateway.rules.links import Origins
from gateway.upstream.call import Call
from gateway.upstream.heads import is_simple

# What goes with a set when it is deleted. Which of them cannot be known, so all are spoilt.
_INSIDE: Mapping[Kind, Sequence[Kind]] = {
    Kind.DATA_SET: (Kind.DATA_RECORD,),
    Kind.CONTENT_SET: (Kind.CONTENT_ITEM,),
    Kind.JOB_SET: (Kind.JOB, Kind.JOB_SEGMENT, Kind.DOCUMENT_SET, Kind.DOCUMENT),
}


class Facets:
    """``properties`` and ``metadata`` of every entity, for both faces."""

    def __init__(
        self,
        cache: PropertyCache,
        connect: Connect,
        origins: Origins,
        now: Callable[[], float],
    ) -> None:
        self._cache = cache
        self._connect = connect
        self._origins = origins
        self._now = now

    async def handle(self, passage: Passage, asked: Asked) -> answers.Answer:
        if passage.request.method in ("GET", "HEAD"):
            return await self._get(passage)
        return await self._put(passage, asked)

    async def _get(self, passage: Passage) -> answers.Answer:
        exchange = passage.exchange
        exchange.passed_on = self._cache.is_off
        anew = caching.asks_anew(passage.header("Cache-Control"), passage.header("Pragma"))
        recalled = await self.read(passage, passage.named[0], passage.path, anew=anew)
        if recalled.outcome == "hit":
            exchange.hit = Hit(
                self._key(passage, passage.named[0], passage.path),
                recalled.fetched,
                passage.team.settings.limits.requests_per_second is not None,
            )
        lines = list(recalled.fetched.lines)
        if recalled.fetched.status == 200:
            lines += cache_lines(recalled, anew=anew)
        if recalled.etag is not None:
            # OL Connect's own would be a second one, and knows nothing of If-None-Match here.
            lines = [line for line in lines if line[0].lower() != "etag"]
            lines.append(("ETag", recalled.etag))
        if recalled.outcome in ("hit", "coalesced", "stale"):
            exchange.source = "cache"
        wanted = passage.header("If-None-Match")
        if recalled.etag is not None and wanted and caching.matches(wanted, recalled.etag):
            return answers.whole(exchange, 304, lines, None)
        return answers.whole(exchange, recalled.fetched.status, lines, recalled.fetched.body)

    async def read(self, passage: Passage, thing: Thing, path: str, *, anew: bool) -> Recalled:
        """One entity's list, at ``path`` of OL Connect. Raises what asking OL Connect raises."""

        async def fetch() -> Fetched:
            return await self._fetch(passage, path)

        return await self._cache.read(self._key(passage, thing, path), fetch, no_cache=anew)

    def _key(self, passage: Passage, thing: Thing, path: str) -> CacheKey:
        return CacheKey(passage.team.credential, thing, path.rpartition("/")[2])

    async def _fetch(self, passage: Passage, path: str) -> Fetched:
        exchange, team = passage.exchange, passage.team
        # The same request whoever asks: what one caller is answered must fit all others.
        call = Call("GET", path, headers=[IDENTITY, *requests.identifying_lines(exchange)])
        try:
            async with self._connect.ask(
                call,
                team=team.name,
                credential=team.credential,
                repeatable=passage.request.earlier is None,
            ) as response:
                exchange.source = "upstream"
                if not is_simple(response.status, response.headers):
                    exchange.passed_on = False
                body = await self._connect.upstream.read(response, READ_LIMIT)
                lines = headers.for_caller(response.raw_headers, self._origins, path)
                permission = caching.permission(response.headers.items(), self._now())
                return Fetched(response.status, tuple(lines), body, permission)
        finally:
            exchange.upstream_seconds += call.seconds

    async def _put(self, passage: Passage, asked: Asked) -> answers.Answer:
        things = [*passage.named, *asked.things]
        kind = next(iter(passage.endpoint.body.values()))
        call = requests.call_of(passage, asked, must_read_answer=True)
        fetched = await self.change(passage, call, things if asked.readable else None, kind)
        return answers.whole(passage.exchange, fetched.status, fetched.lines, fetched.body)

    async def change(
        self, passage: Passage, call: Call, things: Sequence[Thing] | None, kind: Kind
    ) -> Fetched:
        """Send a write of ``things``; None: of whatever there is of the kind."""
        # Spoilt before the call and after it: whatever becomes of the call, and whoever reads
        # meanwhile, no older value is answered after this answer.
        async with self._cache.writing(things, kind) as write:
            fetched = await self.send(passage, call)
            if fetched.status >= 500:
                write.doubt()
            return fetched

    async def send(self, passage: Passage, call: Call) -> Fetched:
        """One repeatable call past the cache, its answer complete."""
        exchange, team = passage.exchange, passage.team
        try:
            async with self._connect.ask(
                call, team=team.name, credential=team.credential, repeatable=True
            ) as response:
                exchange.source = "upstream"
                body = await self._connect.upstream.read(response, READ_LIMIT)
                lines = headers.for_caller(response.raw_headers, self._origins, call.path)
                return Fetched(response.status, tuple(lines), body)
        finally:
            exchange.upstream_seconds += call.seconds

    async def delete(
        self, things: Iterable[Thing], ask: Callable[[], Awaitable[answers.Answer]]
    ) -> answers.Answer:
        """``ask`` for the deletion of sets: they and all that can be inside become unusable."""
        sets = [thing for thing in things if thing.kind in _INSIDE]
        async with AsyncExitStack() as stack:
            writes = []
            if sets:
                kind = sets[0].kind
                writes = [await stack.enter_async_context(self._cache.writing(sets, kind))]
                for inside in _INSIDE[kind]:
                    writing = self._cache.writing(None, inside)
                    writes.append(await stack.enter_async_context(writing))
            answer = await ask()
            if answer.status >= 500:
                for write in writes:
                    write.doubt()
            return answer


def bypass_lines(etag: str) -> list[tuple[str, str]]:
    """What a 200 gets that nothing is kept of."""
    return [("Cache-Status", caching.cache_status("bypass", 0.0)), ("Age", "0"), ("ETag", etag)]


def cache_lines(recalled: Recalled, *, anew: bool) -> list[tuple[str, str]]:
    """How the answer was come by, without its ETag."""
    status = caching.cache_status(recalled.outcome, recalled.ttl_seconds, anew=anew)
    return [("Cache-Status", status), ("Age", str(int(recalled.age_seconds)))]
