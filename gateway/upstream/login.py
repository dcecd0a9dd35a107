"""Logging in at OL Connect: one call, and what its answers mean."""

from collections.abc import Callable

from gateway.catalogue import PREFIX
from gateway.problems import (
    UpstreamCredentialRefused,
    UpstreamInvalidResponse,
    UpstreamOverloaded,
)
from gateway.upstream.call import Call
from gateway.upstream.client import Upstream, sent_twice_at_most
from gateway.upstream.credentials import Token

_PATH = f"{PREFIX}/authentication/login"
_TOKEN_BYTES = 16 * 1024
# Servers before 2021.2 do not say how long a token lives; the vendor's client takes an hour.
_DEFAULT_SECONDS = 3600.0


class UpstreamLogin:
    """Callable as ``credentials.Login``."""

    def __init__(self, upstream: Upstream, now: Callable[[], float]) -> None:
        self._upstream = upstream
        self._now = now

    async def __call__(self, authorization: str) -> Token:
        """Raises UpstreamCredentialRefused, UpstreamOverloaded, or what ``Upstream`` raises."""
        call = Call("POST", _PATH, headers=[("Authorization", authorization)])
        asked_at = self._now()
        async with sent_twice_at_most(self._upstream, call) as response:
            if response.status in (401, 403):
                raise UpstreamCredentialRefused
            if response.status in (429, 503):
                raise UpstreamOverloaded(
                    "OL Connect limits logins.",
                    headers={"Retry-After": _seconds_to_wait(response.headers.get("Retry-After"))},
                )
            body = await self._upstream.read(response, _TOKEN_BYTES)
            if response.status != 200 or not _is_token(body):
                raise UpstreamInvalidResponse("OL Connect's login did not answer with a token.")
            seconds = _life(response.headers.get("Token-Expires-In"))
        return Token(body.decode("ascii"), asked_at, seconds)


def _is_token(body: bytes) -> bool:
    # With server security off, a login may answer with nothing: an empty token, which is ignored.
    return all(0x21 <= byte <= 0x7E for byte in body)


def _life(value: str | None) -> float:
    if value is not None and value.isascii() and value.isdigit() and len(value) <= 10:
        return float(value)
    return _DEFAULT_SECONDS


def _seconds_to_wait(value: str | None) -> str:
    if value is not None and value.isascii() and value.isdigit() and len(value) <= 4:
        return value
    return "5"
