"""From a data file to a document, in one call or in several."""

import asyncio
import io
from collections.abc import AsyncIterator
from typing import Any

import pytest

from gateway.api.pipelines import configuration
from gateway.settings import Pipeline
from gateway.tasks import TaskSet
from tests.support.stage import CONFIG, REST, Stage, TestCaller

RUN = "/api/v1/pipelines/invoice"
DATA = b'[{"Name":"Jane"}]'
WAIT = {"Prefer": "wait=20"}
BASE = "http://gateway.test/api/v1/operations"


def _steps(stage: Stage) -> list[str]:
    """What the simulator was asked, polls left out, ids cut off."""
    paths = [entry.raw_path.removeprefix(REST).partition("?")[0] for entry in stage.requests()]
    return ["/".join(path.split("/")[:4]) for path in paths if "getProgress" not in path]


async def test_a_data_file_becomes_a_document_in_one_call(
    impatient: Stage, caller: TestCaller
) -> None:
    reply = await caller.post(f"{RUN}?filename=J%C3%BCrgen%202.json", data=DATA, headers=WAIT)
    assert (reply.status, reply.body[:5]) == (200, b"%PDF-")
    assert reply.headers["Content-Type"] == "application/pdf"
    assert reply.headers["Content-Disposition"] == (
        "attachment; filename=\"Jurgen 2.pdf\"; filename*=UTF-8''J%C3%BCrgen%202.pdf"
    )
    assert reply.headers["Preference-Applied"] == "wait=20"
    operation = reply.headers["operationId"]
    assert reply.headers["Content-Location"] == f"{BASE}/{operation}/result"
    assert _steps(impatient) == [
        "/filestore/DataFile",
        "/workflow/print/submit",
        "/workflow/print/getManagedResult",
        "/filestore/file/" + impatient.requests("/filestore/file/")[0].raw_path.split("/")[-1],
    ]
    again = await caller.get(f"/api/v1/operations/{operation}/result")
    assert again.body == reply.body


async def test_a_start_is_answered_with_the_operation(stage: Stage, caller: TestCaller) -> None:
    reply = await caller.post(RUN, data=DATA)
    operation = reply.json()
    own = f"{BASE}/{operation['id']}"
    assert reply.status == 202
    assert reply.headers["Location"] == own
    assert reply.headers["Retry-After"] == "1"
    assert reply.headers["operationId"] == operation["id"]
    assert reply.headers.getall("Link") == [
        f'<{own}>; rel="self"',
        f'<{own}/events>; rel="progress"',
        f'<{own}/result>; rel="result"',
        f'<{own}>; rel="cancel"',
    ]
    assert operation.pop("created").endswith("Z")
    assert operation.pop("id") == stage.simulator.record.operations[0].id
    assert operation == {
        "service": "all_in_one",
        "status": "running",
        "progress": 0,
        "finished": None,
        "team": "billing",
        "subject": "someone",
        "result": None,
        "problem": None,
        "links": {
            "self": own,
            "events": f"{own}/events",
            "result": f"{own}/result",
            "cancel": own,
        },
    }


async def test_a_large_file_passes_through(impatient: Stage, caller: TestCaller) -> None:
    rows = b'{"Name":"' + b"x" * 1_000_000 + b'"}'
    data = b"[" + b",".join([rows] * 8) + b"]"
    reply = await caller.post(RUN, data=io.BytesIO(data), headers=WAIT)
    assert reply.status == 200
    assert impatient.requests("DataFile")[0].body_size == len(data)


async def _nothing() -> AsyncIterator[bytes]:
    yield b""


@pytest.mark.parametrize("key", [{}, {"Idempotency-Key": "k"}], ids=["streamed", "spooled"])
@pytest.mark.parametrize("chunked", [False, True])
async def test_an_empty_body_is_refused(
    stage: Stage, caller: TestCaller, key: dict[str, str], chunked: bool
) -> None:
    reply = await caller.post(RUN, data=_nothing() if chunked else b"", headers=key)
    assert (reply.status, reply.code) == (422, "invalid_parameters")
    assert reply.json()["parameter"] == "body"
    assert stage.requests() == []


@pytest.mark.parametrize(
    ("path", "headers", "expected"),
    [
        ("/api/v1/pipelines/none", {}, (404, "not_found", "name")),
        (f"{RUN}?filename=", {}, (422, "invalid_parameters", "filename")),
        (f"{RUN}?filename=a&filename=b", {}, (422, "invalid_parameters", "filename")),
        (f"{RUN}?filename={'a' * 256}", {}, (422, "invalid_parameters", "filename")),
        (f"{RUN}?filename=%0A", {}, (400, "malformed_request", "filename")),
        (RUN, {"Idempotency-Key": "\xe9"}, (400, "malformed_request", "Idempotency-Key")),
        (RUN, {"Content-Encoding": "br"}, (415, "unsupported_media_type", "Content-Encoding")),
    ],
)
async def test_what_is_wrong_is_named(
    stage: Stage,
    caller: TestCaller,
    path: str,
    headers: dict[str, str],
    expected: tuple[int, str, str],
) -> None:
    reply = await caller.post(path, data=DATA, headers=headers)
    assert (reply.status, reply.code, reply.json()["parameter"]) == expected
    assert stage.requests() == []


async def test_only_the_teams_own_pipelines_run(stage: Stage) -> None:
    reply = await stage.caller("ol-marketing").post(RUN, data=DATA)
    assert (reply.status, reply.code) == (403, "not_allowed")


async def test_a_body_over_the_limit_is_not_taken_in() -> None:
    async with Stage(replace={"drain_timeout: 1s": "drain_timeout: 1s, max_body: 1MiB"}) as stage:
        caller = stage.caller()
        reply = await caller.post(RUN, data=io.BytesIO(bytes(100 * 2**20)), expect100=True)
        assert (reply.status, reply.code) == (413, "body_too_large")
        assert stage.requests() == []


async def test_a_key_starts_once(impatient: Stage, caller: TestCaller) -> None:
    headers = {"Idempotency-Key": "order-1"}
    first = await caller.post(RUN, data=DATA, headers=headers)
    second = await caller.post(RUN, data=DATA, headers={**headers, **WAIT})
    third = await caller.post(RUN, data=DATA, headers=headers)
    assert (first.status, second.status, third.status) == (202, 200, 202)
    assert second.body.startswith(b"%PDF")
    assert third.json()["status"] == "succeeded"
    assert first.json()["id"] == second.headers["operationId"] == third.json()["id"]
    assert len(impatient.requests("DataFile")) == len(impatient.requests("submit")) == 1
    other = await caller.post(RUN, data=b"[]", headers=headers)
    assert (other.status, other.code) == (422, "idempotency_mismatch")


async def test_two_at_the_same_time_upload_once(
    stage: Stage, caller: TestCaller, until: Any
) -> None:
    release = stage.hold("DataFile")
    headers = {"Idempotency-Key": "order-2"}
    first = TaskSet().start(caller.post(RUN, data=DATA, headers=headers))
    await until(lambda: stage.requests("DataFile"))
    second = await caller.post(RUN, data=DATA, headers=headers)
    assert (second.status, second.code) == (409, "idempotency_in_progress")
    release.set()
    assert (await first).status == 202
    assert len(stage.requests("DataFile")) == len(stage.requests("submit")) == 1


async def test_a_failed_upload_leaves_the_key_free(stage: Stage, caller: TestCaller) -> None:
    stage.simulator.faults.add("error", path="DataFile", status=400)
    headers = {"Idempotency-Key": "order-3"}
    refused = await caller.post(RUN, data=DATA, headers=headers)
    assert (refused.status, refused.code) == (422, "invalid_parameters")
    assert refused.json()["detail"] == "Fault on request"
    assert stage.requests("submit") == []
    assert (await caller.post(RUN, data=DATA, headers=headers)).status == 202


@pytest.mark.parametrize("key", [{}, {"Idempotency-Key": "k"}], ids=["streamed", "spooled"])
async def test_a_lost_upload_has_started_nothing(
    stage: Stage, caller: TestCaller, key: dict[str, str]
) -> None:
    stage.simulator.faults.add("drop_before", path="DataFile")
    lost = await caller.post(RUN, data=DATA, headers=key)
    assert (lost.status, lost.json()["started"]) == (502, "no")
    assert stage.requests("submit") == []


async def test_a_pipeline_that_ol_connect_refuses_is_not_the_callers_fault() -> None:
    preset = "Print-PDF.OL-outputpreset\n  flyer"
    wrong = {preset: preset.replace("Print-PDF", "Gone")}
    async with Stage(replace=wrong) as stage:
        reply = await stage.caller().post(RUN, data=DATA)
        assert (reply.status, reply.code) == (502, "upstream_invalid_response")
        assert "Required Input resource/file not found" in reply.json()["detail"]


async def test_data_that_cannot_be_mapped_is_reported(impatient: Stage, caller: TestCaller) -> None:
    reply = await caller.post(RUN, data=b"\xff\xfe no data", headers=WAIT)
    assert (reply.status, reply.code) == (422, "invalid_parameters")
    problem = reply.json()
    assert problem["detail"].startswith("Error executing DM configuration")
    operation = problem["operation"]
    assert operation["status"] == "failed"
    assert operation["result"] is None
    assert operation["problem"]["code"] == "invalid_parameters"
    assert operation["problem"]["detail"] == problem["detail"]
    result = await caller.get(f"/api/v1/operations/{operation['id']}/result")
    assert (result.status, result.code) == (404, "not_found")
    assert result.json()["operation"]["problem"]["detail"] == problem["detail"]


async def test_a_result_that_cannot_be_had_still_names_the_operation(
    impatient: Stage, caller: TestCaller
) -> None:
    impatient.simulator.faults.add("error", path="/filestore/file/", status=500)
    reply = await caller.post(RUN, data=DATA, headers=WAIT)
    assert (reply.status, reply.code) == (502, "upstream_invalid_response")
    operation = reply.headers["operationId"]
    assert reply.json()["operation"]["id"] == operation
    again = await caller.get(f"/api/v1/operations/{operation}/result")
    assert (again.status, again.body[:4]) == (200, b"%PDF")


async def test_running_operations_are_limited() -> None:
    before = 'credential: printing\n    allow: [{{endpoints: ["*.*"]}}]\n    pipelines: ["*"]'
    after = before + "\n    limits: {{running_operations: 1}}"
    async with Stage(CONFIG.replace(before, after)) as stage:
        stage.simulator.change(operation_seconds=60)  # or it may have ended before the second
        caller = stage.caller()
        assert (await caller.post(RUN, data=DATA)).status == 202
        reply = await caller.post(RUN, data=DATA)
        assert (reply.status, reply.code) == (429, "too_many_operations")


async def test_a_caller_who_leaves_loses_nothing(
    impatient: Stage, caller: TestCaller, until: Any
) -> None:
    waiting = TaskSet().start(
        caller.post(RUN, data=DATA, headers={**WAIT, "Idempotency-Key": "left"})
    )
    await until(lambda: impatient.requests("submit"))
    waiting.cancel()
    await asyncio.gather(waiting, return_exceptions=True)
    reply = await caller.post(RUN, data=DATA, headers={**WAIT, "Idempotency-Key": "left"})
    while reply.status == 409:
        reply = await caller.post(RUN, data=DATA, headers={**WAIT, "Idempotency-Key": "left"})
    assert (reply.status, reply.body[:4]) == (200, b"%PDF")
    assert len(impatient.requests("submit")) == 1


def _pipeline(**values: Any) -> Pipeline:
    return Pipeline.model_validate(
        {"data_mapping": "map", "template": "letter", "output_preset": "pdf"} | values
    )


def test_the_configuration_has_no_empty_members() -> None:
    assert configuration(_pipeline(), 7) == {
        "datamining": {"identifier": 7, "config": "map"},
        "contentcreation": {"config": "letter"},
        "jobcreation": {},
        "outputcreation": {"config": "pdf", "createOnly": True},
    }


def test_the_configuration_has_numbers_and_parameters() -> None:
    parameters = {"data_mapping": {"a": 1}, "template": {"b": True}, "job": {"c": "x"}}
    document = configuration(
        _pipeline(data_mapping="12", job_preset="jobs", parameters=parameters), 7
    )
    assert document["datamining"] == {"identifier": 7, "config": 12, "parameters": {"a": 1}}
    assert document["contentcreation"] == {"config": "letter", "parameters": {"b": True}}
    assert document["jobcreation"] == {"config": "jobs", "parameters": {"c": "x"}}
    without = configuration(_pipeline(parameters=parameters), 7)
    assert without["jobcreation"] == {"parameters": {"c": "x"}}
