"""How the parts are put together: what each needs is named here, once.

``gateway.app`` opens, reloads and closes what this makes.
"""

import asyncio
import time
from collections.abc import Callable, Mapping
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from gateway import api
from gateway.api.batch import Batch
from gateway.api.contents import Contents
from gateway.api.creation import Creation
from gateway.api.docs import Documents
from gateway.api.entities import Entities
from gateway.api.events import Events
from gateway.api.login import Login
from gateway.api.me import Me
from gateway.api.operations import Operations
from gateway.api.pipelines import Pipelines
from gateway.api.results import Results
from gateway.api.starting import Starting
from gateway.api.turns import Turns
from gateway.api.views import Views
from gateway.cache import PropertyCache
from gateway.connect import Connect
from gateway.facets import Facets
from gateway.front import Front
from gateway.learning import Learning
from gateway.ledger import Ledger
from gateway.limits import Limiter
from gateway.metrics import Metrics
from gateway.operation import Operation
from gateway.ownership import Ownership
from gateway.pipeline import Journey
from gateway.poller import Poller
from gateway.public import Public
from gateway.recovery import Recovery
from gateway.rules.links import Origins
from gateway.settings import Settings
from gateway.starts import Starts
from gateway.stores import Store, open_store
from gateway.tasks import TaskSet
from gateway.upstream.breaker import Breaker
from gateway.upstream.client import Upstream
from gateway.upstream.credentials import Credentials
from gateway.upstream.gate import Gate
from gateway.upstream.login import UpstreamLogin
from gateway.watch import Watcher

if TYPE_CHECKING:
    from gateway.telemetry import Tracing

_QUEUE_PER_CONNECTION = 20
_GATE_PATIENCE_SECONDS = 30.0


@dataclass(frozen=True, slots=True)
class Clock:
    """Where time comes from; tests bring their own. ``now`` is Unix time."""

    now: Callable[[], float] = time.time
    monotonic: Callable[[], float] = time.monotonic


@dataclass(frozen=True, slots=True)
class Ground:
    """What every part stands on. What is opened goes on ``stack``, and is closed in reverse.

    ``work`` is as ``tasks``, for what must be ended rather than cut; ``draining`` is set when a
    stop begins.
    """

    settings: Settings
    clock: Clock
    tracing: "Tracing | None" = None
    metrics: Metrics = field(default_factory=Metrics)
    tasks: TaskSet = field(default_factory=TaskSet)
    work: TaskSet = field(default_factory=TaskSet)
    draining: asyncio.Event = field(default_factory=asyncio.Event)
    stack: AsyncExitStack = field(default_factory=AsyncExitStack)


@dataclass(frozen=True, slots=True)
class Parts:
    """What both faces are made of."""

    origins: Origins
    store: Store
    breaker: Breaker
    credentials: Credentials
    connect: Connect
    ledger: Ledger
    limiter: Limiter
    learning: Learning
    recovery: Recovery
    starts: Starts
    cache: PropertyCache
    facets: Facets
    poller: Poller
    watcher: Watcher


async def assemble(ground: Ground) -> Parts:
    """Raises StoreUnusable."""
    settings, clock = ground.settings, ground.clock
    origins = Origins(settings.public_url, settings.upstream.url, tuple(settings.upstream.aliases))
    store = await _store(ground)
    breaker = Breaker(clock.monotonic)
    credentials, connect = _way_to_ol_connect(ground, breaker)
    watcher: Watcher

    def started(operation: Operation) -> None:
        ground.metrics.operation_started(operation)
        watcher.started(operation)

    def changed(operation: Operation) -> None:
        watcher.changed(operation)

    ledger = Ledger(store, clock.now, ground.metrics.operation_ended, changed)
    learning = Learning(ledger)
    poller = Poller(
        store=store,
        ledger=ledger,
        learning=learning,
        connect=connect,
        now=clock.now,
        monotonic=clock.monotonic,
    )
    watcher = Watcher(
        store=store,
        ledger=ledger,
        poller=poller,
        tasks=ground.tasks,
        draining=ground.draining,
        monotonic=clock.monotonic,
    )
    recovery = Recovery(
        store=store,
        ledger=ledger,
        connect=connect,
        now=clock.now,
        longest_seconds=settings.upstream.connect_timeout + settings.upstream.read_timeout,
    )
    outcomes = ground.metrics.cache_requests
    limiter = Limiter(store, ledger, clock.now, watcher.refreshed)
    cache = PropertyCache(
        settings.cache.properties,
        store,
        now=clock.now,
        tasks=ground.work,
        observe=lambda outcome: outcomes.labels(outcome).inc(),
        invalidated=ground.metrics.cache_invalidations.inc,
    )
    return Parts(
        origins=origins,
        store=store,
        breaker=breaker,
        credentials=credentials,
        connect=connect,
        ledger=ledger,
        limiter=limiter,
        learning=learning,
        recovery=recovery,
        starts=Starts(
            store=store,
            ledger=ledger,
            limiter=limiter,
            connect=connect,
            recovery=recovery,
            origins=origins,
            tasks=ground.work,
            now=clock.now,
            started=started,
        ),
        cache=cache,
        facets=Facets(cache, connect, origins, clock.now),
        poller=poller,
        watcher=watcher,
    )


async def _store(ground: Ground) -> Store:
    settings = ground.settings.store
    url = settings.url.reveal() if settings.url else f"{settings.kind}:{settings.path or ''}"
    store = await open_store(url, base=Path(), now=ground.clock.now)
    ground.stack.push_async_callback(store.close)
    return store


def _way_to_ol_connect(ground: Ground, breaker: Breaker) -> tuple[Credentials, Connect]:
    settings, monotonic = ground.settings, ground.clock.monotonic
    if ground.tracing is not None:
        ground.stack.push_async_callback(ground.tracing.close)
    upstream = Upstream(settings.upstream, breaker, ground.tracing, express=settings.listen.express)
    ground.stack.push_async_callback(upstream.close)
    credentials = Credentials(
        settings.credentials,
        login=UpstreamLogin(upstream, monotonic),
        now=monotonic,
        tasks=ground.tasks,
        observe=lambda name, result: ground.metrics.logins.labels(name, result).inc(),
    )
    gate = Gate(
        settings.upstream.max_connections,
        _GATE_PATIENCE_SECONDS,
        settings.upstream.max_connections * _QUEUE_PER_CONNECTION,
    )
    return credentials, Connect(upstream, credentials, gate, ground.clock.now)


def faces(
    ground: Ground, parts: Parts, front: Front, pages: Mapping[str, api.Handler]
) -> tuple[Public, Events]:
    """The public listener's handler; ``pages`` answer in place of the handlers of those names."""
    ownership = Ownership(parts.ledger)
    journey = Journey(
        connect=parts.connect,
        ownership=ownership,
        learning=parts.learning,
        starts=parts.starts,
        facets=parts.facets,
        origins=parts.origins,
        max_body_bytes=ground.settings.listen.max_body,
    )
    views = Views(parts.origins)
    events = Events(parts.ledger, parts.watcher, views)
    handlers = _handlers(ground, parts, ownership, views)
    return (
        Public(
            front,
            journey,
            Login(ground.clock.now).handle,
            api.handlers(*handlers, events.handlers(), pages),
            ground.settings.listen.cors,
        ),
        events,
    )


def _handlers(
    ground: Ground, parts: Parts, ownership: Ownership, views: Views
) -> list[Mapping[str, api.Handler]]:
    connect, ledger, learning = parts.connect, parts.ledger, parts.learning
    facets, origins, watcher = parts.facets, parts.origins, parts.watcher
    max_body = ground.settings.listen.max_body
    turns = Turns(parts.store)
    results = Results(connect, ledger, learning, watcher, views)
    starting = Starting(parts.starts, watcher, views, results)
    return [
        Documents(ground.settings.public_url).handlers(),
        Me(parts.limiter, ledger).handlers(),
        Operations(connect, ledger, learning, watcher, views).handlers(),
        results.handlers(),
        Pipelines(starting, connect, learning, max_body).handlers(),
        Creation(starting, ownership).handlers(),
        Contents(facets, ownership, learning, origins).handlers(),
        Entities(facets, ownership, origins, turns, ground.work).handlers(),
        Batch(facets, ownership, origins, turns, ground.work).handlers(),
    ]
