"""What the rows of each table want of elements: a mapping's tables go in, `Goal`s and conditions come out.

The paths of a table's columns, children and `where` start together from the row's element. Those with `..` start from
an ancestor: inside the record a row of a table of its own stands for it (a hidden table, one for each table and number
of steps up), above the record its attributes are asked of Python once for a skeleton. No tree here: how the goals of
all tables are followed side by side is for `program_nodes`. Pure; runs in a worker or where a mapping is checked.
"""

from __future__ import annotations

from collections.abc import Container, Iterator
from dataclasses import dataclass, field, replace

from etl.mapping.conditions import condition_paths
from etl.mapping.model import AllOf, AnyOf, Column, Compare, Condition, Exists, FromPath, Mapping, Not, Table
from etl.mapping.paths import NameTest, Step, ValuePath, XPath
from etl.native.program_codes import (
    CONDITION_BITS,
    ETL_FROM_AROUND,
    ETL_FROM_LINK,
    ETL_FROM_SLOT,
    ETL_KEEP_ALL,
    ETL_KEEP_ENTRY,
    ETL_KEEP_FIRST,
    ETL_KEEP_KEY,
    ETL_KEEP_LAST,
    ETL_KEEP_VALUE,
    ETL_MAX_WHERE,
    ETL_NONE,
    ETL_OP_EQUAL,
    ETL_OP_EXISTS,
    ETL_OP_STORE,
    ETL_OP_UNEQUAL,
    ETL_WHERE_AND,
    ETL_WHERE_AROUND,
    ETL_WHERE_BIT,
    ETL_WHERE_LINK_BIT,
    ETL_WHERE_NOT,
    ETL_WHERE_OR,
)
from etl.transform.mentions import table_names
from etl.transform.name_tests import attribute_tests, qualified, shown_attribute

_KEEP = {"first": ETL_KEEP_FIRST, "reject": ETL_KEEP_FIRST, "last": ETL_KEEP_LAST}
"""All other kinds of `many` want the list (`etl.transform.compile`)."""


class NotNative(Exception):
    """The scanner cannot do it; the message says why, as the end of a sentence."""


@dataclass(frozen=True, slots=True)
class Op:
    """`etl_op`, but for the row's register."""

    kind: int
    keep: int = 0
    bit: int = 0
    slot: int = 0
    literal: str = ""


@dataclass(frozen=True, slots=True, eq=False)
class Goal:
    """Where a path ends: with an `op` on the row it started from, or (`table`) with a row of another table.

    Compared by identity: two columns may have the same path.
    """

    steps: tuple[Step, ...]
    leaf: str = "element"
    """string, text, attribute; or element, whose being there is what matters."""
    attribute: NameTest | None = None
    op: Op | None = None
    table: int | None = None
    place: int = 0
    """Of the path among those that lead to rows of `table`."""
    declined: bool = False
    """Of a record's path: its table is not the scanner's."""

    @property
    def stores(self) -> bool:
        """It gives a column a text."""
        return self.op is not None and self.op.kind == ETL_OP_STORE and self.op.keep <= ETL_KEEP_ALL

    @property
    def enters(self) -> bool:
        """It gives a column an entry of keys and values."""
        return self.op is not None and self.op.kind == ETL_OP_STORE and self.op.keep == ETL_KEEP_ENTRY


@dataclass(frozen=True, slots=True, eq=False)
class Walk:
    """Goals that start together, as those of one `Place` of `etl.transform.compile` do."""

    goals: list[Goal]
    path: str
    """Of the element they start from, as notices show it."""
    quiet: bool
    """What it does not take is not unseen: another walk looks at the same elements."""


@dataclass(slots=True)
class Rows:
    """What is wanted for the rows of one table of the program."""

    parent: int | None
    lists: int
    walks: list[Walk]
    slots: int = 0
    bits: dict[object, int] = field(default_factory=dict)
    """Conditions on the row and the bits that say whether they hold."""
    links: dict[int, int] = field(default_factory=dict)
    """Hidden tables by steps up; a row's links are in this order."""
    where: list[tuple[int, int, int, int]] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class AroundText:
    """An attribute of an element above the record."""

    up: int
    """1 is the record's parent."""
    name: str
    """As lxml's `get` wants it."""


@dataclass(frozen=True, slots=True)
class AroundColumn:
    """What a column with `scope: document` has: the same on all rows of a document (`etl.transform.header`)."""

    column: Column


@dataclass(frozen=True, slots=True)
class AroundBit:
    """A condition on an attribute of an element above the record; false where there is no such element."""

    up: int
    name: str
    literal: str | None
    """None: that the attribute is there is what is asked."""
    equal: bool
    """False: it is there and has another value."""


@dataclass(frozen=True, slots=True)
class Source:
    """Where a column that has a path finds its values (`etl_column`)."""

    source: int
    index: int
    link: int = ETL_NONE
    table: int = ETL_NONE


class MappingRows:
    """The rows of those tables of a mapping that are the scanner's, and of those that stand for their ancestors.

    Raises NotNative where the conditions of the tables are too many together.
    """

    def __init__(self, mapping: Mapping, native: Container[int]) -> None:
        self.mapping = mapping
        self.tables: list[Rows] = []
        """By number: the mapping's, then the hidden ones."""
        self.sources: dict[tuple[int, int], Source] = {}
        """By table and place of the column."""
        self.around: dict[AroundText | AroundColumn, int] = {}
        self.around_bits: dict[AroundBit, int] = {}
        self.known: set[str] = set()
        """Paths that are taken or looked at whatever a document has (as in `etl.transform.compile`, to which others are
        known when they are met: `p:a` must not hide that nothing takes `a`)."""
        self._depths = depths(mapping)
        for number, table in enumerate(mapping.tables):
            names = "/".join(table_names(mapping, number)) if number in native else ""
            self.tables.append(Rows(table.parent, max(len(table.each), 1), [Walk([], names, quiet=False)]))
        for number, table in enumerate(mapping.tables):
            if number in native:
                self._add_table(number, table)
        for rows in self.tables:
            self.known.update(
                f"{walk.path}/{shown_attribute(qualified(goal.attribute))}"
                for walk in rows.walks
                for goal in walk.goals
                if goal.attribute is not None and not goal.steps
            )
        self.ahead = self._ahead()
        """By table: hidden tables that begin that many steps above its rows' elements (0: at them), for it or for a
        table below it."""

    def _add_table(self, number: int, table: Table) -> None:
        for place, column in enumerate(table.columns):
            if isinstance(column.source, FromPath) and isinstance(column.source.path, ValuePath):
                self._add_column(number, place, column.source, column.source.path)
        for child, described in enumerate(self.mapping.tables):
            if described.parent == number:
                self.tables[number].walks[0].goals.extend(
                    Goal(path.steps, table=child, place=place)
                    for place, path in enumerate(described.each)
                    if isinstance(path, ValuePath)
                )
        names = table_names(self.mapping, number)
        self.known.update(
            f"{names[-1]}/{shown_attribute(name)}"
            for path in table.records
            for name, _ in attribute_tests(path.steps[-1])
        )
        if table.where is not None:
            self.tables[number].where += self._condition(number, table.where)
            for path in condition_paths(table.where):
                self._know_above(names, path)

    def _add_column(self, number: int, place: int, wanted: FromPath, path: ValuePath) -> None:
        above: AroundText | AroundColumn | None = None
        if wanted.scope == "document":
            above = AroundColumn(self.mapping.tables[number].columns[place])
        elif path.up and self._is_above(number, path):
            above = self._around_text(number, path)
        if above is not None:
            self.sources[number, place] = Source(ETL_FROM_AROUND, self.around.setdefault(above, len(self.around)))
            return
        # The mapper knows what is taken from below once it has met such a row; here no row of theirs tells.
        ends = (replace(end, up=path.up, steps=path.steps + end.steps) for end in wanted.pair or ())
        for taken in (path, *ends):
            self._know_above(table_names(self.mapping, number), taken)
        owner = self._hidden(number, path.up) if path.up else number
        rows = self.tables[owner]
        if wanted.pair is None:
            op = Op(ETL_OP_STORE, keep=_KEEP.get(wanted.many, ETL_KEEP_ALL), slot=rows.slots)
            rows.walks[0].goals.append(Goal(path.steps, path.leaf, path.attribute, op))
        else:
            rows.walks[0].goals.extend(_entries(path, wanted.pair, rows.slots))
        self.sources[number, place] = (
            Source(ETL_FROM_LINK, rows.slots, self._link(number, path.up), owner)
            if path.up
            else Source(ETL_FROM_SLOT, rows.slots)
        )
        rows.slots += 1

    # --- conditions ---

    def _condition(self, number: int, condition: Condition) -> Iterator[tuple[int, int, int, int]]:
        match condition:
            case Exists(path):
                yield self._leaf(number, path, None, equal=True)
            case Compare(path, literal, equal):
                yield self._leaf(number, path, literal, equal=equal)
            case Not(inner):
                yield from self._condition(number, inner)
                yield ETL_WHERE_NOT, 0, 0, 0
            case AllOf(parts) | AnyOf(parts):
                joined = ETL_WHERE_AND if isinstance(condition, AllOf) else ETL_WHERE_OR
                for place, part in enumerate(parts):
                    yield from self._condition(number, part)
                    if place:
                        yield joined, 0, 0, 0

    def _leaf(self, number: int, path: ValuePath, literal: str | None, *, equal: bool) -> tuple[int, int, int, int]:
        if path.up and self._is_above(number, path):
            text = self._around_text(number, path)
            wanted = AroundBit(text.up, text.name, literal, equal)
            bit = self.around_bits.setdefault(wanted, len(self.around_bits))
            if bit >= CONDITION_BITS:
                raise NotNative(f"where: more than {CONDITION_BITS} conditions on what stands above the records")
            return ETL_WHERE_AROUND, bit, ETL_NONE, ETL_NONE
        owner = self._hidden(number, path.up) if path.up else number
        rows = self.tables[owner]
        key = replace(path, text="", up=0), literal, equal
        if key not in rows.bits:
            kind = ETL_OP_EXISTS if literal is None else ETL_OP_EQUAL if equal else ETL_OP_UNEQUAL
            op = Op(kind, bit=len(rows.bits), literal=literal or "")
            leaf = "element" if path.leaf == "string" and literal is None else path.leaf
            rows.walks[-1].goals.append(Goal(path.steps, leaf, path.attribute, op))
            rows.bits[key] = op.bit
        if not path.up:
            return ETL_WHERE_BIT, rows.bits[key], ETL_NONE, ETL_NONE
        return ETL_WHERE_LINK_BIT, rows.bits[key], self._link(number, path.up), owner

    def _know_above(self, names: list[str], path: ValuePath) -> None:
        if not path.up or path.up >= len(names):
            return
        below = [*names[: -path.up], *(step.element.name or "*" for step in path.steps)]
        self.known.update("/".join(below[:end]) for end in range(1, len(below) + 1))
        if path.attribute is not None:
            self.known.add("/".join([*below, shown_attribute(qualified(path.attribute))]))

    # --- ancestors ---

    def _is_above(self, number: int, path: ValuePath) -> bool:
        return path.up > min(self._depths[number])

    def _around_text(self, number: int, path: ValuePath) -> AroundText:
        assert path.attribute is not None, "the mapping was checked"
        return AroundText(path.up - min(self._depths[number]), qualified(path.attribute))

    def _hidden(self, number: int, up: int) -> int:
        """The table whose rows stand for the elements `up` steps above those of the table."""
        links = self.tables[number].links
        if up not in links:
            links[up] = len(self.tables)
            path = "/".join(table_names(self.mapping, number)[:-up])
            # What columns and what conditions look for do not meet in the mapper, whose notices are to be the same.
            self.tables.append(Rows(None, 1, [Walk([], path, quiet=True), Walk([], path, quiet=True)]))
        return links[up]

    def _link(self, number: int, up: int) -> int:
        return list(self.tables[number].links).index(up)

    def _ahead(self) -> list[set[tuple[int, int]]]:
        ahead: list[set[tuple[int, int]]] = [set(rows.links.items()) for rows in self.tables]
        # Children first: a parent comes before its children.
        for number, table in reversed(list(enumerate(self.mapping.tables))):
            if table.parent is not None:
                ahead[table.parent].update(
                    (up - length, hidden) for length in lengths(table) for up, hidden in ahead[number] if up >= length
                )
        return ahead


def _entries(path: ValuePath, pair: tuple[ValuePath, ValuePath], slot: int) -> Iterator[Goal]:
    """Entries, their keys and their values: all go into one list, in document order."""
    yield Goal(path.steps, op=Op(ETL_OP_STORE, keep=ETL_KEEP_ENTRY, slot=slot))
    for end, keep in zip(pair, (ETL_KEEP_KEY, ETL_KEEP_VALUE), strict=True):
        yield Goal(path.steps + end.steps, end.leaf, end.attribute, Op(ETL_OP_STORE, keep=keep, slot=slot))


def lengths(table: Table) -> set[int]:
    """How many steps a child table's elements are below its parent's."""
    return {len(path.steps) for path in table.each if isinstance(path, ValuePath)}


def depths(mapping: Mapping) -> list[set[int]]:
    """By table: how many steps its elements are below the record's. Empty where an XPath leads to them."""
    found: list[set[int]] = []
    for table in mapping.tables:
        above = {0} if table.parent is None else found[table.parent]
        if any(isinstance(path, XPath) for path in table.each):
            above = set()
        found.append({depth + length for depth in above for length in lengths(table)} if table.each else above)
    return found


def where_problem(condition: Condition | None) -> str:
    """Why the scanner cannot tell whether it holds, "" where it can."""
    if condition is None:
        return ""
    leaves = list(_leaves(condition))
    if any(isinstance(leaf, XPath) for leaf in leaves):
        return "where: an XPath"
    if any(path.leaf == "text" for path in condition_paths(condition)):
        return "where: a condition on text()"
    return f"where: more than {ETL_MAX_WHERE} conditions" if len(leaves) > ETL_MAX_WHERE else ""


def _leaves(condition: Condition) -> Iterator[Condition]:
    match condition:
        case Not(inner):
            yield from _leaves(inner)
        case AllOf(parts) | AnyOf(parts):
            for part in parts:
                yield from _leaves(part)
        case _:
            yield condition


def column_paths(table: Table) -> Iterator[tuple[Column, FromPath]]:
    """The columns of a table that have a path."""
    for column in table.columns:
        if isinstance(column.source, FromPath):
            yield column, column.source
