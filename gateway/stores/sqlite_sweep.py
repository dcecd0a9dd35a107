"""How expired rows leave a SQLite file."""

import sqlite3

SLICE = 50

_LOOK = "SELECT key, expires <= ? FROM entries WHERE key >= ? ORDER BY key LIMIT ?"
_DELETE = "DELETE FROM entries WHERE key = ? AND expires <= ?"


class Sweep:
    """Walks through the rows in the order of their keys, round and round, a slice at each call.

    Rows beside one another share their pages. An index by expiry would lead to the expired ones
    at once, but each on another page, and would have to be kept up with every write.
    """

    def __init__(self) -> None:
        self._next = b""

    def __call__(self, connection: sqlite3.Connection, now: float) -> bool:
        """True if it is worth looking at the next slice soon."""
        rows = connection.execute(_LOOK, (now, self._next, SLICE)).fetchall()
        self._next = rows[-1][0] if len(rows) == SLICE else b""
        expired = [(key, now) for key, is_expired in rows if is_expired]
        if expired:
            _delete(connection, expired)
        return len(expired) > SLICE // 10


def _delete(connection: sqlite3.Connection, expired: list[tuple[bytes, float]]) -> None:
    # Not before it is needed: even a deletion of nothing waits for the lock that others may hold.
    connection.execute("BEGIN IMMEDIATE")
    try:
        connection.executemany(_DELETE, expired)
        connection.execute("COMMIT")
    except BaseException:
        if connection.in_transaction:
            connection.execute("ROLLBACK")
        raise
