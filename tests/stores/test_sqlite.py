"""The SQLite store beyond the contract: its file, its restarts, its group commit, its sweep."""

import asyncio
import os
import sqlite3
import stat
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from gateway.problems import StoreUnavailable
from gateway.stores import Change, Put, StoreUnusable, open_store
from gateway.stores.sqlite import SqliteStore

Advance = Callable[[float], None]


def _scalar(path: Path, statement: str) -> int:
    connection = sqlite3.connect(path)
    try:
        value: int = connection.execute(statement).fetchone()[0]
        return value
    finally:
        connection.close()


def _write(path: Path, *statements: str) -> None:
    connection = sqlite3.connect(path)
    for statement in statements:
        connection.execute(statement)
    connection.commit()
    connection.close()


async def test_everything_survives_a_restart(tmp_path: Path, clock: Callable[[], float]) -> None:
    store = await SqliteStore.open(tmp_path / "store.db", now=clock)
    await store.apply([Put("a", b"1", 60), Put("m", b"2", 60, listed="s", score=2.5)])
    await store.increment("n", 3, 60)
    await store.close()
    store = await SqliteStore.open(tmp_path / "store.db", now=clock)
    assert await store.get("a") == b"1"
    assert await store.increment("n", 1, 60) == 4
    assert await store.listed("s", limit=9, minimum=2.5) == [b"2"]
    await store.close()


async def test_operations_that_wait_together_commit_together(tmp_path: Path) -> None:
    store = await SqliteStore.open(tmp_path / "store.db")
    await asyncio.gather(*(store.put(f"k{number}", b"1", 60) for number in range(500)))
    assert 1 <= store.commits <= 50
    before = store.commits
    assert await store.get_many([f"k{number}" for number in range(500)]) == [b"1"] * 500
    assert store.commits == before
    await store.close()


async def test_a_failing_operation_takes_no_other_with_it(tmp_path: Path) -> None:
    store = await SqliteStore.open(tmp_path / "store.db")
    half: list[Change] = [Put("half", b"1", 60), Put("m", b"1", 60, "s", float("nan"))]
    outcomes = await asyncio.gather(
        store.increment("n", 1, 60),
        store.apply(half),
        store.increment("n", 1, 60),
        return_exceptions=True,
    )
    assert [outcomes[0], outcomes[2]] == [1, 2]
    assert isinstance(outcomes[1], StoreUnavailable)
    assert isinstance(outcomes[1].__cause__, sqlite3.IntegrityError)
    assert await store.get("half") is None
    await store.close()


async def test_a_locked_file_is_unavailable_and_then_is_not(tmp_path: Path) -> None:
    path = tmp_path / "store.db"
    store = await SqliteStore.open(path)
    await store.put("a", b"1", 60)
    blocker = sqlite3.connect(path, isolation_level=None)
    blocker.execute("BEGIN IMMEDIATE")
    with pytest.raises(StoreUnavailable):
        await store.put("a", b"2", 60)
    assert await store.get("a") == b"1"
    blocker.execute("ROLLBACK")
    blocker.close()
    await store.put("a", b"3", 60)
    assert await store.get("a") == b"3"
    await store.close()


async def test_expired_rows_are_swept_in_slices(
    tmp_path: Path, clock: Callable[[], float], advance: Advance
) -> None:
    path = tmp_path / "store.db"
    store = await SqliteStore.open(path, now=clock, sweep_seconds=0)
    await store.apply([Put(f"k{number}", b"1", 10) for number in range(1200)])
    await store.apply([Put(f"m{number}", b"1", 10, listed="s") for number in range(3)])
    await store.put("stays", b"1", 60)
    advance(10)
    async with asyncio.timeout(5):
        while _scalar(path, "SELECT count(*) FROM entries") > 1:
            await store.ping()
    assert await store.get("stays") == b"1"
    await store.close()


@pytest.mark.skipif(os.name == "nt", reason="POSIX permissions")
async def test_only_the_owner_may_read_the_file(tmp_path: Path) -> None:
    store = await open_store("sqlite:state/deep/store.db", base=tmp_path)
    await store.put("a", b"1", 60)
    folder = tmp_path / "state" / "deep"
    modes = {file.name: stat.S_IMODE(file.stat().st_mode) for file in folder.iterdir()}
    assert modes == {"store.db": 0o600, "store.db-wal": 0o600, "store.db-shm": 0o600}
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    await store.close()


async def test_close_ends_the_thread_and_refuses_what_follows(tmp_path: Path) -> None:
    store = await SqliteStore.open(tmp_path / "store.db")
    last = asyncio.gather(*(store.put(f"k{number}", b"1", 60) for number in range(10)))
    await asyncio.sleep(0)
    await store.close()
    await last
    assert not [
        thread for thread in threading.enumerate() if thread.name.startswith("store-sqlite")
    ]
    with pytest.raises(StoreUnavailable):
        await store.get("a")
    await store.close()
    assert _scalar(tmp_path / "store.db", "SELECT count(*) FROM entries") == 10


def _corrupt(path: Path) -> None:
    path.write_bytes(b"this is no database, " * 500)


def _newer(path: Path) -> None:
    _write(path, "PRAGMA application_id = 0x6F6C6777", "PRAGMA user_version = 99")


def _foreign(path: Path) -> None:
    _write(path, "CREATE TABLE theirs (a)", "PRAGMA user_version = 1")


def _folder(path: Path) -> None:
    path.mkdir()


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (_corrupt, "not a database"),
        (_newer, r"newer version of the gateway \(schema 99, this one knows 2\)"),
        (_foreign, "another program"),
        (_folder, "unable to open"),
    ],
)
async def test_an_unusable_file_is_named_and_left_alone(
    tmp_path: Path, spoil: Callable[[Path], None], message: str
) -> None:
    path = tmp_path / "store.db"
    spoil(path)
    before = path.read_bytes() if path.is_file() else None
    with pytest.raises(StoreUnusable, match=message) as caught:
        await open_store("sqlite:store.db", base=tmp_path)
    assert str(path) in str(caught.value)
    assert before is None or path.read_bytes() == before
    assert not [
        thread for thread in threading.enumerate() if thread.name.startswith("store-sqlite")
    ]


async def test_a_file_that_breaks_in_use_is_unavailable(tmp_path: Path) -> None:
    path = tmp_path / "store.db"
    store = await SqliteStore.open(path)
    await store.apply([Put(f"k{number}", b"x" * 1000, 60) for number in range(500)])
    await store.close()
    damaged = bytearray(path.read_bytes())
    damaged[8192:] = b"\xff" * (len(damaged) - 8192)
    path.write_bytes(damaged)
    store = await SqliteStore.open(path)
    with pytest.raises(StoreUnavailable):
        await store.get_many([f"k{number}" for number in range(500)])
    await store.close()


@pytest.mark.parametrize("url", ["", "memory", "sqlite:", "postgres://a/b"])
async def test_an_unknown_url_is_refused(tmp_path: Path, url: str) -> None:
    with pytest.raises(StoreUnusable, match="must be memory:, sqlite:PATH or redis://"):
        await open_store(url, base=tmp_path)
