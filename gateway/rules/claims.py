"""What a verified token must say before its bearer counts as a caller (RFC 7519 section 4.1)."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from gateway.problems import TokenAudience, TokenClaims, TokenExpired, TokenIssuer

MAX_SUBJECT_CHARACTERS = 512
# Beyond 2**53 a JSON number is no longer the number that its sender wrote (RFC 8259 section 6).
_LATEST = 2**53
_SCOPES = frozenset({"scope", "scp"})
_SUBJECTS = ("sub", "client_id", "azp", "appid")  # the last is what AD FS and Entra ID v1 write
# Where Keycloak, introspection answers, Cognito and PingAM say what kind of token it is.
_KINDS = ("typ", "token_type", "token_use", "tokenName")

Claims = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Expectation:
    """What the configuration says of one issuer's tokens."""

    issuer: str
    audiences: frozenset[str]
    leeway_seconds: float = 0.0


def check(claims: Claims, expected: Expectation, now: float) -> None:
    """A JWT's claims: ``iss``, ``aud`` and ``exp`` are required."""
    check_issuer(claims, expected)
    check_audience(claims, expected)
    if "exp" not in claims:
        raise TokenClaims("The token has no exp.")
    check_times(claims, expected, now)
    check_purpose(claims)


def check_introspected(claims: Claims, expected: Expectation, now: float) -> None:
    """An introspection answer (RFC 7662 section 2.2): claims are optional, none may be wrong."""
    if "iss" in claims:
        check_issuer(claims, expected)
    if "aud" in claims:
        check_audience(claims, expected)
    check_times(claims, expected, now)
    check_purpose(claims)


def check_issuer(claims: Claims, expected: Expectation) -> None:
    issuer = claims.get("iss")
    if not isinstance(issuer, str) or issuer != expected.issuer:
        raise TokenIssuer


def check_audience(claims: Claims, expected: Expectation) -> None:
    audience = claims.get("aud")
    named = [audience] if isinstance(audience, str) else audience
    if not isinstance(named, list) or not all(isinstance(name, str) for name in named):
        raise TokenAudience
    if expected.audiences.isdisjoint(named):
        raise TokenAudience


def check_times(claims: Claims, expected: Expectation, now: float) -> None:
    _check_expiry(claims, expected, now)
    _check_not_before(claims, expected, now)
    _check_issued_at(claims, expected, now)


def _check_expiry(claims: Claims, expected: Expectation, now: float) -> None:
    if "exp" not in claims:
        return
    expires = seconds(claims, "exp")
    if expires <= 0:
        raise TokenClaims("The token's exp is not a time.")
    if expires + expected.leeway_seconds <= now:
        raise TokenExpired


def _check_not_before(claims: Claims, expected: Expectation, now: float) -> None:
    if "nbf" in claims and seconds(claims, "nbf") > now + expected.leeway_seconds:
        raise TokenClaims("The token is not valid yet.")


def _check_issued_at(claims: Claims, expected: Expectation, now: float) -> None:
    if "iat" in claims and seconds(claims, "iat") > now + expected.leeway_seconds:
        raise TokenClaims("The token was issued in the future.")


def seconds(claims: Claims, name: str) -> float:
    """A NumericDate (RFC 7519 section 2) as Unix time; raises ``TokenClaims``."""
    value = claims[name]
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise TokenClaims(f"The token's {name} is not a number.")
    # Compared before it is converted: NaN and Infinity fail here, a huge int cannot overflow.
    if not 0 <= value <= _LATEST:
        raise TokenClaims(f"The token's {name} is not a time.")
    return float(value)


def check_purpose(claims: Claims) -> None:
    """Refuses what the same issuer signs for other ends: ID, refresh and logout tokens.

    Only ID tokens bind a code or a token by hash (OpenID Connect Core section 3.1.3.6). A nonce
    marks one too, unless the token says that it is for access: Keycloak before 25 put the nonce
    into both, and tells them apart by a claim ``typ``.
    """
    if not {"at_hash", "c_hash", "s_hash"}.isdisjoint(claims):
        raise TokenClaims("This is an ID token; an access token is required.")
    if "events" in claims:
        raise TokenClaims("This is a security event token; an access token is required.")
    if _marks(claims) & {"id", "id_token", "refresh", "refresh_token", "offline", "logout"}:
        raise TokenClaims("This token is not meant for access.")
    if "nonce" in claims and not _is_for_access(claims):
        raise TokenClaims("This is an ID token; an access token is required.")


def _marks(claims: Claims) -> set[str]:
    values = (claims.get(name) for name in _KINDS)
    return {value.lower() for value in values if isinstance(value, str)}


def _is_for_access(claims: Claims) -> bool:
    if _marks(claims) & {"bearer", "at+jwt", "access", "access_token"}:
        return True
    return "scope" in claims or "scp" in claims


def subject_of(claims: Claims) -> str:
    """``sub``, or the client's name in a token without one, by whichever claim its issuer uses."""
    name = next((name for name in _SUBJECTS if name in claims), None)
    if name is None:
        raise TokenClaims("The token has no sub.")
    subject = claims[name]
    if not isinstance(subject, str) or not 0 < len(subject) <= MAX_SUBJECT_CHARACTERS:
        raise TokenClaims(f"The token's {name} is not a short text.")
    if not subject.isprintable():
        raise TokenClaims(f"The token's {name} holds control characters.")
    return subject


def values_of(claims: Claims, path: str) -> frozenset[str]:
    """The texts under a membership claim: a list's, or a single one; nothing else counts.

    A claim whose name is the whole path wins (``https://example.com/groups``), else dots lead
    inward (``realm_access.roles``), past names that have dots themselves. A scope's text is a
    list with spaces between (RFC 8693 section 4.2).
    """
    value = _nested(claims, path)
    if isinstance(value, str):
        return frozenset(value.split(" ") if path in _SCOPES else {value})
    if isinstance(value, list):
        return frozenset(item for item in value if isinstance(item, str))
    return frozenset()


def _nested(value: Any, path: str) -> Any:
    if not isinstance(value, Mapping):
        return None
    if path in value:
        return value[path]
    dots = (at for at, letter in enumerate(path) if letter == ".")
    inner = (_nested(value.get(path[:at]), path[at + 1 :]) for at in dots)
    return next((found for found in inner if found is not None), None)
