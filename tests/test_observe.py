"""One log line and bounded series per request, whatever a caller sends; no secret in either."""

import logging
import random
import string
from typing import Any

import pytest
from prometheus_client import CollectorRegistry

from gateway.exchange import Exchange
from gateway.problems import NotFound
from gateway.requestlog import RequestLog
from gateway.settings import Log
from tests.support.stage import REST, Stage
from tests.support.wire import dial, head

P = "/rest/serverengine"
FIELDS = {
    "request_id",
    "traceparent",
    "endpoint",
    "method",
    "status",
    "source",
    "problem",
    "team",
    "subject",
    "issuer",
    "client",
    "credential",
    "operation_id",
    "duration_seconds",
    "upstream_seconds",
    "bytes_in",
    "bytes_out",
}
PARENT = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"


@pytest.fixture
def lines(monkeypatch: pytest.MonkeyPatch) -> list[dict[str, Any]]:
    """The request log's lines, as they would be written."""
    written: list[dict[str, Any]] = []
    log = RequestLog(Log.model_validate({"requests": "all"}), lambda _, **f: written.append(f))
    monkeypatch.setattr("gateway.app.RequestLog", lambda *_: log)
    return written


def _series(registry: CollectorRegistry) -> set[tuple[str, ...]]:
    return {
        (sample.name, *sorted(sample.labels.items()))  # type: ignore[arg-type]
        for metric in registry.collect()
        for sample in metric.samples
    }


def _sample(stage: Stage, name: str, **labels: str) -> float | None:
    return stage.gateway.metrics.registry.get_sample_value(name, labels)


async def test_a_request_has_one_line_with_everything_in_it(
    lines: list[dict[str, Any]],
) -> None:
    async with Stage() as stage:
        caller = stage.caller(sub="jane")
        headers = {"X-Request-Id": "order-7", "traceparent": PARENT}
        reply = await caller.post("/filestore/DataFile", data=b"[]", headers=headers)
        assert reply.headers["X-Request-Id"] == "order-7"
        assert reply.headers["traceparent"] == PARENT
    [line] = lines
    assert set(line) >= FIELDS
    assert line["request_id"] == "order-7"
    assert line["traceparent"] == PARENT
    assert line["endpoint"] == "file_store.upload_data_file"
    assert (line["method"], line["status"], line["source"]) == ("POST", 200, "upstream")
    assert (line["team"], line["subject"], line["issuer"]) == ("billing", "jane", "corporate")
    assert (line["credential"], line["problem"]) == ("printing", None)
    assert (line["bytes_in"], line["bytes_out"]) == (2, len(reply.body))
    assert 0 < line["upstream_seconds"] < line["duration_seconds"]


async def test_refusals_and_operations_are_in_the_log(lines: list[dict[str, Any]]) -> None:
    async with Stage() as stage:
        caller = stage.caller()
        await caller.get("/workflow/print/getProgress/4711")
        operation = await caller.start(
            f"/workflow/datamining/Promo-EN.OL-datamapper/{await caller.upload()}"
        )
        async with dial(stage.gateway.public.port) as wire:
            await wire.send(b"nonsense\r\n\r\n")
            answer = await wire.answer()
    refused, _, started, malformed = lines
    assert (refused["operation_id"], refused["problem"]) == ("4711", "not_found")
    assert refused["endpoint"] == "all_in_one.get_progress"
    assert started["operation_id"] == operation
    assert (malformed["endpoint"], malformed["problem"]) == ("unmatched", "malformed_request")
    assert answer.one("X-Request-Id") == malformed["request_id"]
    assert answer.one("traceparent") == malformed["traceparent"]


async def test_nothing_secret_is_logged(
    lines: list[dict[str, Any]], caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    async with Stage() as stage:
        caller = stage.caller()
        await caller.upload(b"s3cret body")
        await caller.get("/entity/version", headers={"auth_token": "other"})
        stage.simulator.faults.add("garbage_head", path="/entity/version")
        await caller.get("/entity/version")
        stage.simulator.faults.add("error", path="/entity/version", status=401, times=2)
        await caller.get("/entity/version")
        robot = {"Authorization": "Basic cm9ib3Q6cm9ib3Qtc2VjcmV0"}
        await type(caller)(stage, None).post("/authentication/login", headers=robot)
        logged = caplog.text + str(lines)
        sent = {dict(entry.headers).get("auth_token", "?") for entry in stage.requests()}
    assert caller.token is not None
    for secret in (caller.token[-40:], "s3cret", "print-pw", "robot-secret", "cm9ib3Q6", *sent):
        assert secret not in logged
    assert len(lines) == 5


@pytest.mark.parametrize(
    "value", ["a b", "a" * 129, "a\tb", "ä", "<script>", "", "a;b", "${jndi:x}"]
)
async def test_a_request_id_that_is_none_is_replaced(stage: Stage, value: str) -> None:
    async with dial(stage.gateway.public.port) as wire:
        lines = (f"X-Request-Id: {value}", "traceparent: 00-0-0-01")
        await wire.send(head("GET", f"{P}/entity/version", *lines, token=stage.token()))
        answer = await wire.answer()
    own = answer.one("X-Request-Id")
    assert own is not None
    assert len(own) == 32
    [entry] = stage.requests()
    sent = {name.lower(): value for name, value in entry.headers}
    assert sent["x-request-id"] == own
    assert sent["traceparent"][3:35] == (answer.one("traceparent") or "")[3:35] == own


async def test_the_trace_goes_on_with_a_span_of_its_own(stage: Stage) -> None:
    await stage.caller().get("/entity/version", headers={"traceparent": PARENT})
    [entry] = stage.requests()
    sent = dict(entry.headers)["traceparent"]
    assert sent[:36] == PARENT[:36]
    assert sent[36:52] != PARENT[36:52]


@pytest.mark.parametrize("inventions", [2000, pytest.param(10_000, marks=pytest.mark.slow)])
async def test_inventions_make_no_series(stage: Stage, inventions: int) -> None:
    """Attacks 26: labels come from the catalogue and the configuration only."""
    chance = random.Random(7)
    token = stage.token()
    methods = ("GET", "POST", "PUT", "DELETE", "PATCH", "HEAD", "OPTIONS", "PROPFIND", "TRACE")

    def invented() -> str:
        return "".join(chance.choices(string.ascii_letters, k=8))

    async def ask(method: str, target: str, *lines: str) -> None:
        await wire.send(head(method, target, *lines, token=token))
        await wire.answer(bodiless=method == "HEAD")

    async with dial(stage.gateway.public.port) as wire:
        for method in methods:
            await ask(method, f"{P}/{invented()}")
            await ask(method, f"/{invented()}")
            await ask(method, f"{P}/entity/jobs/7/properties")
        known = _series(stage.gateway.metrics.registry)
        for _ in range(inventions // 4):
            lines = (f"X-{invented()}: {invented()}", f"OL-Team: {invented()}")
            method = chance.choice(methods)
            await ask(method, f"{P}/{invented()}/{invented()}?{invented()}={invented()}")
            await ask(method, f"/{invented()}", *lines)
            await ask(method, f"/{invented()}/{chance.randrange(10**9)}")
            await ask(method, f"{P}/entity/jobs/{chance.randrange(10**9)}/properties")
    assert _series(stage.gateway.metrics.registry) == known


async def test_a_refused_request_bears_its_endpoints_name(stage: Stage) -> None:
    nobody = type(stage.caller())(stage, None)
    await nobody.get("/entity/jobs/1/properties")
    await nobody.get("/entity/jobs/1/%70roperties")
    problems = "olgw_problems_total"
    named = {"endpoint": "job_entity.get_properties", "problem": "token_missing"}
    assert _sample(stage, problems, **named) == 1
    assert _sample(stage, problems, endpoint="unmatched", problem="ambiguous_path") == 1


class _Failing(Exception):
    """What no stage expects."""


@pytest.mark.parametrize(
    "expected",
    [(NotFound(), 404, "not_found"), (_Failing("s3cret"), 500, "internal_error")],
)
async def test_every_failure_becomes_a_problem_and_is_counted(
    stage: Stage,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    expected: tuple[Exception, int, str],
) -> None:
    failure, status, code = expected

    async def handle(_request: object, _exchange: Exchange) -> Any:
        raise failure

    monkeypatch.setattr(stage.gateway._observer, "_handler", handle)
    reply = await stage.caller().get("/entity/version")
    assert (reply.status, reply.code) == (status, code)
    assert "s3cret" not in reply.text
    assert _sample(stage, "olgw_problems_total", endpoint="unmatched", problem=code) == 1
    # An unexpected failure is for the operator, with its trace; a refusal is not.
    assert ("unexpected_error" in capsys.readouterr().out) == (status == 500)


async def test_the_caller_is_seen_through_a_trusted_proxy_only(
    lines: list[dict[str, Any]],
) -> None:
    one_line = ("X-Forwarded-For: 203.0.113.9, 198.51.100.7",)
    two_lines = ("X-Forwarded-For: 203.0.113.9", "X-Forwarded-For: 198.51.100.7")
    for trusted, seen in (("127.0.0.1/32", "198.51.100.7"), ("10.0.0.0/8", "127.0.0.1")):
        replace = {'"127.0.0.1:0", cors': f'"127.0.0.1:0", trusted_proxies: [{trusted}], cors'}
        async with Stage(replace=replace) as stage, dial(stage.gateway.public.port) as wire:
            for forwarded in (one_line, two_lines, two_lines):
                await wire.send(head("GET", f"{REST}/entity/jobsets", *forwarded))
                await wire.answer()
        assert [line["client"] for line in lines[-3:]] == [seen] * 3
