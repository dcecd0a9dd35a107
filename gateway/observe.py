"""The outermost ring: names a request, turns problems into answers, counts and writes it down.

It looks and records; it never decides. A request is recorded always, also after an error or when
its caller has left.
"""

import asyncio
from collections.abc import Awaitable, Callable
from os import urandom
from time import perf_counter

import structlog
from aiohttp import web

from gateway import answers
from gateway.exchange import Exchange
from gateway.metrics import Metrics
from gateway.problems import InternalError, Problem
from gateway.requestlog import RequestLog
from gateway.rules import cors, headers, tracing

log = structlog.get_logger("gateway")

_LEFT = 499  # the status nginx made known for callers who leave; it is never sent

Handler = Callable[[web.BaseRequest, Exchange], Awaitable[web.StreamResponse]]


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
    ) -> None:
        self._handler = handler
        self._metrics = metrics
        self._requests = requests
        self._origins = origins
        self._public_url = public_url

    async def handle(self, request: web.BaseRequest) -> web.StreamResponse:
        exchange = self._exchange(request)
        self._metrics.in_flight.inc()
        try:
            return await self._answer(request, exchange)
        finally:
            self._metrics.in_flight.dec()
            self._record(exchange)

    async def _answer(self, request: web.BaseRequest, exchange: Exchange) -> web.StreamResponse:
        try:
            return await self._handler(request, exchange)
        except Problem as problem:
            exchange.problem = exchange.problem or problem
            if exchange.answering:
                raise
            return answers.problem(exchange, problem, self._public_url)
        except asyncio.CancelledError:
            exchange.left = True
            raise
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

    def malformed(self, problem: Problem) -> web.Response:
        """The answer to what could not be read as a request at all, counted and written down."""
        exchange = Exchange(
            "", "", perf_counter(), urandom(16).hex(), tracing.new(urandom(16), urandom(8))
        )
        exchange.problem = problem
        answer = answers.problem(exchange, problem, self._public_url)
        self._record(exchange)
        return answer

    def _exchange(self, request: web.BaseRequest) -> Exchange:
        fields = request.headers
        random = urandom(24)
        parent = tracing.parse(fields.get("traceparent", ""))
        traceparent = str(parent) if parent else tracing.new(random[:16], random[16:])
        request_id = headers.request_id(fields.get("X-Request-Id", "")) or traceparent[3:35]
        exchange = Exchange(
            request.method, request.raw_path, perf_counter(), request_id, traceparent
        )
        exchange.origin = fields.get("Origin")
        exchange.headers += [
            ("X-Request-Id", request_id),
            ("traceparent", traceparent),
            *cors.for_answer(exchange.origin, self._origins),
        ]
        return exchange

    def _record(self, exchange: Exchange) -> None:
        seconds = perf_counter() - exchange.started
        if exchange.left:
            exchange.status = _LEFT
        self._metrics.record(exchange, seconds)
        self._requests.write(exchange, seconds)
