"""Any order of reads, writes, losses and departures: what was written is what is read.

OL Connect's side is a number per entity. Each of its steps waits until the machine lets it happen.
"""

import asyncio
import functools
import random
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any, ClassVar

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule, run_state_machine_as_test

from gateway.cache import CacheKey, Fetched, PropertyCache, wire
from gateway.cache.entries import Found
from gateway.cache.generations import Generations
from gateway.cache.local import LocalEntries
from gateway.cache.shared import SharedEntries
from gateway.model import Kind, Thing
from gateway.problems import Problem, UpstreamTimeout
from gateway.settings import PropertiesCache
from gateway.stores import Store, open_store
from gateway.tasks import TaskSet

THINGS = [Thing(Kind.JOB, "1"), Thing(Kind.JOB, "2")]
KEYS = [
    CacheKey("a", THINGS[0], "properties"),
    CacheKey("b", THINGS[0], "metadata"),
    CacheKey("a", THINGS[1], "properties"),
]
SETTINGS = PropertiesCache().model_copy(update={"ttl": 60.0, "stale_if_error": 120.0})


class Machine(RuleBasedStateMachine):
    """``answered`` is the least that a read may bring that begins now."""

    url: ClassVar[str] = "memory:"
    caches_count: ClassVar[int] = 1
    settle_seconds: ClassVar[float] = 0.0

    def __init__(self) -> None:
        super().__init__()
        self.loop = asyncio.new_event_loop()
        self.now = 1_700_000_000.0
        self.tasks = TaskSet()
        self.versions: Counter[Thing] = Counter()
        self.answered: Counter[Thing] = Counter()
        self.steps: list[asyncio.Future[None]] = []
        self.callers: list[asyncio.Task[None]] = []
        self.violations: list[str] = []
        self.stores: list[Store] = []
        self.caches = [
            self.loop.run_until_complete(self._cache()) for _ in range(self.caches_count)
        ]

    async def _cache(self) -> PropertyCache:
        store = await open_store(self.url, base=Path())
        self.stores.append(store)
        return PropertyCache(
            SETTINGS,
            store,
            now=lambda: self.now,
            tasks=self.tasks,
            observe=lambda _: None,
            invalidated=lambda: None,
        )

    @rule(
        cache=st.integers(0, 2),
        key=st.sampled_from(KEYS),
        no_cache=st.sampled_from([False, False, False, True]),
        at_once=st.booleans(),
    )
    def read(self, cache: int, key: CacheKey, no_cache: bool, at_once: bool) -> None:
        self._start(self._read(self.caches[cache % self.caches_count], key, no_cache), at_once)

    @rule(
        cache=st.integers(0, 2),
        things=st.none() | st.lists(st.sampled_from(THINGS), min_size=1, max_size=2),
        at_once=st.booleans(),
    )
    def write(self, cache: int, things: list[Thing] | None, at_once: bool) -> None:
        self._start(self._write(self.caches[cache % self.caches_count], things), at_once)

    @rule(numbers=st.lists(st.integers(0, 5), min_size=1, max_size=4))
    def step(self, numbers: list[int]) -> None:
        self._step_on(numbers, None)

    @rule(number=st.integers(0, 5))
    def step_fails(self, number: int) -> None:
        self._step_on([number], UpstreamTimeout())

    @rule()
    def everything_ends(self) -> None:
        while self.steps:
            self._step_on([0], None)

    @rule(number=st.integers(0, 5), seconds=st.sampled_from([0.0, 1.0, 61.0, 130.0]))
    def leave(self, number: int, seconds: float) -> None:
        self.now += seconds
        if self.callers and not seconds:
            self.callers.pop(number % len(self.callers)).cancel()
            self._settle()

    @invariant()
    def nothing_older_than_answered(self) -> None:
        assert self.violations == []

    def teardown(self) -> None:
        self.loop.run_until_complete(self._close())
        self.loop.close()

    async def _close(self) -> None:
        await self.tasks.cancel()
        for store in self.stores:
            await store.close()

    def _step_on(self, numbers: list[int], error: Exception | None) -> None:
        for number in numbers:
            if not self.steps:
                return
            step = self.steps.pop(number % len(self.steps))
            if step.done():  # whoever waited for it has left
                continue
            if error is None:
                step.set_result(None)
            else:
                step.set_exception(error)
            self._settle()

    def _start(self, work: Any, at_once: bool) -> None:
        """``at_once``: the call goes through before anything else moves."""
        before = len(self.steps)

        async def start() -> None:
            self.callers.append(self.tasks.start(work))

        self.loop.run_until_complete(start())
        self._settle()
        while at_once and len(self.steps) > before:
            self._step_on([before], None)

    def _settle(self) -> None:
        async def settle() -> None:
            for _ in range(12):
                await asyncio.sleep(0)
            if self.settle_seconds:
                await asyncio.sleep(self.settle_seconds)

        self.loop.run_until_complete(settle())

    async def _step(self) -> None:
        step = asyncio.get_running_loop().create_future()
        self.steps.append(step)
        await step

    async def _read(self, cache: PropertyCache, key: CacheKey, no_cache: bool) -> None:
        least = self.answered[key.thing]

        async def fetch() -> Fetched:
            await self._step()
            body = b"%d" % self.versions[key.thing]
            await self._step()
            return Fetched(200, (), body)

        try:
            recalled = await cache.read(key, fetch, no_cache=no_cache)
        except Problem:
            return
        if int(recalled.fetched.body) < least:
            self.violations.append(f"{key}: {recalled} after {least}")

    async def _write(self, cache: PropertyCache, things: list[Thing] | None) -> None:
        written: dict[Thing, int] = {}
        try:
            async with cache.writing(things, Kind.JOB):
                await self._step()
                for thing in set(things or THINGS):
                    self.versions[thing] += 1
                    written[thing] = self.versions[thing]
                await self._step()
        except Problem:
            pass
        finally:
            for thing, version in written.items():
                self.answered[thing] = max(self.answered[thing], version)


def _run(machine: type[Machine], examples: int, steps: int) -> None:
    run_state_machine_as_test(
        machine,
        settings=settings(
            max_examples=examples,
            stateful_step_count=steps,
            deadline=None,
            database=None,
            derandomize=True,
            report_multiple_bugs=False,
            phases=[Phase.generate],
            suppress_health_check=list(HealthCheck),
        ),
    )


@pytest.fixture
def shared_machine(redis_server: Any, monkeypatch: pytest.MonkeyPatch) -> type[Machine]:
    # Redis keeps its own time: doubts have to end in the time that the test takes.
    monkeypatch.setattr("gateway.cache.shared.DOUBT_SECONDS", 0.01)

    return _shared_machine(redis_server)


def _shared_machine(redis_server: Any) -> type[Machine]:
    class SharedMachine(Machine):
        url = redis_server.url
        caches_count = 3
        settle_seconds = 0.002

        def __init__(self) -> None:
            redis_server.flush()
            super().__init__()

    return SharedMachine


def _drive(machine: Machine, actions: int, seed: int = 1) -> None:
    """As many actions in one life: fewer shapes than hypothesis finds, but many more races."""
    try:
        _act(machine, actions, seed)
    finally:
        machine.teardown()


def _act(machine: Machine, actions: int, seed: int) -> None:
    chance = random.Random(seed)
    number = functools.partial(chance.randrange, 6)
    deeds: dict[Callable[[], None], int] = {
        lambda: machine.read(number(), chance.choice(KEYS), number() == 0, number() < 2): 40,
        lambda: machine.write(number(), chance.choice([THINGS[:1], THINGS]), number() < 2): 10,
        lambda: machine.write(number(), None, number() < 2): 2,
        lambda: machine.step([number()]): 40,
        lambda: machine.step_fails(number()): 3,
        lambda: machine.leave(number(), chance.choice([0.0, 0.0, 1.0, 61.0])): 4,
        machine.everything_ends: 2,
    }
    for deed in chance.choices(list(deeds), list(deeds.values()), k=actions):
        deed()
        machine.callers = [caller for caller in machine.callers if not caller.done()]
        machine.nothing_older_than_answered()


def test_any_order_on_one_machine() -> None:
    _run(Machine, examples=60, steps=40)


def test_any_order_on_three_machines(shared_machine: type[Machine]) -> None:
    _run(shared_machine, examples=10, steps=40)


def test_many_races_on_one_machine() -> None:
    _drive(Machine(), 3000)


def test_many_races_on_three_machines(shared_machine: type[Machine]) -> None:
    _drive(shared_machine(), 400)


def test_redis_is_lost_and_comes_back_under_it(
    own_redis_server: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("gateway.cache.shared.DOUBT_SECONDS", 0.01)
    machine = _shared_machine(own_redis_server)()
    try:
        for seed in range(4):
            _act(machine, 50, seed)
            own_redis_server.stop()
            _act(machine, 20, seed)
            own_redis_server.restart()
    finally:
        machine.teardown()


@pytest.mark.slow
@pytest.mark.timeout(3600)
def test_a_million_actions_on_one_machine() -> None:
    for seed in range(10):
        _drive(Machine(), 100_000, seed)


@pytest.mark.slow
@pytest.mark.timeout(3600)
def test_a_hundred_thousand_actions_on_three_machines(shared_machine: type[Machine]) -> None:
    for seed in range(10):
        _drive(shared_machine(), 10_000, seed)


# From here on: each part of the check taken out, and the same runs have to notice.


def _is_noticed(machine: Machine, actions: int) -> None:
    with pytest.raises(AssertionError, match="after"):
        _drive(machine, actions)


def test_without_the_check_of_generations(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(LocalEntries, "_is_current", lambda *_: True)
    _is_noticed(Machine(), 3000)


def test_without_the_check_of_shared_generations(
    monkeypatch: pytest.MonkeyPatch, shared_machine: type[Machine]
) -> None:
    monkeypatch.setattr(wire, "is_current", lambda *_: True)
    _is_noticed(shared_machine(), 10_000)


def test_without_the_generation_in_a_flight(monkeypatch: pytest.MonkeyPatch) -> None:
    look = LocalEntries.look

    async def without_generation(self: LocalEntries, key: CacheKey) -> Found:
        return Found(0, (await look(self, key)).entry)

    monkeypatch.setattr(LocalEntries, "look", without_generation)
    _is_noticed(Machine(), 3000)


def test_without_what_happens_while_and_after_a_write(monkeypatch: pytest.MonkeyPatch) -> None:
    def raise_only(self: Generations, targets: Any) -> None:
        for target in targets:
            self._raise(target)

    monkeypatch.setattr(Generations, "begin", raise_only)
    monkeypatch.setattr(Generations, "end", lambda *_, **__: None)
    _is_noticed(Machine(), 3000)


def test_without_what_happens_while_and_after_a_shared_write(
    monkeypatch: pytest.MonkeyPatch, shared_machine: type[Machine]
) -> None:
    async def no_end(*_: Any, **__: Any) -> None:
        """Nothing is raised, no mark is taken away."""

    async def no_writers(*_: Any) -> int:
        return 0

    monkeypatch.setattr(SharedEntries, "end", no_end)
    monkeypatch.setattr(SharedEntries, "_writers", no_writers)
    _is_noticed(shared_machine(), 10_000)
