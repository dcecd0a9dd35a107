"""Running a gateway until it is told to stop: signals, reloads, the event loop."""

import asyncio
import signal
import sys
from collections.abc import Callable, Coroutine
from contextlib import suppress
from pathlib import Path
from typing import Any

import structlog

from gateway.app import Gateway
from gateway.catalogue import ENDPOINTS
from gateway.settings import InvalidSettings, Settings, load

log = structlog.get_logger("gateway")

_WATCH_SECONDS = 2.0


def run(main: Coroutine[Any, Any, None]) -> None:
    """Run on uvloop where it is installed; it does not exist for Windows."""
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


async def serve(path: Path, settings: Settings) -> None:
    """Serve until SIGTERM, SIGINT or Ctrl-Break. Raises StoreUnusable, OSError at the start."""
    stop, reload = asyncio.Event(), asyncio.Event()
    _on_signals(stop, reload)
    gateway = await Gateway.open(settings)
    log.info("listening", public=gateway.public.port, admin=gateway.admin.port)
    try:
        await _serve_until(stop, reload, gateway, path)
    finally:
        log.info("stopping", drain_seconds=settings.listen.drain_timeout)
        await gateway.close()
        log.info("stopped")


async def _serve_until(
    stop: asyncio.Event, reload: asyncio.Event, gateway: Gateway, path: Path
) -> None:
    reloader = Reloader(gateway, path)
    while not stop.is_set():
        waiting = [gateway.tasks.start(event.wait()) for event in (stop, reload)]
        await asyncio.wait(waiting, timeout=_WATCH_SECONDS, return_when=asyncio.FIRST_COMPLETED)
        for task in waiting:
            task.cancel()
        if reload.is_set() or await asyncio.to_thread(reloader.is_due):
            reload.clear()
            await reloader.reload()


class Reloader:
    """Takes over a changed configuration, or says what is wrong with it and changes nothing."""

    def __init__(self, gateway: Gateway, path: Path) -> None:
        self._gateway = gateway
        self._path = path
        self._seen: Settings | InvalidSettings = gateway.settings

    def is_due(self) -> bool:
        """Whether a file that was read has changed since. Looks at the disk."""
        return self._seen.is_outdated()

    async def reload(self) -> None:
        try:
            # In a thread: parsing takes longer than any request may be kept waiting.
            settings = await asyncio.to_thread(load, self._path, known_endpoints=ENDPOINTS)
        except InvalidSettings as error:
            self._seen = error
            self._gateway.metrics.reloads.labels("failure").inc()
            self._gateway.metrics.last_reload_successful.set(0)
            log.error("reload_refused", mistakes=[str(mistake) for mistake in error.mistakes])
            return
        self._seen = settings
        self._gateway.reload(settings)
        self._gateway.metrics.reloads.labels("success").inc()
        self._gateway.metrics.last_reload_successful.set(1)
        log.info("reloaded", needs_restart=needs_restart(self._gateway.settings, settings))


def needs_restart(running: Settings, wanted: Settings) -> list[str]:
    """The sections that differ but cannot change while the gateway runs."""
    fixed = ("public_url", "listen", "admin", "upstream", "store", "log")
    return [name for name in fixed if getattr(running, name) != getattr(wanted, name)]


def _on_signals(stop: asyncio.Event, reload: asyncio.Event) -> None:
    loop = asyncio.get_running_loop()
    if sys.platform == "win32":
        # No loop on Windows handles signals; handlers of the interpreter wake it instead.
        for number in (signal.SIGINT, signal.SIGBREAK):
            signal.signal(number, lambda *_: loop.call_soon_threadsafe(stop.set))
        return
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stop.set)
    loop.add_signal_handler(signal.SIGHUP, reload.set)
