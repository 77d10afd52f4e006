"""Finds attributes that nothing in a mapping takes, by a close look at some of the records.

The mapper asks elements for the attributes it knows of, and listing all of them would cost as much as mapping. So a
share of the records is gone through once more, at leisure; an attribute that is left out of a mapping by mistake
seldom stands on few records only. Elements the mapper meets itself, except where nothing in them is wanted: those are
found here too. Runs in a worker.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from etl.transform.compile import Choice, Place, TablePlan, Unseen
from etl.transform.elements import Element
from etl.transform.name_tests import local_name, shown_attribute

FIRST = 50
"""Records of a table that each worker looks at in any case: all of a small document."""

EVERY = 199
"""Of the records after those one in so many is looked at: a look costs about twice what mapping costs, so this is 1 %
of it. A prime, because what repeats in a dump may do so every 100 records."""

ELEMENTS = 500
"""Elements looked at of one record: one record can be a whole document."""

_XSI = "{http://www.w3.org/2001/XMLSchema-instance}"
_ABOUT_THE_DOCUMENT = frozenset({f"{_XSI}nil", f"{_XSI}schemaLocation", f"{_XSI}noNamespaceSchemaLocation"})
"""Attributes that say how to read the document; they are no data."""

_State = tuple[TablePlan, Place]
"""What a table wants at an element."""


class AttributeLook:
    """Looks at some of the records that go by."""

    def __init__(self, plans: Sequence[TablePlan]) -> None:
        self._seen = [0] * len(plans)
        self._left = 0

    def add(self, plan: TablePlan, elements: Sequence[Element], unseen: set[str]) -> None:
        """Add to `unseen` the paths, like ``release/@x``, of attributes nobody takes; for a few of the records."""
        seen = self._seen[plan.number]
        self._seen[plan.number] = seen + len(elements)
        due = _due(seen)
        while due < seen + len(elements):
            self._left = ELEMENTS
            place = plan.place
            self._look(elements[due - seen], _Wanted(place.path, set(place.looked_at), [(plan, place)]), unseen)
            due = _due(due + 1)

    def _look(self, element: Element, wanted: _Wanted, unseen: set[str]) -> None:
        if any(place.whole for _, place in wanted.states):
            return
        for name in element.keys():  # noqa: SIM118 - an element is no dict
            if name not in wanted.attributes and name not in _ABOUT_THE_DOCUMENT:
                unseen.add(f"{wanted.path}/{shown_attribute(name)}")
        for child in element if wanted.states else ():
            if self._left == 0:
                return
            self._left -= 1
            of_child = _wanted_of(child, wanted.states)
            if of_child is not None:
                self._look(child, of_child, unseen)
            elif not any(place.strings for _, place in wanted.states):
                unseen.add(f"{wanted.path}/{local_name(child.tag)}")


@dataclass(slots=True)
class _Wanted:
    """What tables want of an element."""

    path: str
    attributes: set[str]
    """Names of attributes they look at."""
    states: list[_State]


def _due(record: int) -> int:
    """The first record from this one on that is looked at."""
    return record if record < FIRST else record + -record % EVERY


def _wanted_of(child: Element, states: Sequence[_State]) -> _Wanted | None:
    """None for an element that nobody takes; it is noticed as such."""
    wanted: _Wanted | None = None
    for plan, place in states:
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
        wanted = wanted or _Wanted(f"{place.path}/{local_name(child.tag)}", set(), [])
        wanted.attributes |= tested
        if isinstance(action, Place):
            for below in _arrived(plan, action):
                wanted.attributes |= below[1].looked_at
                wanted.states.append(below)
    return wanted


def _arrived(plan: TablePlan, place: Place) -> list[_State]:
    """A place, and those of child tables whose rows begin there."""
    children = [child.plan for child in plan.children if not set(child.found).isdisjoint(place.collects)]
    return [(plan, place), *((child, child.place) for child in children)]
