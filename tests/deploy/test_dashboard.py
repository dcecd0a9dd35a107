"""The dashboard as Grafana reads it: nothing overlaps, and nothing needs a plug-in."""

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

OF_GRAFANA_ITSELF = {"row", "stat", "timeseries"}
BUILT_IN_VARIABLES = {"__rate_interval"}


@pytest.fixture
def dashboard(deploy: Path, load: Callable[[Path], Any]) -> Any:
    return load(deploy / "grafana/dashboard.json")


def _cells(panel: Any) -> set[tuple[int, int]]:
    at = panel["gridPos"]
    columns = range(at["x"], at["x"] + at["w"])
    return {(x, y) for x in columns for y in range(at["y"], at["y"] + at["h"])}


def test_panels_have_their_own_id_and_place(dashboard: Any) -> None:
    panels = dashboard["panels"]
    assert len({panel["id"] for panel in panels}) == len(panels)
    cells = [cell for panel in panels for cell in _cells(panel)]
    assert len(set(cells)) == len(cells)
    assert max(x for x, _ in cells) < 24


def test_no_plug_in_is_needed(dashboard: Any) -> None:
    assert {panel["type"] for panel in dashboard["panels"]} <= OF_GRAFANA_ITSELF


def test_every_query_goes_to_the_chosen_data_source(dashboard: Any) -> None:
    targets = [target for panel in dashboard["panels"] for target in panel.get("targets", [])]
    assert {target["datasource"]["uid"] for target in targets} == {"${datasource}"}


def test_every_variable_is_defined_and_used(dashboard: Any) -> None:
    defined = {variable["name"] for variable in dashboard["templating"]["list"]}
    used = set(re.findall(r"\$\{?(\w+)", str(dashboard["panels"])))
    assert used - BUILT_IN_VARIABLES == defined
