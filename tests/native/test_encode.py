"""Assembled tables become COPY text or marshal's lists, as etl/transform/assemble.py and encoder.py make them."""

from __future__ import annotations

import contextlib
import ctypes
import locale
import marshal
import math
import struct
from array import array
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from etl.mapping.model import Column as MappingColumn
from etl.mapping.model import Constant, FromMeta, FromPath, Mapping, ParentKey, RecordId
from etl.mapping.types import rule_for_column
from etl.messages import CopyRows, Part, RowFormat, Split, TupleRows
from etl.positions import RecordPositions
from etl.transform.assemble import Assembler
from etl.transform.data_mapper import Mapped, RawTable
from etl.transform.elements import NULL
from etl.transform.encoder import copy_text
from tests.native.core_library import ASKED
from tests.native.raw_tables import (
    BOOL,
    BYTES,
    CONSTANT,
    DECLINED,
    FLOAT,
    INT,
    LINE,
    OFFSET,
    PARENT,
    RECORD,
    RECORD_ID,
    SEQUENCE,
    SLOT,
    SOURCE_TEXT,
    STR,
    Column,
    CoreError,
    Place,
    Row,
    Table,
    Tables,
)
from tests.splits import SOURCE, make_run, mapping_of

ESCAPED = "\\\t\n\r"
texts = st.one_of(
    st.text(st.sampled_from(ESCAPED + "aN.ä\U0001f40d \x7f"), max_size=40),
    st.text(st.characters(codec="utf-8", min_codepoint=32), max_size=20),
    # Long stretches without an escape, and one at any place in a word of eight.
    st.tuples(st.integers(0, 30), st.sampled_from(ESCAPED), st.integers(0, 30)).map(
        lambda parts: "x" * parts[0] + parts[1] + "y" * parts[2]
    ),
)
values = st.none() | texts


def table_of(rows: Sequence[Sequence[str | None]], columns: Sequence[Column]) -> Table:
    """A table of records; row number n belongs to record n."""
    return Table(None, columns, [Row(record, row) for record, row in enumerate(rows)])


def place_of(records: int) -> Place:
    return Place(make_run([b"<r/>"] * records))


def marshalled(core: ctypes.CDLL, texts: Sequence[str | None], python: int) -> list[object]:
    table = table_of([[text] for text in texts], [Column(SLOT, python=python)])
    with Tables(core, [table], [place_of(len(texts))]) as tables:
        data, kept = tables.marshal(0)
    assert kept == list(range(len(texts)))
    found: list[object] = marshal.loads(data)
    return found


@given(st.integers(1, 4).flatmap(lambda width: st.lists(st.lists(values, min_size=width, max_size=width), max_size=12)))
@example([["\\N", None], ["", "\x7f\u00a0"]])
def test_copy_text_is_that_of_the_encoder(core: ctypes.CDLL, rows: list[list[str | None]]) -> None:
    width = len(rows[0]) if rows else 1
    columns = [[NULL if row[place] is None else str(row[place]) for row in rows] for place in range(width)]
    table = table_of(rows, [Column(SLOT, place) for place in range(width)])
    with Tables(core, [table], [place_of(len(rows))]) as tables:
        assert tables.copy(0) == (copy_text(columns, len(rows)), list(range(len(rows))))


def test_an_escape_at_any_place_of_any_length(core: ctypes.CDLL) -> None:
    rows = [["x" * i + c + "x" * (size - i - 1)] for size in range(1, 26) for i in range(size) for c in ESCAPED + "ä"]
    table = table_of(rows, [Column(SLOT)])
    with Tables(core, [table], [place_of(len(rows))]) as tables:
        assert tables.copy(0)[0] == copy_text([[row[0] for row in rows]], len(rows))


def test_all_escapes_in_long_texts(core: ctypes.CDLL) -> None:
    rows = [["\\" * 100_000, "a" * 100_001], ["\n" * 7, "\t\r" * 5]]
    with Tables(core, [table_of(rows, [Column(SLOT, 0), Column(SLOT, 1)])], [place_of(2)]) as tables:
        assert tables.copy(0)[0] == copy_text(list(zip(*rows, strict=True)), 2)


@given(st.lists(values, max_size=10))
@example(["a" * 255, "a" * 256, "ä" * 300, "a" * 7 + "ä"])
def test_marshal_has_the_strings(core: ctypes.CDLL, column: list[str | None]) -> None:
    assert marshalled(core, column, STR) == column


@given(st.lists(st.integers(-(2**63), 2**63 - 1) | st.integers(-(2**31) - 2, 2**31 + 2) | st.integers(-9, 9)))
@example([-(2**63), 2**63 - 1, 2**31, -(2**31), -(2**31) - 1, 2**15, 2**30, 2**45, 2**60, 0])
def test_marshal_has_the_integers(core: ctypes.CDLL, numbers: list[int]) -> None:
    found = marshalled(core, [str(number) for number in numbers], INT)
    assert found == numbers
    assert {type(number) for number in found} <= {int}


def _decimals() -> st.SearchStrategy[str]:
    return st.tuples(
        st.sampled_from(("", "-")),
        st.integers(0, 10**19).map(str),
        st.sampled_from(("", ".0", ".5", ".25", ".000123", ".123456789012345", ".99")),
        st.sampled_from(("", "e+22", "e-22", "e+23", "e-05", "e+15", "e-308", "e+300", "e-320")),
    ).map("".join)


@given(st.lists(st.floats().map(repr) | st.decimals(-(10**13), 10**13, places=2).map(str) | _decimals()))
@example(["0", "-0", "NaN", "Infinity", "-Infinity", "9007199254740993", "9007199254740992", "1e+23", "8.5e-22"])
@example(
    ["123456789.12", "1.7976931348623157e+308", "5e-324", "2.2250738585072011e-308", "0.1", "9007199254740991e+22"]
)
def test_marshal_has_the_floats(core: ctypes.CDLL, decimals: list[str]) -> None:
    found = marshalled(core, decimals, FLOAT)
    for number, text in zip(found, decimals, strict=True):
        assert isinstance(number, float)
        assert (math.isnan(number) and text.lower() == "nan") or struct.pack("<d", number) == struct.pack(
            "<d", float(text)
        )


@pytest.fixture
def decimal_comma() -> Iterator[None]:
    before = locale.setlocale(locale.LC_NUMERIC)
    for name in ("de_DE.UTF-8", "fr_FR.UTF-8", "de_DE", "fr_FR"):
        with contextlib.suppress(locale.Error):
            locale.setlocale(locale.LC_NUMERIC, name)
            yield
            locale.setlocale(locale.LC_NUMERIC, before)
            return
    pytest.skip("this machine has no locale with a decimal comma")


@pytest.mark.usefixtures("decimal_comma")
def test_floats_do_not_depend_on_the_locale(core: ctypes.CDLL) -> None:
    assert marshalled(core, ["0.12345678901234567"], FLOAT) == [0.12345678901234567]


def test_marshal_has_booleans_and_bytes(core: ctypes.CDLL) -> None:
    assert [repr(value) for value in marshalled(core, ["true", None, "false"], BOOL)] == ["True", "None", "False"]
    assert marshalled(core, ["\\x", "\\x00ff0a9e", None], BYTES) == [b"", b"\0\xff\n\x9e", None]


@pytest.mark.parametrize(
    ("text", "python"),
    [
        ("", INT),
        ("-", INT),
        ("1.0", INT),
        ("9223372036854775808", INT),
        ("-9223372036854775809", INT),
        ("1" * 30, INT),
        ("", FLOAT),
        (".", FLOAT),
        ("-", FLOAT),
        ("1e", FLOAT),
        ("1,5", FLOAT),
        ("1.5.5", FLOAT),
        ("0." + "0" * 100, FLOAT),
        ("x00", BYTES),
        ("\\x0", BYTES),
        ("\\x0g", BYTES),
    ],
)
def test_what_is_no_value_of_the_columns_type_is_declined(core: ctypes.CDLL, text: str, python: int) -> None:
    with pytest.raises(CoreError) as declined:
        marshalled(core, [text], python)
    assert declined.value.status == DECLINED


def test_values_that_python_answered(core: ctypes.CDLL) -> None:
    table = table_of([["a"], ["b"], ["c"]], [Column(SLOT)])
    with Tables(core, [table], [place_of(3)]) as tables:
        tables.change(0, 0, 0, "A\t")
        tables.change(0, 0, 1, None)
        assert tables.copy(0)[0] == b"A\\t\n\\N\nc\n"
        assert marshal.loads(tables.marshal(0)[0]) == ["A\t", None, "c"]
        tables.change(0, 0, 2, "not answered", ASKED)
        # Of bad records nobody needs an answer.
        assert tables.copy(0, bad=[2]) == (b"A\\t\n\\N\n", [0, 1])
        for encode in (tables.copy, tables.marshal):
            with pytest.raises(CoreError) as declined:
                encode(0)
            assert declined.value.status == DECLINED


def test_constants_and_what_is_known_of_records(core: ctypes.CDLL) -> None:
    run = make_run([b"<r>\n</r>", b"<r/>", b"<r/>"], between=b"\n\n", offset=100, line=7, first_record=41)
    other = make_run([b"<r/>"], offset=2**40, line=2**33, first_record=2**33)
    columns = [
        *(Column(LINE), Column(OFFSET), Column(RECORD), Column(RECORD_ID), Column(SEQUENCE)),
        *(Column(SOURCE_TEXT, 0), Column(SOURCE_TEXT, 2), Column(CONSTANT, constant="a\\"), Column(CONSTANT)),
    ]
    table = Table(None, columns, [Row(0), Row(2), Row(3)])
    places = [Place(run, 3, ("one", "", "then")), Place(make_run([])), Place(other, 2**22, ("two", "", "now"))]
    with Tables(core, [table], places) as tables:
        lines = [line.split(b"\t") for line in tables.copy(0)[0].splitlines()]
    key = 3 * 2**40
    assert lines == [
        [b"7", b"100", b"41", str(key + 41).encode(), b"1", b"one", b"then", b"a\\\\", b"\\N"],
        [b"12", b"116", b"43", str(key + 43).encode(), b"1", b"one", b"then", b"a\\\\", b"\\N"],
        [
            *(str(number).encode() for number in (2**33, 2**40, 2**33, 2**62 + 2**33)),
            *(b"1", b"two", b"now", b"a\\\\", b"\\N"),
        ],
    ]


def test_numbers_as_every_python_type(core: ctypes.CDLL) -> None:
    columns = [Column(OFFSET, python=python) for python in (STR, INT, FLOAT)] + [Column(RECORD_ID, python=INT)]
    place = Place(make_run([b"<r/>"], offset=2**53), source=2)
    with Tables(core, [Table(None, columns, [Row(0)])], [place]) as tables:
        found = marshal.loads(tables.marshal(0)[0])
    assert [repr(value) for value in found] == [f"'{2**53}'", f"{2**53}", repr(float(2**53)), f"{2**41 + 1}"]


MAPPING = mapping_of("""
  r:
    each: /root/r
    columns:
      n: "@n"
      size: {path: "@s", type: bigint}
      ratio: {path: "@f", type: double}
      yes: {path: "@y", type: boolean}
      price: {path: "@p", type: "numeric(8,2)"}
      line: {meta: line}
      offset: {meta: offset}
      number: {meta: record}
      source: {meta: source}
      load: {meta: load_id}
      at: {meta: loaded_at}
      same: {value: "a\\tb"}
  c: {parent: r, each: c, columns: {v: .}}
  d: {parent: c, each: d, columns: {v: ., n: {meta: line}}}
  e: {parent: d, each: e, columns: {v: .}}
  k: {each: /root/k, key: [n, m], columns: {n: "@n", m: {path: "@m", type: bigint}}}
  l: {parent: k, each: l, columns: {v: .}}
""")
"""Keys of parents to any depth, counted rows, all that is known about records."""

_KINDS = {str: STR, int: INT, float: FLOAT, bytes: BYTES}
_META = {"source": 0, "load_id": 1, "loaded_at": 2, "line": LINE, "offset": OFFSET, "record": RECORD}


def column_of(mapping: Mapping, table: int, column: MappingColumn, slot: int) -> Column:
    rule = rule_for_column(column, finite=True)
    python = BOOL if column.type.name == "boolean" else _KINDS[rule.python]  # type: ignore[index]
    match column.source:
        case FromPath():
            return Column(SLOT, slot, python=python, strip=column.strip)
        case Constant(text):
            return Column(CONSTANT, constant=rule.convert(text), python=python)
        case FromMeta(name):
            place = _META[name]
            return Column(place, python=python) if place > 2 else Column(SOURCE_TEXT, place, python=python)
        case RecordId():
            return Column(RECORD_ID, python=python)
        case ParentKey(name):
            parent = mapping.tables[table].parent
            assert parent is not None
            names = [one.name for one in mapping.tables[parent].columns]
            return Column(PARENT, names.index(name), python=python)
    return Column(SEQUENCE, python=python)


def tables_of(mapping: Mapping, rows: Sequence[Sequence[Row]]) -> list[Table]:
    tables = []
    for number, table in enumerate(mapping.tables):
        slots = [column.name for column in table.columns if isinstance(column.source, FromPath)]
        columns = [
            column_of(mapping, number, column, slots.index(column.name) if column.name in slots else 0)
            for column in table.columns
        ]
        tables.append(Table(table.parent, columns, rows[number]))
    return tables


@dataclass(frozen=True)
class Case:
    """Raw rows of MAPPING's tables in order, from a split, and bad records of it."""

    split: Split
    rows: Sequence[Sequence[Row]]
    bad: frozenset[int]


_SAMPLES = {
    "bigint": st.integers(-(2**63), 2**63 - 1).map(str),
    "double": st.sampled_from(("0", "-0", "1.5", "0.1", "1e+23", "5e-324", "0.30000000000000004", "123456789012345")),
    "boolean": st.sampled_from(("true", "false")),
    "numeric": st.integers(0, 10**8 - 1).map(lambda cents: f"{cents // 100}.{cents % 100:02}"),
}


@st.composite
def cases(draw: st.DrawFn) -> Case:
    records = draw(st.lists(st.sampled_from((b"<r/>", b"<r>\n</r>", b"<r>\n\n</r>")), min_size=1, max_size=6))
    between = draw(st.sampled_from((b"", b"\n", b"\r\n")))
    cut = draw(st.integers(0, len(records)))
    runs = [
        make_run(records[:cut], between=between, offset=draw(st.integers(0, 2**45)), line=5, first_record=1),
        make_run(records[cut:], between=between, line=draw(st.integers(1, 2**40)), first_record=9),
    ]
    parts = tuple(Part(number, 0, 1, run.records, (run,)) for number, run in zip((1, 300), runs, strict=True))
    tables: list[list[Row]] = []
    for table in MAPPING.tables:
        above = len(tables[table.parent]) if table.parent is not None else len(records)
        owners = draw(st.lists(st.integers(0, above - 1), max_size=8)) if above else []
        if table.parent is None:
            owners = list(set(owners))
        slots = [
            (st.nothing() if column.required else st.none()) | _SAMPLES.get(column.type.name, texts)
            for column in table.columns
            if isinstance(column.source, FromPath)
        ]
        tables.append([Row(owner, [draw(slot) for slot in slots]) for owner in sorted(owners)])
    bad = draw(st.frozensets(st.integers(0, len(records) - 1), max_size=2))
    return Case(Split(1, parts, 0, len(records)), tables, bad)


def reference(case: Case, row_format: RowFormat) -> tuple[CopyRows | TupleRows, ...]:
    """The tables as the assembler makes them."""
    raw = []
    for rows in case.rows:
        table = RawTable()
        table.rows = [[NULL if value is None else value for value in row.values] for row in rows]
        table.parents = [row.parent for row in rows]
        raw.append(table)
    failures: dict[int, tuple[int, int | None, str]] = dict.fromkeys(case.bad, (0, None, "bad"))
    mapped = Mapped(raw, set(), set(), frozenset(), {}, False, failures)
    sources = [SOURCE, SOURCE.__class__(300, "other\tdump.xml", SOURCE.load_id, "2023-01-02T03:04:05.5+00:00")]
    return Assembler(MAPPING, row_format, sources).assemble(mapped, RecordPositions(case.split)).tables


def places_of(case: Case) -> list[Place]:
    known = {
        1: (SOURCE.label, SOURCE.load_id, "2024-05-06 07:08:09+00:00"),
        300: ("other\tdump.xml", SOURCE.load_id, "2023-01-02 03:04:05.5+00:00"),
    }
    return [Place(run, part.source, known[part.source]) for part in case.split.parts for run in part.runs]


@given(cases())
def test_tables_are_those_of_the_assembler(core: ctypes.CDLL, case: Case) -> None:
    copied, values = reference(case, "copy"), reference(case, "tuples")
    with Tables(core, tables_of(MAPPING, case.rows), places_of(case)) as tables:
        for number in range(len(MAPPING.tables)):
            expected, tuples = copied[number], values[number]
            assert isinstance(expected, CopyRows)
            assert isinstance(tuples, TupleRows)
            data, records = tables.copy(number, sorted(case.bad))
            assert (data, array("I", records)) == (expected.data, expected.records)
            data, records = tables.marshal(number, sorted(case.bad))
            assert [(type(value), repr(value)) for value in marshal.loads(data)] == [
                (type(value), repr(value)) for value in tuples.values
            ]
            assert array("I", records) == tuples.records
