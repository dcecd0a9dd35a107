"""The store for one process whose facts outlive it: a SQLite file."""

import asyncio
import sqlite3
import time
from collections.abc import AsyncGenerator, Callable, Sequence
from functools import partial
from pathlib import Path

from gateway.stores.contract import (
    Change,
    Delete,
    Put,
    Store,
    as_bytes,
    counter,
    effective_ttl,
)
from gateway.stores.fanout import Fanout
from gateway.stores.group_commit import SWEEP_SECONDS, GroupCommit
from gateway.stores.sqlite_checkpoints import Checkpoints
from gateway.stores.sqlite_file import open_file
from gateway.stores.sqlite_sweep import Sweep

_GET = "SELECT value FROM entries WHERE key = ? AND expires > ?"
_PUT = (
    "INSERT INTO entries (key, value, expires, list, score) VALUES (?, ?, ?, ?, ?)"
    " ON CONFLICT DO UPDATE SET value = excluded.value, expires = excluded.expires,"
    " list = excluded.list, score = excluded.score"
)
_DELETE = "DELETE FROM entries WHERE key = ?"
_COUNT = "SELECT count(*) FROM entries WHERE list = ? AND expires > ?"
_LISTED = "SELECT value FROM entries WHERE list = ? AND score >= ? AND expires > ?"
_NEWEST = f"{_LISTED} ORDER BY score DESC, key DESC LIMIT ?"
_OLDEST = f"{_LISTED} ORDER BY score, key LIMIT ?"


class SqliteStore(Store):
    """Made by ``await SqliteStore.open(path)``; ``commits`` counts the writing transactions.

    Several operations that wait at the same time share one transaction, so a slow disk costs each
    of them little; see `gateway.stores.group_commit`.
    """

    shared = False

    def __init__(self, thread: GroupCommit, checkpoints: Checkpoints) -> None:
        self._thread = thread
        self._checkpoints = checkpoints
        self._fanout = Fanout()

    @classmethod
    async def open(
        cls,
        path: Path,
        *,
        now: Callable[[], float] = time.time,
        sweep_seconds: float = SWEEP_SECONDS,
    ) -> "SqliteStore":
        """Create or open the file. Raises StoreUnusable, naming it."""
        thread = GroupCommit(
            partial(open_file, path), Sweep(), now=now, sweep_seconds=sweep_seconds
        )
        await thread.start()
        checkpoints = Checkpoints(path, lambda: thread.commits)
        checkpoints.start()
        return cls(thread, checkpoints)

    @property
    def commits(self) -> int:
        return self._thread.commits

    async def get(self, key: str) -> bytes | None:
        value: bytes | None = await self._thread.submit(partial(_get, key=key), writes=False)
        return value

    async def get_many(self, keys: Sequence[str]) -> list[bytes | None]:
        def work(connection: sqlite3.Connection, now: float) -> list[bytes | None]:
            return [_get(connection, now, key) for key in keys]

        values: list[bytes | None] = await self._thread.submit(work, writes=False)
        return values

    async def put_if_absent(self, key: str, value: bytes, ttl: float) -> bytes | None:
        def work(connection: sqlite3.Connection, now: float) -> bytes | None:
            current = _get(connection, now, key)
            if current is None:
                _make(connection, now, Put(key, value, ttl))
            return current

        current: bytes | None = await self._thread.submit(work, writes=True)
        return current

    async def swap(self, expected: bytes | None, change: Change) -> bool:
        def work(connection: sqlite3.Connection, now: float) -> bool:
            if _get(connection, now, change.key) != expected:
                return False
            _make(connection, now, change)
            return True

        swapped: bool = await self._thread.submit(work, writes=True)
        return swapped

    async def increment(self, key: str, by: int, ttl: float) -> int:
        def work(connection: sqlite3.Connection, now: float) -> int:
            total = counter(_get(connection, now, key)) + by
            _make(connection, now, Put(key, b"%d" % total, ttl))
            return total

        total: int = await self._thread.submit(work, writes=True)
        return total

    async def listed(
        self, name: str, *, limit: int, newest_first: bool = True, minimum: float | None = None
    ) -> list[bytes]:
        lowest = float("-inf") if minimum is None else minimum

        def work(connection: sqlite3.Connection, now: float) -> list[bytes]:
            statement = _NEWEST if newest_first else _OLDEST
            rows = connection.execute(statement, (as_bytes(name), lowest, now, limit))
            return [value for (value,) in rows]

        values: list[bytes] = await self._thread.submit(work, writes=False)
        return values

    async def count(self, name: str) -> int:
        def work(connection: sqlite3.Connection, now: float) -> int:
            row: tuple[int] = connection.execute(_COUNT, (as_bytes(name), now)).fetchone()
            return row[0]

        total: int = await self._thread.submit(work, writes=False)
        return total

    async def apply(self, changes: Sequence[Change]) -> None:
        def work(connection: sqlite3.Connection, now: float) -> None:
            for change in changes:
                _make(connection, now, change)

        await self._thread.submit(work, writes=True)

    async def publish(self, channel: str, message: bytes) -> None:
        self._fanout.publish(channel, message)

    def subscribe(self, channel: str) -> AsyncGenerator[bytes, None]:
        return self._fanout.subscribe(channel)

    async def ping(self) -> None:
        await self._thread.submit(partial(_get, key=""), writes=False)

    async def close(self) -> None:
        self._fanout.close()
        await asyncio.to_thread(self._checkpoints.stop)
        await self._thread.stop()


def _get(connection: sqlite3.Connection, now: float, key: str) -> bytes | None:
    row = connection.execute(_GET, (as_bytes(key), now)).fetchone()
    return row[0] if row else None


def _make(connection: sqlite3.Connection, now: float, change: Change) -> None:
    if isinstance(change, Delete):
        connection.execute(_DELETE, (as_bytes(change.key),))
        return
    key, value, ttl, listed, score = change
    name = None if listed is None else as_bytes(listed)
    connection.execute(_PUT, (as_bytes(key), value, now + effective_ttl(ttl), name, score))
