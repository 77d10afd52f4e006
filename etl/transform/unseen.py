"""Finds what nothing in a mapping takes, by a close look at some of the records, and how columns could take it.

The mapper meets every element it does not know on its way. But it asks elements for the attributes it knows of only:
listing all of them would cost as much as mapping; nor does it go into elements of which nothing is wanted. So a share
of the records is gone through once more, at leisure; what is left out of a mapping by mistake seldom stands on few
records only. Runs in a worker.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from etl.mapping.paths import XSI_NAMESPACE, local_name
from etl.transform.compile import Choice, Place, TablePlan, Unseen
from etl.transform.elements import Element, own_text
from etl.transform.mentions import Mentions
from etl.transform.name_tests import shown_attribute

FIRST = 50
"""Records of a table that each worker looks at in any case: all of a small document."""

EVERY = 199
"""Of the records after those one in so many is looked at: a look costs about twice what mapping costs, so this is 1 %
of it. A prime, because what repeats in a dump may do so every 100 records."""

ELEMENTS = 500
"""Elements looked at of one record: one record can be a whole document."""

DEPTH = 6
"""Elements inside each other in what nobody takes: a column for something deeper is not worth a line."""

ADDITIONS_LIMIT = 200
"""Columns that could be added, remembered at a time; a person reads some dozen."""

UNSEEN_LIMIT = 1000
"""Paths of unseen elements and attributes told of one split; nobody reads more."""

_XSI = f"{{{XSI_NAMESPACE}}}"
ABOUT_THE_DOCUMENT = frozenset({f"{_XSI}nil", f"{_XSI}schemaLocation", f"{_XSI}noNamespaceSchemaLocation"})
"""Attributes that say how to read the document; they are no data."""

_State = tuple[TablePlan, Place]
"""What a table wants at an element."""


@dataclass(slots=True)
class Addition:
    """A column that would take something nobody takes."""

    unseen: str
    """The path it is reported by."""
    several: bool
    """It would find several values in one element."""


def told(
    unseen: Iterable[str], additions: Mapping[tuple[int, str], Addition], mentions: Mentions
) -> tuple[frozenset[str], dict[tuple[int, str], bool]]:
    """What is told of a split: paths of what nobody takes, and the columns that would take some of it.

    Of a column that it would find several values in a row, or not.
    """
    paths = frozenset(sorted(path for path in unseen if path and not mentions.include(path))[:UNSEEN_LIMIT])
    return paths, {at: one.several for at, one in additions.items() if one.unseen in paths}


class CloseLook:
    """Looks at some of the records that go by, and keeps what it finds until it is taken."""

    def __init__(self, plans: Sequence[TablePlan]) -> None:
        self._seen = [0] * len(plans)
        self._left = 0
        self.begin()

    def begin(self) -> None:
        """Forget what was found."""
        self.unseen: set[str] = set()
        """Paths, like ``release/styles`` and ``release/@x``."""
        self.additions: dict[tuple[int, str], Addition] = {}
        """By table and the path of the column."""

    def look(self, plan: TablePlan, elements: Sequence[Element]) -> None:
        """Look at some of these records."""
        seen = self._seen[plan.number]
        self._seen[plan.number] = seen + len(elements)
        due = _due(seen)
        while due < seen + len(elements):
            self.look_at(plan, elements[due - seen])
            due = _due(due + 1)

    def look_at(self, plan: TablePlan, element: Element) -> None:
        """Look at this record in any case."""
        self._left = ELEMENTS
        self._element(element, _arrived(plan, plan.place, plan.place.path, (), set()))

    def _element(self, element: Element, wanted: _Wanted) -> None:
        if any(place.whole for _, place in wanted.states):
            return
        for name in element.keys():  # noqa: SIM118 - an element is no dict
            if name not in wanted.attributes and name not in ABOUT_THE_DOCUMENT:
                path = f"{wanted.path}/{shown_attribute(name)}"
                self.unseen.add(path)
                self._add(wanted, path, Counter(_attribute_paths(wanted.steps, name)))
        found: dict[str, Counter[str]] = {}
        for child in element if wanted.states else ():
            if self._left == 0:
                break
            self._left -= 1
            of_child = _wanted_of(child, wanted)
            if of_child is not None:
                self._element(child, of_child)
            elif not any(place.strings or place.quiet for _, place in wanted.states):
                path = f"{wanted.path}/{local_name(child.tag)}"
                self.unseen.add(path)
                found.setdefault(path, Counter()).update(self._values(child, (*wanted.steps, _step(child.tag))))
        for path, counts in found.items():
            self._add(wanted, path, counts)

    def _values(self, element: Element, steps: tuple[str, ...], depth: int = 1) -> Iterator[str]:
        """Paths of everything in an element that has a value."""
        for name in element.keys():  # noqa: SIM118 - as above
            yield from _attribute_paths(steps, name)
        if not len(element) or own_text(element).strip():
            if element.text or not element.attrib:
                yield "/".join(steps)
            return
        for child in element if depth < DEPTH else ():
            if self._left == 0:
                return
            self._left -= 1
            yield from self._values(child, (*steps, _step(child.tag)), depth + 1)

    def _add(self, wanted: _Wanted, unseen: str, counts: Counter[str]) -> None:
        for path, count in counts.items():
            known = self.additions.get((wanted.table, path))
            if known is not None:
                known.several = known.several or count > 1
            elif len(self.additions) < ADDITIONS_LIMIT:
                self.additions[wanted.table, path] = Addition(unseen, count > 1)


@dataclass(slots=True)
class _Wanted:
    """What tables want of an element."""

    path: str
    table: int
    """The table whose row the element belongs to."""
    steps: tuple[str, ...]
    """How to get to it from that table's element."""
    attributes: set[str]
    """Names of attributes they look at."""
    states: list[_State]


def _due(record: int) -> int:
    """The first record from this one on that is looked at."""
    return record if record < FIRST else record + -record % EVERY


def _wanted_of(child: Element, parent: _Wanted) -> _Wanted | None:
    """None for an element that nobody takes."""
    wanted: _Wanted | None = None
    for plan, place in parent.states:
        action = place.actions.get(child.tag)
        if action is None:
            action = place.resolve(child.tag)
        tested: set[str] = set()
        if isinstance(action, Choice):
            tested = {name for _, tests, _ in action.tests for name, _ in tests}
            # As if all its predicates held: another element of that name has what this one may lack.
            action = action.outcome((True,) * len(action.tests))
        if isinstance(action, Unseen):
            continue
        path = f"{place.path}/{local_name(child.tag)}"
        steps = (*parent.steps, _step(child.tag))
        if isinstance(action, Place):
            arrived = _arrived(plan, action, path, steps, tested)
        else:
            arrived = _Wanted(path, parent.table, steps, tested, [])
        if wanted is None:
            wanted = arrived
        else:
            wanted.attributes |= arrived.attributes
            wanted.states += arrived.states
    return wanted


def _arrived(plan: TablePlan, place: Place, path: str, steps: tuple[str, ...], tested: set[str]) -> _Wanted:
    """A place, and those of child tables whose rows begin there."""
    children = [child.plan for child in plan.children if not set(child.found).isdisjoint(place.collects)]
    states = [(plan, place), *((child, child.place) for child in children)]
    attributes = tested.union(*(place.looked_at for _, place in states))
    if children:
        return _Wanted(path, children[-1].number, (), attributes, states)
    return _Wanted(path, plan.number, steps, attributes, states)


def _step(tag: str) -> str:
    """A step to elements of this name; prefixes are the mapping's affair."""
    return f"{{*}}{local_name(tag)}" if tag.startswith("{") else tag


def _attribute_paths(steps: Sequence[str], name: str) -> Iterator[str]:
    """The path of an attribute, where one can be written without a prefix that the mapping declares."""
    shown = shown_attribute(name)
    if not name.startswith("{") or shown.startswith("@xml:"):
        yield "/".join([*steps, shown])
