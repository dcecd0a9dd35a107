"""Operations: listed, looked at, fetched and cancelled by those whose they are."""

import asyncio
from datetime import datetime
from typing import Any

import pytest

from tests.support.stage import REST, Stage, TestCaller, end_operations

API = "/api/v1/operations"
RUN = "/api/v1/pipelines/invoice"
DATA = b'[{"Name":"Jane"}]'
WAIT = {"Prefer": "wait=20"}


async def _run(caller: TestCaller) -> str:
    reply = await caller.post(RUN, data=DATA)
    assert reply.status == 202, reply
    return str(reply.json()["id"])


async def test_the_list_is_the_teams_own_newest_first(stage: Stage, caller: TestCaller) -> None:
    ids = [await _run(caller) for _ in range(3)]
    await stage.caller("ol-marketing").post("/api/v1/pipelines/flyer", data=DATA)
    reply = await caller.get(API)
    assert [entry["id"] for entry in reply.json()["operations"]] == ids[::-1]
    assert reply.headers["Cache-Control"] == "no-store"
    limited = await caller.get(f"{API}?limit=2")
    assert [entry["id"] for entry in limited.json()["operations"]] == ids[:0:-1]


async def test_the_list_by_status(slow: Stage, caller: TestCaller) -> None:
    first, second = await _run(caller), await _run(caller)
    await caller("DELETE", f"{API}/{first}")
    for status, expected in {"running": [second], "canceled": [first], "failed": []}.items():
        reply = await caller.get(f"{API}?status={status}")
        assert [entry["id"] for entry in reply.json()["operations"]] == expected


async def test_the_list_shows_an_end_that_nobody_has_asked_about(caller: TestCaller) -> None:
    file = await caller.upload()
    id_ = await caller.start(f"{REST}/workflow/datamining/Promo-EN.OL-datamapper/{file}")
    async with asyncio.timeout(30):
        while (await caller.get(f"{API}?status=running")).json()["operations"]:  # noqa: ASYNC110
            await asyncio.sleep(0.05)
    reply = await caller.get(f"{API}?status=succeeded")
    assert [entry["id"] for entry in reply.json()["operations"]] == [id_]


@pytest.mark.parametrize(
    ("query", "parameter"),
    [
        ("limit=0", "limit"),
        ("limit=201", "limit"),
        ("limit=ten", "limit"),
        ("limit=-1", "limit"),
        ("limit=", "limit"),
        ("limit=1&limit=2", "limit"),
        ("status=done", "status"),
        ("status=", "status"),
        ("status=failed&status=failed", "status"),
    ],
)
async def test_a_wrong_query_is_named(caller: TestCaller, query: str, parameter: str) -> None:
    reply = await caller.get(f"{API}?{query}")
    assert (reply.status, reply.code) == (422, "invalid_parameters")
    assert reply.json()["parameter"] == parameter


async def test_an_operation_and_its_end(impatient: Stage, caller: TestCaller) -> None:
    impatient.simulator.change(operation_seconds=60)
    id_ = await _run(caller)
    running = await caller.get(f"{API}/{id_}")
    assert running.json()["status"] == "running"
    assert running.headers["Retry-After"] == "1"
    end_operations(impatient.simulator)
    ended = await caller.get(f"{API}/{id_}", headers=WAIT)
    operation = ended.json()
    assert (operation["status"], operation["progress"]) == ("succeeded", 100)
    assert isinstance(operation["result"]["file"], int)
    assert datetime.fromisoformat(operation["finished"]) > datetime.fromisoformat(
        operation["created"]
    )
    assert "Retry-After" not in ended.headers


@pytest.mark.parametrize("method", ["GET", "DELETE"])
@pytest.mark.parametrize("rest", ["", "/events", "/result"])
async def test_others_and_unknown_ones_look_the_same(
    stage: Stage, caller: TestCaller, method: str, rest: str
) -> None:
    if method == "DELETE" and rest:
        return
    id_ = await _run(caller)
    replies = [
        await stage.caller("ol-marketing")(method, f"{API}/{id_}{rest}"),
        await caller(method, f"{API}/nobodys-operation{rest}"),
    ]
    problems = [reply.json() | {"request_id": ""} for reply in replies]
    assert problems[0] == problems[1]
    assert (replies[0].status, replies[0].code) == (404, "not_found")


async def test_a_caller_of_two_teams_finds_either_teams(stage: Stage) -> None:
    reply = await stage.caller("ol-marketing").post("/api/v1/pipelines/flyer", data=DATA)
    id_ = reply.json()["id"]
    both = stage.caller("ol-billing", "ol-marketing")
    assert (await both.get(f"{API}/{id_}")).json()["team"] == "marketing"
    as_billing = await both.get(f"{API}/{id_}", headers={"OL-Team": "billing"})
    assert as_billing.status == 404


async def test_who_may_touch_any_object_sees_any_operation(stage: Stage) -> None:
    id_ = await _run(stage.caller("ol-billing"))
    operators = stage.caller("ol-operators")
    assert (await operators.get(f"{API}/{id_}")).json()["id"] == id_


async def test_what_began_on_the_other_face_needs_its_grants(stage: Stage) -> None:
    caller = stage.caller()
    file = await caller.upload()
    id_ = await caller.start(f"/workflow/datamining/Promo-EN.OL-datamapper/{file}")
    assert (await caller.get(f"{API}/{id_}")).json()["service"] == "data_mapping"
    settings = stage.settings()
    grants = (
        settings.teams["billing"]
        .allow[0]
        .model_copy(update={"endpoints": ("data_mapping.get_progress",)})
    )
    team = settings.teams["billing"].model_copy(update={"allow": (grants,)})
    stage.gateway.reload(settings.model_copy(update={"teams": {**settings.teams, "billing": team}}))
    assert (await caller.get(f"{API}/{id_}")).status == 200
    for method, rest in (("DELETE", ""), ("GET", "/result")):
        reply = await caller(method, f"{API}/{id_}{rest}")
        assert (reply.status, reply.code) == (403, "not_allowed")


async def test_the_result_of_the_other_faces_operation(
    impatient: Stage, caller: TestCaller
) -> None:
    file = await caller.upload()
    id_ = await caller.start(f"/workflow/datamining/Promo-EN.OL-datamapper/{file}")
    await caller.get(f"{API}/{id_}", headers=WAIT)
    reply = await caller.get(f"{API}/{id_}/result")
    assert list(reply.json()) == ["dataSet"]
    assert reply.json() == (await caller.get(f"{API}/{id_}")).json()["result"]
    # Learned from the result: the team's from now on.
    assert (await caller.get(f"/entity/datasets/{reply.json()['dataSet']}")).status == 200


async def test_no_result_before_the_end(slow: Stage, caller: TestCaller) -> None:
    id_ = await _run(caller)
    reply = await caller.get(f"{API}/{id_}/result")
    assert (reply.status, reply.code) == (409, "operation_running")
    assert reply.headers["Retry-After"] == "1"
    assert reply.json()["operation"]["status"] == "running"
    assert slow.requests("Result") == []


async def test_the_header_of_a_result(impatient: Stage, caller: TestCaller) -> None:
    whole = await caller.post(RUN, data=DATA, headers=WAIT)
    head = await caller("HEAD", f"{API}/{whole.headers['operationId']}/result")
    assert (head.status, head.body) == (200, b"")
    assert head.headers["Content-Type"] == "application/pdf"
    assert int(head.headers["Content-Length"]) == len(whole.body)


async def test_a_result_that_was_cleaned_away_is_fetched_from_the_operation(
    impatient: Stage, caller: TestCaller
) -> None:
    whole = await caller.post(RUN, data=DATA, headers=WAIT)
    impatient.simulator.faults.add("error", path="/filestore/file/", status=404)
    again = await caller.get(f"{API}/{whole.headers['operationId']}/result")
    assert again.body == whole.body
    assert again.headers["Content-Type"] == "application/pdf"
    assert len(impatient.requests("getResult")) == 1


async def test_a_result_that_is_nowhere(impatient: Stage, caller: TestCaller) -> None:
    whole = await caller.post(RUN, data=DATA, headers=WAIT)
    impatient.simulator.faults.add("error", path="file/|getResult", status=404, times=None)
    again = await caller.get(f"{API}/{whole.headers['operationId']}/result")
    assert (again.status, again.code) == (404, "not_found")


async def test_cancelling(slow: Stage, caller: TestCaller) -> None:
    id_ = await _run(caller)
    for _ in range(2):
        reply = await caller("DELETE", f"{API}/{id_}")
        assert (reply.status, reply.json()["status"]) == (202, "canceled")
    assert len(slow.requests("/cancel/")) == 1
    result = await caller.get(f"{API}/{id_}/result")
    assert (result.status, result.code) == (404, "not_found")
    assert "was canceled" in result.json()["detail"]


async def test_cancelling_what_has_ended_changes_nothing(
    impatient: Stage, caller: TestCaller
) -> None:
    whole = await caller.post(RUN, data=DATA, headers=WAIT)
    id_ = whole.headers["operationId"]
    reply = await caller("DELETE", f"{API}/{id_}")
    assert (reply.status, reply.json()["status"]) == (202, "succeeded")
    assert impatient.requests("/cancel/") == []


async def test_a_cancellation_ends_the_wait(slow: Stage, caller: TestCaller, until: Any) -> None:
    id_ = await _run(caller)
    async with asyncio.timeout(30), asyncio.TaskGroup() as group:
        waiting = group.create_task(caller.get(f"{API}/{id_}", headers=WAIT))
        await until(lambda: "listeners=1" in repr(slow.gateway.watcher))
        await caller("DELETE", f"{API}/{id_}")
    assert waiting.result().json()["status"] == "canceled"


async def test_a_cancellation_that_ol_connect_refuses(slow: Stage, caller: TestCaller) -> None:
    id_ = await _run(caller)
    slow.simulator.faults.add("error", path="/cancel/", status=500)
    reply = await caller("DELETE", f"{API}/{id_}")
    assert (reply.status, reply.code) == (502, "upstream_invalid_response")
    assert (await caller.get(f"{API}/{id_}")).json()["status"] == "running"


async def test_nothing_of_it_needs_a_path_of_ol_connects(stage: Stage, caller: TestCaller) -> None:
    reply = await caller.post(RUN, data=DATA)
    assert REST not in reply.text + str(reply.headers)
