"""What the sweep says: its table, what each step gives, the settings to use as YAML, CSV, a chart; no verdicts."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from dataclasses import astuple, fields
from itertools import pairwise
from pathlib import Path

from performance_tuning.benchmarks.common.charts import LIMIT, OTHER, OURS, THEIRS, chart
from performance_tuning.benchmarks.common.harness import noise
from performance_tuning.benchmarks.common.markdown import table
from performance_tuning.benchmarks.sweep.plan import FACTOR_RUNS, LONG_SECONDS, Other, Row
from performance_tuning.benchmarks.sweep.result import Figures, Result

_HEAD = (
    "",
    "runs",
    "records/min",
    "least to most",
    "x baseline",
    "insert p50 / p95 / p99 ms",
    "idle",
    "queue fill",
    "peak MB",
)
LEGEND = (
    "Records a minute are those of whole runs, from the start of the process to its exit. Insert: a transaction, from "
    "its first statement to the answer to its COMMIT. Idle: the share of the workers' time in which they do not map; "
    "without a queue that is mostly their own inserts. Queue fill: of `queue.max_bytes`, the mean over the time. After "
    "every load the rows of each table were counted in the database, and its primary key looked for: a load that loses "
    "a row, or has one twice, ends all this without a table.",
    "",
    "The baseline commits as psycopg does, and waits for the disk; `etl load` does not (`synchronous_commit = off`), "
    "which is a step of its own. `insert.batch_records` bounds the splits as well: in *the queue alone* a worker gets "
    "as few records at a time as a batch has, and the next row gives back both. A transaction is also bounded by "
    "`queue.max_bytes` / (`insert.threads` + 1) of splits and rows together: with the default queue, a nested dump's "
    "transactions have about 6 MiB of rows, so `queue.max_bytes` and `insert.threads` change the batches, too. The "
    "limit is what the workers do by default, with their rows thrown away: no database could give more.",
)
"""Lines."""


def result_lines(result: Result) -> list[str]:
    """A regime in Markdown: the table, what each step gives, the goal, warnings and the settings to use."""
    dump = result.dump
    title = f"{dump.size / 1e6:.0f} MB, {dump.records:,} records, {sum(dump.rows.values()):,} rows in 5 tables"
    seldom = f"single settings, and steps of more than {LONG_SECONDS:.0f} s, at most {FACTOR_RUNS} times"
    return [
        f"## {result.regime.name}: {result.regime.title}",
        "",
        f"{title}. Medians; {seldom}.",
        "",
        *table([_HEAD, *map(_cells, result.figures())]),
        "",
        *_findings(result),
        "",
        "```yaml",
        *settings_yaml(result).splitlines(),
        "```",
    ]


def _cells(figures: Figures) -> tuple[str, ...]:
    inserts = (figures.insert_p50_ms, figures.insert_p95_ms, figures.insert_p99_ms)
    return (
        figures.row,
        str(figures.runs),
        f"{figures.records_per_minute:,.0f}",
        f"{figures.least:,.0f} to {figures.most:,.0f}",
        f"{figures.times_baseline:.2f}",
        " / ".join(f"{milliseconds:.0f}" for milliseconds in inserts if milliseconds is not None),
        f"{figures.workers_idle:.0%}",
        "" if figures.queue_fill is None else f"{figures.queue_fill:.0%}",
        f"{figures.peak_mb:.0f}",
    )


def _findings(result: Result) -> list[str]:
    sweep = result.sweep
    steps = [
        f"- {end.name.removeprefix('+ ')}: {result.times(end) / result.times(start):.2f} times the row before"
        for start, end in pairwise(sweep.ladder)
    ]
    used, before = result.processors_used(sweep.defaults), result.processors_used(sweep.baseline)
    return [
        *steps,
        f"- All steps together: {result.times(sweep.defaults):.1f} times the baseline"
        f" (goal: at least {result.regime.goal:g})",
        *_limit(result),
        f"- Processors in use, with the server's: {used:.0%}, by the baseline {before:.0%}",
        *_best(result),
        *_warning(result),
    ]


def _limit(result: Result) -> list[str]:
    limit = result.sweep.limit
    if limit is None:
        return []
    return [
        f"- Mapping alone, no database: {result.times(limit):.1f} times the baseline, the most that any database could"
        f" give with these workers (processors in use: {result.processors_used(limit):.0%})"
    ]


def _best(result: Result) -> list[str]:
    if not result.side_by_side:
        return ["- Best together: the defaults, since no gain is more than noise"]
    defaults, best = result.side_by_side
    gain = result.times(best) / result.times(defaults)
    verdict = "more" if result.recommended == best else "no more"
    return [
        f"- Best together: {', '.join(result.together)}: {gain:.2f} times the defaults, measured again in turns with"
        f" them, {verdict} than noise",
        f"- The settings below: {result.times(result.recommended):.1f} times the baseline",
    ]


def _warning(result: Result) -> list[str]:
    warned = [(row.name, noise([each.run for each in result.runs[row]])) for row in result.rows]
    noisy = [f"{name}: {warning}" for name, warning in warned if warning]
    return [f"- WARNING: {len(noisy)} of {len(warned)} rows are noisy, such as {noisy[0]}"] if noisy else []


def settings_yaml(result: Result) -> str:
    """The settings to use, as a file for ``etl load --settings``; what stays at its default is a comment."""
    recommended = result.recommended
    settings = recommended.load if isinstance(recommended.load, tuple) else ()
    lines = [f"# {result.regime.title}: {result.times(recommended):.1f} times the baseline"]
    group = ""
    for factor in sorted(result.sweep.factors, key=lambda factor: factor.name.partition(".")[0]):
        section, _, name = factor.name.partition(".")
        lines += [f"{section}:"] if section != group else []
        # A default that is written out may be another setting: with `batch_bytes: auto`, `batch_records` is a bound
        # only where it is written.
        chosen = (value for value in factor.values if f"{factor.name}={value}" in settings)
        lines.append(next((f"  {name}: {value}" for value in chosen), f"  # {name}: {factor.default}, the default"))
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
            times = [result.times(row) for row in result.rows]
            axes.barh(names, times, color=[_colour(result, row) for row in result.rows])
            axes.axvline(result.regime.goal, color=LIMIT, linestyle="--", label=f"goal: {result.regime.goal:g}")
            axes.margins(y=0.01)
            axes.invert_yaxis()
            axes.set_title(result.regime.title, fontsize="medium")
            axes.legend(loc="lower right")


def _colour(result: Result, row: Row) -> str:
    if row == result.sweep.limit:
        return LIMIT
    if isinstance(row.load, Other):
        return THEIRS
    return OTHER if row in result.sweep.ladder else OURS
