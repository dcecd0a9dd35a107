"""Answers said again: to the same bytes, by the same caller, of the same cache entry.

The journey decides once; what it decided is repeated for as long as nothing has changed that it was
decided by. Whatever cannot be told to be unchanged, without waiting, takes the journey again.
"""

import re
from dataclasses import dataclass, replace
from os import urandom
from time import perf_counter
from typing import TYPE_CHECKING

from aiohttp.helpers import rfc822_formatted_time

from gateway.answers import Whole
from gateway.cache import Freshness, PropertyCache
from gateway.exchange import Exchange, Hit
from gateway.express import writing
from gateway.inbound import Inbound
from gateway.metrics import Counts
from gateway.model import Caller
from gateway.problems import Problem, TokenMissing, TokenSignature
from gateway.rules import tracing
from gateway.rules.credentials import Basic

if TYPE_CHECKING:
    from gateway.front import Front, Regime

# An answer is kept as long as its head is; larger ones take little of the time that they take.
_LARGEST_BYTES = 8 * 1024
# They make an answer its caller's own; heads that hold them do not come again.
_OWN_NAMES = ("X-Request-Id", "traceparent")
_CHANGING = re.compile(
    rb"(?m)^(?P<name>Date: |Age: |Cache-Status: olgw; hit; ttl=)(?P<value>[^\r\n]*)"
)
_MARKS = {
    b"Date: ": b"%(date)b",
    b"Age: ": b"%(age)d",
    b"Cache-Status: olgw; hit; ttl=": b"%(ttl)d",
}


@dataclass(slots=True)
class Lesson:
    """An answer, and what it holds by. ``template`` lacks what is new each time."""

    regime: "Regime"
    token: str | None
    exchange: Exchange
    template: bytes
    counts: Counts | None = None

    def of(self, caller: Caller, token: str) -> "Lesson":
        """The same answer to another caller, for whom the same teams speak."""
        exchange = replace(self.exchange, caller=caller)
        return Lesson(self.regime, token, exchange, self.template, self.counts)


class Rote:
    """What the journey has answered to heads that came before."""

    def __init__(self, front: "Front", cache: PropertyCache) -> None:
        self._front = front
        self._cache = cache

    def learn(self, request: Inbound, exchange: Exchange, answer: object) -> None:
        """Keep an answer that can be repeated; any other one is passed over."""
        memo = request.memo
        if memo is None or not isinstance(answer, Whole) or answer.closes:
            return
        if exchange.hit is None and not _is_final(exchange.problem):
            return
        if any(name in request.headers for name in _OWN_NAMES) or request.body_exists:
            return
        regime = self._front.regime
        if exchange.hit is not None and exchange.hit.rated:
            return  # the team's rate is counted, and told, request by request
        shown = memo.reading.shown if memo.reading is not None else None
        if isinstance(shown, Basic):
            return  # whether a password is right, the issuer says each time
        token = None if shown is None else shown.token
        if len(answer.body or b"") <= _LARGEST_BYTES:
            template = _template(request.method, exchange, answer)
            memo.lesson = Lesson(regime, token, exchange, template)

    def repeat(self, lesson: Lesson, client: str | None) -> tuple[bytes, Exchange] | None:
        """The answer if it still holds, and its record; None says nothing."""
        if lesson.regime is not self._front.regime:
            return None
        started = perf_counter()
        learnt = lesson.exchange
        age = ttl = 0.0
        if learnt.hit is not None:
            freshness = self._still(lesson, learnt.hit)
            if freshness is None:
                return None
            age, ttl = freshness
        elif lesson.token is not None and not lesson.regime.authenticator.refuses(lesson.token):
            return None
        traceparent = tracing.new(urandom(24))
        request_id = traceparent[3:35]
        said = lesson.template % {
            b"id": request_id.encode(),
            b"parent": traceparent.encode(),
            b"date": rfc822_formatted_time().encode(),
            b"age": age,
            b"ttl": ttl,
        }
        learnt.again(started, request_id, traceparent, client)
        return said, learnt

    def _still(self, lesson: Lesson, hit: Hit) -> Freshness | None:
        """How fresh the entry is, if caller and entry are what they were."""
        learnt = lesson.exchange
        assert lesson.token is not None
        if lesson.regime.authenticator.recall(lesson.token) is not learnt.caller:
            return None
        # Whose an entity is never changes.
        return self._cache.still(hit.key, hit.fetched)


def _is_final(problem: Problem | None) -> bool:
    """Whether a refusal is a function of the head and of what ``Authenticator.refuses`` tells."""
    return type(problem) is TokenMissing or type(problem) is TokenSignature


def _template(method: str, exchange: Exchange, answer: Whole) -> bytes:
    said = writing.whole(method, answer.status, answer.lines, answer.body, is_last=False)
    head, _, body = said.replace(b"%", b"%%").partition(b"\r\n\r\n")
    head = _CHANGING.sub(lambda found: found["name"] + _MARKS[found["name"]], head)
    told = head + b"\r\n\r\n" + body
    # The trace's id is the request's, where the caller gave neither.
    told = told.replace(exchange.traceparent.encode(), b"%(parent)b")
    return told.replace(exchange.request_id.encode(), b"%(id)b")
