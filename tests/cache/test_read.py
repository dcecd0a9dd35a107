"""One read at OL Connect for all who ask, and what they are told."""

import asyncio
from typing import Any

import pytest

from gateway.cache import Fetched
from gateway.problems import NotAllowed, Problem, UpstreamTimeout, UpstreamUnreachable


async def test_a_hit_tells_its_age_and_what_is_left(world: Any, clock: Any) -> None:
    cache = await world.add(ttl=60)
    first = await world.read(cache, b"one")
    clock.advance(18)
    again = await world.read(cache, b"two")
    assert (first.outcome, first.fetched.body, first.ttl_seconds) == ("miss", b"one", 60)
    assert (again.outcome, again.fetched.body) == ("hit", b"one")
    assert (again.age_seconds, again.ttl_seconds) == (18, 42)
    assert again.etag == first.etag is not None
    assert world.outcomes == {"miss": 1, "hit": 1}


async def test_what_was_read_over_ttl_ago_is_read_again(fleet: Any) -> None:
    fleet.configure(ttl=0.001)
    await fleet.read(fleet.caches[0], b"one")
    await asyncio.sleep(0.002)
    assert (await fleet.read(fleet.caches[-1], b"two")).fetched.body == b"two"


async def test_views_do_not_mix(fleet: Any) -> None:
    first, last = fleet.caches[0], fleet.caches[-1]
    keys = [
        fleet.key(),
        fleet.key(credential="archive"),
        fleet.key(facet="metadata"),
        fleet.key(thing="2"),
        fleet.key(thing="1:x", credential="a:job"),
        fleet.key(thing="x", credential="a:job:1"),
    ]
    for number, key in enumerate(keys):
        await first.read(key, fleet.saying(b"%d" % number))
    for number, key in enumerate(keys):
        recalled = await last.read(key, fleet.failing(AssertionError()))
        assert recalled.fetched == Fetched(200, fleet.answer().lines, b"%d" % number)


async def test_many_at_once_are_one_read(fleet: Any) -> None:
    reads = 0

    async def fetch() -> Fetched:
        nonlocal reads
        reads += 1
        await asyncio.sleep(0.02)
        answer: Fetched = fleet.answer(b"one")
        return answer

    cache = fleet.caches[0]
    recalled = await asyncio.gather(*(cache.read(fleet.key(), fetch) for _ in range(1000)))
    assert reads == 1
    assert {each.fetched.body for each in recalled} == {b"one"}
    assert fleet.outcomes == {"miss": 1, "coalesced": 999}


async def test_who_leaves_takes_nobody_along(world: Any) -> None:
    cache = await world.add()
    may_answer = asyncio.Event()

    async def fetch() -> Fetched:
        await may_answer.wait()
        answer: Fetched = world.answer(b"one")
        return answer

    first, second = (world.tasks.start(cache.read(world.key(), fetch)) for _ in range(2))
    await asyncio.sleep(0)
    first.cancel()
    await asyncio.sleep(0)
    may_answer.set()
    assert (await second).fetched.body == b"one"
    assert first.cancelled()


@pytest.mark.parametrize("status", [204, 304, 404, 500, 503])
async def test_what_is_no_200_reaches_all_and_is_not_kept(fleet: Any, status: int) -> None:
    cache = fleet.caches[0]
    fetch = fleet.saying(b"no", status)
    both = await asyncio.gather(*(cache.read(fleet.key(), fetch) for _ in range(2)))
    assert [each.fetched.status for each in both] == [status, status]
    assert [(each.etag, each.ttl_seconds) for each in both] == [(None, 0)] * 2
    assert (await fleet.read(fleet.caches[-1], b"yes")).fetched.body == b"yes"


async def test_a_problem_reaches_all(fleet: Any) -> None:
    cache = fleet.caches[0]
    reads = (cache.read(fleet.key(), fleet.failing(NotAllowed())) for _ in range(3))
    assert [type(each) for each in await asyncio.gather(*reads, return_exceptions=True)] == [
        NotAllowed
    ] * 3
    assert fleet.outcomes == {"miss": 1, "coalesced": 2}


async def test_no_cache_asks_anew_and_renews_the_entry(fleet: Any) -> None:
    await fleet.read(fleet.caches[0], b"one")
    anew = await fleet.read(fleet.caches[-1], b"two", no_cache=True)
    assert (anew.outcome, anew.fetched.body) == ("miss", b"two")
    assert (await fleet.read(fleet.caches[0], b"three")).fetched.body == b"two"


async def test_no_cache_joins_no_read_that_has_begun(world: Any) -> None:
    cache = await world.add()
    may_answer, bodies = asyncio.Event(), iter([b"one", b"two", b"three"])

    async def fetch() -> Fetched:
        answer: Fetched = world.answer(next(bodies))
        await may_answer.wait()
        return answer

    def read(**options: Any) -> Any:
        return world.tasks.start(cache.read(world.key(), fetch, **options))

    plain = read()
    await asyncio.sleep(0)
    first = read(no_cache=True)
    for _ in range(5):
        await asyncio.sleep(0)
    late = [read(no_cache=True) for _ in range(10)]
    await asyncio.sleep(0)
    may_answer.set()
    assert [(await each).fetched.body for each in (plain, first)] == [b"one", b"two"]
    assert {(await each).fetched.body for each in late} == {b"three"}
    assert (await world.read(cache, b"four")).fetched.body == b"three"


async def test_a_slow_read_does_not_replace_a_later_one(world: Any) -> None:
    cache = await world.add()
    may_answer = asyncio.Event()

    async def slow() -> Fetched:
        await may_answer.wait()
        answer: Fetched = world.answer(b"old")
        return answer

    task = world.tasks.start(cache.read(world.key(), slow))
    await asyncio.sleep(0)
    await world.read(cache, b"new", no_cache=True)
    may_answer.set()
    assert (await task).ttl_seconds == 0
    assert (await world.read(cache, b"newest")).fetched.body == b"new"


@pytest.mark.parametrize("no_answer", [UpstreamUnreachable(), UpstreamTimeout(), 502, 503, 504])
async def test_stale_while_ol_connect_cannot_answer(
    world: Any, clock: Any, no_answer: Problem | int
) -> None:
    cache = await world.add(ttl=60, stale_if_error=600)
    if isinstance(no_answer, int):
        fetch = world.saying(b"no", no_answer)
    else:
        fetch = world.failing(no_answer)
    await world.read(cache, b"one")
    clock.advance(600)
    stale = await cache.read(world.key(), fetch)
    assert (stale.outcome, stale.fetched.body, stale.age_seconds) == ("stale", b"one", 600)
    assert (stale.ttl_seconds, stale.etag) == (0, (await cache.read(world.key(), fetch)).etag)
    clock.advance(1)
    if isinstance(no_answer, int):
        assert (await cache.read(world.key(), fetch)).fetched.status == no_answer
    else:
        with pytest.raises(type(no_answer)):
            await cache.read(world.key(), fetch)


async def test_stale_from_another_machine(real_time_world: Any, redis_server: Any) -> None:
    world = real_time_world
    first, second = [await world.add(redis_server.url, ttl=0.001) for _ in range(2)]
    await world.read(first, b"one")
    await asyncio.sleep(0.002)
    stale = await second.read(world.key(), world.failing(UpstreamTimeout()))
    assert (stale.outcome, stale.fetched.body) == ("stale", b"one")


async def test_never_stale(world: Any, clock: Any) -> None:
    cache = await world.add(ttl=60)

    async def is_refused(fetch: Any, **options: Any) -> bool:
        try:
            recalled = await cache.read(world.key(), fetch, **options)
        except Problem:
            return True
        return bool(recalled.outcome != "stale")

    unreachable = world.failing(UpstreamUnreachable())
    await world.read(cache, b"one")
    clock.advance(61)
    assert await is_refused(unreachable, no_cache=True)
    assert await is_refused(world.failing(NotAllowed()))
    await world.write(cache, 1)
    assert await is_refused(unreachable)
    await cache.read(world.key(), world.saying(lines=(("Cache-Control", "must-revalidate"),)))
    clock.advance(61)
    assert await is_refused(unreachable)


async def test_the_age_that_an_answer_comes_with_counts(fleet: Any) -> None:
    """Whatever stands before OL Connect may have kept it a while (RFC 9111 section 4.2.3)."""
    aged = fleet.saying(b"one", lines=(("Age", "20"), ("Cache-Control", "max-age=50")))
    first = await fleet.caches[0].read(fleet.key(), aged)
    again = await fleet.caches[-1].read(fleet.key(), aged)
    assert [first.outcome, again.outcome] == ["miss", "hit"]
    assert 20 <= first.age_seconds <= again.age_seconds < 50
    assert 0 < again.ttl_seconds <= 30
    over = fleet.saying(b"two", lines=(("Age", "50"), ("Cache-Control", "max-age=50")))
    for _ in range(2):
        recalled = await fleet.caches[0].read(fleet.key(2), over)
        assert recalled.outcome == "miss"
        assert recalled.age_seconds >= 50


async def test_what_is_gone_is_not_served_when_ol_connect_fails_later(fleet: Any) -> None:
    fleet.configure(ttl=0.001)
    await fleet.read(fleet.caches[0], b"one")
    await asyncio.sleep(0.002)
    gone = await fleet.caches[-1].read(fleet.key(), fleet.saying(b"gone", 404))
    assert gone.fetched.status == 404
    with pytest.raises(UpstreamTimeout):
        await fleet.caches[0].read(fleet.key(), fleet.failing(UpstreamTimeout()))


@pytest.mark.parametrize(
    "fetched",
    [
        {"lines": (("Cache-Control", "no-store"),)},
        {"lines": (("Vary", "*"),)},
        {"body": b"x" * 65_536},
    ],
)
async def test_what_is_not_kept(fleet: Any, fetched: Any) -> None:
    first = await fleet.caches[0].read(fleet.key(), fleet.saying(**fetched))
    assert first.ttl_seconds == 0
    assert first.etag is not None
    assert (await fleet.read(fleet.caches[-1], b"two")).outcome == "miss"


async def test_ttl_0_keeps_nothing(fleet: Any) -> None:
    fleet.configure(ttl=0.0)
    for cache in fleet.caches:
        assert (await fleet.read(cache, b"one")).outcome == "bypass"
        assert (await fleet.read(cache, b"two")).fetched.body == b"two"


async def test_what_was_answered_still_holds(world: Any, clock: Any) -> None:
    cache, key = await world.add(ttl=60), world.key()
    fetched = (await world.read(cache, b"one")).fetched
    clock.advance(10)
    assert cache.still(key, fetched) == (10, 50)
    assert world.outcomes == {"miss": 1, "hit": 1}
    async with cache.writing([key.thing], key.thing.kind):
        assert cache.still(key, fetched) is None
    again = (await world.read(cache, b"one")).fetched
    assert cache.still(key, fetched) is None  # the same bytes, but another answer
    assert cache.still(key, again) is not None
    clock.advance(60)
    assert cache.still(key, again) is None


async def test_what_another_process_may_have_changed_does_not(
    real_time_world: Any, redis_server: Any
) -> None:
    cache = await real_time_world.add(redis_server.url)
    fetched = (await real_time_world.read(cache)).fetched
    assert cache.still(real_time_world.key(), fetched) is None
