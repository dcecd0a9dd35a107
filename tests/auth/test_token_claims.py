"""Claims as an issuer signed them: every rule holds on the whole way, not only in rules/claims."""

import json
from typing import Any

import pytest

from gateway.rules.claims import values_of

EXPIRED_LONG_AGO = 1_600_000_000
REFUSALS: list[tuple[dict[str, Any], str]] = [
    ({"exp": None}, "token_claims"),
    ({"exp": EXPIRED_LONG_AGO}, "token_expired"),
    ({"exp": "1900000000"}, "token_claims"),
    ({"exp": True}, "token_claims"),
    ({"exp": [1_900_000_000]}, "token_claims"),
    ({"exp": 0}, "token_claims"),
    ({"exp": -1}, "token_claims"),
    ({"exp": 10**4200}, "token_claims"),
    ({"nbf": 1_900_000_000}, "token_claims"),
    ({"nbf": "1"}, "token_claims"),
    ({"nbf": False}, "token_claims"),
    ({"iat": 1_900_000_000}, "token_claims"),
    ({"iat": "1"}, "token_claims"),
    ({"aud": None}, "token_audience"),
    ({"aud": "other"}, "token_audience"),
    ({"aud": []}, "token_audience"),
    ({"aud": "olconnect other"}, "token_audience"),
    ({"iss": None}, "token_issuer"),
    ({"iss": "https://elsewhere.example"}, "token_issuer"),
    ({"iss": ["list"]}, "token_issuer"),
    ({"sub": None}, "token_claims"),
    ({"sub": 7}, "token_claims"),
    ({"sub": "ann\r\nX-Admin: 1"}, "token_claims"),
    ({"sub": "s" * 4096}, "token_claims"),
    ({"nonce": "n", "at_hash": "h", "azp": "portal"}, "token_claims"),
]


@pytest.mark.parametrize(("changes", "code"), REFUSALS, ids=lambda case: str(case)[:40])
async def test_refused(changes: dict[str, Any], code: str, forge: Any, side: Any) -> None:
    assert await side.refusal(forge.token(payload=forge.claims(**changes))) == code


@pytest.mark.parametrize("change", [lambda iss: iss + "/", lambda iss: iss[:-1], str.upper])
async def test_nearly_the_issuer(change: Any, forge: Any, side: Any) -> None:
    token = forge.token(payload=forge.claims(iss=change(forge.issuer.url)))
    assert await side.refusal(token) == "token_issuer"
    assert not forge.issuer.requests


@pytest.mark.parametrize("text", ["NaN", "Infinity", "1e999", "9" * 4400])
async def test_expiry_that_is_no_number(text: str, forge: Any, side: Any) -> None:
    payload = json.dumps(forge.claims(exp=0)).replace('"exp": 0', f'"exp": {text}').encode()
    assert await side.refusal(forge.token(payload=payload)) == "token_malformed"


async def test_fraction_of_a_second_is_a_time(forge: Any, side: Any) -> None:
    expires = forge.clock() + 60.5
    caller = await side.authenticator.identify(forge.token(payload=forge.claims(exp=expires)))
    assert caller.expires == expires


async def test_expired_tokens_live_on_for_the_leeway_only(forge: Any, side: Any) -> None:
    token = forge.token(payload=forge.claims(exp=forge.clock() + 10))
    forge.clock.advance(39)
    assert (await side.authenticator.identify(token)).subject == "ann"
    forge.clock.advance(1)
    assert await side.refusal(token) == "token_expired"


async def test_membership_reaches_the_caller_as_it_stands(forge: Any, side: Any) -> None:
    groups = ["ol-billing", "OL-BILLING", " ol-billing", "ol-billing\0", "*", "../", 3]
    caller = await side.authenticator.identify(forge.token(payload=forge.claims(groups=groups)))
    assert values_of(caller.claims, "groups") == set(groups) - {3}


async def test_wrong_signature_is_told_before_wrong_claims(forge: Any, side: Any) -> None:
    token = forge.token(payload=forge.claims(exp=EXPIRED_LONG_AGO))
    assert await side.refusal(token[:-8] + "AAAAAAAA") in ("token_signature", "token_malformed")
