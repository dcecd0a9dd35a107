"""Four workers and three replicas over one Redis, under faults and losses: whatever is read is no
older than the last answered write."""

import asyncio
import os
import random
import shutil
import signal
import sys
import time
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import replace
from math import inf
from pathlib import Path
from typing import Any

import pytest

from gateway.app import Gateway
from gateway.simulator.faults import Fault
from tests.cache.load import Load
from tests.support.redis_server import RedisServer
from tests.support.stage import settings_of

ACTIONS = int(os.environ.get("OLGW_REPLICA_ACTIONS", "30000"))
"""Of the long run."""

LONGEST_DELAY_SECONDS = 0.2

CAN_GO_WRONG = ("read hit", "of a batch: read", "write answered")

pytestmark = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="looks into /proc")


def _placed(world: Any, name: str, store: str, **values: Any) -> Any:
    """The world as a gateway sees it whose configuration has a folder of its own."""
    folder = world.folder / name
    folder.mkdir()
    shutil.copy2(world.folder / "print.password", folder)
    replaced = {
        '"file_store.*", "authentication.*", "job_entity.*"': '"*.*"',
        "requests: problems": "requests: none",
    }
    placed = replace(world, folder=folder)
    placed.configure(replaced, store=store, **values)
    return placed


async def _fleet(world: Any, store: str) -> list[Any]:
    """Four workers behind one address, and three replicas; started together."""
    places = [_placed(world, f"replica-{n}", store) for n in range(3)]
    places.insert(0, _placed(world, "workers", store, workers=4))
    return await asyncio.gather(*(place.serve() for place in places))


@asynccontextmanager
async def _light_fleet(world: Any, store: str) -> AsyncIterator[list[str]]:
    """The same with the replicas in this process, which is there sooner."""
    async with AsyncExitStack() as stack:
        starting = _placed(world, "workers", store, workers=4).serve()
        text = _placed(world, "replicas", store).config.read_text()
        password = f'file: "{world.folder / "print.password"}"'
        settings = settings_of(text.replace("file: print.password", password))
        workers = await starting
        urls = [workers.url]
        for _ in range(3):
            replica = await Gateway.open(settings)
            stack.push_async_callback(replica.close)
            urls.append(f"http://127.0.0.1:{replica.public.port}")
        yield urls


async def _make_trouble(world: Any, chance: random.Random) -> None:
    """Every now and then the next read or write goes wrong at OL Connect, or takes long."""
    troubles: list[dict[str, Any]] = [
        {"fault": "delay", "seconds": LONGEST_DELAY_SECONDS},
        {"fault": "slow_body", "method": "GET", "seconds": LONGEST_DELAY_SECONDS},
        {"fault": "drop_after_start", "method": "PUT"},
        {"fault": "drop_after_start", "method": "POST"},
        {"fault": "drop_before"},
        {"fault": "error", "status": 500},
        {"fault": "error", "status": 503},
    ]
    while True:
        await asyncio.sleep(chance.uniform(0, 0.5))
        trouble = Fault(path="/entity/", **chance.choice(troubles))
        world.simulator.faults.set([trouble])


async def _under_trouble(world: Any, urls: list[str], actions: int) -> Load:
    load = Load(world, urls)
    began = time.monotonic()
    async with asyncio.TaskGroup() as group:
        trouble = group.create_task(_make_trouble(world, load.chance))
        await load.run(24, actions)
        # How much of each there is, chance decides, and how busy Redis is.
        while not all(load.tally[each] for each in CAN_GO_WRONG):
            await load.run(24, 100)
        trouble.cancel()
    seconds = time.monotonic() - began
    print(f"{load.number} actions in {seconds:.1f} s, {load.number / seconds:.0f} a second")
    print(dict(load.tally))
    return load


def _judge(load: Load) -> None:
    """Nothing wrong was read, and what could have gone wrong did happen, often."""
    assert load.objections == []
    reads = sum(count for name, count in load.tally.items() if name.startswith("read "))
    assert load.tally["read hit"] > 0.2 * reads, load.tally
    assert load.tally["of a batch: read"] > reads
    assert load.tally["write answered"] > reads / 10, load.tally


async def test_nobody_reads_what_is_older_than_an_answered_write(
    world: Any, own_redis_server: RedisServer
) -> None:
    async with _light_fleet(world, own_redis_server.url) as urls:
        load = await _under_trouble(world, urls, 1_500)
    assert load.objections == []


@pytest.mark.slow
@pytest.mark.timeout(7200)
async def test_nobody_does_for_long(world: Any, own_redis_server: RedisServer) -> None:
    gateways = await _fleet(world, own_redis_server.url)
    load = await _under_trouble(world, [gateway.url for gateway in gateways], ACTIONS)
    _judge(load)
    assert load.tally["write of unknown fate"] > 10, load.tally


async def _recovered(load: Load, what: str) -> None:
    """Within five seconds the errors end: a second passes without any."""
    began, number = time.monotonic(), load.number
    while time.monotonic() - (last := max([began, *load.errors[-1:]])) < 1:
        assert time.monotonic() - began < 5, f"{what}: {load.tally}"
        await asyncio.sleep(0.02)
    assert load.number > number + 20
    print(f"{what}: errors until {last - began:.2f} s after recovery, {len(load.errors)} so far")


@pytest.mark.slow
@pytest.mark.timeout(120)
async def test_losses_under_load_bring_no_wrong_answer_and_pass(
    world: Any, own_redis_server: RedisServer
) -> None:
    gateways = await _fleet(world, own_redis_server.url)
    load = Load(world, [gateway.url for gateway in gateways])
    async with asyncio.TaskGroup() as group:
        group.create_task(load.run(16, inf))
        await _recovered(load, "start")
        await _lose_a_worker(gateways[0])
        await _recovered(load, "one of four workers")

        gateways[1].send(signal.SIGKILL)
        await gateways[1].process.wait()
        await asyncio.sleep(0.5)
        port = gateways[1].url.rpartition(":")[2]
        await _placed(world, "again", own_redis_server.url, port=port).serve()
        await _recovered(load, "one of three replicas")

        own_redis_server.stop()
        await asyncio.sleep(1)
        assert load.tally["read fwd=bypass"] > 20
        await asyncio.to_thread(own_redis_server.restart)
        await _recovered(load, "Redis")
        load.stop()
    print(dict(load.tally))
    _judge(load)
    assert load.errors


async def _lose_a_worker(gateway: Any) -> None:
    """Returns when another one has taken its place."""
    before = _workers(gateway)
    assert len(before) == 4
    os.kill(min(before), signal.SIGKILL)

    async def is_replaced() -> bool:
        now = _workers(gateway)
        return len(now) == 4 and now != before and await gateway.is_ready()

    await gateway.world.eventually(is_replaced)


def _workers(gateway: Any) -> set[int]:
    pid = gateway.process.pid
    return set(map(int, Path(f"/proc/{pid}/task/{pid}/children").read_text().split()))
