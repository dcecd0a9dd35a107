"""Server-sent events: what is new, then the end, whoever listens and whenever they came."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from typing import Any

import aiohttp

from tests.support.stage import Stage, TestCaller, end_operations

RUN = "/api/v1/pipelines/invoice"
DATA = b'[{"Name":"Jane"}]'


@dataclass(frozen=True)
class Event:
    id: int
    name: str
    data: Any


def _event(lines: list[str]) -> Event | None:
    fields = dict(line.split(": ", 1) for line in lines if not line.startswith(":"))
    if "data" not in fields:
        return None
    return Event(int(fields["id"]), fields["event"], json.loads(fields["data"]))


@asynccontextmanager
async def _listen(
    stage: Stage, caller: TestCaller, id_: str, **headers: str
) -> AsyncIterator[aiohttp.ClientResponse]:
    url = f"{stage.url}/api/v1/operations/{id_}/events"
    authorized = {"Authorization": f"Bearer {caller.token}"} | headers
    async with stage.session.get(url, headers=authorized) as response:
        yield response


async def _events(response: aiohttp.ClientResponse) -> list[Event]:
    blocks = (await response.text()).split("\n\n")
    return [event for block in blocks if (event := _event(block.splitlines())) is not None]


async def _next(response: aiohttp.ClientResponse) -> Event:
    """The next event of a stream that has not ended."""
    while True:
        block = await response.content.readuntil(b"\n\n")
        if (event := _event(block.decode().strip().splitlines())) is not None:
            return event


async def _run(caller: TestCaller) -> str:
    return str((await caller.post(RUN, data=DATA)).json()["id"])


def _lasting(stage: Stage, seconds: float) -> None:
    stage.simulator.options = replace(stage.simulator.options, operation_seconds=seconds)


async def test_progress_then_the_end(impatient: Stage, caller: TestCaller) -> None:
    _lasting(impatient, 20)
    id_ = await _run(caller)
    async with _listen(impatient, caller, id_, Origin="http://portal.test") as response:
        events = [await _next(response) for _ in range(3)]
        end_operations(impatient.simulator)
        events += await _events(response)
    assert response.headers["Content-Type"] == "text/event-stream"
    assert response.headers["Cache-Control"] == "no-store"
    assert response.headers["X-Accel-Buffering"] == "no"
    assert response.headers["Access-Control-Allow-Origin"] == "http://portal.test"
    assert "X-Request-Id" in response.headers
    assert "Server" not in response.headers
    ids = [event.id for event in events]
    assert ids == sorted(set(ids))
    assert {event.name for event in events[:-1]} == {"progress"}
    assert events[-1].name == "succeeded"
    assert events[-1].data == (await caller.get(f"/api/v1/operations/{id_}")).json()
    assert all(event.id == event.data["progress"] for event in events[:-1])


async def test_who_comes_back_hears_only_what_is_new(impatient: Stage, caller: TestCaller) -> None:
    _lasting(impatient, 20)
    id_ = await _run(caller)
    async with _listen(impatient, caller, id_) as response:
        first = max([(await _next(response)).id for _ in range(2)])
    async with _listen(impatient, caller, id_, **{"Last-Event-ID": str(first)}) as response:
        end_operations(impatient.simulator)
        events = await _events(response)
    assert all(event.id > first for event in events)
    assert events[-1].name == "succeeded"


async def test_who_comes_late_hears_the_end(impatient: Stage, caller: TestCaller) -> None:
    id_ = await _run(caller)
    await caller.get(f"/api/v1/operations/{id_}", headers={"Prefer": "wait=20"})
    for headers in ({}, {"Last-Event-ID": "7"}, {"Last-Event-ID": "of another server"}):
        async with _listen(impatient, caller, id_, **headers) as response:
            assert [event.name for event in await _events(response)] == ["succeeded"]


async def test_who_has_heard_the_end_need_not_come_back(
    impatient: Stage, caller: TestCaller
) -> None:
    id_ = await _run(caller)
    async with _listen(impatient, caller, id_) as response:
        end = (await _events(response))[-1]
    async with _listen(impatient, caller, id_, **{"Last-Event-ID": str(end.id)}) as response:
        assert response.status == 204


async def test_a_failure_and_a_cancellation_are_ends(impatient: Stage, caller: TestCaller) -> None:
    failing = (await caller.post(RUN, data=b"\xff no data")).json()["id"]
    async with _listen(impatient, caller, failing) as response:
        last = (await _events(response))[-1]
    assert last.name == last.data["status"] == "failed"
    assert last.data["problem"]["code"] == "invalid_parameters"
    _lasting(impatient, 60)
    id_ = await _run(caller)
    async with _listen(impatient, caller, id_) as response:
        await caller("DELETE", f"/api/v1/operations/{id_}")
        assert (await _events(response))[-1].name == "canceled"


async def test_idle_connections_get_heartbeats(slow: Stage, caller: TestCaller) -> None:
    handler = slow.gateway.events
    handler.heartbeat_seconds = 0.02
    async with asyncio.timeout(30), _listen(slow, caller, await _run(caller)) as response:
        beats = [line async for line in _comments(response, 3)]
    assert beats == [b": ping\n"] * 3


async def _comments(response: aiohttp.ClientResponse, count: int) -> AsyncIterator[bytes]:
    async for line in response.content:
        if line.startswith(b":"):
            yield line
            count -= 1
            if not count:
                return


async def test_a_stopping_gateway_sends_its_listeners_elsewhere(
    slow: Stage, caller: TestCaller
) -> None:
    id_ = await _run(caller)
    async with asyncio.timeout(30), _listen(slow, caller, id_) as response:
        slow.gateway.draining.set()
        text = await response.text()
    assert text.endswith("\nretry: 1000\n\n")
    async with _listen(slow, caller, id_) as response:
        assert response.status == 503


async def test_listeners_who_leave_are_forgotten(
    slow: Stage, caller: TestCaller, until: Any
) -> None:
    id_ = await _run(caller)
    async with _listen(slow, caller, id_) as response:
        await response.content.readline()
        assert "listeners=1" in repr(slow.gateway.watcher)
    await until(lambda: "listeners=0" in repr(slow.gateway.watcher))
    assert (await caller.get(f"/api/v1/operations/{id_}")).json()["status"] == "running"


async def test_many_listeners_cost_one_poll(impatient: Stage, caller: TestCaller) -> None:
    _lasting(impatient, 0.3)
    id_ = await _run(caller)

    async def listen() -> str:
        async with _listen(impatient, caller, id_) as response:
            return (await _events(response))[-1].name

    ends = await asyncio.gather(*(listen() for _ in range(50)))
    assert ends == ["succeeded"] * 50
    polls = [entry.time for entry in impatient.requests("getProgress")]
    # One in each interval of 10 ms, however many listen.
    assert len(polls) <= (polls[-1] - polls[0]) / 0.01 + 3
    assert len(impatient.requests("getManagedResult")) == 1


async def test_a_look_at_the_header(slow: Stage, caller: TestCaller) -> None:
    id_ = await _run(caller)
    reply = await caller("HEAD", f"/api/v1/operations/{id_}/events")
    assert (reply.status, reply.headers["Content-Type"]) == (200, "text/event-stream")
