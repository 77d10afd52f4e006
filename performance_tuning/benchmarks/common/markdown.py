"""Tables in Markdown that are tables as plain text, too."""

from __future__ import annotations

from collections.abc import Collection, Sequence


def table(rows: Sequence[Sequence[str]], texts: Collection[int] = (0,)) -> list[str]:
    """Lines; the first row is the head. Columns of `texts` stand to the left, all others hold figures."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]

    def line(cells: Sequence[str]) -> str:
        padded = [
            cell.ljust(width) if place in texts else cell.rjust(width)
            for place, (cell, width) in enumerate(zip(cells, widths, strict=True))
        ]
        return f"| {' | '.join(padded)} |"

    rule = ["-" * width if place in texts else "-" * (width - 1) + ":" for place, width in enumerate(widths)]
    return [line(rows[0]), line(rule), *map(line, rows[1:])]
