"""What one transaction reads and writes."""

import sqlite3

from gateway.stores.contract import Change, Delete, Put, as_bytes, effective_ttl

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


class Transaction:
    """Changes are kept until ``flush``, the last one of each key: SQLite takes many rows at once
    for half the price of one by one. Whatever is read here sees them."""

    def __init__(self, connection: sqlite3.Connection, now: float) -> None:
        self._connection = connection
        self._now = now
        self._changes: dict[str, Change] = {}

    def get(self, key: str) -> bytes | None:
        change = self._changes.get(key)
        if change is not None:
            return None if isinstance(change, Delete) else change.value
        row = self._connection.execute(_GET, (as_bytes(key), self._now)).fetchone()
        return row[0] if row else None

    def listed(self, name: str, *, limit: int, newest_first: bool, minimum: float) -> list[bytes]:
        self.flush()
        statement = _NEWEST if newest_first else _OLDEST
        parameters = (as_bytes(name), minimum, self._now, limit)
        return [value for (value,) in self._connection.execute(statement, parameters)]

    def count(self, name: str) -> int:
        self.flush()
        row: tuple[int] = self._connection.execute(_COUNT, (as_bytes(name), self._now)).fetchone()
        return row[0]

    def make(self, change: Change) -> None:
        self._changes[change.key] = change

    def flush(self) -> None:
        changes, self._changes = self._changes, {}
        puts, deletions = [], []
        for change in changes.values():
            if isinstance(change, Put):
                puts.append(self._row(change))
            else:
                deletions.append((as_bytes(change.key),))
        if puts:
            self._connection.executemany(_PUT, puts)
        if deletions:
            self._connection.executemany(_DELETE, deletions)

    def _row(self, put: Put) -> tuple[bytes, bytes, float, bytes | None, float]:
        key, value, ttl, listed, score = put
        name = None if listed is None else as_bytes(listed)
        return as_bytes(key), value, self._now + effective_ttl(ttl), name, score
