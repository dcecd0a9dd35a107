"""Where the artefacts of deployment are, and the programs that judge them."""

import json
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from ruamel.yaml import YAML

ROOT = Path(__file__).resolve().parents[2]

Run = Callable[..., str]


@pytest.fixture
def root() -> Path:
    return ROOT


@pytest.fixture
def deploy() -> Path:
    return ROOT / "deploy"


@pytest.fixture
def load() -> Callable[[Path], Any]:
    """One YAML or JSON document as plain values."""

    def load_file(path: Path) -> Any:
        text = path.read_text(encoding="utf-8")
        return json.loads(text) if path.suffix == ".json" else YAML(typ="safe").load(text)

    return load_file


@pytest.fixture
def program() -> Callable[[str], str]:
    """The path of an installed program; without it the test is skipped, and says so."""

    def find(name: str) -> str:
        path = shutil.which(name) or shutil.which(name, path="/usr/sbin:/sbin")
        if path is None:
            pytest.skip(f"{name} is not installed")
        return path

    return find


@pytest.fixture
def run(program: Callable[[str], str]) -> Run:
    """Run a program to its end and give what it said; anything but exit code 0 fails the test."""

    def run_program(name: str, *arguments: str | Path, text: str | None = None) -> str:
        done = subprocess.run(
            [program(name), *map(str, arguments)],
            input=text,
            capture_output=True,
            text=True,
            timeout=50,
            check=False,
        )
        said = done.stdout + done.stderr
        assert done.returncode == 0, said
        return said

    return run_program


def alert_rules(alerts: Any) -> list[Any]:
    return [rule for group in alerts["groups"] for rule in group["rules"] if "alert" in rule]


@pytest.fixture
def alerts(deploy: Path, load: Callable[[Path], Any]) -> list[Any]:
    return alert_rules(load(deploy / "prometheus/alerts.yaml"))


@pytest.fixture
def queries(deploy: Path, load: Callable[[Path], Any]) -> list[tuple[str, str, str]]:
    """Every query of the dashboard: the panel's title, the expression, the legend."""
    panels = load(deploy / "grafana/dashboard.json")["panels"]
    return [
        (panel["title"], target["expr"], target["legendFormat"])
        for panel in panels
        for target in panel.get("targets", [])
    ]
