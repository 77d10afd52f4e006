"""Makes whole tables of raw rows: keys, constants and positions added, values converted, bad records taken out.

Raw rows of a split go in; encoded tables, and why records failed, come out. Everything here works on columns.
"""

from __future__ import annotations

from array import array
from collections.abc import Container, Sequence
from dataclasses import dataclass, field
from itertools import compress
from typing import TypeVar

from etl.mapping.model import (
    Column,
    ColumnType,
    Constant,
    FromMeta,
    FromPath,
    Mapping,
    MetaName,
    ParentKey,
    RecordId,
    Table,
)
from etl.mapping.types import rule_for
from etl.messages import CopyRows, RowFormat, SourceInfo, TupleRows
from etl.transform.columns import ColumnConverter, Failure
from etl.transform.compile import NULL
from etl.transform.data_mapper import RawTable
from etl.transform.encoder import encode
from etl.transform.positions import RecordPlace, RecordPositions

Gathered = TypeVar("Gathered", str, int)

RECORDS_PER_SOURCE = 1 << 40
"""A surrogate key is source number x 2^40 + record number: 2^23 sources of 10^12 records fit a bigint."""


@dataclass(slots=True)
class Assembled:
    """The tables of a split, and what a person should hear about its columns."""

    tables: list[CopyRows | TupleRows] = field(default_factory=list)
    failures: dict[int, tuple[str, str, Failure]] = field(default_factory=dict)
    """By record: table, column and reason of its first failure (in the order of tables, columns, rows)."""
    matched: set[tuple[int, int]] = field(default_factory=set)
    replaced: dict[tuple[int, int], int] = field(default_factory=dict)


@dataclass(slots=True)
class _Columns:
    """A table on its way: canonical texts by column, and each row's record."""

    columns: list[Sequence[str]]
    records: list[int]


class Assembler:
    """Assembles the tables of one mapping for one kind of target."""

    def __init__(self, mapping: Mapping, row_format: RowFormat, sources: Sequence[SourceInfo]) -> None:
        self._mapping = mapping
        self._row_format = row_format
        self._sources = {source.number: source for source in sources}
        # Tuples go to targets that store no NaN or infinity.
        finite = row_format == "tuples"
        self._converters = [
            [
                ColumnConverter(column, finite=finite) if isinstance(column.source, FromPath) else None
                for column in table.columns
            ]
            for table in mapping.tables
        ]

    def assemble(self, raw_tables: Sequence[RawTable], positions: RecordPositions, *, nil: bool) -> Assembled:
        """Tables of everything mapped from one split."""
        result = Assembled()
        known = _RecordColumns(positions, self._sources)
        done: list[_Columns] = []
        for number, (table, raw) in enumerate(zip(self._mapping.tables, raw_tables, strict=True)):
            parent = done[table.parent] if table.parent is not None else None
            records = raw.parents if parent is None else _gather(parent.records, raw.parents)
            this = _Columns([], records)
            slots = iter(zip(*raw.rows, strict=True)) if raw.rows else None
            for place, column in enumerate(table.columns):
                if isinstance(column.source, FromPath):
                    values = next(slots) if slots is not None else ()
                    this.columns.append(self._convert(number, place, values, this.records, result, nil=nil))
                else:
                    this.columns.append(self._added(table, column, raw, parent, records, known))
            done.append(this)
        for table, this in zip(self._mapping.tables, done, strict=True):
            if result.failures:
                _remove(this, result.failures)
            result.tables.append(encode(table, this.columns, array("I", this.records), self._row_format))
        return result

    def _convert(
        self,
        table: int,
        place: int,
        values: Sequence[str | list[str]],
        records: Sequence[int],
        result: Assembled,
        *,
        nil: bool,
    ) -> Sequence[str]:
        converter = self._converters[table][place]
        assert converter is not None
        if any(value != NULL for value in values):
            result.matched.add((table, place))
        converted = converter.convert(values, nil=nil)
        for row, failure in converted.failures.items():
            described = self._mapping.tables[table]
            result.failures.setdefault(records[row], (described.name, described.columns[place].name, failure))
        if converted.replaced:
            result.replaced[table, place] = converted.replaced
        return converted.texts

    def _added(
        self,
        table: Table,
        column: Column,
        raw: RawTable,
        parent: _Columns | None,
        records: Sequence[int],
        known: _RecordColumns,
    ) -> Sequence[str]:
        match column.source:
            case Constant(text):
                return [rule_for(column.type).convert(text)] * len(records)
            case FromMeta(name):
                return _gather(known.meta(name), records)
            case RecordId():
                return _gather(known.record_ids(), records)
            case ParentKey(name) if parent is not None and table.parent is not None:
                names = [parent_column.name for parent_column in self._mapping.tables[table.parent].columns]
                return _gather(parent.columns[names.index(name)], raw.parents)
            case _:
                return list(map(str, raw.seqs))


class _RecordColumns:
    """Texts about every record of a split, made when first asked for."""

    def __init__(self, positions: RecordPositions, sources: dict[int, SourceInfo]) -> None:
        self._positions = positions
        self._sources = sources
        self._made: dict[str, list[str]] = {}

    def record_ids(self) -> list[str]:
        if "record_id" not in self._made:
            self._made["record_id"] = [
                str(place.source * RECORDS_PER_SOURCE + place.number) for place in self._positions
            ]
        return self._made["record_id"]

    def meta(self, name: MetaName) -> list[str]:
        if name not in self._made:
            self._made[name] = [self._text(name, place) for place in self._positions]
        return self._made[name]

    def _text(self, name: MetaName, place: RecordPlace) -> str:
        match name:
            case "line":
                return str(place.line)
            case "offset":
                return str(place.offset)
            case "record":
                return str(place.number)
            case "source":
                return self._sources[place.source].label
            case "load_id":
                return self._sources[place.source].load_id
            case "loaded_at":
                return _TIMESTAMPTZ.convert(self._sources[place.source].loaded_at)


_TIMESTAMPTZ = rule_for(ColumnType("timestamptz"))


def _gather(texts: Sequence[Gathered], rows: Sequence[int]) -> list[Gathered]:
    return [texts[row] for row in rows]


def _remove(table: _Columns, bad_records: Container[int]) -> None:
    kept = [record not in bad_records for record in table.records]
    table.columns = [list(compress(texts, kept)) for texts in table.columns]
    table.records = list(compress(table.records, kept))
