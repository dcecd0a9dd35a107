"""The store for one process whose facts outlive it: a SQLite file."""

import asyncio
import time
from collections.abc import AsyncGenerator, Callable, Sequence
from functools import partial
from pathlib import Path

from gateway.stores.contract import Change, Put, Store, counter
from gateway.stores.fanout import Fanout
from gateway.stores.group_commit import SWEEP_SECONDS, GroupCommit
from gateway.stores.sqlite_checkpoints import Checkpoints
from gateway.stores.sqlite_file import open_file
from gateway.stores.sqlite_sweep import Sweep
from gateway.stores.sqlite_transaction import Transaction


class SqliteStore(Store):
    """Made by ``await SqliteStore.open(path)``; ``commits`` counts the writing transactions.

    What is quick is done at once, and what several write at the same time is one transaction; see
    `gateway.stores.group_commit`.
    """

    shared = False

    def __init__(self, work: GroupCommit, checkpoints: Checkpoints) -> None:
        self._work = work
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
        checkpoints, sweep = Checkpoints(path), Sweep()
        work = GroupCommit(
            partial(open_file, path),
            # What can wait does not write while the log is moved.
            lambda connection, now: checkpoints.is_moving or sweep(connection, now),
            checkpoints.between,
            checkpoints.count,
            now=now,
            sweep_seconds=sweep_seconds,
        )
        await work.start()
        checkpoints.start()
        return cls(work, checkpoints)

    @property
    def commits(self) -> int:
        return self._work.commits

    async def get(self, key: str) -> bytes | None:
        value: bytes | None = await self._work.read(lambda transaction: transaction.get(key))
        return value

    async def get_many(self, keys: Sequence[str]) -> list[bytes | None]:
        values: list[bytes | None] = await self._work.read(
            lambda transaction: [transaction.get(key) for key in keys], rows=len(keys)
        )
        return values

    async def put_if_absent(self, key: str, value: bytes, ttl: float) -> bytes | None:
        def work(transaction: Transaction) -> bytes | None:
            current = transaction.get(key)
            if current is None:
                transaction.make(Put(key, value, ttl))
            return current

        current: bytes | None = await self._work.write(work)
        return current

    async def swap(self, expected: bytes | None, change: Change) -> bool:
        def work(transaction: Transaction) -> bool:
            if transaction.get(change.key) != expected:
                return False
            transaction.make(change)
            return True

        swapped: bool = await self._work.write(work)
        return swapped

    async def increment(self, key: str, by: int, ttl: float) -> int:
        def work(transaction: Transaction) -> int:
            total = counter(transaction.get(key)) + by
            transaction.make(Put(key, b"%d" % total, ttl))
            return total

        total: int = await self._work.write(work)
        return total

    async def listed(
        self, name: str, *, limit: int, newest_first: bool = True, minimum: float | None = None
    ) -> list[bytes]:
        lowest = float("-inf") if minimum is None else minimum
        values: list[bytes] = await self._work.read(
            lambda transaction: transaction.listed(
                name, limit=limit, newest_first=newest_first, minimum=lowest
            ),
            rows=limit,
        )
        return values

    async def count(self, name: str) -> int:
        total: int = await self._work.read(lambda transaction: transaction.count(name))
        return total

    async def apply(self, changes: Sequence[Change]) -> None:
        def work(transaction: Transaction) -> None:
            for change in changes:
                transaction.make(change)

        await self._work.write(work, rows=len(changes))

    async def publish(self, channel: str, message: bytes) -> None:
        self._fanout.publish(channel, message)

    def subscribe(self, channel: str) -> AsyncGenerator[bytes, None]:
        return self._fanout.subscribe(channel)

    async def ping(self) -> None:
        await self._work.read(lambda transaction: transaction.get(""))

    async def close(self) -> None:
        self._fanout.close()
        await asyncio.to_thread(self._checkpoints.stop)
        await self._work.stop()
