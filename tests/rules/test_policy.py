"""Which team may do what: default deny, first team that fits, presets matched as text."""

import pytest

from gateway.catalogue import ENDPOINTS, SIMPLIFIED
from gateway.model import Caller
from gateway.problems import NotAllowed, NoTeam, UnknownEndpoint
from gateway.rules.policy import RUN_PIPELINE, Rulebook, admitted, choose, underlying
from tests.support.stage import CONFIG, settings_of

GRANTS = """
    allow:
      - endpoints: ["job_creation.*"]
        presets: ["Invoice*", "7"]
      - endpoints: ["job_entity.get_*"]
"""
CONFIGURATION = CONFIG.format(upstream="http://127.0.0.1:9340", issuer="http://127.0.0.1:1")
BOOK = Rulebook(
    settings_of(CONFIGURATION.replace('\n    allow: [{endpoints: ["job_entity.get_*"]}]\n', GRANTS))
)
START = ENDPOINTS["job_creation.process"]
READ = ENDPOINTS["job_entity.get_properties"]


def _caller(groups: object, issuer: str = "corporate") -> Caller:
    return Caller(issuer, "jane", {"groups": groups}, 0.0)


@pytest.mark.parametrize(
    "groups",
    [None, [], "", "OL-BILLING", [" ol-billing"], "ol-billing,ol-readers", ["*"], [1], {"a": 1}],
)
def test_no_team_without_an_exact_membership(groups: object) -> None:
    with pytest.raises(NoTeam):
        BOOK.teams_of(_caller(groups), None)


def test_membership_counts_only_at_its_own_issuer() -> None:
    with pytest.raises(NoTeam):
        BOOK.teams_of(_caller(["ol-billing"], issuer="other"), None)


def test_a_team_is_picked_by_name_or_by_order() -> None:
    both = _caller(["ol-readers", "ol-billing"])
    assert [team.name for team in BOOK.teams_of(both, None)] == ["billing", "readers"]
    assert [team.name for team in BOOK.teams_of(both, "readers")] == ["readers"]
    for name in ("operators", "nobody", ""):
        with pytest.raises(NoTeam):
            BOOK.teams_of(both, name)


@pytest.mark.parametrize(
    ("presets", "allowed"),
    [
        (["Invoice.OL-jobpreset"], True),
        (["7"], True),
        (["Invoice1", "7"], True),
        (["invoice"], False),
        (["07"], False),
        (["77"], False),
        (["Other"], False),
        (["Invoice1", "Other"], False),
        ([], False),  # no preset, or a default one, is not one of those granted
        (["x\nInvoice"], False),
        (None, True),  # it stands in a body nobody has read yet
    ],
)
def test_presets_are_matched_as_text(presets: list[str] | None, allowed: bool) -> None:
    team = BOOK.team("readers")
    assert team is not None
    decision = team.may(START, presets)
    assert decision.allowed is allowed
    assert decision.reason


def test_what_no_grant_names_is_refused() -> None:
    readers = BOOK.teams_of(_caller(["ol-readers"]), None)
    assert choose(readers, READ, [])[0].name == "readers"
    with pytest.raises(NotAllowed, match=r"No grant of team readers names file_store"):
        choose(readers, ENDPOINTS["file_store.upload_data_file"], [])


def test_the_first_team_whose_grants_fit_makes_the_request() -> None:
    teams = BOOK.teams_of(_caller(["ol-readers", "ol-operators"]), None)
    upload = ENDPOINTS["file_store.upload_data_file"]
    assert [team.name for team in choose(teams, upload, [])] == ["operators"]


def test_a_star_alone_grants_every_endpoint() -> None:
    everything = CONFIGURATION.replace('["job_entity.get_*"]', '["*"]')
    readers = Rulebook(settings_of(everything)).team("readers")
    assert readers is not None
    assert readers.endpoints() == set(ENDPOINTS)


def test_pipelines_are_granted_by_name() -> None:
    marketing = BOOK.teams_of(_caller(["ol-marketing"]), None)
    run = next(endpoint for endpoint in SIMPLIFIED if endpoint.name == RUN_PIPELINE)
    assert admitted(marketing, run, {"name": "flyer"}, [])
    with pytest.raises(NotAllowed):
        admitted(marketing, run, {"name": "invoice"}, [])


def test_an_entity_that_is_none_does_not_exist() -> None:
    with pytest.raises(UnknownEndpoint):
        underlying("api.get_properties", {"entity": "presets", "id": "1"})
