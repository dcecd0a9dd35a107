"""The first half of every journey, on both faces: form, identity, endpoint, rights, limits.

The order is the contract's (section 7): nothing is learned of endpoints before one has said who
one is, and nothing of objects before one may use the endpoint.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from aiohttp import HttpVersion10, HttpVersion11, web

from gateway.auth.issuers import ConnectedIssuer
from gateway.auth.tokens import Authenticator
from gateway.catalogue import PREFIX, Endpoint, Role
from gateway.catalogue.simplified import OPEN
from gateway.exchange import UNMATCHED, Exchange
from gateway.limits import Limiter
from gateway.model import Caller, Thing
from gateway.problems import MalformedRequest, Problem, TokenMissing
from gateway.rules import headers, ids, paths, policy
from gateway.rules.credentials import Basic, Bearer, presented
from gateway.rules.policy import Rulebook, TeamRules
from gateway.rules.routes import Match, RouteTable
from gateway.settings import Settings


@dataclass(frozen=True, slots=True)
class Regime:
    """What a reload replaces, as one value: who is trusted, and who may do what."""

    settings: Settings
    rulebook: Rulebook
    authenticator: Authenticator
    issuers: Mapping[str, ConnectedIssuer]


@dataclass(slots=True)
class Passage:
    """A request that was let in, and all that was learned on the way."""

    request: web.BaseRequest
    exchange: Exchange
    regime: Regime
    path: str  # raw, byte for byte what was authorised
    raw_query: str
    match: Match
    shown: Bearer | Basic | None = None
    caller: Caller | None = None
    teams: Sequence[TeamRules] = ()  # those who may make the request, the chosen one first
    named: list[Thing] = field(default_factory=list)  # by path and query

    @property
    def endpoint(self) -> Endpoint:
        return self.match.endpoint

    @property
    def parameters(self) -> Mapping[str, str]:
        return self.match.parameters

    @property
    def team(self) -> TeamRules:
        return self.teams[0]

    def choose(self, teams: Sequence[TeamRules]) -> None:
        """Narrow the teams that may make the request; the first of them makes it."""
        self.teams = teams
        self.exchange.team = self.team.name
        self.exchange.credential = self.team.credential

    def header(self, name: str) -> str | None:
        return self.request.headers.get(name)


class Front:
    """Lets requests in. ``regime`` is replaced, never changed."""

    def __init__(self, routes: RouteTable, limiter: Limiter, regime: Regime) -> None:
        self.regime = regime
        self._routes = routes
        self._limiter = limiter
        self._max_header_bytes = regime.settings.listen.max_header

    def label(self, method: str, target: str) -> str:
        """The endpoint's name in metrics for a request that is not let in by ``admit``."""
        try:
            path, _ = paths.origin_form(target)
            paths.canonical(path)
        except Problem:
            return UNMATCHED
        return self._routes.recognise(method, path).label

    async def admit(self, request: web.BaseRequest, exchange: Exchange) -> Passage:
        """Raises whatever speaks against the request, in the contract's order."""
        regime = self.regime
        path, raw_query = self._form(request, exchange)
        recognition = self._routes.recognise(request.method, path)
        exchange.endpoint = recognition.label
        shown = caller = None
        if recognition.label not in _WITHOUT_TOKEN and not _is_elsewhere(recognition.label, path):
            shown, caller = await _identify(regime, request, recognition.label)
            exchange.caller = caller
        match = recognition.match()
        exchange.operation_id = match.parameters.get("operationId")
        passage = Passage(request, exchange, regime, path, raw_query, match, shown, caller)
        if caller is not None and match.endpoint.role is not Role.LOGIN:
            await self._authorise(passage, caller)
        return passage

    def _form(self, request: web.BaseRequest, exchange: Exchange) -> tuple[str, str]:
        _framing(request)
        headers.within(request.raw_headers, self._max_header_bytes)
        headers.duplicates(request.raw_headers)
        path, raw_query = paths.origin_form(request.raw_path)
        exchange.path = path  # of an absolute-form, too: it decides the form of a problem
        paths.canonical(path)
        return path, raw_query

    async def _authorise(self, passage: Passage, caller: Caller) -> None:
        passage.named = ids.of_path(passage.parameters)
        passage.named += ids.of_query(passage.endpoint, passage.raw_query)
        passage.exchange.things = list(passage.named)
        teams = passage.regime.rulebook.teams_of(caller, passage.header("OL-Team"))
        passage.exchange.team = teams[0].name
        passage.choose(policy.admitted(teams, passage.endpoint, passage.parameters, passage.named))
        await self._limiter.take(passage.team.name, passage.team.settings.limits, passage.exchange)


def _framing(request: web.BaseRequest) -> None:
    """Raise MalformedRequest for what aiohttp lets pass and an intermediary must not."""
    if request.version < HttpVersion10:
        raise MalformedRequest("The request names no version of HTTP.")
    # RFC 9112 section 6.1: whoever passed this on may have framed it in another way.
    if request.version < HttpVersion11 and "Transfer-Encoding" in request.headers:
        raise MalformedRequest("HTTP/1.0 knows no Transfer-Encoding.")
    # What follows these is not read as HTTP any more. Other upgrades, such as Java's to h2c, are
    # offers that may be ignored.
    if request.method == "CONNECT" or request.headers.get("Upgrade", "").lower() == "websocket":
        raise MalformedRequest("There are no tunnels here.")


async def _identify(
    regime: Regime, request: web.BaseRequest, label: str
) -> tuple[Bearer | Basic, Caller | None]:
    """The credential that was shown and whose it is; nobody's yet if it is a Basic login."""
    fields = request.headers
    shown = presented(
        fields.getall("Authorization", ()),
        fields.getall("auth_token", ()),
        login=label == LOGIN,
    )
    if shown is None:
        raise TokenMissing("Send the issuer's token as Authorization: Bearer.")
    if isinstance(shown, Basic):
        return shown, None
    authenticator = regime.authenticator
    return shown, authenticator.recall(shown.token) or await authenticator.identify(shown.token)


def _is_elsewhere(label: str, path: str) -> bool:
    """Whether a path is of neither face, so that a 404 tells nothing of them."""
    return label == UNMATCHED and not f"{path}/".startswith(_FACES)


LOGIN = "authentication.login"
_FACES = (f"{PREFIX}/", "/api/v1/")
_WITHOUT_TOKEN = frozenset(endpoint.name for endpoint in OPEN)
