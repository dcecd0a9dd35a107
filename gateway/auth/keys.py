"""An issuer's keys: fetched once for all who ask, refreshed ahead of need, kept through outages.

The set in hand is replaced only by a better one; no token's ``kid`` can make us ask the issuer more
often than once in ``REREAD_SECONDS`` (CVE-2026-48524).
"""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path
from typing import Any, Protocol

import aiohttp
import stamina
import structlog

from gateway.auth.discovery import Discovery
from gateway.auth.flight import SingleFlight
from gateway.auth.jwks import VerificationKey, fitting, read_keys
from gateway.auth.requests import (
    MAX_ANSWER_BYTES,
    RETRY_AFTER_SECONDS,
    TIMEOUT_SECONDS,
    IssuerFault,
    get_document,
)
from gateway.problems import IssuerUnavailable, TokenAlgorithm, TokenKeyUnknown
from gateway.rules.jose import strict_object
from gateway.tasks import TaskSet

LIFESPAN_SECONDS = 300.0
REFRESH_AFTER_SECONDS = 0.8 * LIFESPAN_SECONDS
RETRY_AFTER_FAILURE_SECONDS = 30.0
REREAD_SECONDS = 30.0
KEPT_SECONDS = 24 * 3600.0
COLD_FAILURE_SECONDS = 2.0
REFRESH_ATTEMPTS = 3

log = structlog.get_logger("gateway.auth")


class KeySource(Protocol):
    def __call__(self, *, anew: bool) -> Awaitable[Mapping[str, Any]]:
        """The JWK Set document; ``anew``: nothing that leads to it may come from memory.

        Raises ``IssuerFault``.
        """


def from_discovery(discovery: Discovery, session: aiohttp.ClientSession) -> KeySource:
    async def read(*, anew: bool) -> Mapping[str, Any]:
        metadata = await discovery.metadata(anew=anew)
        if metadata.jwks_uri is None:
            raise IssuerFault("the discovery document names no jwks_uri")
        return await get_document(session, metadata.jwks_uri)

    return read


def from_url(url: str, session: aiohttp.ClientSession) -> KeySource:
    async def read(*, anew: bool) -> Mapping[str, Any]:
        return await get_document(session, url)

    return read


def from_file(path: Path) -> KeySource:
    async def read(*, anew: bool) -> Mapping[str, Any]:
        try:
            return await asyncio.to_thread(_read_file, path)
        except (OSError, ValueError) as error:
            raise IssuerFault(type(error).__name__) from error

    return read


def _read_file(path: Path) -> Mapping[str, Any]:
    with path.open("rb") as file:
        return strict_object(file.read(MAX_ANSWER_BYTES))


class IssuerKeys:
    """The keys of one issuer; ``generation`` rises whenever the set has become another one.

    ``observe`` is told "success" or "failure" once per fetch. ``now`` is Unix time.
    """

    def __init__(
        self,
        name: str,
        source: KeySource,
        tasks: TaskSet,
        now: Callable[[], float],
        observe: Callable[[str], None] = lambda result: None,
    ) -> None:
        self.generation = 0
        self._name = name
        self._source = source
        self._tasks = tasks
        self._now = now
        self._observe = observe
        self._flight: SingleFlight[None] = SingleFlight(tasks, f"keys of {name}")
        self._refresh: asyncio.Task[None] | None = None
        self._keys: tuple[VerificationKey, ...] = ()
        self._loaded_at: float | None = None
        self._failed_at: float | None = None
        self._reread_at: float | None = None

    @property
    def usable(self) -> bool:
        return self._within(KEPT_SECONDS, self._loaded_at)

    @property
    def reread_from(self) -> float:
        """When a token may next have the set read again."""
        return 0.0 if self._reread_at is None else self._reread_at + REREAD_SECONDS

    @property
    def may_change(self) -> bool:
        """Whether a token that none of the keys has signed would have the set read again, or has
        others wait that are reading it."""
        return self._flight.under_way or not self._within(REREAD_SECONDS, self._reread_at)

    @property
    def kept_until(self) -> float:
        """When the set in hand ceases to count, unless it is read again before."""
        return 0.0 if self._loaded_at is None else self._loaded_at + KEPT_SECONDS

    @property
    def age_seconds(self) -> float | None:
        """Time since the set was last read from the issuer; None if it never was."""
        return None if self._loaded_at is None else max(0.0, self._now() - self._loaded_at)

    async def keys_for(self, kid: str | None, algorithm: str) -> tuple[VerificationKey, ...]:
        """One key or more to try. Waits only when the answer is not in hand.

        Raises ``TokenKeyUnknown``, ``TokenAlgorithm`` (a key that is not for this algorithm) or
        ``IssuerUnavailable`` (there are no keys at all).
        """
        if not self.usable:
            await self._load_now()
        found = self.at_hand(kid, algorithm)
        if not found and await self.reread():
            found = fitting(self._keys, kid, algorithm)
        if found:
            return found
        if kid is not None and any(key.kid == kid for key in self._keys):
            raise TokenAlgorithm("The token's key is not one for the token's algorithm.")
        raise TokenKeyUnknown

    def at_hand(self, kid: str | None, algorithm: str) -> tuple[VerificationKey, ...]:
        """The keys to try, as far as nothing has to be waited for; never raises."""
        if not self.usable:
            return ()
        self.refresh_due()
        return fitting(self._keys, kid, algorithm)

    def refresh_due(self) -> None:
        """Reads the set again in the background, if it is time to; never waits, never raises.

        To be called now and then: keys that an issuer has withdrawn must go, asked for or not.
        """
        if self._within(REFRESH_AFTER_SECONDS, self._loaded_at):
            return
        pause = RETRY_AFTER_FAILURE_SECONDS if self.usable else COLD_FAILURE_SECONDS
        if not self._within(pause, self._failed_at):
            self.refresh()

    def refresh(self) -> None:
        """Reads the set again in the background, due or not; never waits, never raises."""
        if self._refresh is None or self._refresh.done():
            self._refresh = self._tasks.start(
                self._refresh_patiently(), name=f"refresh of {self._name}"
            )

    async def reread(self) -> bool:
        """Asks the issuer for a key that is missed; False if that was done a moment ago.

        Whoever comes while a fetch is under way shares it.
        """
        if not self.may_change:
            return False
        if not self._flight.under_way:
            self._reread_at = self._now()
        before = self.generation
        try:
            await self._flight.join(self._load)
        except IssuerFault:
            return False
        return self.generation != before

    def _within(self, span_seconds: float, since: float | None) -> bool:
        # A clock that was set back must not stretch a pause: hence the lower bound.
        return since is not None and -span_seconds < self._now() - since < span_seconds

    async def _load_now(self) -> None:
        if not self._flight.under_way and self._within(COLD_FAILURE_SECONDS, self._failed_at):
            raise _unavailable()
        try:
            await self._flight.join(self._load)
        except IssuerFault as error:
            raise _unavailable() from error

    async def _refresh_patiently(self) -> None:
        try:
            async for attempt in stamina.retry_context(
                on=IssuerFault, attempts=REFRESH_ATTEMPTS, wait_initial=0.5, wait_max=5.0
            ):
                with attempt:
                    await self._flight.join(self._load_anew)
        except IssuerFault:
            return  # already logged; the next one is due after a pause

    async def _load_anew(self) -> None:
        await self._fetch(anew=True)

    async def _load(self) -> None:
        # After a failure the remembered address of the keys may be what is wrong.
        await self._fetch(anew=self._failed_at is not None)

    async def _fetch(self, *, anew: bool) -> None:
        try:
            async with asyncio.timeout(TIMEOUT_SECONDS):
                keys = read_keys(await self._source(anew=anew))
            if not keys:
                raise IssuerFault("no usable key in the set")
        except (IssuerFault, TimeoutError) as error:
            self._failed_at = self._now()
            self._observe("failure")
            reason = str(error) or type(error).__name__
            log.warning("keys_not_read", issuer=self._name, reason=reason)
            raise IssuerFault(reason) from error
        self._observe("success")
        self._take(keys)

    def _take(self, keys: tuple[VerificationKey, ...]) -> None:
        self._loaded_at = self._now()
        self._failed_at = None
        if keys != self._keys:
            self._keys = keys
            self.generation += 1


def _unavailable() -> IssuerUnavailable:
    return IssuerUnavailable(headers={"Retry-After": str(RETRY_AFTER_SECONDS)})
