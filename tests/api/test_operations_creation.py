"""Job creation and output creation in JSON, and what is refused of it."""

import io
from typing import Any

import pytest

from tests.support.stage import CONFIG, Stage, TestCaller

WAIT = {"Prefer": "wait=20"}
JOBS, OUTPUTS = "/api/v1/jobs", "/api/v1/outputs"
JOB_PRESET, OUTPUT_PRESET = "Invoices.OL-jobpreset", "Print-PDF.OL-outputpreset"


async def test_jobs_are_created(impatient: Stage, caller: TestCaller) -> None:
    content_set = int(await caller.content_set())
    body = {"preset": JOB_PRESET, "contentSets": [content_set], "parameters": {"n": "007"}}
    reply = await caller.post(JOBS, json=body, headers=WAIT)
    assert reply.status == 200
    job_set = reply.json()["jobSet"]
    assert (await caller.get(f"/entity/jobsets/{job_set}")).status == 200
    again = await caller.get(f"/api/v1/operations/{reply.headers['operationId']}/result")
    assert again.json() == {"jobSet": job_set}
    operation = await caller.get(f"/api/v1/operations/{reply.headers['operationId']}")
    assert operation.json()["result"] == {"jobSet": job_set}


async def test_output_of_a_job_set_and_of_jobs(impatient: Stage, caller: TestCaller) -> None:
    job_set = int(await caller.job_set())
    jobs = (await caller.get(f"/entity/jobsets/{job_set}")).json()["identifiers"]
    for named in ({"jobSet": job_set}, {"jobs": jobs}):
        body = {"preset": OUTPUT_PRESET, "createOnly": True, **named}
        reply = await caller.post(OUTPUTS, json=body, headers=WAIT)
        assert (reply.status, reply.body[:4]) == (200, b"%PDF")
        assert reply.headers["Content-Disposition"].startswith('attachment; filename="output.')


async def test_output_that_goes_elsewhere(impatient: Stage, caller: TestCaller) -> None:
    body = {"preset": OUTPUT_PRESET, "jobSet": int(await caller.job_set())}
    id_ = (await caller.post(OUTPUTS, json=body)).json()["id"]
    operation = (await caller.get(f"/api/v1/operations/{id_}", headers=WAIT)).json()
    assert (operation["status"], operation["result"]) == ("succeeded", None)
    # No managed file is made of what OL Connect has sent to its destination.
    assert impatient.requests("getManagedResult") == []


async def test_a_key_counts_for_json_too(impatient: Stage, caller: TestCaller) -> None:
    content_set = int(await caller.content_set())
    headers = {"Idempotency-Key": "jobs-1", **WAIT}
    body = {"preset": JOB_PRESET, "contentSets": [content_set]}
    first = await caller.post(JOBS, json=body, headers=headers)
    second = await caller.post(JOBS, json=dict(reversed(body.items())), headers=headers)
    assert first.json() == second.json()
    other = await caller.post(JOBS, json=body | {"parameters": {"a": 1}}, headers=headers)
    assert (other.status, other.code) == (422, "idempotency_mismatch")


GOOD_JOBS = {"preset": JOB_PRESET, "contentSets": [1]}
GOOD_OUTPUT = {"preset": OUTPUT_PRESET, "jobSet": 1}
NO_PRESETS: list[Any] = [
    None,
    True,
    1.5,
    -1,
    [],
    {},
    "",
    " x",
    "..",
    ".",
    "a/b",
    "a\\b",
    "default",
    "\n",
]


@pytest.mark.parametrize(
    ("path", "body", "parameter"),
    [
        (JOBS, [], "body"),
        (JOBS, "text", "body"),
        (JOBS, {"contentSets": [1]}, "preset"),
        *((JOBS, GOOD_JOBS | {"preset": preset}, "preset") for preset in NO_PRESETS),
        (JOBS, {"preset": JOB_PRESET}, "contentSets"),
        (JOBS, GOOD_JOBS | {"contentSets": []}, "contentSets"),
        (JOBS, GOOD_JOBS | {"contentSets": 1}, "contentSets"),
        (JOBS, GOOD_JOBS | {"contentSets": [1, "2"]}, "contentSets[1]"),
        (JOBS, GOOD_JOBS | {"contentSets": [True]}, "contentSets[0]"),
        (JOBS, GOOD_JOBS | {"contentSets": [-1]}, "contentSets[0]"),
        (JOBS, GOOD_JOBS | {"contentSets": [10**19]}, "contentSets[0]"),
        (JOBS, GOOD_JOBS | {"parameters": []}, "parameters"),
        (JOBS, GOOD_JOBS | {"parameters": {"a": None}}, "parameters.a"),
        (JOBS, GOOD_JOBS | {"parameters": {"a": []}}, "parameters.a"),
        (JOBS, GOOD_JOBS | {"contentsets": [1]}, "contentsets"),
        (OUTPUTS, {"preset": OUTPUT_PRESET}, "body"),
        (OUTPUTS, GOOD_OUTPUT | {"jobs": [1]}, "body"),
        (OUTPUTS, GOOD_OUTPUT | {"jobSet": "1"}, "jobSet"),
        (OUTPUTS, GOOD_OUTPUT | {"createOnly": "yes"}, "createOnly"),
        (OUTPUTS, GOOD_OUTPUT | {"jobSets": [1]}, "jobSets"),
    ],
)
async def test_what_is_wrong_is_named(
    stage: Stage, caller: TestCaller, path: str, body: Any, parameter: str
) -> None:
    reply = await caller.post(path, json=body)
    assert (reply.status, reply.code) == (422, "invalid_parameters"), reply.text
    assert reply.json()["parameter"].startswith(parameter)
    assert stage.requests() == []


@pytest.mark.parametrize("path", [JOBS, OUTPUTS])
@pytest.mark.parametrize(
    ("options", "status", "code"),
    [
        ({"data": b""}, 422, "invalid_parameters"),
        ({"data": b"{"}, 400, "malformed_request"),
        ({"data": b'{"preset": 1, "preset": 2}'}, 400, "malformed_request"),
        ({"data": b'{"preset": NaN}'}, 400, "malformed_request"),
        ({"data": b"\xff"}, 400, "malformed_request"),
        ({"data": b"[" * 100_000}, 400, "malformed_request"),
        ({"data": b"{}", "headers": {"Content-Type": "text/xml"}}, 415, "unsupported_media_type"),
    ],
)
async def test_a_body_that_is_none(
    caller: TestCaller, path: str, options: dict[str, Any], status: int, code: str
) -> None:
    headers = {"Content-Type": "application/json"} | options.get("headers", {})
    reply = await caller.post(path, data=options["data"], headers=headers)
    assert (reply.status, reply.code) == (status, code)
    assert reply.headers["Content-Type"] == "application/problem+json"


@pytest.mark.parametrize("path", [JOBS, OUTPUTS])
async def test_a_huge_body_is_not_taken_in(caller: TestCaller, path: str) -> None:
    reply = await caller.post(
        path,
        data=io.BytesIO(bytes(100 * 2**20)),
        headers={"Content-Type": "application/json"},
        expect100=True,
    )
    assert (reply.status, reply.code) == (413, "body_too_large")


async def test_anothers_objects_do_not_exist(stage: Stage, caller: TestCaller) -> None:
    theirs = int(await stage.caller("ol-marketing").content_set())
    for id_ in (theirs, 999_999):
        reply = await caller.post(JOBS, json=GOOD_JOBS | {"contentSets": [id_]})
        assert (reply.status, reply.code) == (404, "not_found")
    assert stage.requests("jobcreation") == []


async def test_presets_are_granted_by_name() -> None:
    grant = 'allow: [{{endpoints: ["*.*"]}}]\n    pipelines: ["*"]'
    limited = 'allow: [{{endpoints: ["*.*"], presets: ["Invoice*"]}}]\n    pipelines: ["*"]'
    async with Stage(CONFIG.replace(grant, limited)) as stage:
        caller = stage.caller()
        reply = await caller.post(JOBS, json=GOOD_JOBS | {"preset": "Flyers"})
        assert (reply.status, reply.code) == (403, "not_allowed")
        allowed = await caller.post(JOBS, json=GOOD_JOBS)
        assert (allowed.status, allowed.code) == (404, "not_found")


async def test_what_ol_connect_refuses_is_said_in_its_words(stage: Stage) -> None:
    reply = await stage.caller("ol-operators").post(JOBS, json=GOOD_JOBS | {"contentSets": [99]})
    assert (reply.status, reply.code) == (422, "invalid_parameters")
    assert "missing resource" in reply.json()["detail"]


async def test_a_team_without_the_right(stage: Stage) -> None:
    for path in (JOBS, OUTPUTS):
        reply = await stage.caller("ol-readers").post(path, json={})
        assert (reply.status, reply.code) == (403, "not_allowed")


async def test_either_grant_opens_output_creation_for_what_it_is_about() -> None:
    granted = 'allow: [{endpoints: ["output_creation.process_by_job"]}]'
    async with Stage(replace={'allow: [{endpoints: ["job_entity.get_*"]}]': granted}) as stage:
        caller = stage.caller("ol-readers")
        by_job = await caller.post(OUTPUTS, json={"preset": OUTPUT_PRESET, "jobs": [7]})
        assert (by_job.status, by_job.code) == (404, "not_found")
        by_job_set = await caller.post(OUTPUTS, json={"preset": OUTPUT_PRESET, "jobSet": 7})
        assert (by_job_set.status, by_job_set.code) == (403, "not_allowed")
