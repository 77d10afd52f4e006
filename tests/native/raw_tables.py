"""Raw rows made by hand for tests of what the C core makes of them: whole tables, then COPY text or marshal's lists.

Tables, rows and places go in as Python has them; what comes out is read from the core's structures. Raises CoreError
where the core answers anything but OK.
"""

from __future__ import annotations

import ctypes
from array import array
from collections.abc import Sequence
from ctypes import POINTER, byref, c_size_t, c_uint8, c_uint32, c_uint64, c_void_p
from dataclasses import dataclass, field
from types import TracebackType
from typing import Any

from etl.messages import Run
from tests.native.core_library import OK, Arena, ColumnRule, Memory, Range, Text, Value, type_of

NONE = 2**32 - 1

SLOT, LINK, AROUND, CONSTANT, SOURCE_TEXT, LINE, OFFSET, RECORD, RECORD_ID, PARENT, SEQUENCE = range(11)
"""etl_from"""

STR, INT, FLOAT, BOOL, BYTES = range(5)
"""etl_python"""

BIT, LINK_BIT, AROUND_BIT, NOT, AND, OR = range(6)
"""etl_where_kind"""

DECLINED = 1


class CoreError(Exception):
    """The core's answer was not OK; `status` is an etl_status."""

    def __init__(self, status: int) -> None:
        super().__init__(status)
        self.status = status


@dataclass(frozen=True)
class Column:
    source: int
    index: int = 0
    link: int = 0
    table: int = 0
    python: int = STR
    constant: str | None = None
    strip: bool = False


@dataclass(frozen=True)
class Found:
    """A raw value with flags."""

    text: str | None
    flags: int


@dataclass(frozen=True)
class Row:
    parent: int
    """Its place in the raw rows of the parent table; of a record its place in the split."""
    values: Sequence[str | Found | None] = ()
    list: int = 0
    bits: int = 0
    links: Sequence[int] = ()


@dataclass(frozen=True)
class Table:
    parent: int | None
    columns: Sequence[Column] = ()
    rows: Sequence[Row] = ()
    lists: int = 1
    where: Sequence[tuple[int, ...]] = ()
    """Kind, and where there are: operand, link, table."""
    hidden: bool = False
    """It stands for ancestors."""


@dataclass(frozen=True)
class Place:
    run: Run
    source: int = 1
    source_texts: Sequence[str] = ("dump.xml", "load", "2024-05-06 07:08:09+00:00")
    around: Sequence[str | None] = ()
    around_bits: int = 0


class _Table(ctypes.Structure):
    _fields_ = (
        ("slots", c_uint32),
        ("links", c_uint32),
        ("lists", c_uint32),
        ("parent", c_uint32),
        ("where", Range),
        ("conditions", c_uint8),
    )


class _Where(ctypes.Structure):
    _fields_ = (("kind", c_uint32), ("operand", c_uint32), ("link", c_uint32), ("table", c_uint32))


class _Program(ctypes.Structure):
    _fields_ = (
        ("uris", c_void_p),
        ("uri_count", c_uint32),
        ("locals", c_void_p),
        ("local_count", c_uint32),
        ("literals", c_void_p),
        ("nodes", c_void_p),
        ("node_count", c_uint32),
        ("edges", c_void_p),
        ("edge_count", c_uint32),
        ("attributes", c_void_p),
        ("attribute_count", c_uint32),
        ("ops", c_void_p),
        ("begins", c_void_p),
        ("links", c_void_p),
        ("choices", c_void_p),
        ("predicates", c_void_p),
        ("tests", c_void_p),
        ("outcomes", c_void_p),
        ("where", c_void_p),
        ("tables", c_void_p),
        ("table_count", c_uint32),
        ("register_count", c_uint32),
    )


class _RawRows(ctypes.Structure):
    _fields_ = (
        ("table", c_void_p),
        ("count", c_uint32),
        ("capacity", c_uint32),
        ("slots", c_void_p),
        ("parents", c_void_p),
        ("lists", c_void_p),
        ("bits", c_void_p),
        ("links", c_void_p),
    )


class _Column(ctypes.Structure):
    _fields_ = (
        ("source", c_uint32),
        ("index", c_uint32),
        ("link", c_uint32),
        ("table", c_uint32),
        ("python", c_uint32),
        ("constant", Text),
        ("rule", ColumnRule),
    )


class _Layout(ctypes.Structure):
    _fields_ = (("columns", c_void_p), ("count", c_uint32))


class _Place(ctypes.Structure):
    _fields_ = (
        ("payload", c_void_p),
        ("spans", c_void_p),
        ("records", c_uint32),
        ("first", c_uint32),
        ("offset", c_uint64),
        ("line", c_uint64),
        ("first_record", c_uint64),
        ("keys_from", c_uint64),
        ("source_texts", c_void_p),
        ("around", c_void_p),
        ("around_bits", c_uint64),
    )


class _Rows(ctypes.Structure):
    _fields_ = (
        ("count", c_uint32),
        ("records", POINTER(c_uint32)),
        ("parents", POINTER(c_uint32)),
        ("values", POINTER(POINTER(Value))),
        ("asked", POINTER(c_uint32)),
        ("matched", POINTER(c_uint8)),
        ("mixed", POINTER(c_uint8)),
        ("several_count", POINTER(c_uint32)),
        ("several", POINTER(POINTER(c_uint32))),
    )


class _Plan(ctypes.Structure):
    _fields_ = (("program", c_void_p), ("layouts", c_void_p), ("table_count", c_uint32))


class _Buffer(ctypes.Structure):
    _fields_ = (("bytes", c_void_p), ("size", c_size_t), ("capacity", c_size_t))


@dataclass
class Tables:
    """Tables that the core assembles when they are entered."""

    core: ctypes.CDLL
    tables: Sequence[Table]
    places: Sequence[Place]
    _memory: Memory = field(default_factory=Memory)
    _arena: Arena = field(default_factory=Arena)

    def __enter__(self) -> Tables:
        shown = [table for table in self.tables if not table.hidden]
        program = self._program()
        layouts = self._array(_Layout, [self._layout(table) for table in shown])
        self._plan = _Plan(self._memory.address(program), layouts, len(shown))
        raw = self._array(
            _RawRows,
            [self._raw(table, program.tables + i * ctypes.sizeof(_Table)) for i, table in enumerate(self.tables)],
        )
        firsts = [sum(place.run.records for place in self.places[:i]) for i in range(len(self.places))]
        self.records = sum(place.run.records for place in self.places)
        self._places = self._array(_Place, [self._place(*one) for one in zip(self.places, firsts, strict=True)])
        self._rows = (_Rows * max(len(shown), 1))()
        _check(
            self.core.etl_assemble(
                byref(self._plan),
                c_void_p(raw),
                c_void_p(self._places),
                c_uint32(len(self.places)),
                byref(self._arena),
                self._rows,
            )
        )
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.core.etl_arena_free(byref(self._arena))

    def row_records(self, table: int) -> list[int]:
        rows = self._rows[table]
        return list(rows.records[: rows.count])

    def parents(self, table: int) -> list[int] | None:
        rows = self._rows[table]
        return list(rows.parents[: rows.count]) if rows.parents else None

    def texts(self, table: int, column: int) -> list[str | None]:
        rows = self._rows[table]
        return [_text(value) for value in rows.values[column][: rows.count]]

    def has_values(self, table: int, column: int) -> bool:
        return bool(self._rows[table].values[column])

    def matched(self, table: int, column: int) -> bool:
        return bool(self._rows[table].matched[column])

    def mixed(self, table: int, column: int) -> bool:
        return bool(self._rows[table].mixed[column])

    def several(self, table: int, column: int) -> list[int]:
        rows = self._rows[table]
        return list(rows.several[column][: rows.several_count[column]])

    def change(self, table: int, column: int, row: int, text: str | None, flags: int = 0) -> None:
        """What Python puts in the place of a value."""
        self._rows[table].values[column][row] = self._value(None if text is None else Found(text, flags))

    def copy(self, table: int, bad: Sequence[int] = ()) -> tuple[bytes, list[int]]:
        """COPY text, and the record of each row."""
        return self._encode(self.core.etl_encode_copy, table, bad)

    def marshal(self, table: int, bad: Sequence[int] = ()) -> tuple[bytes, list[int]]:
        """What marshal reads, and the record of each row."""
        return self._encode(self.core.etl_encode_marshal, table, bad)

    def _encode(self, encode: Any, table: int, bad: Sequence[int]) -> tuple[bytes, list[int]]:
        data, count = _Buffer(), c_uint32()
        kept = (c_uint32 * max(self._rows[table].count, 1))()
        flags = (c_uint8 * max(self.records, 1))(*(record in bad for record in range(self.records)))
        try:
            _check(
                encode(
                    byref(self._plan),
                    c_uint32(table),
                    self._rows,
                    c_void_p(self._places),
                    c_uint32(len(self.places)),
                    flags if bad else None,
                    byref(self._arena),
                    byref(data),
                    kept,
                    byref(count),
                )
            )
            return ctypes.string_at(data.bytes, data.size) if data.size else b"", list(kept[: count.value])
        finally:
            self.core.etl_buffer_free(byref(data))

    def _array(self, kind: Any, items: Sequence[Any]) -> int | None:
        return self._memory.address((kind * len(items))(*items)) if items else None

    def _value(self, value: str | Found | None) -> Value:
        found = value if isinstance(value, Found) else Found(value, 0)
        if found.text is None:
            return Value(None, 0, found.flags)
        text = self._memory.text(found.text)
        return Value(text.at, text.size, found.flags)

    def _program(self) -> _Program:
        where: list[_Where] = []
        tables = []
        for table in self.tables:
            parent = NONE if table.parent is None else table.parent
            first = len(where)
            where += [_Where(*step) for step in table.where]
            slots, links = _widths(table)
            tables.append(_Table(slots, links, table.lists, parent, Range(first, len(table.where)), 1))
        return _Program(
            where=self._array(_Where, where), tables=self._array(_Table, tables), table_count=len(self.tables)
        )

    def _layout(self, table: Table) -> _Layout:
        columns = [
            _Column(
                source=column.source,
                index=column.index,
                link=column.link,
                table=column.table,
                python=column.python,
                constant=Text() if column.constant is None else self._memory.text(column.constant),
                rule=ColumnRule(type=type_of("text"), strip=column.strip),
            )
            for column in table.columns
        ]
        return _Layout(self._array(_Column, columns), len(columns))

    def _raw(self, table: Table, described: int) -> _RawRows:
        rows = table.rows
        return _RawRows(
            table=described,
            count=len(rows),
            capacity=len(rows),
            slots=self._array(Value, [self._value(value) for row in rows for value in row.values]),
            parents=self._array(c_uint32, [row.parent for row in rows]),
            lists=self._array(c_uint32, [row.list for row in rows]) if table.lists > 1 else None,
            bits=self._array(c_uint64, [row.bits for row in rows]),
            links=self._array(c_uint32, [link for row in rows for link in row.links]),
        )

    def _place(self, place: Place, first: int) -> _Place:
        run = place.run
        return _Place(
            payload=self._memory.address(
                (ctypes.c_char * max(len(run.payload), 1)).from_buffer_copy(run.payload or b" ")
            ),
            spans=self._array(c_uint32, array("I", run.spans)),
            records=run.records,
            first=first,
            offset=run.offset,
            line=run.line,
            first_record=run.first_record,
            keys_from=place.source << 40,
            source_texts=self._memory.texts(place.source_texts),
            around=self._array(Value, [self._value(text) for text in place.around]),
            around_bits=place.around_bits,
        )


def _widths(table: Table) -> tuple[int, int]:
    """Slots and links of each row."""
    widths = {(len(row.values), len(row.links)) for row in table.rows} or {(0, 0)}
    (width,) = widths
    return width


def _text(value: Value) -> str | None:
    return None if value.at is None else ctypes.string_at(value.at, value.size).decode()


def _check(status: int) -> None:
    if status != OK:
        raise CoreError(status)
