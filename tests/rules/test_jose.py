"""The strict reader of compact JWS texts; the families of attacks are in tests/auth."""

import base64
import contextlib
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.problems import Problem, TokenAlgorithm, TokenClaims, TokenMalformed
from gateway.rules import jose


def encoded(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


def compact(header: Any, payload: Any, signature: bytes = b"\x01\x02") -> str:
    return (
        ".".join((encoded(json.dumps(header).encode()), encoded(json.dumps(payload).encode())))
        + "."
        + encoded(signature)
    )


TEXTS = st.text(st.characters(exclude_categories=["Cs"]), max_size=10)
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | TEXTS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXTS, inner, max_size=3),
    max_leaves=8,
)
OBJECTS = st.dictionaries(TEXTS, VALUES, max_size=4)


@given(OBJECTS, OBJECTS, st.binary(min_size=1, max_size=64))
def test_what_was_written_is_read(
    header: dict[str, Any], payload: dict[str, Any], signature: bytes
) -> None:
    token = compact(header, payload, signature)
    read = jose.parse(token)
    assert (read.header, read.payload, read.signature) == (header, payload, signature)
    assert read.signing_input.decode() == token.rpartition(".")[0]


@given(st.text(max_size=80) | st.from_regex(r"[A-Za-z0-9_=+/-]*\.[A-Za-z0-9_-]*\.[A-Za-z0-9_-]*"))
def test_any_text_is_read_or_malformed(token: str) -> None:
    with pytest.raises(TokenMalformed) as refused:
        jose.check_signed(jose.parse(token))
    assert len(token) < 6 or token not in refused.value.detail


@given(OBJECTS, st.binary(max_size=80))
def test_any_bytes_are_an_object_or_a_value_error(good: dict[str, Any], junk: bytes) -> None:
    assert jose.strict_object(json.dumps(good).encode()) == good
    with contextlib.suppress(ValueError):
        assert isinstance(jose.strict_object(junk), dict)


def test_the_size_limit_is_exact() -> None:
    room = jose.MAX_TOKEN_CHARACTERS - len(compact({}, {}, b""))
    token = compact({}, {}, b"\0" * (room * 3 // 4))
    assert len(token) == jose.MAX_TOKEN_CHARACTERS
    assert jose.parse(token).header == {}
    with pytest.raises(TokenMalformed, match="longer"):
        jose.parse(token + "A")


def test_the_depth_limit_is_exact() -> None:
    def nested(depth: int) -> bytes:
        return b'{"a":' * depth + b"1" + b"}" * depth

    assert jose.strict_object(nested(jose.MAX_DEPTH - 1))
    with pytest.raises(ValueError, match="deeply"):
        jose.strict_object(nested(jose.MAX_DEPTH + 1))


@pytest.mark.parametrize("text", ["+_", "_/", "AA==", "AA=", "A", "A A", "AB", "\n"])
def test_every_part_has_one_spelling(text: str) -> None:
    with pytest.raises(TokenMalformed):
        jose.parse(f"e30.e30.{text}")


def test_header_rules_name_the_refusal() -> None:
    accepted = frozenset({"RS256", "ES256"})
    assert jose.check_header({"alg": "ES256", "kid": "k" * 256, "typ": "JWT"}, accepted) == "ES256"
    cases: list[tuple[dict[str, Any], type[Problem]]] = [
        ({}, TokenAlgorithm),
        ({"alg": "HS256"}, TokenAlgorithm),
        ({"alg": ["RS256"]}, TokenAlgorithm),
        ({"alg": "RS256", "crit": []}, TokenMalformed),
        ({"alg": "RS256", "b64": True}, TokenMalformed),
        ({"alg": "RS256", "kid": "k" * 257}, TokenMalformed),
        ({"alg": "RS256", "kid": 5}, TokenMalformed),
        ({"alg": "RS256", "typ": "dpop+jwt"}, TokenClaims),
    ]
    for header, problem in cases:
        with pytest.raises(problem):
            jose.check_header(header, accepted)


def test_kid_of_a_token() -> None:
    assert jose.parse(compact({"kid": "a"}, {})).kid == "a"
    assert jose.parse(compact({}, {})).kid is None


def test_what_looks_like_a_jws() -> None:
    assert jose.is_compact_jws("a.b.c")
    assert not jose.is_compact_jws("opaque")
    assert not jose.is_compact_jws("a.b.c.d.e")
