"""The operators' listener answers three paths, to whoever can reach it, and no other."""

from collections.abc import Iterable

import aiohttp
import pytest
from hypothesis import given
from hypothesis import strategies as st
from prometheus_client.core import Metric
from prometheus_client.exposition import generate_latest
from prometheus_client.openmetrics import exposition as openmetrics
from prometheus_client.openmetrics.parser import text_string_to_metric_families as parse_open
from prometheus_client.parser import text_string_to_metric_families as parse_text
from prometheus_client.samples import Exemplar

from gateway import admin, exposition, listener
from gateway.admin import Admin, Check
from gateway.exchange import Exchange
from gateway.families import Counter, Histogram, Registry
from gateway.metrics import Metrics
from gateway.problems import NotFound
from gateway.settings import Address
from tests.support.stage import Stage
from tests.support.wire import dial


async def _get(stage: Stage, path: str, **options: object) -> tuple[int, str, str]:
    url = stage.admin_url + path
    async with stage.session.get(url, **options) as response:  # type: ignore[arg-type]
        return response.status, response.headers["Content-Type"], await response.text()


async def test_metrics_come_as_text_or_as_open_metrics(stage: Stage) -> None:
    status, content_type, text = await _get(stage, "/metrics")
    assert (status, content_type.partition(";")[0]) == (200, "text/plain")
    assert "olgw_build_info" in text
    accept = {"Accept": "application/openmetrics-text;version=1.0.0"}
    status, content_type, text = await _get(stage, "/metrics", headers=accept)
    assert content_type.startswith("application/openmetrics-text")
    assert text.endswith("# EOF\n")


async def test_it_lives_and_is_ready_and_says_why(stage: Stage) -> None:
    assert (await _get(stage, "/livez"))[::2] == (200, "ok\n")
    stage.gateway.front.regime.authenticator.refresh_due()
    await stage.caller().get("/entity/version")
    status, _, text = await _get(stage, "/readyz?verbose")
    assert (status, text.splitlines()[-1]) == (200, "ready")
    assert "[+] store answers" in text


@pytest.mark.parametrize("path", ["/", "/rest/serverengine/entity", "/metrics/", "/api/v1/me"])
async def test_everything_else_is_404(stage: Stage, path: str) -> None:
    assert (await _get(stage, path))[0] == 404


@pytest.mark.parametrize("path", ["/metrics", "/livez", "/readyz"])
async def test_none_of_it_is_on_the_public_listener(stage: Stage, path: str) -> None:
    async with stage.session.get(stage.url + path) as response:
        assert response.status == 404


async def test_other_methods_are_refused_and_head_is_answered(stage: Stage) -> None:
    async with stage.session.post(stage.admin_url + "/livez") as response:
        assert (response.status, response.headers["Allow"]) == (405, "GET, HEAD")
    async with stage.session.head(stage.admin_url + "/livez") as response:
        assert response.status == 200
    async with dial(stage.gateway.admin.port) as wire:
        await wire.send(b"nonsense\r\n\r\n")
        assert (await wire.answer()).body == b"bad request\n"


@pytest.mark.parametrize("failure", [OSError("disk"), TimeoutError(), RuntimeError()])
async def test_a_check_that_fails_means_not_ready(stage: Stage, failure: Exception) -> None:
    async def fails() -> bool:
        raise failure

    async def gathered() -> Registry:
        return stage.gateway.metrics.registry

    handler = Admin(gathered, [Check("disk", fails)])
    listening = await listener.listen(
        handler.handle,
        Address("127.0.0.1", 0),
        malformed=admin.refused,
        max_header_bytes=8192,
    )
    try:
        async with aiohttp.ClientSession() as session:
            url = f"http://127.0.0.1:{listening.port}/readyz"
            async with session.get(url) as response:
                assert response.status == 503
                assert "[-] disk" in await response.text()
    finally:
        await listening.stop()


# The exposition formats

TRACE = "0af7651916cd43dd8448eb211c80319c"


@pytest.fixture
def counted() -> Metrics:
    """Something of every kind: buckets with and without an exemplar, values of every size."""
    metrics = Metrics()
    for seconds in (0.0, 0.001, 0.3, 61.0, 1e-7):
        exchange = Exchange("GET", "/", 0.0, "id", f"00-{TRACE}-b7ad6b7169203331-01")
        exchange.endpoint, exchange.team, exchange.status = "entity.list", "billing", 404
        exchange.problem, exchange.upstream_seconds = NotFound(), seconds
        exchange.bytes_in, exchange.bytes_out = 10**18, 1_234_567
        metrics.counts_of(exchange).add(exchange, seconds)
    metrics.operation_seconds.labels("all_in_one", "billing").observe(2_000_000.5)
    metrics.in_flight.inc()
    metrics.cache_bytes.set(float("inf"))
    metrics.breaker_state.set(float("nan"))
    metrics.cache_entries.set(float("-inf"))
    return metrics


def _seen(exemplar: Exemplar) -> str:
    # The parser keeps seconds and nanoseconds apart.
    return f"{exemplar.labels} {exemplar.value} {float(exemplar.timestamp or 0):.6f}"


def _samples(families: Iterable[Metric], *, exemplars: bool) -> set[str]:
    return {
        repr((sample.name, sorted(sample.labels.items()), sample.value))
        + (_seen(sample.exemplar) if exemplars and sample.exemplar else "")
        for family in families
        for sample in family.samples
    }


def test_both_formats_say_what_the_registry_holds(counted: Metrics) -> None:
    families = counted.registry.families
    text = exposition.text(families).decode()
    held = _samples(counted.registry.collect(), exemplars=False)
    assert _samples(parse_text(text), exemplars=False) == held
    counted.cache_bytes.set(7)
    text = exposition.open_metrics(families).decode()
    held = _samples(counted.registry.collect(), exemplars=True)
    assert TRACE in "".join(held)
    assert _samples(parse_open(text), exemplars=True) == held  # type: ignore[no-untyped-call]


def _assert_as_the_library(registry: Registry) -> None:
    assert exposition.text(registry.families) == generate_latest(registry)
    library = openmetrics.generate_latest(registry)  # type: ignore[no-untyped-call]
    assert exposition.open_metrics(registry.families) == library


def test_both_formats_are_the_librarys_to_the_byte(counted: Metrics) -> None:
    _assert_as_the_library(counted.registry)
    counted.requests.labels("entity.list", "GET", "200", "upstream").inc()
    counted.request_seconds.labels("entity.list", "GET").observe(0.2, "a9ain")
    _assert_as_the_library(counted.registry)


@given(st.text(st.characters(exclude_categories=["Cs"])))
def test_whatever_a_label_holds_is_escaped(label: str) -> None:
    registry = Registry()
    Counter("a_total", "A counter.", ("z", "b"), registry).labels(label, "1").inc(0.5)
    Histogram("h", "A histogram.", ("z", "b"), registry, (1,)).labels(label, "%").observe(1)
    _assert_as_the_library(registry)


def test_a_child_has_all_of_its_labels() -> None:
    with pytest.raises(ValueError, match="has the labels"):
        Metrics().requests.labels("entity.list")


ACCEPTED = [
    ("", "text/plain; version=0.0.4; charset=utf-8"),
    ("text/plain;version=1.0.0;escaping=dots", "text/plain; version=1.0.0; charset=utf-8"),
    ("application/openmetrics-text;version=1.0.0;escaping=allow-utf-8", "application/openm"),
    ("application/openmetrics-text;q=0.5, text/plain", "text/plain; version=0.0.4"),
    ("text/plain;q=0.5, application/openmetrics-text", "application/openm"),
    ("text/plain; q=0.2 ,application/openmetrics-text;Q=0.19", "text/plain; version=0.0.4"),
    ("application/openmetrics-text;q=0", "text/plain; version=0.0.4"),
    ("application/openmetrics-text;version=0.0.1;q=0.9,application/openmetrics-text;q=0.8", "ap"),
    ("text/html, application/openmetrics-text;q=0.1, */*;q=0.1", "application/openm"),
    ("application/openmetrics-text;q=many", "application/openm"),
]


@pytest.mark.parametrize(("accept", "content_type"), ACCEPTED)
async def test_the_form_asked_for_is_given(stage: Stage, accept: str, content_type: str) -> None:
    headers = {"Accept": accept}
    status, given_type, text = await _get(stage, "/metrics", headers=headers)
    assert (status, given_type.startswith(content_type)) == (200, True)
    name = "olgw__build__info" if "dots" in accept else "olgw_build_info"
    assert f"# TYPE {name} gauge" in text
