"""The real Prometheus judges rules, configuration and metrics."""

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.support.stage import Stage

Run = Callable[..., str]


@pytest.mark.parametrize(
    "arguments",
    [("rules", "alerts.yaml"), ("config", "prometheus.yaml")],
    ids=["rules", "scrape configuration"],
)
def test_promtool_finds_no_fault(run: Run, deploy: Path, arguments: tuple[str, str]) -> None:
    what, file = arguments
    assert "SUCCESS" in run("promtool", "check", what, deploy / "prometheus" / file)


def test_every_alert_fires_when_it_should_and_not_before(
    run: Run, deploy: Path, alerts: list[Any], load: Callable[[Path], Any]
) -> None:
    file = deploy / "prometheus/alerts.test.yaml"
    cases = [case for test in load(file)["tests"] for case in test["alert_rule_test"]]
    fired = {case["alertname"] for case in cases if case["exp_alerts"]}
    silent = {case["alertname"] for case in cases if not case["exp_alerts"]}
    assert fired == silent == {rule["alert"] for rule in alerts}
    run("promtool", "test", "rules", file)


async def test_a_live_gateways_metrics_are_well_formed(run: Run, stage: Stage) -> None:
    await stage.caller().job()
    async with stage.session.get(f"{stage.admin_url}/metrics") as reply:
        text = await reply.text()
    assert "olgw_operations_started_total{" in text
    assert run("promtool", "check", "metrics", text=text) == ""


def test_every_alert_has_its_place_in_the_runbook(root: Path, alerts: list[Any]) -> None:
    text = (root / "docs/running.md").read_text(encoding="utf-8")
    headings = re.findall(r"^#+ (.+)$", text, re.MULTILINE)
    anchors = [re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-") for heading in headings]
    assert len(set(anchors)) == len(anchors), "two headings with one anchor"
    for rule in alerts:
        target = f"docs/running.md#{rule['alert'].lower()}"
        assert rule["annotations"]["runbook_url"] == target
        assert rule["alert"].lower() in anchors
        assert rule["labels"]["severity"] in {"page", "ticket"}
