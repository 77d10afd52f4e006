"""What the sweep says: its table, what each step gives, the settings to use as YAML, CSV, a chart; no verdicts."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from dataclasses import astuple, fields
from itertools import pairwise
from pathlib import Path

from performance_tuning.benchmarks.charts import LIMIT, OTHER, OURS, THEIRS, chart
from performance_tuning.benchmarks.harness import noise
from performance_tuning.benchmarks.sweep import BASELINE, DEFAULTS, LONG_SECONDS, Row
from performance_tuning.benchmarks.sweep_result import Figures, Result

_HEAD = (
    "",
    "records/min",
    "least to most",
    "x baseline",
    "insert p50 / p95 / p99 ms",
    "idle",
    "queue fill",
    "peak MB",
    "rows right",
)
LEGEND = (
    "Records a minute are those of whole runs, from the start of the process to its exit. Insert: a transaction, "
    "from its first statement to the answer to its COMMIT. Idle: the share of the workers' time in which they do "
    "not map; without a queue that is mostly their own inserts. Queue fill: of `queue.max_bytes`, the mean over the "
    "time. Rows right: runs after which every table had its rows, and its primary key, so that none was there "
    "twice."
)


def result_lines(result: Result) -> list[str]:
    """A regime in Markdown: the table, what each step gives, the goal, warnings and the settings to use."""
    dump = result.dump
    title = f"{dump.size / 1e6:.0f} MB, {dump.records:,} records, {sum(dump.rows.values()):,} rows in 5 tables"
    return [
        f"## {result.regime.name}: {result.regime.title}",
        "",
        f"{title}. Medians; what takes more than {LONG_SECONDS:.0f} s was loaded once or twice.",
        "",
        *_table([_HEAD, *map(_cells, result.figures())]),
        "",
        *_findings(result),
        "",
        "```yaml",
        *settings_yaml(result).splitlines(),
        "```",
    ]


def _cells(figures: Figures) -> tuple[str, ...]:
    return (
        figures.row,
        f"{figures.records_per_minute:,.0f}",
        f"{figures.least:,.0f} to {figures.most:,.0f}",
        f"{figures.times_baseline:.2f}",
        f"{figures.insert_p50_ms:.0f} / {figures.insert_p95_ms:.0f} / {figures.insert_p99_ms:.0f}",
        f"{figures.workers_idle:.0%}",
        "" if figures.queue_fill is None else f"{figures.queue_fill:.0%}",
        f"{figures.peak_mb:.0f}",
        f"{figures.rows_correct} of {figures.runs}",
    )


def _table(rows: Sequence[Sequence[str]]) -> list[str]:
    """Markdown that is read as it stands, too: names to the left, figures to the right."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]

    def line(cells: Sequence[str]) -> str:
        padded = [cell.rjust(width) for cell, width in zip(cells, widths, strict=True)]
        return f"| {' | '.join([cells[0].ljust(widths[0]), *padded[1:]])} |"

    rule = line(["-" * widths[0], *("-" * (width - 1) + ":" for width in widths[1:])])
    return [line(rows[0]), rule, *map(line, rows[1:])]


def _findings(result: Result) -> list[str]:
    steps = [
        (end.name.removeprefix("+ "), result.times(end.settings) / result.times(start.settings))
        for start, end in pairwise(result.sweep.ladder)
    ]
    times, used, before = result.times(DEFAULTS), result.processors_used(DEFAULTS), result.processors_used(BASELINE)
    return [
        *(f"- {name}: {gain:.2f} times the row before" for name, gain in steps),
        f"- All steps together: {times:.1f} times the baseline (goal: at least {result.regime.goal:g})",
        f"- Processors in use, with the server's: {used:.0%}, by the baseline {before:.0%}; at 100% all steps together"
        f" would be {times / used:.1f} times the baseline",
        f"- Best together: {', '.join(result.together) or 'the defaults, since no gain is more than noise'}",
        f"- The settings below: {result.times(result.recommended):.1f} times the baseline",
        *_warning(result),
    ]


def _warning(result: Result) -> list[str]:
    warned = [(row.name, noise([each.run for each in result.runs[row.settings]])) for row in result.rows]
    noisy = [f"{name}: {warning}" for name, warning in warned if warning]
    return [f"- WARNING: {len(noisy)} of {len(warned)} rows are noisy, such as {noisy[0]}"] if noisy else []


def settings_yaml(result: Result) -> str:
    """The settings to use, as a file for ``etl load --settings``."""
    chosen = dict(choice.split("=") for choice in result.recommended)
    lines = [f"# {result.regime.title}: {result.times(result.recommended):.1f} times the baseline"]
    group = ""
    for factor in sorted(result.sweep.factors, key=lambda factor: factor.name.partition(".")[0]):
        section, _, name = factor.name.partition(".")
        lines += [f"{section}:"] if section != group else []
        value = chosen.get(factor.name)
        lines.append(f"  {name}: {value}" if value else f"  {name}: {factor.default}  # the default")
        group = section
    return "\n".join(lines) + "\n"


def write_csv(file: Path, results: Sequence[Result]) -> None:
    with file.open("w", encoding="utf-8", newline="") as text:
        writer = csv.writer(text, lineterminator="\n")
        writer.writerow(["regime", *(each.name for each in fields(Figures))])
        for result in results:
            writer.writerows([result.regime.name, *astuple(figures)] for figures in result.figures())


def draw(file: Path, results: Sequence[Result]) -> None:
    """A panel a regime: how often the baseline each row is, with the goal."""
    height = 1.2 + 0.26 * max(len(result.rows) for result in results)
    title = "Records/min as a multiple of the baseline's"
    with chart(file, title, width=6.5 * len(results), height=height, panels=len(results), grid="x") as panels:
        for axes, result in zip(panels, results, strict=True):
            names = [row.name for row in result.rows]
            times = [result.times(row.settings) for row in result.rows]
            axes.barh(names, times, color=[_colour(result, row) for row in result.rows])
            axes.axvline(result.regime.goal, color=LIMIT, linestyle="--", label=f"goal: {result.regime.goal:g}")
            axes.margins(y=0.01)
            axes.invert_yaxis()
            axes.set_title(result.regime.title, fontsize="medium")
            axes.legend(loc="lower right")


def _colour(result: Result, row: Row) -> str:
    if row.settings is BASELINE:
        return THEIRS
    return OTHER if row in result.sweep.ladder else OURS
