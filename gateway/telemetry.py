"""Traces for OpenTelemetry: a span for each request and for each call to OL Connect.

Imported only where tracing is on, since it needs the otel extra. Spans bear names of the catalogue
and of the configuration: no path, no query, no header, nobody's name.
"""

import asyncio
from typing import Any
from urllib.parse import urlsplit

from opentelemetry import context, trace
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import SERVICE_NAME, SERVICE_VERSION, Resource
from opentelemetry.sdk.trace import SpanProcessor, TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from opentelemetry.trace import Span, SpanContext, SpanKind, Status, StatusCode, TraceFlags

from gateway import __version__
from gateway.catalogue import CATALOGUE, SIMPLIFIED
from gateway.exchange import Exchange
from gateway.problems import Problem
from gateway.rules.tracing import TraceParent
from gateway.upstream.call import Call

_TRACEPARENT = "traceparent"
_ROUTES = {endpoint.name: endpoint.template for endpoint in (*CATALOGUE, *SIMPLIFIED)}


def to_collector() -> "Tracing":
    """Sends to where the ``OTEL_*`` environment variables say (OTLP over HTTP)."""
    return Tracing(BatchSpanProcessor(OTLPSpanExporter()))


class Tracing:
    """Makes spans of exchanges and calls. ``close`` sends what has not been sent yet."""

    def __init__(self, processor: SpanProcessor) -> None:
        # What OTEL_SERVICE_NAME and OTEL_RESOURCE_ATTRIBUTES say comes before this.
        defaults = {SERVICE_NAME: "olconnect-gateway", SERVICE_VERSION: __version__}
        resource = Resource(defaults).merge(Resource.create())
        self._provider = TracerProvider(resource=resource, shutdown_on_exit=False)
        self._provider.add_span_processor(processor)
        self._tracer = self._provider.get_tracer("gateway", __version__)

    async def close(self) -> None:
        await asyncio.to_thread(self._provider.shutdown)

    def begin(self, parent: TraceParent | None) -> tuple[Span, str]:
        """The span of a request, and the ``traceparent`` that continues it.

        All that is done in the current task from now on is below this span.
        """
        around = context.get_current() if parent is None else _remote(parent)
        span = self._tracer.start_span("request", around, SpanKind.SERVER)
        context.attach(trace.set_span_in_context(span))
        return span, _traceparent(span)

    def end(self, exchange: Exchange) -> None:
        span: Span = exchange.span
        route = _ROUTES.get(exchange.endpoint)
        span.update_name(f"{exchange.method} {route}" if route else exchange.method)
        known = {
            "http.request.method": exchange.method,
            "http.route": route,
            "url.scheme": exchange.scheme,
            "http.response.status_code": exchange.status,
            "olgw.endpoint": exchange.endpoint,
            "olgw.team": exchange.team,
            "olgw.source": exchange.source,
            "olgw.credential": exchange.credential,
            "error.type": exchange.problem.code if exchange.problem else None,
        }
        span.set_attributes({name: value for name, value in known.items() if value is not None})
        if exchange.status >= 500:
            span.set_status(Status(StatusCode.ERROR))
        span.end()

    def begin_call(self, call: Call, origin: str) -> Span:
        """The span of a call to OL Connect, which gets it as its ``traceparent``."""
        address = urlsplit(origin)
        attributes: dict[str, Any] = {
            "http.request.method": call.method,
            "server.address": address.hostname or "",
            "server.port": address.port or (443 if address.scheme == "https" else 80),
        }
        span = self._tracer.start_span(call.method, None, SpanKind.CLIENT, attributes)
        lines = [line for line in call.headers if line[0].lower() != _TRACEPARENT]
        call.headers = [*lines, (_TRACEPARENT, _traceparent(span))]
        return span

    def end_call(self, span: Span, outcome: int | BaseException) -> None:
        """``outcome`` is the answer's status, or what came instead of one."""
        if isinstance(outcome, int):
            span.set_attribute("http.response.status_code", outcome)
        else:
            kind = outcome.code if isinstance(outcome, Problem) else type(outcome).__name__
            span.set_attribute("error.type", kind)
        if not isinstance(outcome, int) or outcome >= 400:
            span.set_status(Status(StatusCode.ERROR))
        span.end()


def _remote(parent: TraceParent) -> context.Context:
    remote = SpanContext(
        int(parent.trace_id, 16), int(parent.span_id, 16), True, TraceFlags(parent.flags)
    )
    return trace.set_span_in_context(trace.NonRecordingSpan(remote))


def _traceparent(span: Span) -> str:
    own = span.get_span_context()
    return str(TraceParent(f"{own.trace_id:032x}", f"{own.span_id:016x}", int(own.trace_flags)))
