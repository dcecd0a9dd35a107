"""The outermost ring: names a request, turns problems into answers, counts and writes it down.

It looks and records; it never decides. A request is recorded always, also after an error or when
its caller has left.
"""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from os import urandom
from time import perf_counter
from typing import TYPE_CHECKING

import structlog
from aiohttp import web
from multidict import CIMultiDictProxy

from gateway import answers, rendering
from gateway.budget import Budget
from gateway.exchange import Exchange
from gateway.express.heads import Head
from gateway.express.passing import Course, Passage, Recipient
from gateway.express.shortcuts import Shortcuts
from gateway.inbound import Inbound
from gateway.metrics import Counts, Metrics
from gateway.problems import Draining, InternalError, MalformedRequest, Problem
from gateway.requestlog import RequestLog
from gateway.rules import cors, headers, tracing
from gateway.rules.forwarded import Networks, client_of, scheme_of
from gateway.rules.tracing import TraceParent
from gateway.server import Request

if TYPE_CHECKING:
    from gateway.telemetry import Tracing

log = structlog.get_logger("gateway")

_TRACE_BYTES = 24
_IDS_BYTES = _TRACE_BYTES + 8  # and a span's
_LEFT = 499  # the status nginx made known for callers who leave; it is never sent

Handler = Callable[[Inbound, Exchange], Awaitable[answers.Answer]]


@dataclass(frozen=True, slots=True)
class Naming:
    """What a head says of who asks, and as part of what."""

    parent: TraceParent | None
    request_id: str | None
    origin: str | None
    forwarded_for: str
    forwarded_proto: str


class Observer:
    """Wraps the handler of the public listener. ``origins`` are those of browsers let in."""

    def __init__(
        self,
        handler: Handler,
        *,
        metrics: Metrics,
        requests: RequestLog,
        origins: frozenset[str],
        public_url: str,
        proxies: Networks = (),
        audit: Callable[[Exchange], None] = lambda exchange: None,
        tracing: "Tracing | None" = None,
        shortcuts: Shortcuts | None = None,
    ) -> None:
        self._handler = handler
        self._metrics = metrics
        self._requests = requests
        self._proxies = proxies
        self._audit = audit
        self._origins = origins
        self._public_url = public_url
        self._tracing = tracing
        self._shortcuts = shortcuts if tracing is None else None  # the journey begins a span
        self._budget = Budget()
        self._under_way: dict[Exchange, Inbound | Passage] = {}

    async def handle(self, request: Request) -> web.StreamResponse:
        """For aiohttp, which calls this in a task of its own."""
        request.answered_by = asyncio.current_task()
        return rendering.response_of(await self.answer(request))

    async def answer(self, request: Inbound) -> answers.Answer:
        # What comes once may never come again: nothing is learnt from it.
        comes_again = request.memo is not None and request.memo.naming is not None
        exchange = self._exchange(request)
        self._under_way[exchange] = request
        self._metrics.in_flight.inc()
        try:
            answer = await self._answer(request, exchange)
            if comes_again and self._shortcuts is not None:
                self._shortcuts.learn(request, exchange, answer)
            return answer
        finally:
            del self._under_way[exchange]
            self._metrics.in_flight.dec()
            exchange.let_go()
            self._record(exchange)

    def introduce(self, head: Head) -> None:
        """Of a head that comes for the first time, learn from those like it."""
        if self._shortcuts is not None:
            self._shortcuts.introduce(head)

    def repeat(self, head: Head, client: str | None) -> bytes | None:
        """The answer to what was answered before and has not changed; None says nothing."""
        lesson = head.memo.lesson
        if lesson is None or self._shortcuts is None:
            return None
        repeated = self._shortcuts.rote.repeat(lesson, self._client(client, head.memo.naming))
        if repeated is None:
            return None
        said, exchange = repeated
        lesson.counts = lesson.counts or self._metrics.counts_of(exchange)
        self._record(exchange, lesson.counts)
        return said

    def pass_on(self, head: Head, client: str | None, recipient: Recipient) -> Passage | None:
        """Pass a read on as before, if nothing has changed; None says nothing."""
        course: Course = head.memo.course
        if self._shortcuts is None or not self._shortcuts.passing.holds(course):
            return None
        passing = self._shortcuts.passing
        naming: Naming = head.memo.naming
        random = urandom(_IDS_BYTES)
        traceparent = tracing.new(random[:_TRACE_BYTES])
        exchange = Exchange(
            head.message.method,
            course.path,
            perf_counter(),
            traceparent[3:35],
            traceparent,
            naming.origin,
            self._client(client, naming),
            course.endpoint,
            caller=course.caller,
            team=course.team.name,
            credential=course.team.credential,
            things=course.things,
        )
        passage = Passage(
            passing,
            course,
            exchange,
            random[_TRACE_BYTES:],
            recipient,
            ended=self._passed,
        )
        if not passing.send(passage):
            return None
        self._under_way[exchange] = passage
        self._metrics.in_flight.inc()
        return passage

    def _passed(self, passage: Passage, is_answered: bool) -> None:
        course, exchange = passage.course, passage.exchange
        del self._under_way[exchange]
        self._metrics.in_flight.dec()
        if is_answered:
            if course.counts is None and exchange.status == 200:
                course.counts = self._metrics.counts_of(exchange)
            self._record(exchange, course.counts)

    def expire(self) -> None:
        """The time to stop has come: whoever has no answer yet is refused now."""
        for exchange, request in list(self._under_way.items()):
            exchange.problem = Draining(
                "The gateway stops before an answer has come.", headers={"Retry-After": "1"}
            )
            if request.answered_by is not None and not exchange.answering:
                request.answered_by.cancel()

    async def _answer(self, request: Inbound, exchange: Exchange) -> answers.Answer:
        try:
            return await self._handler(request, exchange)
        except Problem as problem:
            exchange.problem = exchange.problem or problem
            if exchange.answering:
                raise
            return self._refusal(exchange, problem)
        except asyncio.CancelledError:
            if not isinstance(exchange.problem, Draining):
                exchange.left = True
                raise
            if exchange.answering:
                raise
            return answers.problem(exchange, exchange.problem, self._public_url)
        except (ConnectionError, TimeoutError):
            # Writing to a caller who is not there, or does not read.
            exchange.left = True
            raise
        except Exception:
            # The last net: a mistake of ours must not show the caller a stack trace.
            log.exception(
                "unexpected_error", request_id=exchange.request_id, endpoint=exchange.endpoint
            )
            exchange.problem = InternalError("The gateway's log has more under this request_id.")
            if exchange.answering:
                raise
            return answers.problem(exchange, exchange.problem, self._public_url)

    def _refusal(self, exchange: Exchange, problem: Problem) -> answers.Whole:
        # A stage may have begun to pass on an answer that then could not be had.
        exchange.source = "gateway"
        answer = answers.problem(exchange, problem, self._public_url)
        if isinstance(problem, MalformedRequest):
            # Where the request ends is not certain, so what follows it is not read as another.
            answer.closes = True
        return answer

    def malformed(self, problem: Problem) -> web.Response:
        """The answer to what could not be read as a request at all, counted and written down."""
        exchange = Exchange(
            "", "", perf_counter(), urandom(16).hex(), tracing.new(urandom(_TRACE_BYTES))
        )
        exchange.headers += _identifying(exchange)
        exchange.problem = problem
        answer = answers.problem(exchange, problem, self._public_url)
        self._record(exchange)
        return rendering.whole(answer)

    def _exchange(self, request: Inbound) -> Exchange:
        memo = request.memo
        naming: Naming | None = None if memo is None else memo.naming
        if naming is None:
            naming = _naming(request.headers)
            if memo is not None:
                memo.naming = naming
        return self._begun(request.method, request.raw_path, naming, request.remote)

    def _begun(self, method: str, path: str, naming: Naming, peer: str | None) -> Exchange:
        span = None
        if self._tracing is not None:
            span, traceparent = self._tracing.begin(naming.parent)
        elif naming.parent is not None:
            traceparent = str(naming.parent)
        else:
            traceparent = tracing.new(urandom(_TRACE_BYTES))
        exchange = Exchange(
            method,
            path,
            perf_counter(),
            naming.request_id or traceparent[3:35],
            traceparent,
            naming.origin,
            self._client(peer, naming),
        )
        if span is not None:
            exchange.span = span
            exchange.scheme = scheme_of(peer, naming.forwarded_proto, self._proxies)
        exchange.budget = self._budget
        exchange.headers = _identifying(exchange)
        if self._origins:
            exchange.headers += cors.for_answer(naming.origin, self._origins)
        return exchange

    def _client(self, peer: str | None, naming: Naming) -> str | None:
        return client_of(peer, naming.forwarded_for, self._proxies) if self._proxies else peer

    def _record(self, exchange: Exchange, counts: Counts | None = None) -> None:
        """``counts`` is where such an exchange is counted, if that is known."""
        seconds = perf_counter() - exchange.started
        if exchange.left:
            exchange.status, counts = _LEFT, None
        if self._tracing is not None and exchange.span is not None:
            self._tracing.end(exchange)
        counts = counts or self._metrics.counts_of(exchange)
        counts.add(exchange, seconds)
        self._requests.write(exchange, seconds)
        self._audit(exchange)


def _naming(fields: CIMultiDictProxy[str]) -> Naming:
    return Naming(
        tracing.parse(fields.get("traceparent", "")),
        headers.request_id(fields.get("X-Request-Id", "")),
        fields.get("Origin"),
        # Some proxies add a line of their own, below those that a caller has invented.
        ",".join(fields.getall("X-Forwarded-For", ())),
        ",".join(fields.getall("X-Forwarded-Proto", ())),
    )


def _identifying(exchange: Exchange) -> list[tuple[str, str]]:
    return [("X-Request-Id", exchange.request_id), ("traceparent", exchange.traceparent)]
