"""Properties and metadata as one JSON object: reading them, and who may."""

import pytest

from gateway.catalogue import ENDPOINTS
from gateway.catalogue.simplified import ENTITIES
from gateway.wiring import Clock
from tests.support.stage import Reply, Stage, TestCaller

NOW = 1_790_000_000.0
LONG = "75680215109480502128894393157810200000000000"


def _properties(job: str, facet: str = "properties") -> str:
    return f"/api/v1/jobs/{job}/{facet}"


async def _store(caller: TestCaller, job: str, facet: str = "properties", **pairs: str) -> None:
    listed = [{"name": name, "value": value} for name, value in pairs.items()]
    reply = await caller.put(
        f"/entity/jobs/{job}/{facet}", json={"id": int(job), "properties": listed}
    )
    assert reply.status == 200


@pytest.mark.parametrize("facet", ["properties", "metadata"])
async def test_values_are_one_object_of_strings(caller: TestCaller, facet: str) -> None:
    job = await caller.job()
    await _store(caller, job, facet, start="x", code=LONG, agent="007")
    reply = await caller.get(_properties(job, facet))
    assert (reply.status, reply.headers["Content-Type"]) == (200, "application/json")
    assert reply.body == f'{{"agent":"007","code":"{LONG}","start":"x"}}'.encode()


async def test_the_second_read_comes_from_the_cache() -> None:
    async with Stage(clock=Clock(now=lambda: NOW)) as stage:
        caller = stage.caller("ol-billing")
        job = await caller.job()
        first = await caller.get(_properties(job))
        second = await caller.get(_properties(job))
        assert first.headers["Cache-Status"] == "olgw; fwd=uri-miss; stored"
        assert second.headers["Cache-Status"].startswith("olgw; hit; ttl=")
        assert second.headers["Age"] == "0"
        assert first.headers["ETag"] == second.headers["ETag"]
        assert len(stage.requests(f"/entity/jobs/{job}/properties")) == 1


async def test_no_cache_asks_again(stage: Stage, caller: TestCaller) -> None:
    job = await caller.job()
    for _ in range(2):
        await caller.get(_properties(job), headers={"Cache-Control": "no-cache"})
    assert len(stage.requests(f"/entity/jobs/{job}/properties")) == 2


async def test_both_faces_share_the_cache(stage: Stage, caller: TestCaller) -> None:
    job = await caller.job()
    await caller.get(f"/entity/jobs/{job}/properties")
    reply = await caller.get(_properties(job))
    assert reply.headers["Cache-Status"].startswith("olgw; hit")


async def test_the_etag_is_of_the_object_and_gives_304(caller: TestCaller) -> None:
    job = await caller.job()
    await _store(caller, job, a="1", b="2")
    first = await caller.get(_properties(job))
    await _store(caller, job, b="2", a="1")  # OL Connect may list them in any order
    same = await caller.get(
        _properties(job), headers={"If-None-Match": f'"other", {first.headers["ETag"]}'}
    )
    assert (same.status, same.body) == (304, b"")
    assert same.headers["ETag"] == first.headers["ETag"]
    assert not first.headers["ETag"].startswith("W/")
    await _store(caller, job, a="1", b="3")
    changed = await caller.get(_properties(job), headers={"If-None-Match": first.headers["ETag"]})
    assert (changed.status, changed.json()) == (200, {"a": "1", "b": "3"})


def _refused(reply: Reply, status: int, code: str) -> None:
    assert (reply.status, reply.code) == (status, code)
    assert reply.headers["Content-Type"] == "application/problem+json"
    assert reply.json()["type"] == f"urn:olconnect-gateway:problem:{code}"


async def test_what_is_nobodys_and_what_is_anothers_look_the_same(
    stage: Stage, caller: TestCaller
) -> None:
    job = await caller.job()
    other = stage.caller("ol-marketing")
    for method in ("GET", "PUT", "PATCH"):
        for id_ in (job, "999999"):
            _refused(await other(method, _properties(id_), json={}), 404, "not_found")
    theirs, nobodys = await other.get(_properties(job)), await other.get(_properties("999999"))
    assert theirs.json()["detail"] == nobodys.json()["detail"]
    assert stage.requests("/properties") == []


async def test_what_ol_connect_does_not_have_is_not_found(stage: Stage) -> None:
    operator = stage.caller("ol-operators")
    _refused(await operator.get(_properties("999999")), 404, "not_found")


@pytest.mark.parametrize("id_", ["abc", "-1", "007", "1.5", "12345678901234567890"])
async def test_an_id_is_a_number_in_its_plain_form(stage: Stage, id_: str) -> None:
    operator = stage.caller("ol-operators")
    for method in ("GET", "PUT", "PATCH"):
        reply = await operator(method, _properties(id_), json={})
        _refused(reply, 404, "not_found")
    assert stage.requests("/entity/") == []


@pytest.mark.parametrize(
    "path",
    [
        "/api/v1/printers/1/properties",
        "/api/v1/documents/1/properties",  # OL Connect has only their metadata
        "/api/v1/data-sets/1/metadata",
        "/api/v1/data_set_entity/1/properties",
    ],
)
async def test_lists_that_ol_connect_lacks_are_unknown(stage: Stage, path: str) -> None:
    operator = stage.caller("ol-operators")
    for method in ("GET", "PUT", "PATCH"):
        _refused(await operator(method, path, json={}), 404, "unknown_endpoint")


@pytest.mark.parametrize("entity", ENTITIES)
@pytest.mark.parametrize("facet", ["properties", "metadata"])
async def test_every_entity_has_what_ol_connect_has(stage: Stage, entity: str, facet: str) -> None:
    operator = stage.caller("ol-operators")
    await stage.caller("ol-billing").job()
    reply = await operator("PATCH", f"/api/v1/{entity}/1/{facet}", json={"colour": "blue"})
    if f"{ENTITIES[entity][0]}.get_{facet}" not in ENDPOINTS:
        _refused(reply, 404, "unknown_endpoint")
        return
    assert reply.status == 200
    assert (await operator.get(f"/api/v1/{entity}/1/{facet}")).json()["colour"] == "blue"


async def test_the_right_is_that_of_the_underlying_endpoint(stage: Stage) -> None:
    reader = stage.caller("ol-readers")
    _refused(await reader.get(_properties("1")), 404, "not_found")
    _refused(await reader.put(_properties("1"), json={}), 403, "not_allowed")
    _refused(await reader("PATCH", _properties("1"), json={}), 403, "not_allowed")
    _refused(await reader.get("/api/v1/job-sets/1/properties"), 403, "not_allowed")


async def test_other_methods_are_refused(caller: TestCaller) -> None:
    reply = await caller("DELETE", _properties("1"))
    _refused(reply, 405, "method_not_allowed")
    assert reply.headers["Allow"] == "GET, HEAD, PATCH, PUT"


async def test_head_is_answered_like_get_without_the_body(caller: TestCaller) -> None:
    job = await caller.job()
    read = await caller.get(_properties(job))
    head = await caller("HEAD", _properties(job))
    assert (head.status, head.body) == (200, b"")
    assert head.headers["ETag"] == read.headers["ETag"]
