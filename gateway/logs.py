"""One form for every line that is logged: the gateway's own and those of its libraries."""

import asyncio
import contextlib
import logging
import sys
from collections.abc import MutableMapping
from datetime import UTC, datetime
from time import time
from typing import Any

import structlog
from pydantic_core import to_json

from gateway.settings import Log

_LONGEST_TEXT = 400
_ORDINARY_LINE = 800  # bytes: without a long text in it, no request's line is longer


def configure(settings: Log) -> None:
    """Send everything to stdout, as ``log.format`` says."""
    structlog.configure(
        processors=[
            structlog.stdlib.add_log_level,
            structlog.stdlib.ProcessorFormatter.wrap_for_formatter,
        ],
        wrapper_class=structlog.make_filtering_bound_logger(settings.level),
        logger_factory=structlog.stdlib.LoggerFactory(),
        cache_logger_on_first_use=False,
    )
    handler = logging.StreamHandler(sys.stdout)
    handler.setFormatter(_formatter(settings))
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(settings.level.upper())
    logging.getLogger("asyncio").setLevel(logging.WARNING)


def _formatter(settings: Log) -> logging.Formatter:
    renderer: Any
    if settings.format == "json":
        renderer = structlog.processors.JSONRenderer(serializer=_serialize)
    else:
        renderer = structlog.dev.ConsoleRenderer(colors=sys.stdout.isatty())
    return structlog.stdlib.ProcessorFormatter(
        foreign_pre_chain=[structlog.stdlib.add_log_level, structlog.stdlib.add_logger_name],
        processors=[
            structlog.processors.TimeStamper(fmt="iso", utc=True, key="time"),
            structlog.processors.format_exc_info,
            structlog.stdlib.ProcessorFormatter.remove_processors_meta,
            _shorten,
            renderer,
        ],
    )


class Lines:
    """Writes events of level info in the same form, those of one turn of the loop at once.

    A line through the logging library costs more than a request that is answered from memory.
    """

    def __init__(self) -> None:
        self._waiting: list[bytes] = []
        self._second = -1
        self._until_seconds = ""

    def write(self, event: str, **fields: Any) -> None:
        line = {**fields, "event": event, "level": "info", "time": self._time()}
        if not self._waiting:
            asyncio.get_running_loop().call_soon(self.flush)
        written = to_json(line, fallback=str)
        if len(written) > _ORDINARY_LINE:
            written = to_json(_shorten(None, "", line), fallback=str)
        self._waiting.append(written)

    def _time(self) -> str:
        """ISO 8601, of which most is the same for all lines of a second."""
        now = time()
        second = int(now)
        if second != self._second:
            self._second = second
            self._until_seconds = datetime.fromtimestamp(second, UTC).strftime("%Y-%m-%dT%H:%M:%S")
        return f"{self._until_seconds}.{int((now - second) * 1_000_000):06d}Z"

    def flush(self) -> None:
        lines, self._waiting = self._waiting, []
        if lines:
            with contextlib.suppress(OSError):  # nobody reads the log any more
                sys.stdout.write(b"\n".join((*lines, b"")).decode())
                sys.stdout.flush()


def requests_emitter(settings: Log) -> Lines | None:
    """What requests' lines are written with; None: with the logger, like everything else."""
    if settings.format != "json" or settings.level not in ("debug", "info"):
        return None
    return Lines() if structlog.is_configured() else None


def _shorten(_logger: Any, _method: str, event: MutableMapping[str, Any]) -> Any:
    """Keep lines readable: what a caller sent may be in a library's message."""
    for key, value in event.items():
        if isinstance(value, str) and len(value) > _LONGEST_TEXT and key != "exception":
            event[key] = value[:_LONGEST_TEXT] + "…"
    return event


def _serialize(event: Any, **_: Any) -> str:
    return to_json(event, fallback=str).decode()
