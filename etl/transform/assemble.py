"""Makes whole tables of raw rows: keys, constants and positions added, values converted, bad records taken out.

Raw rows of a split go in; encoded tables, and why records failed, come out. Everything here works on columns.
"""

from __future__ import annotations

from array import array
from collections import Counter
from collections.abc import Container, Sequence
from collections.abc import Mapping as MappingOf
from dataclasses import dataclass
from itertools import compress, groupby
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
from etl.messages import CopyRows, Notices, RowFormat, SourceInfo, TupleRows
from etl.transform.columns import ColumnConverter, Converted, Failure
from etl.transform.compile import NULL
from etl.transform.data_mapper import Mapped, RawTable
from etl.transform.encoder import encode
from etl.transform.positions import RecordPlace, RecordPositions

Gathered = TypeVar("Gathered", str, int)

RECORDS_PER_SOURCE = 1 << 40
"""A surrogate key is source number x 2^40 + record number: 2^23 sources of 10^12 records fit a bigint."""


@dataclass(frozen=True, slots=True)
class Assembled:
    """The tables of a split, why records failed, and what a person should hear about the rest."""

    tables: tuple[CopyRows | TupleRows, ...]
    failures: dict[int, tuple[str, str, Failure]]
    """By record: table, column and reason of its first failure (in the order of tables, columns, rows)."""
    notices: Notices


@dataclass(slots=True)
class _Columns:
    """A table on its way: canonical texts by column, and each row's record."""

    columns: list[Sequence[str]]
    records: list[int]


class _Found:
    """What converting the columns of a split brought to light."""

    def __init__(self) -> None:
        self.failures: dict[int, tuple[int, int, Failure]] = {}
        """By record: table, column and reason."""
        self.matched: set[tuple[int, int]] = set()
        self.replaced: dict[tuple[int, int], int] = {}

    def note(self, table: int, place: int, converted: Converted, records: Sequence[int]) -> None:
        for row, failure in converted.failures.items():
            self.failures.setdefault(records[row], (table, place, failure))
        if converted.replaced:
            self.replaced[table, place] = converted.replaced


class Assembler:
    """Assembles the tables of one mapping for one kind of target."""

    def __init__(self, mapping: Mapping, row_format: RowFormat, sources: Sequence[SourceInfo]) -> None:
        self._mapping = mapping
        self._row_format = row_format
        self._sources = {source.number: source for source in sources}
        # Tuples go to targets that store no NaN or infinity.
        finite = row_format == "tuples"
        # A raw row holds only the columns that have a path.
        self._places = [
            [place for place, column in enumerate(table.columns) if isinstance(column.source, FromPath)]
            for table in mapping.tables
        ]
        self._converters = [
            [
                ColumnConverter(column, finite=finite) if isinstance(column.source, FromPath) else None
                for column in table.columns
            ]
            for table in mapping.tables
        ]

    def assemble(self, mapped: Mapped, positions: RecordPositions) -> Assembled:
        """Tables of everything mapped from one split."""
        found = _Found()
        known = _RecordColumns(positions, self._sources)
        done: list[_Columns] = []
        for number, (table, raw) in enumerate(zip(self._mapping.tables, mapped.tables, strict=True)):
            parent = done[table.parent] if table.parent is not None else None
            this = _Columns([], raw.parents if parent is None else _gather(parent.records, raw.parents))
            values = dict(zip(self._places[number], zip(*raw.rows, strict=True), strict=True)) if raw.rows else {}
            for place, column in enumerate(table.columns):
                converter = self._converters[number][place]
                if converter is None:
                    this.columns.append(self._added(table, column, raw, parent, this.records, known))
                else:
                    raw_texts = values.get(place, ())
                    if any(text != NULL for text in raw_texts):
                        found.matched.add((number, place))
                    converted = converter.convert(raw_texts, nil=mapped.nil)
                    found.note(number, place, converted, this.records)
                    this.columns.append(converted.texts)
            done.append(this)
        return Assembled(
            tables=tuple(self._encoded(table, this, found.failures) for table, this in enumerate(done)),
            failures={record: self._named(*failure) for record, failure in found.failures.items()},
            notices=self._notices(mapped, found, done),
        )

    def _encoded(self, table: int, this: _Columns, bad_records: MappingOf[int, object]) -> CopyRows | TupleRows:
        if bad_records:
            _remove(this, bad_records)
        return encode(self._mapping.tables[table], this.columns, array("I", this.records), self._row_format)

    def _named(self, table: int, place: int, failure: Failure) -> tuple[str, str, Failure]:
        described = self._mapping.tables[table]
        return described.name, described.columns[place].name, failure

    def _notices(self, mapped: Mapped, found: _Found, done: Sequence[_Columns]) -> Notices:
        several = {(table, slot, done[table].records[row]) for table, slot, row in mapped.several}
        return Notices(
            matched=frozenset(found.matched),
            several=Counter((table, self._places[table][slot]) for table, slot, _ in several),
            set_null=found.replaced,
            mixed=frozenset((table, self._places[table][slot]) for table, slot in mapped.mixed),
            unseen=mapped.unseen,
        )

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
                return _sequence(raw.parents)


class _RecordColumns:
    """Texts about every record of a split, made when first asked for."""

    def __init__(self, positions: RecordPositions, sources: MappingOf[int, SourceInfo]) -> None:
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


def _sequence(parents: Sequence[int]) -> list[str]:
    """1, 2, ... among neighbouring rows of one parent."""
    numbers: list[str] = []
    for _, rows in groupby(parents):
        numbers += map(str, range(1, len(list(rows)) + 1))
    return numbers


def _remove(table: _Columns, bad_records: Container[int]) -> None:
    kept = [record not in bad_records for record in table.records]
    table.columns = [list(compress(texts, kept)) for texts in table.columns]
    table.records = list(compress(table.records, kept))
