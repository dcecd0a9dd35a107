"""Which keys of a published set count: good ones do, whatever stands next to them."""

import base64
import math
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from hypothesis import given
from hypothesis import strategies as st
from jwt.algorithms import get_default_algorithms

from gateway.auth.jwks import MAX_CANDIDATES, MAX_KEYS, fitting, read_keys
from gateway.settings import JwksUrl
from gateway.simulator.issuer import SigningKey, new_key


@pytest.fixture(scope="session")
def rsa_jwk(signing_keys: list[SigningKey]) -> dict[str, Any]:
    return signing_keys[0].public_jwk()


def url64(number: int) -> str:
    raw = number.to_bytes((number.bit_length() + 7) // 8, "big")
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


def roca_modulus() -> int:
    """A product of two numbers that are powers of 65537 modulo every small prime, as Infineon's
    library made them; that they are no primes does not matter to the test."""
    product = math.prod(n for n in range(3, 168) if all(n % d for d in range(2, n)))
    power = pow(65537, 12345, product)
    odd = power if power % 2 else power + product
    return (odd + (product << 900)) ** 2


def published(jwk: dict[str, Any]) -> tuple[Any, ...]:
    return read_keys({"keys": [jwk]})


def test_real_keys_are_read(signing_keys: list[SigningKey]) -> None:
    for key in signing_keys:
        (read,) = published(key.public_jwk())
        assert read.kid == key.kid
        assert read.algorithms == {key.algorithm}


def test_without_alg_the_kind_decides(signing_keys: list[SigningKey]) -> None:
    expected = {
        "RS256": {"RS256", "RS384", "RS512", "PS256", "PS384", "PS512"},
        "ES256": {"ES256"},
        "EdDSA": {"EdDSA", "Ed25519"},
    }
    for key in signing_keys:
        if key.algorithm in expected:
            jwk = {n: v for n, v in key.public_jwk().items() if n not in ("alg", "use")}
            assert published(jwk)[0].algorithms == expected[key.algorithm]
    for algorithm in ("ES384", "ES512"):
        jwk = new_key(algorithm).public_jwk() | {"alg": None}
        assert published(jwk)[0].algorithms == {algorithm}


@pytest.mark.parametrize(
    "extra",
    [
        {"use": "sig"},
        {"use": None},
        {"key_ops": ["verify"]},
        {"key_ops": ["sign", "verify"]},
        {"alg": None},
        {"kid": None},
        {"x5c": ["junk"], "x5t": 5, "unknown": {}},
    ],
    ids=str,
)
def test_what_a_key_may_say(extra: dict[str, Any], rsa_jwk: dict[str, Any]) -> None:
    assert len(published(rsa_jwk | extra)) == 1


BAD: list[dict[str, Any]] = [
    {"use": "enc"},
    {"use": "SIG"},
    {"use": ["sig"]},
    {"key_ops": []},
    {"key_ops": ["encrypt"]},
    {"key_ops": "verify"},
    {"alg": "RSA-OAEP"},
    {"alg": "HS256"},
    {"alg": "none"},
    {"alg": "ES256"},
    {"alg": ["RS256"]},
    {"alg": 5},
    {"kid": 5},
    {"kid": ["a"]},
    {"kty": "oct", "k": "c2VjcmV0"},
    {"kty": "EC"},
    {"kty": "rsa"},
    {"kty": None},
    {"kty": ["RSA"]},
    {"d": "AQ"},
    {"k": "AQ"},
    {"n": ""},
    {"n": None},
    {"n": 5},
    {"n": "!!!"},
    {"e": "AQ"},
    {"e": "Ag"},
    {"e": ""},
    {"e": None},
    {"e": url64(2**64 + 1)},
]


@pytest.mark.parametrize("change", BAD, ids=str)
def test_what_makes_a_key_unusable(change: dict[str, Any], rsa_jwk: dict[str, Any]) -> None:
    assert published(rsa_jwk | change) == ()


@pytest.mark.parametrize("bits", [512, 1024, 2047])
def test_short_rsa_keys(bits: int, rsa_jwk: dict[str, Any]) -> None:
    assert published(rsa_jwk | {"n": url64((1 << (bits - 1)) + 1)}) == ()


def test_even_and_enormous_moduli(rsa_jwk: dict[str, Any]) -> None:
    assert published(rsa_jwk | {"n": url64(1 << 2047)}) == ()
    assert published(rsa_jwk | {"n": url64((1 << 16383) + 1)}) == ()


def test_keys_of_infineons_library(rsa_jwk: dict[str, Any]) -> None:
    modulus = roca_modulus()
    assert modulus.bit_length() >= 2048
    assert published(rsa_jwk | {"n": url64(modulus)}) == ()
    assert len(published(rsa_jwk | {"n": url64(modulus + 2)})) == 1


def test_curves(signing_keys: list[SigningKey]) -> None:
    jwk = next(key for key in signing_keys if key.algorithm == "ES256").public_jwk()
    off_curve = jwk | {"y": jwk["x"]}
    k1 = ec.generate_private_key(ec.SECP256K1()).public_key()
    other = get_default_algorithms()["ES256K"].to_jwk(k1, as_dict=True)
    changes = ({"crv": "P-384"}, {"crv": "secp256k1"}, {"crv": None}, {"x": jwk["x"][:-4]})
    for bad in (off_curve, other, *(jwk | change for change in changes)):
        assert published(dict(bad)) == ()
    edwards = next(key for key in signing_keys if key.algorithm == "EdDSA").public_jwk()
    for change in ({"crv": "Ed448"}, {"crv": "X25519"}, {"x": "AA"}, {"x": None}):
        assert published(edwards | change) == ()


def test_bad_neighbours_are_skipped(rsa_jwk: dict[str, Any]) -> None:
    neighbours: list[Any] = [None, 5, "key", [], {}, *(rsa_jwk | change for change in BAD)]
    assert len(read_keys({"keys": [*neighbours, rsa_jwk]})) == 1


@pytest.mark.parametrize(
    "document", [{}, {"keys": None}, {"keys": {}}, {"keys": "x"}, {"keys": []}]
)
def test_documents_without_keys(document: dict[str, Any]) -> None:
    assert read_keys(document) == ()


MEMBERS = st.sampled_from(["kty", "kid", "alg", "use", "key_ops", "crv", "n", "e", "x", "y"])
TEXTS = st.sampled_from(["RSA", "EC", "OKP", "P-256", "Ed25519", "sig", "AQAB"]) | st.text()


@given(st.dictionaries(MEMBERS, TEXTS | st.none() | st.integers() | st.lists(TEXTS)))
def test_any_entry_is_a_key_or_skipped(entry: dict[str, Any]) -> None:
    assert all(key.algorithms for key in published(entry))


def test_only_so_many_keys_are_looked_at(rsa_jwk: dict[str, Any]) -> None:
    many = [rsa_jwk | {"kid": str(number)} for number in range(MAX_KEYS + 50)]
    assert len(read_keys({"keys": many})) == MAX_KEYS


def test_candidates(rsa_jwk: dict[str, Any], signing_keys: list[SigningKey]) -> None:
    other = rsa.generate_private_key(65537, 2048)
    twin = SigningKey(rsa_jwk["kid"], "RS256", other).public_jwk()
    keys = read_keys({"keys": [rsa_jwk, twin, signing_keys[2].public_jwk()]})
    assert len(fitting(keys, rsa_jwk["kid"], "RS256")) == 2
    assert len(fitting(keys, None, "ES256")) == 1
    assert fitting(keys, rsa_jwk["kid"], "ES256") == ()
    assert fitting(keys, "other", "RS256") == ()
    same = read_keys({"keys": [rsa_jwk] * 20})
    assert len(fitting(same, None, "RS256")) == MAX_CANDIDATES


async def test_keys_at_an_address_with_a_query(forge: Any, make_side: Any) -> None:
    # Entra ID has keys of single applications: …/discovery/keys?appid=…
    side = make_side(jwks=JwksUrl(url=f"{forge.issuer.url}/jwks?appid=6731de76"))
    assert (await side.authenticator.identify(forge.token())).subject == "ann"
    assert forge.issuer.requests == {"jwks": 1}


async def test_tokens_of_unusable_keys_are_refused(forge: Any, side: Any) -> None:
    usable = forge.key("RS256")
    weak = SigningKey("weak", "RS256", rsa.generate_private_key(65537, 1024))
    encrypting = new_key("RS256")
    forge.issuer.published = [
        weak.public_jwk(),
        encrypting.public_jwk() | {"use": "enc"},
        {"kty": "oct", "k": "c2VjcmV0", "kid": "shared", "alg": "HS256"},
        usable.public_jwk(),
    ]
    for bad in (weak, encrypting):
        token = forge.token({"alg": "RS256", "kid": bad.kid}, key=bad)
        assert await side.refusal(token) == "token_key_unknown"
    assert (await side.authenticator.identify(forge.token())).subject == "ann"


async def test_several_keys_under_one_kid(forge: Any, side: Any) -> None:
    first, second = forge.key("RS256"), new_key("RS256")
    twin = SigningKey(first.kid, "RS256", second.private)
    forge.issuer.published = [first.public_jwk(), twin.public_jwk()]
    for key in (first, twin):
        assert (await side.authenticator.identify(forge.token(key=key))).subject == "ann"
