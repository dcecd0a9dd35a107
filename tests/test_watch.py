"""Operations are watched to their end, whoever asks and whatever happens meanwhile."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest

from gateway.app import Gateway
from gateway.model import Status
from gateway.operation import Operation
from gateway.poller import Watch
from gateway.wiring import Clock
from tests.support.stage import Stage, TestCaller

API = "/api/v1/operations"
RUN = "/api/v1/pipelines/invoice"
DATA = b'[{"Name":"Jane"}]'
WAIT = {"Prefer": "wait=10"}


def _hurry(gateway: Gateway) -> None:
    gateway.poller.pace = lambda age, percent, *, listened: 0.01


async def _eventually(look: Callable[[], Awaitable[bool]]) -> None:
    async with asyncio.timeout(30):
        while not await look():  # noqa: ASYNC110
            await asyncio.sleep(0.005)


async def _run(caller: TestCaller, data: bytes = DATA) -> str:
    return str((await caller.post(RUN, data=data)).json()["id"])


async def _ended(stage: Stage, id_: str) -> Operation:
    """The ledger's record, once the operation has ended; nobody asks OL Connect but the watcher."""

    async def look() -> bool:
        found = await stage.gateway.ledger.operation(id_)
        return found is not None and found.ended

    await _eventually(look)
    operation = await stage.gateway.ledger.operation(id_)
    assert operation is not None
    return operation


def _options(stage: Stage, **changes: Any) -> None:
    stage.simulator.options = replace(stage.simulator.options, **changes)


async def test_the_end_is_learned_without_anybody_asking(stage: Stage) -> None:
    _hurry(stage.gateway)
    caller = stage.caller()
    file = await caller.upload()
    id_ = await caller.start(f"/workflow/datamining/Promo-EN.OL-datamapper/{file}")
    assert (await _ended(stage, id_)).status is Status.SUCCEEDED
    # What clients of OL Connect fetch themselves may be given away once: it is left to them.
    assert stage.requests("getResult") == []
    finished = stage.gateway.metrics.operations_finished
    assert finished.labels("data_mapping", "billing", "succeeded").value == 1


async def test_who_asks_once_is_told_how_it_stands_now(stage: Stage) -> None:
    stage.gateway.poller.pace = lambda age, percent, *, listened: 0.0 if listened else 3600.0
    caller = stage.caller()
    id_ = await _run(caller)
    await stage.end_of("print", id_)
    assert (await caller.get(f"{API}/{id_}")).json()["status"] == "succeeded"
    id_ = await _run(caller)
    await stage.end_of("print", id_)
    assert (await caller.get(f"{API}/{id_}/result")).status == 200


async def test_who_asks_is_answered_also_while_ol_connect_is_silent(stage: Stage) -> None:
    stage.gateway.poller.pace = lambda age, percent, *, listened: 0.0 if listened else 3600.0
    caller = stage.caller()
    _options(stage, operation_seconds=60)
    id_ = await _run(caller)
    await stage.simulator.stop()
    assert (await caller.get(f"{API}/{id_}")).json()["status"] == "running"


async def test_a_restart_resumes(stage: Stage, tmp_path: Path) -> None:
    _options(stage, operation_seconds=0.3)
    stage.replace = {'store: "memory:"': f'store: "sqlite:{tmp_path}/olgw.db"'}
    caller = stage.caller()
    stage.gateway = await Gateway.open(stage.settings())
    stage.gateway.poller.pace = lambda age, percent, *, listened: 3600.0
    id_ = await _run(caller)
    await stage.gateway.close()
    assert stage.requests("getManagedResult") == []
    stage.gateway = await Gateway.open(stage.settings())
    try:
        _hurry(stage.gateway)
        seen = await caller.get(f"{API}/{id_}", headers=WAIT)
        assert seen.json()["status"] == "succeeded"
        result = await caller.get(f"{API}/{id_}/result")
        assert result.body.startswith(b"%PDF")
        finished = stage.gateway.metrics.operations_finished
        assert finished.labels("all_in_one", "billing", "succeeded").value == 1
    finally:
        await stage.gateway.close()


@pytest.mark.parametrize("fault", ["error", "drop_before", "garbage_head", "truncate"])
async def test_trouble_on_the_way_is_not_the_operations(stage: Stage, fault: str) -> None:
    _hurry(stage.gateway)
    stage.simulator.faults.add(fault, path="getProgress", times=3, status=503)
    stage.simulator.faults.add("drop_before", path="getManagedResult")
    caller = stage.caller()
    reply = await caller.get(f"{API}/{await _run(caller)}", headers=WAIT)
    assert reply.json()["status"] == "succeeded"


async def test_an_operation_that_vanished_has_failed(stage: Stage) -> None:
    _options(stage, operation_seconds=60.0)
    _hurry(stage.gateway)
    caller = stage.caller()
    id_ = await _run(caller)
    operations = stage.simulator.engine.operations
    operations.cancel(operations.get("PrintRestService", id_, stage.simulator.options))
    operation = await _ended(stage, id_)
    assert operation.status is Status.FAILED
    shown = (await caller.get(f"{API}/{id_}")).json()["problem"]
    assert shown["code"] == "upstream_invalid_response"
    assert "no longer knows the operation" in shown["detail"]


@pytest.mark.parametrize(
    "options",
    [{}, {"managed_result": "json"}, {"done_seconds": 0.0}, {"result_twice": "gone"}],
    ids=str,
)
async def test_every_kind_of_server(stage: Stage, options: dict[str, Any]) -> None:
    _options(stage, **options)
    _hurry(stage.gateway)
    caller = stage.caller()
    reply = await caller.post(RUN, data=DATA, headers=WAIT)
    assert (reply.status, reply.body[:4]) == (200, b"%PDF")
    again = await caller.get(f"{API}/{reply.headers['operationId']}/result")
    assert again.body == reply.body


async def test_a_server_without_managed_results(stage: Stage) -> None:
    _hurry(stage.gateway)
    stage.simulator.faults.add("error", path="getManagedResult", status=404, times=None)
    reply = await stage.caller().post(RUN, data=DATA, headers=WAIT)
    assert (reply.status, reply.body[:4]) == (200, b"%PDF")
    assert reply.headers["Content-Type"] == "application/pdf"


async def test_the_other_faces_failure_is_found_with_its_result(stage: Stage) -> None:
    _hurry(stage.gateway)
    caller = stage.caller()
    path = (
        "/workflow/print/Promo-EN.OL-datamapper/letter-ol.OL-template/0/Print-PDF.OL-outputpreset"
    )
    id_ = await caller.start(path, data=b"\xff no data")
    # OL Connect's progress only says that it has ended.
    assert (await _ended(stage, id_)).status is Status.SUCCEEDED
    reply = await caller.get(f"{API}/{id_}/result")
    assert (reply.status, reply.code) == (404, "not_found")
    assert reply.json()["operation"]["status"] == "failed"


async def test_done_is_not_taken_for_success(stage: Stage) -> None:
    stage.gateway.poller.pace = lambda age, percent, *, listened: 0.01 if listened else 3600.0
    caller = stage.caller()
    id_ = await _run(caller, b"\xff no data")

    async def done() -> bool:
        return (await caller.get(f"/workflow/print/getProgress/{id_}")).body == b"done"

    await _eventually(done)
    found = await stage.gateway.ledger.operation(id_)
    assert found is not None
    assert found.status is Status.RUNNING
    reply = await caller.get(f"{API}/{id_}", headers=WAIT)
    assert reply.json()["status"] == "failed"


async def test_a_plain_look_makes_the_watcher_attentive(stage: Stage) -> None:
    # By itself it would look after an hour.
    stage.gateway.poller.pace = lambda age, percent, *, listened: 0.2 if listened else 3600.0
    caller = stage.caller()
    id_ = await _run(caller)

    async def succeeded() -> bool:
        return bool((await caller.get(f"{API}/{id_}")).json()["status"] == "succeeded")

    await _eventually(succeeded)


@dataclass
class Time:
    offset: float = 0.0

    def __call__(self) -> float:
        return time.time() + self.offset


async def test_after_a_day_nobody_asks_any_more() -> None:
    now = Time()
    async with Stage(clock=Clock(now=now)) as stage:
        _options(stage, operation_seconds=1e6)
        _hurry(stage.gateway)
        await _run(stage.caller())
        now.offset = 2 * 86_400.0

        async def given_up() -> bool:
            return "operations=0" in repr(stage.gateway.watcher)

        await _eventually(given_up)


def _operation(**changes: Any) -> Operation:
    operation = Operation("a", "s", "s.e", "t", "i", "u", "c", 0.0, progress=50)
    return replace(operation, **changes)


async def test_an_older_record_is_not_taken_over() -> None:
    watch = Watch(_operation(), 0.0)
    watch.update(_operation(progress=40))
    assert watch.operation.progress == 50
    watch.update(_operation(progress=60))
    assert watch.operation.progress == 60
    watch.update(_operation(status=Status.FAILED))
    watch.update(_operation(progress=70))
    assert watch.operation.status is Status.FAILED
    assert watch.over
