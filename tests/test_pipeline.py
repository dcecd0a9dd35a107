"""The transparent journey: its order, its roles, and what a lost operation is answered."""

import asyncio

import pytest

from tests.support.stage import Stage, TestCaller

START = "/workflow/datamining/Promo-EN.OL-datamapper"


@pytest.fixture
def caller(stage: Stage) -> TestCaller:
    return stage.caller()


async def _started(caller: TestCaller) -> str:
    return await caller.start(f"{START}/{await caller.upload()}")


async def test_an_operation_stays_done_after_ol_connect_has_forgotten_it(
    stage: Stage, caller: TestCaller
) -> None:
    operation = await _started(caller)
    progress = f"/workflow/datamining/getProgress/{operation}"
    while (await caller.get(progress)).text != "done":  # noqa: ASYNC110 - it looks from outside
        await asyncio.sleep(0.01)
    stage.simulator.engine.operations._all.clear()
    reply = await caller.get(progress)
    assert (reply.status, reply.text) == (200, "done")
    assert reply.headers["Content-Type"] == "text/plain"


@pytest.mark.parametrize("method", ["getProgress", "getResult", "cancel"])
async def test_another_teams_operation_does_not_exist(
    stage: Stage, caller: TestCaller, method: str
) -> None:
    operation = await _started(caller)
    stage.simulator.record.clear()
    verb = "GET" if method == "getProgress" else "POST"
    path = f"/workflow/datamining/{method}"
    foreign = await stage.caller("ol-marketing")(verb, f"{path}/{operation}")
    unknown = await stage.caller("ol-marketing")(verb, f"{path}/unknown")
    assert (foreign.status, foreign.code) == (unknown.status, unknown.code) == (404, "not_found")
    assert stage.requests() == []


async def test_a_file_of_another_team_cannot_be_processed(stage: Stage, caller: TestCaller) -> None:
    file = await caller.upload()
    stage.simulator.record.clear()
    reply = await stage.caller("ol-marketing").post(f"{START}/{file}")
    assert reply.code == "not_found"
    assert stage.requests() == []


async def test_lists_show_what_is_the_teams(stage: Stage, caller: TestCaller) -> None:
    own = await caller.data_set()
    foreign = await stage.caller("ol-marketing").data_set()
    assert (await caller.get("/entity/datasets")).json() == {"identifiers": [int(own)]}
    everything = (await stage.caller("ol-operators").get("/entity/datasets")).json()
    assert {int(own), int(foreign)} <= set(everything["identifiers"])


async def test_a_body_that_names_objects_must_be_readable(stage: Stage, caller: TestCaller) -> None:
    for body in (b"{", b'{"identifiers": "1"}', b"[1]", b"\xff"):
        reply = await caller.post("/workflow/jobcreation/Invoices.OL-jobpreset", data=body)
        assert reply.code in ("malformed_request", "invalid_parameters"), body
    assert stage.requests("jobcreation") == []


async def test_a_coded_body_that_must_be_read_is_415(caller: TestCaller) -> None:
    reply = await caller.post(
        "/workflow/jobcreation/Invoices.OL-jobpreset",
        data=b"x",
        headers={"Content-Encoding": "gzip"},
    )
    assert (reply.status, reply.code) == (415, "unsupported_media_type")


async def test_running_operations_are_limited() -> None:
    grant = 'allow: [{endpoints: ["*.*"]}]\n    pipelines: ["*"]'
    async with Stage(replace={grant: f"{grant}\n    limits: {{running_operations: 1}}"}) as stage:
        stage.simulator.change(operation_seconds=30.0)
        caller = stage.caller()
        await _started(caller)
        reply = await caller.post(f"{START}/{await caller.upload()}")
        assert (reply.status, reply.code) == (429, "too_many_operations")
        assert "Retry-After" in reply.headers
