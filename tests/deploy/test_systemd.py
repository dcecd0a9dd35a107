"""systemd itself reads the unit and says how exposed the service is."""

import re
from collections.abc import Callable
from pathlib import Path

import pytest

from gateway.settings import Listen
from gateway.settings.units import parse_duration

Run = Callable[..., str]


@pytest.fixture
def unit(deploy: Path) -> Path:
    return deploy / "systemd/olgw.service"


def test_the_unit_is_understood(run: Run, unit: Path, tmp_path: Path) -> None:
    text = unit.read_text(encoding="utf-8")
    assert "/opt/olgw/bin/olgw" in text
    copy = tmp_path / unit.name
    # A program that exists here too; and no manual pages are looked for.
    copy.write_text(text.replace("/opt/olgw/bin/olgw", "/bin/true"), encoding="utf-8")
    assert run("systemd-analyze", "verify", "--man=no", copy) == ""


def test_the_service_is_little_exposed(run: Run, unit: Path) -> None:
    said = run("systemd-analyze", "security", "--offline=true", "--no-pager", unit)
    found = re.search(r"Overall exposure level for olgw.service: ([0-9.]+)", said)
    assert found
    assert float(found[1]) < 2.5


def test_a_stop_waits_longer_than_the_gateway_drains(unit: Path) -> None:
    text = unit.read_text(encoding="utf-8")
    found = re.search(r"^TimeoutStopSec=(.+)$", text, re.MULTILINE)
    assert found
    assert parse_duration(found[1]) > Listen().drain_timeout + 10
