"""What the Authenticator remembers, when it forgets, and how it tells issuers apart."""

from collections.abc import AsyncIterator
from typing import Any

import pytest

from gateway.auth.issuers import Surroundings, connect
from gateway.auth.tokens import Authenticator
from gateway.settings import Issuer
from gateway.simulator.issuer import DemoIssuer, SigningKey, new_key
from tests.support.ports import free_port


async def test_a_verified_token_is_recalled_without_waiting(forge: Any, side: Any) -> None:
    token = forge.token()
    assert side.authenticator.recall(token) is None
    caller = await side.authenticator.identify(token)
    assert side.authenticator.recall(token) is caller
    assert await side.authenticator.identify(token) is caller


async def test_only_the_exact_text_is_recalled(forge: Any, side: Any) -> None:
    token = forge.token()
    await side.authenticator.identify(token)
    for other in (token + "=", token[:-1], token.upper(), f" {token}", ""):
        assert side.authenticator.recall(other) is None


async def test_refusals_are_not_remembered(forge: Any, side: Any) -> None:
    token = forge.token(payload=forge.claims(nbf=forge.clock() + 60))
    assert await side.refusal(token) == "token_claims"
    forge.clock.advance(60)
    assert (await side.authenticator.identify(token)).subject == "ann"


async def test_a_bad_signature_is_remembered_until_the_keys_may_be_asked_for_again(
    forge: Any, side: Any
) -> None:
    """The same text under the same keys: a client that goes on trying costs no further check."""
    token = forge.token()
    forged = token[:-8] + ("AAAAAAAA" if token[-8:] != "AAAAAAAA" else "BBBBBBBB")
    assert not side.authenticator.refuses(forged)
    assert await side.refusal(forged) == "token_signature"
    forge.clock.advance(29)
    assert side.authenticator.refuses(forged)
    assert not side.authenticator.refuses(token)
    assert await side.refusal(forged) == "token_signature"
    forge.clock.advance(1)
    assert not side.authenticator.refuses(forged)
    assert (await side.authenticator.identify(token)).subject == "ann"


async def test_tokens_that_have_ended_take_no_memory(forge: Any, side: Any) -> None:
    *_, last = tokens = [
        forge.token(payload=forge.claims(exp=forge.clock() + seconds)) for seconds in (10, 20, 500)
    ]
    for token in tokens:
        await side.authenticator.identify(token)
    forge.clock.advance(60)
    side.authenticator.refresh_due()
    assert side.authenticator.remembered == 1
    assert side.authenticator.recall(last) is not None


async def test_a_remembered_token_ends_on_time(forge: Any, side: Any) -> None:
    token = forge.token(payload=forge.claims(exp=forge.clock() + 10))
    await side.authenticator.identify(token)
    forge.clock.advance(39.9)
    assert side.authenticator.recall(token) is not None
    forge.clock.advance(0.1)
    assert side.authenticator.recall(token) is None


async def test_another_key_set_empties_the_memory(forge: Any, side: Any, settled: Any) -> None:
    token = forge.token()
    await side.authenticator.identify(token)
    forge.issuer.keys.append(new_key("ES256"))
    forge.clock.advance(240)
    side.authenticator.refresh_due()
    await settled()
    assert side.authenticator.recall(token) is None
    assert (await side.authenticator.identify(token)).subject == "ann"


async def test_the_memory_is_bounded(forge: Any, side: Any, monkeypatch: Any) -> None:
    monkeypatch.setattr("gateway.auth.tokens.MAX_REMEMBERED_CHARACTERS", 4000)
    small = Authenticator([side.issuer.verifier], forge.clock)
    tokens = [forge.token(payload=forge.claims(jti=str(number))) for number in range(20)]
    for token in tokens:
        await small.identify(token)
    remembered = [token for token in tokens if small.recall(token)]
    assert 0 < len(remembered) <= 4000 // len(tokens[0])
    assert remembered[-1] == tokens[-1]


async def test_every_outcome_is_observed(forge: Any, side: Any) -> None:
    token = forge.token()
    await side.authenticator.identify(token)
    await side.authenticator.identify(token)
    await side.refusal("junk")
    await side.refusal(forge.token(payload=forge.claims(aud="other")))
    await side.refusal(forge.token(payload=forge.claims(iss="https://elsewhere.example")))
    assert side.results == [
        ("demo", "success"),
        ("demo", "success"),
        ("unknown", "token_malformed"),
        ("demo", "token_audience"),
        ("unknown", "token_issuer"),
    ]


@pytest.fixture
async def second(clock: Any) -> AsyncIterator[DemoIssuer]:
    demo = DemoIssuer(algorithms=("ES256",), now=clock)
    await demo.start(port=free_port())  # once stopped, it must not become another test's
    yield demo
    await demo.stop()


@pytest.fixture
def both(issuer: DemoIssuer, second: DemoIssuer, surroundings: Surroundings) -> Authenticator:
    settings = {
        "first": Issuer(issuer=issuer.url, audiences=("olconnect",)),
        "second": Issuer(issuer=second.url, audiences=("olconnect",)),
    }
    connected = connect(settings, surroundings)
    return Authenticator([one.verifier for one in connected.values()], surroundings.now)


async def test_each_issuer_vouches_for_its_own(
    forge: Any, second: DemoIssuer, both: Authenticator
) -> None:
    assert (await both.identify(forge.token())).issuer == "first"
    assert (await both.identify(second.mint(algorithm="ES256"))).issuer == "second"


async def test_no_issuer_vouches_for_another(
    forge: Any, side: Any, second: DemoIssuer, both: Authenticator
) -> None:
    side.authenticator = both
    claims = forge.claims(iss=forge.issuer.url)
    foreign = second.keys[0]
    as_first = forge.token(
        {"alg": "ES256", "kid": foreign.kid}, claims, algorithm="ES256", key=foreign
    )
    assert await side.refusal(as_first) == "token_key_unknown"
    twin = SigningKey(forge.key("ES256").kid, "ES256", foreign.private)
    same_kid = forge.token({"alg": "ES256", "kid": twin.kid}, claims, algorithm="ES256", key=twin)
    assert await side.refusal(same_kid) == "token_signature"
    assert second.requests["jwks"] == 0


async def test_one_issuers_outage_is_its_own(
    forge: Any, side: Any, second: DemoIssuer, both: Authenticator
) -> None:
    token = second.mint(algorithm="ES256")
    await second.stop()
    side.authenticator = both
    assert await side.refusal(token) == "issuer_unavailable"
    assert (await both.identify(forge.token())).issuer == "first"


def test_two_verifiers_for_one_issuer_are_a_mistake(side: Any) -> None:
    with pytest.raises(ValueError, match="same issuer URL"):
        Authenticator([side.issuer.verifier, side.issuer.verifier], side.surroundings.now)


async def test_at_once_means_the_same(forge: Any, side: Any) -> None:
    """Nothing but a good token is accepted, and only with what is at hand."""
    at_once = side.authenticator.identify_at_once
    good = forge.token()
    assert at_once(good) is None  # the keys are not at hand yet
    assert (await side.authenticator.identify(good)).subject == "ann"
    assert at_once(good) is side.authenticator.recall(good)
    other = forge.token(payload=forge.claims(sub="bob"))
    assert at_once(other).subject == "bob"
    assert side.results == [("demo", "success")] * 2
    for refused in (
        "",
        "opaque",
        forge.token(payload=forge.claims(aud="other")),
        forge.token(payload=forge.claims(iss="http://other.test")),
        forge.token(payload=forge.claims(exp=int(forge.clock()) - 60)),
        forge.token({"alg": "none"}),
        f"{other.rpartition('.')[0]}.",
    ):
        assert at_once(refused) is None
    assert len(side.results) == 2  # what they are refused for is for ``identify`` to say
