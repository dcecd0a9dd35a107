"""Tokens at OL Connect: got once, renewed ahead, dropped when refused, never in a log."""

import asyncio
from collections.abc import Awaitable, Callable

import pytest

from gateway.problems import UpstreamCredentialRefused, UpstreamOverloaded, UpstreamUnreachable
from gateway.settings import Credential
from gateway.settings.secrets import Secret
from gateway.tasks import TaskSet
from gateway.upstream.credentials import Account, Credentials, Token

SETTINGS = Credential.model_construct(
    kind="auth_token", username="svc", password=Secret("s3cret"), encoding="utf-8"
)
BASIC = SETTINGS.model_copy(update={"kind": "basic"})


class Server:
    """Gives tokens that live 100 s, or does what ``fails`` says; its clock is everybody's."""

    def __init__(self) -> None:
        self.time = 1000.0
        self.logins = 0
        self.fails: Exception | None = None
        self.results: list[str] = []
        self.tasks = TaskSet()

    async def login(self, authorization: str) -> Token:
        assert authorization.startswith("Basic ")
        self.logins += 1
        number = self.logins
        await asyncio.sleep(0)
        if self.fails is not None:
            raise self.fails
        return Token(f"token-{number}", self.time, 100.0)

    def account(self, settings: Credential = SETTINGS) -> Account:
        return Account(
            "printing",
            settings,
            login=self.login,
            now=lambda: self.time,
            tasks=self.tasks,
            observe=lambda _, result: self.results.append(result),
        )


@pytest.fixture
def server() -> Server:
    return Server()


async def test_basic_needs_no_login_and_is_never_in_doubt(server: Server) -> None:
    account = server.account(BASIC)
    assert (await account.line())[0] == "Authorization"
    assert not account.doubtful
    assert account.refuse(await account.line(), 401) is False
    assert server.logins == 0


async def test_all_who_wait_share_one_login_even_if_the_first_leaves(server: Server) -> None:
    account = server.account()
    waiting = [server.tasks.start(account.line()) for _ in range(20)]
    await asyncio.sleep(0)
    waiting[0].cancel()
    lines = await asyncio.gather(*waiting[1:])
    assert set(lines) == {("auth_token", "token-1")}
    assert server.logins == 1


async def test_a_token_serves_on_while_the_next_is_fetched(server: Server) -> None:
    account = server.account()
    await account.line()
    server.time += 79
    assert await account.line() == ("auth_token", "token-1")
    assert server.logins == 1
    server.time += 2
    assert await account.line() == ("auth_token", "token-1")
    await server.tasks.finish(1)
    assert await account.line() == ("auth_token", "token-2")
    server.time += 97
    assert await account.line() == ("auth_token", "token-3")


async def test_only_the_first_refusal_drops_a_token(server: Server) -> None:
    account = server.account()
    line = await account.line()
    assert account.refuse(line, 401) is True
    assert await account.line() == ("auth_token", "token-2")
    assert account.refuse(line, 401) is True
    assert await account.line() == ("auth_token", "token-2")


async def test_a_403_to_a_young_token_is_a_missing_role(server: Server) -> None:
    account = server.account()
    line = await account.line()
    assert account.refuse(line, 403) is False
    server.time += 11
    assert account.refuse(line, 403) is True


async def test_doubt_grows_with_time_and_ends_with_an_answer(server: Server) -> None:
    account = server.account()
    assert account.doubtful
    await account.line()
    assert not account.doubtful
    server.time += 11
    assert account.doubtful
    account.confirm()
    assert not account.doubtful


async def test_refused_logins_are_repeated_ever_more_slowly(server: Server) -> None:
    """Soon enough to be back within 5 s of 20 s of refusals, and not oftener than that."""
    account = server.account()
    server.fails = UpstreamCredentialRefused()
    began, waits = server.time, list[int]()
    while not waits or waits[-1] < 60:
        with pytest.raises(UpstreamCredentialRefused) as refused:
            await account.line()
        waits.append(int(refused.value.headers["Retry-After"]))
        refused_for = server.time - began
        assert refused_for / 6 - 1 < waits[-1] < refused_for / 5 + 3
        with pytest.raises(UpstreamCredentialRefused):
            await account.line()
        server.time += waits[-1]
    assert waits[:5] == [1, 2, 2, 2, 3]
    assert server.logins == len(waits)
    assert set(server.results) == {"refused"}


async def test_a_limited_login_says_when_to_come_back(server: Server) -> None:
    account = server.account()
    server.fails = UpstreamOverloaded(headers={"Retry-After": "30"})
    for wait in ("30", "30"):
        with pytest.raises(UpstreamOverloaded) as limited:
            await account.line()
        assert limited.value.headers["Retry-After"] == wait
    assert (server.logins, server.results) == (1, ["limited"])


async def test_an_unreachable_server_may_be_asked_again_at_once(server: Server) -> None:
    account = server.account()
    server.fails = UpstreamUnreachable()
    with pytest.raises(UpstreamUnreachable):
        await account.line()
    server.fails = None
    assert await account.line() == ("auth_token", "token-2")
    assert server.results == ["failed", "succeeded"]


async def test_a_reload_keeps_the_tokens_of_what_has_not_changed(server: Server) -> None:
    login: Callable[[str], Awaitable[Token]] = server.login
    credentials = Credentials(
        {"a": SETTINGS, "b": SETTINGS},
        login=login,
        now=lambda: server.time,
        tasks=server.tasks,
        observe=lambda *_: None,
    )
    kept, changed = credentials.account("a"), credentials.account("b")
    credentials.replace({"a": SETTINGS, "b": SETTINGS.model_copy(update={"username": "new"})})
    assert credentials.account("a") is kept
    assert credentials.account("b") is not changed


async def test_no_representation_shows_a_secret(server: Server) -> None:
    account = server.account()
    await account.line()
    assert "token-1" not in repr(account)
    assert "s3cret" not in repr(account) + repr(account.settings)
