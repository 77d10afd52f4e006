"""Which record tables an element belongs to, given the elements that stand open around it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from etl.errors import InternalError
from etl.mapping.paths import RecordPath, Step
from etl.transform.compile import TablePlan
from etl.transform.name_tests import attribute_tests, passes


class RecordTables:
    """Finds the plans for record elements below one chain of ancestors (lxml elements, outermost first)."""

    def __init__(self, plans: Sequence[TablePlan], ancestors: Sequence[Any]) -> None:
        self._candidates = [
            (plan, path.steps[-1]) for plan in plans for path in plan.table.records if fits(path, ancestors)
        ]
        self._by_tag: dict[str, list[tuple[TablePlan, Step]]] = {}
        self._certain: dict[str, list[TablePlan]] = {}

    def group(self, elements: Sequence[Any], first: int) -> Iterable[tuple[TablePlan, Sequence[Any], Sequence[int]]]:
        """For each record table its elements and their places, which count from `first`."""
        groups: dict[int, tuple[TablePlan, list[Any], list[int]]] = {}
        for place, element in enumerate(elements, first):
            for plan in self.plans(element):
                group = groups.get(plan.number)
                if group is None:
                    group = groups[plan.number] = plan, [], []
                group[1].append(element)
                group[2].append(place)
        return groups.values()

    def plans(self, element: Any) -> Sequence[TablePlan]:
        """The plans of the record tables that `element` is a row of, at least one."""
        tag = element.tag
        plans = self._certain.get(tag)
        if plans is not None:
            return plans
        if tag not in self._by_tag:
            self._by_tag[tag] = [(plan, step) for plan, step in self._candidates if passes(step.element, tag)]
        matches = self._by_tag[tag]
        # Several paths of one table may lead to the same element: one row.
        plans = list({plan.number: plan for plan, step in matches if _holds(step, element)}.values())
        if not any(step.tests for _, step in matches):
            self._certain[tag] = plans
        if not plans:
            raise InternalError(f"An element <{tag}> was cut out as a record, but no table of the mapping takes it.")
        return plans


def fits(path: RecordPath, ancestors: Sequence[Any]) -> bool:
    """Whether the path's last step is all that decides below these ancestors (lxml elements, outermost first)."""
    if path.anywhere:
        return True
    return len(path.steps) == len(ancestors) + 1 and all(
        passes(step.element, element.tag) and _holds(step, element)
        for step, element in zip(path.steps, ancestors, strict=False)
    )


def _holds(step: Step, element: Any) -> bool:
    return all(element.get(name) == value for name, value in attribute_tests(step))
