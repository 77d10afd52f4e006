"""Which rows of a mapping's tables stand for the nodes that an XPath finds, so that they can be counted in a database.

Only for paths of names, ``*`` and ``//``, as expected_counts.json has them; prefixes do not count, since a mapping may
choose its own. An element is a row of the table of its path, or, where it has no table, of its parent's table, in
which it is there if any of its columns is.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from etl.mapping.model import Column, FromPath, Mapping, Table
from tests.acceptance.contents import query, quoted

_PREFIX = re.compile(r"[^/@{}]+:(?=[^/])")


def count_nodes(url: str, mapping: Mapping, xpath: str) -> int:
    """Rows in the database that stand for nodes of this XPath; -1 where the mapping has no place for them."""
    found = [
        _count(url, table) for table in mapping.tables if any(_matches(xpath, path) for path in _paths(mapping, table))
    ]
    if found:
        return sum(found)
    for table in mapping.tables:
        columns = [column for path in _paths(mapping, table) for column in _of_element(table, path, xpath)]
        if columns:
            return _count(url, table, " OR ".join(f"{quoted(column.name)} IS NOT NULL" for column in columns))
    return -1


def _count(url: str, table: Table, condition: str = "1 = 1") -> int:
    return int(query(url, f"SELECT count(*) FROM {quoted(table.name)} WHERE {condition}")[0][0])


def _paths(mapping: Mapping, table: Table) -> Iterator[str]:
    """Absolute paths of the table's elements."""
    if table.parent is None:
        yield from (_PREFIX.sub("", path.text) for path in table.records)
        return
    for parent in _paths(mapping, mapping.tables[table.parent]):
        yield from (f"{parent}/{_PREFIX.sub('', path.text)}" for path in table.each)


def _of_element(table: Table, table_path: str, xpath: str) -> Iterator[Column]:
    """The table's columns whose values stand in elements of this XPath, or below them."""
    for column in table.columns:
        if isinstance(column.source, FromPath):
            steps = [step for step in _PREFIX.sub("", column.source.path.text).split("/") if not step.startswith("@")]
            inner = [f"{table_path}/{'/'.join(steps[:depth])}" for depth in range(1, len(steps) + 1)]
            if any(_matches(xpath, path) for path in inner):
                yield column


def _matches(xpath: str, path: str) -> bool:
    steps = re.sub(r"[^/*]+", lambda name: re.escape(name[0]), _PREFIX.sub("", xpath))
    return bool(re.fullmatch(steps.replace("//", r"/(?:[^/]+/)*").replace("/*", "/[^/]+"), path))
