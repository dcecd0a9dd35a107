"""Once a write was answered, no read that begins later brings what was before it."""

import asyncio
from contextlib import suppress
from typing import Any

import pytest

from gateway.cache import Fetched
from gateway.model import Kind, Thing
from gateway.problems import UpstreamTimeout

JOB_1 = Thing(Kind.JOB, "1")


async def test_a_write_makes_every_view_unusable(fleet: Any) -> None:
    keys = [fleet.key(), fleet.key(credential="archive"), fleet.key(facet="metadata")]
    for key in keys:
        await fleet.caches[0].read(key, fleet.saying(b"old"))
    await fleet.write(fleet.caches[-1], 1)
    for key in keys:
        recalled = await fleet.caches[0].read(key, fleet.saying(b"new"))
        assert recalled.fetched.body == b"new"
    assert fleet.invalidations == 1


async def test_others_stay(fleet: Any) -> None:
    for thing in (1, 2, 3):
        await fleet.read(fleet.caches[0], b"old", of=thing)
    await fleet.write(fleet.caches[0], 1, 3)
    outcomes = [(await fleet.read(fleet.caches[-1], b"new", of=n)).outcome for n in (1, 2, 3)]
    assert outcomes == ["miss", "hit", "miss"]


@pytest.mark.parametrize("things", [None, [Thing(Kind.JOB, str(n)) for n in range(2000)]])
async def test_a_write_that_names_too_many_or_none(fleet: Any, things: Any) -> None:
    data_set = fleet.key().__class__("printing", Thing(Kind.DATA_SET, "5000"), "properties")
    await fleet.read(fleet.caches[0], b"old", of=5000)
    await fleet.caches[0].read(data_set, fleet.saying(b"other"))
    async with fleet.caches[-1].writing(things, Kind.JOB):
        pass
    assert (await fleet.read(fleet.caches[0], b"new", of=5000)).fetched.body == b"new"
    assert (await fleet.caches[0].read(data_set, fleet.saying())).fetched.body == b"other"


async def _begun(fleet: Any, cache: Any) -> tuple[asyncio.Task[Any], asyncio.Event]:
    """A read that has seen the old value and may bring it once the event is set."""
    has_begun, may_answer = asyncio.Event(), asyncio.Event()

    async def fetch() -> Fetched:
        has_begun.set()
        await may_answer.wait()
        answer: Fetched = fleet.answer(b"old")
        return answer

    task = fleet.tasks.start(cache.read(fleet.key(), fetch))
    await has_begun.wait()
    return task, may_answer


async def test_a_read_under_way_is_not_kept(fleet: Any) -> None:
    task, may_answer = await _begun(fleet, fleet.caches[0])
    await fleet.write(fleet.caches[-1], 1)
    may_answer.set()
    await task
    for cache in fleet.caches:
        assert (await fleet.read(cache, b"new")).fetched.body == b"new"


async def test_who_comes_after_the_write_does_not_wait_for_a_read_from_before(fleet: Any) -> None:
    task, may_answer = await _begun(fleet, fleet.caches[0])
    await fleet.write(fleet.caches[-1], 1)
    for cache in fleet.caches:
        assert (await fleet.read(cache, b"new")).fetched.body == b"new"
    may_answer.set()
    assert (await task).fetched.body == b"old"
    for cache in fleet.caches:
        assert (await fleet.read(cache, b"newer")).fetched.body in {b"new", b"newer"}


async def test_nothing_is_kept_while_writing(fleet: Any) -> None:
    async with fleet.caches[0].writing([JOB_1], Kind.JOB):
        for cache in fleet.caches:
            assert (await fleet.read(cache, b"old")).ttl_seconds == 0
        task, may_answer = await _begun(fleet, fleet.caches[-1])
    may_answer.set()
    await task
    for cache in fleet.caches:
        assert (await fleet.read(cache, b"new")).fetched.body == b"new"


async def test_a_write_that_ends_does_not_hide_another(fleet: Any) -> None:
    first, last = fleet.caches[0], fleet.caches[-1]
    async with first.writing([JOB_1], Kind.JOB):
        async with last.writing([JOB_1], Kind.JOB):
            pass
        assert (await fleet.read(first, b"old")).ttl_seconds == 0
    assert (await fleet.read(last, b"new")).ttl_seconds > 0


@pytest.mark.parametrize("kind_only", [False, True])
async def test_a_lost_answer_is_a_write_that_may_still_come(fleet: Any, kind_only: bool) -> None:
    await fleet.read(fleet.caches[-1], b"old")
    with pytest.raises(UpstreamTimeout):
        async with fleet.caches[0].writing(None if kind_only else [JOB_1], Kind.JOB):
            raise UpstreamTimeout
    for body in (b"old", b"new", b"newer"):
        assert (await fleet.read(fleet.caches[-1], body)).fetched.body == body


async def test_a_5xx_is_doubtful_if_the_caller_says_so(world: Any, clock: Any) -> None:
    cache = await world.add()
    async with cache.writing([JOB_1], Kind.JOB) as write:
        write.doubt()
    assert (await world.read(cache)).ttl_seconds == 0
    clock.advance(61)
    assert (await world.read(cache)).ttl_seconds == 60


async def test_a_writer_who_leaves_has_written(fleet: Any) -> None:
    await fleet.read(fleet.caches[-1], b"old")
    inside = asyncio.Event()

    async def write() -> None:
        async with fleet.caches[0].writing([JOB_1], Kind.JOB):
            inside.set()
            await asyncio.Event().wait()

    task = fleet.tasks.start(write())
    await inside.wait()
    task.cancel()
    with suppress(asyncio.CancelledError):
        await task
    assert task.cancelled()
    assert (await fleet.read(fleet.caches[-1], b"new")).fetched.body == b"new"


async def test_a_writer_who_leaves_at_once_leaves_no_mark_for_long(world: Any, clock: Any) -> None:
    cache = await world.add()
    task = world.tasks.start(world.write(cache, 1))
    await asyncio.sleep(0)
    task.cancel()
    with suppress(asyncio.CancelledError):
        await task
    clock.advance(61)
    assert (await world.read(cache)).ttl_seconds == 60
