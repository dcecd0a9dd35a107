"""Where a request on the public listener goes: preflight, login, the simplified face or the
transparent one."""

from collections.abc import Awaitable, Callable, Mapping

from gateway import answers
from gateway.catalogue import Role
from gateway.exchange import Exchange
from gateway.front import Front, Passage
from gateway.inbound import Inbound
from gateway.pipeline import Journey
from gateway.rules import cors
from gateway.settings import Cors

ApiHandler = Callable[[Passage], Awaitable[answers.Answer]]


class Public:
    """The handler inside the observer. ``api`` answers, by endpoint name, what is the gateway's."""

    def __init__(
        self,
        front: Front,
        journey: Journey,
        login: ApiHandler,
        api: Mapping[str, ApiHandler],
        cors_settings: Cors,
    ) -> None:
        self._front = front
        self._cors = cors_settings
        self._journey = journey
        self._login = login
        self._api = api

    async def handle(self, request: Inbound, exchange: Exchange) -> answers.Answer:
        if request.method == "OPTIONS" and "Access-Control-Request-Method" in request.headers:
            return self._preflight(request, exchange)
        passage = await self._front.admit(request, exchange)
        match passage.endpoint.role:
            case Role.API:
                return await self._api[passage.endpoint.name](passage)
            case Role.LOGIN:
                return await self._login(passage)
            case _:
                return await self._journey.handle(passage)

    def _preflight(self, request: Inbound, exchange: Exchange) -> answers.Answer:
        """Answered without a token: browsers send none (Fetch standard)."""
        method = request.headers.get("Access-Control-Request-Method")
        exchange.endpoint = self._front.label(method or "", request.raw_path)
        granted = cors.preflight(
            exchange.origin,
            method,
            request.headers.get("Access-Control-Request-Headers"),
            frozenset(self._cors.origins),
            int(self._cors.max_age),
        )
        exchange.headers = [line for line in exchange.headers if not _is_cors(line[0])]
        return answers.whole(exchange, 204, granted or [("Vary", "Origin")], None)


def _is_cors(name: str) -> bool:
    return name == "Vary" or name.startswith("Access-Control-")
