"""What the XPaths of a mapping may take: it cannot be told for sure, so that nothing of it is called unseen."""

from __future__ import annotations

from collections.abc import Iterator

from etl.mapping.model import FromPath, Mapping, Table
from etl.mapping.paths import ValuePath, XPath
from etl.transform.xpaths import looks_at_all, names_in


class Mentions:
    """Names that an XPath speaks of, and places where one looks at elements of any name."""

    def __init__(self, mapping: Mapping) -> None:
        tables = mapping.tables
        self._names = {name for table in tables for xpath in xpaths_of(table) for name in names_in(xpath)}
        self._swept = tuple(f"{path}/" for number in range(len(tables)) for path in _swept(mapping, number))

    def include(self, path: str) -> bool:
        """Whether an XPath may take the element or attribute with that path."""
        name = path.rpartition("/")[2].removeprefix("@").removeprefix("xml:")
        return name in self._names or path.startswith(self._swept)


def xpaths_of(table: Table) -> Iterator[XPath]:
    """All XPaths of a table."""
    paths = [column.source.path for column in table.columns if isinstance(column.source, FromPath)]
    for path in (*paths, *table.each, table.where):
        if isinstance(path, XPath):
            yield path


def _swept(mapping: Mapping, number: int) -> Iterator[str]:
    """Paths of elements in which an XPath of the table looks at all."""
    table = mapping.tables[number]
    for xpath in xpaths_of(table):
        if looks_at_all(xpath):
            yield "/".join(table_names(mapping, (table.parent or 0) if xpath in table.each else number))


def table_names(mapping: Mapping, number: int) -> list[str]:
    """Names from the record's down to the table's element (along its first path), for notices."""
    table = mapping.tables[number]
    if table.parent is None:
        return [table.records[0].steps[-1].element.name or "*"]
    return table_names(mapping, table.parent) + step_names(table.each[0])


def step_names(path: ValuePath | XPath) -> list[str]:
    """The names that a path goes down by, as notices show them."""
    return [path.text] if isinstance(path, XPath) else [step.element.name or "*" for step in path.steps]
