"""Traces: a span per request and per call, one trace from the caller through to OL Connect."""

import subprocess
import sys
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any

import pytest

from gateway.app import Gateway
from gateway.run import tracing_of
from tests.support.stage import REST, Stage

pytest.importorskip("opentelemetry.sdk")
pytest.importorskip("opentelemetry.exporter.otlp.proto.http")

from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import (
    InMemorySpanExporter,
)
from opentelemetry.trace import SpanKind, StatusCode

from gateway.telemetry import Tracing

PARENT = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
VERSION = "/authentication/version"


@dataclass
class Traced:
    stage: Stage
    gateway: Gateway
    exporter: InMemorySpanExporter

    async def get(self, path: str, **headers: str) -> Any:
        url = f"http://127.0.0.1:{self.gateway.public.port}{REST}{path}"
        headers["Authorization"] = f"Bearer {self.stage.token()}"
        async with self.stage.session.get(url, headers=headers) as response:
            await response.read()
            return response

    def spans(self, kind: SpanKind) -> list[Any]:
        return [span for span in self.exporter.get_finished_spans() if span.kind is kind]


@pytest.fixture
async def traced(stage: Stage) -> AsyncIterator[Traced]:
    exporter = InMemorySpanExporter()
    tracing = Tracing(SimpleSpanProcessor(exporter))
    trusting = "drain_timeout: 1s, trusted_proxies: [127.0.0.1/32]"
    settings = stage.settings(**{"drain_timeout: 1s": trusting})
    gateway = await Gateway.open(settings, stage.clock, tracing=tracing)
    yield Traced(stage, gateway, exporter)
    await gateway.close()


async def test_the_trace_goes_on_through_the_gateway_to_ol_connect(traced: Traced) -> None:
    response = await traced.get(f"{VERSION}?secret=1", traceparent=PARENT)
    (server,) = traced.spans(SpanKind.SERVER)
    call = traced.spans(SpanKind.CLIENT)[-1]
    assert f"{server.context.trace_id:032x}" == PARENT[3:35]
    assert f"{server.parent.span_id:016x}" == PARENT[36:52]
    assert call.parent.span_id == server.context.span_id
    (asked,) = traced.stage.requests(VERSION)
    sent = dict(asked.headers)["traceparent"]
    assert sent == f"{PARENT[:36]}{call.context.span_id:016x}-01"
    assert response.headers["traceparent"] == f"{PARENT[:36]}{server.context.span_id:016x}-01"


async def test_spans_bear_names_of_the_catalogue_and_no_secrets(traced: Traced) -> None:
    await traced.get("/entity/jobs/4711/properties?secret=1")
    (server,) = traced.spans(SpanKind.SERVER)
    assert server.name == f"GET {REST}/entity/jobs/{{jobId}}/properties"
    known = dict(server.attributes)
    assert known["olgw.endpoint"] == "job_entity.get_properties"
    assert (known["olgw.team"], known["http.response.status_code"]) == ("billing", 404)
    assert known["error.type"] == "not_found"
    assert server.parent is None
    everything = "".join(span.to_json() for span in traced.exporter.get_finished_spans())
    for secret in ("4711", "secret", traced.stage.token()[:20], "print-pw", "someone"):
        assert secret not in everything


async def test_the_scheme_is_what_a_trusted_proxy_says(traced: Traced) -> None:
    await traced.get(VERSION)
    await traced.get(VERSION, **{"X-Forwarded-Proto": "https"})
    schemes = [span.attributes["url.scheme"] for span in traced.spans(SpanKind.SERVER)]
    assert schemes == ["http", "https"]


async def test_a_failing_ol_connect_shows_in_both_spans(traced: Traced) -> None:
    traced.stage.simulator.faults.add("drop_before", path=VERSION, times=None)
    await traced.get(VERSION)
    (server,) = traced.spans(SpanKind.SERVER)
    call = traced.spans(SpanKind.CLIENT)[-1]
    assert server.status.status_code is StatusCode.ERROR
    assert call.status.status_code is StatusCode.ERROR
    assert call.attributes["error.type"] == "upstream_unreachable"


async def test_whoever_is_no_catalogue_row_has_no_route(traced: Traced) -> None:
    await traced.get("/no/such/thing")
    (server,) = traced.spans(SpanKind.SERVER)
    assert (server.name, "http.route" in server.attributes) == ("GET", False)


def test_it_is_on_only_where_a_collector_is_named() -> None:
    endpoint = {"OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:4318"}
    assert tracing_of({}) is None
    assert tracing_of(endpoint | {"OTEL_SDK_DISABLED": "TRUE"}) is None
    assert tracing_of(endpoint) is not None


def test_off_means_that_nothing_of_it_is_imported() -> None:
    script = "import sys, gateway.run; sys.exit('opentelemetry' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", script], check=False).returncode == 0
