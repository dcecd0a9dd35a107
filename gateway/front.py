"""The first half of every journey, on both faces: form, identity, endpoint, rights, limits.

The order is the contract's (section 7): nothing is learned of endpoints before one has said who
one is, and nothing of objects before one may use the endpoint.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from aiohttp import web

from gateway.auth.issuers import ConnectedIssuer
from gateway.auth.tokens import Authenticator
from gateway.catalogue import Endpoint, Role
from gateway.catalogue.simplified import OPEN
from gateway.exchange import UNMATCHED, Exchange
from gateway.limits import Limiter
from gateway.model import Caller, Kind, Thing
from gateway.problems import Problem, TokenMissing
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
        path, raw_query = self._form(request)
        recognition = self._routes.recognise(request.method, path)
        exchange.endpoint = recognition.label
        shown = caller = None
        if recognition.label not in _WITHOUT_TOKEN:
            shown, caller = await _identify(regime, request, recognition.label)
            exchange.caller = caller
        match = recognition.match()
        passage = Passage(request, exchange, regime, path, raw_query, match, shown, caller)
        if caller is not None and match.endpoint.role is not Role.LOGIN:
            await self._authorise(passage, caller)
        return passage

    def _form(self, request: web.BaseRequest) -> tuple[str, str]:
        headers.within(request.raw_headers, self._max_header_bytes)
        headers.duplicates(request.raw_headers)
        path, raw_query = paths.origin_form(request.raw_path)
        paths.canonical(path)
        return path, raw_query

    async def _authorise(self, passage: Passage, caller: Caller) -> None:
        passage.named = ids.of_path(passage.parameters)
        passage.named += ids.of_query(passage.endpoint, passage.raw_query)
        teams = passage.regime.rulebook.teams_of(caller, passage.header("OL-Team"))
        passage.exchange.team = teams[0].name
        if passage.endpoint.role is Role.API:
            name = passage.endpoint.name
            passage.choose(policy.choose_simplified(teams, name, passage.parameters))
        else:
            # Presets that stand in the body are looked at when it has been read.
            in_body = names_presets_in_body(passage.endpoint)
            presets = None if in_body else ids.presets(passage.named)
            passage.choose(policy.choose(teams, passage.endpoint, presets))
        await self._limiter.take(passage.team.name, passage.team.settings.limits, passage.exchange)


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


def names_presets_in_body(endpoint: Endpoint) -> bool:
    return Kind.PRESET in endpoint.body.values()


LOGIN = "authentication.login"
_WITHOUT_TOKEN = frozenset(endpoint.name for endpoint in OPEN)
