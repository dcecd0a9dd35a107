"""The SQLite file of a store: how it is created, recognised and swept."""

import sqlite3
from pathlib import Path

from gateway.stores.contract import StoreUnusable

APPLICATION_ID = 0x6F6C6777  # "olgw": tells our files from any other program's
SCHEMA_VERSION = 1
BUSY_TIMEOUT_SECONDS = 0.5
CACHE_KIB = 65_536  # at most: a million rows stay quick, a thousand take no more than they need
SLICE = 500

# The scores' index holds every column, so that listing a set never visits the table.
_SCHEMA = f"""
BEGIN IMMEDIATE;
CREATE TABLE entries (
    key BLOB PRIMARY KEY, value BLOB NOT NULL, expires REAL NOT NULL
) WITHOUT ROWID;
CREATE INDEX entries_by_expiry ON entries (expires);
CREATE TABLE members (
    name BLOB, member BLOB, score REAL NOT NULL, expires REAL NOT NULL,
    PRIMARY KEY (name, member)
) WITHOUT ROWID;
CREATE INDEX members_by_score ON members (name, score, member, expires);
CREATE INDEX members_by_expiry ON members (expires);
PRAGMA application_id = {APPLICATION_ID};
PRAGMA user_version = {SCHEMA_VERSION};
COMMIT;
"""

_SWEEPS = (
    (
        "SELECT EXISTS (SELECT 1 FROM entries WHERE expires <= ?)",
        "DELETE FROM entries WHERE key IN"
        " (SELECT key FROM entries WHERE expires <= ? ORDER BY expires LIMIT ?)",
    ),
    (
        "SELECT EXISTS (SELECT 1 FROM members WHERE expires <= ?)",
        "DELETE FROM members WHERE (name, member) IN"
        " (SELECT name, member FROM members WHERE expires <= ? ORDER BY expires LIMIT ?)",
    ),
)


def open_file(path: Path) -> sqlite3.Connection:
    """A connection in autocommit mode. Raises StoreUnusable, naming the file."""
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        # SQLite gives its two companion files the permissions of this one.
        path.touch(mode=0o600)
        connection = sqlite3.connect(path, timeout=BUSY_TIMEOUT_SECONDS, isolation_level=None)
    except (OSError, sqlite3.Error) as error:
        raise StoreUnusable(f"The store's file {path} cannot be opened: {error}") from error
    try:
        _prepare(connection, path)
    except sqlite3.Error as error:
        connection.close()
        raise StoreUnusable(
            f"The store's file {path} cannot be used: {error}. If it is damaged, move it away and "
            "start again: a new one is made, and what it held is forgotten."
        ) from error
    except StoreUnusable:
        connection.close()
        raise
    return connection


def _prepare(connection: sqlite3.Connection, path: Path) -> None:
    # Asked before anything is written: a file that is not ours stays as it is.
    application = _pragma(connection, "application_id")
    version = _pragma(connection, "user_version")
    is_new = not connection.execute("SELECT count(*) FROM sqlite_master").fetchone()[0]
    if application != APPLICATION_ID and not (is_new and application == version == 0):
        raise StoreUnusable(f"The store's file {path} belongs to another program.")
    if version > SCHEMA_VERSION:
        raise StoreUnusable(
            f"The store's file {path} was written by a newer version of the gateway "
            f"(schema {version}, this one knows {SCHEMA_VERSION})."
        )
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute("PRAGMA synchronous = NORMAL")
    connection.execute(f"PRAGMA cache_size = -{CACHE_KIB}")
    if is_new:
        connection.executescript(_SCHEMA)


def _pragma(connection: sqlite3.Connection, name: str) -> int:
    return int(connection.execute(f"PRAGMA {name}").fetchone()[0])


def sweep_slice(connection: sqlite3.Connection, now: float) -> bool:
    """Delete a few of the expired rows; True if there may be more."""
    there_is_more = False
    for question, deletion in _SWEEPS:
        # Asked first, since even a deletion of nothing waits for the lock that others may hold.
        if connection.execute(question, (now,)).fetchone()[0]:
            there_is_more |= connection.execute(deletion, (now, SLICE)).rowcount == SLICE
    return there_is_more
