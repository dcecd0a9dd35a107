"""The same code against an OpenID provider that is not ours: Canaille, through pytest-iam."""

import datetime
import time
from collections.abc import AsyncIterator
from typing import Any

import pytest

from gateway.auth.client_auth import basic_authorization
from gateway.auth.issuers import ConnectedIssuer, Surroundings, connect
from gateway.auth.requests import open_session, post_form
from gateway.auth.tokens import Authenticator
from gateway.problems import TokenMissing, Unauthenticated
from gateway.settings import Introspection, Issuer, Secret
from gateway.tasks import TaskSet

pytest.importorskip("pytest_iam", reason="the real provider needs the dependency group oidc")

CLIENT, SECRET = "gateway", "s3cret"


@pytest.fixture
def client(iam_server: Any) -> Any:
    """A client of the provider's, and itself the audience of its tokens."""
    with iam_server.app.app_context():
        known = iam_server.backend.get(iam_server.models.Client, client_id=CLIENT)
        if known is None:
            known = iam_server.models.Client(
                client_id=CLIENT,
                client_name=CLIENT,
                client_secret=SECRET,
                client_id_issued_at=datetime.datetime.now(datetime.UTC),
                grant_types=["client_credentials", "password"],
                response_types=["token"],
                redirect_uris=["https://gateway.example.com/"],
                token_endpoint_auth_method="client_secret_basic",
                scope=["openid", "profile", "groups"],
            )
            iam_server.backend.save(known)
            known.audience = [known]
            iam_server.backend.save(known)
    return known


@pytest.fixture
async def connected(iam_server: Any, client: Any) -> AsyncIterator[ConnectedIssuer]:
    tasks = TaskSet()
    settings = Issuer(
        issuer=iam_server.url.rstrip("/"),
        audiences=(CLIENT,),
        algorithms=("RS256", "RS512"),
        introspection=Introspection(client_id=CLIENT, client_secret=Secret(SECRET)),
    )
    async with open_session() as session:
        yield connect({"canaille": settings}, Surroundings(session, tasks, time.time))["canaille"]
        await tasks.cancel()


@pytest.fixture
def authenticator(connected: ConnectedIssuer) -> Authenticator:
    return Authenticator([connected.verifier], time.time)


async def signed_token(iam_server: Any, username: str, password: str) -> str:
    """A JWT as the provider signs it for a person, by the password grant."""
    form = {
        "grant_type": "password",
        "username": username,
        "password": password,
        "scope": "openid profile groups",
    }
    headers = {"Authorization": basic_authorization(CLIENT, SECRET)}
    async with open_session() as session:
        answer = await post_form(session, f"{iam_server.url}oauth/token", form, headers)
    assert answer.document is not None
    return str(answer.document["access_token"])


async def test_its_keys_are_found_by_discovery(connected: ConnectedIssuer) -> None:
    keys = await connected.verifier.keys.keys_for(None, "RS256")
    assert keys
    assert connected.verifier.keys.usable


async def test_its_signed_tokens_are_accepted(
    iam_server: Any, client: Any, authenticator: Authenticator
) -> None:
    user = iam_server.random_user(password="correct horse battery")
    token = await signed_token(iam_server, user.user_name, "correct horse battery")
    caller = await authenticator.identify(token)
    assert (caller.issuer, caller.subject) == ("canaille", user.user_name)
    header, payload, signature = token.split(".")
    with pytest.raises(Unauthenticated):
        await authenticator.identify(f"{header}.{payload}.{signature[::-1]}")


async def test_a_login_by_client_credentials_gives_a_token_that_works(
    connected: ConnectedIssuer, authenticator: Authenticator
) -> None:
    issued = await connected.login.client_credentials(CLIENT, SECRET)
    assert issued.expires_in > 0
    assert issued.access_token
    with pytest.raises(TokenMissing):
        await connected.login.client_credentials(CLIENT, "wrong")


async def test_its_opaque_tokens_are_looked_up(
    iam_server: Any, client: Any, authenticator: Authenticator
) -> None:
    user = iam_server.random_user()
    token = iam_server.random_token(user, client)
    caller = await authenticator.identify(token.access_token)
    assert (caller.issuer, caller.subject) == ("canaille", user.user_name)
    with pytest.raises(Unauthenticated):
        await authenticator.identify("never-issued")
