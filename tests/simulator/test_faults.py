"""Faults on request, and what each looks like to a client."""

from typing import Any

import aiohttp
import pytest

from gateway.simulator.errors import SimulatorError
from gateway.simulator.faults import Fault, fault_from_json

PATH = "/entity/jobsets"
BROKEN = (aiohttp.ServerDisconnectedError, aiohttp.ClientOSError)


async def test_drop_before(api: Any) -> None:
    api.simulator.faults.add("drop_before", path="/entity/")
    with pytest.raises(BROKEN):
        await api("POST", "/entity/datarecords/values", json={"recordids": [1]})
    (entry,) = api.simulator.record.requests
    assert (entry.status, entry.fault, entry.body_size) == (0, "drop_before", 0)
    assert (await api("GET", PATH)).status == 200


async def test_drop_after_start_has_started(api: Any) -> None:
    file = await api.upload()
    api.simulator.faults.add("drop_after_start", method="POST", path="/datamining/")
    with pytest.raises(BROKEN):
        await api("POST", f"/workflow/datamining/Promo-EN.OL-datamapper/{file}")
    (operation,) = (await api("GET", "/workflow/datamining/getOperations")).json
    (entry,) = api.simulator.record.operations
    assert (entry.id, entry.who) == (operation["id"], "ol-admin")


async def test_drop_mid_body(api: Any) -> None:
    api.simulator.engine.add_zero_file("zeros.bin", 100_000)
    api.simulator.faults.add("drop_mid_body")
    with pytest.raises(aiohttp.ClientPayloadError):
        await api("GET", "/filestore/file/zeros.bin")


async def test_truncate_and_garbage(api: Any) -> None:
    whole = (await api("GET", PATH)).body
    api.simulator.faults.add("truncate")
    api.simulator.faults.add("garbage")
    half = await api("GET", PATH)
    assert half.body == whole[: len(whole) // 2]
    garbage = await api("GET", PATH)
    assert garbage.headers["Content-Type"] == "application/json"
    with pytest.raises(ValueError, match="decode"):
        garbage.body.decode()


async def test_garbage_head(api: Any) -> None:
    api.simulator.faults.add("garbage_head")
    with pytest.raises(aiohttp.ClientError):
        await api("GET", PATH)


async def test_error_has_no_effect(api: Any) -> None:
    last = int(await api.upload())
    api.simulator.faults.add("error", status=503, method="POST", times=2)
    for _ in range(2):
        reply = await api("POST", "/filestore/DataFile", data=b"x")
        assert (reply.status, reply.message) == (503, "Fault on request")
    assert int(await api.upload()) == last + 1


async def test_expire_token(api: Any) -> None:
    token = (await api("POST", "/authentication/login")).text
    api.simulator.faults.add("expire_token", path=PATH)
    headers = {"auth_token": token}
    assert (await api("GET", "/entity/datasets", headers=headers)).status == 200
    assert (await api("GET", PATH, headers=headers)).status == 401


@pytest.mark.parametrize("fault", ["delay", "slow_body"])
async def test_slow_answers_are_whole(api: Any, fault: str) -> None:
    api.simulator.faults.add(fault, seconds=0.02)
    assert (await api("GET", PATH)).json == {"identifiers": []}
    assert api.simulator.record.requests[0].fault == fault


async def test_for_ever_until_cleared(api: Any) -> None:
    api.simulator.faults.add("error", times=None)
    assert [(await api("GET", PATH)).status for _ in range(3)] == [500] * 3
    api.simulator.faults.clear()
    assert (await api("GET", PATH)).status == 200


def test_mistakes_are_named() -> None:
    with pytest.raises(SimulatorError, match="no such fault: 'explode'"):
        Fault("explode")
    with pytest.raises(SimulatorError, match="no regular expression"):
        Fault("error", path="(")
    with pytest.raises(SimulatorError, match="wrong members"):
        fault_from_json({"fault": "error", "how": "much"})
    with pytest.raises(SimulatorError, match="object"):
        fault_from_json("error")
