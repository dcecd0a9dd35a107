"""How a client shows its id and secret at an issuer's endpoint (RFC 6749 section 2.3.1)."""

from collections.abc import Collection, Mapping
from urllib.parse import quote_plus

import aiohttp

from gateway.auth.requests import Answer, post_form

BASIC = "client_secret_basic"
POST = "client_secret_post"

_REFUSED = (400, 401, 403)


def basic_authorization(client_id: str, client_secret: str) -> str:
    """Both are form-encoded first, so that neither a colon nor an umlaut is ambiguous."""
    return aiohttp.encode_basic_auth(quote_plus(client_id), quote_plus(client_secret))


class ClientSecret:
    """Asks as one client, by Basic first; ``methods`` are those that the issuer takes.

    Issuers may allow a client only one way of those that they name, and some do not undo the
    encoding within Basic. So a refusal of the client is believed only when both ways have failed;
    the way that worked is the first to be tried next time.
    """

    def __init__(
        self, client_id: str, client_secret: str, methods: Collection[str] = (BASIC, POST)
    ) -> None:
        self._client_id = client_id
        self._client_secret = client_secret
        self._ways = [way for way in (BASIC, POST) if way in methods] or [POST]

    async def post(
        self, session: aiohttp.ClientSession, url: str, form: Mapping[str, str]
    ) -> Answer:
        """Raises ``IssuerFault``."""
        first, *other = self._ways
        answer = await self._post(first, session, url, form)
        if other and _is_client_refused(answer):
            answer = await self._post(other[0], session, url, form)
            if not _is_client_refused(answer):
                self._ways = [*other, first]
        return answer

    async def _post(
        self, way: str, session: aiohttp.ClientSession, url: str, form: Mapping[str, str]
    ) -> Answer:
        if way == BASIC:
            authorization = basic_authorization(self._client_id, self._client_secret)
            return await post_form(session, url, form, {"Authorization": authorization})
        shown = {"client_id": self._client_id, "client_secret": self._client_secret}
        return await post_form(session, url, {**form, **shown})


def _is_client_refused(answer: Answer) -> bool:
    """Whether the answer is about the client, not about what it asks for."""
    if answer.status not in _REFUSED:
        return False
    error = (answer.document or {}).get("error")
    return answer.status == 401 or error in (None, "invalid_client")
