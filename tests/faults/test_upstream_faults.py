"""Faults between gateway and OL Connect, judged by what OL Connect says it was asked."""

import asyncio
import hashlib
from typing import Any

import aiohttp
import pytest

from tests.support.faultproxy import NONE, Fault
from tests.support.faulty import FaultyStage, recovers, tally
from tests.support.stage import TestCaller

FILE = b"a line of data;\n" * 20_000
LIST = "/entity/datasets"


@pytest.fixture
def caller(faulty: FaultyStage) -> TestCaller:
    return faulty.caller("ol-operators")


async def uploaded(faulty: FaultyStage, caller: TestCaller) -> str:
    """The path of a file at OL Connect; what led to it is struck from the record."""
    path = f"/filestore/file/{await caller.upload(FILE, 'data.csv')}"
    faulty.simulator.record.clear()
    return path


def written(value: str) -> list[dict[str, str]]:
    return [{"name": "value", "value": value}]


@pytest.mark.parametrize(
    "fault",
    [Fault(latency_seconds=0.02), Fault(slice_bytes=7), Fault(bytes_per_second=400_000)],
    ids=["latency", "slices", "slow"],
)
async def test_a_bad_line_changes_nothing_but_the_time(
    faulty: FaultyStage, caller: TestCaller, fault: Fault
) -> None:
    content = FILE[:20_000]
    path = f"/filestore/file/{await caller.upload(content, 'data.csv')}"
    faulty.simulator.record.clear()
    faulty.upstream.fault = fault
    replies = await asyncio.gather(*(caller.get(path) for _ in range(5)))
    assert [(reply.status, reply.body) for reply in replies] == [(200, content)] * 5
    faulty.as_authorised(("GET", path))
    assert faulty.arrivals("GET", path) == 5


@pytest.mark.parametrize(
    ("fault", "code"),
    [
        (Fault(reset_at_once=True), "upstream_unreachable"),
        (Fault(cut_requests_after_bytes=20, resets=True), "upstream_unreachable"),
        (Fault(cut_after_bytes=10), "upstream_unreachable"),
    ],
    ids=["reset", "cut request", "cut head"],
)
async def test_what_breaks_off_is_asked_less_and_recovers_in_time(
    faulty: FaultyStage, fault: Fault, code: str
) -> None:
    await _is_asked_less_and_recovers(faulty, fault, code)


async def test_what_says_nothing_is_asked_less_and_recovers_in_time(impatient: FaultyStage) -> None:
    await _is_asked_less_and_recovers(impatient, Fault(black_hole=True), "upstream_timeout")


async def _is_asked_less_and_recovers(faulty: FaultyStage, fault: Fault, code: str) -> None:
    caller = faulty.caller("ol-operators")
    await caller.get(LIST)
    faulty.simulator.record.clear()
    with faulty.hand.holding():  # otherwise it might be time for a probe
        faulty.upstream.fault = fault
        faulty.upstream.reset()
        replies = await asyncio.gather(*(caller.get(LIST) for _ in range(15)))
        assert code in {reply.code for reply in replies}
        allowed = {code, "upstream_invalid_response", "upstream_overloaded"}
        assert {reply.code for reply in replies} <= allowed
        refused = await caller.get(LIST)
        assert (refused.status, refused.code) == (503, "upstream_overloaded")
        assert int(refused.headers["Retry-After"]) >= 1
    faulty.upstream.fault = NONE
    await recovers(lambda: caller.get(LIST))
    faulty.as_authorised(("GET", LIST))
    async with faulty.session.get(f"{faulty.admin_url}/metrics") as response:
        assert "olgw_upstream_breaker_state 0.0" in await response.text()


async def test_a_refusing_server_gets_nothing_and_starts_say_so(
    faulty: FaultyStage, caller: TestCaller
) -> None:
    file = await caller.upload()
    faulty.simulator.record.clear()
    faulty.upstream.refuse()
    start = f"/workflow/datamining/Promo-EN.OL-datamapper/{file}"
    with faulty.hand.holding():  # otherwise it might be time for a probe
        replies = [await caller.post(start) for _ in range(12)]
    assert tally(replies) == {502: 10, 503: 2}
    assert all(reply.json()["error"]["started"] == "no" for reply in replies)
    await faulty.upstream.listen()
    await recovers(lambda: caller.get(LIST))
    assert not faulty.simulator.record.operations
    faulty.as_authorised(("GET", LIST))


@pytest.mark.parametrize("resets", [False, True])
async def test_an_answer_cut_off_never_looks_complete(
    faulty: FaultyStage, caller: TestCaller, *, resets: bool
) -> None:
    path = await uploaded(faulty, caller)
    faulty.upstream.fault = Fault(cut_after_bytes=150_000, resets=resets)
    faulty.upstream.reset()
    with pytest.raises(aiohttp.ClientError):
        await caller.get(path)
    faulty.upstream.fault = NONE
    whole = await caller.get(path)
    assert whole.body == FILE
    faulty.as_authorised(("GET", path))


async def test_a_write_whose_answer_is_lost_is_applied_once(
    faulty: FaultyStage, caller: TestCaller
) -> None:
    data_set = await caller.data_set()
    path = f"/entity/datasets/{data_set}/properties"
    await caller.put(path, json={"id": int(data_set), "properties": written("before")})
    assert (await caller.get(path)).json() == written("before")
    faulty.simulator.record.clear()
    faulty.upstream.fault = Fault(cut_after_bytes=0, resets=True)
    lost = await caller.put(path, json={"id": int(data_set), "properties": written("after")})
    assert (lost.status, lost.code) == (502, "upstream_unreachable")
    assert faulty.arrivals("PUT", path) == 1
    faulty.upstream.fault = NONE
    # It may have been applied, so what the cache knew counts no more.
    assert (await caller.get(path)).json() == written("after")
    faulty.as_authorised(("PUT", path), ("GET", path))


async def test_a_kept_connection_that_has_gone_costs_readers_nothing_and_writers_no_second_write(
    faulty: FaultyStage, caller: TestCaller
) -> None:
    data_set = await caller.data_set()
    path = f"/entity/datasets/{data_set}/properties"
    for number in range(6):
        await caller.get(LIST)
        faulty.upstream.reset()
        assert (await caller.get(LIST)).status == 200
        faulty.upstream.reset()
        body = {"id": int(data_set), "properties": written(str(number))}
        assert (await caller.put(path, json=body)).status in (200, 502)
    sent = [entry.body_sha256 for entry in faulty.requests(path) if entry.method == "PUT"]
    assert len(sent) == len(set(sent))


async def test_a_start_whose_answer_is_lost_is_found_again(faulty: FaultyStage) -> None:
    billing = faulty.caller("ol-billing")
    file = await billing.upload()
    faulty.simulator.change(operation_seconds=120.0)
    path = f"/workflow/datamining/Promo-EN.OL-datamapper/{file}"
    faulty.simulator.faults.add("drop_after_start", path="datamining/Promo")
    headers = {"Idempotency-Key": "one-of-its-kind"}
    first = await billing.post(path, headers=headers)
    again = await billing.post(path, headers=headers)
    (begun,) = faulty.simulator.record.operations
    assert (first.status, first.headers["operationId"]) == (202, begun.id)
    assert (again.status, again.headers["operationId"]) == (202, begun.id)


async def test_an_upload_cut_off_on_its_way_is_no_shorter_file(
    faulty: FaultyStage, caller: TestCaller
) -> None:
    await caller.get(LIST)
    faulty.upstream.fault = Fault(cut_requests_after_bytes=100_000, resets=True)
    reply = await caller.post("/filestore/DataFile?filename=a.csv", data=FILE)
    assert reply.status == 502
    faulty.upstream.fault = NONE
    await recovers(lambda: caller.get(LIST))
    # Not once is there a request that OL Connect took for whole.
    assert [entry.status for entry in faulty.requests("DataFile")] in ([], [0])


async def test_a_server_that_vanished_without_a_word_is_found_out_in_time(
    impatient: FaultyStage,
) -> None:
    caller = impatient.caller("ol-operators")
    await caller.get(LIST)
    impatient.upstream.fault = Fault(half_open=True)
    port = impatient.simulator.port
    await impatient.simulator.stop()
    assert (await caller.get(LIST)).status in (502, 504)
    await impatient.simulator.start(port=port)
    impatient.upstream.fault = NONE
    await recovers(lambda: caller.get(LIST))


async def test_what_must_stay_whole_stays_whole_while_the_line_breaks_again_and_again(
    faulty: FaultyStage, caller: TestCaller
) -> None:
    path = await uploaded(faulty, caller)
    digest = hashlib.sha256(FILE).hexdigest()
    faults = [Fault(cut_after_bytes=90_000), NONE, Fault(reset_at_once=True), NONE]

    async def download(number: int) -> Any:
        faulty.upstream.fault = faults[number % len(faults)]
        try:
            reply = await caller.get(path)
        except aiohttp.ClientError:
            return None
        return hashlib.sha256(reply.body).hexdigest() if reply.status == 200 else reply.status

    outcomes = {await download(number) for number in range(12)}
    assert outcomes <= {digest, None, 502, 503}
    assert digest in outcomes
    assert None in outcomes
