"""Limits of a team: requests per second, and operations running."""

import asyncio
import time

import pytest

from gateway.wiring import Clock
from tests.support.stage import Stage, TestCaller

MAPPER = "/workflow/datamining/Promo-EN.OL-datamapper"
RIGHTS = 'credential: printing\n    allow: [{endpoints: ["*.*"]}]\n    pipelines: ["*"]'


def _limited(limits: str) -> dict[str, str]:
    return {RIGHTS: f"{RIGHTS}\n    limits: {limits}"}


async def test_a_burst_is_let_through_and_the_rest_told_to_wait() -> None:
    replace, began = _limited("{requests_per_second: 0.5, burst: 3}"), time.time()
    async with Stage(replace=replace, clock=Clock(now=lambda: began)) as stage:
        caller = stage.caller()
        replies = [await caller.get("/entity/jobs") for _ in range(4)]
        assert [reply.status for reply in replies] == [200, 200, 200, 429]
        assert {reply.headers["RateLimit-Policy"] for reply in replies} == {'"team";q=3;w=6'}
        assert [reply.headers["RateLimit"] for reply in replies[:3]] == [
            '"team";r=2;t=0',
            '"team";r=1;t=0',
            '"team";r=0;t=0',
        ]
        assert replies[3].code == "rate_limited"
        assert replies[3].headers["Retry-After"] == "2"
        assert len(stage.requests("/entity/jobs")) == 3
        assert (await stage.caller("ol-marketing").get("/entity/jobs")).status == 200


async def test_a_team_may_run_so_many_operations_and_no_more() -> None:
    async with Stage(replace=_limited("{running_operations: 2}")) as stage:
        stage.simulator.change(operation_seconds=60)
        caller = stage.caller()
        path = f"{MAPPER}/{await caller.upload()}"
        running = [await caller.start(path) for _ in range(2)]
        refused = await caller.post(path)
        assert (refused.status, refused.code) == (429, "too_many_operations")
        assert refused.headers["Retry-After"] == "5"
        assert refused.headers["RateLimit-Policy"] == '"operations";q=2'
        assert refused.headers["RateLimit"] == '"operations";r=0;t=5'
        assert len(stage.simulator.record.operations) == 2
        # A cancellation makes room at once.
        assert (await caller.post(f"/workflow/datamining/cancel/{running[0]}")).status == 204
        assert (await caller.post(path)).status == 202


async def test_operations_that_ended_unnoticed_do_not_count() -> None:
    async with Stage(replace=_limited("{running_operations: 1}")) as stage:
        stage.gateway.poller.pace = _only_if_listened
        caller = stage.caller()
        path = f"{MAPPER}/{await caller.upload()}"
        operation = await caller.start(path)
        await stage.end_of("datamining", operation)
        # Nobody has asked how it stands, so the gateway does before it refuses.
        assert (await caller.post(path)).status == 202
        ended = await stage.gateway.ledger.operation(operation)
        assert ended is not None
        assert ended.status == "succeeded"


@pytest.mark.parametrize("face", ["transparent", "simplified"])
async def test_starts_at_the_same_instant_count_each_other(face: str) -> None:
    async with Stage(replace=_limited("{running_operations: 3}")) as stage:
        stage.simulator.change(operation_seconds=60)
        caller = stage.caller()
        path, data = await _run_on(face, caller)
        replies = await asyncio.gather(*(caller.post(path, data=data) for _ in range(12)))
        assert sorted(reply.status for reply in replies) == [202] * 3 + [429] * 9
        assert len(stage.simulator.record.operations) == 3


async def test_a_start_that_fails_makes_room() -> None:
    async with Stage(replace=_limited("{running_operations: 1}")) as stage:
        caller = stage.caller()
        assert (await caller.post("/workflow/datamining/none/none")).status == 404
        assert (await caller.post(f"{MAPPER}/{await caller.upload()}")).status == 202


@pytest.mark.parametrize("face", ["transparent", "simplified"])
async def test_an_answer_given_again_starts_nothing_and_has_no_limit(face: str) -> None:
    async with Stage(replace=_limited("{running_operations: 1}")) as stage:
        stage.simulator.change(operation_seconds=60)
        caller = stage.caller()
        path, data = await _run_on(face, caller)
        key = {"Idempotency-Key": "once"}
        first = await caller.post(path, data=data, headers=key)
        again = await caller.post(path, data=data, headers=key)
        assert (first.status, again.status) == (202, 202)
        assert first.headers["operationId"] == again.headers["operationId"]
        another = await caller.post(path, data=data, headers={"Idempotency-Key": "another"})
        assert another.code == "too_many_operations"


async def _run_on(face: str, caller: TestCaller) -> tuple[str, bytes | None]:
    """Path and body of a start."""
    if face == "simplified":
        return "/api/v1/pipelines/invoice", b'[{"Name":"Jane"}]'
    return f"{MAPPER}/{await caller.upload()}", None


def _only_if_listened(age: float, percent: int, *, listened: bool) -> float:
    return 0.0 if listened else 3600.0
