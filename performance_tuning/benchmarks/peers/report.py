"""From runs of the loaders to tables, JSON and a chart; no verdicts."""

from __future__ import annotations

from collections.abc import Sequence
from importlib.metadata import version
from pathlib import Path
from statistics import median

from matplotlib.axes import Axes

from performance_tuning.benchmarks.common.charts import LIMIT as LIMIT_COLOUR
from performance_tuning.benchmarks.common.charts import OURS as OUR_COLOUR
from performance_tuning.benchmarks.common.charts import THEIRS as THEIR_COLOUR
from performance_tuning.benchmarks.common.charts import chart
from performance_tuning.benchmarks.common.databases import TITLES
from performance_tuning.benchmarks.common.harness import noise, spread
from performance_tuning.benchmarks.common.markdown import table
from performance_tuning.benchmarks.common.reporting import machine_lines
from performance_tuning.benchmarks.peers.goals import goal_lines
from performance_tuning.benchmarks.peers.loaders import MEANINGS, OURS, READY
from performance_tuning.benchmarks.peers.taken import Comparison, Taken

_PACKAGES = ("pandas", "pyarrow", "xml2arrow", "adbc-driver-postgresql", "adbc-driver-sqlite")
_HEAD = ("loader", "runs", "wall s", "least to most", "CPU s", "server CPU s", "peak MB", "times ours", "cannot")


def environment_lines() -> list[str]:
    """What the figures were measured on and with."""
    return [*machine_lines(), ", ".join(f"{name} {version(name)}" for name in _PACKAGES)]


def comparison_lines(comparison: Comparison) -> list[str]:
    """A Markdown table of one dump and database, what it comes to beside the goals, and what may be wrong with it."""
    dump = comparison.dump
    tables = "1 table" if len(dump.rows) == 1 else f"{len(dump.rows)} tables"
    rows = [_row(comparison, taken) for taken in comparison.taken]
    warnings = ((taken.loader.name, noise(taken.runs)) for taken in comparison.taken)
    return [
        f"{dump.kind}, {dump.size / 1e6:.0f} MB, {dump.records:,} records, {sum(dump.rows.values()):,} rows"
        f" in {tables}, into {TITLES[comparison.database]}: medians",
        "",
        *table([_HEAD, *rows], texts=(0, len(_HEAD) - 1)),
        "",
        " ".join(goal_lines(comparison)),
        *(f"\nWARNING: {name}: {warning}." for name, warning in warnings if warning),
    ]


def legend_lines() -> list[str]:
    """What the column `cannot` means."""
    return [
        "`cannot`: what `etl load` does and the loader does not.",
        "",
        *(f"- {name}: {meaning}." for name, meaning in MEANINGS.items()),
        "",
        f"*{READY.name}*: the database takes rows that were extracted before, over one connection in one transaction:"
        " by COPY, or into SQLite by statements of 100 rows. Its wall time is without the start of Python and, into"
        " SQLite, the reading of these rows; its CPU time and memory are those of the whole process. It is no limit:"
        " `etl load` writes over two connections, and into SQLite by one statement a batch, through a function of its"
        " own.",
    ]


def _row(comparison: Comparison, taken: Taken) -> tuple[str, ...]:
    wall = spread([run.wall for run in taken.runs])
    shortfall = comparison.shortfall(taken)
    return (
        f"{taken.loader.name} ({shortfall})" if shortfall else taken.loader.name,
        str(len(taken.runs)),
        f"{wall.median:.2f}",
        f"{wall.least:.2f} to {wall.most:.2f}",
        f"{median(run.cpu for run in taken.runs):.2f}",
        f"{median(run.server_cpu for run in taken.runs):.2f}",
        f"{median(run.peak_memory for run in taken.runs) / 1e6:.0f}",
        f"{comparison.times_ours(taken):.2f}",
        ", ".join(taken.loader.cannot),
    )


def draw(file: Path, comparisons: Sequence[Comparison]) -> None:
    """A panel a comparison: a column a database, a row a kind of dump."""
    panels = len({comparison.database for comparison in comparisons})
    rows = len(comparisons) // panels
    title = f"Seconds for {comparisons[0].dump.size / 1e6:.0f} MB of XML (shorter is better)"
    with chart(file, title, width=5.5 * panels, height=0.6 + 2.4 * rows, panels=panels, rows=rows, grid="x") as axes:
        for panel, comparison in zip(axes, comparisons, strict=True):
            _bars(panel, comparison)


def _bars(panel: Axes, comparison: Comparison) -> None:
    """A bar a loader, ours in its colour; those that loaded less are hatched and say so."""
    tables = "1 table" if len(comparison.dump.rows) == 1 else f"{len(comparison.dump.rows)} tables"
    panel.set_title(f"{comparison.dump.kind} ({tables}) into {TITLES[comparison.database]}", fontsize="medium")
    colours = {OURS.name: OUR_COLOUR, READY.name: LIMIT_COLOUR}
    for place, taken in enumerate(comparison.taken):
        shortfall = comparison.shortfall(taken)
        (bar,) = panel.barh(place, taken.wall, color=colours.get(taken.loader.name, THEIR_COLOUR))
        if shortfall:
            bar.set(hatch="///", alpha=0.5)
        if taken.loader is READY:
            panel.axvline(taken.wall, color=LIMIT_COLOUR, linestyle="--", linewidth=1)
        label = f" {taken.wall:.1f}" + (f" ({shortfall})" if shortfall else "")
        panel.text(taken.wall, place, label, va="center", weight="bold" if taken.loader is OURS else "normal")
    panel.set_yticks(range(len(comparison.taken)), [taken.loader.name for taken in comparison.taken])
    panel.invert_yaxis()
    panel.set_xlim(0, 1.4 * max(taken.wall for taken in comparison.taken))  # room for what stands beside the bars
