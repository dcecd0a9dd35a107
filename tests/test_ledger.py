"""Who brought about what, and how operations ended."""

import time
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import pytest

from gateway.ledger import ENDED_SECONDS, Ledger
from gateway.model import Kind, Status, Thing
from gateway.operation import Operation
from gateway.ownership import Ownership
from gateway.problems import StoreUnavailable
from gateway.rules.policy import Rulebook
from gateway.stores import Store, open_store
from tests.support.stage import CONFIG, settings_of

JOB = Thing(Kind.JOB, "5")


class Time:
    def __init__(self) -> None:
        self.now = 1_700_000_000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Time:
    return Time()


@pytest.fixture(params=["memory:", "sqlite:ledger.db"])
async def store(request: Any, tmp_path: Path, clock: Time) -> AsyncIterator[Store]:
    store = await open_store(request.param, base=tmp_path, now=clock)
    yield store
    await store.close()


@pytest.fixture
def ledger(store: Store, clock: Time) -> Ledger:
    return Ledger(store, clock)


def operation(id_: str = "op-1", team: str = "billing", created: float = 0.0) -> Operation:
    return Operation(
        id_, "data_mapping", "data_mapping.process", team, "corporate", "jane", "printing", created
    )


async def test_what_was_learned_first_stays(ledger: Ledger) -> None:
    await ledger.learn("billing", [JOB, JOB])
    await ledger.learn("marketing", [JOB, Thing(Kind.JOB, "6")])
    things = [JOB, Thing(Kind.JOB, "6"), Thing(Kind.JOB, "7")]
    assert await ledger.owners(things) == ["billing", "marketing", None]
    assert await ledger.owned("billing", things) == {JOB}


async def test_kinds_number_their_objects_apart(ledger: Ledger) -> None:
    await ledger.learn("billing", [JOB])
    assert await ledger.owners([Thing(Kind.JOB_SET, "5"), Thing(Kind.FILE, "5")]) == [None, None]


async def test_a_preset_is_a_file(ledger: Ledger) -> None:
    await ledger.learn("billing", [Thing(Kind.PRESET, "8")])
    assert await ledger.owners([Thing(Kind.FILE, "8")]) == ["billing"]


async def test_another_ledger_on_the_same_store_knows_it_too(
    ledger: Ledger, store: Store, clock: Time
) -> None:
    await ledger.learn("billing", [JOB])
    await ledger.claim(operation())
    other = Ledger(store, clock)
    assert other.recall(JOB) is None
    assert await other.owners([JOB, Thing(Kind.OPERATION, "op-1")]) == ["billing", "billing"]


async def test_an_operation_ends_once(store: Store, clock: Time) -> None:
    ended: list[Operation] = []
    ledger = Ledger(store, clock, ended.append)
    await ledger.claim(operation())
    assert await ledger.count_running("billing") == 1
    job_set = Thing(Kind.JOB_SET, "3")
    await ledger.progress("op-1", 40)
    assert (await ledger.progress("op-1", 30) or operation()).progress == 40
    await ledger.end("op-1", Status.SUCCEEDED)
    last = await ledger.end("op-1", Status.SUCCEEDED, result=[job_set])
    assert last is not None
    assert (last.status, last.progress, last.result) == (Status.SUCCEEDED, 100, (job_set,))
    assert await ledger.count_running("billing") == 0
    assert await ledger.running() == []
    assert [each.id for each in ended] == ["op-1"]


async def test_a_result_may_tell_that_it_failed_after_all(ledger: Ledger) -> None:
    await ledger.claim(operation())
    await ledger.end("op-1", Status.SUCCEEDED)
    failed = await ledger.end("op-1", Status.FAILED, problem={"status": 500, "detail": "x"})
    assert failed is not None
    assert failed.status is Status.FAILED
    again = await ledger.end("op-1", Status.CANCELED)
    assert again is not None
    assert again.status is Status.FAILED


async def test_nobodys_operation_ends_without_a_trace(ledger: Ledger) -> None:
    assert await ledger.end("unknown", Status.SUCCEEDED) is None
    assert await ledger.progress("unknown", 5) is None


async def test_the_end_is_remembered_for_a_day(ledger: Ledger, clock: Time) -> None:
    await ledger.claim(operation())
    await ledger.end("op-1", Status.SUCCEEDED)
    clock.now += ENDED_SECONDS - 1
    assert await ledger.operation("op-1") is not None
    assert await ledger.operations("billing", limit=5) != []
    clock.now += 2
    assert await ledger.operation("op-1") is None
    assert await ledger.operations("billing", limit=5) == []


async def test_a_teams_operations_come_newest_first(ledger: Ledger) -> None:
    for number in range(5):
        await ledger.claim(operation(f"op-{number}", created=float(number)))
    await ledger.claim(operation("other", "marketing", 9.0))
    assert [each.id for each in await ledger.operations("billing", limit=2)] == ["op-4", "op-3"]
    assert [each.id for each in await ledger.running("billing", limit=2)] == ["op-0", "op-1"]


async def test_a_team_whose_operations_run_is_found_for_as_long_as_they_do(
    ledger: Ledger, store: Store, clock: Time
) -> None:
    """By another process, too, which has no list of its own of the teams."""
    for number in range(1300):  # more than a week, and never long without a start
        clock.now += 500
        await ledger.claim(operation(f"op-{number}", created=clock.now))
    running = await Ledger(store, clock).running()
    assert (running[-1].id, len(running)) == ("op-1299", 7 * 86_400 // 500 + 1)


async def test_everybodys_running_operations_come_oldest_first(
    ledger: Ledger, store: Store, clock: Time
) -> None:
    for number, team in enumerate(("billing", "marketing", "billing", "marketing")):
        await ledger.claim(operation(f"op-{number}", team, created=float(number)))
    await ledger.end("op-1", Status.SUCCEEDED)
    other = Ledger(store, clock)
    assert [each.id for each in await other.running()] == ["op-0", "op-2", "op-3"]
    assert [each.id for each in await other.running(limit=2)] == ["op-0", "op-2"]


async def test_a_list_of_operations_has_those_that_run_and_those_that_ended(
    ledger: Ledger, clock: Time
) -> None:
    for number in range(6):
        await ledger.claim(operation(f"op-{number}", created=float(number)))
    for number in (0, 3, 5):
        await ledger.end(f"op-{number}", Status.SUCCEEDED)
    found = await ledger.operations("billing", limit=4)
    assert [each.id for each in found] == ["op-5", "op-4", "op-3", "op-2"]


async def test_an_end_is_one_write(
    ledger: Ledger, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nothing can stop between an operation's record and the lists that it stands in."""
    await ledger.claim(operation())

    async def refused(*arguments: Any) -> None:
        raise StoreUnavailable

    monkeypatch.setattr(store, "apply", refused)
    await ledger.end("op-1", Status.SUCCEEDED)
    assert await ledger.running() == []
    assert [each.status for each in await ledger.operations("billing", limit=9)] == ["succeeded"]
    assert await ledger.owners([Thing(Kind.OPERATION, "op-1")]) == ["billing"]


def _best_microseconds(work: Callable[[], None], rounds: int = 200) -> float:
    best = float("inf")
    for _ in range(rounds):
        began = time.perf_counter()
        work()
        best = min(best, time.perf_counter() - began)
    return best * 1e6


async def test_an_ownership_check_of_what_is_known_takes_less_than_30_us(ledger: Ledger) -> None:
    settings = settings_of(
        CONFIG.format(upstream="http://127.0.0.1:1", issuer="http://127.0.0.1:2")
    )
    team = Rulebook(settings).team("billing")
    assert team is not None
    await ledger.learn("billing", [JOB])
    ownership, things = Ownership(ledger), [JOB]

    def check() -> None:
        coroutine = ownership.require(team, things)
        # It does not wait for anything, so one step is all of it.
        with pytest.raises(StopIteration):
            coroutine.send(None)

    def nothing() -> None:
        with pytest.raises(StopIteration):
            raise StopIteration

    assert _best_microseconds(check) - _best_microseconds(nothing) < 30
