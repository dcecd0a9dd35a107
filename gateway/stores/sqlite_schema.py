"""The tables of a store's SQLite file, and how those of older files become them."""

import sqlite3

APPLICATION_ID = 0x6F6C6777  # "olgw": tells our files from any other program's
VERSION = 2

# The value comes last, so that a large one is not read for what comes before it; the index holds
# all that listing and counting look at. There is none by expiry: see `sqlite_sweep`.
_TABLES = """
CREATE TABLE entries (
    key BLOB PRIMARY KEY, expires REAL NOT NULL, list BLOB, score REAL NOT NULL, value BLOB NOT NULL
) WITHOUT ROWID;
CREATE INDEX entries_by_list ON entries (list, score, key, expires) WHERE list IS NOT NULL;
"""

# Version 1 kept ordered sets of names beside the entries that were meant by them.
_FROM_VERSION_1 = """
CREATE TEMP TABLE places (key BLOB PRIMARY KEY, list BLOB, score REAL) WITHOUT ROWID;
INSERT OR REPLACE INTO places
    SELECT CAST('operation:' || member AS BLOB), name, score FROM members
    WHERE CAST(name AS TEXT) GLOB 'operations:*' OR CAST(name AS TEXT) GLOB 'running:*'
    ORDER BY name;
INSERT INTO places
    SELECT CAST('attempt:' || member AS BLOB), name, score FROM members
    WHERE CAST(name AS TEXT) = 'attempts';
INSERT INTO entries (key, expires, list, score, value)
    SELECT key, expires, list, coalesce(score, 0.0), value
    FROM entries_1 LEFT JOIN places USING (key) ORDER BY key;
INSERT INTO entries (key, expires, list, score, value)
    SELECT CAST('team:' || substr(name, 9) AS BLOB), max(expires), CAST('teams' AS BLOB), 0.0,
        substr(name, 9)
    FROM members WHERE CAST(name AS TEXT) GLOB 'running:*' GROUP BY name;
DROP TABLE places;
DROP TABLE entries_1;
DROP TABLE members;
"""


def create(connection: sqlite3.Connection) -> None:
    _run(connection, _TABLES)


def upgrade(connection: sqlite3.Connection) -> None:
    """From version 1, or not at all: what fails leaves the file as it was."""
    _run(connection, "ALTER TABLE entries RENAME TO entries_1;" + _TABLES + _FROM_VERSION_1)


def _run(connection: sqlite3.Connection, statements: str) -> None:
    connection.executescript(
        f"BEGIN IMMEDIATE; {statements} PRAGMA application_id = {APPLICATION_ID};"
        f" PRAGMA user_version = {VERSION}; COMMIT;"
    )
