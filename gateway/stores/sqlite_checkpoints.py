"""What was committed moves on from SQLite's write-ahead log into the file."""

import contextlib
import os
import sqlite3
import threading
from pathlib import Path

CHECKPOINT_SECONDS = 1.0
# 64 MB: until then it may grow in the hope of a moment in which nothing is committed.
LONG_LOG_PAGES = 16_384
_TRIES = 6


class Checkpoints:
    """A thread with a connection of its own: this waits for the disk, and no commit shall wait.

    The log starts anew only if nothing was committed while the last of it was moved. Where that
    never happens, the writer moves the last of it, which has to be little by then.
    """

    def __init__(
        self,
        path: Path,
        *,
        seconds: float = CHECKPOINT_SECONDS,
        long_log_pages: int = LONG_LOG_PAGES,
    ) -> None:
        self.is_moving = False
        self._path = path
        self._seconds = seconds
        self._long_log_pages = long_log_pages
        self._transactions = 0
        self._is_due = False
        self._end = threading.Event()
        self._thread = threading.Thread(
            target=self._main, name="store-sqlite-checkpoints", daemon=True
        )

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        self._end.set()
        self._thread.join()

    def count(self) -> None:
        """For the writer to call after each transaction."""
        self._transactions += 1

    def between(self, connection: sqlite3.Connection) -> None:
        """For the writer to call when it may take its time."""
        if self._is_due:
            self._is_due = False
            with contextlib.suppress(sqlite3.Error):
                _move(connection)

    def _main(self) -> None:
        done = 0
        with contextlib.closing(sqlite3.connect(self._path, isolation_level=None)) as connection:
            descriptor = _descriptor(self._path)
            while not self._end.wait(self._seconds):
                if self._transactions == done:
                    continue
                done = self._transactions
                self.is_moving = True
                # What is wrong with file or disk, those who use the store meet, and report it.
                with contextlib.suppress(sqlite3.Error, OSError):
                    self._is_due = self._move_all(connection, descriptor) > self._long_log_pages
                self.is_moving = False

    def _move_all(self, connection: sqlite3.Connection, descriptor: int | None) -> int:
        """The pages of a log to which more was always added, else 0."""
        before = 0
        for _ in range(_TRIES):
            pages = _move(connection)
            if pages == before:
                return 0
            before = pages
            # SQLite waits for the disk only when all is moved: what can be waited for is less then.
            if descriptor is not None:
                os.fsync(descriptor)
        return before


def _move(connection: sqlite3.Connection) -> int:
    """How many pages the log has, or had when this began."""
    _, pages, _ = connection.execute("PRAGMA wal_checkpoint(PASSIVE)").fetchone()
    return int(pages)


def _descriptor(path: Path) -> int | None:
    """SQLite's own. One of ours would take its locks along when it is closed: POSIX wants it so."""
    file = path.stat()
    with contextlib.suppress(OSError):
        for name in os.listdir("/dev/fd"):
            with contextlib.suppress(OSError):
                if os.path.samestat(os.fstat(int(name)), file):
                    return int(name)
    return None
