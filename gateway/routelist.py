"""``olgw routes``: the catalogue as a list, and who may call what."""

from collections.abc import Iterable
from typing import Any

from gateway.catalogue import CATALOGUE, ENDPOINTS, PARAMETERS, SIMPLIFIED, Endpoint, Role
from gateway.catalogue.simplified import ALTERNATIVES, ENTITIES, RIGHTS
from gateway.model import Kind
from gateway.rules import policy
from gateway.rules.policy import Rulebook, TeamRules
from gateway.settings import Settings


def rows(settings: Settings | None) -> list[dict[str, Any]]:
    """One mapping per endpoint; ``teams`` is there where a configuration was given."""
    listed = [_row(endpoint) for endpoint in (*CATALOGUE, *SIMPLIFIED)]
    if settings is not None:
        teams, pipelines = Rulebook(settings).teams, settings.pipelines
        for row, endpoint in zip(listed, (*CATALOGUE, *SIMPLIFIED), strict=True):
            row["teams"] = [team.name for team in teams if _may_ever(team, endpoint, pipelines)]
    return listed


def _row(endpoint: Endpoint) -> dict[str, Any]:
    return {
        "name": endpoint.name,
        "method": endpoint.method,
        "path": endpoint.template,
        "role": endpoint.role.value,
        "cached": endpoint.facet is not None and endpoint.method == "GET",
    }


def _may_ever(team: TeamRules, endpoint: Endpoint, pipelines: Iterable[str]) -> bool:
    """Whether there is a request to the endpoint that the team may make."""
    if endpoint.name == policy.RUN_PIPELINE:
        return any(map(team.may_run, pipelines))
    if endpoint.role is not Role.API:
        return team.may(endpoint, None if _takes_presets(endpoint) else ()).allowed
    needed = [rights[endpoint.name] for rights in (RIGHTS, ALTERNATIVES) if endpoint.name in rights]
    if not needed:
        return True
    services = [service for service, _ in ENTITIES.values()]
    names = {name.format(entity=service) for name in needed for service in services}
    rows = (ENDPOINTS[name] for name in sorted(names & ENDPOINTS.keys()))
    return any(team.may(row, None).allowed for row in rows)


def _takes_presets(endpoint: Endpoint) -> bool:
    in_path = {each.kind for name, each in PARAMETERS.items() if f"{{{name}}}" in endpoint.path}
    return Kind.PRESET in {*in_path, *endpoint.query.values(), *endpoint.body.values()}


def table(listed: list[dict[str, Any]]) -> str:
    """The rows in columns, as wide as they need to be."""
    cells = [_cells(row) for row in listed]
    widths = [max(len(row[column]) for row in cells) for column in range(len(cells[0]))]
    lines = [
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
        for row in cells
    ]
    return "\n".join(lines)


def _cells(row: dict[str, Any]) -> list[str]:
    cells = [row["name"], row["method"], row["path"]]
    if "teams" in row:
        cells.append(", ".join(row["teams"]) or "-")
    return cells
