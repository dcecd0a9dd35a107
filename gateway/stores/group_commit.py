"""What is asked of a SQLite connection: done at once where that is quick, else by a thread.

Waking a thread costs several times what most of the work does. What is written in one turn of the
loop is committed together at the end of it; the system keeps it, and the disk is not waited for.
"""

import asyncio
import contextlib
import math
import queue
import sqlite3
import threading
import time
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

from gateway.problems import StoreUnavailable
from gateway.stores.sqlite_file import waiting_for_others
from gateway.stores.sqlite_transaction import Transaction

Work = Callable[[Transaction], Any]
"""Database work of one caller. It may run twice, so it changes nothing else."""

MAX_BATCH = 1000
SWEEP_SECONDS = 1.0
BETWEEN_SLICES_SECONDS = 0.01
LARGEST_IN_LOOP_ROWS = 100
# Once the loop has been held up for so long twice in a row, the thread does all for a while.
SLOW_SECONDS = 0.005
SLOW_PAUSE_SECONDS = 1.0


class _Call(NamedTuple):
    work: Work
    writes: bool
    rows: int
    answer: asyncio.Future[Any] | None = None  # None: whoever asks has it at once


class GroupCommit:
    """Runs callers' work on one connection, in the loop's thread or in one of its own.

    The loop never waits for the thread: while it is at work, more is queued for it. ``commits``
    counts the transactions that wrote something. ``sweep`` runs in the thread, every
    ``sweep_seconds`` or, while it says that there is more, after a short rest; ``between`` runs
    there as well, after it and after each batch. ``wrote`` is told of each transaction that wrote
    something. ``timer`` is monotonic.
    """

    def __init__(
        self,
        connect: Callable[[], sqlite3.Connection],
        sweep: Callable[[sqlite3.Connection, float], bool],
        between: Callable[[sqlite3.Connection], None],
        wrote: Callable[[], None],
        *,
        now: Callable[[], float],
        sweep_seconds: float = SWEEP_SECONDS,
        timer: Callable[[], float] = time.perf_counter,
    ) -> None:
        self.commits = 0
        self._connect = connect
        self._sweep = sweep
        self._between = between
        self._wrote = wrote
        self._now = now
        self._sweep_seconds = sweep_seconds
        self._timer = timer
        self._in_use = threading.Lock()
        self._slow_until = -math.inf
        self._was_slow = False
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

    async def read(self, work: Work, *, rows: int = 1) -> Any:
        """What ``work`` returns; ``rows`` is how many it may look at. Raises StoreUnavailable."""
        self._check_open()
        if rows <= LARGEST_IN_LOOP_ROWS:
            outcomes = self._at_once([_Call(work, False, rows)])
            if outcomes is not None:
                return _returned(outcomes[0])
        return await self._ask(work, writes=False, rows=rows)

    async def write(self, work: Work, *, rows: int = 1) -> Any:
        """As ``read``, in a transaction with whatever else is written in this turn of the loop."""
        self._check_open()
        return await self._ask(work, writes=True, rows=rows)

    def _check_open(self) -> None:
        if not self._is_open:
            raise StoreUnavailable("The gateway's store is closed.")

    def _ask(self, work: Work, *, writes: bool, rows: int) -> asyncio.Future[Any]:
        answer = self._loop.create_future()
        if not self._asked:
            self._loop.call_soon(self._end_turn)
        self._asked.append(_Call(work, writes, rows, answer))
        return answer

    def _end_turn(self) -> None:
        asked, self._asked = self._asked, []
        if not asked:  # the store was closed in the meantime
            return
        if sum(call.rows for call in asked) <= LARGEST_IN_LOOP_ROWS:
            outcomes = self._at_once(asked)
            if outcomes is not None:
                return _resolve([call.answer for call in asked], outcomes)
        for start in range(0, len(asked), MAX_BATCH):
            self._queue.put(asked[start : start + MAX_BATCH])

    def _at_once(self, calls: Sequence[_Call]) -> list[Any] | None:
        """None where it has to be left to the thread, which is at work or may wait for the disk."""
        began = self._timer()
        if began < self._slow_until or not self._in_use.acquire(blocking=False):
            return None
        try:
            outcomes = self._run(self._connection, calls)
        finally:
            self._in_use.release()
        self._judge_disk(began, self._timer())
        return None if any(map(_is_locked, outcomes)) else outcomes

    def _judge_disk(self, began: float, ended: float) -> None:
        # Once may be the processor's doing, which somebody else had meanwhile.
        is_slow = ended - began > SLOW_SECONDS
        if is_slow and self._was_slow:
            self._slow_until = ended + SLOW_PAUSE_SECONDS
        self._was_slow = is_slow and not self._was_slow

    async def stop(self) -> None:
        """Finish what is queued, then close the connection and end the thread."""
        if self._is_open:
            self._is_open = False
            await self._end()

    async def _end(self) -> None:
        self._end_turn()
        self._queue.put(None)
        await self._closed
        self._thread.join()

    def _main(self, opened: asyncio.Future[None]) -> None:
        try:
            self._connection = connection = self._connect()
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
                with self._in_use, waiting_for_others(connection):
                    outcomes = self._run(connection, batch)
                self._on_loop(_resolve, [call.answer for call in batch], outcomes)
                with self._in_use:
                    self._between(connection)
            if is_last:
                return
            if time.monotonic() >= sweep_at:
                with self._in_use:
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
        self._wrote()
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


def _resolve(answers: Sequence[asyncio.Future[Any] | None], outcomes: Sequence[Any]) -> None:
    for answer, outcome in zip(answers, outcomes, strict=True):
        if answer is None or answer.done():  # its caller has left
            continue
        if isinstance(outcome, Exception):
            answer.set_exception(_told(outcome))
        else:
            answer.set_result(outcome)


def _returned(outcome: Any) -> Any:
    if isinstance(outcome, Exception):
        raise _told(outcome)
    return outcome


def _told(error: Exception) -> Exception:
    if not isinstance(error, sqlite3.Error):
        return error
    problem = StoreUnavailable("The gateway's store cannot be used at the moment.")
    problem.__cause__ = error
    return problem


def _is_locked(outcome: Any) -> bool:
    """Whether another program is writing, which may be waited for."""
    return isinstance(outcome, sqlite3.OperationalError) and (
        outcome.sqlite_errorcode & 0xFF == sqlite3.SQLITE_BUSY
    )
