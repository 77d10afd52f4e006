"""What a mapping file means: from the models of `spec` to the tables of `model`, every rule of the language checked.

Everything wrong is collected as problems (line and sentence); tables come back only for what is right.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from etl.mapping.columns import CONTROL, ColumnBuilder
from etl.mapping.model import Column, ColumnType, ForeignKey, ParentKey, RecordId, Table
from etl.mapping.model import Sequence as SequenceSource
from etl.mapping.nesting import nesting_problem
from etl.mapping.paths import RecordPath, ValuePath, parse_record_path
from etl.mapping.spec import MappingSpec, Problem, Problems, TableSpec
from etl.mapping.yaml_text import Document, Place

NAME_BYTES = 63
"""What PostgreSQL keeps of a name; the rest would be cut off in silence."""
LEDGER_TABLES = frozenset({"etl_source", "etl_split", "etl_reject", "etl_table"})


def build_tables(spec: MappingSpec, document: Document) -> tuple[tuple[Table, ...], list[Problem]]:
    """The tables, parents before children, otherwise in the file's order; and every problem."""
    builder = _Builder(spec, document)
    builder.check_namespaces()
    for name in builder.order():
        builder.add_table(name, spec.tables[name])
    builder.check_records()
    return tuple(built.table for built in builder.built.values()), builder.problems.found


@dataclass(frozen=True, slots=True)
class _Built:
    table: Table
    number: int
    height: int
    """Least number of elements between this table's element and its record's."""
    depth: int | None
    """Least number of elements above the record; None where `//name` finds it anywhere."""


class _Builder:
    def __init__(self, spec: MappingSpec, document: Document) -> None:
        self.spec = spec
        self.document = document
        self.problems = Problems(document)
        self.columns = ColumnBuilder(spec.namespaces, self.problems)
        self.built: dict[str, _Built] = {}

    # --- the whole file ---

    def check_namespaces(self) -> None:
        for prefix, namespace in self.spec.namespaces.items():
            place = ("namespaces", prefix)
            if not re.fullmatch(r"[A-Za-z_\u00c0-\U0010ffff][\w.\-]*", prefix):
                self.problems.add(place, f"{prefix!r} cannot be a prefix")
            elif prefix == "xml":
                self.problems.add(place, "the prefix xml is always there, with its own namespace")
            elif not namespace:
                self.problems.add(place, "the namespace is empty; a name without prefix is in no namespace")

    def order(self) -> list[str]:
        """Names of the tables that hang on a record, parents before children."""
        tables = self.spec.tables
        ordered: list[str] = []
        self._check_table_names()
        waiting = list(tables)
        while waiting:
            ready = [name for name in waiting if tables[name].parent is None or tables[name].parent in ordered]
            if not ready:
                break
            ordered.append(ready[0])
            waiting.remove(ready[0])
        for name in waiting:
            parent = tables[name].parent
            if parent not in tables:
                close = difflib.get_close_matches(str(parent), list(tables), n=1)
                hint = f"; did you mean {close[0]!r}?" if close else f"; tables: {', '.join(tables)}"
                self.problems.add(("tables", name, "parent"), f"there is no table {parent!r}{hint}")
            elif name in self._ancestors(name):
                self.problems.add(
                    ("tables", name, "parent"), "the table is its own ancestor; one table must be a record's"
                )
        return ordered

    def _ancestors(self, name: str) -> list[str]:
        found: list[str] = []
        parent = self.spec.tables[name].parent
        while parent in self.spec.tables and parent not in found:
            found.append(parent)
            parent = self.spec.tables[parent].parent
        return found

    def _check_table_names(self) -> None:
        seen: dict[str, str] = {}
        for name in self.spec.tables:
            place = ("tables", name)
            self._check_name(place, name)
            if name.lower() in LEDGER_TABLES:
                self.problems.add(place, "the ledger's tables have this name; choose another")
            if name.lower() in seen:
                self.problems.add(place, f"{seen[name.lower()]!r} has the same name but for upper and lower case")
            seen.setdefault(name.lower(), name)

    def _check_name(self, place: Place, name: str) -> None:
        if not name or CONTROL.search(name) or name != name.strip():
            self.problems.add(place, "a name needs visible characters, at its beginning and its end")
        elif len(name.encode()) > NAME_BYTES:
            self.problems.add(place, f"the name has {len(name.encode())} bytes, databases keep {NAME_BYTES}")

    def check_records(self) -> None:
        """Refuse records inside records: where one ends, nothing inside it is looked at."""
        records = [(name, path) for name, built in self.built.items() for path in built.table.records]
        for place, (name, path) in enumerate(records):
            for other_name, other in records[:place] + records[place + 1 :]:
                if sentence := nesting_problem(path, other, other_name):
                    self.problems.add(("tables", name, "each"), sentence)

    # --- a table ---

    def add_table(self, name: str, spec: TableSpec) -> None:
        place: Place = ("tables", name)
        parent = self.built.get(spec.parent) if spec.parent is not None else None
        if spec.parent is not None and parent is None:
            return
        records = self._record_paths(place, spec.each) if parent is None else ()
        each = self._each_paths(place, spec.each) if parent is not None else ()
        height, depth = _distance(parent, records, each)
        declared = [
            column
            for column_name, column_spec in spec.columns.items()
            if (column := self.columns.build((*place, "columns", column_name), column_name, column_spec, height, depth))
        ]
        key = self._key(place, spec, parent)
        added = _added_columns(parent.table if parent else None, with_record_id=not key)
        self._check_column_names(place, added, list(spec.columns))
        table = Table(
            name=name,
            columns=(*added, *(_as_key(column) if column.name in key else column for column in declared)),
            key=key or tuple(column.name for column in added),
            records=records,
            parent=parent.number if parent else None,
            each=each,
            foreign_key=_foreign_key(parent.table, added) if parent else None,
            line=self.document.line(place),
        )
        self.built[name] = _Built(table, len(self.built), height, depth)

    def _record_paths(self, place: Place, each: Sequence[str]) -> tuple[RecordPath, ...]:
        place = (*place, "each")
        paths: list[RecordPath] = []
        for text in each:
            if not text.startswith("/"):
                self.problems.add(
                    place,
                    f"{text!r} is relative: write an absolute path (/a/b or //b), or name the `parent` it starts from",
                )
                continue
            try:
                path = parse_record_path(text, self.spec.namespaces)
            except ValueError as error:
                self.problems.add(place, f"{text!r}, {error}")
                continue
            if path in paths:
                self.problems.add(place, f"{text!r} stands here twice")
            paths.append(path)
        return tuple(paths)

    def _each_paths(self, place: Place, each: Sequence[str]) -> tuple[ValuePath, ...]:
        place = (*place, "each")
        paths: list[ValuePath] = []
        for text in each:
            path = self.columns.value_path(place, text)
            if path is None:
                continue
            if path.up or path.leaf != "string" or not path.steps:
                self.problems.add(place, f"{text!r} must lead down from the parent's element to elements, as in a/b")
            if path in paths:
                self.problems.add(place, f"{text!r} stands here twice")
            paths.append(path)
        return tuple(paths)

    def _key(self, place: Place, spec: TableSpec, parent: _Built | None) -> tuple[str, ...]:
        if spec.key is None:
            return ()
        place = (*place, "key")
        if parent is not None:
            self.problems.add(place, "a child table has no key of its own: its key is its parent's key and seq")
            return ()
        for name in spec.key:
            if name not in spec.columns:
                close = difflib.get_close_matches(name, list(spec.columns), n=1)
                hint = f"; did you mean {close[0]!r}?" if close else f"; columns: {', '.join(spec.columns)}"
                self.problems.add(place, f"there is no column {name!r}{hint}")
            elif spec.columns[name].on_error == "set_null":
                self.problems.add(place, f"{name!r} has on_error: set_null, but a key is never NULL")
        if len(set(spec.key)) < len(spec.key):
            self.problems.add(place, "a column stands here twice")
        return tuple(spec.key)

    def _check_column_names(self, place: Place, added: Sequence[Column], declared: Iterable[str]) -> None:
        taken: dict[str, str] = {}
        for column in added:
            self._check_name(place, column.name)
            if column.name.lower() in taken:
                self.problems.add(
                    place, f"the key of its ancestors has two columns {column.name!r}: rename a table or a column"
                )
            taken[column.name.lower()] = "every row gets a column of this name (its key); choose another"
        for name in declared:
            self._check_name((*place, "columns", name), name)
            if name.lower() in taken:
                self.problems.add((*place, "columns", name), taken[name.lower()])
            taken.setdefault(name.lower(), f"{name!r} has the same name but for upper and lower case")


def _distance(
    parent: _Built | None, records: Sequence[RecordPath], each: Sequence[ValuePath]
) -> tuple[int, int | None]:
    if parent is not None:
        return parent.height + min((len(path.steps) for path in each), default=1), parent.depth
    if any(path.anywhere for path in records):
        return 0, None
    return 0, min((len(path.steps) - 1 for path in records), default=None)


def _added_columns(parent: Table | None, *, with_record_id: bool) -> tuple[Column, ...]:
    """A child's copy of its parent's key and `seq`; a record's `record_id` where it declares no key."""
    if parent is None:
        record_id = Column("record_id", ColumnType("bigint"), RecordId(), required=True)
        return (record_id,) if with_record_id else ()
    columns = {column.name: column for column in parent.columns}
    inherited = [
        Column(_inherited_name(parent, columns[name]), columns[name].type, ParentKey(name), required=True)
        for name in parent.key
        if name in columns
    ]
    return (*inherited, Column("seq", ColumnType("integer"), SequenceSource(), required=True))


def _inherited_name(parent: Table, column: Column) -> str:
    """`id` of release is release_id below it; what release itself inherited keeps its name, as does `release_id`."""
    if isinstance(column.source, ParentKey) or column.name.lower().startswith(f"{parent.name.lower()}_"):
        return column.name
    return f"{parent.name}_{column.name}"


def _foreign_key(parent: Table, added: Sequence[Column]) -> ForeignKey:
    return ForeignKey(columns=tuple(column.name for column in added[:-1]), parent_columns=parent.key)


def _as_key(column: Column) -> Column:
    return replace(column, required=True)
