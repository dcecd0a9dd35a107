"""Reading data files: what becomes of which content."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.simulator.content import Bytes
from gateway.simulator.data import Row, UnreadableData, rows_of
from gateway.simulator.files import DATA_FILE, DATAMAPPER, ManagedFile

CONFIG = ManagedFile(1, "", DATAMAPPER, Bytes(b'<datamapper type="CSV"/>'), True, 0)


def rows(content: bytes) -> list[Row]:
    return rows_of(CONFIG, ManagedFile(2, "", DATA_FILE, Bytes(content), False, 0))


def test_csv_keeps_text_as_it_is() -> None:
    assert rows(b'\xef\xbb\xbfA;B\r\n001;"x;\ny"\r\n')[0].values == {"A": "001", "B": "x;\ny"}


def test_json_keeps_every_digit_and_knows_types() -> None:
    (row,) = rows(b'[{"n": 1.50, "i": 12345678901234567890, "b": true, "s": "001", "x": null}]')
    assert row.values == {
        "n": "1.50",
        "i": "12345678901234567890",
        "b": "true",
        "s": "001",
        "x": "",
    }
    assert row.types == {
        "n": "FLOAT",
        "i": "INTEGER",
        "b": "BOOLEAN",
        "s": "STRING",
        "x": "STRING",
    }


def test_nested_arrays_become_detail_tables() -> None:
    (row,) = rows(b'[{"a": "1", "lines": [{"b": "2"}, {"b": "3"}]}]')
    assert [detail.values for detail in row.tables["lines"]] == [{"b": "2"}, {"b": "3"}]


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"A,B\n",
        b"A,B\n1\n",
        b'A\n"x"y"\n',
        b"\xff\xfe",
        b"A\0B\n1\n",
        b"[",
        b"[]",
        b"[1]",
        b"[" * 100_000,
    ],
)
def test_unreadable(content: bytes) -> None:
    with pytest.raises(UnreadableData):
        rows(content)


@given(st.binary(max_size=200))
def test_any_bytes_are_records_or_unreadable(content: bytes) -> None:
    try:
        found = rows(content)
    except UnreadableData:
        return
    assert found


@given(
    st.lists(
        st.dictionaries(st.text(max_size=5), st.text(max_size=5), max_size=3),
        min_size=1,
        max_size=3,
    )
)
def test_json_text_comes_back(entries: list[dict[str, str]]) -> None:
    found = rows(json.dumps(entries).encode())
    assert [row.values for row in found] == entries
