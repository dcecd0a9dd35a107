"""The login bridge: a client's id and secret become the issuer's token, or a refusal."""

from collections.abc import AsyncIterator, Mapping
from typing import Any

import aiohttp
import pytest
from aiohttp import web

from gateway.auth.discovery import Discovery
from gateway.auth.issuers import Surroundings
from gateway.auth.login import GrantRequest, LoginBridge
from gateway.problems import IssuerUnavailable, TokenMissing
from gateway.settings import JwksUrl, Login
from gateway.simulator.issuer import Client, DemoIssuer, Fault


async def test_a_known_client_gets_a_token_that_works(side: Any) -> None:
    issued = await side.issuer.login.client_credentials("portal", "s3cret")
    assert issued.expires_in == 3600
    caller = await side.authenticator.identify(issued.access_token)
    assert (caller.subject, caller.claims["groups"]) == ("portal", ["ol-billing"])


@pytest.mark.parametrize("methods", [["client_secret_basic"], ["client_secret_post"]])
async def test_either_way_of_showing_a_secret(methods: list[str], forge: Any, side: Any) -> None:
    forge.issuer.auth_methods = methods
    forge.issuer.clients["ört:lich +"] = Client("pä:ss%+ wort")
    issued = await side.issuer.login.client_credentials("ört:lich +", "pä:ss%+ wort")
    assert (await side.authenticator.identify(issued.access_token)).subject == "ört:lich +"


async def test_scope_and_audience_are_asked_for(make_side: Any) -> None:
    side = make_side(login=Login(scope="print", audience="olconnect"))
    issued = await side.issuer.login.client_credentials("portal", "s3cret")
    caller = await side.authenticator.identify(issued.access_token)
    assert (caller.claims["scope"], caller.claims["aud"]) == ("print", "olconnect")


async def test_a_token_endpoint_that_no_discovery_document_names(
    forge: Any, make_side: Any
) -> None:
    forge.issuer.faults["discovery"] = Fault.WRONG_ISSUER
    url = f"{forge.issuer.url}/token"
    side = make_side(jwks=JwksUrl(url=f"{forge.issuer.url}/jwks"), login=Login(url=url))
    issued = await side.issuer.login.client_credentials("portal", "s3cret")
    assert (await side.authenticator.identify(issued.access_token)).subject == "portal"
    assert forge.issuer.requests["discovery"] == 0


async def test_all_that_is_asked_for_beside_the_grant() -> None:
    request = GrantRequest(scope="print", audience="olconnect", resource="https://print.example")
    assert request.form() == {
        "grant_type": "client_credentials",
        "scope": "print",
        "audience": "olconnect",
        "resource": "https://print.example",
    }


@pytest.mark.parametrize("pair", [("portal", "wrong"), ("nobody", "s3cret"), ("portal", "")])
async def test_wrong_secret(pair: tuple[str, str], side: Any) -> None:
    with pytest.raises(TokenMissing, match="refused this client id and secret") as refused:
        await side.issuer.login.client_credentials(*pair)
    assert "s3cret" not in str(refused.value)


@pytest.mark.parametrize("fault", [fault for fault in Fault if fault is not Fault.HANG])
async def test_broken_token_endpoint(fault: Fault, forge: Any, side: Any) -> None:
    if fault in (Fault.WRONG_ISSUER, Fault.NO_KEYS):
        forge.issuer.faults["discovery"] = Fault.WRONG_ISSUER
    else:
        forge.issuer.faults["token"] = fault
    with pytest.raises(IssuerUnavailable) as refused:
        await side.issuer.login.client_credentials("portal", "s3cret")
    assert refused.value.headers["Retry-After"]
    assert forge.issuer.requests["elsewhere"] == 0
    forge.issuer.faults.clear()
    assert (await side.issuer.login.client_credentials("portal", "s3cret")).access_token


class ParticularIssuer(DemoIssuer):
    """Reads Basic as it stands, as Glewlwyd and Doorkeeper do, or takes none from this client."""

    takes_basic = True

    def _client_of(self, request: web.Request, form: Mapping[str, str]) -> str | None:
        shown = request.headers.get("Authorization")
        if shown is None:
            return super()._client_of(request, form)
        as_it_stands = aiohttp.encode_basic_auth("portal", self.clients["portal"].secret)
        return "portal" if self.takes_basic and shown == as_it_stands else None


@pytest.fixture
async def particular(clock: Any, signing_keys: Any) -> AsyncIterator[ParticularIssuer]:
    issuer = ParticularIssuer({"portal": Client("pass+/=word")}, algorithms=(), now=clock)
    issuer.keys = list(signing_keys)
    await issuer.start()
    yield issuer
    await issuer.stop()


@pytest.mark.parametrize("takes_basic", [True, False])
@pytest.mark.parametrize("url", ["discovery", "{}/token"])
async def test_the_other_way_is_tried_when_the_first_is_refused(
    url: str, takes_basic: bool, particular: ParticularIssuer, make_side: Any
) -> None:
    particular.takes_basic = takes_basic
    login = Login(url=url.format(particular.url))
    side = make_side(issuer=particular.url, login=login)
    issued = await side.issuer.login.client_credentials("portal", "pass+/=word")
    assert (await side.authenticator.identify(issued.access_token)).subject == "portal"
    with pytest.raises(TokenMissing, match="refused this client id and secret"):
        await side.issuer.login.client_credentials("portal", "wrong")


async def test_no_way_is_tried_that_the_issuer_does_not_name(
    particular: ParticularIssuer, make_side: Any
) -> None:
    particular.auth_methods = ["client_secret_basic", "private_key_jwt"]
    side = make_side(issuer=particular.url)
    with pytest.raises(TokenMissing):
        await side.issuer.login.client_credentials("portal", "pass+/=word")
    assert particular.requests["token"] == 1


async def test_a_refusal_that_is_not_the_clients_is_not_asked_for_twice(
    surroundings: Surroundings,
) -> None:
    endpoint = TokenEndpoint()
    endpoint.status, endpoint.document = 400, {"error": "invalid_scope"}
    with pytest.raises(TokenMissing):
        await ask(endpoint, surroundings)
    assert endpoint.asked == 1


class TokenEndpoint:
    """An issuer that answers a token request with whatever a test wants."""

    def __init__(self) -> None:
        self.status = 200
        self.document: Any = {}
        self.url = ""
        self.asked = 0

    async def __call__(self, request: web.BaseRequest) -> web.Response:
        if request.method == "GET":
            methods = ["client_secret_basic", "client_secret_post"]
            document = {"issuer": self.url, "token_endpoint": f"{self.url}/token"}
            named = {"token_endpoint_auth_methods_supported": methods}
            return web.json_response(document | named)
        self.asked += 1
        return web.json_response(self.document, status=self.status)


async def ask(endpoint: TokenEndpoint, surroundings: Surroundings) -> tuple[str, int]:
    runner = web.ServerRunner(web.Server(endpoint))
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        endpoint.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
        discovery = Discovery(endpoint.url, surroundings.session, surroundings.tasks)
        session, now = surroundings.session, surroundings.now
        bridge = LoginBridge(discovery.metadata, GrantRequest(), session, now)
        return await bridge.client_credentials("id", "secret")
    finally:
        await runner.cleanup()


@pytest.mark.parametrize(
    ("stated", "seconds"),
    [
        ({"expires_in": 120}, 120),
        ({"expires_in": "120"}, 120),
        ({}, 60),
        ({"expires_in": None}, 60),
        ({"expires_in": True}, 60),
        ({"expires_in": -5}, 60),
        ({"expires_in": 1.5}, 60),
        ({"expires_in": "9" * 5000}, 60),
    ],
)
async def test_lifetime(stated: dict[str, Any], seconds: int, surroundings: Surroundings) -> None:
    endpoint = TokenEndpoint()
    endpoint.document = {"access_token": "opaque"} | stated
    assert await ask(endpoint, surroundings) == ("opaque", seconds)


async def test_lifetime_from_the_token(forge: Any, surroundings: Surroundings) -> None:
    endpoint = TokenEndpoint()
    token = forge.token(payload=forge.claims(exp=forge.clock() + 77))
    endpoint.document = {"access_token": token}
    assert await ask(endpoint, surroundings) == (token, 77)


@pytest.mark.parametrize("token", [None, 5, "", ["t"], "a b", "a\r\nb", "tök", "t" * 16_385])
async def test_unusable_token(token: Any, surroundings: Surroundings) -> None:
    endpoint = TokenEndpoint()
    endpoint.document = {"access_token": token, "expires_in": 5}
    with pytest.raises(IssuerUnavailable):
        await ask(endpoint, surroundings)


@pytest.mark.parametrize(
    ("status", "document", "problem"),
    [
        (400, {"error": "invalid_client"}, TokenMissing),
        (401, {}, TokenMissing),
        (400, {"error": "invalid_scope"}, TokenMissing),
        (403, {"error": ["odd"]}, TokenMissing),
        (429, {"error": "slow_down"}, IssuerUnavailable),
        (201, {"access_token": "t"}, IssuerUnavailable),
        (200, ["t"], IssuerUnavailable),
    ],
)
async def test_other_answers(
    status: int, document: Any, problem: type[Exception], surroundings: Surroundings
) -> None:
    endpoint = TokenEndpoint()
    endpoint.status, endpoint.document = status, document
    with pytest.raises(problem):
        await ask(endpoint, surroundings)
