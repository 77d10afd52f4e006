"""Turns record elements into rows: elements of an lxml tree go in, raw rows of every table come out.

This is the hottest loop of the program: one pass over each element's children, dispatched by tag (`compile`). A raw
row is a list with one text for each column that has a path, NULL where nothing was found; rows know their parent's
row, and the rest (keys, seq, conversion) is done by column for a whole split at once (`assemble`, `columns`). Runs in a
worker; a mapper belongs to one thread.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import chain, compress
from operator import itemgetter
from typing import Any

from etl.mapping.model import Mapping
from etl.transform.compile import Choice, Item, Keep, Place, TablePlan, compile_mapping
from etl.transform.elements import NIL, NULL, Element, ancestor, empty_nil_elements, is_nil
from etl.transform.header import Header
from etl.transform.unseen import CloseLook, told
from etl.transform.xpaths import XPathFailure

RawRow = list[Any]
"""Texts; where a column keeps all its values a list of them, or of keys with their values."""
Found = tuple[int, Element]
"""An element for a child table, with the row of its parent."""
_OWNER = itemgetter(0)


class RawTable:
    """The rows of one table from one split."""

    __slots__ = ("parents", "rows")

    def __init__(self) -> None:
        self.rows: list[RawRow] = []
        self.parents: list[int] = []
        """For each row the place of its parent's row in the parent table, for a record that of the record."""


@dataclass(frozen=True, slots=True)
class Mapped:
    """The raw rows of a split, and what was noticed on the way."""

    tables: list[RawTable]
    several: set[tuple[int, int, int]]
    """(table, slot, row) where a column that keeps the first value met another one."""
    mixed: set[tuple[int, int]]
    """(table, slot) of columns that met an element with child elements."""
    unseen: frozenset[str]
    """Paths of elements and attributes that nothing in the mapping takes."""
    additions: dict[tuple[int, str], bool]
    """(table, path) of columns that would take some of that, and whether they would find several values in a row."""
    nil: bool
    """Some values are NIL."""
    failures: dict[int, tuple[int, int | None, str]]
    """By record: table, slot (None where the whole row is meant) and message of an XPath that failed first."""


class DataMapper:
    """Maps elements to raw rows, which pile up until `take` is called."""

    def __init__(self, mapping: Mapping) -> None:
        compiled = compile_mapping(mapping)
        self.plans = compiled.plans
        self._known = compiled.known
        self._mentions = compiled.mentions
        self._look = CloseLook(self.plans)
        self._templates = [[NULL] * plan.slots for plan in self.plans]
        self._nil_in_header = False
        self._noticed: list[tuple[list[int], list[int]]] = [([], []) for _ in self.plans]
        """By table the slots of which the document has several values, and those that are of mixed content."""
        self.begin()

    def begin(self) -> None:
        """Forget what was mapped and not taken."""
        self.tables = [RawTable() for _ in self.plans]
        self.several: set[tuple[int, int, int]] = set()
        self.mixed: set[tuple[int, int]] = set()
        self.unseen: set[str] = set()
        self.nil = False
        self.failures: dict[int, tuple[int, int | None, str]] = {}
        self._record = 0
        self._above: dict[tuple[Place, Element], RawRow] = {}
        self._look.begin()

    def begin_document(self, header: Header) -> None:
        """The records that follow stand behind this header."""
        self._nil_in_header = header.nil
        for plan in self.plans:
            values = [(slot, header.value(column)) for slot, column in plan.of_document]
            for slot, value in values:
                self._templates[plan.number][slot] = value.raw
            several, mixed = self._noticed[plan.number]
            several[:] = [slot for slot, value in values if value.several]
            mixed[:] = [slot for slot, value in values if value.mixed]

    def empty_nil_elements(self, record: Element) -> None:
        """Needed before `map_records` where ``xsi:nil`` may occur: such an element is NULL, so it counts as empty.

        XML Schema asks for that anyway; what an element holds against it would otherwise be seen by longer paths.
        """
        self.nil |= empty_nil_elements(record)

    def map_records(self, plan: TablePlan, elements: Sequence[Element], records: Sequence[int]) -> None:
        """Map record elements to rows of a record table and its children; `records` are their places in the split.

        Where `plan.alone`, there is one, which is the only child of its parent.
        """
        if plan.alone:
            self._record = records[0]
        self.nil |= self._nil_in_header
        self._map_table(plan, elements, records)
        self._above.clear()
        self._look.look(plan, elements)

    def take(self) -> Mapped:
        """Everything mapped since the last call."""
        candidates = (self.unseen | self._look.unseen) - self._known
        unseen, additions = told(candidates, self._look.additions, self._mentions)
        mapped = Mapped(self.tables, self.several, self.mixed, unseen, additions, self.nil, self.failures)
        self.begin()
        return mapped

    def _map_table(self, plan: TablePlan, elements: Sequence[Element], parents: Sequence[int]) -> None:
        if plan.where is not None:
            elements, parents = self._holding(plan, elements, parents)
        table = self.tables[plan.number]
        table.parents += parents
        rows = table.rows
        template = self._templates[plan.number]
        place = plan.place
        walk = self._walk
        looks_further = plan.looks_further
        found: list[list[Found]] = [[] for _ in range(plan.lists)]
        for row, element in enumerate(elements, len(rows)):
            values = template.copy()
            rows.append(values)
            if looks_further:
                self._look_further(plan, element, values, row, found)
            walk(element, place, values, row, found)
        if plan.of_document:
            self._notice_document(plan, range(len(rows) - len(elements), len(rows)))
        # A whole level at a time, since starting on a table costs as much as some of its rows.
        for child in plan.children:
            below = found[child.found[0]]
            if len(child.found) > 1:
                # Sorting is stable: path by path within each parent.
                below = sorted(chain.from_iterable(found[place] for place in child.found), key=_OWNER)
            if below:
                owners, children = zip(*below, strict=True)
                self._map_table(child.plan, children, owners)

    def _notice_document(self, plan: TablePlan, rows: range) -> None:
        several, mixed = self._noticed[plan.number]
        self.several.update((plan.number, slot, row) for slot in several for row in rows)
        if rows:
            self.mixed.update((plan.number, slot) for slot in mixed)

    def _walk(self, element: Element, place: Place, values: RawRow, row: int, found: list[list[Found]]) -> None:
        for name, slot in place.own:
            values[slot] = element.get(name, NULL)
        if place.valued:
            for name, slot, keep in place.attributes:
                text = element.get(name)
                if text is not None:
                    if values[slot] is NULL and keep != "all":
                        values[slot] = text
                    else:
                        self._store_again(place.table, row, values, slot, keep, text)
            if place.strings:
                self._store_string(element, place, values, row)
            for slot, keep, read in place.readers:
                self._store(place.table, row, values, slot, keep, read(element))
        if not place.open:
            return
        get = place.actions.get
        positions: dict[Item, int] | None = None
        for child in element:
            action: Any = get(child.tag)
            if action is None:
                action = place.resolve(child.tag)
            if action.__class__ is int:
                if values[action] is not NULL:
                    self.several.add((place.table, action, row))
                elif len(child):
                    self.mixed.add((place.table, action))
                    values[action] = "".join(child.itertext())
                else:
                    text = child.text
                    if text is not None:
                        values[action] = text
                    else:
                        values[action] = NIL if self.nil and is_nil(child) else ""
                continue
            if action.__class__ is Choice:
                positions = {} if positions is None else positions
                action = _choose(child, action, positions)
            if action.__class__ is Place:
                for place_of_list in action.collects:
                    found[place_of_list].append((row, child))
                if action.wanted:
                    self._walk(child, action, values, row, found)
            else:
                self.unseen.add(action.path)

    def _store_string(self, element: Element, place: Place, values: RawRow, row: int) -> None:
        if len(element):
            text = "".join(element.itertext())
            self.mixed.update((place.table, slot) for slot, _ in place.strings)
        else:
            text = element.text or ""
            if not text and self.nil and is_nil(element):
                text = NIL
        for slot, keep in place.strings:
            self._store(place.table, row, values, slot, keep, text)

    def _store(self, table: int, row: int, values: RawRow, slot: int, keep: Keep, value: Any) -> None:
        if values[slot] is NULL and keep != "all":
            values[slot] = value
        else:
            self._store_again(table, row, values, slot, keep, value)

    def _store_again(self, table: int, row: int, values: RawRow, slot: int, keep: Keep, value: Any) -> None:
        if keep == "first":
            self.several.add((table, slot, row))
        elif keep == "last":
            values[slot] = value
        elif values[slot] is NULL:
            values[slot] = [value]
        else:
            values[slot].append(value)

    def _holding(
        self, plan: TablePlan, elements: Sequence[Element], parents: Sequence[int]
    ) -> tuple[Sequence[Element], Sequence[int]]:
        """The elements for which the table's `where` holds, and their parents."""
        assert plan.where is not None, "asked only then"
        try:
            held = plan.where(elements)
        except XPathFailure as failure:
            self._fail(plan.number, None, failure)
            return (), ()
        return list(compress(elements, held)), list(compress(parents, held))

    def _fail(self, table: int, slot: int | None, failure: XPathFailure) -> None:
        self.failures.setdefault(self._record, (table, slot, failure.message))

    def _look_further(
        self, plan: TablePlan, element: Element, values: RawRow, row: int, found: list[list[Found]]
    ) -> None:
        if plan.above:
            self._look_above(plan, element, values, row)
        for column in plan.xpath_columns:
            try:
                for value in column.values(element):
                    self._store(plan.number, row, values, column.slot, column.keep, value)
            except XPathFailure as failure:
                self._fail(plan.number, column.slot, failure)
        for wanted in plan.xpath_lists:
            try:
                found[wanted.found] += [(row, one) for one in wanted.elements(element)]
            except XPathFailure as failure:
                self._fail(wanted.table, None, failure)

    def _look_above(self, plan: TablePlan, element: Element, values: RawRow, row: int) -> None:
        for above in plan.above:
            start = ancestor(element, above.up)
            if start is None:
                continue
            seen = self._above.get((above.place, start))
            if seen is None:
                # Kept, or each of a million siblings would walk over all the others.
                seen = self._above[above.place, start] = self._templates[plan.number].copy()
                self._walk(start, above.place, seen, row, [])
            for slot in above.slots:
                values[slot] = seen[slot]


def _choose(child: Element, choice: Any, positions: dict[Item, int]) -> Any:
    holds = []
    for item, tests, position in choice.tests:
        held = all(child.get(name) == value for name, value in tests)
        if held and position is not None:
            count = positions[item] = positions.get(item, 0) + 1
            held = count == position
        holds.append(held)
    return choice.outcome(tuple(holds))
