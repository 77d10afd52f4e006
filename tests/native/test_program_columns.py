"""Which columns the scanner converts itself, how, and which it asks Python for."""

from __future__ import annotations

import pytest

from etl.messages import RowFormat
from etl.native import program_codes as codes
from etl.native.program import ColumnLayout, ColumnRule, ColumnType, compile_program
from tests.splits import mapping_of


def layout(column: str, row_format: RowFormat = "copy") -> ColumnLayout:
    mapping = mapping_of(f"  r: {{each: /root/r, key: k, columns: {{k: '@k', c: {column}}}}}")
    return compile_program(mapping, row_format, [((0, 0),)]).layouts[0][1]


def rule(column: str, row_format: RowFormat = "copy") -> ColumnRule:
    found = layout(column, row_format).rule
    assert found is not None
    return found


@pytest.mark.parametrize(
    ("column", "type_"),
    [
        ("{path: a}", ColumnType(0)),
        ("{path: a, type: varchar(7)}", ColumnType(1, length=7)),
        ("{path: a, type: numeric}", ColumnType(6)),
        ("{path: a, type: 'numeric(9,2)'}", ColumnType(6, precision=9, scale=2)),
        ("{path: a, type: date, formats: ['%Y']}", ColumnType(9)),
        ("{path: a, type: timestamptz}", ColumnType(12)),
        ("{path: a, type: timestamptz, timezone: Europe/Berlin}", ColumnType(codes.ETL_TYPE_PYTHON, utc=0)),
        ("{path: a, type: jsonb}", ColumnType(codes.ETL_TYPE_PYTHON)),
        ("{path: a, type: bytes(hex)}", ColumnType(codes.ETL_TYPE_PYTHON)),
    ],
)
def test_types(column: str, type_: ColumnType) -> None:
    assert rule(column).type == type_


@pytest.mark.parametrize(
    ("column", "row_format", "asks"),
    [
        ("{path: a, transform: [lower, upper, collapse, {map: {a: b}}]}", "copy", False),
        ("{path: a, transform: {replace: [a, b]}}", "copy", True),
        ("{path: a, transform: [lower, {python: 'tests.row_functions:shorten'}]}", "copy", True),
        ("{path: a, many: json}", "copy", True),
        ("{path: a, many: array}", "copy", False),
        ("{path: a, many: array}", "tuples", True),
        ("{path: a, many: join}", "tuples", False),
        ("{path: a, type: double}", "tuples", False),
    ],
)
def test_what_python_is_asked(column: str, row_format: RowFormat, asks: bool) -> None:
    assert rule(column, row_format).asks is asks


def test_steps_are_in_order_and_maps_sorted_by_bytes() -> None:
    made = rule("{path: a, transform: [collapse, {map: {é: 2, z: 1, Z: 3}}, upper]}")
    assert made.steps == (
        (codes.ETL_STEP_COLLAPSE, ()),
        (codes.ETL_STEP_MAP, (("Z", "3"), ("z", "1"), ("é", "2"))),
        (codes.ETL_STEP_UPPER, ()),
    )


def test_defaults_are_canonical() -> None:
    assert rule("{path: a, type: integer, default: '+007', nulls: ['-', '']}").fallback == "7"
    assert rule("{path: a, type: integer, nulls: ['-', '']}").nulls == ("-", "")


@pytest.mark.parametrize(
    ("column", "python"),
    [
        ("{path: a}", codes.ETL_PYTHON_STR),
        ("{path: a, type: bigint}", codes.ETL_PYTHON_INT),
        ("{path: a, type: bigint, sql: oid}", codes.ETL_PYTHON_STR),
        ("{path: a, type: bigint, many: array}", codes.ETL_PYTHON_STR),
        ("{path: a, type: boolean}", codes.ETL_PYTHON_BOOL),
        ("{path: a, type: real}", codes.ETL_PYTHON_FLOAT),
        ("{path: a, type: numeric}", codes.ETL_PYTHON_STR),
        ("{path: a, type: 'numeric(9,2)'}", codes.ETL_PYTHON_FLOAT),
        ("{path: a, type: numeric(9)}", codes.ETL_PYTHON_INT),
        ("{meta: line}", codes.ETL_PYTHON_INT),
    ],
)
def test_what_a_target_without_copy_gets(column: str, python: int) -> None:
    assert layout(column, "tuples").python == python


@pytest.mark.parametrize(
    ("column", "source", "index"),
    [
        ("{meta: source}", codes.ETL_FROM_SOURCE, 0),
        ("{meta: load_id}", codes.ETL_FROM_SOURCE, 1),
        ("{meta: loaded_at}", codes.ETL_FROM_SOURCE, 2),
        ("{meta: offset}", codes.ETL_FROM_OFFSET, 0),
        ("{meta: record}", codes.ETL_FROM_RECORD, 0),
        ("{value: x}", codes.ETL_FROM_CONSTANT, 0),
        ("'../@k'", codes.ETL_FROM_AROUND, 0),
        ("a", codes.ETL_FROM_SLOT, 1),
    ],
)
def test_where_columns_come_from(column: str, source: int, index: int) -> None:
    found = layout(column)
    assert (found.source, found.index) == (source, index)


def test_keys_of_children_and_tables_of_lxml() -> None:
    mapping = mapping_of("""
  r: {each: /root/r, columns: {t: a}}
  x: {parent: r, each: x, columns: {c: {value: "007", type: integer}}}
  s: {each: /root/s, columns: {t: "count(a)"}}
""")
    first, child, other = compile_program(mapping, "copy", [((0, 0), (2, 0))]).layouts
    assert [column.source for column in first] == [codes.ETL_FROM_RECORD_ID, codes.ETL_FROM_SLOT]
    assert [(column.source, column.index) for column in child[:2]] == [
        (codes.ETL_FROM_PARENT, 0),
        (codes.ETL_FROM_SEQUENCE, 0),
    ]
    assert child[2].constant == "7"
    assert other == ()
