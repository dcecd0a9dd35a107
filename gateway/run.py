"""Running a gateway until it is told to stop: signals, reloads, the event loop."""

import asyncio
import gc
import os
import signal
import sys
from collections.abc import Callable, Collection, Coroutine, Mapping
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

import structlog

from gateway import hardening, sdnotify
from gateway.app import Gateway
from gateway.listener import keep_accepting
from gateway.metrics import Metrics
from gateway.risks import Risk
from gateway.settings import InvalidSettings, Settings

if TYPE_CHECKING:
    from gateway.telemetry import Tracing

log = structlog.get_logger("gateway")

WATCH_SECONDS = 2.0
_ALLOCATIONS_BETWEEN_COLLECTIONS = 10_000
_COLLECTOR = ("OTEL_EXPORTER_OTLP_ENDPOINT", "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT")


def run(main: Coroutine[Any, Any, None]) -> None:
    """Run on uvloop where it is installed; it does not exist for Windows."""
    # What is imported by now stays. To go through it takes the garbage collector tens of
    # milliseconds, in which nobody would be answered.
    gc.freeze()
    # Requests leave no cycles but by accident; by default they are looked for after every few.
    gc.set_threshold(_ALLOCATIONS_BETWEEN_COLLECTIONS, 10, 10)
    with suppress(KeyboardInterrupt), asyncio.Runner(loop_factory=_loop_factory()) as runner:
        runner.run(main)


def _loop_factory() -> Callable[[], asyncio.AbstractEventLoop] | None:
    if sys.platform == "win32":
        return None
    try:
        # Here, since it is an extra.
        import uvloop  # noqa: PLC0415
    except ModuleNotFoundError:
        return None
    return uvloop.new_event_loop


class Orders:
    """What the operator wants: to stop, to stop at once (by saying it twice), to reload."""

    def __init__(self) -> None:
        self.stop = False
        self.reload = False
        self.hurry = asyncio.Event()
        self._news = asyncio.Event()

    def order_stop(self, again_means_hurry: bool = True) -> None:
        if self.stop and again_means_hurry:
            self.hurry.set()
        self.stop = True
        self._news.set()

    def order_reload(self) -> None:
        self.reload = True
        self._news.set()

    async def wait(self, seconds: float) -> None:
        """Returns at the next order, or after ``seconds`` without one."""
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._news.wait()
        self._news.clear()

    def follow_signals(self) -> None:
        loop = asyncio.get_running_loop()
        if sys.platform == "win32":
            # No loop on Windows handles signals; handlers of the interpreter wake it instead.
            for number in (signal.SIGINT, signal.SIGBREAK):
                signal.signal(number, lambda *_: loop.call_soon_threadsafe(self.order_stop))
            return
        for number in (signal.SIGINT, signal.SIGTERM):
            loop.add_signal_handler(number, self.order_stop)
        loop.add_signal_handler(signal.SIGHUP, self.order_reload)


async def serve(path: Path, settings: Settings, taken: Collection[Risk] = ()) -> None:
    """Serve until SIGTERM, SIGINT or Ctrl-Break. Raises StoreUnusable, OSError at the start."""
    orders = Orders()
    orders.follow_signals()
    gateway = await Gateway.open(settings, tracing=tracing_of(os.environ))
    keep_accepting((gateway.public, gateway.admin), gateway.tasks)
    log.info("listening", public=str(gateway.public), admin=str(gateway.admin))
    try:
        await follow(orders, Reloader(path, settings, gateway.metrics, gateway.reload, taken))
    finally:
        log.info("stopping", drain_seconds=settings.listen.drain_timeout)
        await gateway.close(orders.hurry)
        log.info("stopped")


def tracing_of(environ: Mapping[str, str]) -> "Tracing | None":
    """Tracing is on where OpenTelemetry's own variables name a collector, and costs nothing else.

    https://opentelemetry.io/docs/specs/otel/configuration/sdk-environment-variables/
    """
    named = any(environ.get(name) for name in _COLLECTOR)
    if not named or environ.get("OTEL_SDK_DISABLED", "").lower() == "true":
        return None
    try:
        from gateway.telemetry import to_collector  # noqa: PLC0415 - an extra
    except ModuleNotFoundError:
        log.warning("tracing_is_off", reason="needs pip install 'olconnect-gateway[otel]'")
        return None
    return to_collector()


async def follow(orders: Orders, reloader: "Reloader") -> None:
    """Reload as ordered, or when a file has changed, until it is time to stop."""
    sdnotify.notify(sdnotify.READY)
    while not orders.stop:
        if orders.reload or await asyncio.to_thread(reloader.is_due):
            orders.reload = False
            sdnotify.notify(sdnotify.RELOADING)
            await reloader.reload()
            sdnotify.notify(sdnotify.READY)
        # From the loop that answers requests: a thread would go on when they hang.
        sdnotify.notify(sdnotify.WATCHDOG)
        await orders.wait(WATCH_SECONDS)
    sdnotify.notify(sdnotify.STOPPING)


class Reloader:
    """Takes over a changed configuration, or says what is wrong with it and changes nothing.

    ``running`` is what the process was started with; ``take_over`` changes all or nothing.
    """

    def __init__(
        self,
        path: Path,
        running: Settings,
        metrics: Metrics,
        take_over: Callable[[Settings], None],
        taken: Collection[Risk] = (),
    ) -> None:
        self._taken = taken
        self._path = path
        self._running = running
        self._metrics = metrics
        self._take_over = take_over
        self._seen: Settings | InvalidSettings = running

    def is_due(self) -> bool:
        """Whether a file that was read has changed since. Looks at the disk."""
        return self._seen.is_outdated()

    async def reload(self) -> None:
        try:
            # In a thread: parsing takes longer than any request may be kept waiting.
            settings = await asyncio.to_thread(hardening.load, self._path, self._taken)
        except InvalidSettings as error:
            self._seen = error
            count_reload(self._metrics, "failure")
            log.error("reload_refused", mistakes=[str(mistake) for mistake in error.mistakes])
            return
        self._seen = settings
        if taken_over(self._take_over, settings):
            count_reload(self._metrics, "success")
            log.info("reloaded", needs_restart=needs_restart(self._running, settings))
        else:
            count_reload(self._metrics, "failure")


def taken_over(take_over: Callable[[Settings], None], settings: Settings) -> bool:
    """Whether it went well; what it raises would be a mistake of ours, and must not end us."""
    try:
        take_over(settings)
    except Exception:
        log.exception("reload_failed")
        return False
    return True


def count_reload(metrics: Metrics, result: str) -> None:
    metrics.reloads.labels(result).inc()
    metrics.last_reload_successful.set(result == "success")


def needs_restart(running: Settings, wanted: Settings) -> list[str]:
    """The sections that differ but cannot change while the gateway runs."""
    fixed = ("public_url", "listen", "admin", "upstream", "store", "log")
    return [name for name in fixed if getattr(running, name) != getattr(wanted, name)]
