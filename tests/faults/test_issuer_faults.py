"""Faults between gateway and issuer: known keys go on working, unknown ones cost no waiting."""

import asyncio

import aiohttp
import pytest

from gateway.auth import requests
from tests.support.faultproxy import NONE, Fault
from tests.support.faulty import FaultyStage, recovers
from tests.support.stage import TestCaller

_HANGS = [Fault(black_hole=True), Fault(bytes_per_second=20.0, slice_bytes=8)]


@pytest.fixture
async def caller(faulty: FaultyStage) -> TestCaller:
    caller = faulty.caller("ol-operators")
    await recovers(lambda: caller.get("/entity/datasets"))
    return caller


@pytest.mark.parametrize(
    "fault",
    [*_HANGS, Fault(cut_after_bytes=60), Fault(reset_at_once=True)],
    ids=["black hole", "slow", "cut", "reset"],
)
async def test_known_keys_are_enough_while_the_issuer_is_away(
    faulty: FaultyStage, caller: TestCaller, fault: Fault, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Whoever waited for the issuer would wait longer than this test does.
    monkeypatch.setattr(requests, "_TIMEOUT", aiohttp.ClientTimeout(total=300))
    faulty.keys.fault = fault
    faulty.keys.reset()
    faulty.gateway.front.regime.issuers["corporate"].verifier.keys.refresh()
    fresh = [faulty.caller("ol-operators", sub=f"user-{number}") for number in range(20)]
    async with asyncio.timeout(30):
        replies = await asyncio.gather(*(one.get("/entity/datasets") for one in fresh))
    assert {reply.status for reply in replies} == {200}


async def test_a_new_key_is_known_as_soon_as_the_issuer_is_back(
    faulty: FaultyStage, caller: TestCaller
) -> None:
    faulty.keys.refuse()
    faulty.issuer.rotate()
    stranger = faulty.caller("ol-operators")
    assert (await stranger.get("/entity/datasets")).status == 401
    assert (await caller.get("/entity/datasets")).status == 200
    await faulty.keys.listen()
    faulty.keys.fault = NONE
    faulty.gateway.front.regime.issuers["corporate"].verifier.keys.refresh()
    await recovers(lambda: stranger.get("/entity/datasets"))


async def test_a_cold_start_without_an_issuer_is_503_and_recovers() -> None:
    stage = FaultyStage()
    stage.keys.fault = Fault(reset_at_once=True)
    async with stage:
        caller = stage.caller("ol-operators")
        reply = await caller.get("/entity/datasets")
        assert (reply.status, reply.code) == (503, "issuer_unavailable")
        assert not stage.requests()
        for path, status in (("/livez", 200), ("/readyz", 503)):
            async with stage.session.get(stage.admin_url + path) as response:
                assert response.status == status
        stage.keys.fault = NONE
        await recovers(lambda: caller.get("/entity/datasets"))
