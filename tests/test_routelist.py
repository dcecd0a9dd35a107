"""``olgw routes``: the same rules as ``olgw explain``, for all endpoints at once."""

import itertools
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from gateway.catalogue import CATALOGUE, PARAMETERS, SIMPLIFIED, Endpoint
from gateway.catalogue.simplified import ENTITIES
from gateway.cli import main
from gateway.explain import explain
from gateway.model import Kind
from gateway.routelist import rows
from tests.support.stage import CONFIG, settings_of

TEAMS = """
  clerks:
    members: {{issuer: corporate, claim: groups, any_of: [clerk]}}
    credential: printing
    allow:
      - {{endpoints: ["job_creation.*", "data_mapping.*", "html.*"], presets: ["Inv*", "12"]}}
      - {{endpoints: ["*_entity.get_properties", "*.get_progress"]}}
  strangers:
    members: {{issuer: corporate, claim: groups, any_of: [stranger]}}
    credential: printing
    allow: [{{endpoints: ["output_creation.*"], presets: ["Inv*"]}}]
    pipelines: ["invoice"]
pipelines:
  invoice:"""
TEXT = CONFIG.replace("\npipelines:\n  invoice:", TEAMS).format(
    upstream="http://127.0.0.1:1", issuer="http://127.0.0.1:2"
)
SETTINGS = settings_of(TEXT)
EVERYTHING = (*CATALOGUE, *SIMPLIFIED)


def _targets(endpoint: Endpoint) -> Iterator[str]:
    """Requests to the endpoint, with presets that some grant names."""
    names = [name for name in PARAMETERS if f"{{{name}}}" in endpoint.template]
    for values in itertools.product(*map(_values, names)):
        target = endpoint.template
        for name, value in zip(names, values, strict=True):
            target = target.replace(f"{{{name}}}", value)
        yield target


def _values(name: str) -> list[str]:
    if PARAMETERS[name].kind is Kind.PRESET:
        return ["Invoices.OL-jobpreset", "12"]
    return {"entity": list(ENTITIES), "name": list(SETTINGS.pipelines)}.get(name, ["1"])


@pytest.mark.parametrize("team", SETTINGS.teams)
def test_a_team_is_listed_if_there_is_a_request_that_it_may_make(team: str) -> None:
    for endpoint, row in zip(EVERYTHING, rows(SETTINGS), strict=True):
        said = [
            explain(SETTINGS, endpoint.method, target, now=0.0, team=team)
            for target in _targets(endpoint)
        ]
        assert row["name"] == endpoint.name
        listed, allowed = team in row["teams"], any(each.allowed for each in said)
        assert listed == allowed, f"{endpoint.name}: {said[0]}"


def test_the_command(tmp_path: Path) -> None:
    config = tmp_path / "gateway.yaml"
    config.write_text(TEXT)
    config.chmod(0o600)  # it holds passwords

    def run(*arguments: str) -> Any:
        shown = CliRunner().invoke(main, ["routes", *arguments])
        assert shown.exit_code == 0, shown.output
        return shown.output

    assert json.loads(run("--json", "--config", str(config))) == rows(SETTINGS)
    assert "teams" not in json.loads(run("--json"))[0]
    (line,) = [
        line
        for line in run("--config", str(config)).splitlines()
        if line.startswith("output_creation.process ")
    ]
    assert line.split()[1] == "POST"
    assert line.endswith("  billing, marketing, operators, strangers")
