"""Makes whole tables of raw rows: values converted, rows dropped, keys and positions added, bad records taken out.

Raw rows of a split go in; encoded tables, and why records failed, come out. Everything here works on columns. The order
within a table: declared columns, the table's function, then the columns that count and copy the rows that are left.
"""

from __future__ import annotations

from array import array
from collections import Counter
from collections.abc import Callable, Container, Iterable, Sequence
from dataclasses import dataclass
from itertools import accumulate, compress
from typing import Any, TypeVar

from etl.mapping.model import (
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
from etl.mapping.model import Sequence as SequenceNumber
from etl.mapping.types import rule_for, rule_for_column
from etl.messages import CopyRows, Notices, Part, RowFormat, SourceInfo, TupleRows
from etl.positions import RecordPlace, RecordPositions
from etl.transform.columns import SEVERAL_VALUES, Converted, Failure
from etl.transform.data_mapper import Mapped, RawRow, RawTable
from etl.transform.elements import NULL
from etl.transform.encoder import encode
from etl.transform.lists import converter
from etl.transform.table_function import TableFunction, neutral_array
from etl.transform.xpaths import XPATH_FAILED

Gathered = TypeVar("Gathered", str, int)

SEVERAL = Failure(
    SEVERAL_VALUES,
    "a second value was found; `many: array` or a child table keeps all of them, `many: first` the first",
)


@dataclass(frozen=True, slots=True)
class Assembled:
    """The tables of a split, what became of its records, and what a person should hear about the rest."""

    tables: tuple[CopyRows | TupleRows, ...]
    failures: dict[int, tuple[str, str, Failure]]
    """By record: table, column (empty where the whole row is meant) and reason of its first failure."""
    discarded: frozenset[int]
    """Records that no record table has a row of, although nothing is wrong with them; failed ones may be among them."""
    notices: Notices


@dataclass(slots=True)
class _Rows:
    """A table on its way: canonical texts by column, and each row's record."""

    columns: list[Sequence[str]]
    records: list[int]
    parents: Sequence[int]
    """For each row the place of its parent's."""
    places: Sequence[int] | None = None
    """Where raw rows have come to stand after others were dropped, -1 for those themselves; None: nothing was."""

    def place(self, raw_row: int) -> int:
        return raw_row if self.places is None else self.places[raw_row]

    def keep(self, kept: Sequence[bool]) -> None:
        """Drop all other rows."""
        self.columns = [list(compress(texts, kept)) for texts in self.columns]
        self.records = list(compress(self.records, kept))
        self.parents = list(compress(self.parents, kept))
        moved = [count - 1 if keeps else -1 for keeps, count in zip(kept, accumulate(kept), strict=True)]
        self.places = moved if self.places is None else [moved[row] if row >= 0 else -1 for row in self.places]


class Found:
    """What making the tables of a split brought to light."""

    def __init__(self) -> None:
        self.failures: dict[int, tuple[int, int | None, Failure]] = {}
        """By record: table, column and reason of what failed first, table by table and column by column."""
        self.matched: set[tuple[int, int]] = set()
        self.replaced: dict[tuple[int, int], int] = {}

    def note(self, table: int, place: int, converted: Converted, records: Sequence[int]) -> None:
        for row, failure in converted.failures.items():
            self.failures.setdefault(records[row], (table, place, failure))
        if converted.replaced:
            self.replaced[table, place] = converted.replaced


_Several = dict[tuple[int, int], list[int]]
"""By table and column: raw rows in which one that keeps the first value met another."""


class Assembler:
    """Assembles the tables of one mapping for one kind of target.

    Raises MappingError where a function of the mapping cannot be loaded.
    """

    def __init__(self, mapping: Mapping, row_format: RowFormat, sources: Sequence[SourceInfo]) -> None:
        self._mapping = mapping
        self._row_format = row_format
        self._source_texts = {
            source.number: (source.label, source.load_id, _TIMESTAMPTZ.convert(source.loaded_at)) for source in sources
        }
        # Tuples go to targets that store no NaN or infinity.
        finite = row_format == "tuples"
        # A raw row holds only the columns that have a path.
        self._places = [
            [place for place, column in enumerate(table.columns) if isinstance(column.source, FromPath)]
            for table in mapping.tables
        ]
        self._functions = [
            None if table.transform is None else TableFunction(table, table.transform, finite=finite)
            for table in mapping.tables
        ]
        self._converters = [
            [
                converter(column, source, finite=finite, array=None if table.transform is None else neutral_array)
                for column in table.columns
                if isinstance(source := column.source, FromPath)
            ]
            for table in mapping.tables
        ]
        self._record_tables = [number for number, table in enumerate(mapping.tables) if table.parent is None]
        self._discards = any(
            mapping.tables[number].where is not None or mapping.tables[number].transform is not None
            for number in self._record_tables
        )

    def assemble(self, mapped: Mapped, positions: RecordPositions) -> Assembled:
        """Tables of everything mapped from one split."""
        found = Found()
        several: dict[tuple[int, int], list[int]] = {}
        for number, slot, row in mapped.several:
            several.setdefault((number, self._places[number][slot]), []).append(row)
        for record, (number, failed, message) in mapped.failures.items():
            place = None if failed is None else self._places[number][failed]
            found.failures[record] = number, place, Failure(XPATH_FAILED, message)
        known = _RecordColumns(positions, self.source_texts)
        done: list[_Rows] = []
        for number, (table, raw) in enumerate(zip(self._mapping.tables, mapped.tables, strict=True)):
            parent = done[table.parent] if table.parent is not None else None
            rows, raw_rows = _rows_of(raw, parent, len(table.columns))
            self._convert(number, raw_rows, rows, found, several, nil=mapped.nil)
            self._add_known(table, rows, known)
            self._apply_function(number, rows, found)
            self._add_counted(table, rows, parent, known)
            done.append(rows)
        notices = self._notices(mapped, found, several, done)
        discarded = self.discarded(lambda number: done[number].records, positions.count)
        return Assembled(
            tables=tuple(
                self._encoded(table, rows, found.failures, positions.split) for table, rows in enumerate(done)
            ),
            failures={record: self.named(*failure) for record, failure in found.failures.items()},
            discarded=discarded,
            notices=notices,
        )

    def convert(self, table: int, place: int, raw: Sequence[Any]) -> Converted:
        """Convert raw values (as in a raw row, NIL among them) of the column at `place`, which has a path."""
        return self._converters[table][self._places[table].index(place)](raw, True)

    def discarded(self, records: Callable[[int], Iterable[int]], count: int) -> frozenset[int]:
        """Which of a split's `count` records no record table has a row of; `records` tells those of a table."""
        if not self._discards:
            return frozenset()
        return frozenset(range(count)).difference(*(records(number) for number in self._record_tables))

    def named(self, table: int, place: int | None, failure: Failure) -> tuple[str, str, Failure]:
        """The failure with names, and where the mapping decides."""
        described = self._mapping.tables[table]
        column = None if place is None else described.columns[place]
        line = described.line if column is None else column.line
        if line:
            failure = Failure(failure.reason, f"{failure.message} ({self._mapping.label}:{line})")
        return described.name, column.name if column else "", failure

    def source_texts(self, part: Part) -> tuple[str, str, str]:
        """What columns can have of a part's document: its label, `load_id` and `loaded_at`."""
        texts = self._source_texts[part.source]
        return texts if part.document is None else (part.document.label, *texts[1:])

    def _convert(
        self, number: int, raw_rows: Sequence[RawRow], rows: _Rows, found: Found, several: _Several, *, nil: bool
    ) -> None:
        """The columns that have a path; of `several` what makes rejects is taken out."""
        described = self._mapping.tables[number].columns
        by_slot: Sequence[Sequence[Any]] = list(zip(*raw_rows, strict=True)) or [()] * len(self._places[number])
        for slot, (place, convert) in enumerate(zip(self._places[number], self._converters[number], strict=True)):
            raw = by_slot[slot]
            if any(value != NULL for value in raw):
                found.matched.add((number, place))
            source = described[place].source
            if isinstance(source, FromPath) and source.many == "reject":
                for row in map(rows.place, several.pop((number, place), ())):
                    if row >= 0:
                        found.failures.setdefault(rows.records[row], (number, place, SEVERAL))
            converted = convert(raw, nil)
            found.note(number, place, converted, rows.records)
            rows.columns[place] = converted.texts

    def _add_known(self, table: Table, rows: _Rows, known: _RecordColumns) -> None:
        """Constants, and what is known about the records."""
        for place, column in enumerate(table.columns):
            if isinstance(column.source, Constant):
                rows.columns[place] = [rule_for_column(column).convert(column.source.text)] * len(rows.records)
            elif isinstance(column.source, FromMeta):
                rows.columns[place] = _gather(known.meta(column.source.name), rows.records)

    def _apply_function(self, number: int, rows: _Rows, found: Found) -> None:
        function = self._functions[number]
        if function is None:
            return
        failed = {row for row, record in enumerate(rows.records) if record in found.failures}
        applied = function.apply(rows.columns, failed)
        for row, (place, failure) in applied.failures.items():
            found.failures.setdefault(rows.records[row], (number, place, failure))
        for place, texts in applied.columns.items():
            rows.columns[place] = texts
            if (number, place) not in found.matched and any(text != NULL for text in texts):
                found.matched.add((number, place))
        if applied.dropped:
            rows.keep([row not in applied.dropped for row in range(len(rows.records))])

    def _add_counted(self, table: Table, rows: _Rows, parent: _Rows | None, known: _RecordColumns) -> None:
        """The columns that number or copy rows, now that it is settled which rows there are."""
        for place, column in enumerate(table.columns):
            match column.source:
                case RecordId():
                    rows.columns[place] = _gather(known.record_ids(), rows.records)
                case ParentKey(name) if parent is not None and table.parent is not None:
                    names = [parent_column.name for parent_column in self._mapping.tables[table.parent].columns]
                    rows.columns[place] = _gather(parent.columns[names.index(name)], rows.parents)
                case SequenceNumber():
                    rows.columns[place] = _sequence(rows.parents)

    def _encoded(self, table: int, rows: _Rows, bad_records: Container[int], split: int) -> CopyRows | TupleRows:
        if bad_records:
            rows.keep([record not in bad_records for record in rows.records])
        return encode(self._mapping.tables[table], rows.columns, array("I", rows.records), self._row_format, split)

    def _notices(self, mapped: Mapped, found: Found, several: _Several, done: Sequence[_Rows]) -> Notices:
        counts = {
            (table, place): len({done[table].records[row] for row in rows})
            for (table, place), raw_rows in several.items()
            if (rows := [row for row in map(done[table].place, raw_rows) if row >= 0])
        }
        return Notices(
            matched=frozenset(found.matched),
            several=counts,
            set_null=found.replaced,
            mixed=frozenset((table, self._places[table][slot]) for table, slot in mapped.mixed),
            unseen=mapped.unseen,
            additions=mapped.additions,
        )


def _rows_of(raw: RawTable, parent: _Rows | None, columns: int) -> tuple[_Rows, Sequence[RawRow]]:
    """The rows whose parents are still there, and their raw values."""
    empty: list[Sequence[str]] = [()] * columns
    if parent is None:
        return _Rows(empty, raw.parents, raw.parents), raw.rows
    rows = _Rows(empty, [], raw.parents)
    raw_rows = raw.rows
    if parent.places is not None:
        rows.parents = [parent.places[row] for row in raw.parents]
        kept = [row >= 0 for row in rows.parents]
        rows.keep(kept)
        raw_rows = list(compress(raw_rows, kept))
    rows.records = _gather(parent.records, rows.parents)
    return rows, raw_rows


class _RecordColumns:
    """Texts about every record of a split, made when first asked for."""

    def __init__(self, positions: RecordPositions, source_texts: Callable[[Part], tuple[str, str, str]]) -> None:
        self._positions = positions
        self._source_texts = source_texts
        self._made: dict[str, list[str]] = {}

    def record_ids(self) -> list[str]:
        if "record_id" not in self._made:
            self._made["record_id"] = [str(place.part.keys_from + place.number) for place in self._positions]
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
                return self._source_texts(place.part)[0]
            case "load_id":
                return self._source_texts(place.part)[1]
            case "loaded_at":
                return self._source_texts(place.part)[2]


_TIMESTAMPTZ = rule_for(ColumnType("timestamptz"))


def _gather(texts: Sequence[Gathered], rows: Sequence[int]) -> list[Gathered]:
    return [texts[row] for row in rows]


def _sequence(parents: Sequence[int]) -> list[str]:
    """1, 2, ... among the rows of one parent, which are neighbours."""
    counts = Counter(parents).values()
    ordinals = [str(number) for number in range(1, max(counts, default=0) + 1)]
    numbers: list[str] = []
    for count in counts:
        numbers += ordinals[:count]
    return numbers
