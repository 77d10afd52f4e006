"""Which elements are records: how two absolute paths relate to each other, and a path from the root to the records'."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from etl.mapping.paths import AttributeTest, NameTest, RecordPath, Step, ValuePath

Record = tuple[RecordPath, str]
"""A path of records and the table they belong to."""


def nesting_problems(records: Sequence[Record]) -> Iterator[tuple[str, str]]:
    """A table and a sentence for each path whose records stand inside records of another, as far as the paths tell.

    What ``//name`` finds inside another record cannot be told from the paths; such elements belong to that record.
    """
    around = Around(records)
    for inner, table in records:
        for outer, outer_table in around.candidates(inner):
            if _nested(inner, outer):
                yield (
                    table,
                    f"{inner.text!r} lies inside the records {outer.text!r} of table {outer_table!r}: "
                    f"make this a child table (`parent: {outer_table}`) with a relative path",
                )


def document_path_problem(path: ValuePath, records: Sequence[Record]) -> str:
    """Why no value that `path` leads to (its first step is the root) can be known before the first record; "" where
    one can, as far as the paths tell."""
    for record, table in records:
        if _inside(path, record):
            return (
                f"{path.text!r} lies inside the records {record.text!r} of table {table!r}; `scope: document` is for "
                "what stands before the first record: leave it out, and let the path start from the table's element"
            )
        if path.leaf != "attribute" and _around(path, record):
            return (
                f"{path.text!r} stands around the records {record.text!r} of table {table!r}: before the first of them "
                f"only its attributes are known, as in {path.text.removesuffix('/text()')}/@id"
            )
    return ""


def _inside(path: ValuePath, record: RecordPath) -> bool:
    """Whether whatever the path leads to is a record, or stands in one."""
    if record.anywhere:
        return any(_covers(record.steps[0], step) for step in path.steps)
    return len(record.steps) <= len(path.steps) and all(map(_covers, record.steps, path.steps))


def _around(path: ValuePath, record: RecordPath) -> bool:
    """Whether the path says the same as the beginning of the record's."""
    if record.anywhere or len(path.steps) >= len(record.steps):
        return False
    return all(_covers(a, b) and _covers(b, a) for a, b in zip(path.steps, record.steps, strict=False))


def _covers(one: Step, other: Step) -> bool:
    """Whether every element that `other` accepts is one that `one` accepts."""
    wide, narrow = one.element, other.element
    named = wide.namespace in (None, narrow.namespace) and wide.name in (None, narrow.name)
    return named and set(one.tests) <= set(other.tests)


class Around:
    """Finds the paths whose records could stand around those of another, by the names of their steps."""

    def __init__(self, records: Sequence[Record]) -> None:
        self._records = records
        self._by_names: dict[tuple[str, ...], list[Record]] = {}
        self._anywhere: dict[str, list[Record]] = {}
        self._with_wildcards: list[Record] = []
        for record in records:
            path = record[0]
            names = _names(path.steps)
            if names is None:
                self._with_wildcards.append(record)
            elif path.anywhere:
                self._anywhere.setdefault(names[0], []).append(record)
            else:
                self._by_names.setdefault(names, []).append(record)

    def candidates(self, inner: RecordPath) -> Sequence[Record]:
        """Few of many, where steps have names: to be looked at one by one."""
        names = _names(inner.steps)
        if names is None:
            return self._records
        above = [names[:length] for length in range(1, len(names))]
        return [
            *(record for prefix in above for record in self._by_names.get(prefix, ())),
            *(record for name in dict.fromkeys(names) for record in self._anywhere.get(name, ())),
            *self._with_wildcards,
        ]


def _names(steps: Sequence[Step]) -> tuple[str, ...] | None:
    """Local names of the steps; None where a step takes any."""
    names = tuple(step.element.name for step in steps if step.element.name is not None)
    return names if len(names) == len(steps) else None


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
