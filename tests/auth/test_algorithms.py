"""Algorithms and signatures: nothing but the issuer's own key, used as it is meant, counts."""

import base64
import hashlib
import hmac
import itertools
import json
from collections.abc import Callable
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, padding
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature
from cryptography.hazmat.primitives.hashes import SHA1, SHA256
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from gateway.simulator.issuer import new_key

P256_ORDER = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551
NOT_IN_THE_LIST: list[Any] = [
    *("none", "None", "NONE", "nOnE", "none ", " none", "none\t", "nonE"),
    *(None, 1, True, [], ["RS256"], {}, {"alg": "RS256"}, ""),
    *(
        "rs256",
        "Rs256",
        "es256",
        "RS256 ",
        "RS1",
        "XX999",
        "PBES2-HS256+A128KW",
        "RSA-OAEP",
        "dir",
        "A256KW",
    ),
    *("HS256", "HS384", "HS512", "RS384", "PS384", "ES384", "ES512", "ES256K", "ES521", "Ed25519"),
]


def url64(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


def signed_with(token: str, signature: bytes) -> str:
    return f"{token.rpartition('.')[0]}.{url64(signature)}"


def without_signature(token: str) -> str:
    return f"{token.rpartition('.')[0]}."


@pytest.mark.parametrize("algorithm", ["RS256", "PS256", "ES256", "EdDSA"])
async def test_each_accepted_algorithm(algorithm: str, forge: Any, side: Any) -> None:
    caller = await side.authenticator.identify(forge.token(algorithm=algorithm))
    assert caller.subject == "ann"


@pytest.mark.parametrize("algorithm", ["ES384", "ES512"])
async def test_other_curves_when_configured(algorithm: str, forge: Any, make_side: Any) -> None:
    forge.issuer.keys.append(new_key(algorithm))
    side = make_side(algorithms=(algorithm,))
    assert (await side.authenticator.identify(forge.token(algorithm=algorithm))).subject == "ann"
    assert await side.refusal(forge.token()) == "token_algorithm"


async def test_both_names_of_edwards_signatures(forge: Any, make_side: Any) -> None:
    key = forge.key("EdDSA")
    by_new_name = forge.token({"alg": "Ed25519", "kid": key.kid}, algorithm="EdDSA")
    by_old_name = forge.token(algorithm="EdDSA")
    for name, token in (("Ed25519", by_new_name), ("EdDSA", by_old_name)):
        for published in ({"alg": name}, {"alg": None}):
            forge.issuer.published = [key.public_jwk() | published]
            side = make_side(algorithms=(name,))
            assert (await side.authenticator.identify(token)).subject == "ann"
    forge.issuer.published = [key.public_jwk() | {"alg": "Ed25519"}]
    assert await make_side(algorithms=("EdDSA",)).refusal(by_old_name) == "token_algorithm"


@pytest.mark.parametrize("algorithm", NOT_IN_THE_LIST, ids=repr)
async def test_algorithm_not_in_the_list(algorithm: Any, forge: Any, side: Any) -> None:
    token = forge.token(forge.header() | {"alg": algorithm})
    assert await side.refusal(token) == "token_algorithm"
    assert await side.refusal(without_signature(token)) == "token_algorithm"
    assert not forge.issuer.requests


async def test_signature_taken_off(forge: Any, side: Any) -> None:
    assert await side.refusal(without_signature(forge.token())) == "token_malformed"


async def test_algorithm_absent(forge: Any, side: Any) -> None:
    assert await side.refusal(forge.token({"kid": forge.key().kid})) == "token_algorithm"


def rsa_secrets(forge: Any) -> dict[str, bytes]:
    key = forge.key("RS256")
    public, jwk = key.private.public_key(), key.public_jwk()
    pem = public.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    return {
        "SPKI": pem,
        "SPKI without newline": pem.strip(),
        "SPKI with CRLF": pem.replace(b"\n", b"\r\n"),
        "PKCS1": public.public_bytes(Encoding.PEM, PublicFormat.PKCS1),
        "DER": public.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo),
        "OpenSSH": public.public_bytes(Encoding.OpenSSH, PublicFormat.OpenSSH),
        "modulus": base64.urlsafe_b64decode(jwk["n"] + "=="),
        "JWK": json.dumps(jwk).encode(),
        "empty": b"",
        "word": b"secret",
        "kid": key.kid.encode(),
        "issuer": forge.issuer.url.encode(),
    }


def other_secrets(forge: Any) -> dict[str, bytes]:
    spki = PublicFormat.SubjectPublicKeyInfo
    found = {}
    for algorithm in ("ES256", "EdDSA"):
        key = forge.key(algorithm)
        public, jwk = key.private.public_key(), key.public_jwk()
        found[f"{algorithm} PEM"] = public.public_bytes(Encoding.PEM, spki)
        found[f"{algorithm} JWK"] = json.dumps(jwk).encode()
        found[f"{algorithm} x"] = base64.urlsafe_b64decode(jwk["x"] + "==")
        found[f"{algorithm} SSH"] = public.public_bytes(Encoding.OpenSSH, PublicFormat.OpenSSH)
    return found


@pytest.mark.parametrize("algorithm", ["HS256", "HS384", "HS512"])
async def test_public_keys_are_no_shared_secrets(algorithm: str, forge: Any, side: Any) -> None:
    digest = getattr(hashlib, f"sha{algorithm[2:]}")
    for secret in (rsa_secrets(forge) | other_secrets(forge)).values():
        token = forge.token(forge.header() | {"alg": algorithm})
        mac = hmac.new(secret, token.rpartition(".")[0].encode(), digest).digest()
        assert await side.refusal(signed_with(token, mac)) == "token_algorithm"


async def test_hmac_under_an_accepted_name(forge: Any, side: Any) -> None:
    for algorithm in ("RS256", "PS256", "ES256", "EdDSA"):
        for secret in (rsa_secrets(forge) | other_secrets(forge)).values():
            token = forge.token(forge.header(algorithm))
            mac = hmac.new(secret, token.rpartition(".")[0].encode(), hashlib.sha256).digest()
            assert await side.refusal(signed_with(token, mac)) == "token_signature"


@pytest.mark.parametrize(
    ("named", "used"), list(itertools.permutations(("RS256", "PS256", "ES256", "EdDSA"), 2))
)
async def test_key_of_another_kind(named: str, used: str, forge: Any, side: Any) -> None:
    with_other_kid = forge.token(
        {"alg": named, "kid": forge.key(used).kid}, algorithm=used, key=forge.key(used)
    )
    assert await side.refusal(with_other_kid) == "token_algorithm"
    with_own_kid = forge.token(forge.header(named), algorithm=used, key=forge.key(used))
    assert await side.refusal(with_own_kid) == "token_signature"


async def test_other_hash_and_other_padding(forge: Any, make_side: Any) -> None:
    key = forge.key("RS256")
    forge.issuer.published = [key.public_jwk() | {"alg": None}]
    side = make_side(algorithms=("RS256", "RS384", "RS512", "PS256", "PS384", "PS512"))
    names = ("RS256", "RS384", "RS512", "PS256", "PS384", "PS512")
    for named in names:
        for used in names:
            token = forge.token({"alg": named, "kid": key.kid}, algorithm=used, key=key)
            result = await side.outcome(token)
            assert result == "token_signature" if named != used else result.subject == "ann"


async def test_sha1(forge: Any, side: Any) -> None:
    token = forge.token()
    signing_input = token.rpartition(".")[0].encode()
    signature = forge.key().private.sign(signing_input, padding.PKCS1v15(), SHA1())
    assert await side.refusal(signed_with(token, signature)) == "token_signature"


async def test_psychic_signatures(forge: Any, side: Any) -> None:
    edges = [0, 1, P256_ORDER - 1, P256_ORDER, 2**256 - 1]
    token = forge.token(algorithm="ES256")
    for r in edges:
        for s in edges:
            signature = r.to_bytes(32, "big") + s.to_bytes(32, "big")
            assert await side.refusal(signed_with(token, signature)) == "token_signature"


Change = Callable[[bytes], bytes]
CHANGES: dict[str, Change] = {
    "flipped first bit": lambda raw: bytes([raw[0] ^ 0x80]) + raw[1:],
    "flipped last bit": lambda raw: raw[:-1] + bytes([raw[-1] ^ 1]),
    "one byte less": lambda raw: raw[:-1],
    "one byte less in front": lambda raw: raw[1:],
    "trailing zero": lambda raw: raw + b"\0",
    "leading zero": lambda raw: b"\0" + raw,
    "halves swapped": lambda raw: raw[len(raw) // 2 :] + raw[: len(raw) // 2],
    "twice": lambda raw: raw + raw,
    "one byte": lambda raw: raw[:1],
    "all zero": lambda raw: b"\0" * len(raw),
}


@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES.keys())
@pytest.mark.parametrize("algorithm", ["RS256", "PS256", "ES256", "EdDSA"])
async def test_changed_signature(algorithm: str, change: Change, forge: Any, side: Any) -> None:
    token = forge.token(algorithm=algorithm)
    raw = base64.urlsafe_b64decode(token.rpartition(".")[2] + "==")
    assert await side.refusal(signed_with(token, change(raw))) == "token_signature"


async def test_der_signature(forge: Any, side: Any) -> None:
    key = forge.key("ES256").private
    token = forge.token(algorithm="ES256")
    der = key.sign(token.rpartition(".")[0].encode(), ec.ECDSA(SHA256()))
    assert decode_dss_signature(der)
    assert await side.refusal(signed_with(token, der)) == "token_signature"


async def test_signature_of_another_token(forge: Any, side: Any) -> None:
    other = forge.token(payload=forge.claims(sub="bob")).rpartition(".")[2]
    assert await side.refusal(f"{forge.token().rpartition('.')[0]}.{other}") == "token_signature"


@pytest.mark.parametrize("algorithm", ["RS256", "PS256", "ES256", "EdDSA"])
async def test_a_strangers_key_under_the_issuers_kid(algorithm: str, forge: Any, side: Any) -> None:
    token = forge.token(algorithm=algorithm, key=new_key(algorithm))
    assert await side.refusal(token) == "token_signature"


def test_the_psychic_table_is_about_the_right_curve() -> None:
    # A guard for the table above: with another order it would prove nothing.
    largest = ec.derive_private_key(P256_ORDER - 1, ec.SECP256R1())
    assert largest.private_numbers().private_value == P256_ORDER - 1
    with pytest.raises(ValueError, match="out of range"):
        ec.derive_private_key(P256_ORDER, ec.SECP256R1())
