"""Redis goes away under the event loop that the gateway runs on, where that is uvloop."""

import asyncio
from pathlib import Path

import pytest

from gateway.problems import StoreUnavailable
from gateway.stores import open_store
from tests.support.faultproxy import NONE, Fault, fault_proxy
from tests.support.redis_server import RedisServer

uvloop = pytest.importorskip("uvloop")


async def _lose_connections(port: int, base: Path) -> None:
    async with fault_proxy() as proxy:
        proxy.target = port
        store = await open_store(f"redis://127.0.0.1:{proxy.port}/0", base=base)
        try:
            for fault in (NONE, Fault(reset_at_once=True), Fault(cut_after_bytes=3, resets=True)):
                proxy.fault = fault
                for _ in range(20):
                    proxy.reset()
                    outcomes = await asyncio.gather(
                        *(store.increment("n", 1, 60) for _ in range(10)),
                        *(store.get("a") for _ in range(10)),
                        return_exceptions=True,
                    )
                    failures = [one for one in outcomes if isinstance(one, BaseException)]
                    assert {type(one) for one in failures} <= {StoreUnavailable}, failures
            proxy.fault = NONE
            proxy.reset()
            await store.ping()
        finally:
            await store.close()


def test_a_connection_that_went_is_unavailable(redis_server: RedisServer, tmp_path: Path) -> None:
    """uvloop raises RuntimeError where asyncio writes to a closed transport without a word."""
    uvloop.run(_lose_connections(redis_server.port, tmp_path))
