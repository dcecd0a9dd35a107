"""A Redis from an older snapshot brings back what is no longer true, until it is remedied."""

import asyncio
import re
import shutil
from pathlib import Path
from typing import Any

import pytest

from gateway.ledger import Ledger
from gateway.model import Kind, Thing

ROOT = Path(__file__).resolve().parents[2]

pytestmark = pytest.mark.skipif(
    shutil.which("redis-cli") is None, reason="redis-cli is not installed"
)


def _remedy(port: int) -> str:
    """The command in the document, for this port."""
    text = (ROOT / "docs/running.md").read_text(encoding="utf-8")
    (command,) = re.findall(r"^\$ (redis-cli --scan .*)$", text, re.MULTILINE)
    return str(command).replace("redis-cli", f"redis-cli -p {port}")


async def test_the_cache_is_dropped_from_it_and_ownership_stays(
    own_redis_server: Any, real_time_world: Any
) -> None:
    world, thing = real_time_world, Thing(Kind.JOB, "1")
    cache = await world.add(own_redis_server.url)
    await Ledger(world.stores[0], world.clock).learn("billing", [thing])
    await world.read(cache, b"old")
    assert own_redis_server.say(b"SAVE") == b"+OK\r\n"
    await world.write(cache, 1)
    assert (await world.read(cache, b"new")).fetched.body == b"new"

    own_redis_server.stop()
    own_redis_server.restart()
    assert (await world.read(cache, b"new")).fetched.body == b"old"

    remedy = await asyncio.create_subprocess_shell(_remedy(own_redis_server.port))
    assert await remedy.wait() == 0
    assert (await world.read(cache, b"new")).fetched.body == b"new"
    fresh = Ledger(world.stores[0], world.clock)
    assert await fresh.owners([thing]) == ["billing"]
