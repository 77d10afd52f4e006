"""Rows as COPY text and as tuples hold the same values."""

from __future__ import annotations

from array import array

from hypothesis import given
from hypothesis import strategies as st

from etl.mapping.model import Column, ColumnType, Constant, Table
from etl.messages import CopyRows, TupleRows
from etl.transform.elements import NULL
from etl.transform.encoder import copy_text, encode
from tests.splits import decode_copy

XML_TEXT = st.text(st.characters(exclude_categories=["Cs", "Cc"]) | st.sampled_from("\t\n\r\\NtnrΩ\U0001f600"))


@given(st.lists(st.tuples(XML_TEXT | st.none(), XML_TEXT | st.none()), max_size=20))
def test_copy_text_comes_back(rows: list[tuple[str | None, str | None]]) -> None:
    columns = [[NULL if row[place] is None else str(row[place]) for row in rows] for place in (0, 1)]
    data = copy_text(columns, len(rows))
    assert data.count(b"\n") == len(rows)
    assert decode_copy(data) == rows


def test_tuples_hold_python_values() -> None:
    types = ["bigint", "boolean", "double", "text", "numeric"]
    table = Table("t", tuple(Column(name, ColumnType(name), Constant("")) for name in types), ())
    columns = [["1", NULL], ["true", "false"], ["0.5", NULL], ["\\", NULL], ["1.50", "2"]]
    records = array("I", [0, 1])
    rows = encode(table, columns, records, "tuples")
    assert isinstance(rows, TupleRows)
    assert rows.rows == [(1, True, 0.5, "\\", "1.50"), (None, False, None, None, "2")]
    assert rows.records == records
    copied = encode(table, columns, records, "copy")
    assert isinstance(copied, CopyRows)
    assert copied.data == b"1\ttrue\t0.5\t\\\\\t1.50\n\\N\tfalse\t\\N\t\\N\t2\n"
    assert copied.records == records


def test_no_rows() -> None:
    table = Table("t", (Column("c", ColumnType("text"), Constant("")),), ())
    assert encode(table, [[]], array("I"), "copy") == CopyRows(b"", array("I"))
    assert encode(table, [[]], array("I"), "tuples") == TupleRows.of_columns([[]], array("I"))
