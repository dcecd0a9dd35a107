"""A store's file of the first form, which kept sets of names beside the entries, is taken over."""

import sqlite3
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from gateway.ledger import Ledger
from gateway.model import Kind, Status, Thing
from gateway.operation import Operation
from gateway.stores import Store, StoreUnusable, open_store

NOW = 1_700_000_000.0
LATER = NOW + 86_400
RECORD = (
    '{"id":"%s","service":"data_mapping","endpoint":"data_mapping.process","team":"billing",'
    '"issuer":"corporate","subject":"jane","credential":"printing","created":%.1f,"leaves":null,'
    '"presets":["4"],"simplified":false,"pipeline":null,"filename":null,"content_type":null,'
    '"create_only":false,"status":"%s","progress":0,"finished":null,"result":[],"problem":null,'
    '"idempotency":null}'
)
SCHEMA = """
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
PRAGMA application_id = 0x6F6C6777;
PRAGMA user_version = 1;
"""
ENTRIES = {
    "operation:old": RECORD % ("old", NOW, "succeeded"),
    "operation:new": RECORD % ("new", NOW + 2, "running"),
    "owner:operation:new": "billing",
    "owner:job:5": "billing",
    "attempt:lost": RECORD % ("lost", NOW + 3, "running"),
    "idempotency:\udcff": "{}",
}
MEMBERS = (
    ("operations:billing", "old", NOW),
    ("operations:billing", "new", NOW + 2),
    ("operations:billing", "long gone", NOW - 9),
    ("running:billing", "new", NOW + 2),
    ("running", "new", NOW + 2),
    ("attempts", "lost", NOW + 3),
)


def _bytes(text: str) -> bytes:
    return text.encode("utf-8", "surrogatepass")


@pytest.fixture
def path(tmp_path: Path) -> Path:
    path = tmp_path / "old.db"
    connection = sqlite3.connect(path)
    connection.executescript(SCHEMA)
    connection.executemany(
        "INSERT INTO entries VALUES (?, ?, ?)",
        [(_bytes(key), value.encode(), LATER) for key, value in ENTRIES.items()],
    )
    connection.executemany(
        "INSERT INTO members VALUES (?, ?, ?, ?)",
        [(_bytes(name), _bytes(member), score, LATER) for name, member, score in MEMBERS],
    )
    connection.commit()
    connection.close()
    return path


@pytest.fixture
async def store(path: Path) -> AsyncIterator[Store]:
    store = await open_store("sqlite:old.db", base=path.parent, now=lambda: NOW)
    yield store
    await store.close()


async def test_operations_are_where_they_were(store: Store) -> None:
    ledger = Ledger(store, lambda: NOW)
    assert [each.id for each in await ledger.operations("billing", limit=9)] == ["new", "old"]
    assert [each.id for each in await ledger.running()] == ["new"]
    assert await ledger.count_running("billing") == 1
    things = [Thing(Kind.OPERATION, "new"), Thing(Kind.OPERATION, "old"), Thing(Kind.JOB, "5")]
    assert await ledger.owners(things) == ["billing"] * 3
    await ledger.end("new", Status.SUCCEEDED)
    assert await ledger.running() == []


async def test_attempts_are_found(store: Store) -> None:
    (value,) = await store.listed("attempts", limit=9)
    assert Operation.from_bytes(value).id == "lost"


async def test_every_entry_is_kept_until_it_expires(store: Store) -> None:
    values = await store.get_many(list(ENTRIES))
    assert values == [value.encode() for value in ENTRIES.values()]


async def test_it_is_taken_over_once(path: Path) -> None:
    for _ in range(2):
        store = await open_store("sqlite:old.db", base=path.parent, now=lambda: NOW)
        await store.close()
    connection = sqlite3.connect(path)
    names = {name for (name,) in connection.execute("SELECT name FROM sqlite_master")}
    connection.close()
    assert names >= {"entries", "entries_by_list"}
    assert not {name for name in names if "member" in name or "expiry" in name}


async def test_what_cannot_be_taken_over_stays_as_it_is(path: Path) -> None:
    connection = sqlite3.connect(path)
    connection.execute("DROP TABLE members")
    connection.commit()
    before = list(connection.iterdump())
    with pytest.raises(StoreUnusable, match="cannot be used"):
        await open_store("sqlite:old.db", base=path.parent)
    assert list(connection.iterdump()) == before
    assert connection.execute("PRAGMA user_version").fetchone() == (1,)
    connection.close()
