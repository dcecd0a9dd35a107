"""``olgw explain`` decides as the running gateway does."""

import time
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from hypothesis import given, seed, settings
from hypothesis import strategies as st

from gateway.catalogue import CATALOGUE, SIMPLIFIED
from gateway.cli import main
from gateway.explain import Explanation, explain
from gateway.rules.policy import Rulebook, names_presets_in_body
from tests.support.stage import CONFIG, REST, Stage, settings_of

TEAMS = """
  clerks:
    members: {{issuer: corporate, claim: realm_access.roles, any_of: [clerk]}}
    credential: printing
    allow:
      - {{endpoints: ["job_creation.*", "*.get_template_report"], presets: ["Inv*", "12"]}}
      - {{endpoints: ["*_entity.get_*", "*.get_progress"]}}
    limits: {{requests_per_second: 50, running_operations: 10}}
    pipelines: ["f*"]
pipelines:
  invoice:"""
WITH_CLERKS = CONFIG.replace("\npipelines:\n  invoice:", TEAMS)

SETTINGS = settings_of(
    WITH_CLERKS.format(upstream="http://127.0.0.1:1", issuer="http://127.0.0.1:2")
)
# What has no place in the catalogue's rights: whether a page's file is there.
PAGES = {"api.demo_asset", "api.docs_asset", "api.docs", "api.index"}
BY_RIGHTS = {"no_team", "not_allowed", "unknown_endpoint", "method_not_allowed", "ambiguous_path"}
VALUES = st.sampled_from(
    ["1", "12", "007", "Invoices.OL-jobpreset", "x", "invoice", "flyer", "jobs"]
)


@st.composite
def requests(draw: st.DrawFn) -> tuple[str, str]:
    row = draw(st.sampled_from((*CATALOGUE, *SIMPLIFIED)))
    target = row.template
    while "{" in target:
        before, _, rest = target.partition("{")
        target = before + draw(VALUES) + rest.partition("}")[2]
    method = draw(st.sampled_from([row.method] * 6 + ["GET", "HEAD", "PUT"]))
    target += draw(st.sampled_from([""] * 6 + ["/", "/more", "?templateId=Inv&dataRecordId=1"]))
    return method, target


GROUPS = st.lists(st.sampled_from(["ol-billing", "ol-readers", "ol-operators"]), max_size=2)
CLAIMS = st.fixed_dictionaries(
    {"groups": GROUPS, "realm_access": st.sampled_from([{}, {"roles": ["clerk"]}])}
)
OL_TEAM = st.sampled_from([None, None, None, "clerks", "billing", "nobody"])


def _said(explanation: Explanation) -> dict[str, str]:
    return dict(explanation.rows)


@pytest.fixture
async def deciding() -> AsyncIterator[Stage]:
    async with Stage(config=WITH_CLERKS) as stage:
        stage.simulator.change(operation_seconds=0)
        yield stage


async def _live(stage: Stage, case: tuple[Any, ...], token: str) -> tuple[str | None, str | None]:
    """Problem code and team of the request, as the gateway decided."""
    (method, target), _, team = case
    headers = {"Authorization": f"Bearer {token}"} | ({"OL-Team": team} if team else {})
    kept: dict[str, Any] = {}
    observer = stage.gateway._observer
    observer._audit = lambda exchange: kept.update(exchange=exchange)
    async with stage.session.request(
        method, stage.url + target, headers=headers, allow_redirects=False
    ) as reply:
        await reply.read()
    exchange = kept["exchange"]
    return (exchange.problem.code if exchange.problem else None), exchange.team


def _offline(stage: Stage, case: tuple[Any, ...], token: str) -> Explanation:
    (method, target), _, team = case
    return explain(stage.gateway.settings, method, target, now=time.time(), token=token, team=team)


@pytest.mark.parametrize("number", range(4))
async def test_it_agrees_with_the_live_decision(deciding: Stage, number: int) -> None:
    cases: list[tuple[Any, ...]] = []

    @seed(number)
    @settings(max_examples=250)
    @given(st.tuples(requests(), CLAIMS, OL_TEAM))
    def collect(case: tuple[Any, ...]) -> None:
        cases.append(case)

    await _in_thread(collect)
    allowed = 0
    for case in cases:
        token = deciding.issuer.mint(**case[1])
        offline = _offline(deciding, case, token)
        code, team = await _live(deciding, case, token)
        if offline.refusal is not None:
            assert offline.refusal.code == code, (case, str(offline))
            continue
        allowed += 1
        said = _said(offline)
        depends = any(name == "provided" and "presets" in words for name, words in offline.rows)
        page = said["endpoint"].partition(" ")[0] in PAGES
        assert code not in BY_RIGHTS or depends or page, (case, code, str(offline))
        assert "team" not in said or said["team"] == team or depends
    assert len(cases) >= 250
    assert allowed > 20


async def _in_thread(work: Callable[[], None]) -> None:
    import asyncio  # noqa: PLC0415

    await asyncio.to_thread(work)


@given(requests(), st.sampled_from(list(SETTINGS.teams)))
@settings(max_examples=200)
def test_a_team_may_what_the_rulebook_says(case: tuple[str, str], team: str) -> None:
    explanation = explain(SETTINGS, *case, now=0.0, team=team)
    said = _said(explanation)
    assert ("refused" in said["decision"]) == (not explanation.allowed)
    if explanation.allowed and "team" in said:
        rules = Rulebook(SETTINGS).team(team)
        assert rules is not None
        assert said["credential"].startswith(rules.credential)


def _explain(method: str, target: str, team: str = "clerks") -> dict[str, str]:
    return _said(explain(SETTINGS, method, REST + target, now=0.0, team=team))


def test_it_says_why() -> None:
    said = _explain("POST", "/workflow/jobcreation/Invoices.OL-jobpreset")
    assert said["endpoint"] == "job_creation.process (start)"
    assert said["decision"] == "allowed: allow[0] of team clerks, presets match"
    assert said["credential"] == "printing (auth_token)"
    assert said["limit"] == "10 operations running"
    assert said["cache key"] == "none: not cached"
    refused = _explain("POST", "/workflow/jobcreation/Letters.OL-jobpreset")
    assert refused["decision"] == (
        "refused: 403 not_allowed: no grant of team clerks covers the presets of this request."
    )


def test_it_names_the_cache_key() -> None:
    said = _explain("GET", "/entity/jobs/5/properties")
    assert said["cache key"] == "printing / job 5 / properties"
    assert said["provided"] == "job 5 is the team's own (objects: own)"
    by_api = _said(explain(SETTINGS, "GET", "/api/v1/jobs/5/properties", now=0.0, team="clerks"))
    assert by_api["cache key"] == "printing / job 5 / properties"


def test_presets_in_a_body_are_named_as_a_condition() -> None:
    rows = [row.name for row in CATALOGUE if names_presets_in_body(row)]
    assert "all_in_one.process" in rows
    text = WITH_CLERKS.replace('"job_creation.*", "*.get_t', '"all_in_one.process", "*.get_t')
    other = settings_of(text.format(upstream="http://127.0.0.1:1", issuer="http://127.0.0.1:2"))
    said = explain(other, "POST", f"{REST}/workflow/print/submit", now=0.0, team="clerks")
    assert ("provided", "the presets that the body names match the grant's") in said.rows


async def test_the_command(tmp_path: Path) -> None:
    async with Stage() as stage:
        text = CONFIG.format(upstream=stage.simulator.url, issuer=stage.issuer.url)
        config, token = tmp_path / "gateway.yaml", tmp_path / "token"
        config.write_text(text)
        config.chmod(0o600)  # it holds passwords
        token.write_text(stage.token("ol-readers", subject="jane") + "\n")

        def run(*arguments: str) -> Any:
            return CliRunner().invoke(main, ["explain", "--config", str(config), *arguments])

        shown = run("--token-file", str(token), "GET", f"{REST}/entity/jobs/5")
        assert shown.exit_code == 0
        assert "caller      jane of issuer corporate" in shown.output
        assert "signature   not checked" in shown.output
        refused = run("--token-file", str(token), "GET", f"{REST}/entity/jobsets")
        assert refused.exit_code == 1
        assert "403 not_allowed: no grant of team readers names" in refused.output
        assert run("--team", "nobody", "GET", f"{REST}/entity/jobsets").exit_code == 1
        assert run("GET", f"{REST}/entity/jobsets").exit_code == 2


@pytest.mark.parametrize(
    ("claims", "code"),
    [
        ({"ttl_seconds": -3600}, "token_expired"),
        ({"aud": "other"}, "token_audience"),
        ({"iss": "http://other"}, "token_issuer"),
    ],
)
async def test_it_judges_what_a_token_says(stage: Stage, claims: Any, code: str) -> None:
    token = stage.token("ol-billing", **claims)
    path = f"{REST}/entity/jobsets"
    said = explain(stage.gateway.settings, "GET", path, now=time.time(), token=token)
    assert said.refusal is not None
    assert said.refusal.code == code


def test_a_text_that_is_no_token_is_refused() -> None:
    said = explain(SETTINGS, "GET", f"{REST}/entity/jobsets", now=0.0, token="nonsense")
    assert said.refusal is not None
    assert said.refusal.code == "token_malformed"
