"""Who does the work that is asked of a SQLite file: the loop's own thread, or one that may wait."""

import asyncio
import threading
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path
from sqlite3 import Connection

from gateway.stores.group_commit import (
    LARGEST_IN_LOOP_ROWS,
    SLOW_PAUSE_SECONDS,
    SLOW_SECONDS,
    GroupCommit,
)
from gateway.stores.sqlite_file import open_file
from gateway.stores.sqlite_transaction import Transaction


class Disk:
    """Its time passes only when work is done, by ``seconds`` each time."""

    def __init__(self) -> None:
        self.now = 0.0
        self.seconds = 0.0

    def worker(self, _: Transaction) -> bool:
        """Whether the loop's thread does this."""
        self.now += self.seconds
        return threading.current_thread() is threading.main_thread()


@asynccontextmanager
async def _opened(
    path: Path, disk: Disk, sweep: Callable[[Connection, float], bool] = lambda *_: False
) -> AsyncIterator[GroupCommit]:
    work = GroupCommit(
        partial(open_file, path / "store.db"),
        sweep,
        between=lambda _: None,
        wrote=lambda: None,
        now=lambda: 0.0,
        sweep_seconds=0.0 if sweep.__name__ != "<lambda>" else 3600.0,
        timer=lambda: disk.now,
    )
    await work.start()
    try:
        yield work
    finally:
        await work.stop()


async def test_what_is_quick_is_done_in_the_loop(tmp_path: Path) -> None:
    disk = Disk()
    async with _opened(tmp_path, disk) as work:
        assert await work.read(disk.worker)
        assert await work.write(disk.worker)


async def test_what_may_take_long_is_not(tmp_path: Path) -> None:
    disk = Disk()
    async with _opened(tmp_path, disk) as work:
        assert not await work.read(disk.worker, rows=LARGEST_IN_LOOP_ROWS + 1)
        each = [work.write(disk.worker, rows=LARGEST_IN_LOOP_ROWS - 1) for _ in range(2)]
        assert await asyncio.gather(*each) == [False, False]


async def test_a_slow_disk_holds_the_loop_up_once_in_a_while_only(tmp_path: Path) -> None:
    disk = Disk()
    async with _opened(tmp_path, disk) as work:
        disk.seconds = 2 * SLOW_SECONDS
        done_in_loop = [await work.write(disk.worker) for _ in range(50)]
        assert done_in_loop == [True] * 2 + [False] * 48
        disk.now += SLOW_PAUSE_SECONDS
        assert [await work.read(disk.worker) for _ in range(3)] == [True, True, False]


async def test_once_is_not_slow(tmp_path: Path) -> None:
    disk = Disk()
    async with _opened(tmp_path, disk) as work:
        for seconds in (2 * SLOW_SECONDS, 0.0, 2 * SLOW_SECONDS, 0.0):
            disk.seconds = seconds
            assert await work.write(disk.worker)


async def test_the_loop_does_not_wait_for_the_thread(tmp_path: Path) -> None:
    disk, began, end = Disk(), threading.Event(), threading.Event()

    def sweep(_: Connection, __: float) -> bool:
        began.set()
        end.wait(60)
        return False

    async with _opened(tmp_path, disk, sweep) as work:
        assert await asyncio.to_thread(began.wait, 60)
        async with asyncio.TaskGroup() as group:
            asked = [
                group.create_task(work.read(disk.worker)),
                group.create_task(work.write(disk.worker)),
            ]
            done, _ = await asyncio.wait(asked, timeout=0.05)
            assert not done
            end.set()
        assert [task.result() for task in asked] == [False, False]
