"""One thread that owns a SQLite connection and commits, together, whatever has been asked of it."""

import asyncio
import contextlib
import queue
import sqlite3
import threading
import time
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

from gateway.problems import StoreUnavailable
from gateway.stores.sqlite_transaction import Transaction

Work = Callable[[Transaction], Any]
"""Database work of one caller. It may run twice, so it changes nothing else."""

MAX_BATCH = 1000
SWEEP_SECONDS = 1.0
BETWEEN_SLICES_SECONDS = 0.01


class _Call(NamedTuple):
    work: Work
    writes: bool
    answer: asyncio.Future[Any]


class GroupCommit:
    """Callers queue work; the thread runs all of it in one transaction and answers all at once.

    ``commits`` counts the transactions that wrote something. ``sweep`` runs between batches, every
    ``sweep_seconds`` or, while it says that there is more, after a short rest; ``between`` runs
    after each of both.
    """

    def __init__(
        self,
        connect: Callable[[], sqlite3.Connection],
        sweep: Callable[[sqlite3.Connection, float], bool],
        between: Callable[[sqlite3.Connection], None],
        *,
        now: Callable[[], float],
        sweep_seconds: float = SWEEP_SECONDS,
    ) -> None:
        self.commits = 0
        self._connect = connect
        self._sweep = sweep
        self._between = between
        self._now = now
        self._sweep_seconds = sweep_seconds
        self._asked: list[_Call] = []
        self._queue: queue.SimpleQueue[list[_Call] | None] = queue.SimpleQueue()
        self._is_open = False

    async def start(self) -> None:
        """Raises what ``connect`` raises."""
        self._loop = asyncio.get_running_loop()
        opened = self._loop.create_future()
        self._closed = self._loop.create_future()
        # A daemon, so that a process that forgot to close its store can still end.
        self._thread = threading.Thread(
            target=self._main, args=(opened,), name="store-sqlite", daemon=True
        )
        self._thread.start()
        try:
            await opened
        except BaseException:
            await self._end()
            raise
        self._is_open = True

    def submit(self, work: Work, *, writes: bool) -> asyncio.Future[Any]:
        if not self._is_open:
            raise StoreUnavailable("The gateway's store is closed.")
        answer = self._loop.create_future()
        if not self._asked:
            # Waking the thread costs more than the work: once for a turn of the loop is enough.
            self._loop.call_soon(self._hand_over)
        self._asked.append(_Call(work, writes, answer))
        return answer

    def _hand_over(self) -> None:
        asked, self._asked = self._asked, []
        for start in range(0, len(asked), MAX_BATCH):
            self._queue.put(asked[start : start + MAX_BATCH])

    async def stop(self) -> None:
        """Finish what is queued, then close the connection and end the thread."""
        if self._is_open:
            self._is_open = False
            await self._end()

    async def _end(self) -> None:
        self._hand_over()
        self._queue.put(None)
        await self._closed
        self._thread.join()

    def _main(self, opened: asyncio.Future[None]) -> None:
        try:
            connection = self._connect()
        # Whatever it is, the one who waits in start() must hear of it.
        except Exception as error:
            self._on_loop(_resolve, [opened], [error])
        else:
            self._on_loop(_resolve, [opened], [None])
            with contextlib.closing(connection):
                self._serve(connection)
        self._on_loop(_resolve, [self._closed], [None])

    def _serve(self, connection: sqlite3.Connection) -> None:
        sweep_at = time.monotonic() + self._sweep_seconds
        while True:
            batch, is_last = self._take(max(0.0, sweep_at - time.monotonic()))
            if batch:
                outcomes = self._run(connection, batch)
                self._on_loop(_resolve, [call.answer for call in batch], outcomes)
                self._between(connection)
            if is_last:
                return
            if time.monotonic() >= sweep_at:
                sweep_at = time.monotonic() + self._sweep_some(connection)
                self._between(connection)

    def _take(self, timeout_seconds: float) -> tuple[list[_Call], bool]:
        """All that is queued, once there is anything; and whether the thread shall end."""
        batch: list[_Call] = []
        with contextlib.suppress(queue.Empty):
            calls = self._queue.get(timeout=timeout_seconds)
            while calls is not None:
                batch += calls
                if len(batch) >= MAX_BATCH:
                    return batch, False
                calls = self._queue.get_nowait()
            return batch, True
        return batch, False

    def _run(self, connection: sqlite3.Connection, batch: Sequence[_Call]) -> list[Any]:
        try:
            return self._transaction(connection, batch)
        except sqlite3.OperationalError as error:
            # Locked, full or unreadable: no other work would fare better, and each would wait.
            return [error] * len(batch)
        except Exception as error:
            if len(batch) == 1:
                return [error]
        # One of them failed: alone it takes no other with it, and the good case needs no savepoint.
        return [outcome for call in batch for outcome in self._run(connection, [call])]

    def _transaction(self, connection: sqlite3.Connection, batch: Sequence[_Call]) -> list[Any]:
        transaction = Transaction(connection, self._now())
        if not any(call.writes for call in batch):
            # Each statement sees one moment by itself, and no more is promised to a reader.
            return [call.work(transaction) for call in batch]
        connection.execute("BEGIN IMMEDIATE")
        try:
            outcomes = [call.work(transaction) for call in batch]
            transaction.flush()
            connection.execute("COMMIT")
        except BaseException:
            if connection.in_transaction:
                connection.execute("ROLLBACK")
            raise
        self.commits += 1
        return outcomes

    def _sweep_some(self, connection: sqlite3.Connection) -> float:
        """Sweep once; how many seconds to wait before the next time."""
        try:
            there_is_more = self._sweep(connection, self._now())
        except sqlite3.Error:
            return self._sweep_seconds  # callers meet the same failure and report it
        return BETWEEN_SLICES_SECONDS if there_is_more else self._sweep_seconds

    def _on_loop(self, function: Callable[..., None], *args: Any) -> None:
        # A loop that was closed first has nobody left who waits.
        with contextlib.suppress(RuntimeError):
            self._loop.call_soon_threadsafe(function, *args)


def _resolve(answers: Sequence[asyncio.Future[Any]], outcomes: Sequence[Any]) -> None:
    for answer, outcome in zip(answers, outcomes, strict=True):
        if answer.done():  # its caller has left
            continue
        if isinstance(outcome, sqlite3.Error):
            problem = StoreUnavailable("The gateway's store cannot be used at the moment.")
            problem.__cause__ = outcome
            answer.set_exception(problem)
        elif isinstance(outcome, Exception):
            answer.set_exception(outcome)
        else:
            answer.set_result(outcome)
