"""The login bridge: an OL Connect login becomes a client-credentials grant at the issuer.

Nothing is kept: neither the secret nor the token outlives the call (RFC 6749 section 4.4).
"""

import re
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any, NamedTuple

import aiohttp

from gateway.auth.client_auth import ClientSecret
from gateway.auth.discovery import Metadata
from gateway.auth.requests import RETRY_AFTER_SECONDS, Answer, IssuerFault
from gateway.problems import IssuerUnavailable, TokenMissing, Unauthenticated
from gateway.rules import claims, jose

# RFC 6749 section 5.1 only recommends expires_in; without it and without an exp, assume little.
DEFAULT_LIFETIME_SECONDS = 60

_DIGITS = re.compile(r"[0-9]{1,10}")
_REFUSED = (400, 401, 403)
_CLIENT_ERRORS = ("invalid_client", "invalid_grant", "access_denied")


class IssuedToken(NamedTuple):
    """What a login answers with."""

    access_token: str
    expires_in: int  # seconds


@dataclass(frozen=True, slots=True)
class GrantRequest:
    """What is asked for beside the grant itself; None: not mentioned."""

    scope: str | None = None
    audience: str | None = None
    resource: str | None = None

    def form(self) -> dict[str, str]:
        wanted = {"scope": self.scope, "audience": self.audience, "resource": self.resource}
        named = {name: value for name, value in wanted.items() if value is not None}
        return {"grant_type": "client_credentials"} | named


class LoginBridge:
    """One issuer's token endpoint; ``metadata`` may raise ``IssuerFault``."""

    def __init__(
        self,
        metadata: Callable[[], Awaitable[Metadata]],
        request: GrantRequest,
        session: aiohttp.ClientSession,
        now: Callable[[], float],
    ) -> None:
        self._metadata = metadata
        self._request = request
        self._session = session
        self._now = now

    async def client_credentials(self, client_id: str, client_secret: str) -> IssuedToken:
        """Raises ``TokenMissing`` if the issuer says no, ``IssuerUnavailable`` if it says nothing
        that can be used."""
        try:
            metadata = await self._metadata()
            answer = await self._ask(metadata, client_id, client_secret)
            return self._issued(answer)
        except IssuerFault as error:
            raise IssuerUnavailable(
                "The issuer cannot be asked for a token.",
                headers={"Retry-After": str(RETRY_AFTER_SECONDS)},
            ) from error

    async def _ask(self, metadata: Metadata, client_id: str, client_secret: str) -> Answer:
        if metadata.token_endpoint is None:
            raise IssuerFault("the discovery document names no token_endpoint")
        client = ClientSecret(client_id, client_secret, metadata.token_auth_methods)
        return await client.post(self._session, metadata.token_endpoint, self._request.form())

    def _issued(self, answer: Answer) -> IssuedToken:
        document = answer.document or {}
        if answer.status in _REFUSED:
            raise _refusal(answer.status, document)
        token = document.get("access_token")
        if answer.status != 200 or not isinstance(token, str) or not _is_sendable(token):
            raise IssuerFault(f"token endpoint answered with status {answer.status}")
        return IssuedToken(token, self._lifetime(document, token))

    def _lifetime(self, document: dict[str, Any], token: str) -> int:
        # Some issuers send a text; anything but plain digits counts as not stated.
        stated = str(document.get("expires_in"))
        if _DIGITS.fullmatch(stated):
            return int(stated)
        try:
            expires = claims.seconds(jose.parse(token).payload, "exp")
        except (Unauthenticated, KeyError):  # an opaque token, or one without exp
            return DEFAULT_LIFETIME_SECONDS
        return max(0, int(expires - self._now()))


def _is_sendable(token: str) -> bool:
    """Whether the token can be a header's value, which is where its owner will put it."""
    return (
        0 < len(token) <= jose.MAX_TOKEN_CHARACTERS
        and token.isascii()
        and token.isprintable()
        and " " not in token
    )


def _refusal(status: int, document: dict[str, Any]) -> TokenMissing:
    if status == 401 or document.get("error") in _CLIENT_ERRORS:
        return TokenMissing("The issuer refused this client id and secret.")
    return TokenMissing("The issuer does not grant this client a token for the gateway.")
