"""Which row and column PostgreSQL's and SQLite's words point at, and which errors are about rows at all."""

from __future__ import annotations

import sqlite3
from array import array

import psycopg
import pytest

from etl.loading.row_ranges import RowRanges
from etl.messages import CopyRows, TupleRows
from etl.targets import sqlite_errors
from etl.targets.postgres_errors import refusal, row_of_key
from etl.targets.sqlite_errors import translate


class Diagnosis:
    """What psycopg tells of an error."""

    def __init__(self, context: str = "", detail: str = "", table: str = "") -> None:
        self.message_primary = "no"
        self.message_detail = detail
        self.context = context
        self.table_name = table
        self.column_name = None


def failure(state: str, **said: str) -> psycopg.Error:
    class Failure(psycopg.errors.lookup("23505") if state == "23505" else psycopg.Error):  # type: ignore[misc]
        sqlstate = state
        diag = Diagnosis(**said)

    error: psycopg.Error = Failure("no")
    return error


@pytest.mark.parametrize(
    ("table", "context", "row", "column"),
    [
        ("release", 'COPY release, line 2, column id: "x"', 1, "id"),
        ("release", "COPY release, line 3", 2, ""),
        ("release", 'COPY release, line 2: "id: 7"', 1, ""),
        ("t2024", 'COPY t2024, line 12, column id: "x"', 11, "id"),
        ("release", "COPY release, Zeile 5, Spalte id: »x«", 4, "id"),
        ("release", "COPY release, ligne 5, colonne id : « x »", 4, "id"),
        ("release", 'COPY release, 行 5, 列 id: "x"', 4, "id"),
        ("C", "COPY C, line 4", 3, ""),
        ("release", 'PL/pgSQL function release() line 3 at RAISE\nCOPY release, line 9: "x"', 8, ""),
        ("release", "SQL statement 1", None, ""),
        ("release", "", None, ""),
    ],
)
def test_the_place_in_a_copy_whatever_the_language(table: str, context: str, row: int | None, column: str) -> None:
    refused = refusal(failure("22003", context=context), {table: ["id", "title"]})
    assert refused is not None
    assert (refused.row, refused.column, refused.table, refused.reason) == (row, column, table, "out_of_range")


@pytest.mark.parametrize(
    ("state", "is_about_rows"),
    [
        *((state, True) for state in ("22001", "22P02", "23502", "23P01", "44000", "P0001", "ZZ123", "21000", "54000")),
        *(
            (state, False)
            for state in ("42501", "42P01", "40P01", "53100", "57014", "25006", "54023", "XX000", "08006")
        ),
    ],
)
def test_what_is_about_rows(state: str, is_about_rows: bool) -> None:
    assert (refusal(failure(state), {"release": ["id"]}) is not None) is is_about_rows


def test_a_table_of_somebody_else_names_no_column_of_ours() -> None:
    refused = refusal(failure("23505", detail="Key (id)=(7) already exists.", table="audit"), {"release": ["id"]})
    assert refused is not None
    assert (refused.table, refused.column) == ("release", "")


@pytest.mark.parametrize(
    ("state", "detail", "row"),
    [
        ("23503", 'Key (a)=(7) is not present in table "x".', 1),
        ("23505", "Schlüssel »(a)=(7)« existiert bereits.", 3),
        ("23505", "Key (a, b)=(7, y) already exists.", 3),
        ("23505", "Key (a, b)=(7, z) already exists.", None),
        ("23505", "Key (other)=(7) already exists.", None),
        ("23505", "", None),
    ],
)
def test_the_row_of_a_key(state: str, detail: str, row: int | None) -> None:
    rows = [["70", "x"], ["7", "x"], ["8", "y"], ["7", "y"], ["7", "w"]]
    assert row_of_key(failure(state, detail=detail), ["a", "b"], rows) == row


def test_rows_by_their_records() -> None:
    records = array("I", [3, 0, 3, 7])
    copied = RowRanges(CopyRows(b"c\na\nd\ne\n", records)).of(0, 7)
    assert isinstance(copied, CopyRows)
    assert (copied.data, list(copied.records)) == (b"a\nc\nd\n", [0, 3, 3])
    ranges = RowRanges(TupleRows.of_columns([["c", "a", "d", "e"]], records, 5))
    given = ranges.of(1, 8)
    assert isinstance(given, TupleRows)
    assert (given.rows, given.split, ranges.count(1, 8), ranges.record(1, 2)) == ([("c",), ("d",), ("e",)], 5, 3, 7)


def test_a_value_too_large_for_sqlite_is_about_its_row() -> None:
    with sqlite3.connect(":memory:") as connection:
        connection.setlimit(sqlite3.SQLITE_LIMIT_LENGTH, 10)
        with pytest.raises(sqlite3.DataError) as caught:
            connection.execute("SELECT ?", ("x" * 100,))
    connection.close()
    refused = sqlite_errors.refusal(caught.value, None, None)
    assert refused is not None
    assert refused.reason == "too_long"
    assert "too big" in str(translate(caught.value, "x.db"))
