"""Which tables the scanner maps, and in words why it does not map the others.

A record's table with all tables below it is a family: what stands in an element is found in one pass, so it is the
scanner's as a whole or lxml's. A checked mapping goes in. Pure; runs in a worker or where a mapping is checked.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache

from etl.mapping.conditions import condition_paths
from etl.mapping.model import Mapping, Table
from etl.mapping.paths import ValuePath, XPath
from etl.native.program_nodes import Tree
from etl.native.program_rows import Goal, MappingRows, NotNative, column_paths, depths, where_problem


@dataclass(frozen=True, slots=True)
class Families:
    """What is the scanner's of a mapping."""

    reasons: tuple[str, ...]
    """For each table why lxml does it, like "column title: an XPath"; "" where the scanner does."""

    @property
    def native(self) -> frozenset[int]:
        """The scanner's tables."""
        return frozenset(number for number, reason in enumerate(self.reasons) if not reason)


@lru_cache(maxsize=8)
def native_families(mapping: Mapping) -> Families:
    """Why the tables of the mapping are not the scanner's."""
    own = [_reason(mapping, number, table) for number, table in enumerate(mapping.tables)]
    families = _families(mapping)
    reasons = list(own)
    for members in families.values():
        first = next((number for number in members if own[number]), None)
        if first is not None:
            for number in members:
                reasons[number] = own[number] or f"table {mapping.tables[first].name}: {own[first]}"
    for number, reason in _refused(mapping, [members for root, members in families.items() if not reasons[root]]):
        reasons[number] = reason
    return Families(tuple(reasons))


def _refused(mapping: Mapping, families: list[list[int]]) -> Iterator[tuple[int, str]]:
    """Tables that are left out because following their families at once is too much, and why."""
    if not _too_much(mapping, families):
        return
    accepted: list[list[int]] = []
    for family in families:
        # Those whose records are the same elements may be too much for each other.
        problem = _too_much(mapping, [family]) or _too_much(mapping, [*accepted, family])
        yield from ((number, problem) for number in family if problem)
        if not problem:
            accepted.append(family)


def _too_much(mapping: Mapping, families: list[list[int]]) -> str:
    """Why these families cannot be followed at once; "" where they can."""
    native = [number for members in families for number in members]
    records = [Goal(path.steps[-1:], table=number) for number in native for path in mapping.tables[number].records]
    try:
        Tree(MappingRows(mapping, native), [records])
    except NotNative as problem:
        return str(problem)
    return ""


def _families(mapping: Mapping) -> dict[int, list[int]]:
    """Record tables with all tables of theirs, themselves first."""
    roots: list[int] = []
    families: dict[int, list[int]] = {}
    for number, table in enumerate(mapping.tables):
        roots.append(number if table.parent is None else roots[table.parent])
        families.setdefault(roots[number], []).append(number)
    return families


def _reason(mapping: Mapping, number: int, table: Table) -> str:
    """What of the table itself is beyond the scanner; "" where nothing is."""
    return next(_reasons(mapping, number, table), "")


def _reasons(mapping: Mapping, number: int, table: Table) -> Iterator[str]:
    if table.transform is not None:
        yield "transform: a Python function of whole rows"
    if any(isinstance(path, XPath) for path in table.each):
        yield "each: an XPath"
    if any(isinstance(path, ValuePath) and (path.up or path.leaf != "string" or not path.steps) for path in table.each):
        yield "each: a path that does not lead down to elements"
    if problem := where_problem(table.where):
        yield problem
    for column, source in column_paths(table):
        if isinstance(source.path, XPath):
            yield f"column {column.name}: an XPath"
        elif column.type.name == "xml" and source.path.leaf == "string":
            yield f"column {column.name}: elements with their markup (type xml)"
    yield from _uneven(mapping, number, table)


def _uneven(mapping: Mapping, number: int, table: Table) -> Iterator[str]:
    """`..` that leads above the record from some of the table's elements, and not so far, or elsewhere, from others."""
    below = depths(mapping)[number]
    if len(below) < 2:
        return
    for column, source in column_paths(table):
        if isinstance(source.path, ValuePath) and source.path.up > min(below):
            yield f"column {column.name}: {source.path.text}, but the table's elements are not equally deep"
    for path in () if table.where is None else condition_paths(table.where):
        if path.up > min(below):
            yield f"where: {path.text}, but the table's elements are not equally deep"
