"""Properties of many jobs in one request."""

import pytest

from tests.support.stage import Reply, Stage, TestCaller

PATH = "/api/v1/jobs/properties"


def _refused(reply: Reply, status: int, code: str, parameter: str | None = None) -> None:
    assert (reply.status, reply.code) == (status, code), reply
    assert reply.json().get("parameter") == parameter


async def _jobs(caller: TestCaller, count: int) -> list[str]:
    return [await caller.job() for _ in range(count)]


async def test_properties_of_several_jobs_are_written_and_read(caller: TestCaller) -> None:
    one, two = await _jobs(caller, 2)
    await caller.get(f"{PATH}?ids={one},{two}")  # so that the cache has what the write makes stale
    written = await caller.put(PATH, json={two: {"n": "007"}, one: {"n": "008", "a": ""}})
    assert (written.status, written.json()) == (200, {"updated": [int(two), int(one)]})
    read = await caller.get(f"{PATH}?ids={one},{two}")
    assert (read.status, read.headers["Content-Type"]) == (200, "application/json")
    assert read.json() == {one: {"a": "", "n": "008"}, two: {"n": "007"}}


async def test_what_is_not_named_stays(caller: TestCaller) -> None:
    (job,) = await _jobs(caller, 1)
    await caller.put(f"/api/v1/jobs/{job}/properties", json={"a": "1", "b": "2"})
    await caller.put(PATH, json={job: {"b": "3"}})
    assert (await caller.get(f"{PATH}?ids={job}")).json() == {job: {"a": "1", "b": "3"}}


async def test_a_write_is_one_call(stage: Stage, caller: TestCaller) -> None:
    one, two = await _jobs(caller, 2)
    await caller.put(PATH, json={one: {"n": "1"}, two: {"n": "2"}})
    (sent,) = stage.requests("/entity/jobs/properties")
    assert sent.method == "PUT"


async def test_reads_come_from_the_cache(stage: Stage, caller: TestCaller) -> None:
    one, two = await _jobs(caller, 2)
    await caller.get(f"/entity/jobs/{one}/properties")
    await caller.get(f"{PATH}?ids={one},{two}")
    await caller.get(f"{PATH}?ids={one},{two},{one}")
    assert len(stage.requests("/properties")) == 2


async def test_what_cannot_be_read_keeps_nothing_back(stage: Stage, caller: TestCaller) -> None:
    mine, broken = await _jobs(caller, 2)
    (theirs,) = await _jobs(stage.caller("ol-marketing"), 1)
    stage.simulator.faults.add("error", path=f"/jobs/{broken}/properties", status=500)
    reply = await caller.get(f"{PATH}?ids={mine},{theirs},{broken},999999")
    assert reply.status == 200
    document = reply.json()
    problems = document.pop("problems")
    assert document.keys() == {mine}
    codes = {id_: problem["code"] for id_, problem in problems.items()}
    assert codes == {
        theirs: "not_found",
        broken: "upstream_invalid_response",
        "999999": "not_found",
    }
    assert problems[theirs]["detail"] == problems["999999"]["detail"]
    assert problems[broken]["status"] == 502
    assert problems[broken]["type"] == "urn:olconnect-gateway:problem:upstream_invalid_response"


async def test_a_job_that_is_gone_at_ol_connect_looks_like_one_that_never_was(
    stage: Stage,
) -> None:
    operator = stage.caller("ol-operators")
    document = (await operator.get(f"{PATH}?ids=999999")).json()
    assert document["problems"]["999999"]["code"] == "not_found"


@pytest.mark.parametrize(
    "query",
    ["", "?ids=", "?ids=1,", "?ids=a", "?ids=01", "?ids=-1", "?ids=1&ids=2", "?ids=1,%202"],
)
async def test_ids_must_be_numbers(caller: TestCaller, query: str) -> None:
    _refused(await caller.get(f"{PATH}{query}"), 422, "invalid_parameters", "ids")


async def test_at_most_500_are_read_and_written(stage: Stage, caller: TestCaller) -> None:
    ids = [str(number) for number in range(100_000, 100_501)]
    most = await caller.get(f"{PATH}?ids={','.join(ids[:500])}")
    assert len(most.json()["problems"]) == 500
    _refused(await caller.get(f"{PATH}?ids={','.join(ids)}"), 422, "invalid_parameters", "ids")
    too_many = await caller.put(PATH, json={id_: {"a": "1"} for id_ in ids})
    _refused(too_many, 422, "invalid_parameters")
    assert stage.requests() == []


async def test_one_job_of_anothers_refuses_the_whole_write(
    stage: Stage, caller: TestCaller
) -> None:
    (mine,) = await _jobs(caller, 1)
    (theirs,) = await _jobs(stage.caller("ol-marketing"), 1)
    for other in (theirs, "999999"):
        reply = await caller.put(PATH, json={mine: {"a": "1"}, other: {"a": "1"}})
        _refused(reply, 404, "not_found")
    assert stage.requests("/properties") == []


@pytest.mark.parametrize(
    ("document", "parameter"),
    [
        ({}, None),
        ([], None),
        ({"x": {"a": "1"}}, "x"),
        ({"01": {"a": "1"}}, "01"),
        ({"7": {"end": "x", "start": 1}}, "7.start"),
        ({"7": {"start": None}}, "7.start"),
        ({"7": [{"name": "a", "value": "b"}]}, "7"),
        ({"7": "text"}, "7"),
    ],
)
async def test_what_is_wrong_is_named(
    stage: Stage, caller: TestCaller, document: object, parameter: str | None
) -> None:
    reply = await caller.put(PATH, json=document)
    _refused(reply, 422, "invalid_parameters", parameter)
    assert stage.requests("/properties") == []


async def test_ol_connects_not_found_is_ours(stage: Stage) -> None:
    operator = stage.caller("ol-operators")
    _refused(await operator.put(PATH, json={"999999": {"a": "1"}}), 404, "not_found")


async def test_the_rights_are_those_of_the_underlying_endpoints(stage: Stage) -> None:
    reader = stage.caller("ol-readers")
    assert (await reader.get(f"{PATH}?ids=1")).status == 200
    _refused(await reader.put(PATH, json={"1": {"a": "1"}}), 403, "not_allowed")
