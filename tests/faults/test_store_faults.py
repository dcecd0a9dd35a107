"""Faults between gateway and Redis: nothing is begun that could not be written down."""

import asyncio

import pytest

from gateway.stores import redis
from tests.support.faultproxy import NONE, Fault
from tests.support.faulty import FaultyStage, recovers

_FAULTS = {
    "black hole": Fault(black_hole=True),
    "reset": Fault(reset_at_once=True),
    "cut": Fault(cut_after_bytes=3, resets=True),
}


@pytest.mark.parametrize("name", _FAULTS)
async def test_nothing_begins_without_a_store_and_everything_goes_on_with_it(
    sharing: FaultyStage, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    billing = sharing.caller("ol-billing")
    file = await billing.upload()
    path = f"/workflow/datamining/Promo-EN.OL-datamapper/{file}"
    sharing.simulator.record.clear()
    sharing.redis.fault = _FAULTS[name]
    if name != "black hole":
        sharing.redis.reset()
    with monkeypatch.context() as patch:
        patch.setattr(redis, "DEADLINE_SECONDS", 0.5)
        # Long before Redis's connections would be given up.
        async with asyncio.timeout(30):
            refused = await billing.post(path)
    assert (refused.status, refused.code) == (503, "store_unavailable")
    assert not sharing.simulator.record.operations
    sharing.redis.fault = NONE
    sharing.redis.reset()
    await recovers(lambda: billing.get("/api/v1/operations"))
    operation = await billing.start(path)
    assert [entry.id for entry in sharing.simulator.record.operations] == [operation]
    assert await billing.result("datamining", operation)


async def test_latency_and_slices_on_the_way_to_redis_lose_nothing(sharing: FaultyStage) -> None:
    sharing.redis.fault = Fault(latency_seconds=0.001, slice_bytes=100)
    billing = sharing.caller("ol-billing")
    data_set = await billing.data_set()
    reply = await billing.get(f"/entity/datasets/{data_set}/properties")
    assert reply.status == 200
    listed = await billing.get("/api/v1/operations")
    begun = {entry.id for entry in sharing.simulator.record.operations}
    assert {operation["id"] for operation in listed.json()["operations"]} == begun
