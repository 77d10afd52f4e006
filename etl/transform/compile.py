"""Compiles a mapping into a dispatch by tag, so that mapping a record is one pass over each element's children.

All paths of a table run side by side: a `Place` is the set of paths that are still possible at an element, with how
far each has come. What a child's tag leads to is worked out when the tag is first met there and kept in `actions`, so
wildcards and namespaces cost nothing after that.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Literal

from etl.mapping.model import FromPath, Many, Mapping, Table
from etl.mapping.paths import NameTest, Step, ValuePath

NULL = "\x03"
"""NULL among texts: a character that no XML document can contain."""

NAMES_LIMIT = 10_000
"""Different tags remembered in one place; a document that makes up names without end must not fill the memory."""

Leaf = Literal["string", "text", "attribute"]


@dataclass(frozen=True, slots=True, eq=False)
class Goal:
    """Where a path ends: a value for a slot of the raw row, or (`slot` None) an element for a child table.

    Compared by identity: two columns may have the same path.
    """

    path: ValuePath
    slot: int | None = None
    many: Many = "first"
    found: int = 0
    """For a child table: place of its list among the lists of elements found."""

    @property
    def occurs_once(self) -> bool:
        """It finds one value at most, and needs no list for it."""
        return not self.path.steps and self.path.leaf == "attribute" and self.many != "join"


Item = tuple[Goal, int]
"""A goal, and how many of its path's steps are done."""
Predicate = tuple[Item, tuple[tuple[str, str], ...], int | None]
"""What it is about, attributes with the values they must have, and the position among the siblings that have them."""
Store = tuple[int, Many]
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
        "open",
        "own",
        "path",
        "quiet",
        "strings",
        "table",
        "texts",
        "wanted",
    )

    def __init__(self, table: int, items: Iterable[Item], path: str, known: set[str], *, quiet: bool) -> None:
        self.table = table
        self.path = path
        self.quiet = quiet
        """Nothing is unseen here: another place looks at the same elements, and all of them."""
        self.known = known
        """Paths that some table takes, of the whole mapping."""
        self.items = tuple(items)
        ended = [goal for goal, done in self.items if done == len(goal.path.steps)]
        self.collects = tuple(goal.found for goal in ended if goal.slot is None)
        attributes = [
            (qualified(goal.path.attribute), goal.slot, goal)
            for goal in ended
            if goal.slot is not None and goal.path.attribute is not None
        ]
        self.own = tuple((name, slot) for name, slot, goal in attributes if goal.occurs_once)
        """Attributes of the one element that a walk begins at."""
        self.attributes = tuple((name, slot, goal.many) for name, slot, goal in attributes if not goal.occurs_once)
        self.strings = self._stores(ended, "string")
        self.texts = self._stores(ended, "text")
        self.open = len(ended) < len(self.items)
        """Some path goes further down."""
        self.wanted = bool(self.open or self.own or self.attributes or self.strings or self.texts)
        """There is more to do than to collect the element."""
        self.actions: dict[str, Action] = {}

    @staticmethod
    def _stores(ended: Sequence[Goal], leaf: Leaf) -> tuple[Store, ...]:
        return tuple((goal.slot, goal.many) for goal in ended if goal.slot is not None and goal.path.leaf == leaf)

    def resolve(self, tag: str) -> Action:
        """What to do with children of that tag; kept in `actions`."""
        certain: list[Item] = []
        conditional: list[Item] = []
        for goal, done in self.items:
            if done == len(goal.path.steps) or not passes(goal.path.steps[done].element, tag):
                continue
            step = goal.path.steps[done]
            (conditional if step.tests or step.position else certain).append((goal, done + 1))
        path = f"{self.path}/{tag.rpartition('}')[2]}"
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
        if not (place.open or place.collects or place.attributes or place.texts) and len(place.strings) == 1:
            slot, many = place.strings[0]
            if many == "first":
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
class TablePlan:
    """How the rows of a table come out of its elements."""

    number: int
    table: Table
    place: Place
    above: tuple[Above, ...]
    slots: int
    """Raw values in a row: one for each column with a path."""
    children: tuple[Child, ...]
    lists: int
    """Lists of elements for child tables."""


def compile_mapping(mapping: Mapping) -> tuple[list[TablePlan], set[str]]:
    """A plan for each table, in the mapping's order; and the set that collects the paths that some table takes."""
    known: set[str] = set()
    plans: dict[int, TablePlan] = {}
    # Children first, since a plan holds its children's.
    for number in reversed(range(len(mapping.tables))):
        children = [plans[n] for n, table in enumerate(mapping.tables) if table.parent == number]
        plans[number] = _plan(mapping, number, children, known)
    return [plans[number] for number in range(len(mapping.tables))], known


def _plan(mapping: Mapping, number: int, children: Sequence[TablePlan], known: set[str]) -> TablePlan:
    table = mapping.tables[number]
    below: list[Goal] = []
    upward: dict[int, list[Goal]] = {}
    slots = 0
    for column in table.columns:
        if isinstance(column.source, FromPath):
            path = column.source.path
            goal = Goal(path, slot=slots, many=column.source.many)
            (upward.setdefault(path.up, []) if path.up else below).append(goal)
            slots += 1
    linked: list[Child] = []
    lists = 0
    for child in children:
        found = tuple(range(lists, lists + len(child.table.each)))
        below.extend(Goal(path, found=place) for place, path in zip(found, child.table.each, strict=True))
        linked.append(Child(child, found))
        lists += len(found)
    names = _names(mapping, number)
    return TablePlan(
        number=number,
        table=table,
        place=Place(number, [(goal, 0) for goal in below], "/".join(names), known, quiet=False),
        above=tuple(
            Above(
                up,
                Place(number, [(goal, 0) for goal in goals], "/".join(names[:-up]), known, quiet=True),
                _slots(goals),
            )
            for up, goals in upward.items()
        ),
        slots=slots,
        children=tuple(linked),
        lists=lists,
    )


def _slots(goals: Sequence[Goal]) -> tuple[int, ...]:
    return tuple(goal.slot for goal in goals if goal.slot is not None)


def _names(mapping: Mapping, number: int) -> list[str]:
    """Names from the record's down to the table's element (along its first path), for notices."""
    table = mapping.tables[number]
    if table.parent is None:
        return [table.records[0].steps[-1].element.name or "*"]
    return _names(mapping, table.parent) + [step.element.name or "*" for step in table.each[0].steps]


def passes(test: NameTest, tag: str) -> bool:
    """Whether an element's tag, as lxml writes it (``{namespace}name``), passes a name test."""
    namespace, _, name = tag[1:].rpartition("}") if tag[0] == "{" else ("", "", tag)
    return test.namespace in (None, namespace) and test.name in (None, name)


def qualified(test: NameTest) -> str:
    """An exact name as lxml's `get` wants it."""
    return f"{{{test.namespace}}}{test.name}" if test.namespace else str(test.name)


def attribute_tests(step: Step) -> tuple[tuple[str, str], ...]:
    """The tests of a step: names for `get`, and the values they want."""
    return tuple((qualified(test.attribute), test.value) for test in step.tests)
