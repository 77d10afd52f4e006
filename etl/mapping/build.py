"""What a mapping file means: from the models of `spec` to the tables of `model`, every rule of the language checked.

Everything wrong is collected as problems (line and sentence); tables come back only for what is right.
"""

from __future__ import annotations

import difflib
import heapq
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from etl.mapping.agreement import check_defaults
from etl.mapping.columns import ColumnBuilder
from etl.mapping.conditions import condition_paths, parse_condition
from etl.mapping.declared_transforms import TransformBuilder
from etl.mapping.keys import added_columns, as_key, declared_key, foreign_key
from etl.mapping.model import Column, Condition, FromPath, Table
from etl.mapping.nesting import document_path_problem, nesting_problems
from etl.mapping.paths import RecordPath, ValuePath, XPath, parse_record_path
from etl.mapping.reserved_names import column_problem, table_problem
from etl.mapping.spec import CONTROL, MappingSpec, Problem, Problems, TableSpec
from etl.mapping.yaml_text import Document, Place

NAME_BYTES = 63
"""What PostgreSQL keeps of a name; the rest would be cut off in silence."""


def build_tables(spec: MappingSpec, document: Document, folder: str) -> tuple[tuple[Table, ...], list[Problem]]:
    """The tables, parents before children, otherwise in the file's order; and every problem.

    `folder` is where the Python modules of transforms are looked for first.
    """
    builder = _Builder(spec, document, folder)
    builder.check_namespaces()
    check_defaults(spec.defaults, builder.problems)
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
    def __init__(self, spec: MappingSpec, document: Document, folder: str) -> None:
        self.spec = spec
        self.problems = Problems(document)
        self.transforms = TransformBuilder(self.problems, folder)
        self.columns = ColumnBuilder(spec, self.problems, self.transforms)
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
        self._check_table_names()
        tables = self.spec.tables
        names = list(tables)
        children: dict[str | None, list[int]] = {}
        for number, name in enumerate(names):
            children.setdefault(tables[name].parent, []).append(number)
        ordered: list[str] = []
        ready = children.get(None, [])
        while ready:
            name = names[heapq.heappop(ready)]
            ordered.append(name)
            for number in children.get(name, ()):
                heapq.heappush(ready, number)
        for name in sorted(set(names) - set(ordered)):
            self._explain_parent(name)
        return ordered

    def _explain_parent(self, name: str) -> None:
        """Why the table hangs on no record; of several that hang on each other, the first to blame says it."""
        tables = self.spec.tables
        parent = tables[name].parent
        place = ("tables", name, "parent")
        if parent not in tables:
            close = difflib.get_close_matches(str(parent), list(tables), n=1)
            hint = f"; did you mean {close[0]!r}?" if close else f"; tables: {', '.join(tables)}"
            self.problems.add(place, f"there is no table {parent!r}{hint}")
        elif name in self._ancestors(name):
            self.problems.add(place, "the table is its own ancestor; one table must be a record's")

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
            if problem := table_problem(name):
                self.problems.add(place, problem)
            if name.lower() in seen:
                self.problems.add(place, f"{seen[name.lower()]!r} has the same name but for upper and lower case")
            seen.setdefault(name.lower(), name)

    def _check_name(self, place: Place, name: str) -> None:
        if not name or CONTROL.search(name) or name != name.strip():
            self.problems.add(place, "a name needs visible characters, at its beginning and its end")
        elif len(name.encode()) > NAME_BYTES:
            self.problems.add(place, f"the name has {len(name.encode())} bytes, databases keep {NAME_BYTES}")

    def _check_column_name(self, place: Place, name: str) -> None:
        self._check_name(place, name)
        if problem := column_problem(name):
            self.problems.add(place, problem)

    def check_records(self) -> None:
        """Refuse records inside records, where nothing is looked at, and values of a document in or around them."""
        records = [(path, name) for name, built in self.built.items() for path in built.table.records]
        for name, sentence in nesting_problems(records):
            self.problems.add(("tables", name, "each"), sentence)
        for name, built in self.built.items():
            for column in built.table.columns:
                source = column.source
                if isinstance(source, FromPath) and source.scope == "document" and isinstance(source.path, ValuePath):
                    sentence = document_path_problem(source.path, records)
                    if sentence:
                        self.problems.add(("tables", name, "columns", column.name, "path"), sentence)

    # --- a table ---

    def add_table(self, name: str, spec: TableSpec) -> None:
        place: Place = ("tables", name)
        parent = self.built[spec.parent] if spec.parent is not None else None
        records = self._record_paths(place, spec.each) if parent is None else ()
        each = self._each_paths(place, spec.each) if parent is not None else ()
        height, depth = _distance(parent, records, each)
        declared = [
            column
            for column_name, column_spec in spec.columns.items()
            if (column := self.columns.build((*place, "columns", column_name), column_name, column_spec, height, depth))
        ]
        key = declared_key(place, spec, self.problems)
        added = added_columns(place, spec, parent.table if parent else None, self.problems)
        self._check_column_names(place, added, list(spec.columns))
        columns = [as_key(place, column, self.problems) if column.name in key else column for column in declared]
        table = Table(
            name=name,
            columns=(*added, *columns),
            key=key or tuple(column.name for column in added),
            records=records,
            parent=parent.number if parent else None,
            each=each,
            where=self._where((*place, "where"), spec.where, height, depth),
            transform=None
            if spec.transform is None
            else self.transforms.of_table((*place, "transform"), spec.transform),
            foreign_key=foreign_key(parent.table, added) if parent else None,
            line=self.problems.line(place),
            comment=self.problems.comment(place),
        )
        self.built[name] = _Built(table, len(self.built), height, depth)

    def _record_paths(self, place: Place, each: Sequence[str]) -> tuple[RecordPath, ...]:
        place = (*place, "each")
        paths: dict[str, RecordPath] = {}
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
            if text in paths:
                self.problems.add(place, f"{text!r} stands here twice")
            paths[text] = path
        return tuple(paths.values())

    def _each_paths(self, place: Place, each: Sequence[str]) -> tuple[ValuePath | XPath, ...]:
        place = (*place, "each")
        paths: list[ValuePath | XPath] = []
        for text in each:
            path = self.columns.parsed_path(place, text, elements=True)
            if path is None:
                continue
            if isinstance(path, ValuePath) and (path.up or path.leaf != "string" or not path.steps):
                self.problems.add(place, f"{text!r} must lead down from the parent's element to elements, as in a/b")
            if path in paths:
                self.problems.add(place, f"{text!r} stands here twice")
            paths.append(path)
        return tuple(paths)

    def _where(self, place: Place, text: str | None, height: int, depth: int | None) -> Condition | None:
        if text is None:
            return None
        try:
            condition = parse_condition(text, self.spec.namespaces)
        except ValueError as error:
            self.problems.add(place, f"{text!r}, {error}")
            return None
        for path in condition_paths(condition):
            self.columns.check_height(place, path, height, depth)
        return condition

    def _check_column_names(self, place: Place, added: Sequence[Column], declared: Iterable[str]) -> None:
        taken: dict[str, str] = {}
        for column in added:
            self._check_column_name(place, column.name)
            if column.name.lower() in taken:
                self.problems.add(
                    place, f"the key of its ancestors has two columns {column.name!r}: rename a table or a column"
                )
            taken[column.name.lower()] = "every row gets a column of this name (its key); choose another"
        for name in declared:
            self._check_column_name((*place, "columns", name), name)
            if name.lower() in taken:
                self.problems.add((*place, "columns", name), taken[name.lower()])
            taken.setdefault(name.lower(), f"{name!r} has the same name but for upper and lower case")


def _distance(
    parent: _Built | None, records: Sequence[RecordPath], each: Sequence[ValuePath | XPath]
) -> tuple[int, int | None]:
    if parent is not None:
        # What an XPath finds is at least one element further down.
        steps = (len(path.steps) if isinstance(path, ValuePath) else 1 for path in each)
        return parent.height + min(steps, default=1), parent.depth
    if any(path.anywhere for path in records):
        return 0, None
    return 0, min((len(path.steps) - 1 for path in records), default=None)
