"""Starts: once under each key, and honest about what cannot be known."""

import asyncio
from dataclasses import replace
from io import BytesIO
from pathlib import Path
from typing import Any

import pytest

from gateway.app import Gateway
from tests.support.peer import Asked, Peer, said, saying
from tests.support.stage import CONFIG, REST, Reply, Stage, TestCaller
from tests.support.wire import dial, head

MAPPER = "/workflow/datamining/Promo-EN.OL-datamapper"
JOBS = "/workflow/jobcreation/Invoices.OL-jobpreset"
PRINT = (
    "/workflow/print/Promo-EN.OL-datamapper/letter-ol.OL-template/Invoices.OL-jobpreset/"
    "Print-PDF.OL-outputpreset"
)
LARGE = 8 * 1024 * 1024  # more than the way to OL Connect holds


@pytest.fixture
async def path(stage: Stage) -> str:
    stage.simulator.change(operation_seconds=30)
    return f"{MAPPER}/{await stage.caller().upload()}"


async def _start(caller: TestCaller, path: str, key: str = "k1", **options: Any) -> Reply:
    return await caller.post(path, headers={"Idempotency-Key": key}, **options)


def _started(stage: Stage) -> list[str]:
    return [operation.id for operation in stage.simulator.record.operations]


async def test_the_same_key_is_answered_the_same_and_starts_nothing(
    stage: Stage, path: str
) -> None:
    first, second = [await _start(stage.caller(), path) for _ in range(2)]
    assert (first.status, second.status) == (202, 202)
    assert second.headers["operationId"] == first.headers["operationId"]
    assert second.headers.getall("Link") == first.headers.getall("Link")
    assert _started(stage) == [first.headers["operationId"]]


async def test_other_content_under_the_same_key_is_refused(stage: Stage, path: str) -> None:
    caller = stage.caller()
    content_set = int(await _content_set(stage, caller))
    body = {"identifiers": [content_set]}
    assert (await _start(caller, JOBS, json=body)).status == 202
    for options in ({"json": {**body, "parameters": {"a": "b"}}}, {"data": b'{"identifiers":[1'}):
        reply = await _start(caller, JOBS, **options)
        assert reply.status in (400, 422)
    assert (await _start(caller, path)).code == "idempotency_mismatch"
    # Another team's key is another key.
    assert (await _start(stage.caller("ol-operators"), path)).status == 202


async def _content_set(stage: Stage, caller: TestCaller) -> str:
    stage.simulator.change(operation_seconds=0.01)
    content_set = await caller.content_set()
    stage.simulator.change(operation_seconds=30)
    return content_set


async def test_while_the_first_is_under_way_the_second_waits_outside(
    peer: Peer, until: Any
) -> None:
    may_answer = asyncio.Event()

    async def answer_late(asked: Asked) -> None:
        await may_answer.wait()
        await saying(said("operationId: op-1", "Content-Length: 0", status="202 Accepted"))(asked)

    peer.script = answer_late
    patient = {"read_timeout: 15s": "read_timeout: 60s"}
    async with Stage(config=CONFIG.replace("{upstream}", peer.url), replace=patient) as stage:
        caller = stage.caller("ol-operators")
        first = asyncio.gather(_start(caller, f"{MAPPER}/7"))
        await until(lambda: peer.asked)
        second = await _start(caller, f"{MAPPER}/7")
        assert (second.status, second.code) == (409, "idempotency_in_progress")
        assert "Retry-After" in second.headers
        may_answer.set()
        assert (await first)[0].status == 202
    assert len(peer.asked) == 1


async def test_a_caller_who_leaves_does_not_take_along_what_is_being_sent(
    stage: Stage, until: Any
) -> None:
    """With a key, what is sent was taken in whole before."""
    path = f"{REST}{PRINT}"
    stage.simulator.change(operation_seconds=30)
    stage.simulator.faults.add("delay", method="POST", path=PRINT, seconds=0.3)
    data = b"[" + b" " * LARGE + b"]"
    kind = "Content-Type: application/octet-stream"
    lines = ("Idempotency-Key: k1", kind, f"Content-Length: {len(data)}")
    async with dial(stage.gateway.public.port) as wire:
        await wire.send(head("POST", path, *lines, token=stage.token("ol-billing")), data)
        await until(lambda: stage.requests(PRINT))
        wire.reset()
    await until(lambda: _started(stage))
    again = await _start(stage.caller(), PRINT, data=BytesIO(data))
    while again.status == 409:
        await asyncio.sleep(0.01)
        again = await _start(stage.caller(), PRINT, data=BytesIO(data))
    assert [again.headers["operationId"]] == _started(stage)


async def test_many_at_once_under_one_key_start_one(stage: Stage, path: str) -> None:
    caller = stage.caller()
    replies = await asyncio.gather(*(_start(caller, path) for _ in range(20)))
    assert {reply.status for reply in replies} <= {202, 409}
    assert len(_started(stage)) == 1


async def test_a_refused_start_leaves_the_key_free(stage: Stage, path: str) -> None:
    caller = stage.caller()
    stage.simulator.faults.add("error", path="datamining", status=500)
    assert (await _start(caller, path)).status == 500
    assert (await _start(caller, path)).status == 202
    assert len(_started(stage)) == 1


@pytest.mark.parametrize("key", ["", "x" * 256, "\u00e9"])
async def test_a_key_must_be_short_and_printable(stage: Stage, path: str, key: str) -> None:
    reply = await _start(stage.caller(), path, key)
    assert (reply.status, reply.code) == (400, "malformed_request")
    assert _started(stage) == []


async def test_a_lost_answer_is_found_again(stage: Stage, path: str) -> None:
    stage.simulator.faults.add("drop_after_start", method="POST", path="datamining")
    reply = await _start(stage.caller(), path)
    assert reply.status == 202
    assert [reply.headers["operationId"]] == _started(stage)
    again = await _start(stage.caller(), path)
    assert again.headers["operationId"] == reply.headers["operationId"]
    progress = await stage.caller().get(
        f"/workflow/datamining/getProgress/{reply.headers['operationId']}"
    )
    assert progress.status == 200


async def test_what_cannot_be_known_is_said_and_asked_for_again(stage: Stage, path: str) -> None:
    stage.simulator.faults.add("drop_after_start", method="POST", path="datamining")
    stage.simulator.faults.add("error", path="getOperations", status=500, times=1)
    reply = await _start(stage.caller(), path)
    assert (reply.status, reply.code) == (502, "upstream_unreachable")
    assert reply.json()["error"]["started"] == "unknown"
    again = await _start(stage.caller(), path)
    assert (again.status, [again.headers["operationId"]]) == (202, _started(stage))


async def test_an_end_before_anybody_looked_leaves_it_unknown(stage: Stage, path: str) -> None:
    stage.simulator.change(operation_seconds=0.001)
    stage.simulator.faults.add("drop_after_start", method="POST", path="datamining")
    stage.simulator.faults.add("delay", path="getOperations", seconds=0.1)
    for _ in range(2):
        reply = await _start(stage.caller(), path)
        assert reply.json()["error"]["started"] == "unknown"
    assert len(_started(stage)) == 1


async def test_a_proxys_bad_gateway_may_hide_a_start(stage: Stage, path: str) -> None:
    stage.simulator.faults.add("error", path="Promo-EN", status=504)
    assert (await _start(stage.caller(), path)).status == 504
    again = await _start(stage.caller(), path)
    assert again.json()["error"]["started"] == "unknown"


async def test_a_start_that_never_left_says_so(stage: Stage, path: str) -> None:
    await stage.simulator.stop()
    reply = await _start(stage.caller(), path)
    assert (reply.status, reply.json()["error"]["started"]) == (502, "no")


async def test_a_start_without_a_key_is_recovered_too(stage: Stage, path: str) -> None:
    stage.simulator.faults.add("drop_after_start", method="POST", path="datamining")
    reply = await stage.caller().post(path)
    assert (reply.status, [reply.headers["operationId"]]) == (202, _started(stage))


async def test_two_teams_that_lost_their_answers_together_get_nothing_of_each_other(
    stage: Stage, path: str
) -> None:
    other = stage.caller("ol-marketing")
    paths = {stage.caller(): path, other: f"{MAPPER}/{await other.upload()}"}
    stage.simulator.faults.add("drop_after_start", path="Promo-EN", times=2)
    stage.simulator.faults.add("delay", path="getOperations", seconds=0.1, times=4)
    replies = await asyncio.gather(*(_start(caller, path) for caller, path in paths.items()))
    for caller, reply in zip(paths, replies, strict=True):
        if reply.status == 202:
            assert (await caller.get(_progress(reply.headers["operationId"]))).status == 200
    owners = [
        {caller.token for caller in paths if (await caller.get(_progress(id_))).status == 200}
        for id_ in _started(stage)
    ]
    assert all(len(owner) <= 1 for owner in owners)
    given = [reply.headers["operationId"] for reply in replies if reply.status == 202]
    assert len(set(given)) == len(given)


def _progress(operation: str) -> str:
    return f"/workflow/datamining/getProgress/{operation}"


async def test_keys_ends_and_owners_outlive_a_restart(tmp_path: Path, stage: Stage) -> None:
    settings, first_gateway = stage.settings(), stage.gateway
    store = replace(settings.store, kind="sqlite", path=tmp_path / "olgw.db")
    settings = settings.model_copy(update={"store": store})
    stage.gateway = await Gateway.open(settings)
    caller = stage.caller()
    try:
        stage.simulator.change(operation_seconds=0.01, done_seconds=0)
        path = f"{MAPPER}/{await caller.upload()}"
        ended = await caller.start(path)
        await caller.result("datamining", ended)
        stage.simulator.change(operation_seconds=30)
        operation = (await _start(caller, path)).headers["operationId"]
        await stage.gateway.close()
        stage.gateway = await Gateway.open(settings)
        assert (await _start(caller, path)).headers["operationId"] == operation
        assert _started(stage) == [ended, operation]
        # OL Connect says 404 by now; the gateway remembers.
        assert (await caller.get(_progress(ended))).text == "done"
        assert (await stage.caller("ol-marketing").get(_progress(ended))).code == "not_found"
        assert (await caller.get(_progress(operation))).text.isdigit()
    finally:
        await stage.gateway.close()
        stage.gateway = first_gateway


async def test_a_start_costs_the_store_two_writes_and_three_with_a_key(
    stage: Stage, path: str
) -> None:
    store = stage.gateway.ledger._store
    writes: list[str] = []

    def counting(name: str) -> None:
        method = getattr(store, name)

        async def counted(*arguments: Any, **options: Any) -> Any:
            writes.append(name)
            return await method(*arguments, **options)

        setattr(store, name, counted)

    for name in ("apply", "swap", "put_if_absent", "put", "put_many"):
        counting(name)
    stage.gateway.poller.pace = lambda age, percent, *, listened: 3600.0
    await stage.caller().start(path)
    assert writes == ["apply", "apply"]
    writes.clear()
    await _start(stage.caller(), path)
    assert (len(writes), writes[0], writes[-1]) == (3, "apply", "apply")
