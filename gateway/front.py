"""The first half of every journey, on both faces: form, identity, endpoint, rights, limits.

The order is the contract's (section 7): nothing is learned of endpoints before one has said who
one is, and nothing of objects before one may use the endpoint.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from aiohttp import HttpVersion10, HttpVersion11

from gateway.auth.issuers import ConnectedIssuer
from gateway.auth.tokens import Authenticator
from gateway.catalogue import PREFIX, Endpoint, Role
from gateway.catalogue.simplified import OPEN
from gateway.exchange import UNMATCHED, Exchange
from gateway.inbound import Inbound
from gateway.limits import Limiter
from gateway.model import Caller, Thing
from gateway.problems import MalformedRequest, NoTeam, Problem, TokenMissing
from gateway.rules import headers, ids, paths, policy
from gateway.rules.credentials import Basic, Bearer, presented
from gateway.rules.policy import Rulebook, TeamRules
from gateway.rules.routes import Match, Recognition, RouteTable
from gateway.settings import Settings


@dataclass(frozen=True, slots=True)
class Regime:
    """What a reload replaces, as one value: who is trusted, and who may do what."""

    settings: Settings
    rulebook: Rulebook
    authenticator: Authenticator
    issuers: Mapping[str, ConnectedIssuer]


@dataclass(frozen=True, slots=True)
class Reading:
    """What a head says, whoever asks: a function of its bytes alone."""

    path: str
    raw_query: str
    recognition: Recognition
    is_for_all: bool
    shown: Bearer | Basic | None


@dataclass(frozen=True, slots=True)
class Admission:
    """Who may make a request: a function of its head, the caller and the regime."""

    regime: Regime
    caller: Caller
    wanted_team: str | None
    membership: Sequence[TeamRules]  # those the caller may speak for
    teams: Sequence[TeamRules]  # those of them who may make the request
    named: Sequence[Thing]


@dataclass(slots=True)
class Passage:
    """A request that was let in, and all that was learned on the way."""

    request: Inbound
    exchange: Exchange
    regime: Regime
    path: str  # raw, byte for byte what was authorised
    raw_query: str
    match: Match
    shown: Bearer | Basic | None = None
    caller: Caller | None = None
    teams: Sequence[TeamRules] = ()  # those who may make the request, the chosen one first
    named: Sequence[Thing] = ()  # by path and query

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
        """The field's value, of several lines the list that they are (RFC 9110 section 5.3)."""
        lines = self.request.headers.getall(name, ())
        return ", ".join(lines) if lines else None


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

    def is_plain(self, method: str, target: str) -> bool:
        """Whether the answer to a request is one that can be given by any of the listener's lanes.

        A stream of events is aiohttp's matter from its head on.
        """
        return self.label(method, target) != _EVENTS

    async def admit(self, request: Inbound, exchange: Exchange) -> Passage:
        """Raises whatever speaks against the request, in the contract's order."""
        regime, memo = self.regime, request.memo
        reading: Reading | None = None if memo is None else memo.reading
        if reading is None:
            reading = self._read(request, exchange)
            if memo is not None:
                memo.reading = reading
        recognition = reading.recognition
        exchange.path, exchange.endpoint = reading.path, recognition.label
        shown, caller = reading.shown, None
        if not reading.is_for_all:
            if shown is None:
                raise TokenMissing("Send the issuer's token as Authorization: Bearer.")
            if isinstance(shown, Bearer):
                authenticator = regime.authenticator
                caller = authenticator.recall(shown.token)
                if caller is None:
                    caller = await authenticator.identify(shown.token)
                exchange.caller = caller
        match = recognition.match()
        exchange.operation_id = match.parameters.get("operationId")
        passage = Passage(
            request, exchange, regime, reading.path, reading.raw_query, match, shown, caller
        )
        if caller is not None and match.endpoint.role is not Role.LOGIN:
            await self._authorise(passage, caller)
        return passage

    def admits_as_well(self, caller: Caller, admission: Admission) -> bool:
        """Whether another caller who asks for the same is admitted in the same way."""
        if admission.regime is not self.regime:
            return False
        try:
            membership = self.regime.rulebook.teams_of(caller, admission.wanted_team)
        except NoTeam:
            return False
        return membership == admission.membership

    def _read(self, request: Inbound, exchange: Exchange) -> Reading:
        path, raw_query = self._form(request, exchange)
        recognition = self._routes.recognise(request.method, path)
        exchange.endpoint = recognition.label
        shown, is_for_all = None, _is_for_all(recognition.label, path)
        if not is_for_all:
            shown = presented(
                request.headers.getall("Authorization", ()),
                request.headers.getall("auth_token", ()),
                login=recognition.label == LOGIN,
            )
        return Reading(path, raw_query, recognition, is_for_all, shown)

    def _form(self, request: Inbound, exchange: Exchange) -> tuple[str, str]:
        _framing(request)
        headers.within(request.raw_headers, self._max_header_bytes)
        headers.duplicates(request.raw_headers)
        path, raw_query = paths.origin_form(request.raw_path)
        exchange.path = path  # of an absolute-form, too: it decides the form of a problem
        paths.canonical(path)
        return path, raw_query

    async def _authorise(self, passage: Passage, caller: Caller) -> None:
        memo = passage.request.memo
        admission: Admission | None = None if memo is None else memo.admission
        if admission is None or not (
            admission.caller is caller and admission.regime is passage.regime
        ):
            admission = _admission(passage, caller)
            if memo is not None:
                memo.admission = admission
        passage.named = admission.named
        passage.exchange.things = list(admission.named)
        passage.choose(admission.teams)
        await self._limiter.take(passage.team.name, passage.team.settings.limits, passage.exchange)


def _framing(request: Inbound) -> None:
    """Raise MalformedRequest for what aiohttp lets pass and an intermediary must not."""
    if request.version < HttpVersion10:
        raise MalformedRequest("The request names no version of HTTP.")
    # RFC 9112 section 6.1: whoever passed this on may have framed it in another way.
    if request.version < HttpVersion11 and "Transfer-Encoding" in request.headers:
        raise MalformedRequest("HTTP/1.0 knows no Transfer-Encoding.")
    # aiohttp takes off the last coding only, and what is left would pass for the body.
    if request.headers.get("Transfer-Encoding", "chunked").lower() != "chunked":
        raise MalformedRequest("The only transfer coding accepted is chunked.")
    # What follows these is not read as HTTP any more. Other upgrades, such as Java's to h2c, are
    # offers that may be ignored.
    if request.method == "CONNECT" or request.headers.get("Upgrade", "").lower() == "websocket":
        raise MalformedRequest("There are no tunnels here.")


def _admission(passage: Passage, caller: Caller) -> Admission:
    """Raises whatever speaks against the request by its head."""
    named = ids.of_path(passage.parameters)
    named += ids.of_query(passage.endpoint, passage.raw_query)
    passage.exchange.things = list(named)
    wanted_team = passage.header("OL-Team")
    membership = passage.regime.rulebook.teams_of(caller, wanted_team)
    passage.exchange.team = membership[0].name
    teams = policy.admitted(membership, passage.endpoint, passage.parameters, named)
    return Admission(passage.regime, caller, wanted_team, membership, teams, named)


def _is_for_all(label: str, path: str) -> bool:
    """Also what is of neither face: that it does not exist tells nothing of them."""
    if label == UNMATCHED:
        return not f"{path}/".startswith(_FACES)
    return label in _WITHOUT_TOKEN


LOGIN = "authentication.login"
_EVENTS = "api.get_operation_events"
_FACES = (f"{PREFIX}/", "/api/v1/")
_WITHOUT_TOKEN = frozenset(endpoint.name for endpoint in OPEN)
