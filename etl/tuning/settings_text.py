"""A tune's result as a settings file: YAML that `etl load --settings` takes, with what was tried as comments. Pure."""

from __future__ import annotations

import json
import textwrap
from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import Any

from etl.options import Settings, Share, special_word
from etl.progress import format_bytes, format_list
from etl.tuning.factors import written
from etl.tuning.report import Trial, TuneReport
from etl.tuning.search import Factor
from etl.tuning.summary import summarize_tune

_WIDTH = 100


def settings_text(report: TuneReport, settings: Settings, factors: Sequence[Factor], moment: datetime) -> str:
    """The file's text. `settings`: those the user gave, which stay; of `target` a password could be a part."""
    lines = [*_head(report, moment), ""]
    given = settings.model_dump(exclude_unset=True, by_alias=True, exclude={"target"})
    for group in Settings.model_fields:
        values, turned = given.get(group, {}), [factor for factor in factors if factor.name.startswith(f"{group}.")]
        if not isinstance(values, dict):
            lines.append(f"{group}: {_yaml((group,), values)}  # given")
        elif values or turned:
            is_said = bool(values) or any(factor.name in report.choice for factor in turned)
            lines.append(f"{group}:" if is_said else f"# {group}:")
            lines += [
                f"  {name}: {_yaml((group, name), value)}  # given, and not turned" for name, value in values.items()
            ]
            for factor in turned:
                lines += _turned(factor, report)
    return "\n".join(lines) + "\n"


def _head(report: TuneReport, moment: datetime) -> Iterator[str]:
    extent = "all" if report.whole else "the first"
    paragraphs = (
        f"Settings for `etl load`, found by `etl tune` at {moment:%Y-%m-%d %H:%M %Z}.",
        f"Machine: {report.machine}.",
        f"Database: {report.target}, {report.server}.",
        f"Dump: {format_list(report.sources, 3)}, mapped by {report.mapping}; {extent} {report.records:,} records of it"
        f" ({format_bytes(report.source_bytes)}), {report.seconds:.1f} s with the defaults, "
        f"{report.default_rate:,.0f} records/min.",
        *summarize_tune(report),
        "Below, x is times the defaults. What is commented out stays at its default: nothing better was found, or"
        " nothing else tried.",
    )
    for paragraph in paragraphs:
        yield from _comment(paragraph, "")


def _turned(factor: Factor, report: TuneReport) -> Iterator[str]:
    yield from _comment(_tried(factor, report.trials), "  ")
    name = factor.name.partition(".")[2]
    if factor.name in report.choice:
        yield f"  {name}: {report.choice[factor.name]}"
    else:
        yield f"  # {name}: {written(factor.name, factor.start)}"


def _tried(factor: Factor, trials: Sequence[Trial]) -> str:
    """Every value that was tried, with how fast it was."""
    before, words = 1.0, []
    for trial in trials:
        if trial.setting == factor.name:
            result = f"fails ({trial.problem})" if trial.problem else f"{trial.times:.2f} x"
            words.append(f"{written(factor.name, trial.choice[factor.name])}: {result}")
        elif trial.better and not words:
            before = trial.times
    if not words:
        return "Not tried: the time was over, or no other value would change anything."
    return f"{written(factor.name, factor.start)}: {before:.2f} x. Tried: {'; '.join(words)}."


def _comment(text: str, indent: str) -> Iterator[str]:
    # YAML takes no control characters, not even in comments; a file's name may hold any.
    text = "".join(char if char.isprintable() else " " for char in text)
    prefix = f"{indent}# "
    yield from textwrap.wrap(
        text, _WIDTH, initial_indent=prefix, subsequent_indent=prefix, break_long_words=False, break_on_hyphens=False
    )


def _yaml(path: Sequence[str], value: Any) -> str:
    if value is None:
        return special_word(path) or "null"
    if isinstance(value, Share):
        return str(value)
    if isinstance(value, int) and path[-1].endswith("bytes"):
        return written(path[-1], value)
    return json.dumps(value, ensure_ascii=False)
