"""Charts of results as PNG files: one look for all of them, and no display needed."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Literal

from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

_DPI = 130
OURS, THEIRS, LIMIT, OTHER = "#1f6feb", "#8b949e", "#2da44e", "#bf8700"
"""Colours: our loader, what it is compared with, what the database itself allows, another kind of ours."""


@contextmanager
def chart(
    file: Path,
    title: str,
    *,
    width: float = 8.0,
    height: float = 4.5,
    panels: int = 1,
    rows: int = 1,
    grid: Literal["x", "y"] = "y",
) -> Iterator[list[Axes]]:
    """Draw on the axes of `panels` panels side by side in each of `rows` rows; `file` is written at the end.

    Width and height in inches, in all; `grid`: the axis whose values the lines of the grid are for.
    """
    figure = Figure(figsize=(width, height), layout="constrained")
    FigureCanvasAgg(figure)
    figure.suptitle(title)
    axes = [figure.add_subplot(rows, panels, place + 1) for place in range(rows * panels)]
    for each in axes:
        each.spines[["top", "right"]].set_visible(False)
        each.grid(axis=grid, alpha=0.3)
        each.set_axisbelow(True)
    yield axes
    file.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(file, dpi=_DPI)
