"""Starts that an ended gateway left behind, found by the housekeeping of the next one."""

import asyncio
import time
from dataclasses import dataclass, field

import pytest

from gateway.model import Kind, Thing
from gateway.operation import Operation
from gateway.recovery import Recovery, record_of
from gateway.rules.clock_offset import ClockOffset
from gateway.simulator.operations import Outcome
from gateway.tasks import TaskSet
from tests.support.stage import Stage


@dataclass
class Rescue:
    """A gateway just opened on a store in which attempts of another one stand."""

    stage: Stage
    recovery: Recovery
    adopted: dict[str, str] = field(default_factory=dict)

    async def attempt(self, id_: str, *, ago: float = 0.0, team: str = "billing") -> Operation:
        created = time.time() - ago
        attempt = Operation(
            id_, "data_mapping", "data_mapping.process", team, "corporate", "jane", "printing",
            created, idempotency=("idempotency:" + id_, "fingerprint-" + id_),
        )  # fmt: skip
        await self.stage.gateway.ledger._store.apply([record_of(attempt)])
        return attempt

    def begin(self) -> str:
        """What OL Connect began, and nobody was told of."""
        engine = self.stage.simulator.engine
        operation = engine.start(
            "DataMiningRestService", lambda: Outcome("Data-Set-ID", "1"), records=0, who="svc"
        )
        return operation.id

    async def sweep(self) -> int:
        async def adopt(attempt: Operation, operation: Operation) -> None:
            self.adopted[attempt.id] = operation.id
            await self.stage.gateway.ledger.claim(operation)
            self.recovery.forget(attempt)

        return await self.recovery.sweep(adopt)

    async def owner(self, operation_id: str) -> str | None:
        thing = Thing(Kind.OPERATION, operation_id)
        return (await self.stage.gateway.ledger.look_up([thing]))[0]


@pytest.fixture
async def rescue(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> Rescue:
    # A test may stand still between two looks at the clock.
    monkeypatch.setattr("gateway.recovery._LAG_SECONDS", 60.0)
    stage.simulator.change(operation_seconds=30)
    ledger = stage.gateway.ledger
    recovery = Recovery(
        store=ledger._store,
        ledger=ledger,
        connect=stage.gateway.poller._connect,
        now=time.time,
        longest_seconds=63.0,
    )
    return Rescue(stage, recovery)


async def test_a_killed_gateways_start_is_found(rescue: Rescue) -> None:
    await rescue.attempt("1")
    began = rescue.begin()
    assert await rescue.sweep() == 1
    assert rescue.adopted == {"1": began}
    assert await rescue.owner(began) == "billing"


async def test_of_two_of_one_team_only_the_team_is_certain(rescue: Rescue) -> None:
    for id_ in "12":
        await rescue.attempt(id_)
    began = [rescue.begin(), rescue.begin()]
    assert await rescue.sweep() == 2
    assert rescue.adopted == {}
    assert [await rescue.owner(id_) for id_ in began] == ["billing"] * 2


async def test_of_two_teams_nothing_is_certain(rescue: Rescue) -> None:
    await rescue.attempt("1")
    await rescue.attempt("2", team="marketing")
    began = rescue.begin()
    assert await rescue.sweep() == 0
    assert await rescue.owner(began) is None


async def test_what_began_before_the_start_was_sent_is_somebody_elses(rescue: Rescue) -> None:
    began = rescue.begin()
    await rescue.attempt("1", ago=-3.0)  # of OL Connect's clock a second is known
    assert await rescue.sweep() == 0
    assert await rescue.owner(began) is None


async def test_what_began_long_after_it_is_somebody_elses_too(rescue: Rescue) -> None:
    await rescue.attempt("1", ago=300.0)
    began = rescue.begin()
    assert await rescue.sweep() == 0
    assert await rescue.owner(began) is None


async def test_an_outage_of_ol_connect_only_delays_it(rescue: Rescue) -> None:
    await rescue.attempt("1")
    began = rescue.begin()
    rescue.stage.simulator.faults.add("error", path="getOperations", status=500, times=1)
    assert await rescue.sweep() == 0
    assert await rescue.sweep() == 1
    assert rescue.adopted == {"1": began}


@pytest.mark.parametrize("ahead", [-90.0, 90.0])
async def test_a_clock_that_goes_wrong_is_reckoned_with(rescue: Rescue, ahead: float) -> None:
    """OL Connect says what time it is in its answer's Date."""
    simulator = rescue.stage.simulator
    simulator.engine.operations._now = lambda: time.time() + ahead
    await rescue.attempt("1")
    rescue.begin()
    # Its Date is the machine's own here, so that the times do not fit: nothing may be given out.
    assert await rescue.sweep() == 0


async def test_a_list_that_comes_slowly_says_nothing_of_the_clock(
    rescue: Rescue, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its Date is older then than what it says: of two lost starts the later was given the earlier
    one's operation, which was another team's."""
    simulator, now = rescue.stage.simulator, time.time()
    first = await rescue.attempt("1", ago=3.0)
    simulator.faults.add("error", path="getOperations", status=500, times=1)
    with monkeypatch.context() as earlier:
        earlier.setattr(rescue.recovery, "_now", lambda: now - 2.9)
        assert await rescue.recovery.find(first) is None
        earlier.setattr(simulator.engine.operations, "_now", lambda: now - 2.95)
        rescue.begin()
    simulator.faults.add("slow_body", path="getOperations", seconds=2.4)
    second = await rescue.attempt("2", team="marketing")
    assert await rescue.recovery.find(second) is None


async def test_without_a_date_nothing_is_given_out_and_nothing_is_taken_for_proof(
    rescue: Rescue, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ClockOffset, "told", lambda self, *_: self)
    monkeypatch.setattr(rescue.recovery._connect, "clock_offset", ClockOffset())
    mine = await rescue.attempt("1")
    rescue.recovery.announce(mine)
    rescue.begin()
    monkeypatch.setattr(rescue.recovery, "_now", lambda: mine.created + 0.01)
    assert await rescue.recovery.find(mine) is None
    assert not rescue.recovery.is_excluded(mine)


async def test_what_a_team_was_given_may_have_been_any_start_of_its(
    rescue: Rescue, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Or else one that is looked for at the same moment would seem never to have begun, and would
    be sent again."""
    recovery = rescue.recovery
    await rescue.attempt("1")
    mine = await rescue.attempt("2")
    recovery.announce(mine)
    monkeypatch.setattr(rescue.stage.simulator.engine.operations, "_now", lambda: mine.created)
    monkeypatch.setattr(recovery, "_now", lambda: mine.created + 0.01)
    began = rescue.begin()
    async with recovery._turns[mine.service]:
        sweeping = TaskSet().start(rescue.sweep())
        await asyncio.sleep(0)  # it waits for its turn
        finding = TaskSet().start(recovery.find(mine))
        await asyncio.sleep(0)
    assert await sweeping == 1
    assert await rescue.owner(began) == "billing"
    assert await finding is None
    assert not recovery.is_excluded(mine)


async def test_what_never_began_is_known_if_it_is_asked_for_at_once(
    rescue: Rescue, monkeypatch: pytest.MonkeyPatch
) -> None:
    mine = await rescue.attempt("1")
    rescue.recovery.announce(mine)
    monkeypatch.setattr(rescue.recovery, "_now", lambda: mine.created + 0.01)
    assert await rescue.recovery.find(mine) is None
    assert rescue.recovery.is_excluded(mine)
