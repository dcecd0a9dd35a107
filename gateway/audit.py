"""The audit journal: one JSON line for every start, cancellation, deletion, write and refusal.

A thread of its own writes, so that a slow disk keeps no request waiting.
"""

import asyncio
import os
import queue
import sys
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import IO, Any

import structlog

from gateway.catalogue import CATALOGUE, Role
from gateway.exchange import Exchange
from gateway.rules import audit

if sys.platform != "win32":
    import fcntl

log = structlog.get_logger("gateway.audit")

_QUEUED_EVENTS = 10_000
_BATCH = 500
_TAIL_BYTES = 64 * 1024
_MOST_IDS = 1000
_FLAGS = os.O_RDWR | os.O_CREAT | getattr(os, "O_BINARY", 0)

_WORDS = {
    Role.START: "start",
    Role.CANCEL: "cancel",
    Role.DELETE: "delete",
    Role.WRITE: "write",
    Role.UPLOAD: "upload",
}
_EVENTS: Mapping[str, str] = {
    row.name: _WORDS[row.role] for row in CATALOGUE if row.role in _WORDS
} | {
    "api.run_pipeline": "start",
    "api.create_jobs": "start",
    "api.create_output": "start",
    "api.cancel_operation": "cancel",
    "api.update_jobs_properties": "write",
    "api.replace_properties": "write",
    "api.patch_properties": "write",
    "api.replace_metadata": "write",
    "api.patch_metadata": "write",
}


def event_of(exchange: Exchange, now: float) -> dict[str, Any] | None:
    """What the journal says of an exchange; None where it says nothing."""
    problem = exchange.problem
    event = _EVENTS.get(exchange.endpoint)
    if problem is not None and problem.status < 500:
        event = "refusal"
    if event is None:
        return None
    caller = exchange.caller
    return {
        "time": datetime.fromtimestamp(now, UTC).isoformat(timespec="milliseconds"),
        "event": event,
        "issuer": caller.issuer if caller else None,
        "subject": caller.subject if caller else None,
        "team": exchange.team,
        "endpoint": exchange.endpoint,
        "method": exchange.method,
        "ids": [f"{thing.kind}:{thing.id}" for thing in exchange.things[:_MOST_IDS]],
        "operation_id": exchange.operation_id,
        "outcome": _outcome(exchange),
        "status": exchange.status,
        "request_id": exchange.request_id,
    }


def _outcome(exchange: Exchange) -> str:
    if exchange.problem is not None:
        return exchange.problem.code
    if exchange.left:
        return "caller_left"
    return "done" if 200 <= exchange.status < 400 else "refused_by_ol_connect"


class Journal:
    """Appends to one file, which other processes may append to as well. ``now`` is Unix time.

    Use ``open``, then ``close``. When more events wait than can be kept, the next line says how
    many were lost.
    """

    def __init__(self, path: Path, now: Callable[[], float]) -> None:
        self._path = path
        self._now = now
        self._queue: queue.Queue[dict[str, Any] | None] = queue.Queue(_QUEUED_EVENTS)
        self._thread = threading.Thread(target=self._main, name="audit", daemon=True)
        self._lost = 0

    @classmethod
    async def open(cls, path: Path, now: Callable[[], float]) -> "Journal":
        """Raises OSError where the file cannot be written."""
        journal = cls(path, now)
        await asyncio.to_thread(journal._prepare)
        journal._thread.start()
        return journal

    def write(self, exchange: Exchange) -> None:
        event = event_of(exchange, self._now())
        if event is None:
            return
        lost = self._lost
        if lost:
            event["lost_before"] = lost
        try:
            self._queue.put_nowait(event)
            self._lost -= lost
        except queue.Full:
            self._lost += 1

    async def close(self) -> None:
        """Everything that waits is written first."""
        await asyncio.to_thread(self._finish)

    def _finish(self) -> None:
        self._queue.put(None)
        self._thread.join()

    def _prepare(self) -> None:
        self._path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        with _appending(self._path) as file:
            torn = _cut_torn_line(file)
            if torn:
                # A line that was being written when the machine stopped: kept, but not as one.
                event = {
                    "time": None,
                    "event": "torn_line",
                    "text": torn.decode("utf-8", "replace"),
                }
                _append(file, [event])

    def _main(self) -> None:
        is_last = False
        while not is_last:
            events, is_last = self._take()
            try:
                with _appending(self._path) as file:
                    _append(file, events)
            except OSError as error:
                self._lost += len(events)
                log.error("audit_failed", lost=len(events), reason=error.strerror)

    def _take(self) -> tuple[list[dict[str, Any]], bool]:
        """What waits, once there is anything; and whether the thread shall end."""
        events: list[dict[str, Any]] = []
        event = self._queue.get()
        while event is not None:
            events.append(event)
            if len(events) == _BATCH:
                return events, False
            try:
                event = self._queue.get_nowait()
            except queue.Empty:
                return events, False
        return events, True


@contextmanager
def _appending(path: Path) -> Iterator[IO[bytes]]:
    """The file for one process at a time: workers share it, and each line names the last one."""
    # Opened anew each time, and made if need be: the file may have been moved away to be kept.
    with os.fdopen(os.open(path, _FLAGS, 0o600), "r+b") as file:
        if sys.platform != "win32":
            fcntl.flock(file, fcntl.LOCK_EX)
        yield file
        file.flush()
        os.fsync(file.fileno())


def _append(file: IO[bytes], events: Sequence[Mapping[str, Any]]) -> None:
    previous = _last_digest(file)
    lines = bytearray()
    for event in events:
        line = audit.line_of(event, previous)
        previous = audit.digest(line)
        lines += line + b"\n"
    file.seek(0, os.SEEK_END)
    file.write(lines)


def _last_digest(file: IO[bytes]) -> str:
    tail = _tail(file)
    return audit.digest(tail.rstrip(b"\n").rpartition(b"\n")[2]) if tail else audit.FIRST


def _cut_torn_line(file: IO[bytes]) -> bytes:
    """Take away, and return, what stands after the last line's end."""
    torn = _tail(file).rpartition(b"\n")[2]
    file.seek(-len(torn), os.SEEK_END)
    file.truncate()
    return torn


def _tail(file: IO[bytes]) -> bytes:
    """The end of the file, with one whole line at least."""
    size = file.seek(0, os.SEEK_END)
    length = _TAIL_BYTES
    while True:
        file.seek(max(0, size - length))
        tail = file.read()
        if length >= size or b"\n" in tail.rstrip(b"\n"):
            return tail
        length *= 4
