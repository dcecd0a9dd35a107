"""``olgw explain``: one request decided offline, by the rules that the running gateway follows."""

from collections.abc import Iterator
from dataclasses import dataclass, field

from gateway.catalogue import CATALOGUE, SIMPLIFIED, Endpoint, Role
from gateway.catalogue.simplified import ENTITIES, OPEN
from gateway.model import Caller, Kind, Thing
from gateway.problems import NotAllowed, NoTeam, Problem, TokenIssuer
from gateway.rules import claims, ids, jose, paths, policy
from gateway.rules.policy import Rulebook, TeamRules
from gateway.rules.routes import Match, RouteTable
from gateway.settings import Settings

_OPEN = frozenset(endpoint.name for endpoint in OPEN)
_TABLE = RouteTable((*CATALOGUE, *SIMPLIFIED))


@dataclass(slots=True)
class Explanation:
    """What would be decided, as names and words in the order of the decisions."""

    rows: list[tuple[str, str]] = field(default_factory=list)
    refusal: Problem | None = None

    @property
    def allowed(self) -> bool:
        return self.refusal is None

    def say(self, name: str, words: str) -> None:
        self.rows.append((name, words))

    def __str__(self) -> str:
        return "\n".join(f"{name:<11} {words}" for name, words in self.rows)


def explain(
    settings: Settings,
    method: str,
    target: str,
    *,
    now: float,
    token: str | None = None,
    team: str | None = None,
) -> Explanation:
    """``token`` says who asks; ``team`` is its OL-Team, or, without a token, whose member asks.

    ``now`` is Unix time.
    """
    explanation = Explanation()
    explanation.say("request", f"{method} {target}")
    try:
        _decide(explanation, settings, method, target, token=token, team=team, now=now)
    except Problem as problem:
        explanation.refusal = problem
        explanation.say("decision", f"refused: {problem.status} {problem.code}: {problem.detail}")
    return explanation


def _decide(
    explanation: Explanation,
    settings: Settings,
    method: str,
    target: str,
    *,
    token: str | None,
    team: str | None,
    now: float,
) -> None:
    path, raw_query = paths.origin_form(target)
    paths.canonical(path)
    recognition = _TABLE.recognise(method, path)
    caller = None
    if token is not None and recognition.label not in _OPEN:
        caller = _caller(explanation, settings, token, now)
    match = recognition.match()
    explanation.say("endpoint", f"{match.endpoint.name} ({match.endpoint.role})")
    if match.endpoint.name in _OPEN or match.endpoint.role is Role.LOGIN:
        explanation.say("decision", "allowed: open to everybody who can show what it asks for")
        return
    named = ids.of_path(match.parameters) + ids.of_query(match.endpoint, raw_query)
    teams = _teams(Rulebook(settings), caller, team)
    explanation.say("teams", ", ".join(each.name for each in teams))
    chosen = _chosen(explanation, teams, match, named)
    _say_consequences(explanation, settings, chosen, match, named)


def _caller(explanation: Explanation, settings: Settings, token: str, now: float) -> Caller:
    unverified = jose.parse(token)
    stated = unverified.payload
    name, issuer = next(
        (
            (name, each)
            for name, each in settings.issuers.items()
            if each.issuer == stated.get("iss")
        ),
        (None, None),
    )
    if name is None or issuer is None:
        raise TokenIssuer
    jose.check_header(unverified.header, frozenset(issuer.algorithms))
    jose.check_signed(unverified)
    expected = claims.Expectation(issuer.issuer, frozenset(issuer.audiences), issuer.leeway)
    claims.check(stated, expected, now)
    subject = claims.subject_of(stated)
    explanation.say("caller", f"{subject} of issuer {name}")
    explanation.say(
        "signature", "not checked: that takes the issuer's keys, which are not asked for"
    )
    return Caller(name, subject, stated, claims.seconds(stated, "exp"))


def _teams(rulebook: Rulebook, caller: Caller | None, team: str | None) -> list[TeamRules]:
    if caller is not None:
        return rulebook.teams_of(caller, team)
    found = None if team is None else rulebook.team(team)
    if found is None:
        raise NoTeam("The configuration has no such team.")
    return [found]


def _chosen(
    explanation: Explanation, teams: list[TeamRules], match: Match, named: list[Thing]
) -> TeamRules:
    """Says of every team up to the first that may why it may or not. Raises NotAllowed."""
    refused: str | None = None
    for team in teams:
        decision = policy.decision(team, match.endpoint, match.parameters, named)
        if decision.allowed:
            explanation.say("team", team.name)
            explanation.say("decision", f"allowed: {decision.reason}")
            return team
        refused = refused or decision.reason
        explanation.say("not for", f"{team.name}: {decision.reason}")
    raise NotAllowed(f"{refused}.")


def _say_consequences(
    explanation: Explanation, settings: Settings, team: TeamRules, match: Match, named: list[Thing]
) -> None:
    kind = settings.credentials[team.credential].kind
    explanation.say("credential", f"{team.credential} ({kind})")
    for words in _conditions(team, match.endpoint, named):
        explanation.say("provided", words)
    limits = team.settings.limits
    if limits.requests_per_second is not None:
        explanation.say("limit", f"{limits.requests_per_second:g} requests per second")
    if match.endpoint.starts and limits.running_operations is not None:
        explanation.say("limit", f"{limits.running_operations} operations running")
    explanation.say("cache key", _cache_key(team, match, named))


def _conditions(team: TeamRules, endpoint: Endpoint, named: list[Thing]) -> Iterator[str]:
    """What only a running gateway, or the body, can tell."""
    if policy.names_presets_in_body(endpoint) and team.restricts_presets(endpoint):
        yield "the presets that the body names match the grant's"
    if not team.owns:
        return
    for thing in named:
        words = "no other team's" if thing.kind is Kind.PRESET else "the team's own"
        yield f"{thing.kind} {thing.id} is {words} (objects: own)"
    if endpoint.body:
        yield "every object that the body names is the team's own (objects: own)"


def _cache_key(team: TeamRules, match: Match, named: list[Thing]) -> str:
    endpoint, things = match.endpoint, list(named)
    if endpoint.role is Role.API and "entity" in match.parameters:
        _, kind = ENTITIES[match.parameters["entity"]]
        endpoint = policy.underlying(endpoint.name, match.parameters) or endpoint
        things = [Thing(kind, match.parameters["id"])]
    if endpoint.facet is None or match.endpoint.method != "GET":
        return "none: not cached"
    return f"{team.credential} / {things[0].kind} {things[0].id} / {endpoint.facet}"
