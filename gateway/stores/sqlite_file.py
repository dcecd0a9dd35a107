"""The SQLite file of a store: how it is opened, recognised, created or brought up to date."""

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from gateway.stores import sqlite_schema
from gateway.stores.contract import StoreUnusable

BUSY_TIMEOUT_SECONDS = 0.5
CACHE_KIB = 65_536  # at most: a million rows stay quick, a thousand take no more than they need
# Far more than `sqlite_checkpoints` lets come together: if it cannot keep up, a commit has to wait.
LONGEST_LOG_PAGES = 65_536


def open_file(path: Path) -> sqlite3.Connection:
    """A connection in autocommit mode, which waits for no other program, see
    ``waiting_for_others``. One thread at a time may use it. Raises StoreUnusable, naming the file.
    """
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        # SQLite gives its two companion files the permissions of this one.
        path.touch(mode=0o600)
        connection = sqlite3.connect(
            path, timeout=BUSY_TIMEOUT_SECONDS, isolation_level=None, check_same_thread=False
        )
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
    _set_busy_timeout(connection, 0)
    return connection


@contextmanager
def waiting_for_others(connection: sqlite3.Connection) -> Iterator[None]:
    """Inside, another program that is writing is given half a second to end."""
    _set_busy_timeout(connection, BUSY_TIMEOUT_SECONDS)
    try:
        yield
    finally:
        _set_busy_timeout(connection, 0)


def _set_busy_timeout(connection: sqlite3.Connection, seconds: float) -> None:
    connection.execute(f"PRAGMA busy_timeout = {round(1000 * seconds)}")


def _prepare(connection: sqlite3.Connection, path: Path) -> None:
    # Asked before anything is written: a file that is not ours stays as it is.
    application = _pragma(connection, "application_id")
    version = _pragma(connection, "user_version")
    is_new = not connection.execute("SELECT count(*) FROM sqlite_master").fetchone()[0]
    if application != sqlite_schema.APPLICATION_ID and not (is_new and application == version == 0):
        raise StoreUnusable(f"The store's file {path} belongs to another program.")
    if version > sqlite_schema.VERSION:
        raise StoreUnusable(
            f"The store's file {path} was written by a newer version of the gateway "
            f"(schema {version}, this one knows {sqlite_schema.VERSION})."
        )
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute("PRAGMA synchronous = NORMAL")
    connection.execute(f"PRAGMA cache_size = -{CACHE_KIB}")
    connection.execute(f"PRAGMA wal_autocheckpoint = {LONGEST_LOG_PAGES}")
    if is_new:
        sqlite_schema.create(connection)
    elif version < sqlite_schema.VERSION:
        sqlite_schema.upgrade(connection)


def _pragma(connection: sqlite3.Connection, name: str) -> int:
    return int(connection.execute(f"PRAGMA {name}").fetchone()[0])
