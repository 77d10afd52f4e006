"""Which elements are records: how two absolute paths relate to each other."""

from __future__ import annotations

from etl.mapping.paths import AttributeTest, NameTest, RecordPath, Step


def nesting_problem(inner: RecordPath, outer: RecordPath, outer_table: str) -> str | None:
    """A sentence if records of `inner` stand inside records of `outer`, as far as the paths alone tell.

    What ``//name`` finds inside another record cannot be told from the paths; such elements belong to that record.
    """
    if not _nested(inner, outer):
        return None
    return (
        f"{inner.text!r} lies inside the records {outer.text!r} of table {outer_table!r}: "
        f"make this a child table (`parent: {outer_table}`) with a relative path"
    )


def _nested(inner: RecordPath, outer: RecordPath) -> bool:
    if inner.anywhere:
        return False
    if outer.anywhere:
        name = outer.steps[0].element
        return any(step.element.name is not None and _may_meet(step.element, name) for step in inner.steps[:-1])
    if len(outer.steps) >= len(inner.steps):
        return False
    return all(_steps_may_meet(a, b) for a, b in zip(outer.steps, inner.steps, strict=False))


def _may_meet(one: NameTest, other: NameTest) -> bool:
    """Whether some name passes both tests."""
    same_namespace = one.namespace is None or other.namespace is None or one.namespace == other.namespace
    return same_namespace and (one.name is None or other.name is None or one.name == other.name)


def _steps_may_meet(one: Step, other: Step) -> bool:
    return _may_meet(one.element, other.element) and not any(_contradict(a, b) for a in one.tests for b in other.tests)


def _contradict(one: AttributeTest, other: AttributeTest) -> bool:
    return one.attribute == other.attribute and one.value != other.value
