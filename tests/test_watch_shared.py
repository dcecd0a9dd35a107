"""Several processes on one store: one of them polls, all of them know."""

import asyncio
import time
from dataclasses import replace
from typing import Any

from gateway.app import Gateway
from gateway.tasks import TaskSet
from tests.support.redis_server import RedisServer
from tests.support.stage import CONFIG, Stage, TestCaller

API = "/api/v1/operations"
RUN = "/api/v1/pipelines/invoice"
PACE_SECONDS = 0.05


async def test_two_gateways_share_the_polls_of_one_operation(
    redis_server: RedisServer, until: Any
) -> None:
    config = CONFIG.replace('store: "memory:"', f'store: "{redis_server.url}"')
    async with Stage(config) as stage:
        stage.simulator.options = replace(stage.simulator.options, operation_seconds=60)
        other = await Gateway.open(stage.settings())
        try:
            for gateway in (stage.gateway, other):
                gateway.poller.pace = lambda age, percent, *, listened: (
                    PACE_SECONDS if listened else 30.0
                )
            first = stage.caller()
            id_ = (await first.post(RUN, data=b'[{"Name":"Jane"}]')).json()["id"]
            own, second = stage.gateway, _caller_of(stage, other)
            began = time.time()
            waits = [TaskSet().start(_wait(caller, id_)) for caller in (first, second) * 3]
            await until(lambda: len(stage.requests("getProgress")) > 20)
            stage.simulator.engine.operations._now = lambda: time.time() + 60
            assert {status for status in await asyncio.gather(*waits)} == {"succeeded"}
            seconds = time.time() - began
            assert own.poller is not other.poller
        finally:
            await other.close()
        # Were each to poll by itself, there would be twice as many.
        assert len(stage.requests("getProgress")) <= seconds / (PACE_SECONDS * 0.9) + 2
        assert len(stage.requests("getManagedResult")) == 1


def _caller_of(stage: Stage, gateway: Gateway) -> "_OtherCaller":
    return _OtherCaller(stage, gateway)


class _OtherCaller(TestCaller):
    """Calls a second gateway of the same stage."""

    __test__ = False

    def __init__(self, stage: Stage, gateway: Gateway) -> None:
        other = replace(stage)
        other.gateway, other.session = gateway, stage.session
        super().__init__(other, stage.token("ol-billing"))


async def _wait(caller: TestCaller, id_: str) -> str:
    reply = await caller.get(f"{API}/{id_}", headers={"Prefer": "wait=60"})
    return str(reply.json()["status"])
