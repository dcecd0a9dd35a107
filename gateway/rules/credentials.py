"""Which credential a request shows, read from its header fields (RFC 6750, RFC 7617)."""

import base64
import binascii
from collections.abc import Sequence
from dataclasses import dataclass, field

from gateway.problems import AmbiguousCredentials, TokenMalformed, TokenMissing


@dataclass(frozen=True, slots=True)
class Bearer:
    """A token, from ``Authorization: Bearer`` or from ``auth_token``; its form is unchecked."""

    token: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class Basic:
    """A name and password, which only the login endpoint accepts."""

    username: str
    password: str = field(repr=False)


def presented(
    authorization: Sequence[str], auth_token: Sequence[str], *, login: bool = False
) -> Bearer | Basic | None:
    """The one credential in all fields of the two names; None if the request shows none.

    Only at the login endpoint Basic is read, and then wins over ``auth_token``: OL Connect's
    clients send a stale one along. Raises ``AmbiguousCredentials``, ``TokenMalformed`` or
    ``TokenMissing`` (a credential of a kind that is not accepted here).
    """
    if len(authorization) > 1 or len(auth_token) > 1:
        raise AmbiguousCredentials("A credential header may be sent only once.")
    shown = authorization[0].strip(" \t") if authorization else ""
    token = auth_token[0].strip(" \t") if auth_token else ""
    if not shown:
        return Bearer(token) if token else None
    scheme, _, rest = shown.partition(" ")
    if login and scheme.lower() == "basic":
        return _basic(rest.strip(" "))
    if scheme.lower() != "bearer":
        raise _unaccepted(token)
    return _bearer(rest.strip(" "), token)


def _unaccepted(token: str) -> AmbiguousCredentials | TokenMissing:
    if token:
        return AmbiguousCredentials("Send either Authorization or auth_token.")
    return TokenMissing(
        "Only bearer tokens are accepted here: send Authorization: Bearer with the issuer's token."
    )


def _bearer(token: str, auth_token: str) -> Bearer:
    # A list of credentials is how some intermediaries fold two Authorization fields into one.
    if "," in token:
        raise AmbiguousCredentials("A credential header may be sent only once.")
    if not token and not auth_token:
        raise TokenMissing("The bearer token is empty.")
    if auth_token and auth_token != token:
        raise AmbiguousCredentials("Authorization and auth_token hold different tokens.")
    if " " in token or "\t" in token:
        raise TokenMalformed("A bearer token holds no spaces.")
    return Bearer(token)


def _basic(encoded: str) -> Basic:
    try:
        text = base64.b64decode(encoded, validate=True).decode("utf-8")
    except (binascii.Error, UnicodeError, ValueError) as error:
        raise TokenMissing("The Basic credentials cannot be read.") from error
    username, separator, password = text.partition(":")
    # RFC 7617 section 2: no control characters in either.
    if not separator or not username or any(character < " " for character in text):
        raise TokenMissing("The Basic credentials cannot be read.")
    return Basic(username, password)
