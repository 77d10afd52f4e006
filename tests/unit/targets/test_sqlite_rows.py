"""The compiled function of SQLite: the same values as through Python's module, and nothing it could read wrongly."""

from __future__ import annotations

import marshal
import math
import sqlite3
from array import array
from collections.abc import Iterator
from contextlib import closing

import pytest

from etl.errors import RowsRefused
from etl.mapping.model import Column, ColumnType, Constant, Table
from etl.messages import TupleRows
from etl.native import unavailable
from etl.targets.sqlite_insert import Insert
from etl.targets.sqlite_parents import ForeignKeyCheck
from etl.targets.sqlite_rows import FUNCTION, MOST_COLUMNS, is_known, offered

VALUES: list[object] = [
    None,
    True,
    False,
    0,
    1,
    -1,
    2**31 - 1,
    -(2**31),
    2**31,
    -(2**31) - 1,
    2**45,
    2**60 + 12345,
    -(2**60) - 12345,
    2**63 - 1,
    -(2**63) + 1,
    -(2**63),
    0.0,
    -0.0,
    0.1,
    -1.25,
    5e-324,
    1.7976931348623157e308,
    "",
    "x",
    " 12 ",
    "12",
    "1e3",
    "ünïcödé ☃ 𝄞 日本語",
    "\ud7ff\ue000\ufffd",
    "tab\tline\nquote'",
    "long" * 100_000,
    b"",
    b"\x00\xff\xed\xa0\x80",
]

TYPES = ("", "INTEGER", "TEXT", "REAL", "NUMERIC", "BLOB")
"""Of SQLite: by them a column changes what it is given."""


@pytest.fixture
def connection() -> Iterator[sqlite3.Connection]:
    """One that knows the function."""
    reason = unavailable()
    if reason:
        pytest.skip(reason)
    with offered():
        opened = sqlite3.connect(":memory:", isolation_level=None)
    with closing(opened):
        if not is_known(opened):
            pytest.skip("Python's SQLite keeps to itself, or its header was not there when etl was installed")
        yield opened


def described(width: int, type_name: str = "text") -> Table:
    columns = tuple(Column(f"v{place}", ColumnType(type_name), Constant("")) for place in range(width))
    return Table(name="t", records=(), columns=columns, key=())


def rows_of(values: list[object], width: int = 1) -> TupleRows:
    return TupleRows.of_values(values, array("I", range(len(values) // width)))


def created(connection: sqlite3.Connection, name: str, width: int, type_: str = "") -> None:
    connection.execute(f"CREATE TABLE {name} ({', '.join(f'v{place} {type_}' for place in range(width))})")


@pytest.mark.parametrize("type_", TYPES)
def test_values_land_as_through_python(connection: sqlite3.Connection, type_: str) -> None:
    values = [value for value in VALUES for _ in range(2)]
    found = []
    for compiled in (False, True):
        connection.execute("DROP TABLE IF EXISTS t")
        created(connection, "t", 2, type_)
        insert = Insert(described(2), 999, ForeignKeyCheck(described(2), ()), compiled=compiled)
        insert.run_encoded(connection, [rows_of(values, 2), rows_of([], 2), rows_of([1, "second batch"], 2)])
        found.append(connection.execute("SELECT typeof(v0), v0, typeof(v1), v1 FROM t ORDER BY rowid").fetchall())
    assert len(found[0]) == len(VALUES) + 1
    assert found[0] == found[1]


@pytest.mark.parametrize("encoding", ["UTF-8", "UTF-16le", "UTF-16be"])
def test_any_encoding_of_the_file(connection: sqlite3.Connection, encoding: str) -> None:
    connection.execute(f"PRAGMA encoding = '{encoding}'")
    created(connection, "t", 1)
    texts: list[object] = [value for value in VALUES if isinstance(value, str)]
    insert = Insert(described(1), 999, ForeignKeyCheck(described(1), ()), compiled=True)
    insert.run_encoded(connection, [rows_of(texts)])
    assert [text for (text,) in connection.execute("SELECT v0 FROM t ORDER BY rowid")] == texts


@pytest.mark.parametrize("width", [1, MOST_COLUMNS, MOST_COLUMNS + 1, 600])
def test_narrow_and_wide_tables(connection: sqlite3.Connection, width: int) -> None:
    created(connection, "t", width)
    values: list[object] = list(range(3 * width))
    insert = Insert(described(width), 999, ForeignKeyCheck(described(width), ()), compiled=True)
    insert.run_encoded(connection, [rows_of(values, width)])
    rows = connection.execute("SELECT * FROM t ORDER BY rowid").fetchall()
    assert [value for row in rows for value in row] == values
    assert len(rows) == 3


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
def test_no_nan_and_no_infinity(connection: sqlite3.Connection, value: float) -> None:
    created(connection, "t", 1)
    table = described(1, "double")
    insert = Insert(table, 999, ForeignKeyCheck(table, ()), compiled=True)
    with pytest.raises(RowsRefused, match="SQLite has no NaN and no infinity") as caught:
        insert.run_encoded(connection, [rows_of([1.0, value])])
    assert caught.value.row == 1
    assert connection.execute("SELECT count(*) FROM t").fetchall() == [(0,)]


@pytest.mark.parametrize("value", [2**63, -(2**63) - 1, 2**75, 2**200, "half a pair \ud800", "\udfff"])
def test_what_sqlite_cannot_hold_is_refused(connection: sqlite3.Connection, value: object) -> None:
    created(connection, "t", 1)
    insert = Insert(described(1), 999, ForeignKeyCheck(described(1), ()), compiled=True)
    with pytest.raises(sqlite3.IntegrityError) as caught:
        insert.run_encoded(connection, [rows_of([1, value])])
    assert caught.value.sqlite_errorcode == sqlite3.SQLITE_MISMATCH
    assert connection.execute("SELECT count(*) FROM t").fetchall() == [(0,)]


def test_one_bad_row_leaves_none_of_its_batch(connection: sqlite3.Connection) -> None:
    connection.execute("CREATE TABLE t (v0 UNIQUE)")
    insert = Insert(described(1), 999, ForeignKeyCheck(described(1), ()), compiled=True)
    connection.execute("BEGIN")
    with pytest.raises(sqlite3.IntegrityError, match="UNIQUE"):
        insert.run_encoded(connection, [rows_of([1, 2]), rows_of([3, 4, 3])])
    assert connection.in_transaction
    assert connection.execute("SELECT v0 FROM t ORDER BY 1").fetchall() == [(1,), (2,)]


def test_bytes_that_are_no_rows(connection: sqlite3.Connection) -> None:
    whole = marshal.dumps([1, "text", None, 2.5, 2**40, b"bytes"], 2)
    query = f"SELECT c0, c1, c2 FROM {FUNCTION}(3, ?)"
    assert connection.execute(query, (whole,)).fetchall() == [(1, "text", None), (2.5, 2**40, b"bytes")]
    for size in range(len(whole)):
        with pytest.raises(sqlite3.OperationalError, match="no rows that a worker has encoded"):
            connection.execute(query, (whole[:size],)).fetchall()
    for place in range(len(whole)):
        for byte in range(256):
            changed = whole[:place] + bytes([byte]) + whole[place + 1 :]
            try:
                rows = connection.execute(query, (changed,)).fetchall()
            except sqlite3.DatabaseError:  # as rows or as text
                continue
            assert all(len(row) == 3 for row in rows)


@pytest.mark.parametrize(
    "arguments", ["", "(3)", "(0, x'5b00000000')", "(251, x'5b00000000')", "(1, 'text')", "(1, NULL)"]
)
def test_arguments_that_are_none(connection: sqlite3.Connection, arguments: str) -> None:
    with pytest.raises(sqlite3.OperationalError):
        connection.execute(f"SELECT c0 FROM {FUNCTION}{arguments}").fetchall()


def test_a_view_of_the_file_cannot_call_it(connection: sqlite3.Connection) -> None:
    connection.execute(f"CREATE VIEW sly AS SELECT c0 FROM {FUNCTION}(1, x'5b00000000')")
    with pytest.raises(sqlite3.OperationalError, match="unsafe use"):
        connection.execute("SELECT * FROM sly").fetchall()


def test_connections_of_others_do_not_know_it(connection: sqlite3.Connection) -> None:
    with closing(sqlite3.connect(":memory:")) as other:
        assert not is_known(other)
    assert is_known(connection)


def test_turned_off(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ETL_NATIVE", "0")
    with offered(), closing(sqlite3.connect(":memory:")) as opened:
        assert not is_known(opened)
