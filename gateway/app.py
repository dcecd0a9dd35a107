"""The only place where all parts meet: opens them in order, swaps what a reload changes, and
closes them in reverse."""

import time
from collections.abc import Callable, Mapping
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path

import aiohttp
import structlog

from gateway import admin, api, listener
from gateway.admin import Admin, Check
from gateway.api.login import Login
from gateway.auth import issuers
from gateway.auth.requests import open_session
from gateway.auth.tokens import Authenticator
from gateway.cache import PropertyCache
from gateway.catalogue import CATALOGUE, SIMPLIFIED
from gateway.connect import Connect
from gateway.facets import Facets
from gateway.front import Front, Regime
from gateway.learning import Learning
from gateway.ledger import Ledger
from gateway.limits import Limiter
from gateway.listener import Listener
from gateway.metrics import Metrics
from gateway.observe import Observer
from gateway.ownership import Ownership
from gateway.pipeline import Journey
from gateway.public import Public
from gateway.recovery import Recovery
from gateway.requestlog import RequestLog
from gateway.rules.links import Origins
from gateway.rules.policy import Rulebook
from gateway.rules.routes import RouteTable
from gateway.settings import Settings
from gateway.settings import Store as StoreSettings
from gateway.starts import Starts
from gateway.stores import Store, open_store
from gateway.tasks import TaskSet, every
from gateway.upstream.client import Upstream
from gateway.upstream.credentials import Credentials
from gateway.upstream.gate import Gate
from gateway.upstream.login import UpstreamLogin

log = structlog.get_logger("gateway")

_HOUSEKEEPING_SECONDS = 5.0
_QUEUE_PER_CONNECTION = 20
_GATE_PATIENCE_SECONDS = 30.0


@dataclass(frozen=True, slots=True)
class Clock:
    """Where time comes from; tests bring their own. ``now`` is Unix time."""

    now: Callable[[], float] = time.time
    monotonic: Callable[[], float] = time.monotonic


class Gateway:
    """A gateway with its listeners. Use ``open``, then ``close``."""

    def __init__(self, settings: Settings, clock: Clock) -> None:
        self.settings = settings
        self.metrics = Metrics()
        self.tasks = TaskSet()
        self._clock = clock
        self._stack = AsyncExitStack()
        self._draining = False
        self.public: Listener
        self.admin: Listener
        self.front: Front
        self.ledger: Ledger
        self._surroundings: issuers.Surroundings
        self._credentials: Credentials
        self._cache: PropertyCache
        self._authenticator: Authenticator

    @classmethod
    async def open(cls, settings: Settings, clock: Clock | None = None) -> "Gateway":
        """A gateway that listens. Raises StoreUnusable, OSError; leaves nothing open then."""
        gateway = cls(settings, clock or Clock())
        try:
            await gateway._build()
        except BaseException:
            await gateway._stack.aclose()
            raise
        return gateway

    async def _build(self) -> None:
        settings, now = self.settings, self._clock.now
        self._stack.push_async_callback(self.tasks.cancel)
        store = await self._open_store(settings.store)
        origins = Origins(
            settings.public_url, settings.upstream.url, tuple(settings.upstream.aliases)
        )
        upstream = Upstream(settings.upstream)
        self._stack.push_async_callback(upstream.close)
        self._surroundings = issuers.Surroundings(
            await self._issuer_session(),
            self.tasks,
            now,
            lambda issuer, result: self.metrics.jwks_fetches.labels(issuer, result).inc(),
        )
        self._credentials = Credentials(
            settings.credentials,
            login=UpstreamLogin(upstream, self._clock.monotonic),
            now=self._clock.monotonic,
            tasks=self.tasks,
            observe=lambda name, result: self.metrics.logins.labels(name, result).inc(),
        )
        gate = Gate(
            settings.upstream.max_connections,
            min(_GATE_PATIENCE_SECONDS, settings.upstream.read_timeout),
            settings.upstream.max_connections * _QUEUE_PER_CONNECTION,
        )
        connect = Connect(upstream, self._credentials, gate)
        self.ledger = ledger = Ledger(store, now, self.metrics.operation_ended)
        limiter = Limiter(store, ledger, now)
        self._cache = PropertyCache(
            settings.cache.properties,
            store,
            now=now,
            tasks=self.tasks,
            observe=lambda outcome: self.metrics.cache_requests.labels(outcome).inc(),
            invalidated=self.metrics.cache_invalidations.inc,
        )
        recovery = Recovery(
            store=store,
            ledger=ledger,
            connect=connect,
            now=now,
            longest_seconds=settings.upstream.connect_timeout + settings.upstream.read_timeout,
        )
        starts = Starts(
            store=store,
            ledger=ledger,
            connect=connect,
            recovery=recovery,
            origins=origins,
            tasks=self.tasks,
            now=now,
            started=self.metrics.operation_started,
        )
        facets = Facets(self._cache, connect, origins)
        journey = Journey(
            connect=connect,
            ownership=Ownership(ledger),
            learning=Learning(ledger),
            starts=starts,
            limiter=limiter,
            facets=facets,
            origins=origins,
            max_body_bytes=settings.listen.max_body,
        )
        self.front = Front(
            RouteTable((*CATALOGUE, *SIMPLIFIED)), limiter, self._regime(settings, {})
        )
        public = Public(
            self.front,
            journey,
            Login(now).handle,
            api.handlers(),
            settings.listen.cors,
        )
        self.tasks.launch(
            every(_HOUSEKEEPING_SECONDS, lambda: self._keep_house(recovery, starts), name="house"),
            name="housekeeping",
        )
        await self._listen(public, store)

    async def _open_store(self, settings: StoreSettings) -> Store:
        url = settings.url.reveal() if settings.url else f"{settings.kind}:{settings.path or ''}"
        store = await open_store(url, base=Path(), now=self._clock.now)
        self._stack.push_async_callback(store.close)
        return store

    async def _issuer_session(self) -> aiohttp.ClientSession:
        return await self._stack.enter_async_context(open_session())

    def _regime(
        self, settings: Settings, previous: Mapping[str, issuers.ConnectedIssuer]
    ) -> Regime:
        connected = issuers.connect(settings.issuers, self._surroundings, previous)
        authenticator = Authenticator(
            (issuer.verifier for issuer in connected.values()),
            self._clock.now,
            lambda issuer, result: self.metrics.authentications.labels(issuer, result).inc(),
        )
        return Regime(settings, Rulebook(settings), authenticator, connected)

    async def _listen(self, public: Public, store: Store) -> None:
        settings = self.settings
        observer = Observer(
            public.handle,
            metrics=self.metrics,
            requests=RequestLog(settings.log, log.info),
            origins=frozenset(settings.listen.cors.origins),
            public_url=settings.public_url,
        )
        self.public = await listener.listen(
            observer.handle,
            settings.listen.address,
            malformed=observer.malformed,
            max_header_bytes=settings.listen.max_header,
            drain_seconds=settings.listen.drain_timeout,
        )
        self._stack.push_async_callback(self.public.stop)
        checks = (
            Check("accepting requests", self._is_accepting),
            Check("issuers' keys at hand", self._has_keys),
            Check("store answers", lambda: _answers(store)),
        )
        self.admin = await listener.listen(
            Admin(self.metrics.registry, checks, self._refresh_gauges).handle,
            settings.admin.address,
            malformed=admin.refused,
            max_header_bytes=settings.listen.max_header,
            drain_seconds=1.0,
        )
        self._stack.push_async_callback(self.admin.stop)

    def reload(self, settings: Settings) -> None:
        """Take over what may change while running; what has not changed keeps its state."""
        previous = self.front.regime
        self.front.regime = self._regime(settings, previous.issuers)
        self._credentials.replace(settings.credentials)
        self._cache.replace(settings.cache.properties)

    async def close(self) -> None:
        """Not ready first, then no new connections; what is under way may end in time."""
        self._draining = True
        await self._stack.aclose()

    async def _is_accepting(self) -> bool:
        return not self._draining

    async def _has_keys(self) -> bool:
        return self.front.regime.authenticator.ready

    async def _keep_house(self, recovery: Recovery, starts: Starts) -> None:
        self.front.regime.authenticator.refresh_due()
        await recovery.sweep(starts.adopt)

    def _refresh_gauges(self) -> None:
        self.metrics.cache_entries.set(self._cache.entries)
        self.metrics.cache_bytes.set(self._cache.bytes)
        for name, issuer in self.front.regime.issuers.items():
            age = issuer.verifier.keys.age_seconds
            if age is not None:
                self.metrics.jwks_age.labels(name).set(age)


async def _answers(store: Store) -> bool:
    await store.ping()
    return True
