"""Access tokens and key sets as the documents of well-known providers show them.

Only what is peculiar to a provider is written down; addresses, times and keys are the tests' own.
"""

from dataclasses import dataclass, field
from typing import Any

import pytest

from gateway.rules.claims import values_of
from gateway.simulator.issuer import new_key

GUID = "6731de76-14a6-49ae-97bc-6eba6914391e"


@dataclass
class Shape:
    """``claims``: of an access token; ``key``: members of its published key, None takes one away;
    ``kid``: None for a header without; ``team``: the claim that an operator would name."""

    claims: dict[str, Any]
    team: str = "groups"
    header: dict[str, Any] = field(default_factory=dict)
    key: dict[str, Any] = field(default_factory=dict)
    kid: str | None = "nOo3ZDrODXEK1jKWhXslHR_KXEg"
    settings: dict[str, Any] = field(default_factory=dict)
    subject: str = "ann"


KEYCLOAK = {"typ": "Bearer", "azp": "portal", "acr": "1", "scope": "openid profile", "sid": "s"}
ENTRA_KEY = {"alg": None, "x5t": "nOo3ZDrODXEK1jKWhXslHR_KXEg", "x5c": ["MIIC"], "issuer": "x"}

SHAPES = {
    "Keycloak, realm roles": Shape(
        {
            **KEYCLOAK,
            "aud": ["olconnect", "account"],
            "realm_access": {"roles": ["ol-billing", "offline_access"]},
        },
        "realm_access.roles",
    ),
    "Keycloak, client roles": Shape(
        {**KEYCLOAK, "resource_access": {"ol.connect": {"roles": ["ol-billing"]}}},
        "resource_access.ol.connect.roles",
    ),
    "Keycloak before 25, with the nonce": Shape(
        {**KEYCLOAK, "nonce": "n", "groups": ["ol-billing"]}
    ),
    "Keycloak, by RFC 9068": Shape(
        {**KEYCLOAK, "groups": ["ol-billing"]}, header={"typ": "at+jwt"}
    ),
    "Keycloak, one text by a user attribute": Shape(
        {**KEYCLOAK, "team": "ol-billing"}, "team", settings={"algorithms": ("PS256",)}
    ),
    "Entra ID v2, person": Shape(
        {"azp": GUID, "azpacr": "0", "scp": "print.all user.read", "roles": ["ol-billing"]}
        | {"oid": GUID, "tid": GUID, "uti": "u", "rh": "0.A", "ver": "2.0", "aio": "a"},
        "roles",
        key=ENTRA_KEY,
    ),
    "Entra ID v2, client": Shape(
        {"azp": GUID, "azpacr": "1", "idtyp": "app", "roles": ["ol-billing"], "ver": "2.0"},
        "roles",
        key=ENTRA_KEY,
    ),
    "Entra ID, by scope": Shape({"scp": "openid ol-billing", "ver": "2.0"}, "scp", key=ENTRA_KEY),
    "Entra ID v1": Shape(
        {"aud": f"api://{GUID}", "appid": GUID, "appidacr": "1", "ver": "1.0"}
        | {"idp": "https://sts.windows.net/t/", "roles": ["ol-billing"]},
        "roles",
        header={"x5t": "nOo3ZDrODXEK1jKWhXslHR_KXEg"},
        key=ENTRA_KEY,
        settings={"audiences": (f"api://{GUID}",)},
    ),
    "AD FS": Shape(
        {"sub": None, "appid": "portal", "apptype": "Confidential", "scp": "openid", "ver": "1.0"}
        | {"aud": "microsoft:identityserver:olconnect", "auth_time": "2026-05-27T07:02:58.916Z"}
        | {"authmethod": "http://schemas.microsoft.com/ws/2008/06/identity", "group": "ol-billing"},
        "group",
        header={"x5t": "nOo3ZDrODXEK1jKWhXslHR_KXEg"},
        kid=None,
        settings={"audiences": ("microsoft:identityserver:olconnect",)},
        subject="portal",
    ),
    "Auth0": Shape(
        {
            "sub": "client@clients",
            "aud": ["olconnect", "https://example.eu.auth0.com/userinfo"],
            "azp": "client",
            "gty": "client-credentials",
            "scope": "openid profile",
            "https://example.com/teams": ["ol-billing"],
        },
        "https://example.com/teams",
        subject="client@clients",
    ),
    "Auth0, permissions": Shape({"azp": "portal", "permissions": ["ol-billing"]}, "permissions"),
    "Okta": Shape(
        {"ver": 1, "jti": "AT.x", "cid": "0oa1", "uid": "00u1", "scp": ["openid", "print"]}
        | {"aud": "api://default", "auth_time": 1_799_999_000, "groups": ["ol-billing"]},
        header={"typ": None},
        settings={"audiences": ("api://default",)},
    ),
    "Cognito, bound to a resource": Shape(
        {"cognito:groups": ["ol-billing"], "token_use": "access", "client_id": "c"}
        | {"scope": "olconnect/print", "version": 2, "username": "ann", "origin_jti": "o"},
        "cognito:groups",
        header={"typ": None},
        kid="1234example=",
    ),
    "PingFederate": Shape(
        {"sub": None, "client_id": "portal", "scope": ["print"], "groups": ["ol-billing"]},
        header={"typ": None, "pi.atm": "1"},
        subject="portal",
    ),
    "PingAM": Shape(
        {"tokenName": "access_token", "token_type": "Bearer", "cts": "OAUTH2_STATELESS_GRANT"}
        | {"grant_type": "authorization_code", "scope": ["openid"], "realm": "/alpha"}
        | {"nonce": "n", "auth_level": 0, "groups": ["ol-billing"]},
        header={"zip": "NONE"},
        kid="wU3ifIIaLOUAReRB/FG6eM1P1QM=",
    ),
    "Zitadel": Shape(
        {
            "sub": "312016987",
            "aud": ["olconnect", "2387462"],
            "client_id": "portal",
            "urn:zitadel:iam:org:project:roles": {"ol-billing": {"24000": "example.zitadel.app"}},
        },
        "urn:zitadel:iam:org:project:roles.ol-billing.24000",
        subject="312016987",
    ),
    "Authentik": Shape(
        {"acr": "goauthentik.io/providers/oauth2/default", "amr": ["pwd"], "nonce": "n"}
        | {"azp": "olconnect", "uid": "u", "scope": "openid profile", "groups": ["ol-billing"]}
    ),
    "GitLab, a job": Shape(
        {"sub": "project_path:g/p:ref_type:branch:ref:main", "namespace_path": "ol-billing"}
        | {"ref_protected": "true", "pipeline_source": "push", "user_access_level": "owner"},
        "namespace_path",
        subject="project_path:g/p:ref_type:branch:ref:main",
    ),
    "Google, a service account": Shape(
        {"azp": "1178", "email": "ol-billing", "email_verified": True, "exp": 1_800_000_600.75},
        "email",
        key={"alg": "RS256"},
    ),
    "RS512 by a key that names nothing": Shape(
        {"groups": "ol-billing"},
        key={"alg": None, "use": None},
        settings={"algorithms": ("RS512",)},
    ),
}


def key_set(forge: Any, shape: Shape) -> list[dict[str, Any]]:
    """The signing key in its form, after keys of other uses and kinds, as providers mix them."""
    mine = forge.key("RS256").public_jwk() | {"alg": "RS256", "kid": shape.kid or "any"}
    algorithms = shape.settings.get("algorithms", ("RS256",))
    mine |= {"alg": algorithms[0]} | shape.key
    encrypting = new_key("RS256").public_jwk() | {"use": "enc", "alg": "RSA-OAEP"}
    unknown = {"kty": "OKP", "crv": "X25519", "x": "AAAA", "kid": "x", "use": "enc"}
    others = [forge.key("ES256").public_jwk(), encrypting, unknown]
    return [*others, {name: value for name, value in mine.items() if value is not None}]


def token_of(forge: Any, shape: Shape) -> str:
    now = int(forge.clock())
    header = {"typ": "JWT", "kid": shape.kid, **shape.header}
    algorithm = shape.settings.get("algorithms", ("RS256",))[0]
    given = {"iat": now - 3, "nbf": now - 3, "jti": "j", **shape.claims}
    kept = {name: value for name, value in header.items() if value is not None}
    token = forge.token(
        {"alg": algorithm, **kept},
        forge.claims(**given),
        algorithm=algorithm,
        key=forge.key("RS256"),
    )
    return str(token)


@pytest.mark.parametrize("shape", SHAPES.values(), ids=SHAPES.keys())
async def test_the_providers_tokens_are_accepted(shape: Shape, forge: Any, make_side: Any) -> None:
    forge.issuer.published = key_set(forge, shape)
    side = make_side(**({"algorithms": ("RS256",)} | shape.settings))
    caller = await side.authenticator.identify(token_of(forge, shape))
    assert caller.subject == shape.subject
    wanted = "example.zitadel.app" if "zitadel" in shape.team else "ol-billing"
    assert wanted in values_of(caller.claims, shape.team)


OTHER_TOKENS = {
    "Keycloak, ID token": {"typ": "ID", "azp": "portal", "groups": ["ol-billing"]},
    "Keycloak, refresh token": {"typ": "Refresh", "azp": "portal"},
    "Keycloak, offline token": {"typ": "Offline", "azp": "portal"},
    "Cognito, ID token": {"token_use": "id", "cognito:groups": ["ol-billing"]},
    "PingAM, ID token": {"tokenType": "JWTToken", "tokenName": "id_token"},
    "PingAM, refresh token": {"tokenName": "refresh_token", "scope": ["openid"]},
    "Entra ID, ID token": {"nonce": "n", "ver": "2.0", "roles": ["ol-billing"]},
    "a logout token": {"events": {"http://schemas.openid.net/event/backchannel-logout": {}}},
}


@pytest.mark.parametrize("claims", OTHER_TOKENS.values(), ids=OTHER_TOKENS.keys())
async def test_the_same_providers_other_tokens_are_refused(
    claims: dict[str, Any], forge: Any, side: Any
) -> None:
    assert await side.refusal(forge.token(payload=forge.claims(**claims))) == "token_claims"


async def test_cognitos_usual_access_token_names_no_audience(forge: Any, side: Any) -> None:
    claims = forge.claims(aud=None, client_id="olconnect", token_use="access")
    assert await side.refusal(forge.token(payload=claims)) == "token_audience"
