"""``Prefer: wait``: an answer when it ends, or when the time is over, or when the gateway stops."""

import asyncio
from typing import Any

from tests.support.stage import Stage, TestCaller

API = "/api/v1/operations"
RUN = "/api/v1/pipelines/invoice"
DATA = b'[{"Name":"Jane"}]'


async def _run(caller: TestCaller) -> str:
    return str((await caller.post(RUN, data=DATA)).json()["id"])


async def test_a_wait_that_was_too_short_names_the_operation(
    slow: Stage, caller: TestCaller
) -> None:
    reply = await caller.post(RUN, data=DATA, headers={"Prefer": "wait=0"})
    assert reply.status == 202
    assert reply.headers["Preference-Applied"] == "wait=0"
    assert reply.headers["Location"].endswith(reply.json()["id"])
    seen = await caller.get(f"{API}/{reply.json()['id']}", headers={"Prefer": "wait=0"})
    assert (seen.status, seen.json()["status"]) == (200, "running")


async def test_a_wait_is_cut_at_two_minutes(impatient: Stage, caller: TestCaller) -> None:
    reply = await caller.get(
        f"{API}/{await _run(caller)}", headers={"Prefer": "respond-async, wait=9999"}
    )
    assert reply.headers["Preference-Applied"] == "wait=120"
    assert reply.json()["status"] == "succeeded"


async def test_what_cannot_be_understood_is_no_preference(slow: Stage, caller: TestCaller) -> None:
    reply = await caller.post(RUN, data=DATA, headers={"Prefer": "wait=soon"})
    assert reply.status == 202
    assert "Preference-Applied" not in reply.headers


async def test_many_wait_for_one_poll(impatient: Stage, caller: TestCaller) -> None:
    id_ = await _run(caller)
    waits = [caller.get(f"{API}/{id_}", headers={"Prefer": "wait=20"}) for _ in range(30)]
    replies = await asyncio.gather(*waits)
    assert {reply.json()["status"] for reply in replies} == {"succeeded"}
    # 50 ms of work at a poll every 10 ms; thirty callers make no difference.
    assert len(impatient.requests("getProgress")) <= 20
    assert len(impatient.requests("getManagedResult")) == 1


async def test_waits_end_when_the_gateway_stops(
    slow: Stage, caller: TestCaller, until: Any
) -> None:
    id_ = await _run(caller)
    async with asyncio.timeout(30), asyncio.TaskGroup() as group:
        waiting = group.create_task(caller.get(f"{API}/{id_}", headers={"Prefer": "wait=100"}))
        starting = group.create_task(caller.post(RUN, data=DATA, headers={"Prefer": "wait=100"}))
        await until(lambda: "listeners=2" in repr(slow.gateway.watcher))
        slow.gateway.draining.set()
    assert (waiting.result().status, waiting.result().json()["status"]) == (200, "running")
    assert starting.result().status == 202


async def test_no_new_waits_while_the_gateway_stops(slow: Stage, caller: TestCaller) -> None:
    id_ = await _run(caller)
    slow.gateway.draining.set()
    submitted = len(slow.requests("submit"))
    for reply in (
        await caller.get(f"{API}/{id_}", headers={"Prefer": "wait=100"}),
        await caller.post(RUN, data=DATA, headers={"Prefer": "wait=100"}),
    ):
        assert (reply.status, reply.code) == (503, "draining")
        assert reply.headers["Retry-After"] == "1"
    assert len(slow.requests("submit")) == submitted
    assert (await caller.get(f"{API}/{id_}")).status == 200
