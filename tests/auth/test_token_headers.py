"""Header parameters other than alg: which are refused, and that none leads us anywhere."""

import base64
import json
from datetime import UTC, datetime
from typing import Any, cast

import pytest
from aiohttp import web
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import NameOID

from gateway.simulator.issuer import SigningKey, new_key

WRONG_KIDS = {
    "traversal": "../../../../dev/null",
    "file": "file:///dev/null",
    "sql": "x' UNION SELECT 'secret';--",
    "shell": "key; curl example.org",
    "template": "{{7*7}}${7*7}",
    "star": "*",
    "empty": "",
    "upper case": "RS256-KID",
    "unicode": "schlüssel",
}
UNPRINTABLE_KIDS = {
    "NUL": "kid\0",
    "LF": "kid\n",
    "CRLF": "kid\r\nX: y",
    "right-to-left mark": "kid\u200f",
    "4000 characters": "k" * 4000,
}
NOT_TEXT: list[Any] = [None, 1, True, 1.5, [], ["kid"], {}, {"kid": "kid"}]


@pytest.mark.parametrize("kid", WRONG_KIDS.values(), ids=WRONG_KIDS.keys())
async def test_unknown_kid(kid: str, forge: Any, side: Any) -> None:
    assert await side.refusal(forge.token(forge.header(kid=kid))) == "token_key_unknown"


@pytest.mark.parametrize("change", [str.upper, lambda kid: kid + " ", lambda kid: " " + kid])
async def test_nearly_the_right_kid(change: Any, forge: Any, side: Any) -> None:
    kid = change(forge.key().kid)
    assert await side.refusal(forge.token(forge.header(kid=kid))) == "token_key_unknown"


@pytest.mark.parametrize("kid", UNPRINTABLE_KIDS.values(), ids=UNPRINTABLE_KIDS.keys())
async def test_unprintable_kid(kid: str, forge: Any, side: Any) -> None:
    assert await side.refusal(forge.token(forge.header(kid=kid))) == "token_malformed"
    assert not forge.issuer.requests


@pytest.mark.parametrize("kid", NOT_TEXT, ids=repr)
async def test_kid_that_is_no_text(kid: Any, forge: Any, side: Any) -> None:
    assert await side.refusal(forge.token(forge.header(kid=kid))) == "token_malformed"


async def test_without_kid_all_fitting_keys_are_tried(forge: Any, side: Any) -> None:
    assert await side.authenticator.identify(forge.token({"alg": "ES256"}, algorithm="ES256"))
    stranger = forge.token({"alg": "ES256"}, algorithm="ES256", key=new_key("ES256"))
    assert await side.refusal(stranger) == "token_signature"


CANARY_SCHEMES = ("http://{}/jwks", "http://{}/a/../jwks", "HTTP://{}/", "//{}/jwks", "http://{}")


@pytest.mark.parametrize("known_kid", [True, False])
async def test_no_address_in_a_token_is_followed(known_kid: bool, forge: Any, side: Any) -> None:
    hits = []

    async def canary(request: web.BaseRequest) -> web.Response:
        hits.append(request.path)
        return web.json_response({"keys": [stranger.public_jwk()]})

    stranger = new_key("RS256")
    runner = web.ServerRunner(web.Server(canary))
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    place = f"127.0.0.1:{runner.addresses[0][1]}"
    kid = forge.key().kid if known_kid else stranger.kid
    for scheme in CANARY_SCHEMES:
        for parameter in ("jku", "x5u"):
            header = forge.header(kid=kid, **{parameter: scheme.format(place)})
            refused = await side.refusal(forge.token(header, key=stranger))
            assert refused == ("token_signature" if known_kid else "token_key_unknown")
    await runner.cleanup()
    assert hits == []


def _certificate(key: SigningKey) -> str:
    """Its own, as base64 of DER."""
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "id.example.com")])
    day = datetime(2026, 1, 1, tzinfo=UTC)
    private = cast(rsa.RSAPrivateKey, key.private)
    certificate = (
        x509.CertificateBuilder(name, name, private.public_key(), 1, day, day.replace(2046))
    ).sign(private, SHA256())
    return base64.b64encode(certificate.public_bytes(Encoding.DER)).decode()


@pytest.mark.parametrize("known_kid", [True, False])
async def test_keys_in_a_token_are_not_used(known_kid: bool, forge: Any, side: Any) -> None:
    stranger = new_key("RS256")
    kid = forge.key().kid if known_kid else stranger.kid
    jwk = stranger.public_jwk() | {"kid": kid}
    symmetric = {"kty": "oct", "k": "c2VjcmV0", "kid": kid}
    certificates = {"x5c": [_certificate(stranger)]}
    for extra in ({"jwk": jwk}, {"jwk": symmetric}, certificates, {"jwks": {"keys": [jwk]}}):
        token = forge.token(forge.header(kid=kid, **extra), key=stranger)
        assert await side.refusal(token) in ("token_signature", "token_key_unknown")


async def test_unread_parameters_do_no_harm(forge: Any, side: Any) -> None:
    extra = {f"x{number}": number for number in range(60)}
    header = forge.header(jku="https://elsewhere.example/jwks", x5t="abc", **extra)
    assert (await side.authenticator.identify(forge.token(header))).subject == "ann"


CRITICAL: list[dict[str, Any]] = [
    {"crit": ["exp"]},
    {"crit": ["x"], "x": 1},
    {"crit": []},
    {"crit": "b64"},
    {"crit": None},
    {"crit": ["x", "x"], "x": 1},
    {"crit": ["b64"], "b64": False},
    {"b64": False},
    {"b64": True},
    {"zip": "DEF"},
    {"zip": "none"},
    {"zip": None},
    {"zip": ["NONE"]},
    {"zip": ""},
    {"cty": "JWT"},
]


@pytest.mark.parametrize("extra", CRITICAL, ids=json.dumps)
async def test_parameters_that_change_the_reading(
    extra: dict[str, Any], forge: Any, side: Any
) -> None:
    assert await side.refusal(forge.token(forge.header(**extra))) == "token_malformed"


@pytest.mark.parametrize(
    "kind", ["JWT", "jwt", "at+jwt", "AT+JWT", "application/at+jwt", "application/jwt"]
)
async def test_accepted_types(kind: str, forge: Any, side: Any) -> None:
    token = forge.token(forge.header(typ=kind))
    assert (await side.authenticator.identify(token)).subject == "ann"


REFUSED_TYPES: list[Any] = [
    *("dpop+jwt", "logout+jwt", "secevent+jwt", "oauth-authz-req+jwt"),
    *(
        "token-introspection+jwt",
        "application/dpop+jwt",
        "rt+jwt",
        "JOSE",
        "",
        "application/",
        "JWT ",
        None,
        1,
        ["JWT"],
    ),
]


@pytest.mark.parametrize("kind", REFUSED_TYPES, ids=repr)
async def test_refused_types(kind: Any, forge: Any, side: Any) -> None:
    assert await side.refusal(forge.token(forge.header(typ=kind))) == "token_claims"


async def test_a_payload_said_to_be_uncompressed(forge: Any, side: Any) -> None:
    token = forge.token(forge.header(zip="NONE", typ="JWT"))  # as PingAM, once ForgeRock, has it
    assert (await side.authenticator.identify(token)).subject == "ann"
