"""Limits of a team: requests per second, and operations running."""

import asyncio

from tests.support.stage import Stage

MAPPER = "/workflow/datamining/Promo-EN.OL-datamapper"
RIGHTS = 'credential: printing\n    allow: [{endpoints: ["*.*"]}]\n    pipelines: ["*"]'


def _limited(limits: str) -> dict[str, str]:
    return {RIGHTS: f"{RIGHTS}\n    limits: {limits}"}


async def test_a_burst_is_let_through_and_the_rest_told_to_wait() -> None:
    replace = _limited("{requests_per_second: 0.5, burst: 3}")
    async with Stage(replace=replace) as stage:
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
        assert int(refused.headers["Retry-After"]) > 0
        assert len(stage.simulator.record.operations) == 2
        # A cancellation makes room at once.
        assert (await caller.post(f"/workflow/datamining/cancel/{running[0]}")).status == 204
        assert (await caller.post(path)).status == 202


async def test_operations_that_ended_unnoticed_do_not_count_for_ever() -> None:
    async with Stage(replace=_limited("{running_operations: 1}")) as stage:
        caller = stage.caller()
        path = f"{MAPPER}/{await caller.upload()}"
        operation = await caller.start(path)
        # Nobody asks how it stands; the refusal makes the gateway ask.
        statuses = set()
        for _ in range(100):
            statuses.add((await caller.post(path)).status)
            if 202 in statuses:
                break
            await asyncio.sleep(0.02)
        assert 202 in statuses
        ended = await stage.gateway.ledger.operation(operation)
        assert ended is not None
        assert ended.status == "succeeded"
