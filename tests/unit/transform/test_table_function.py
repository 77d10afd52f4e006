"""A table's function: which values it sees, what becomes of what it returns."""

from __future__ import annotations

from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path
from uuid import UUID

import pytest

from etl.mapping.model import Mapping
from etl.mapping.reader import parse_mapping
from etl.messages import MappedBatch, PartCounts
from tests import row_functions
from tests.splits import copy_rows_of, mapping_of, rows_of, run_records

TYPES = """
  r:
    each: /root/r
    transform: {python: "tests.row_functions:FUNCTION"}
    columns:
      text: {path: v}
      flag: {path: v, type: boolean}
      int: {path: v, type: bigint}
      num: {path: v, type: "numeric(6,2)"}
      dbl: {path: v, type: double}
      day: {path: d, type: date}
      at: {path: t, type: time}
      stamp: {path: s, type: timestamptz}
      id: {path: u, type: uuid}
      raw: {path: b, type: bytes(hex)}
      doc: {path: j, type: json}
      many: {path: m, type: integer, many: array}
      markup: {path: x, type: xml}
      source: {meta: source}
      fixed: {value: 7, type: integer}
      none: {path: nope, type: date}
"""
RECORD = (
    b"<r><v>1</v><d>2020-01-02</d><t>24:00:00</t><s>2020-01-02 03:04:05+02:00</s>"
    b'<u>{12345678-1234-1234-1234-123456789ABC}</u><b>DEAD</b><j>{"b": 1.50, "a":[1e400]}</j>'
    b"<m>1</m><m/><x>a<y/></x></r>"
)


def changed(expression: str, columns: str = "n: {path: n, type: integer}", record: bytes = b"<n>1</n>") -> MappedBatch:
    """What the expression makes of a row, as a column `give` tells the function."""
    mapping = mapping_of(
        f"""
  r:
    each: /root/r
    transform: {{python: "tests.row_functions:changed"}}
    columns:
      give: give
      {columns}
"""
    )
    return run_records(mapping, b"<r><give>" + expression.encode() + b"</give>" + record + b"</r>")


def result(expression: str, columns: str = "n: {path: n, type: integer}", record: bytes = b"<n>1</n>") -> object:
    batch = changed(f'{{"n": {expression}}}', columns, record)
    assert batch.rejects == ()
    (row,) = rows_of(batch)
    return row[2]


def failure(expression: str, columns: str = "n: {path: n, type: integer}") -> tuple[str, str, str]:
    (reject,) = changed(expression, columns).rejects
    assert reject.table == "r"
    return reject.reason, reject.column, reject.message


def test_the_function_sees_natural_values() -> None:
    row_functions.calls.clear()
    # Found in this process: with a folder beside it, the file would be a module of its own.
    run_records(_elsewhere(TYPES.replace("FUNCTION", "seen")), RECORD)
    (row,) = row_functions.calls
    assert row == {
        "text": "1",
        "flag": True,
        "int": 1,
        "num": Decimal("1.00"),
        "dbl": 1.0,
        "day": date(2020, 1, 2),
        "at": "24:00:00",
        "stamp": datetime(2020, 1, 2, 1, 4, 5, tzinfo=UTC),
        "id": UUID("12345678-1234-1234-1234-123456789abc"),
        "raw": b"\xde\xad",
        "doc": {"b": 1.5, "a": [float("inf")]},
        "many": [1, None],
        "markup": "<x>a<y/></x>",
        "source": "dump.xml",
        "fixed": 7,
        "none": None,
    }
    assert isinstance(row, dict)
    assert [type(row[name]) for name in ("flag", "int", "num", "dbl")] == [bool, int, Decimal, float]


@pytest.mark.parametrize("row_format", ["copy", "tuples"])
def test_what_is_not_changed_stays_as_it_was(row_format: str) -> None:
    plain = mapping_of(TYPES.replace('    transform: {python: "tests.row_functions:FUNCTION"}\n', ""))
    through = mapping_of(TYPES.replace("FUNCTION", "seen"))
    if row_format == "copy":
        expected = copy_rows_of(run_records(plain, RECORD, row_format="copy"))
        assert copy_rows_of(run_records(through, RECORD, row_format="copy")) == expected
    else:
        assert rows_of(run_records(through, RECORD)) == rows_of(run_records(plain, RECORD))


@pytest.mark.parametrize(
    ("expression", "type_name", "expected"),
    [
        ('row["n"] + 1', "integer", 2),
        ("None", "integer", None),
        ('"7"', "integer", 7),
        ("True", "boolean", True),
        ('Decimal("1.5")', '"numeric(6,2)"', 1.5),
        ("2 / 3", '"numeric(6,2)"', None),
        ("0.5", "double", 0.5),
        ('"a" + row["n"]', "text", "a1"),
        ("12", "text", "12"),
        ('b"hi"', "bytes(base64)", b"hi"),
        ('__import__("datetime").date(2020, 1, 2)', "date", "2020-01-02"),
        ('__import__("datetime").datetime(2020, 1, 2, 3)', "timestamp", "2020-01-02 03:00:00"),
        ('{"a": [1, None, Decimal("1.5")]}', "json", '{"a": [1, null, 1.5]}'),
        ('"text"', "json", '"text"'),
        ('"&lt;a/>"', "xml", "<a/>"),
    ],
)
def test_what_the_function_returns_is_converted(expression: str, type_name: str, expected: object) -> None:
    columns = f"n: {{path: 'n[@never]', type: {type_name}, on_error: set_null}}"
    if "row" in expression:
        columns = columns.replace("'n[@never]'", "n")
    if expression == "2 / 3":
        assert failure('{"n": 2 / 3}', columns)[:2] == ("out_of_range", "n")
    else:
        assert result(expression, columns) == expected


def test_arrays_come_and_go_as_lists() -> None:
    columns = "n: {path: n, type: integer, many: array}"
    record = b"<n>1</n><n>2</n>"
    assert result('row["n"] + [None, "3"]', columns, record) == "[1, 2, null, 3]"
    assert result("(5,)", columns, record) == "[5]"
    assert result("[]", columns, record) == "[]"
    assert failure('{"n": 5}', columns)[:2] == ("transform_failed", "n")


def test_a_changed_dict_is_the_same_as_a_new_one() -> None:
    assert result('row.update(n=5) or row["n"]') == 5
    batch = changed("row.update(n=5) or row")
    assert rows_of(batch)[0][2] == 5
    batch = changed('row["n"].append(2) or row', "n: {path: n, type: json}", b"<n>[1]</n>")
    assert rows_of(batch)[0][2] == "[1, 2]"


def test_missing_columns_are_null() -> None:
    assert rows_of(changed("{}")) == [(2**40 + 1, None, None)]


@pytest.mark.parametrize(
    ("expression", "expected"),
    [
        ("[1]", ("transform_failed", "", "returned list, expected a dict of the row or None (test.mapping.yaml:4)")),
        (
            '{"m": 1}',
            ("transform_failed", "", "returned 'm', which is no column; columns: give, n (test.mapping.yaml:4)"),
        ),
        ('{"gvie": 1}', ("transform_failed", "", "which is no column; did you mean 'give'? (test.mapping.yaml:4)")),
        ("row.update(m=1) or row", ("transform_failed", "", "returned 'm', which is no column; columns: give, n (")),
        ("1 / 0", ("transform_failed", "", "raised ZeroDivisionError for this row: division by zero")),
        ('{"n": "x"}', ("bad_value", "n", "'x' is not an integer: digits with an optional sign (test.mapping.yaml:9)")),
        ('{"n": 10 ** 12}', ("out_of_range", "n", "(test.mapping.yaml:9)")),
        ('{"n": 10 ** 5000}', ("transform_failed", "n", "Exceeds the limit (4300 digits)")),
        ('{"n": object()}', ("transform_failed", "n", "no column takes object (test.mapping.yaml:9)")),
        ('{"n": [1]}', ("transform_failed", "n", "tests.row_functions:changed returned list '[1]', which is no value")),
        ('exec("raise KeyboardInterrupt")', ("transform_failed", "", "raised KeyboardInterrupt for this row")),
        ('{"give": "\\x00"}', ("transform_failed", "give", "U+0000")),
        ('{"give": b"x"}', ("transform_failed", "give", "bytes")),
    ],
)
def test_what_it_cannot_return(expression: str, expected: tuple[str, str, str]) -> None:
    reason, column, message = failure(expression)
    assert (reason, column) == expected[:2]
    assert expected[2] in message


def test_json_that_json_cannot_say() -> None:
    loop = '{"n": (lambda one: one.append(one) or one)([])}'
    for value in ('float("nan")', '{"a": float("inf")}', "{(1, 2): 3}", '{"j": "\\ud800"}', "[10**5000]", "[object()]"):
        assert failure(f'{{"n": {value}}}', "n: {path: nope, type: json}")[:2] == ("transform_failed", "n"), value
    assert failure(loop, "n: {path: n, type: json}")[:2] == ("transform_failed", "n")


def test_a_required_column_that_the_function_leaves_out() -> None:
    assert failure("{}", "n: {path: n, required: true}")[:2] == ("missing_value", "n")


FAMILY = """
  r:
    each: /root/r
    key: n
    transform: {python: "tests.row_functions:chosen"}
    columns: {n: {path: "@n", type: integer}}
  c:
    parent: r
    each: c
    transform: {python: "tests.row_functions:chosen"}
    columns: {n: {path: "@n", type: integer}, t: {path: t, many: TWICE}}
  d: {parent: c, each: d, columns: {v: .}}
  e: {parent: r, each: c/d, columns: {v: .}}
"""


def _child(n: int, *below: str) -> str:
    return f"<c n='{n}'>{''.join(f'<d>{v}</d>' for v in below)}<t/><t/></c>"


def test_rows_that_are_dropped_take_along_what_hangs_on_them() -> None:
    mapping = mapping_of(FAMILY.replace("TWICE", "first"))
    batch = run_records(
        mapping,
        f"<r n='1'>{_child(2, 'no')}{_child(3, 'x', 'y')}{_child(4, 'no')}{_child(5, 'z')}</r>".encode(),
        f"<r n='2'>{_child(3, 'no')}</r>".encode(),
        f"<r n='3'>{_child(9, 'w')}</r>".encode(),
    )
    assert rows_of(batch, 0) == [(2,), (6,)]
    assert [row[:3] for row in rows_of(batch, 1)] == [(2, 1, 6), (2, 2, 10), (6, 1, 18)]
    assert rows_of(batch, 2) == [(2, 1, 1, "x"), (2, 1, 2, "y"), (2, 2, 1, "z"), (6, 1, 1, "w")]
    assert rows_of(batch, 3) == [
        *[(2, number, v) for number, v in enumerate(("no", "x", "y", "no", "z"), 1)],
        (6, 1, "w"),
    ]
    assert batch.counts == (PartCounts(records=3, loaded=2, rejected=0, discarded=1),)
    # The five of the first record and the one of the third: the record that was discarded does not count.
    assert batch.notices.several == {(1, 3): 2}


def test_a_function_that_fails_rejects_the_record_and_no_other() -> None:
    mapping = mapping_of(FAMILY.replace("TWICE", "first"))
    batch = run_records(
        mapping, b"<r n='1'><c n='7'/></r>", b"<r n='7'/>", b"<r n='3'><c n='1'/></r>", b"<r n='2'><c n='7'/></r>"
    )
    assert rows_of(batch, 0) == [(6,)]
    assert [row[:3] for row in rows_of(batch, 1)] == [(6, 1, 2)]
    assert [(found.record, found.table, found.reason) for found in batch.rejects] == [
        (1, "c", "transform_failed"),
        (2, "r", "transform_failed"),
    ]
    assert batch.counts == (PartCounts(records=4, loaded=1, rejected=2, discarded=1),)


def test_a_second_value_in_a_row_that_is_dropped_harms_nobody() -> None:
    mapping = mapping_of(FAMILY.replace("TWICE", "reject"))
    batch = run_records(mapping, f"<r n='2'>{_child(3)}</r>".encode(), f"<r n='1'>{_child(3)}</r>".encode())
    assert [(found.record, found.column, found.reason) for found in batch.rejects] == [(2, "t", "several_values")]
    assert batch.counts[0].discarded == 1


def test_functions_stand_beside_the_mapping(tmp_path: Path) -> None:
    (tmp_path / "cleaning.py").write_text("def row(row):\n    return {'c': row['c'] * 2}\n", "utf-8")
    text = "version: 1\ntables: {r: {each: /root/r, transform: {python: 'cleaning:row'}, columns: {c: .}}}"
    mapping = parse_mapping(text, str(tmp_path / "m.yaml"))
    assert rows_of(run_records(mapping, b"<r>ab</r>"))[0][1] == "abab"


def _elsewhere(tables: str) -> Mapping:
    """A mapping in a folder of its own, so that functions are those of modules already loaded."""
    return parse_mapping(f"version: 1\ntables:{tables}", "/nowhere/m.yaml")
