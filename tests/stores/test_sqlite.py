"""The SQLite store beyond the contract: its file, its restarts, its group commit, its sweep."""

import asyncio
import itertools
import os
import sqlite3
import stat
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from gateway.problems import StoreUnavailable
from gateway.stores import Change, Put, StoreUnusable, open_store, sqlite_checkpoints
from gateway.stores.sqlite import SqliteStore
from gateway.stores.sqlite_checkpoints import Checkpoints
from gateway.stores.sqlite_file import open_file
from gateway.stores.sqlite_sweep import SLICE, Sweep
from gateway.stores.sqlite_transaction import Transaction

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
    assert store.commits == 1  # what is asked for in one turn of the loop travels together
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


async def test_what_shares_a_transaction_sees_what_came_before(tmp_path: Path) -> None:
    store = await SqliteStore.open(tmp_path / "store.db")
    outcomes = await asyncio.gather(
        store.apply([Put("a", b"1", 60, listed="s"), Put("b", b"2", 60)]),
        store.swap(b"1", Put("a", b"3", 60, listed="t")),
        store.swap(b"1", Put("a", b"5", 60)),
        store.delete("a"),
        store.put_if_absent("a", b"4", 60),
        store.increment("n", 1, 60),
        store.increment("n", 1, 60),
    )
    assert outcomes == [None, True, False, None, None, 1, 2]
    assert store.commits == 1
    assert await store.get_many(["a", "b", "n"]) == [b"4", b"2", b"2"]
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
    async with asyncio.timeout(30):
        while _scalar(path, "SELECT count(*) FROM entries") > 1:
            await store.ping()
    assert await store.get("stays") == b"1"
    await store.close()


async def test_the_sweep_goes_round_all_keys(tmp_path: Path) -> None:
    """Those that sort first and last, and those that a slice ends with."""
    connection = open_file(tmp_path / "store.db")
    transaction = Transaction(connection, 100.0)
    for number in range(3 * SLICE):
        transaction.make(Put(f"k{number:04}", b"1", 10 + number % 2, "s"))
    for key in ("", "\0", "\udcff\udcff"):
        transaction.make(Put(key, b"1", 10))
    transaction.flush()
    sweep = Sweep()
    rounds = sum(sweep(connection, 110.5) for _ in range(4))
    left = connection.execute("SELECT count(*), min(expires) FROM entries").fetchone()
    assert (rounds, left) == (3, (3 * SLICE // 2, 111.0))
    assert connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)
    # What lives is no reason to hurry; and the next round begins with the first key.
    assert not any(sweep(connection, 110.5) for _ in range(4))
    for _ in range(4):
        sweep(connection, 111.0)
    assert connection.execute("SELECT count(*) FROM entries").fetchone() == (0,)
    connection.close()


async def test_the_log_moves_into_the_file_while_it_is_open(tmp_path: Path) -> None:
    path = tmp_path / "store.db"
    connection = open_file(path)
    _put(connection)
    checkpoints = Checkpoints(path, seconds=0.005)
    checkpoints.start()
    checkpoints.count()
    async with asyncio.timeout(30):
        # Without its companions, the file holds what was moved into it, and nothing else.
        while not _values_in_a_copy(path):  # noqa: ASYNC110 - nothing tells of it
            await asyncio.sleep(0.01)
    checkpoints.stop()
    connection.close()


def _values_in_a_copy(path: Path) -> list[bytes]:
    copy = path.with_name("copy.db")
    copy.write_bytes(path.read_bytes())
    connection = sqlite3.connect(copy)
    try:
        return [value for (value,) in connection.execute("SELECT value FROM entries")]
    except sqlite3.DatabaseError:
        return []  # copied in the middle of a move
    finally:
        connection.close()


async def test_the_log_starts_anew_though_there_is_always_a_commit(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "store.db"
    writer, move, pages = open_file(path), sqlite_checkpoints._move, itertools.count(100)

    def move_and_never_end(connection: sqlite3.Connection) -> int:
        return move(connection) if connection is writer else next(pages)

    monkeypatch.setattr(sqlite_checkpoints, "_move", move_and_never_end)
    checkpoints = Checkpoints(path, seconds=0.001, long_log_pages=50)
    _put(writer)
    log = path.with_name("store.db-wal")
    first = _salt(log)
    checkpoints.start()
    async with asyncio.timeout(30):
        while _salt(log) == first:
            _put(writer)
            checkpoints.count()
            checkpoints.between(writer)
            await asyncio.sleep(0.001)
    checkpoints.stop()
    writer.close()


def _salt(log: Path) -> bytes:
    """Another one each time that the log starts anew (https://www.sqlite.org/walformat.html)."""
    return log.read_bytes()[16:24]


def _put(connection: sqlite3.Connection) -> None:
    connection.execute("BEGIN IMMEDIATE")
    transaction = Transaction(connection, 0.0)
    transaction.make(Put("a", os.urandom(5000), 60))
    transaction.flush()
    connection.execute("COMMIT")


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
