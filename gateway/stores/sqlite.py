"""The store for one process whose facts outlive it: a SQLite file."""

import sqlite3
import time
from collections.abc import AsyncGenerator, Callable, Sequence
from functools import partial
from pathlib import Path

from gateway.stores.contract import (
    Add,
    Change,
    Delete,
    Put,
    Remove,
    Store,
    as_bytes,
    as_text,
    counter,
    effective_ttl,
)
from gateway.stores.fanout import Fanout
from gateway.stores.group_commit import SWEEP_SECONDS, GroupCommit
from gateway.stores.sqlite_file import open_file, sweep_slice

_GET = "SELECT value FROM entries WHERE key = ? AND expires > ?"
_PUT = (
    "INSERT INTO entries (key, value, expires) VALUES (?, ?, ?)"
    " ON CONFLICT DO UPDATE SET value = excluded.value, expires = excluded.expires"
)
_DELETE = "DELETE FROM entries WHERE key = ?"
_ADD = (
    "INSERT INTO members (name, member, score, expires) VALUES (?, ?, ?, ?)"
    " ON CONFLICT DO UPDATE SET score = excluded.score, expires = excluded.expires"
)
_REMOVE = "DELETE FROM members WHERE name = ? AND member = ?"
_COUNT = "SELECT count(*) FROM members WHERE name = ? AND expires > ?"
_MEMBERS = "SELECT member, score FROM members WHERE name = ? AND score >= ? AND expires > ?"
_NEWEST = f"{_MEMBERS} ORDER BY score DESC, member DESC LIMIT ?"
_OLDEST = f"{_MEMBERS} ORDER BY score, member LIMIT ?"


class SqliteStore(Store):
    """Made by ``await SqliteStore.open(path)``; ``commits`` counts the writing transactions.

    Several operations that wait at the same time share one transaction, so a slow disk costs each
    of them little; see `gateway.stores.group_commit`.
    """

    shared = False

    def __init__(self, thread: GroupCommit) -> None:
        self._thread = thread
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
            partial(open_file, path), sweep_slice, now=now, sweep_seconds=sweep_seconds
        )
        await thread.start()
        return cls(thread)

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

    async def swap(self, key: str, expected: bytes | None, value: bytes | None, ttl: float) -> bool:
        change = Delete(key) if value is None else Put(key, value, ttl)

        def work(connection: sqlite3.Connection, now: float) -> bool:
            if _get(connection, now, key) != expected:
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

    async def members(
        self, name: str, *, limit: int, newest_first: bool = True, minimum: float | None = None
    ) -> list[tuple[str, float]]:
        lowest = float("-inf") if minimum is None else minimum

        def work(connection: sqlite3.Connection, now: float) -> list[tuple[bytes, float]]:
            statement = _NEWEST if newest_first else _OLDEST
            return connection.execute(statement, (as_bytes(name), lowest, now, limit)).fetchall()

        rows = await self._thread.submit(work, writes=False)
        return [(as_text(member), score) for member, score in rows]

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
        await self._thread.stop()


def _get(connection: sqlite3.Connection, now: float, key: str) -> bytes | None:
    row = connection.execute(_GET, (as_bytes(key), now)).fetchone()
    return row[0] if row else None


def _make(connection: sqlite3.Connection, now: float, change: Change) -> None:
    match change:
        case Put(key, value, ttl):
            connection.execute(_PUT, (as_bytes(key), value, now + effective_ttl(ttl)))
        case Delete(key):
            connection.execute(_DELETE, (as_bytes(key),))
        case Add(name, member, score, ttl):
            expires = now + effective_ttl(ttl)
            connection.execute(_ADD, (as_bytes(name), as_bytes(member), score, expires))
        case Remove(name, member):
            connection.execute(_REMOVE, (as_bytes(name), as_bytes(member)))
