"""Properties and metadata written: replaced, patched, guarded by ETags, never converted."""

import asyncio
import io
import json
from typing import Any

import pytest

from gateway.tasks import TaskSet
from tests.support.stage import Reply, Stage, TestCaller

MERGE = {"Content-Type": "application/merge-patch+json"}


def _path(job: str, facet: str = "properties") -> str:
    return f"/api/v1/jobs/{job}/{facet}"


def _refused(reply: Reply, status: int, code: str, parameter: str | None = None) -> None:
    assert (reply.status, reply.code) == (status, code), reply
    assert reply.headers["Content-Type"] == "application/problem+json"
    assert reply.json().get("parameter") == parameter


async def _patch(caller: TestCaller, job: str, patch: Any, **headers: str) -> Reply:
    return await caller("PATCH", _path(job), data=json.dumps(patch), headers={**MERGE, **headers})


@pytest.mark.parametrize("facet", ["properties", "metadata"])
async def test_put_replaces(stage: Stage, caller: TestCaller, facet: str) -> None:
    job = await caller.job()
    await caller.put(_path(job, facet), json={"old": "1"})
    written = await caller.put(_path(job, facet), json={"b": "007", "a": "x"})
    assert (written.status, written.json()) == (200, {"a": "x", "b": "007"})
    sent = stage.requests(f"/entity/jobs/{job}/{facet}")[-1]
    assert sent.method == "PUT"
    plain = await caller.get(f"/entity/jobs/{job}/{facet}")
    assert plain.json() == [{"name": "b", "value": "007"}, {"name": "a", "value": "x"}]
    read = await caller.get(_path(job, facet))
    assert (read.json(), read.headers["ETag"]) == (written.json(), written.headers["ETag"])


async def test_put_makes_the_cache_forget(caller: TestCaller) -> None:
    job = await caller.job()
    await caller.get(_path(job))
    await caller.put(_path(job), json={"a": "1"})
    read = await caller.get(_path(job))
    assert read.json() == {"a": "1"}
    assert read.headers["Cache-Status"].startswith("olgw; fwd=uri-miss")


async def test_a_transparent_put_is_seen_here(caller: TestCaller) -> None:
    job = await caller.job()
    await caller.get(_path(job))
    listed = [{"name": "a", "value": "1"}]
    await caller.put(f"/entity/jobs/{job}/properties", json={"id": int(job), "properties": listed})
    assert (await caller.get(_path(job))).json() == {"a": "1"}


async def test_patch_sets_removes_and_keeps(caller: TestCaller) -> None:
    job = await caller.job()
    await caller.put(_path(job), json={"keep": "1", "change": "2", "remove": "3"})
    reply = await _patch(caller, job, {"change": "22", "remove": None, "new": "4", "absent": None})
    assert (reply.status, reply.json()) == (200, {"change": "22", "keep": "1", "new": "4"})
    read = await caller.get(_path(job))
    assert (read.json(), read.headers["ETag"]) == (reply.json(), reply.headers["ETag"])


async def test_patch_may_be_plain_json(caller: TestCaller) -> None:
    job = await caller.job()
    assert (await caller("PATCH", _path(job), json={"a": "1"})).json()["a"] == "1"


async def test_patch_reads_ol_connect_and_not_the_cache(stage: Stage, caller: TestCaller) -> None:
    job = await caller.job()
    await caller.put(_path(job), json={"a": "1"})
    await caller.get(_path(job))
    # Something else than the gateway writes at OL Connect.
    from gateway.simulator.entities import Kind  # noqa: PLC0415

    stage.simulator.engine.entities.get(Kind.JOB, job).properties["b"] = "2"
    assert (await _patch(caller, job, {"c": "3"})).json() == {"a": "1", "b": "2", "c": "3"}


async def test_patches_at_the_same_time_lose_nothing(stage: Stage, caller: TestCaller) -> None:
    job = await caller.job()
    stage.simulator.faults.add("delay", method="GET", path="/properties", seconds=0.01, times=None)
    replies = await asyncio.gather(*(_patch(caller, job, {f"n{n}": str(n)}) for n in range(8)))
    assert [reply.status for reply in replies] == [200] * 8
    expected = {f"n{n}": str(n) for n in range(8)}
    assert (await caller.get(_path(job))).json().items() >= expected.items()


async def test_of_conditional_writes_at_the_same_time_one_wins(
    stage: Stage, caller: TestCaller
) -> None:
    job = await caller.job()
    tag = (await caller.put(_path(job), json={"n": "0"})).headers["ETag"]
    stage.simulator.faults.add("delay", method="GET", path="/properties", seconds=0.01, times=None)
    replies = await asyncio.gather(
        *(
            caller.put(_path(job), json={"n": str(n)}, headers={"If-Match": tag})
            for n in range(1, 6)
        )
    )
    assert sorted(reply.status for reply in replies) == [200, 412, 412, 412, 412]


@pytest.mark.parametrize("method", ["PUT", "PATCH"])
async def test_if_match_guards_a_write(stage: Stage, caller: TestCaller, method: str) -> None:
    job = await caller.job()
    first = (await caller.put(_path(job), json={"a": "1"})).headers["ETag"]
    await caller.put(_path(job), json={"a": "2"})
    writes = len([entry for entry in stage.requests("/properties") if entry.method == "PUT"])
    for stale in (first, f"W/{first}", '"other"', "nonsense"):
        reply = await caller(method, _path(job), json={"a": "3"}, headers={"If-Match": stale})
        _refused(reply, 412, "precondition_failed", "If-Match")
        assert reply.headers["ETag"] != first
    after = len([entry for entry in stage.requests("/properties") if entry.method == "PUT"])
    assert after == writes
    read = await caller.get(_path(job))
    current = read.headers["ETag"]
    assert read.json() == {"a": "2"}
    for good in (f'"other", {current}', "*"):
        reply = await caller(method, _path(job), json={"a": "3"}, headers={"If-Match": good})
        assert (reply.status, reply.json()) == (200, {"a": "3"})


@pytest.mark.parametrize("method", ["PUT", "PATCH"])
@pytest.mark.parametrize("value", ["1", "1.5", "true", "[]", "{}", '["x"]'])
async def test_nothing_is_converted(
    stage: Stage, caller: TestCaller, method: str, value: str
) -> None:
    job = await caller.job()
    body = f'{{"end": "x", "start": {value}}}'
    reply = await caller(
        method, _path(job), data=body, headers={"Content-Type": "application/json"}
    )
    _refused(reply, 422, "invalid_parameters", "start")
    assert stage.requests("/properties") == []


async def test_null_removes_in_a_patch_and_is_refused_in_a_put(caller: TestCaller) -> None:
    job = await caller.job()
    _refused(await caller.put(_path(job), json={"start": None}), 422, "invalid_parameters", "start")


@pytest.mark.parametrize("method", ["PUT", "PATCH"])
@pytest.mark.parametrize(
    ("body", "status", "code"),
    [
        (b"", 400, "malformed_request"),
        (b"{", 400, "malformed_request"),
        (b'{"a": "1", "a": "2"}', 400, "malformed_request"),
        (b"\xff", 400, "malformed_request"),
        (b"[]", 422, "invalid_parameters"),
        (b"null", 422, "invalid_parameters"),
        (b'"text"', 422, "invalid_parameters"),
    ],
)
async def test_bodies_that_are_no_object(
    caller: TestCaller, method: str, body: bytes, status: int, code: str
) -> None:
    job = await caller.job()
    reply = await caller(
        method, _path(job), data=body, headers={"Content-Type": "application/json"}
    )
    _refused(reply, status, code)


@pytest.mark.parametrize(
    ("method", "media_type"),
    [
        ("PUT", "application/x-www-form-urlencoded"),
        ("PUT", "application/merge-patch+json"),
        ("PATCH", "application/json-patch+json"),
        ("PATCH", "text/plain"),
    ],
)
async def test_other_media_types_are_refused(
    caller: TestCaller, method: str, media_type: str
) -> None:
    job = await caller.job()
    reply = await caller(method, _path(job), data=b"{}", headers={"Content-Type": media_type})
    _refused(reply, 415, "unsupported_media_type", "Content-Type")
    wanted = "application/merge-patch+json, application/json" if method == "PATCH" else None
    assert reply.headers.get("Accept-Patch") == wanted


async def test_a_body_that_is_too_large_is_refused(caller: TestCaller) -> None:
    job = await caller.job()
    body = io.BytesIO(b'{"a": "%s"}' % (b"x" * (4 * 1024 * 1024)))
    reply = await caller.put(_path(job), data=body, headers={"Content-Type": "application/json"})
    _refused(reply, 413, "body_too_large")


@pytest.mark.parametrize("method", ["PUT", "PATCH"])
async def test_ol_connects_refusal_is_a_problem_here(
    stage: Stage, caller: TestCaller, method: str
) -> None:
    job = await caller.job()
    stage.simulator.faults.add("error", method="PUT", path="/properties", status=500, times=None)
    reply = await caller(method, _path(job), json={"a": "1"})
    _refused(reply, 502, "upstream_invalid_response")
    assert reply.json()["detail"] == "OL Connect answered 500: Fault on request"


async def test_garbage_of_ol_connects_is_not_shown(stage: Stage, caller: TestCaller) -> None:
    job = await caller.job()
    stage.simulator.faults.add("garbage", path="/properties")
    _refused(await caller.get(_path(job)), 502, "upstream_invalid_response")


async def test_a_write_goes_on_when_its_caller_leaves(
    stage: Stage, caller: TestCaller, until: Any
) -> None:
    job = await caller.job()
    await caller.put(_path(job), json={"a": "1"})
    release, before = stage.hold("/properties"), len(stage.requests("/properties"))
    leaving = TaskSet().start(_patch(caller, job, {"b": "2"}))
    await until(lambda: len(stage.requests("/properties")) > before)
    leaving.cancel()
    with pytest.raises(asyncio.CancelledError):
        await leaving
    release.set()
    # The next change waits for the one that was left behind.
    assert (await _patch(caller, job, {"c": "3"})).json() == {"a": "1", "b": "2", "c": "3"}
