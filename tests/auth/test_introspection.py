"""Opaque tokens: what is asked, what the answer must say, and for how long it counts."""

import asyncio
from typing import Any

import pytest
from aiohttp import web

from gateway.auth.client_auth import ClientSecret
from gateway.auth.introspection import (
    MAX_UNDER_WAY,
    IntrospectionClient,
    Introspector,
)
from gateway.auth.issuers import Surroundings
from gateway.problems import IssuerUnavailable
from gateway.settings import Introspection, Secret
from gateway.simulator.issuer import Client, Fault


@pytest.fixture
def asking(forge: Any, make_side: Any) -> Any:
    forge.issuer.clients["gate:way ü"] = Client("sé:cret+ &")
    settings = Introspection(client_id="gate:way ü", client_secret=Secret("sé:cret+ &"))
    return make_side(introspection=settings)


async def test_an_active_token_names_its_caller(forge: Any, asking: Any) -> None:
    token = forge.issuer.mint_opaque(subject="bob", groups=["ol-billing"])
    caller = await asking.authenticator.identify(token)
    assert (caller.issuer, caller.subject) == ("demo", "bob")
    assert caller.claims["groups"] == ["ol-billing"]
    assert forge.issuer.requests["jwks"] == 0


async def test_the_way_of_showing_the_secret_is_found_and_kept(
    forge: Any, asking: Any, monkeypatch: Any
) -> None:
    def by_form_only(request: web.Request, form: dict[str, str]) -> str | None:
        return form.get("client_id") if "Authorization" not in request.headers else None

    monkeypatch.setattr(forge.issuer, "_client_of", by_form_only)
    for asked in (2, 3):
        await asking.authenticator.identify(forge.issuer.mint_opaque())
        assert forge.issuer.requests["introspection"] == asked


async def test_positive_answers_count_for_thirty_seconds(forge: Any, asking: Any) -> None:
    token = forge.issuer.mint_opaque()
    await asking.authenticator.identify(token)
    forge.issuer.revoke(token)
    forge.clock.advance(29)
    await asking.authenticator.identify(token)
    assert forge.issuer.requests["introspection"] == 1
    forge.clock.advance(1)
    assert await asking.refusal(token) == "token_claims"


async def test_positive_answers_end_with_the_token(forge: Any, asking: Any) -> None:
    token = forge.issuer.mint_opaque(ttl_seconds=10)
    await asking.authenticator.identify(token)
    forge.clock.advance(10)
    assert await asking.refusal(token) == "token_claims"


async def test_negative_answers_count_for_five_seconds(forge: Any, asking: Any) -> None:
    for _ in range(10):
        assert await asking.refusal("unheard-of") == "token_claims"
    assert forge.issuer.requests["introspection"] == 1
    forge.clock.advance(5)
    assert await asking.refusal("unheard-of") == "token_claims"
    assert forge.issuer.requests["introspection"] == 2


async def test_simultaneous_callers_share_one_question(forge: Any, asking: Any) -> None:
    token = forge.issuer.mint_opaque()
    await asyncio.gather(*(asking.authenticator.identify(token) for _ in range(100)))
    assert forge.issuer.requests["introspection"] == 1


@pytest.mark.parametrize(
    ("claims", "code"),
    [
        ({"active": "true"}, "token_claims"),
        ({"active": 1}, "token_claims"),
        ({"active": None}, "token_claims"),
        ({"iss": "https://elsewhere.example"}, "token_issuer"),
        ({"aud": "other"}, "token_audience"),
        ({"nbf": 1_900_000_000}, "token_claims"),
        ({"sub": "a\nb"}, "token_claims"),
        ({"token_type": "refresh_token"}, "token_claims"),
    ],
)
async def test_wrong_answers(claims: dict[str, Any], code: str, forge: Any, asking: Any) -> None:
    assert await asking.refusal(forge.issuer.mint_opaque(**claims)) == code


@pytest.mark.parametrize(
    "fault", [Fault.SERVER_ERROR, Fault.HTML, Fault.GARBAGE, Fault.EMPTY, Fault.REDIRECT]
)
async def test_no_answer(fault: Fault, forge: Any, asking: Any) -> None:
    token = forge.issuer.mint_opaque()
    forge.issuer.faults["introspection"] = fault
    assert await asking.refusal(token) == "issuer_unavailable"
    del forge.issuer.faults["introspection"]
    assert (await asking.authenticator.identify(token)).subject == "someone"


async def test_a_refused_gateway_is_no_refused_caller(forge: Any, make_side: Any) -> None:
    settings = Introspection(client_id="portal", client_secret=Secret("wrong"))
    side = make_side(introspection=settings)
    assert await side.refusal(forge.issuer.mint_opaque()) == "issuer_unavailable"


@pytest.mark.parametrize(
    "token", ["a b", "tök", "x\r\ny", "a,b", '{"a":1}', "a.b.c.d.e", "o" * 16_385, "=", "\udc80"]
)
async def test_impossible_tokens_are_not_asked_about(token: str, forge: Any, asking: Any) -> None:
    assert await asking.refusal(token) == "token_malformed"
    assert not forge.issuer.requests


async def test_jwts_are_not_asked_about(forge: Any, asking: Any) -> None:
    assert (await asking.authenticator.identify(forge.token())).subject == "ann"
    assert await asking.refusal("a.b.c") == "token_malformed"
    assert forge.issuer.requests["introspection"] == 0


async def test_without_introspection_opaque_tokens_are_malformed(forge: Any, side: Any) -> None:
    assert await side.refusal(forge.issuer.mint_opaque()) == "token_malformed"


async def test_an_answer_without_exp_counts_for_a_minute(surroundings: Surroundings) -> None:
    asked: list[dict[str, Any]] = []

    async def answer(request: web.BaseRequest) -> web.Response:
        asked.append(dict(await request.post()) | {"accept": request.headers["Accept"]})
        return web.json_response({"active": True, "client_id": "portal"})

    runner = web.ServerRunner(web.Server(answer))
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()

    async def endpoint() -> str:
        return f"http://127.0.0.1:{runner.addresses[0][1]}/introspect?realm=%2Fa"

    client = IntrospectionClient(endpoint, ClientSecret("gateway", "s3cret"))
    assert "s3cret" not in repr(client)
    around = surroundings
    introspector = Introspector(client, around.session, around.tasks, around.now)
    assert await introspector.claims_of("opaque") == {"active": True, "client_id": "portal"}
    await runner.cleanup()
    assert asked == [
        {"token": "opaque", "token_type_hint": "access_token", "accept": "application/json"}
    ]


async def test_only_so_many_questions_at_a_time(forge: Any, asking: Any) -> None:
    forge.issuer.faults["introspection"] = Fault.HANG
    introspector = asking.issuer.verifier.introspector
    waiting = [
        asyncio.ensure_future(introspector.claims_of(f"token-{number}"))  # noqa: TID251
        for number in range(MAX_UNDER_WAY)
    ]
    await asyncio.sleep(0)
    with pytest.raises(IssuerUnavailable):
        await introspector.claims_of("one-too-many")
    for task in waiting:
        task.cancel()
    await asyncio.gather(*waiting, return_exceptions=True)
