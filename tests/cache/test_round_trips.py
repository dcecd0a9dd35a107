"""What bench/replicas.py counts with is true, and docs/running.md shows what it prints."""

import re
from pathlib import Path
from typing import Any

import pytest

from bench import replicas

COMMANDS = ("mget", "evalsha")  # the others that are counted are called by scripts


def _asked(server: Any) -> int:
    """Round trips so far; what a script calls inside Redis is none."""
    text = server.say(b"INFO commandstats").decode()
    counted = dict(re.findall(r"cmdstat_(\w+):calls=(\d+)", text))
    return sum(int(counted.get(command, 0)) for command in COMMANDS)


@pytest.fixture
async def warm(real_time_world: Any, redis_server: Any) -> Any:
    """A cache whose scripts Redis knows, and whose entity has a generation."""
    cache = await real_time_world.add(redis_server.url)
    await real_time_world.read(cache)
    await real_time_world.write(cache, 1)
    await real_time_world.read(cache)
    await real_time_world.tasks.finish(60)  # what is trimmed after it would be counted later
    return cache


async def test_what_a_hit_a_write_and_a_miss_take(
    warm: Any, real_time_world: Any, redis_server: Any
) -> None:
    before = _asked(redis_server)
    assert (await real_time_world.read(warm)).outcome == "hit"
    hit = _asked(redis_server)
    await real_time_world.write(warm, 1)
    written = _asked(redis_server)
    assert (await real_time_world.read(warm)).outcome == "miss"
    await real_time_world.tasks.finish(60)
    missed = _asked(redis_server)
    assert (hit - before, written - hit, missed - written) == (
        replicas.HIT_TRIPS,
        replicas.WRITE_TRIPS,
        replicas.MISS_TRIPS,
    )


def test_the_document_shows_what_is_simulated() -> None:
    scene = replicas.Scene(replicas=10, teams=1, entities=100)
    assert scene in replicas.SCENES
    text = (Path(__file__).resolve().parents[2] / "docs/running.md").read_text(encoding="utf-8")
    each, shared = replicas.simulate(scene, seed=1)
    assert shared.wrong == 0 < each.wrong
    assert f"\n{replicas.HEAD}\n" in text
    assert f"\n{replicas.row(scene, each, shared)}\n" in text
