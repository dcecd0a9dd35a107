"""Who the gateway is at OL Connect: Basic lines, and tokens got by logging in.

A token is got once for all that wait for it, renewed ahead of its end, dropped when OL Connect
refuses it. A login that is refused is not repeated before a back-off has passed.
"""

import asyncio
import math
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from functools import cached_property

import aiohttp

from gateway.problems import Problem, UpstreamCredentialRefused, UpstreamOverloaded
from gateway.settings import Credential
from gateway.tasks import TaskSet

REFUSED = frozenset({401, 403})
"""The statuses by which OL Connect refuses a credential."""

_RENEW_AT = 0.8  # of the token's life: a new one is fetched while the old one still serves
_TOO_SHORT_SECONDS = 5.0  # left of a token's life: not worth a request that may take longer
_CONFIRMED_SECONDS = 10.0
_YOUNG_SECONDS = 10.0
_FIRST_BACK_OFF_SECONDS = 1.0
# A fifth of the time that logins have been refused: after twenty seconds of it the gateway is back
# within five, and a password that stays wrong is tried once a minute.
_BACK_OFF_GROWTH = 1.2
_LONGEST_BACK_OFF_SECONDS = 60.0


@dataclass(frozen=True, slots=True)
class Token:
    """What a login returned. ``seconds`` is its whole life, counted from ``since``."""

    text: str
    since: float
    seconds: float


Login = Callable[[str], Awaitable[Token]]
"""Logs in with an ``Authorization`` value; raises UpstreamCredentialRefused when refused."""


class Account:
    """One configured credential and the token it holds."""

    def __init__(
        self,
        name: str,
        settings: Credential,
        *,
        login: Login,
        now: Callable[[], float],
        tasks: TaskSet,
        observe: Callable[[str, str], None],
    ) -> None:
        self.name = name
        self.settings = settings
        self._login = login
        self._now = now
        self._tasks = tasks
        self._observe = observe
        self._token: Token | None = None
        self._renewal: asyncio.Task[Token] | None = None
        self._confirmed = float("-inf")
        self._closed_until = float("-inf")
        self._back_off = _FIRST_BACK_OFF_SECONDS
        self._limited = False

    def __repr__(self) -> str:
        return f"<account {self.name} {'logged in' if self._token else 'logged out'}>"

    async def line(self) -> tuple[str, str]:
        """The header line that proves who the gateway is.

        Raises UpstreamCredentialRefused, or what keeps OL Connect from being asked.
        """
        line = self.ready_line()
        return ("auth_token", (await self._renew()).text) if line is None else line

    def ready_line(self) -> tuple[str, str] | None:
        """The line, if it is at hand."""
        if self.settings.kind == "basic":
            return ("Authorization", self._basic)
        token = self._token
        if token is None or self._left(token) <= min(_TOO_SHORT_SECONDS, token.seconds / 2):
            return None
        if self._left(token) < (1 - _RENEW_AT) * token.seconds and not self._is_closed():
            _ = self._start_renewal()
        return ("auth_token", token.text)

    def refuse(self, line: tuple[str, str], status: int) -> bool:
        """Drop the token of ``line``, which OL Connect refused. True if another may do better.

        Many requests may be refused with one token; only the first of them drops it.
        """
        if self.settings.kind == "basic":
            return False
        token = self._token
        if token is None or token.text != line[1]:
            return True
        if status == 403 and self._now() - token.since < _YOUNG_SECONDS:
            # Servers since 2023.2 answer 403 to a user who lacks a role: a new token changes
            # nothing, and logging in for each such request would be a storm.
            return False
        self._token = None
        self._confirmed = float("-inf")
        return True

    def confirm(self) -> None:
        """OL Connect has just accepted the credential."""
        self._confirmed = self._now()

    @property
    def doubtful(self) -> bool:
        """Whether a request that cannot be repeated should be preceded by one that can."""
        if self.settings.kind == "basic":
            return False
        return self._now() - self._confirmed > _CONFIRMED_SECONDS

    @cached_property
    def _basic(self) -> str:
        settings = self.settings
        return aiohttp.encode_basic_auth(
            settings.username, settings.password.reveal(), encoding=settings.encoding
        )

    def _left(self, token: Token) -> float:
        return token.since + token.seconds - self._now()

    def _is_closed(self) -> bool:
        return self._now() < self._closed_until

    async def _renew(self) -> Token:
        if self._is_closed():
            raise self._overloaded() if self._limited else self._refused()
        # Shielded: a caller who leaves must not end the login that others wait for.
        return await asyncio.shield(self._start_renewal())

    def _start_renewal(self) -> asyncio.Task[Token]:
        if self._renewal is None or self._renewal.done():
            self._renewal = self._tasks.start(self._fetch(), name=f"login {self.name}")
        return self._renewal

    async def _fetch(self) -> Token:
        try:
            token = await self._login(self._basic)
        except UpstreamCredentialRefused:
            self._observe(self.name, "refused")
            self._close_for(self._back_off)
            self._back_off = min(_BACK_OFF_GROWTH * self._back_off, _LONGEST_BACK_OFF_SECONDS)
            raise self._refused() from None
        except UpstreamOverloaded as error:
            self._observe(self.name, "limited")
            self._close_for(float(error.headers.get("Retry-After", self._back_off)), limited=True)
            raise
        except Problem:
            self._observe(self.name, "failed")
            raise
        self._observe(self.name, "succeeded")
        self._back_off = _FIRST_BACK_OFF_SECONDS
        self._token = token
        self.confirm()
        return token

    def _close_for(self, seconds: float, *, limited: bool = False) -> None:
        self._closed_until = self._now() + seconds
        self._limited = limited

    def _overloaded(self) -> UpstreamOverloaded:
        return UpstreamOverloaded(
            "OL Connect limits logins.", headers={"Retry-After": self._seconds_to_wait()}
        )

    def _seconds_to_wait(self) -> str:
        return str(max(1, math.ceil(self._closed_until - self._now())))

    def _refused(self) -> UpstreamCredentialRefused:
        return UpstreamCredentialRefused(
            "The gateway's login at OL Connect was refused: an operator must look at its "
            "credential (`olgw doctor`).",
            headers={"Retry-After": self._seconds_to_wait()},
        )


class Credentials:
    """All accounts. A reload keeps those whose settings have not changed, tokens included."""

    def __init__(
        self,
        settings: Mapping[str, Credential],
        *,
        login: Login,
        now: Callable[[], float],
        tasks: TaskSet,
        observe: Callable[[str, str], None],
    ) -> None:
        self._login = login
        self._now = now
        self._tasks = tasks
        self._observe = observe
        self._accounts: dict[str, Account] = {}
        self._former: dict[str, Account] = {}
        self.replace(settings)

    def replace(self, settings: Mapping[str, Credential]) -> None:
        kept = {
            name: account
            for name, account in self._accounts.items()
            if account.settings == settings.get(name)
        }
        # Requests that were let in before a reload are carried through with what they know.
        self._former = {
            name: account for name, account in self._accounts.items() if name not in settings
        }
        self._accounts = {
            name: kept.get(name) or self._open(name, credential)
            for name, credential in settings.items()
        }

    def find(self, name: str) -> Account | None:
        return self._accounts.get(name) or self._former.get(name)

    def account(self, name: str) -> Account:
        """Raises UpstreamCredentialRefused for one that is not configured any more."""
        account = self.find(name)
        if account is None:
            raise UpstreamCredentialRefused("The credential is not configured any more.")
        return account

    def _open(self, name: str, settings: Credential) -> Account:
        return Account(
            name,
            settings,
            login=self._login,
            now=self._now,
            tasks=self._tasks,
            observe=self._observe,
        )
