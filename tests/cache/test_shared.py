"""Several caches over one Redis: one read for all of them, and what happens when Redis is lost."""

import asyncio
from typing import Any

import pytest

from gateway.cache import Fetched, shared
from gateway.model import Kind, Thing
from gateway.problems import StoreUnavailable, UpstreamTimeout

pytestmark = pytest.mark.usefixtures("quick")


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("gateway.cache.properties.STORE_PAUSE_SECONDS", 0.05)


class Origin:
    """Counts how often it is asked."""

    def __init__(self, world: Any, seconds: float = 0.02) -> None:
        self.reads = 0
        self.asked = asyncio.Event()
        self._world = world
        self._seconds = seconds

    async def __call__(self) -> Fetched:
        self.reads += 1
        self.asked.set()
        await asyncio.sleep(self._seconds)
        answer: Fetched = self._world.answer(b"%d" % self.reads)
        return answer


async def _many(world: Any, origin: Origin, times: int) -> list[Any]:
    reads = (cache.read(world.key(), origin) for _ in range(times) for cache in world.caches)
    return list(await asyncio.gather(*reads))


async def test_a_thousand_misses_on_three_machines_are_one_read(
    real_time_world: Any, redis_server: Any
) -> None:
    world = real_time_world
    for _ in range(3):
        await world.add(redis_server.url)
    origin = Origin(world)
    recalled = await _many(world, origin, 334)
    assert origin.reads == 1
    assert {each.fetched.body for each in recalled} == {b"1"}
    assert world.outcomes["miss"] == 1
    assert world.outcomes["bypass"] == 0


async def test_without_redis_it_is_one_read_on_each_machine(
    real_time_world: Any, own_redis_server: Any
) -> None:
    world = real_time_world
    for _ in range(3):
        await world.add(own_redis_server.url)
    own_redis_server.stop()
    origin = Origin(world)
    recalled = await _many(world, origin, 334)
    assert origin.reads == 3
    assert {each.outcome for each in recalled} == {"bypass"}


async def test_a_machine_that_dies_while_it_reads_is_not_waited_for_long(
    real_time_world: Any, redis_server: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shared, "LEASE_SECONDS", 0.1)
    world = real_time_world
    first, second = [await world.add(redis_server.url) for _ in range(2)]
    origin = Origin(world, 3600)
    hanging = world.tasks.start(first.read(world.key(), origin))
    await origin.asked.wait()
    assert (await world.read(second, b"mine")).outcome == "miss"
    assert not hanging.done()


async def test_a_machine_that_fails_is_followed_by_the_next(
    real_time_world: Any, redis_server: Any
) -> None:
    world = real_time_world
    first, second = [await world.add(redis_server.url) for _ in range(2)]

    asked = asyncio.Event()

    async def fail() -> Fetched:
        asked.set()
        await asyncio.sleep(0.03)
        raise UpstreamTimeout

    failing = world.tasks.start(first.read(world.key(), fail))
    await asked.wait()
    assert (await world.read(second, b"mine")).fetched.body == b"mine"
    # It fails, unless what the other one has read is there already to stand in for it.
    outcome: Any = (await asyncio.gather(failing, return_exceptions=True))[0]
    assert isinstance(outcome, UpstreamTimeout) or outcome.fetched.body == b"mine"


async def test_reads_go_on_and_writes_are_refused_without_redis(
    real_time_world: Any, own_redis_server: Any
) -> None:
    world = real_time_world
    cache = await world.add(own_redis_server.url)
    await world.read(cache, b"old")
    own_redis_server.stop()
    reached = False
    with pytest.raises(StoreUnavailable):
        async with cache.writing([Thing(Kind.JOB, "1")], Kind.JOB):
            reached = True
    assert not reached
    for body in (b"one", b"two"):
        recalled = await world.read(cache, body)
        assert (recalled.outcome, recalled.fetched.body) == ("bypass", body)
    own_redis_server.restart()
    await asyncio.sleep(0.1)
    assert (await world.read(cache, b"three")).outcome == "miss"
    assert (await world.read(cache, b"four")).outcome == "hit"
    await world.write(cache, 1)
    assert (await world.read(cache, b"five")).fetched.body == b"five"


async def test_redis_is_lost_while_writing(real_time_world: Any, own_redis_server: Any) -> None:
    world = real_time_world
    first, second = [await world.add(own_redis_server.url) for _ in range(2)]
    await world.read(second, b"old")
    with pytest.raises(StoreUnavailable):
        async with first.writing([Thing(Kind.JOB, "1")], Kind.JOB):
            own_redis_server.stop()
    assert (await world.read(second, b"new")).fetched.body == b"new"
    own_redis_server.restart()
    await asyncio.sleep(0.1)
    assert (await world.read(second, b"newer")).fetched.body == b"newer"


async def test_a_read_that_outlasts_a_restart_is_not_kept(
    real_time_world: Any, own_redis_server: Any
) -> None:
    world = real_time_world
    cache = await world.add(own_redis_server.url)

    async def fetch() -> Fetched:
        own_redis_server.stop()
        own_redis_server.restart()
        answer: Fetched = world.answer(b"old")
        return answer

    await cache.read(world.key(), fetch)
    assert (await world.read(cache, b"new")).fetched.body == b"new"


async def test_a_writer_that_is_not_heard_of_leaves_a_mark(
    real_time_world: Any, redis_server: Any
) -> None:
    world = real_time_world
    dying, reader = [await world.add(redis_server.url) for _ in range(2)]
    writing = dying.writing([Thing(Kind.JOB, "1")], Kind.JOB)
    await writing.__aenter__()
    assert (await world.read(reader, b"old")).ttl_seconds == 0
    assert (await world.read(reader, b"new")).fetched.body == b"new"
    await writing.__aexit__(None, None, None)
    assert (await world.read(reader, b"newer")).ttl_seconds > 0


async def test_the_oldest_go_first(real_time_world: Any, redis_server: Any) -> None:
    world = real_time_world
    cache = await world.add(redis_server.url, max_entries=10, max_size=65_536)
    for thing in range(30):
        await world.read(cache, b"x", of=thing)
        await world.tasks.finish(60)  # trimmed
    assert cache.entries == 10
    assert (await world.read(cache, of=29)).outcome == "hit"
    assert (await world.read(cache, of=0)).outcome == "miss"
    await world.tasks.finish(60)
    keys = redis_server.say(b"EVAL \"return #redis.call('KEYS','*:entry:*')\" 0")
    assert int(keys[1:]) <= 11


async def test_large_ones_count_for_several(real_time_world: Any, redis_server: Any) -> None:
    world = real_time_world
    cache = await world.add(redis_server.url, max_entries=100, max_size=131_072)
    for thing in range(20):
        await world.read(cache, b"x" * 30_000, of=thing)
        await world.tasks.finish(60)  # trimmed
    assert cache.bytes <= 131_072
    keys = redis_server.say(b"EVAL \"return #redis.call('KEYS','*:entry:*')\" 0")
    assert 1 <= int(keys[1:]) <= 4
