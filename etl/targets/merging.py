"""`write: upsert` and `write: skip`: rows go to staging tables first, and from there to their tables by their keys.

A record is the row of a table without parent, with the rows of all tables below that. Comes in: a mapping, and a way to
run SQL in a batch's transaction, whose rows stand in the staging tables. Goes out: what was written, and which records
were left out. The SQL is one for PostgreSQL and SQLite; an insert thread runs it on its own connection.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, replace

from etl.errors import InternalError, SettingsError
from etl.faults import fault_point
from etl.mapping.model import Column, ColumnType, Mapping, RecordId, Table
from etl.messages import CopyRows, TupleRows
from etl.options import Write
from etl.targets.base import Merged, Rows
from etl.targets.schema import MAX_NAME_BYTES, quote

Run = Callable[[int, str], tuple[int, list[int]]]
"""Runs a statement that writes to the mapping's table of that place, or to its staging table. Returns how many rows it
changed, and the record numbers that it returned."""

_PLACE_BITS = 32
"""A record's number is its split's, and below that its place in it: later ones in the documents have larger ones."""


def check_keys(mapping: Mapping, write: Write) -> None:
    """Raises SettingsError where records of the mapping have no key by which they could be found again."""
    if write == "append":
        return
    for table in mapping.tables:
        named = {column.name: column for column in table.columns}
        if table.parent is None and any(isinstance(named[name].source, RecordId) for name in table.key):
            place = f" ({mapping.label}:{table.line})" if table.line else ""
            raise SettingsError(
                f"`write: {write}` finds records by their key, and the table {table.name}{place} has none, so that its"
                " records are numbered: give it a `key`, or load with `write: append`."
            )


@dataclass(frozen=True, slots=True)
class Staging:
    """A temporary table for the rows of one of the mapping's tables."""

    table: Table
    """As a mapping would describe it: the same columns, and behind them the number of the row's record."""
    number: str
    """Name of that column."""


class Merging:
    """How the records of one mapping are merged with those in the tables."""

    def __init__(self, mapping: Mapping, write: Write) -> None:
        self.staging = tuple(_staging(place, table) for place, table in enumerate(mapping.tables))
        self.tables = mapping.tables
        self._families = [
            _Family(mapping, self.staging, place, write)
            for place, table in enumerate(mapping.tables)
            if table.parent is None
        ]

    def merge(self, run: Run, staged: Collection[int]) -> Merged:
        """Merge what stands in the staging tables, which keep it; those not in `staged` need not be there."""
        rows = [0] * len(self.tables)
        families = [family for family in self._families if family.root in staged]
        dropped: set[int] = set()
        for family in families:
            dropped.update(family.merge(run, staged, rows))
        if dropped and len(families) > 1:
            # An element may be a record of several tables, and in one of them for the first time.
            for family in families:
                dropped.difference_update(run(family.root, family.kept)[1])
        skipped: dict[int, list[int]] = {}
        for number in dropped:
            skipped.setdefault(number >> _PLACE_BITS, []).append(number & (1 << _PLACE_BITS) - 1)
        return Merged(tuple(rows), skipped)

    def rows_left(self, place: int) -> str:
        """A query for the staged rows of a table that were merged: without those whose records gave way to others."""
        family = next(family for family in self._families if place == family.root or place in family.below)
        return family.rows_left(place)


def numbered(rows: Rows) -> Rows:
    """Rows as the staging table takes them: with the number of their record behind."""
    numbers = [rows.split << _PLACE_BITS | place for place in rows.records]
    if not numbers:
        return rows
    if isinstance(rows, CopyRows):
        # There is one line more, which is empty.
        lines = zip(rows.data.split(b"\n"), numbers, strict=False)
        return CopyRows(b"".join([b"%b\t%d\n" % line for line in lines]), rows.records, rows.split)
    values = rows.values
    width = len(values) // len(numbers)
    columns: list[Sequence[object]] = [*(values[place::width] for place in range(width)), numbers]
    return TupleRows.of_columns(columns, rows.records, rows.split)


class _Family:
    """A table without parent, and the tables below it."""

    def __init__(self, mapping: Mapping, staging: Sequence[Staging], root: int, write: Write) -> None:
        self.root = root
        self._tables, self._staging = mapping.tables, staging
        self._skips = write == "skip"
        self.below = [place for place in range(root + 1, len(self._tables)) if self._root_of(place) == root]
        self._key = self._tables[root].key
        self.kept = f"SELECT {quote(staging[root].number)} FROM {self._staged(root)}"

    def merge(self, run: Run, staged: Collection[int], rows: list[int]) -> list[int]:
        """Merge the records, add the rows written to those of each table, and return numbers of records left out."""
        root = self.root
        _, dropped = run(root, self._drop_repeated())
        if self._skips:
            dropped += run(root, self._drop_known())[1]
        else:
            dropped = []  # what is replaced at once was loaded all the same, as if the later one came in another batch
            for place in reversed(self.below):
                run(place, f"DELETE FROM {quote(self._tables[place].name)} WHERE {self._belongs_to_staged(place)}")
            fault_point("in_merge")
            if set(self._key) != {column.name for column in self._tables[root].columns}:
                rows[root] += run(root, self._update())[0]
        rows[root] += run(root, self._insert_new())[0]
        for place in self.below:
            if place in staged:
                rows[place] += run(place, self._insert(place))[0]
        return dropped

    def _drop_repeated(self) -> str:
        """Of several records of one key the last one stays, or to skip what is there already the first."""
        staged, number, key = self._staged(self.root), quote(self._staging[self.root].number), _list(self._key)
        order = "ASC" if self._skips else "DESC"
        ranked = f"SELECT {number}, row_number() OVER (PARTITION BY {key} ORDER BY {number} {order}) AS n FROM {staged}"
        return (
            f"DELETE FROM {staged} WHERE {number} IN (SELECT {number} FROM ({ranked}) AS ranked WHERE n > 1)"
            f" RETURNING {number}"
        )

    def _drop_known(self) -> str:
        return (
            f"DELETE FROM {self._staged(self.root)} WHERE {self._is_known()}"
            f" RETURNING {quote(self._staging[self.root].number)}"
        )

    def _belongs_to_staged(self, place: int) -> str:
        """Whether a row of this table belongs to a record whose key is staged."""
        table = self._tables[place]
        if table.parent is None or table.foreign_key is None:
            raise InternalError(f"The table {table.name} has no parent.")
        if table.parent == self.root:
            parents = self._staged(self.root)
        else:
            name = quote(self._tables[table.parent].name)
            parents = f"{name} WHERE {self._belongs_to_staged(table.parent)}"
        return (
            f"({_list(table.foreign_key.columns)}) IN (SELECT {_list(table.foreign_key.parent_columns)} FROM {parents})"
        )

    def _update(self) -> str:
        table, staged = self._tables[self.root], self._staged(self.root)
        changed = [quote(column.name) for column in table.columns if column.name not in self._key]
        values = ", ".join(f"{column} = {staged}.{column}" for column in changed)
        return f"UPDATE {quote(table.name)} SET {values} FROM {staged} WHERE {self._is_same()}"

    def _insert_new(self) -> str:
        """After `_update`: what is not there yet. No ON CONFLICT, so that no default or trigger of an INSERT applies to
        rows that are there."""
        return f"{self._insert(self.root)} WHERE NOT {self._is_known()}"

    def _insert(self, place: int) -> str:
        columns = _list([column.name for column in self._tables[place].columns])
        return f"INSERT INTO {quote(self._tables[place].name)} ({columns}) {self.rows_left(place)}"

    def rows_left(self, place: int) -> str:
        """The staged rows of a table whose records were not dropped."""
        columns = _list([column.name for column in self._tables[place].columns])
        rows = f"SELECT {columns} FROM {self._staged(place)}"
        if place == self.root:
            return rows
        staged, number = self._staged(self.root), quote(self._staging[self.root].number)
        own = f"{self._staged(place)}.{quote(self._staging[place].number)}"
        return f"{rows} WHERE EXISTS (SELECT 1 FROM {staged} WHERE {staged}.{number} = {own})"

    def _is_known(self) -> str:
        return f"EXISTS (SELECT 1 FROM {quote(self._tables[self.root].name)} WHERE {self._is_same()})"

    def _is_same(self) -> str:
        # SQLite compares by the collation of what stands left: the staging table has that of the unique index.
        staged, there = self._staged(self.root), quote(self._tables[self.root].name)
        return " AND ".join(f"{staged}.{quote(name)} = {there}.{quote(name)}" for name in self._key)

    def _staged(self, place: int) -> str:
        return quote(self._staging[place].table.name)

    def _root_of(self, place: int) -> int:
        parent = self._tables[place].parent
        return place if parent is None else self._root_of(parent)


def _staging(place: int, table: Table) -> Staging:
    name, number = f"etl_staged {table.name}", "etl_record"
    if len(name.encode()) > MAX_NAME_BYTES:
        name = f"etl_staged_{place}"
    while number in {column.name.lower() for column in table.columns}:
        number += "_"
    column = Column(number, ColumnType("bigint"), RecordId(), required=True)
    return Staging(replace(table, name=name, columns=(*table.columns, column)), number)


def _list(names: Sequence[str]) -> str:
    return ", ".join(map(quote, names))
