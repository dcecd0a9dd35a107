"""How keys are fetched: once for all, ahead of need, and never for the worse."""

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest
import stamina

from gateway.auth.issuers import Surroundings
from gateway.auth.keys import IssuerKeys, from_file
from gateway.auth.requests import open_session
from gateway.model import Caller
from gateway.problems import IssuerUnavailable
from gateway.simulator.issuer import Fault, SigningKey, new_key

EVERY_FAULT = [
    *(("jwks", fault) for fault in Fault if fault not in (Fault.HANG, Fault.WRONG_ISSUER)),
    *(("discovery", fault) for fault in Fault if fault not in (Fault.HANG, Fault.NO_KEYS)),
]


async def accepted(side: Any, *tokens: str) -> None:
    for token in tokens:
        assert (await side.authenticator.identify(token)).subject == "ann"


async def test_two_hundred_cold_callers_share_one_fetch(forge: Any, side: Any) -> None:
    tokens = [forge.token(payload=forge.claims(jti=str(number))) for number in range(200)]
    callers = await asyncio.gather(*(side.authenticator.identify(token) for token in tokens))
    assert {caller.subject for caller in callers} == {"ann"}
    assert forge.issuer.requests == {"discovery": 1, "jwks": 1}


async def test_a_caller_who_leaves_takes_nobody_along(forge: Any, side: Any) -> None:
    first = asyncio.ensure_future(side.authenticator.identify(forge.token()))  # noqa: TID251
    second = asyncio.ensure_future(side.authenticator.identify(forge.token()))  # noqa: TID251
    await asyncio.sleep(0)
    first.cancel()
    assert (await second).subject == "ann"
    assert first.cancelled()
    assert forge.issuer.requests["jwks"] == 1


async def test_rotation_is_noticed_by_an_unknown_kid(forge: Any, side: Any) -> None:
    await accepted(side, forge.token())
    forge.issuer.rotate()
    tokens = [forge.token(payload=forge.claims(jti=str(number))) for number in range(100)]
    await asyncio.gather(*(side.authenticator.identify(token) for token in tokens))
    assert forge.issuer.requests["jwks"] == 2
    assert forge.issuer.requests["discovery"] == 1


async def test_an_overlapping_rotation_disturbs_nobody(forge: Any, side: Any, settled: Any) -> None:
    old = forge.token()
    await accepted(side, old)
    forge.issuer.rotate(keep_old=True)
    forge.clock.advance(240)
    side.authenticator.refresh_due()
    await settled()
    await accepted(side, old, forge.token())
    assert forge.issuer.requests["jwks"] == 2


async def test_random_kids_cost_one_fetch_in_thirty_seconds(forge: Any, side: Any) -> None:
    await accepted(side, forge.token())
    for number in range(200):
        token = forge.token(forge.header(kid=f"random-{number}"))
        assert await side.refusal(token) == "token_key_unknown"
    assert forge.issuer.requests["jwks"] == 2
    forge.clock.advance(30)
    assert await side.refusal(forge.token(forge.header(kid="random"))) == "token_key_unknown"
    assert forge.issuer.requests["jwks"] == 3


async def test_another_key_under_the_same_kid(forge: Any, side: Any) -> None:
    old = forge.token()
    await accepted(side, old)
    forge.issuer.keys = [SigningKey(forge.key().kid, "RS256", new_key("RS256").private)]
    await accepted(side, forge.token(payload=forge.claims(jti="new")))
    assert await side.refusal(old) == "token_signature"
    assert forge.issuer.requests["jwks"] == 2


async def test_nothing_is_refused_at_once_while_the_keys_are_read_again(
    forge: Any, side: Any
) -> None:
    await accepted(side, forge.token())
    forge.issuer.keys = [SigningKey(forge.key().kid, "RS256", new_key("RS256").private)]
    first, second = (forge.token(payload=forge.claims(jti=jti)) for jti in ("1", "2"))

    async def come_second() -> Caller | str:
        await asyncio.sleep(0)  # until the first waits for the keys
        assert side.authenticator.identify_at_once(second) is None
        outcome: Caller | str = await side.outcome(second)
        return outcome

    outcomes = await asyncio.gather(side.outcome(first), come_second())
    assert all(isinstance(outcome, Caller) for outcome in outcomes), outcomes


async def test_a_bad_signature_costs_no_second_check(forge: Any, side: Any) -> None:
    stranger = new_key("RS256")
    assert await side.refusal(forge.token(key=stranger)) == "token_signature"
    forged = forge.token(payload=forge.claims(jti="1"), key=stranger)
    assert side.authenticator.identify_at_once(forged) is None
    assert side.authenticator.refuses(forged)


async def test_forged_signatures_cost_one_fetch_in_thirty_seconds(forge: Any, side: Any) -> None:
    stranger = new_key("RS256")
    for _ in range(20):
        assert await side.refusal(forge.token(key=stranger)) == "token_signature"
    assert forge.issuer.requests["jwks"] == 2


async def test_withdrawn_keys_go_with_the_refresh(forge: Any, side: Any, settled: Any) -> None:
    token = forge.token()
    await accepted(side, token)
    forge.issuer.keys = [new_key("RS256")]
    forge.clock.advance(239)
    side.authenticator.refresh_due()
    await settled()
    await accepted(side, token)
    forge.clock.advance(1)
    side.authenticator.refresh_due()
    await settled()
    assert await side.refusal(token) == "token_key_unknown"


async def test_refresh_reads_the_discovery_document_again(
    forge: Any, side: Any, settled: Any
) -> None:
    await accepted(side, forge.token())
    forge.clock.advance(240)
    side.authenticator.refresh_due()
    side.authenticator.refresh_due()
    await settled()
    assert forge.issuer.requests == {"discovery": 2, "jwks": 2}
    assert side.issuer.verifier.keys.age_seconds == 0
    assert side.issuer.verifier.keys.generation == 1


@pytest.mark.parametrize(("endpoint", "fault"), EVERY_FAULT)
async def test_keys_in_hand_survive_every_fault(
    endpoint: str, fault: Fault, forge: Any, side: Any, settled: Any
) -> None:
    await accepted(side, forge.token())
    forge.issuer.faults[endpoint] = fault
    for _ in range(3):
        forge.clock.advance(300)
        side.authenticator.refresh_due()
        await settled()
    claims = forge.claims()
    await accepted(side, forge.token(payload=claims))
    assert await side.refusal(forge.token(forge.header(kid="x"))) == "token_key_unknown"
    assert forge.issuer.requests["elsewhere"] == 0
    assert side.issuer.verifier.keys.age_seconds == 900
    del forge.issuer.faults[endpoint]
    forge.clock.advance(31)
    side.authenticator.refresh_due()
    await settled()
    assert side.issuer.verifier.keys.age_seconds == 0


@pytest.mark.parametrize(
    "published",
    [
        [{"kid": str(n), "kty": "RSA", "n": "x" * 400, "e": "AQAB"} for n in range(20_000)],
        [{"kty": "oct", "k": "c2VjcmV0"}],
        ["junk", None, 5],
    ],
    ids=["20000 keys", "no public key", "junk"],
)
async def test_sets_without_use_replace_nothing(
    published: list[Any], forge: Any, side: Any, settled: Any
) -> None:
    await accepted(side, forge.token())
    forge.issuer.published = published
    forge.clock.advance(240)
    side.authenticator.refresh_due()
    await settled()
    assert side.issuer.verifier.keys.age_seconds == 240
    await accepted(side, forge.token(payload=forge.claims()))


async def test_a_hanging_issuer_does_not_slow_known_keys(forge: Any, side: Any) -> None:
    await accepted(side, forge.token())
    forge.issuer.faults = {"jwks": Fault.HANG, "discovery": Fault.HANG}
    forge.clock.advance(1000)
    async with asyncio.timeout(10):
        for number in range(50):
            await accepted(side, forge.token(payload=forge.claims(jti=str(number))))


@pytest.mark.parametrize("endpoint", ["discovery", "jwks"])
async def test_waiting_for_a_hanging_issuer_ends(
    endpoint: str, forge: Any, side: Any, monkeypatch: Any
) -> None:
    monkeypatch.setattr("gateway.auth.keys.TIMEOUT_SECONDS", 0.05)
    forge.issuer.faults[endpoint] = Fault.HANG
    async with asyncio.timeout(10):
        assert await side.refusal(forge.token()) == "issuer_unavailable"


async def test_an_unknown_kid_waits_for_a_hanging_issuer_only_once(
    forge: Any, side: Any, monkeypatch: Any
) -> None:
    await accepted(side, forge.token())
    monkeypatch.setattr("gateway.auth.keys.TIMEOUT_SECONDS", 0.05)
    forge.issuer.faults["jwks"] = Fault.HANG
    async with asyncio.timeout(10):
        for _ in range(50):
            refused = await side.refusal(forge.token(forge.header(kid="x")))
            assert refused == "token_key_unknown"
    # The time may be over before the second has been sent.
    assert forge.issuer.requests["jwks"] <= 2


async def test_keys_count_for_a_day_without_the_issuer(forge: Any, side: Any) -> None:
    claims = forge.claims(exp=forge.clock() + 10 * 86_400)
    token = forge.token(payload=claims)
    await accepted(side, token)
    forge.issuer.faults["jwks"] = Fault.SERVER_ERROR
    forge.clock.advance(86_399)
    await accepted(side, token, forge.token(payload=claims | {"jti": "1"}))
    forge.clock.advance(1)
    assert await side.refusal(token) == "issuer_unavailable"
    assert not side.authenticator.ready


async def test_cold_start_without_the_issuer(forge: Any, side: Any) -> None:
    forge.issuer.faults["discovery"] = Fault.RESET
    token = forge.token()
    with pytest.raises(IssuerUnavailable) as refused:
        await side.authenticator.identify(token)
    assert refused.value.headers["Retry-After"].isdigit()
    for _ in range(200):
        assert await side.refusal(token) == "issuer_unavailable"
    assert forge.issuer.requests["discovery"] <= 2  # aiohttp repeats a GET on a lost connection
    del forge.issuer.faults["discovery"]
    forge.clock.advance(2)
    await accepted(side, token)
    assert side.authenticator.ready


async def test_it_recovers_without_being_asked(forge: Any, side: Any, settled: Any) -> None:
    await forge.issuer.stop()
    side.authenticator.refresh_due()
    await settled()
    assert not side.authenticator.ready
    await forge.issuer.start(port=int(forge.issuer.url.rpartition(":")[2]))
    side.authenticator.refresh_due()
    await settled()
    assert not side.authenticator.ready  # the failure is remembered for a moment
    forge.clock.advance(2)
    side.authenticator.refresh_due()
    await settled()
    assert side.authenticator.ready


async def test_a_refresh_tries_again_at_once(forge: Any, side: Any, settled: Any) -> None:
    forge.issuer.faults["jwks"] = Fault.SERVER_ERROR
    with stamina.set_testing(True, attempts=3):
        side.authenticator.refresh_due()
        await settled()
    assert forge.issuer.requests["jwks"] == 3


async def test_a_clock_set_back_does_not_stop_refetching(forge: Any, side: Any) -> None:
    await accepted(side, forge.token())
    assert await side.refusal(forge.token(forge.header(kid="x"))) == "token_key_unknown"
    forge.clock.advance(-3600)
    assert await side.refusal(forge.token(forge.header(kid="x"))) == "token_key_unknown"
    assert forge.issuer.requests["jwks"] >= 3


async def test_keys_from_an_address(forge: Any, make_side: Any) -> None:
    side = make_side(jwks={"url": f"{forge.issuer.url}/jwks"})
    await accepted(side, forge.token())
    assert forge.issuer.requests == {"jwks": 1}


async def test_keys_from_a_file(
    forge: Any, surroundings: Surroundings, tmp_path: Path, settled: Any
) -> None:
    path = tmp_path / "keys.json"
    observed: list[str] = []
    keys = IssuerKeys(
        "file", from_file(path), surroundings.tasks, surroundings.now, observed.append
    )
    with pytest.raises(IssuerUnavailable):
        await keys.keys_for(None, "RS256")
    path.write_text(json.dumps({"keys": [forge.key().public_jwk()]}))
    forge.clock.advance(2)
    assert len(await keys.keys_for(forge.key().kid, "RS256")) == 1
    path.write_text("{broken")
    forge.clock.advance(240)
    keys.refresh_due()
    await settled()
    assert len(await keys.keys_for(forge.key().kid, "RS256")) == 1
    assert observed == ["failure", "success", "failure"]


async def test_the_session_for_issuers_takes_nothing_from_the_environment() -> None:
    async with open_session() as session:
        assert not session.trust_env
        assert not list(session.cookie_jar)
