"""The first rows of tables, for a person to look at. In: rows as {column: value}. Out: lines of plain text.

A table whose rows fit the width is shown as one; of a wider one every row is a block of its own, a line a column.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from textwrap import wrap
from typing import Any

from rich.cells import cell_len, set_cell_size

Row = Mapping[str, Any]

_CELL = 40
"""Characters of a value in a table of rows: enough to know it by, and several fit beside each other."""

_NAME = "NULL"
"""Stands for a value that is not there, and in a block before the columns that have none."""


def preview(tables: Mapping[str, Sequence[Row]], counts: Mapping[str, int], width: int) -> Iterator[str]:
    """Lines of at most `width` characters; `counts` are the rows each table has in all."""
    for name, rows in tables.items():
        if rows:
            yield ""
            yield f"{name}: {len(rows):,} of {counts[name]:,} row{'' if counts[name] == 1 else 's'}"
            yield from _as_table(rows, width) or _as_blocks(rows, width)


def _as_table(rows: Sequence[Row], width: int) -> list[str]:
    """A line for the names and one for each row; nothing where they are too wide, or values would be cut."""
    columns = list(rows[0])
    cells = [columns, *([_text(value) for value in row.values()] for row in rows)]
    widths = [max(map(cell_len, column)) for column in zip(*cells, strict=True)]
    if max(widths) > _CELL or sum(widths) + 2 * len(widths) > width:
        return []
    kinds = [{type(row[name]) for row in rows} - {type(None)} for name in columns]
    numbers = [bool(kind) and kind <= {int, float} for kind in kinds]
    return [
        "".join("  " + _aligned(*cell) for cell in zip(line, widths, numbers, strict=True)).rstrip() for line in cells
    ]


def _as_blocks(rows: Sequence[Row], width: int) -> Iterator[str]:
    names = max(*map(cell_len, rows[0]), len(_NAME))
    for number, row in enumerate(rows, 1):
        yield f"  row {number:,}"
        for name, value in row.items():
            if value is not None:
                yield f"    {set_cell_size(name, names)}  {_cut(_text(value), width - names - 6)}"
        absent = ", ".join(name for name, value in row.items() if value is None)
        for place, line in enumerate(wrap(absent, max(width - names - 6, _CELL // 2))):
            yield f"    {'' if place else _NAME:<{names}}  {line}"


def _aligned(text: str, width: int, is_number: bool) -> str:
    return " " * (width - cell_len(text)) + text if is_number else set_cell_size(text, width)


def _text(value: object) -> str:
    """The value on one line; an empty text as quotes, to tell it from NULL."""
    if value is None:
        return _NAME
    if isinstance(value, bytes):
        return f"\\x{value.hex()}"
    return " ".join(str(value).split()) or "''"


def _cut(text: str, width: int) -> str:
    """The text, or as much of its beginning as fits, with its whole length."""
    if cell_len(text) <= width:
        return text
    end = f"… ({len(text):,} characters)"
    return set_cell_size(text, max(width - cell_len(end), 8)).rstrip() + end
