"""What is inside a job, and that it becomes the team's."""

import pytest

from tests.support.stage import Stage, TestCaller


async def test_a_job_shows_its_segments_and_contents(caller: TestCaller) -> None:
    job = await caller.job()
    plain = (await caller.get(f"/entity/jobs/{job}")).json()
    shown = await caller.get(f"/api/v1/jobs/{job}")
    assert shown.json() == {"id": int(job), "segments": plain["identifiers"]}
    assert shown.headers["Content-Type"] == "application/json"
    plain = (await caller.get(f"/entity/jobs/{job}/contents")).json()
    shown = await caller.get(f"/api/v1/jobs/{job}/contents")
    assert shown.json() == {"items": plain["identifiers"]}
    assert set(shown.json()["items"][0]) == {"item", "record"}


async def test_what_was_shown_is_the_teams(stage: Stage, caller: TestCaller) -> None:
    job = await caller.job()
    before = await caller.get("/api/v1/job-segments/1/metadata")
    (segment,) = (await caller.get(f"/api/v1/jobs/{job}")).json()["segments"]
    after = await caller.get(f"/api/v1/job-segments/{segment}/metadata")
    assert (before.status, after.status) == (404, 200)
    (item,) = (await caller.get(f"/api/v1/jobs/{job}/contents")).json()["items"]
    assert (await caller.get(f"/api/v1/content-items/{item['item']}/properties")).status == 200
    other = stage.caller("ol-marketing")
    assert (await other.get(f"/api/v1/job-segments/{segment}/metadata")).status == 404


@pytest.mark.parametrize("end", ["", "/contents"])
async def test_jobs_of_others_and_of_nobody(stage: Stage, caller: TestCaller, end: str) -> None:
    job = await caller.job()
    other = stage.caller("ol-marketing")
    for id_ in (job, "999999"):
        reply = await other.get(f"/api/v1/jobs/{id_}{end}")
        assert (reply.status, reply.code) == (404, "not_found")
    operator = stage.caller("ol-operators")
    reply = await operator.get(f"/api/v1/jobs/999999{end}")
    assert (reply.status, reply.code) == (404, "not_found")
    assert (await operator.get(f"/api/v1/jobs/0{job}{end}")).code == "ambiguous_path"


@pytest.mark.parametrize("fault", ["garbage", "error"])
async def test_answers_that_cannot_be_read(stage: Stage, caller: TestCaller, fault: str) -> None:
    job = await caller.job()
    stage.simulator.faults.add(fault, path=f"/entity/jobs/{job}")
    reply = await caller.get(f"/api/v1/jobs/{job}")
    assert (reply.status, reply.code) == (502, "upstream_invalid_response")
