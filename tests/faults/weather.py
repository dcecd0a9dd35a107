"""Kinds of fault, each as a context that lasts as long as it does.

Most come in gusts, so many to a number of requests: were everything to fail at once, the breaker
would open, and nothing would be left that could go wrong.
"""

import asyncio
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Any, TypeAlias

from gateway.simulator.faults import Fault as Trouble
from gateway.tasks import TaskSet
from tests.faults.storm import Storm
from tests.support.faultproxy import NONE, Fault, FaultProxy

Weather: TypeAlias = Callable[[Storm], AbstractAsyncContextManager[None]]

_GUST_SECONDS = 0.005


def _line(to: str = "upstream", **fault: Any) -> Weather:
    """A bad line to OL Connect, to the issuer or to Redis."""

    @asynccontextmanager
    async def spell(storm: Storm) -> AsyncIterator[None]:
        proxy: FaultProxy = getattr(storm.stage, to)
        proxy.fault = Fault(**fault)
        yield
        proxy.fault = NONE

    return spell


def _gusts(to: str = "upstream", *, every: int = 20, gone: int = 0, **fault: Any) -> Weather:
    """A line that is bad for a moment after so many requests; ``gone`` connections are lost."""

    @asynccontextmanager
    async def spell(storm: Storm) -> AsyncIterator[None]:
        proxy: FaultProxy = getattr(storm.stage, to)

        async def blow() -> None:
            while True:
                await storm.watch(every)
                proxy.fault = Fault(**fault)
                proxy.reset(gone)
                await asyncio.sleep(_GUST_SECONDS)
                proxy.fault = NONE

        async with _meanwhile(blow()):
            yield
        proxy.fault = NONE

    return spell


def _trouble(fault: str, *, every: int = 10, **how: Any) -> Weather:
    """After so many requests the next goes wrong at OL Connect itself."""

    @asynccontextmanager
    async def spell(storm: Storm) -> AsyncIterator[None]:
        async def make() -> None:
            while True:
                await storm.watch(every)
                storm.stage.simulator.faults.set([Trouble(fault, **how)])

        async with _meanwhile(make()):
            yield
        storm.stage.simulator.faults.clear()

    return spell


@asynccontextmanager
async def _meanwhile(work: Coroutine[Any, Any, None]) -> AsyncIterator[None]:
    tasks = TaskSet()
    tasks.launch(work, name="trouble")
    yield
    await tasks.cancel()


@asynccontextmanager
async def _nobody_listens(storm: Storm) -> AsyncIterator[None]:
    storm.stage.upstream.refuse()
    yield
    await storm.stage.upstream.listen()


@asynccontextmanager
async def _ol_connect_restarts(storm: Storm) -> AsyncIterator[None]:
    simulator = storm.stage.simulator

    async def restart() -> None:
        await simulator.stop()
        await asyncio.sleep(0.2)
        await simulator.start(port=simulator.port)

    restarting = TaskSet().start(restart())
    yield
    await restarting


@asynccontextmanager
async def _callers_leave(storm: Storm) -> AsyncIterator[None]:
    patience, storm.patience = storm.patience, 0.1
    yield
    storm.patience = patience


WEATHER: dict[str, Weather] = {
    "latency": _line(latency_seconds=0.005),
    "slices": _line(slice_bytes=500),
    "slow line": _line(bytes_per_second=2_000_000.0, slice_bytes=8192),
    "issuer away": _line("keys", black_hole=True),
    "answer cut": _gusts(cut_after_bytes=0),
    "answer reset": _gusts(cut_after_bytes=0, resets=True),
    "body cut": _line(cut_after_bytes=100_000),
    "body reset": _line(cut_after_bytes=100_000, resets=True),
    "request cut": _gusts(cut_requests_after_bytes=0),
    "upload cut": _line(cut_requests_after_bytes=30_000),
    "black hole": _gusts(black_hole=True, every=100),
    "half open": _gusts(half_open=True, gone=3),
    "connections go": _gusts(gone=3),
    "new connections go": _gusts(gone=3, reset_at_once=True),
    "nobody listens": _nobody_listens,
    "OL Connect restarts": _ol_connect_restarts,
    "OL Connect dawdles": _trouble("delay", seconds=0.1),
    "trickling body": _trouble("slow_body", seconds=0.1),
    "dropped before": _trouble("drop_before"),
    "dropped after": _trouble("drop_after_start"),
    "dropped in the body": _trouble("drop_mid_body"),
    "error 500": _trouble("error", status=500),
    "error 503": _trouble("error", status=503),
    "refused credential": _trouble("error", status=401, path="/(entity|filestore|workflow)/"),
    "ended token": _trouble("expire_token", every=100),
    "no HTTP": _trouble("garbage_head"),
    "callers leave": _callers_leave,
    "Redis far away": _line("redis", latency_seconds=0.001),
    "Redis reset": _gusts("redis", gone=5),
    "Redis cut": _line("redis", cut_after_bytes=20_000),
    "Redis silent": _gusts("redis", black_hole=True, every=100),
}
