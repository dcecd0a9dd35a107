"""A token's text, taken apart strictly before any library sees it (RFC 7515, RFC 7519, RFC 8725).

Nothing here is verified: what comes out says only what the token claims about itself.
"""

import binascii
import json
import math
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from functools import lru_cache
from types import MappingProxyType
from typing import Any, NoReturn

from gateway.problems import TokenAlgorithm, TokenClaims, TokenMalformed

MAX_TOKEN_CHARACTERS = 16 * 1024
MAX_KID_CHARACTERS = 256
MAX_DEPTH = 32

_ACCEPTED_TYPES = frozenset({"jwt", "at+jwt"})
# crit and b64 change what is signed (RFC 7515 section 4.1.11, RFC 7797 section 7), zip and cty what
# the payload is; all four have let readers disagree about one token.
_REFUSED_PARAMETERS = ("crit", "b64", "zip", "cty")
# PingAM writes this into every token; it says only what holds for every token that is accepted.
_UNCOMPRESSED = ("zip", "NONE")

# To the alphabet that ``binascii`` knows; what base64url has not becomes what neither has.
_TO_BASE64 = bytes.maketrans(b"-_+/=", b"+/!!!")
_HEADERS_REMEMBERED = 256


@dataclass(frozen=True, slots=True)
class UnverifiedToken:
    """A compact JWS in its parts; ``payload`` must not be believed before ``signature`` is."""

    header: Mapping[str, Any]
    payload: dict[str, Any]
    signing_input: bytes
    signature: bytes

    @property
    def kid(self) -> str | None:
        return self.header.get("kid")


def is_compact_jws(token: str) -> bool:
    """Whether the text has a JWT's outer form, three parts; it may still be malformed."""
    return token.count(".") == 2


def parse(token: str) -> UnverifiedToken:
    """Raises ``TokenMalformed``; the detail never quotes the token.

    The signature may be empty: an unsecured JWT (RFC 7519 section 6) is refused for its ``alg``.
    """
    if len(token) > MAX_TOKEN_CHARACTERS:
        raise TokenMalformed(f"The token is longer than {MAX_TOKEN_CHARACTERS} characters.")
    if not is_compact_jws(token):
        raise TokenMalformed("A JWT has three parts, separated by dots.")
    if not token.isascii():
        raise TokenMalformed("The token holds a character outside of base64url.")
    signing_input, _, signature = token.rpartition(".")
    header, _, payload = signing_input.partition(".")
    return UnverifiedToken(
        _header(header),
        _object(_decoded(payload), "payload"),
        signing_input.encode(),
        _decoded(signature) if signature else b"",
    )


def check_signed(token: UnverifiedToken) -> None:
    """Raises ``TokenMalformed`` for a token whose signature was taken off."""
    if not token.signature:
        raise TokenMalformed("A part of the token is empty.")


@lru_cache(_HEADERS_REMEMBERED)
def _header(segment: str) -> Mapping[str, Any]:
    """All tokens that were signed with one key have the same."""
    return MappingProxyType(_object(_decoded(segment), "header"))


def check_header(header: Mapping[str, Any], algorithms: Collection[str]) -> str:
    """The header's ``alg``, if the header is one that a caller's token may have.

    ``jku``, ``x5u``, ``jwk`` and ``x5c`` are data nobody reads: keys come from the issuer alone.
    Raises ``TokenAlgorithm``, ``TokenMalformed`` or ``TokenClaims`` (for ``typ``).
    """
    algorithm = header.get("alg")
    if not isinstance(algorithm, str) or algorithm not in algorithms:
        raise TokenAlgorithm(f"Accepted algorithms: {', '.join(sorted(algorithms))}.")
    _check_parameters(header)
    _check_type(header)
    _check_kid(header)
    return algorithm


def _check_parameters(header: Mapping[str, Any]) -> None:
    for parameter in _REFUSED_PARAMETERS:
        if parameter in header and (parameter, header[parameter]) != _UNCOMPRESSED:
            raise TokenMalformed(f"The header parameter {parameter} is not accepted.")


def _check_type(header: Mapping[str, Any]) -> None:
    # RFC 8725 section 3.11: logout, DPoP and other JWTs of the same issuer are no access tokens.
    if "typ" not in header:
        return
    kind = header["typ"]
    if not isinstance(kind, str) or kind.lower().removeprefix("application/") not in (
        _ACCEPTED_TYPES
    ):
        raise TokenClaims("The header's typ must be JWT or at+jwt.")


def _check_kid(header: Mapping[str, Any]) -> None:
    if "kid" not in header:
        return
    kid = header["kid"]
    if not isinstance(kid, str) or len(kid) > MAX_KID_CHARACTERS or not kid.isprintable():
        raise TokenMalformed("The header's kid must be a short printable text.")


def _decoded(segment: str) -> bytes:
    """Base64url without padding (RFC 7515 section 2), in its one canonical spelling.

    Accepting unused bits would give every token several texts.
    """
    if not segment:
        raise TokenMalformed("A part of the token is empty.")
    text = segment.encode().translate(_TO_BASE64)
    try:
        raw = binascii.a2b_base64(text + b"=" * (-len(text) % 4), strict_mode=True)
    except binascii.Error as error:
        raise TokenMalformed("A part of the token is not base64url.") from error
    if binascii.b2a_base64(raw, newline=False).rstrip(b"=") != text:
        raise TokenMalformed("A part of the token is not base64url.")
    return raw


def _object(raw: bytes, part: str) -> dict[str, Any]:
    try:
        return strict_object(raw)
    except ValueError as error:
        raise TokenMalformed(f"The token's {part} is not a plain JSON object.") from error


def strict_object(raw: bytes) -> dict[str, Any]:
    """The JSON object in ``raw``; raises ``ValueError`` for everything with a second reading.

    That is: other encodings than UTF-8, a BOM, lone surrogates, duplicate names, NaN, Infinity,
    numbers too large to be one, and nesting beyond ``MAX_DEPTH``.
    """
    try:
        value = _DECODER.decode(raw.decode("utf-8"))
    except RecursionError as error:
        raise ValueError("nested too deeply") from error
    if not isinstance(value, dict):
        raise ValueError("not an object")
    # Only an escape makes a lone surrogate, and only a bracket another level.
    if b"\\u" in raw or raw.count(b"{") + raw.count(b"[") >= MAX_DEPTH:
        _check_contents(value)
    return value


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    members = dict(pairs)
    if len(members) != len(pairs):
        raise ValueError("duplicate name")
    return members


def _refuse_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is not JSON")


def _finite(text: str) -> float:
    number = float(text)
    if not math.isfinite(number):
        raise ValueError("number out of range")
    return number


_DECODER = json.JSONDecoder(
    object_pairs_hook=_unique, parse_constant=_refuse_constant, parse_float=_finite
)


def _check_contents(value: dict[str, Any]) -> None:
    level: list[Any] = [value]
    for _ in range(MAX_DEPTH):
        level = [inner for outer in level for inner in _inside(outer)]
        if not level:
            return
    raise ValueError("nested too deeply")


def _inside(value: Any) -> list[Any]:
    if isinstance(value, str):
        value.encode()  # a lone surrogate raises UnicodeEncodeError, which is a ValueError
        return []
    if isinstance(value, dict):
        return [*value.keys(), *value.values()]
    return value if isinstance(value, list) else []
