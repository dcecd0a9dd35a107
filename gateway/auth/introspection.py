"""Opaque tokens, looked up at their issuer (RFC 7662)."""

import hashlib
import re
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any

import aiohttp
from cachetools import TTLCache

from gateway.auth.client_auth import ClientSecret
from gateway.auth.flight import SingleFlight
from gateway.auth.requests import RETRY_AFTER_SECONDS, IssuerFault
from gateway.problems import IssuerUnavailable, TokenMalformed
from gateway.rules.jose import MAX_TOKEN_CHARACTERS
from gateway.tasks import TaskSet

POSITIVE_SECONDS = 30.0
NEGATIVE_SECONDS = 5.0
DEFAULT_LIFETIME_SECONDS = 60.0
MAX_REMEMBERED_REFUSALS = 10_000
MAX_UNDER_WAY = 64

_OPAQUE = re.compile(r"[A-Za-z0-9._~+/-]+=*")


@dataclass(frozen=True, slots=True)
class IntrospectionClient:
    """The gateway's own client at the issuer; ``endpoint`` may raise ``IssuerFault``."""

    endpoint: Callable[[], Awaitable[str]]
    secret: ClientSecret


def check_opaque(token: str) -> None:
    """The form of a bearer token (RFC 6750 section 2.1), and not that of an encrypted JWT."""
    if len(token) > MAX_TOKEN_CHARACTERS or not _OPAQUE.fullmatch(token):
        raise TokenMalformed("The token holds characters that no token has, or too many.")
    if token.count(".") == 4:
        raise TokenMalformed("Encrypted tokens are not accepted.")


class Introspector:
    """Asks one issuer; who may ask at the same time is bounded, as each token is a request."""

    def __init__(
        self,
        client: IntrospectionClient,
        session: aiohttp.ClientSession,
        tasks: TaskSet,
        now: Callable[[], float],
    ) -> None:
        self._client = client
        self._session = session
        self._tasks = tasks
        self._refused: TTLCache[bytes, bool] = TTLCache(
            MAX_REMEMBERED_REFUSALS, NEGATIVE_SECONDS, timer=now
        )
        self._flights: dict[bytes, SingleFlight[Mapping[str, Any] | None]] = {}

    async def claims_of(self, token: str) -> Mapping[str, Any] | None:
        """The answer's members if the token is active, else None; unchecked otherwise.

        Raises ``IssuerUnavailable``.
        """
        digest = hashlib.sha256(token.encode()).digest()
        if digest in self._refused:
            return None
        try:
            return await self._ask_once(digest, token)
        except IssuerFault as error:
            raise _unavailable() from error

    async def _ask_once(self, digest: bytes, token: str) -> Mapping[str, Any] | None:
        flight = self._flights.get(digest)
        if flight is None:
            if len(self._flights) >= MAX_UNDER_WAY:
                raise _unavailable()
            flight = self._flights[digest] = SingleFlight(self._tasks, "introspection")
        return await flight.join(lambda: self._ask(digest, token))

    async def _ask(self, digest: bytes, token: str) -> Mapping[str, Any] | None:
        try:
            claims = await self._answer(token)
        finally:
            del self._flights[digest]
        if claims is None:
            self._refused[digest] = True
        return claims

    async def _answer(self, token: str) -> Mapping[str, Any] | None:
        form = {"token": token, "token_type_hint": "access_token"}
        endpoint = await self._client.endpoint()
        answer = await self._client.secret.post(self._session, endpoint, form)
        if answer.status != 200 or answer.document is None:
            raise IssuerFault(f"introspection answered with status {answer.status}")
        # Exactly true: 1 and "true" are what a broken proxy or a template would say.
        return answer.document if answer.document.get("active") is True else None


def _unavailable() -> IssuerUnavailable:
    return IssuerUnavailable(
        "The issuer cannot be asked about this token.",
        headers={"Retry-After": str(RETRY_AFTER_SECONDS)},
    )
