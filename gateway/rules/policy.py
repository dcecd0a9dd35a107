"""Which of the caller's teams may make a request, by which grant, and why not.

Decisions are values with a reason: the same ones answer a request, ``olgw explain`` and
``olgw routes --config``.
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase, translate

from gateway.catalogue import ENDPOINTS, Endpoint, Role
from gateway.catalogue.simplified import ALTERNATIVES, ENTITIES, RIGHTS
from gateway.model import Caller, Kind, Thing
from gateway.problems import NotAllowed, NoTeam, UnknownEndpoint
from gateway.rules import ids
from gateway.rules.claims import values_of
from gateway.settings import Grant, Settings, Team

OPEN_TO_MEMBERS = "authentication"
"""The service any member of any team may call: clients ask it whether they are logged in."""


@dataclass(frozen=True, slots=True)
class Right:
    """One grant's word on one endpoint. ``presets`` None means any preset, or none."""

    grant: int
    presets: re.Pattern[str] | None


@dataclass(frozen=True, slots=True)
class Decision:
    """Whether a team may do something, and the reason in words."""

    allowed: bool
    reason: str
    grant: int | None = None


class TeamRules:
    """One team's membership and rights, ready to be asked."""

    def __init__(self, name: str, team: Team, endpoints: Iterable[Endpoint]) -> None:
        self.name = name
        self.settings = team
        self.credential = team.credential
        self.owns = team.objects == "own"
        self._any_of = frozenset(team.members.any_of)
        self._rights = {
            endpoint.name: rights
            for endpoint in endpoints
            if (rights := _rights(team.allow, endpoint.name))
        }

    def __repr__(self) -> str:
        return f"<team {self.name}>"

    def has_member(self, caller: Caller) -> bool:
        members = self.settings.members
        return members.issuer == caller.issuer and not self._any_of.isdisjoint(
            values_of(caller.claims, members.claim)
        )

    def may_run(self, pipeline: str) -> bool:
        return any(fnmatchcase(pipeline, pattern) for pattern in self.settings.pipelines)

    def may_start(self, pipeline: str) -> Decision:
        if self.may_run(pipeline):
            return Decision(True, f"pipelines of team {self.name}")
        return Decision(False, f"pipelines of team {self.name} do not name this one")

    def may(self, endpoint: Endpoint, presets: Sequence[str] | None) -> Decision:
        """Whether a grant covers ``endpoint`` with these presets, each as the caller named it.

        ``presets`` None means that they stand in a body nobody has read yet.
        """
        if endpoint.service == OPEN_TO_MEMBERS or endpoint.role is Role.API:
            return Decision(True, "open to every member of a team")
        if endpoint.role is Role.OPAQUE and self.owns:
            return Decision(False, "its arguments cannot be checked against objects: own")
        rights = self._rights.get(endpoint.name, ())
        if not rights:
            return Decision(False, f"no grant of team {self.name} names {endpoint.name}")
        for right in rights:
            if right.presets is None or presets is None:
                return Decision(True, f"allow[{right.grant}] of team {self.name}", right.grant)
            if _covers(right.presets, endpoint, presets):
                reason = f"allow[{right.grant}] of team {self.name}, presets match"
                return Decision(True, reason, right.grant)
        return Decision(False, f"no grant of team {self.name} covers the presets of this request")

    def restricts_presets(self, endpoint: Endpoint) -> bool:
        """Whether the presets of a request decide if it is allowed."""
        return all(right.presets is not None for right in self._rights.get(endpoint.name, ()))

    def endpoints(self) -> frozenset[str]:
        """The names of all endpoints that some grant covers."""
        return frozenset(self._rights)


class Rulebook:
    """All teams, in the order of the file. Immutable: a reload makes a new one."""

    def __init__(self, settings: Settings) -> None:
        rows = tuple(ENDPOINTS.values())
        self.teams = tuple(TeamRules(name, team, rows) for name, team in settings.teams.items())
        self._by_name: Mapping[str, TeamRules] = {team.name: team for team in self.teams}

    def team(self, name: str) -> TeamRules | None:
        return self._by_name.get(name)

    def teams_of(self, caller: Caller, wanted: str | None) -> list[TeamRules]:
        """The teams ``caller`` may speak for, narrowed by the ``OL-Team`` header.

        Raises NoTeam; a team that exists and one that does not are refused alike.
        """
        teams = [team for team in self.teams if team.has_member(caller)]
        if wanted is not None:
            teams = [team for team in teams if team.name == wanted]
            if not teams:
                raise NoTeam("The caller does not belong to the team named in OL-Team.")
        if not teams:
            raise NoTeam("No team's members match the token's claims: ask for a group of one.")
        return teams


def choose(
    teams: Sequence[TeamRules], endpoint: Endpoint, presets: Sequence[str] | None
) -> list[TeamRules]:
    """Those of ``teams`` whose grants allow the request, the first being the one that makes it.

    Raises NotAllowed.
    """
    decisions = [(team, team.may(endpoint, presets)) for team in teams]
    return _allowed(decisions)


def admitted(
    teams: Sequence[TeamRules],
    endpoint: Endpoint,
    parameters: Mapping[str, str],
    named: Sequence[Thing],
) -> list[TeamRules]:
    """As ``choose``, for what is known before a body is read: path and query, and what they name.

    Raises NotAllowed, UnknownEndpoint.
    """
    return _allowed([(team, decision(team, endpoint, parameters, named)) for team in teams])


def names_presets_in_body(endpoint: Endpoint) -> bool:
    return Kind.PRESET in endpoint.body.values()


def decision(
    team: TeamRules, endpoint: Endpoint, parameters: Mapping[str, str], named: Iterable[Thing]
) -> Decision:
    """Why ``admitted`` lets the team in, or does not. Raises UnknownEndpoint."""
    if endpoint.role is not Role.API:
        # Presets that stand in the body are looked at when it has been read.
        presets = None if names_presets_in_body(endpoint) else ids.presets(named)
        return team.may(endpoint, presets)
    if endpoint.name == RUN_PIPELINE:
        return team.may_start(parameters["name"])
    needed = underlying(endpoint.name, parameters)
    decided = team.may(needed or endpoint, None)
    if not decided.allowed and (other := ALTERNATIVES.get(endpoint.name)) is not None:
        alternative = team.may(ENDPOINTS[other], None)
        return alternative if alternative.allowed else decided
    return decided


def underlying(name: str, parameters: Mapping[str, str]) -> Endpoint | None:
    """The endpoint of OL Connect whose grant ``name`` needs, if it needs one.

    Raises UnknownEndpoint for an entity, or a facet of it, that OL Connect does not have.
    """
    needed = RIGHTS.get(name)
    if needed is None:
        return None
    if "entity" in parameters:
        service, _ = ENTITIES.get(parameters["entity"], ("", None))
        needed = needed.format(entity=service)
    endpoint = ENDPOINTS.get(needed)
    if endpoint is None:
        raise UnknownEndpoint("OL Connect has no such name/value list.")
    return endpoint


RUN_PIPELINE = "api.run_pipeline"


def _allowed(decisions: Sequence[tuple[TeamRules, Decision]]) -> list[TeamRules]:
    allowed = [team for team, decision in decisions if decision.allowed]
    if not allowed:
        raise NotAllowed(f"{_sentence(decisions[0][1].reason)}.")
    return allowed


def _sentence(text: str) -> str:
    return text[:1].upper() + text[1:]


def _rights(grants: Sequence[Grant], name: str) -> tuple[Right, ...]:
    return tuple(
        Right(index, _pattern(grant.presets))
        for index, grant in enumerate(grants)
        if any(fnmatchcase(name, pattern) for pattern in grant.endpoints)
    )


def _pattern(presets: Sequence[str] | None) -> re.Pattern[str] | None:
    if presets is None:
        return None
    return re.compile("|".join(translate(preset) for preset in presets) or r"(?!)")


def _covers(pattern: re.Pattern[str], endpoint: Endpoint, presets: Sequence[str]) -> bool:
    # A grant for certain presets is not one for work that runs without any, or by a default one.
    if not presets:
        return endpoint.role not in (Role.START, Role.PREVIEW)
    return all(pattern.match(preset) for preset in presets)
