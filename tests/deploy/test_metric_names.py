"""Alerts and dashboard ask only for metrics and labels that the gateway has."""

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from prometheus_client.metrics import MetricWrapperBase

from gateway.metrics import Metrics

# What Prometheus itself puts on every series.
OF_THE_SCRAPE = {"instance", "job"}
SELECTOR = re.compile(r"\b(olgw_[a-z_]+|up)\b(?:\{([^}]*)\})?")
MATCHER = re.compile(r"(\w+)\s*(?:=~|!~|!=|=)\s*\"")
GROUPING = re.compile(r"\bby \(([^)]*)\)")


def exposed() -> dict[str, set[str]]:
    """The labels of every series that the gateway exposes, by the series' name."""
    series: dict[str, set[str]] = {"up": set()}
    for metric in vars(Metrics()).values():
        if not isinstance(metric, MetricWrapperBase):
            continue
        (family,) = metric.describe()
        labels = set(metric._labelnames)
        match family.type:
            case "counter":
                series[f"{family.name}_total"] = labels
            case "histogram":
                series[f"{family.name}_bucket"] = labels | {"le"}
                series[f"{family.name}_count"] = series[f"{family.name}_sum"] = labels
            case _:
                series[family.name] = labels
    return series


EXPOSED = exposed()


def mistakes(expression: str, legend: str = "") -> list[str]:
    """What the expression asks for in vain."""
    found = SELECTOR.findall(expression)
    known = [name for name, _ in found if name in EXPOSED]
    unknown = [f"no metric {name}" for name, _ in found if name not in EXPOSED]
    for name, matchers in found:
        wanted = set(MATCHER.findall(matchers)) - OF_THE_SCRAPE
        unknown += [f"{name} has no {label}" for label in wanted - EXPOSED.get(name, wanted)]
    kept = {label.strip() for group in GROUPING.findall(expression) for label in group.split(",")}
    everywhere = set.intersection(*(EXPOSED[name] for name in known)) if known else kept
    unknown += [f"nothing to group by {label}" for label in kept - everywhere - OF_THE_SCRAPE]
    unknown += [f"legend {label}" for label in set(re.findall(r"{{(\w+)}}", legend)) - kept]
    return unknown


def test_the_metrics_of_the_contract_are_found() -> None:
    assert EXPOSED["olgw_requests_total"] == {"endpoint", "method", "code", "source"}
    assert EXPOSED["olgw_operation_duration_seconds_bucket"] == {"service", "team", "le"}
    assert len(EXPOSED) > 25


@pytest.mark.parametrize(
    ("expression", "mistake"),
    [
        ("rate(olgw_request_total[5m])", "no metric olgw_request_total"),
        ('olgw_jwks_age_seconds{team="a"}', "olgw_jwks_age_seconds has no team"),
        ("sum by (team) (olgw_cache_bytes)", "nothing to group by team"),
    ],
)
def test_a_wrong_name_is_noticed(expression: str, mistake: str) -> None:
    assert mistakes(expression) == [mistake]


def test_the_dashboard_asks_for_what_exists(queries: list[tuple[str, str, str]]) -> None:
    assert len(queries) > 30
    wrong = {title: mistakes(query, legend) for title, query, legend in queries}
    assert {title: found for title, found in wrong.items() if found} == {}


def test_the_rules_ask_for_what_exists(deploy: Path, load: Callable[[Path], Any]) -> None:
    groups = load(deploy / "prometheus/alerts.yaml")["groups"]
    rules = [rule for group in groups for rule in group["rules"]]
    wrong = {rule.get("alert") or rule["record"]: mistakes(rule["expr"]) for rule in rules}
    assert {name: found for name, found in wrong.items() if found} == {}


def test_every_metric_is_on_the_dashboard_or_in_an_alert(
    queries: list[tuple[str, str, str]],
) -> None:
    asked = {name for _, query, _ in queries for name, _ in SELECTOR.findall(query)}
    families = {re.sub(r"_(bucket|sum|count)$", "", name) for name in EXPOSED}
    assert families == {re.sub(r"_bucket$", "", name) for name in asked}
