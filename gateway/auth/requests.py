"""One request to an issuer, which is trusted for what it says and for nothing else: not for being
there, for being quick, for the size of its answer, nor for where it would send us."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import aiohttp
from yarl import URL

from gateway.rules.jose import strict_object

MAX_ANSWER_BYTES = 512 * 1024
TIMEOUT_SECONDS = 5.0
RETRY_AFTER_SECONDS = 2

# Without a content coding, what is counted is what came over the wire: no bombs.
_PLAIN = {"Accept": "application/json", "Accept-Encoding": "identity"}
_TIMEOUT = aiohttp.ClientTimeout(total=TIMEOUT_SECONDS)


class IssuerFault(Exception):
    """The issuer did not answer, or not as it must; the text names no secret and is for logs."""


@dataclass(frozen=True, slots=True)
class Answer:
    """``document`` is None if the body is no JSON object; the media type is not looked at."""

    status: int
    document: dict[str, Any] | None


def open_session() -> aiohttp.ClientSession:
    """A session for issuers only: no cookies, no proxy and no .netrc from the environment."""
    return aiohttp.ClientSession(
        cookie_jar=aiohttp.DummyCookieJar(), trust_env=False, auto_decompress=False
    )


async def get_document(session: aiohttp.ClientSession, url: str) -> dict[str, Any]:
    """The JSON object at ``url``. Redirects count as faults: they could lead anywhere."""
    answer = await _ask(session, "GET", url)
    if answer.status != 200 or answer.document is None:
        raise IssuerFault(f"status {answer.status}, or no JSON object")
    return answer.document


async def post_form(
    session: aiohttp.ClientSession,
    url: str,
    form: Mapping[str, str],
    headers: Mapping[str, str] | None = None,
) -> Answer:
    """Whatever the endpoint answers, whose errors have a JSON body too (RFC 6749 section 5.2)."""
    return await _ask(session, "POST", url, form=form, headers=headers)


async def _ask(
    session: aiohttp.ClientSession,
    method: str,
    url: str,
    *,
    form: Mapping[str, str] | None = None,
    headers: Mapping[str, str] | None = None,
) -> Answer:
    try:
        async with session.request(
            method,
            URL(url, encoded=True),
            data=form,
            headers=_PLAIN | dict(headers or {}),
            allow_redirects=False,
            timeout=_TIMEOUT,
        ) as response:
            return Answer(response.status, _document(await _limited(response)))
    except (aiohttp.ClientError, TimeoutError, OSError, ValueError) as error:
        raise IssuerFault(type(error).__name__) from error


async def _limited(response: aiohttp.ClientResponse) -> bytes:
    body = bytearray()
    async for chunk in response.content.iter_any():
        body += chunk
        if len(body) > MAX_ANSWER_BYTES:
            raise IssuerFault("answer too large")
    return bytes(body)


def _document(body: bytes) -> dict[str, Any] | None:
    try:
        return strict_object(body)
    except ValueError:
        return None
