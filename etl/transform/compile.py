"""Compiles a mapping into a dispatch by tag, so that mapping a record is one pass over each element's children.

All paths of a table run side by side: a `Place` is the set of paths that are still possible at an element, with how
far each has come. What a child's tag leads to is worked out when the tag is first met there and kept in `actions`, so
wildcards and namespaces cost nothing after that.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

from etl.mapping.conditions import condition_paths
from etl.mapping.model import Column, FromPath, Many, Mapping, Table
from etl.mapping.paths import ValuePath, XPath, local_name
from etl.transform.elements import Element, Reader, pair_reader, read_markup, read_string, read_text
from etl.transform.mentions import Mentions, table_names, xpaths_of
from etl.transform.name_tests import attribute_tests, passes, qualified, shown_attribute
from etl.transform.where import Where, compile_condition
from etl.transform.xpaths import elements_of, values_of

NAMES_LIMIT = 10_000
"""Different tags remembered in one place; a document that makes up names without end must not fill the memory."""

Keep = Literal["first", "last", "all"]
"""What becomes of further values of a column: forgotten, put in the place of the one before, or kept in a list."""

KEEP: dict[Many, Keep] = {"first": "first", "reject": "first", "last": "last"}
"""A second value for `reject` is noticed like one for `first`; all other kinds of `many` want the list."""

WITNESS = -1
"""In the place of a list's number: nothing is collected, the path only says that something is looked at."""


@dataclass(frozen=True, slots=True, eq=False)
class Goal:
    """Where a path ends: a value for a slot of the raw row, or (`slot` None) an element for a child table.

    Compared by identity: two columns may have the same path.
    """

    path: ValuePath
    slot: int | None = None
    keep: Keep = "first"
    read: Reader | None = None
    """What takes the value of an element, where it is not simply its text."""
    found: int = WITNESS
    """For a child table: place of its list among the lists of elements found."""

    @property
    def occurs_once(self) -> bool:
        """It finds one value at most, and needs no list for it."""
        return not self.path.steps and self.path.leaf == "attribute" and self.keep != "all"


Item = tuple[Goal, int]
"""A goal, and how many of its path's steps are done."""
Predicate = tuple[Item, tuple[tuple[str, str], ...], int | None]
"""What it is about, attributes with the values they must have, and the position among the siblings that have them."""
Store = tuple[int, Keep]
"""A slot, and what to do with a second value."""


class Unseen:
    """An element that no path takes from here; `path` is for the notice, empty where there is none to give."""

    __slots__ = ("path",)

    def __init__(self, path: str) -> None:
        self.path = path


class Choice:
    """Steps with predicates: which of them hold differs from element to element."""

    __slots__ = ("certain", "conditional", "outcomes", "path", "place", "tests")

    def __init__(self, place: Place, path: str, certain: tuple[Item, ...], conditional: tuple[Item, ...]) -> None:
        self.place = place
        self.path = path
        self.certain = certain
        self.conditional = conditional
        self.tests: tuple[Predicate, ...] = tuple(
            (item, attribute_tests(step), step.position)
            for item in conditional
            for step in (item[0].path.steps[item[1] - 1],)
        )
        self.outcomes: dict[tuple[bool, ...], Place | Unseen] = {}

    def outcome(self, holds: tuple[bool, ...]) -> Place | Unseen:
        """What to do with an element for which exactly those conditional items hold."""
        outcome = self.outcomes.get(holds)
        if outcome is None:
            items = self.certain + tuple(item for item, held in zip(self.conditional, holds, strict=True) if held)
            # None of them: but its siblings with other attributes are taken, so that is no misspelt name.
            outcome = self.place.below(items, self.path) if items else Unseen("")
            self.outcomes[holds] = outcome
        return outcome


class Place:
    """What a table wants of an element and of what is below it."""

    __slots__ = (
        "actions",
        "attributes",
        "collects",
        "items",
        "known",
        "looked_at",
        "open",
        "own",
        "path",
        "quiet",
        "readers",
        "strings",
        "table",
        "valued",
        "wanted",
        "whole",
    )

    def __init__(self, table: int, items: Iterable[Item], path: str, known: set[str], *, quiet: bool) -> None:
        self.table = table
        self.path = path
        self.known = known
        """Paths that some table takes, of the whole mapping."""
        self.items = tuple(items)
        ended = [goal for goal, done in self.items if done == len(goal.path.steps)]
        self.collects = tuple(goal.found for goal in ended if goal.found != WITNESS)
        named = [(qualified(goal.path.attribute), goal) for goal in ended if goal.path.attribute is not None]
        attributes = [(name, goal.slot, goal) for name, goal in named if goal.slot is not None]
        self.own = tuple((name, slot) for name, slot, goal in attributes if goal.occurs_once)
        """Attributes of the one element that a walk begins at."""
        self.attributes = tuple((name, slot, goal.keep) for name, slot, goal in attributes if not goal.occurs_once)
        self.looked_at = frozenset(name for name, _ in named)
        """Every attribute that something in the mapping looks at."""
        known.update(f"{path}/{shown_attribute(name)}" for name in self.looked_at)
        valued = [(goal.slot, goal) for goal in ended if goal.slot is not None and goal.path.attribute is None]
        self.strings = tuple((slot, goal.keep) for slot, goal in valued if goal.read is None)
        self.readers = tuple((slot, goal.keep, goal.read) for slot, goal in valued if goal.read is not None)
        self.whole = any(read is read_markup for _, _, read in self.readers)
        """A column takes the element with everything in it."""
        self.quiet = quiet or self.whole
        """Nothing is unseen below: a column takes all of it, or another place looks at the same elements."""
        self.open = len(ended) < len(self.items)
        """Some path goes further down."""
        self.valued = bool(self.attributes or self.strings or self.readers)
        """The element itself has values for columns, beside those in `own`."""
        self.wanted = self.open or self.valued or bool(self.own)
        """There is more to do than to collect the element."""
        self.actions: dict[str, Action] = {}

    def resolve(self, tag: str) -> Action:
        """What to do with children of that tag; kept in `actions`."""
        certain: list[Item] = []
        conditional: list[Item] = []
        for goal, done in self.items:
            if done == len(goal.path.steps) or not passes(goal.path.steps[done].element, tag):
                continue
            step = goal.path.steps[done]
            (conditional if step.tests or step.position else certain).append((goal, done + 1))
        path = f"{self.path}/{local_name(tag)}"
        action: Action
        if conditional:
            action = Choice(self, path, tuple(certain), tuple(conditional))
        elif certain:
            action = self._action(tuple(certain), path)
        else:
            action = Unseen("" if self.quiet else path)
        if len(self.actions) < NAMES_LIMIT:
            self.actions[tag] = action
            if not isinstance(action, Unseen):
                self.known.add(path)
        return action

    def _action(self, items: tuple[Item, ...], path: str) -> Action:
        """A slot where the items want nothing but one element's string value, else a place."""
        place = self.below(items, path)
        if not (place.open or place.collects or place.attributes or place.readers) and len(place.strings) == 1:
            slot, keep = place.strings[0]
            if keep == "first":
                return slot
        return place

    def below(self, items: tuple[Item, ...], path: str) -> Place:
        """The place of a child element at which these items have arrived."""
        return Place(self.table, items, path, self.known, quiet=self.quiet)


Action = int | Place | Choice | Unseen


@dataclass(frozen=True, slots=True)
class Above:
    """Columns that look at an ancestor, `up` steps above the table's element."""

    up: int
    place: Place
    slots: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Child:
    """A child table, and which lists of found elements are its rows, in order."""

    plan: TablePlan
    found: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class XPathColumn:
    """A column whose values lxml's XPath finds."""

    slot: int
    keep: Keep
    values: Callable[[Element], list[Any]]


@dataclass(frozen=True, slots=True)
class XPathList:
    """A list of elements for a child table that lxml's XPath finds."""

    table: int
    """Number of the child table."""
    found: int
    elements: Callable[[Element], list[Element]]


@dataclass(frozen=True, slots=True)
class TablePlan:
    """How the rows of a table come out of its elements."""

    number: int
    table: Table
    place: Place
    where: Where | None
    """Elements for which it does not hold give no row."""
    above: tuple[Above, ...]
    xpath_columns: tuple[XPathColumn, ...]
    xpath_lists: tuple[XPathList, ...]
    slots: int
    """Raw values in a row: one for each column with a path."""
    of_document: tuple[tuple[int, Column], ...]
    """Those whose value is the same in all rows of a document."""
    children: tuple[Child, ...]
    lists: int
    """Lists of elements for child tables."""
    alone: bool
    """An XPath of this table or below may look around: each record must stand alone when its rows are made."""

    @property
    def looks_further(self) -> bool:
        """A walk down from the element does not find all of its row."""
        return bool(self.above or self.xpath_columns or self.xpath_lists)


@dataclass(frozen=True, slots=True)
class Compiled:
    """A mapping ready to be used."""

    plans: list[TablePlan]
    """One for each table, in the mapping's order."""
    known: set[str]
    """Collects the paths of elements and attributes that some table takes."""
    mentions: Mentions


def compile_mapping(mapping: Mapping) -> Compiled:
    """A plan for each table. Raises nothing: the mapping is checked."""
    known: set[str] = set()
    plans: dict[int, TablePlan] = {}
    # Children first, since a plan holds its children's.
    for number in reversed(range(len(mapping.tables))):
        children = [plans[n] for n, table in enumerate(mapping.tables) if table.parent == number]
        plans[number] = _Planner(mapping, number, known).plan(children)
    return Compiled([plans[number] for number in range(len(mapping.tables))], known, Mentions(mapping))


class _Planner:
    """Sorts the paths of one table by how they are followed."""

    def __init__(self, mapping: Mapping, number: int, known: set[str]) -> None:
        self.table = mapping.tables[number]
        self.number = number
        self.known = known
        self.names = table_names(mapping, number)
        self.below: list[Goal] = []
        self.upward: dict[int, list[Goal]] = {}
        self.of_document: list[tuple[int, Column]] = []
        self.xpath_columns: list[XPathColumn] = []
        self.xpath_lists: list[XPathList] = []

    def plan(self, children: Sequence[TablePlan]) -> TablePlan:
        sources = [(column, column.source) for column in self.table.columns if isinstance(column.source, FromPath)]
        for slot, (column, source) in enumerate(sources):
            self._add_column(slot, column, source)
        linked: list[Child] = []
        lists = 0
        for child in children:
            found = tuple(range(lists, lists + len(child.table.each)))
            for place, path in zip(found, child.table.each, strict=True):
                self._add_list(child.number, place, path)
            linked.append(Child(child, found))
            lists += len(found)
        self.known.update(
            f"{self.names[-1]}/{shown_attribute(name)}"
            for path in self.table.records
            for name, _ in attribute_tests(path.steps[-1])
        )
        where = self.table.where
        if where is not None:
            for path in condition_paths(where):
                self._add_witness(path)
        return TablePlan(
            number=self.number,
            table=self.table,
            place=self._place(self.below, self.names, quiet=False),
            where=None if where is None else compile_condition(where),
            above=tuple(
                Above(up, self._place(goals, self.names[:-up], quiet=True), _slots(goals))
                for up, goals in self.upward.items()
            ),
            xpath_columns=tuple(self.xpath_columns),
            xpath_lists=tuple(self.xpath_lists),
            slots=len(sources),
            of_document=tuple(self.of_document),
            children=tuple(linked),
            lists=lists,
            alone=any(child.alone for child in children) or any(True for _ in xpaths_of(self.table)),
        )

    def _add_column(self, slot: int, column: Column, source: FromPath) -> None:
        if source.scope == "document":
            self.of_document.append((slot, column))
            return
        path, keep = source.path, KEEP.get(source.many, "all")
        read = column_reader(column, source)
        if isinstance(path, XPath):
            only = read is not None
            values = values_of(path, read or read_string, elements_only=only)
            self.xpath_columns.append(XPathColumn(slot, keep, values))
            return
        goal = Goal(path, slot, keep, read_text if path.leaf == "text" else read)
        (self.upward.setdefault(path.up, []) if path.up else self.below).append(goal)
        for end in source.pair or ():
            self._add_witness(replace(end, up=path.up, steps=path.steps + end.steps))

    def _add_list(self, table: int, found: int, path: ValuePath | XPath) -> None:
        if isinstance(path, XPath):
            self.xpath_lists.append(XPathList(table, found, elements_of(path)))
        else:
            self.below.append(Goal(path, found=found))

    def _add_witness(self, path: ValuePath) -> None:
        """What is looked at outside the columns is not unseen."""
        if not path.up:
            self.below.append(Goal(path))
        elif path.up < len(self.names):
            names = [*self.names[: -path.up], *(step.element.name or "*" for step in path.steps)]
            self.known.update("/".join(names[:end]) for end in range(1, len(names) + 1))
            if path.attribute is not None:
                self.known.add("/".join([*names, shown_attribute(qualified(path.attribute))]))

    def _place(self, goals: Sequence[Goal], names: Sequence[str], *, quiet: bool) -> Place:
        return Place(self.number, [(goal, 0) for goal in goals], "/".join(names), self.known, quiet=quiet)


def column_reader(column: Column, source: FromPath) -> Reader | None:
    """What takes a column's value of an element, where it is not simply its text."""
    if source.pair is not None:
        return pair_reader(*source.pair)
    return read_markup if column.type.name == "xml" else None


def _slots(goals: Sequence[Goal]) -> tuple[int, ...]:
    return tuple(goal.slot for goal in goals if goal.slot is not None)
