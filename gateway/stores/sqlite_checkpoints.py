"""What was committed moves on from SQLite's write-ahead log into the file."""

import contextlib
import sqlite3
import threading
from collections.abc import Callable
from pathlib import Path

CHECKPOINT_SECONDS = 1.0


class Checkpoints:
    """A thread with a connection of its own: this waits for the disk, and nobody shall wait for it.

    ``commits`` tells how many there have been: where nothing is written, nothing is done.
    """

    def __init__(
        self, path: Path, commits: Callable[[], int], *, seconds: float = CHECKPOINT_SECONDS
    ) -> None:
        self._path = path
        self._commits = commits
        self._seconds = seconds
        self._end = threading.Event()
        self._thread = threading.Thread(
            target=self._main, name="store-sqlite-checkpoints", daemon=True
        )

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        self._end.set()
        self._thread.join()

    def _main(self) -> None:
        connection = sqlite3.connect(self._path, isolation_level=None)
        with contextlib.closing(connection):
            done = 0
            while not self._end.wait(self._seconds):
                commits = self._commits()
                # What is wrong with the file, those who use it meet as well, and report it.
                with contextlib.suppress(sqlite3.Error):
                    if commits != done:
                        connection.execute("PRAGMA wal_checkpoint(PASSIVE)")
                        done = commits
