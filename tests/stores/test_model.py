"""Random sequences of operations: every store answers as a plain dictionary would."""

import asyncio
import tempfile
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, precondition, rule
from hypothesis.stateful import run_state_machine_as_test as run_machine

from gateway.stores import Change, Delete, Put, Store, open_store
from tests.support.redis_server import RedisServer

KEYS = st.sampled_from(["a", "b", "\udcff"])
VALUES = st.sampled_from([b"", b"1", b"-7", b"\x00\xff"])
LISTS = st.none() | st.sampled_from(["s", "t"])
SCORES = st.sampled_from([-1.5, 0.0, 1.0, 1e15])
TTLS = st.sampled_from([5.0, 10.0])
CHANGES = st.builds(Put, KEYS, VALUES, TTLS, LISTS, SCORES) | st.builds(Delete, KEYS)
# Redis keeps its own time, which no test moves: there, everything lives longer than the test.
LONG = 1000.0


class StoreMachine(RuleBasedStateMachine):
    """``model`` holds the puts that the store should hold, with the time each ends at."""

    url = "memory:"
    moves_time = True

    def __init__(self) -> None:
        super().__init__()
        self.time = 0.0
        self.model: dict[str, tuple[Put, float]] = {}
        self.folder = tempfile.TemporaryDirectory()
        self.runner = asyncio.Runner()
        self.store: Store | None = None

    @initialize()
    def open(self) -> None:
        opening = open_store(self.url, base=Path(self.folder.name), now=lambda: self.time)
        self.store = self.runner.run(opening)

    def teardown(self) -> None:
        if self.store is not None:
            self.runner.run(self.store.close())
        self.runner.close()
        self.folder.cleanup()

    @property
    def opened(self) -> Store:
        assert self.store is not None
        return self.store

    def held(self, key: str) -> bytes | None:
        put, expires = self.model.get(key, (None, 0.0))
        return put.value if put is not None and expires > self.time else None

    def until(self, ttl: float) -> float:
        return self.time + (ttl if self.moves_time else LONG)

    def ttl(self, ttl: float) -> float:
        return ttl if self.moves_time else LONG

    @precondition(lambda self: self.moves_time)
    @rule(seconds=st.sampled_from([1.0, 5.0, 10.0]))
    def pass_time(self, seconds: float) -> None:
        self.time += seconds

    def put(self, put: Put) -> None:
        self.model[put.key] = (put, self.until(put.ttl))

    @rule(key=KEYS, value=VALUES, ttl=TTLS)
    def put_if_absent(self, key: str, value: bytes, ttl: float) -> None:
        held = self.held(key)
        assert self.runner.run(self.opened.put_if_absent(key, value, self.ttl(ttl))) == held
        if held is None:
            self.put(Put(key, value, ttl))

    @rule(expected=st.none() | VALUES, change=CHANGES)
    def swap(self, expected: bytes | None, change: Change) -> None:
        is_equal = self.held(change.key) == expected
        assert self.runner.run(self.opened.swap(expected, self._lasting(change))) == is_equal
        if is_equal:
            self._apply_to_model(change)

    @rule(key=KEYS, by=st.integers(-5, 5), ttl=TTLS)
    def increment(self, key: str, by: int, ttl: float) -> None:
        held = self.held(key)
        incrementing = self.opened.increment(key, by, self.ttl(ttl))
        if held in {b"", b"\x00\xff"}:
            with pytest.raises(ValueError):  # noqa: PT011 - its text is the backend's
                self.runner.run(incrementing)
            return
        total = int(held or b"0") + by
        assert self.runner.run(incrementing) == total
        self.put(Put(key, b"%d" % total, ttl))

    @rule(changes=st.lists(CHANGES, max_size=5))
    def apply(self, changes: list[Change]) -> None:
        self.runner.run(self.opened.apply([self._lasting(change) for change in changes]))
        for change in changes:
            self._apply_to_model(change)

    def _lasting(self, change: Change) -> Change:
        return change if isinstance(change, Delete) else change._replace(ttl=self.ttl(change.ttl))

    def _apply_to_model(self, change: Change) -> None:
        if isinstance(change, Delete):
            self.model.pop(change.key, None)
        else:
            self.put(change)

    @rule(keys=st.lists(KEYS, max_size=3))
    def get_many(self, keys: list[str]) -> None:
        expected = [self.held(key) for key in keys]
        assert self.runner.run(self.opened.get_many(keys)) == expected

    @rule(
        name=st.sampled_from(["s", "t"]),
        limit=st.integers(0, 5),
        newest_first=st.booleans(),
        minimum=st.none() | SCORES,
    )
    def listed(self, name: str, limit: int, newest_first: bool, minimum: float | None) -> None:
        live = [put for put, expires in self.model.values() if expires > self.time]
        live = [put for put in live if put.listed == name]
        kept = [put for put in live if minimum is None or put.score >= minimum]
        kept.sort(key=lambda put: (put.score, put.key), reverse=newest_first)
        found = self.opened.listed(name, limit=limit, newest_first=newest_first, minimum=minimum)
        assert self.runner.run(found) == [put.value for put in kept[:limit]]
        assert self.runner.run(self.opened.count(name)) == len(live)


SMALL = settings(
    max_examples=12, stateful_step_count=20, deadline=None, database=None,
    suppress_health_check=list(HealthCheck),
)  # fmt: skip


@pytest.mark.parametrize("url", ["memory:", "sqlite:store.db"])
def test_store_behaves_like_a_dictionary(url: str) -> None:
    machine = type("Machine", (StoreMachine,), {"url": url})
    run_machine(machine, settings=SMALL)


def test_redis_behaves_like_a_dictionary(redis_server: RedisServer) -> None:
    class RedisMachine(StoreMachine):
        url = redis_server.url
        moves_time = False

        def __init__(self) -> None:
            redis_server.flush()
            super().__init__()

    run_machine(RedisMachine, settings=SMALL)
