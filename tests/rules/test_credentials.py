"""Which credential a request shows, header field by header field."""

import base64
from typing import Any

import pytest

from gateway.problems import AmbiguousCredentials, Problem, TokenMalformed, TokenMissing
from gateway.rules.credentials import Basic, Bearer, presented


def basic(text: str | bytes) -> str:
    raw = text if isinstance(text, bytes) else text.encode()
    return f"Basic {base64.b64encode(raw).decode()}"


@pytest.mark.parametrize(
    ("authorization", "auth_token", "shown"),
    [
        ([], [], None),
        ([""], [], None),
        ([], [""], None),
        ([" "], ["\t"], None),
        (["Bearer t"], [], "t"),
        (["bearer t"], [], "t"),
        (["BEARER   t "], [], "t"),
        ([], ["t"], "t"),
        ([], [" t "], "t"),
        (["Bearer t"], ["t"], "t"),
        (["Bearer t"], [""], "t"),
        ([""], ["t"], "t"),
    ],
)
@pytest.mark.parametrize("login", [True, False])
def test_bearer_tokens(
    authorization: list[str], auth_token: list[str], shown: str | None, login: bool
) -> None:
    expected = None if shown is None else Bearer(shown)
    assert presented(authorization, auth_token, login=login) == expected


AMBIGUOUS = [
    (["Bearer a", "Bearer b"], []),
    (["Bearer a", "Bearer a"], []),
    (["Bearer a", "Basic eDp5"], []),
    (["Basic eDp5", "Bearer a"], []),
    (["", "Bearer a"], []),
    ([], ["a", "b"]),
    ([], ["a", ""]),
    (["Bearer a"], ["b"]),
    (["Bearer"], ["b"]),
    (["Bearer a, Bearer b"], []),
    (["Bearer a,b"], ["a,b"]),
    (["Basic eDp5"], ["a"]),
    (["Digest x"], ["a"]),
]


@pytest.mark.parametrize(("authorization", "auth_token"), AMBIGUOUS)
def test_two_credentials(authorization: list[str], auth_token: list[str]) -> None:
    with pytest.raises(AmbiguousCredentials):
        presented(authorization, auth_token)


REFUSED: list[tuple[str, type[Problem]]] = [
    ("Basic eDp5", TokenMissing),
    ("Digest username=x", TokenMissing),
    ("Token abc", TokenMissing),
    ("abc", TokenMissing),
    ("Bearer", TokenMissing),
    ("Bearer ", TokenMissing),
    ("Bearer\tabc", TokenMissing),
    ("Bearer a b", TokenMalformed),
    ("Bearer a\tb", TokenMalformed),
]


@pytest.mark.parametrize(("authorization", "problem"), REFUSED)
def test_refused(authorization: str, problem: type[Problem]) -> None:
    with pytest.raises(problem):
        presented([authorization], [])


@pytest.mark.parametrize(
    ("authorization", "shown"),
    [
        (basic("portal:s3cret"), Basic("portal", "s3cret")),
        (basic("portal:a:b"), Basic("portal", "a:b")),
        (basic("portal:"), Basic("portal", "")),
        (basic("Jörg:Straße"), Basic("Jörg", "Straße")),
        (basic("x:y").replace("Basic ", "BASIC  "), Basic("x", "y")),
    ],
)
@pytest.mark.parametrize("auth_token", [[], [""], ["stale"]])
def test_basic_at_login(authorization: str, shown: Basic, auth_token: list[str]) -> None:
    assert presented([authorization], auth_token, login=True) == shown


@pytest.mark.parametrize(
    "authorization",
    [
        *("Basic", "Basic !!!!", "Basic eDp5x", basic("nocolon"), basic(":secret")),
        *(basic(b"\xff:x"), basic("a\r\n:b"), basic("a:b\0")),
    ],
)
def test_unreadable_basic_at_login(authorization: str) -> None:
    with pytest.raises(TokenMissing):
        presented([authorization], [], login=True)


@pytest.mark.parametrize("credential", [Bearer("s3cret-token"), Basic("portal", "s3cret")])
def test_secrets_stay_out_of_the_repr(credential: Any) -> None:
    assert "s3cret" not in repr(credential)
