"""What a person reads of a tune: a line for each trial while it runs, and what was found. Pure."""

from __future__ import annotations

from collections.abc import Mapping

from etl.progress import format_bytes
from etl.tuning.factors import written
from etl.tuning.report import Trial, TuneReport

HEADING = (
    f"  {'':<25} {'':>11} {'':>5} {'insert':>8} {'':>8} {'workers':>7}",
    f"  {'setting':<25} {'records/min':>11} {'times':>5} {'p50':>8} {'p95':>8} {'idle':>7} {'memory':>7}",
)
"""Above the lines of trials. Times: as fast as the defaults; insert: a transaction. 79 characters."""


def trial_line(trial: Trial) -> str:
    """A trial as a row of a table; with a star where it was better than all before it."""
    name = f"{'*' if trial.better else ' '} {trial_name(trial):<25}"
    if trial.problem:
        return f"{name} unusable: {trial.problem}"
    return (
        f"{name} {trial.rate:>11,.0f} {trial.times:>5.2f} {_milliseconds(trial.insert_p50):>8}"
        f" {_milliseconds(trial.insert_p95):>8} {trial.workers_idle:>7.0%} {format_bytes(trial.peak_memory):>7}"
    )


def trial_name(trial: Trial) -> str:
    """What was tried, in a few words."""
    if trial.setting:
        return f"{trial.setting}: {written(trial.setting, trial.choice[trial.setting])}"
    return f"the {'best' if trial.choice else 'defaults'}{' again' if trial.again else ''}"


def _milliseconds(seconds: float) -> str:
    return f"{seconds * 1000:,.0f} ms"


def summarize_tune(report: TuneReport) -> list[str]:
    """What was found, and what to think of it."""
    noise = f"runs of the defaults differ by {report.noise:.0%}"
    values = f"the {report.tried} of {report.values} values tried"
    if report.choice:
        head = (
            f"Best among {values}: {choice_words(report.choice)}: {report.rate:,.0f} records/min,"
            f" {report.gain:.2f} times the defaults ({noise})."
        )
    elif report.given_up:
        head = (
            f"Nothing better than the defaults was confirmed among {values}: {choice_words(report.given_up)} seemed"
            f" so, but not when measured once more ({noise})."
        )
    else:
        head = (
            f"Nothing better than the defaults was found among {values}: only a gain above {report.least_gain:.0%}"
            f" counts ({noise})."
        )
    return [head, f"  What limits now: {report.bottleneck}", *(f"  {notice}" for notice in report.notices)]


def choice_words(choice: Mapping[str, str]) -> str:
    """``workers.count 4, insert.batch_bytes 16MiB``."""
    return ", ".join(f"{name} {value}" for name, value in choice.items())
