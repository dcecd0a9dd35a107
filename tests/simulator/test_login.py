"""Login, tokens, roles, and the three generations of refusals."""

from dataclasses import replace
from typing import Any

import aiohttp
import pytest

from gateway.simulator.options import User

LOGIN = "/authentication/login"
PROTECTED = "/entity/jobsets"


async def token(api: Any) -> str:
    reply = await api("POST", LOGIN)
    assert reply.status == 200
    return str(reply.text)


async def test_login_gives_a_bare_token_and_its_lifetime(api: Any) -> None:
    reply = await api("POST", LOGIN)
    assert (reply.status, reply.headers["Content-Type"]) == (200, "text/plain")
    assert reply.headers["Token-Expires-In"] == "3600"
    assert reply.text == reply.text.strip(' "\r\n')
    assert (await api("GET", PROTECTED, headers={"auth_token": reply.text})).status == 200


async def test_basic_wins_over_a_stale_or_empty_token_at_login(api: Any) -> None:
    for stale in ("", "no-longer-known"):
        reply = await api("POST", LOGIN, headers={**api.auth, "auth_token": stale})
        assert reply.status == 200


@pytest.mark.parametrize(
    ("generation", "none", "wrong", "expired"),
    [(2019, 401, 403, 403), (2020, 401, 403, 401), (2023, 401, 401, 401)],
)
async def test_generations(api: Any, generation: int, none: int, wrong: int, expired: int) -> None:
    api.simulator.change(auth_generation=generation)
    old = await token(api)
    api.simulator.security.expire_tokens()
    replies = {
        "none": await api("GET", PROTECTED, headers={}),
        "wrong": await api("GET", PROTECTED, headers={"auth_token": "invented"}),
        "expired": await api("GET", PROTECTED, headers={"auth_token": old}),
    }
    assert [reply.status for reply in replies.values()] == [none, wrong, expired]
    assert replies["none"].headers["WWW-Authenticate"] == "BASIC"
    if generation == 2023:
        assert all(reply.message for reply in replies.values())
        assert all(reply.headers["WWW-Authenticate"] == "BASIC" for reply in replies.values())
        return
    assert not any("Content-Type" in reply.headers for reply in replies.values())
    assert "WWW-Authenticate" not in replies["expired"].headers


async def test_only_the_oldest_generation_refuses_basic_outside_login(api: Any) -> None:
    api.simulator.change(auth_generation=2019)
    assert (await api("GET", PROTECTED)).status == 401
    login = await api("POST", LOGIN)
    assert "Token-Expires-In" not in login.headers
    api.simulator.change(auth_generation=2020)
    assert (await api("GET", PROTECTED)).status == 200


async def test_no_credentials_in_2020_has_no_body(api: Any) -> None:
    api.simulator.change(auth_generation=2020)
    assert (await api("GET", PROTECTED, headers={})).body == b""


@pytest.mark.parametrize(
    "header", ["Bearer abc", "Basic", "Basic !!!", "Basic bm9jb2xvbg==", "Basic /w=="]
)
async def test_unreadable_credentials_are_wrong_credentials(api: Any, header: str) -> None:
    reply = await api("POST", LOGIN, headers={"Authorization": header})
    assert reply.status == 401


@pytest.mark.parametrize(("sliding", "status"), [(True, 200), (False, 401)])
async def test_a_sliding_token_lives_from_its_last_use(
    api: Any, sliding: bool, status: int
) -> None:
    api.simulator.change(token_seconds=60, token_sliding=sliding)
    headers = {"auth_token": await token(api)}
    api.clock.advance(40)
    assert (await api("GET", PROTECTED, headers=headers)).status == 200
    api.clock.advance(40)
    assert (await api("GET", PROTECTED, headers=headers)).status == status


@pytest.mark.parametrize(("answer", "status"), [("token", 200), ("empty", 200), ("error", 404)])
async def test_security_off(api: Any, answer: str, status: int) -> None:
    api.simulator.change(security=False, open_login=answer)
    assert (await api("GET", PROTECTED, headers={})).status == 200
    reply = await api("POST", LOGIN, headers={})
    assert reply.status == status
    assert (reply.body == b"") == (answer == "empty")


@pytest.mark.parametrize("status", [429, 503])
async def test_login_rate_limit(api: Any, status: int) -> None:
    api.simulator.change(login_limit_per_minute=2, login_limit_status=status)
    replies = [await api("POST", LOGIN) for _ in range(3)]
    assert [reply.status for reply in replies] == [200, 200, status]
    assert replies[2].headers["Retry-After"] == "60"
    assert replies[2].message
    api.clock.advance(61)
    assert (await api("POST", LOGIN)).status == 200


async def test_roles(api: Any) -> None:
    users = {
        "watcher": User("w", ("ROLE_MONITOR",)),
        "worker": User("d", ("ROLE_DATA",)),
    }
    api.simulator.change(users=users)
    watcher = {"Authorization": aiohttp.encode_basic_auth("watcher", "w")}
    worker = {"Authorization": aiohttp.encode_basic_auth("worker", "d")}
    operations = "/workflow/datamining/getOperations"
    assert (await api("GET", operations, headers=watcher)).status == 200
    refused = await api("GET", PROTECTED, headers=watcher)
    assert refused.status == 403
    assert "has succeeded" in refused.message
    assert (await api("GET", PROTECTED, headers=worker)).status == 200
    upload = await api("POST", "/filestore/template", headers=worker, data=b"x")
    assert upload.status == 403
    api.simulator.change(route_roles={"POST /filestore/template": ("ROLE_DATA",)})
    assert (await api("POST", "/filestore/template", headers=worker, data=b"x")).status == 200


async def test_a_session_keeps_its_roles_when_the_user_goes(api: Any) -> None:
    headers = {"auth_token": await token(api)}
    api.simulator.options = replace(api.simulator.options, users={})
    assert (await api("GET", PROTECTED, headers=headers)).status == 200
    assert (await api("POST", LOGIN)).status == 401


async def test_the_session_cookie_authenticates_when_switched_on(api: Any) -> None:
    api.simulator.change(session_cookie=True)
    login = await api("POST", LOGIN)
    cookie = login.headers["Set-Cookie"]
    assert "HttpOnly" in cookie
    headers = {"Cookie": cookie.partition(";")[0]}
    assert (await api("GET", PROTECTED, headers=headers)).status == 200


async def test_head_authentication(api: Any) -> None:
    assert (await api("HEAD", "/authentication")).status == 200
    assert (await api("HEAD", "/authentication", headers={})).status == 401
