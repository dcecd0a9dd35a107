"""A gateway as a whole: opened in order, changed by a reload, closed in reverse."""

import asyncio
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import structlog

from gateway import admin, api, express, listener, logs, wiring
from gateway.admin import Admin, Check
from gateway.audit import Journal
from gateway.auth import issuers
from gateway.auth.requests import open_session
from gateway.auth.tokens import Authenticator
from gateway.catalogue import CATALOGUE, SIMPLIFIED
from gateway.connections import Connections
from gateway.exchange import Exchange
from gateway.express.passing import Passing
from gateway.express.rote import Rote
from gateway.express.shortcuts import Shortcuts
from gateway.families import Registry
from gateway.front import Front, Regime
from gateway.listener import Listener
from gateway.observe import Observer
from gateway.problems import StoreUnavailable
from gateway.public import Public
from gateway.requestlog import RequestLog
from gateway.rules.policy import Rulebook
from gateway.rules.routes import RouteTable
from gateway.settings import Address, Settings
from gateway.tasks import every
from gateway.wiring import Clock, Ground, Parts

if TYPE_CHECKING:
    from gateway.telemetry import Tracing

log = structlog.get_logger("gateway")

_HOUSEKEEPING_SECONDS = 5.0
_LAST_WORK_SECONDS = 5.0


@dataclass(frozen=True, slots=True)
class Place:
    """Where a gateway listens. A public address that is ``shared`` is so with other processes."""

    public: Address
    admin: Address | Path
    shared: bool = False


class Gateway:
    """A gateway with its listeners. Use ``open``, then ``close``."""

    def __init__(self, ground: Ground, place: Place) -> None:
        self.settings = ground.settings
        self.metrics = ground.metrics
        self.tasks = ground.tasks
        self.draining = ground.draining
        self._ground = ground
        self._place = place
        self.public: Listener
        self.admin: Listener
        self.front: Front
        self._parts: Parts
        self._surroundings: issuers.Surroundings
        self._observer: Observer

    @classmethod
    async def open(
        cls,
        settings: Settings,
        clock: Clock | None = None,
        pages: Mapping[str, api.Handler] | None = None,
        *,
        place: Place | None = None,
        tracing: "Tracing | None" = None,
    ) -> "Gateway":
        """A gateway that listens. ``pages`` answer in place of the handlers of those names.

        ``place`` says where it listens, if not where the settings say. Raises StoreUnusable,
        OSError; leaves nothing open then.
        """
        ground = Ground(settings, clock or Clock(), tracing)
        gateway = cls(ground, place or Place(settings.listen.address, settings.admin.address))
        try:
            await gateway._open(pages or {})
        except BaseException:
            await ground.stack.aclose()
            raise
        return gateway

    async def _open(self, pages: Mapping[str, api.Handler]) -> None:
        ground = self._ground
        self._surroundings = issuers.Surroundings(
            await ground.stack.enter_async_context(open_session()),
            ground.tasks,
            ground.clock.now,
            lambda issuer, result: self.metrics.jwks_fetches.labels(issuer, result).inc(),
        )
        self._parts = parts = await wiring.assemble(ground)
        # Ended before what they use is closed: it would be opened again, by nobody's leave.
        ground.stack.push_async_callback(ground.work.cancel)
        ground.stack.push_async_callback(ground.tasks.cancel)
        self.ledger, self.poller, self.watcher = parts.ledger, parts.poller, parts.watcher
        routes = RouteTable((*CATALOGUE, *SIMPLIFIED))
        self.front = Front(routes, parts.limiter, self._regime(self.settings, {}))
        public, self.events = wiring.faces(ground, parts, self.front, pages)
        ground.tasks.launch(
            every(_HOUSEKEEPING_SECONDS, self._keep_house, name="house"), name="housekeeping"
        )
        self.watcher.start()
        await self._listen(public, await self._open_journal())

    def _emitter(self) -> Callable[..., None]:
        lines = logs.requests_emitter(self.settings.log)
        if lines is None:
            emit: Callable[..., None] = log.info
            return emit
        self._ground.stack.callback(lines.flush)
        return lines.write

    async def _open_journal(self) -> Callable[[Exchange], None]:
        path = self.settings.log.audit
        if path is None:
            return lambda exchange: None
        journal = await Journal.open(path, self._ground.clock.now)
        self._ground.stack.push_async_callback(journal.close)
        return journal.write

    def _regime(
        self,
        settings: Settings,
        previous: Mapping[str, issuers.ConnectedIssuer],
        predecessor: Authenticator | None = None,
    ) -> Regime:
        connected = issuers.connect(settings.issuers, self._surroundings, previous)
        authenticator = Authenticator(
            (issuer.verifier for issuer in connected.values()),
            self._ground.clock.now,
            lambda issuer, result: self.metrics.authentications.labels(issuer, result).inc(),
            predecessor,
        )
        return Regime(settings, Rulebook(settings), authenticator, connected)

    async def _listen(self, public: Public, journal: Callable[[Exchange], None]) -> None:
        settings = self.settings
        self._observer = observer = Observer(
            public.handle,
            metrics=self.metrics,
            requests=RequestLog(settings.log, self._emitter()),
            origins=frozenset(settings.listen.cors.origins),
            public_url=settings.public_url,
            proxies=settings.listen.trusted_proxies,
            audit=journal,
            tracing=self._ground.tracing,
            shortcuts=self._shortcuts() if settings.listen.express else None,
        )
        self.public = await listener.listen(
            observer.handle,
            self._place.public,
            malformed=observer.malformed,
            max_header_bytes=settings.listen.max_header,
            reuse_port=self._place.shared,
            connections=Connections(
                settings.listen.max_connections_per_client, settings.listen.trusted_proxies
            ),
            express=partial(express.lanes, observer, self.front.is_plain)
            if settings.listen.express
            else None,
        )
        self._ground.stack.push_async_callback(self.public.stop)
        checks = (
            Check("accepting requests", self._is_accepting),
            Check("issuers' keys at hand", self._has_keys),
            Check("store answers", self._has_store),
        )
        self.admin = await listener.listen(
            Admin(self._gathered, checks, is_worker=self._place.shared).handle,
            self._place.admin,
            malformed=admin.refused,
            max_header_bytes=settings.listen.max_header,
        )
        self._ground.stack.push_async_callback(self.admin.stop)

    def _shortcuts(self) -> Shortcuts:
        front, parts = self.front, self._parts
        authority = urlsplit(self.settings.upstream.url).netloc
        passing = Passing(
            front=front,
            ledger=parts.ledger,
            connect=parts.connect,
            cache=parts.cache,
            origins=parts.origins,
            authority=authority,
        )
        return Shortcuts(front, Rote(front, parts.cache), passing)

    def reload(self, settings: Settings) -> None:
        """Take over what may change while running; what has not changed keeps its state.

        All that can fail comes first: after an exception everything is as it was.
        """
        previous = self.front.regime
        regime = self._regime(settings, previous.issuers, previous.authenticator)
        self.front.regime = regime
        issuers.reread_files(regime.issuers, previous.issuers)
        self._parts.credentials.replace(settings.credentials)
        self._parts.cache.replace(settings.cache.properties)

    async def close(self, hurry: asyncio.Event | None = None) -> None:
        """Not ready first, then no new connections; what is under way may end in time.

        The admin listener stays to the end, so that operators can see it. ``hurry`` may be set
        at any time, to wait no longer.
        """
        self.draining.set()
        drain_seconds = self.settings.listen.drain_timeout
        try:
            await self.public.drain(drain_seconds, self._observer.expire, hurry)
            # Starts and writes whose callers have left: their outcome must be written down.
            await self._ground.work.finish(_LAST_WORK_SECONDS)
        finally:
            await self._ground.stack.aclose()

    async def _is_accepting(self) -> bool:
        return not self.draining.is_set()

    async def _has_keys(self) -> bool:
        return self.front.regime.authenticator.ready

    async def _has_store(self) -> bool:
        await self._parts.store.ping()
        return True

    async def _keep_house(self) -> None:
        self.front.regime.authenticator.refresh_due()
        await self._parts.recovery.sweep(self._parts.starts.adopt)

    async def _gathered(self) -> Registry:
        """All metrics, those included that are looked at rather than counted."""
        with suppress(StoreUnavailable):
            self.metrics.set_running(await self.ledger.running())
        self.metrics.breaker_state.set(self._parts.breaker.state)
        self.metrics.cache_entries.set(self._parts.cache.entries)
        self.metrics.cache_bytes.set(self._parts.cache.bytes)
        for name, issuer in self.front.regime.issuers.items():
            age = issuer.verifier.keys.age_seconds
            if age is not None:
                self.metrics.jwks_age.labels(name).set(age)
        return self.metrics.registry
