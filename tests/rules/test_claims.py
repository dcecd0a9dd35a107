"""Claims of a verified token: a table for each rule, and the refusal that belongs to it."""

import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.problems import Problem, TokenClaims, TokenExpired, Unauthenticated
from gateway.rules import claims

NOW = 1_800_000_000.0
ISSUER = "https://id.example.com/realms/corp"
EXPECTED = claims.Expectation(ISSUER, frozenset({"olconnect", "print"}), leeway_seconds=30)
GOOD = {"iss": ISSUER, "aud": "olconnect", "exp": NOW + 60, "sub": "ann"}


def code_of(stated: dict[str, Any]) -> str | None:
    try:
        claims.check(stated, EXPECTED, NOW)
    except Problem as problem:
        return problem.code
    return None


def without(name: str) -> dict[str, Any]:
    return {key: value for key, value in GOOD.items() if key != name}


def test_good_claims_pass() -> None:
    assert code_of(GOOD) is None


WRONG_ISSUERS: list[Any] = [
    *(ISSUER + "/", ISSUER[:-1], ISSUER.upper(), "id.example.com", "https://", "", "x" + ISSUER),
    *(ISSUER.replace("https", "http"), ISSUER + " ", [ISSUER], {ISSUER: 1}, None, 1, True),
]


@pytest.mark.parametrize("issuer", WRONG_ISSUERS, ids=repr)
def test_issuer_is_equal_or_refused(issuer: Any) -> None:
    assert code_of(GOOD | {"iss": issuer}) == "token_issuer"


def test_issuer_is_required() -> None:
    assert code_of(without("iss")) == "token_issuer"


@pytest.mark.parametrize(
    "audience", ["olconnect", "print", ["olconnect"], ["other", "print"], ["print", "print"]]
)
def test_audience_of_ours(audience: Any) -> None:
    assert code_of(GOOD | {"aud": audience}) is None


WRONG_AUDIENCES: list[Any] = [
    *(
        "other",
        "olconnec",
        "olconnect2",
        "olconnect print",
        "olconnect,other",
        "*",
        "",
        "OLCONNECT",
    ),
    *([], ["other"], [["olconnect"]], ["olconnect", 1], {"olconnect": 1}, 1, None, True),
]


@pytest.mark.parametrize("audience", WRONG_AUDIENCES, ids=repr)
def test_audience_of_others(audience: Any) -> None:
    assert code_of(GOOD | {"aud": audience}) == "token_audience"


def test_audience_is_required() -> None:
    assert code_of(without("aud")) == "token_audience"


@pytest.mark.parametrize("expires", [NOW + 0.5, int(NOW) + 1, NOW - 29.5, 2**53])
def test_expiry_ahead_or_within_the_leeway(expires: float) -> None:
    assert code_of(GOOD | {"exp": expires}) is None


@pytest.mark.parametrize("expires", [NOW - 30, NOW - 31, 1, 0.5])
def test_expiry_past(expires: float) -> None:
    assert code_of(GOOD | {"exp": expires}) == "token_expired"


NOT_TIMES: list[Any] = [
    *("1900000000", "", None, True, False, [], [NOW + 60], {}, -1, -NOW),
    *(math.nan, math.inf, -math.inf, 10**4400, 2**53 + 1, 1e300),
]


@pytest.mark.parametrize("name", ["exp", "nbf", "iat"])
@pytest.mark.parametrize("value", NOT_TIMES, ids=lambda value: repr(type(value)))
def test_what_is_no_time(name: str, value: Any) -> None:
    assert code_of(GOOD | {name: value}) == "token_claims"


def test_expiry_zero_is_no_time() -> None:
    assert code_of(GOOD | {"exp": 0}) == "token_claims"


def test_expiry_is_required() -> None:
    assert code_of(without("exp")) == "token_claims"


@pytest.mark.parametrize("name", ["nbf", "iat"])
def test_start_and_issue_may_be_ahead_by_the_leeway(name: str) -> None:
    assert code_of(GOOD | {name: NOW + 30}) is None
    assert code_of(GOOD | {name: NOW + 31}) == "token_claims"
    assert code_of(GOOD | {name: 0}) is None


OTHER_PURPOSES: list[dict[str, Any]] = [
    {"nonce": "n", "at_hash": "x"},
    {"c_hash": "x", "scope": "openid"},
    {"nonce": "n"},
    {"nonce": "n", "azp": "portal", "auth_time": 1},
    {"typ": "ID"},
    {"typ": "Refresh"},
    {"token_use": "id"},
    {"token_type": "refresh_token"},
    {"events": {"http://schemas.openid.net/event/backchannel-logout": {}}},
]


@pytest.mark.parametrize("extra", OTHER_PURPOSES, ids=repr)
def test_tokens_for_other_purposes(extra: dict[str, Any]) -> None:
    assert code_of(GOOD | extra) == "token_claims"


@pytest.mark.parametrize(
    "extra",
    [
        {"nonce": "n", "typ": "Bearer"},
        {"nonce": "n", "scope": "openid profile"},
        {"token_use": "access"},
        {"azp": "portal", "scope": 7},
        {"cnf": {"jkt": "x"}},
        {"typ": 5},
        {f"claim{number}": number for number in range(300)},
    ],
    ids=lambda extra: next(iter(extra)),
)
def test_what_access_tokens_may_bear(extra: dict[str, Any]) -> None:
    assert code_of(GOOD | extra) is None


def test_introspected_claims_may_be_absent_but_not_wrong() -> None:
    claims.check_introspected({"active": True}, EXPECTED, NOW)
    for wrong in ({"iss": "x"}, {"aud": "x"}, {"exp": NOW - 60}, {"token_type": "refresh_token"}):
        with pytest.raises(Unauthenticated):
            claims.check_introspected(wrong, EXPECTED, NOW)
    with pytest.raises(TokenExpired):
        claims.check_introspected({"exp": NOW - 60}, EXPECTED, NOW)


@pytest.mark.parametrize(
    ("stated", "subject"),
    [
        ({"sub": "ann", "client_id": "portal"}, "ann"),
        ({"client_id": "portal", "azp": "other"}, "portal"),
        ({"azp": "portal"}, "portal"),
        ({"appid": "portal", "apptype": "Confidential"}, "portal"),
        ({"azp": "portal", "appid": "other"}, "portal"),
        ({"sub": "Ann Müller"}, "Ann Müller"),
        ({"sub": "s" * 512}, "s" * 512),
    ],
)
def test_subject(stated: dict[str, Any], subject: str) -> None:
    assert claims.subject_of(stated) == subject


WRONG_SUBJECTS: list[Any] = [
    *("", "s" * 513, "a\r\nb", "a\0", "\x1b[31m", "a\u2028b", "\u202e", "\ud800"),
    *(None, 1, True, ["ann"], {"id": "ann"}),
]


@pytest.mark.parametrize("subject", WRONG_SUBJECTS, ids=ascii)
def test_wrong_subject_does_not_fall_back(subject: Any) -> None:
    with pytest.raises(TokenClaims):
        claims.subject_of({"sub": subject, "client_id": "portal"})


def test_subject_is_required() -> None:
    with pytest.raises(TokenClaims):
        claims.subject_of({"email": "ann@example.com"})


MEMBERSHIP = {
    "groups": ["a", "b", 1, None, ["c"], {"d": 1}, "a"],
    "team": "solo",
    "realm_access": {"roles": ["r1", "r2"], "depth": {"more": "x"}},
    "https://example.com/groups": ["url"],
    "realm_access.roles.literal": ["literal"],
    "resource_access": {"print.gateway": {"roles": ["client"]}, "print": {"gateway": 1}},
    "scope": "openid print:read",
    "scp": ["print:write", "in two"],
    "title": "two words",
    "number": 7,
    "nothing": None,
}


@pytest.mark.parametrize(
    ("path", "values"),
    [
        ("groups", {"a", "b"}),
        ("team", {"solo"}),
        ("realm_access.roles", {"r1", "r2"}),
        ("realm_access.depth.more", {"x"}),
        ("https://example.com/groups", {"url"}),
        ("realm_access.roles.literal", {"literal"}),
        ("resource_access.print.gateway.roles", {"client"}),
        ("scope", {"openid", "print:read"}),
        ("scp", {"print:write", "in two"}),
        ("title", {"two words"}),
        *((path, set()) for path in ("number", "nothing", "absent", "realm_access", "")),
        *((path, set()) for path in ("groups.0", "team.x", "realm_access.", ".groups", "a.b.c")),
    ],
)
def test_membership_values(path: str, values: set[str]) -> None:
    assert claims.values_of(MEMBERSHIP, path) == values


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=8,
)
NAMES = st.sampled_from(["iss", "aud", "exp", "nbf", "iat", "sub", "typ", "nonce", "scope"])


@given(st.dictionaries(NAMES, JSON))
def test_any_claims_pass_or_are_refused(changes: dict[str, Any]) -> None:
    try:
        claims.check(GOOD | changes, EXPECTED, NOW)
        claims.subject_of(GOOD | changes)
    except Unauthenticated:
        pass
    else:
        assert changes.get("iss", ISSUER) == ISSUER
        assert not isinstance(changes.get("exp", 1), bool | str)
    assert all(isinstance(value, str) for value in claims.values_of(changes, "aud"))
