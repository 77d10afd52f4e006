"""A tune from the size of its sample to its report and file, with a sample whose loads are made up."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import cast

import pytest

from etl.errors import TargetError
from etl.options import Settings, build_settings, read_settings
from etl.progress import SilentProgress
from etl.report import LoadReport
from etl.tuning.display import TuneProgress
from etl.tuning.report import Trial, TuneReport
from etl.tuning.sample import Sample
from etl.tuning.search import Choice, Factor
from etl.tuning.settings_text import settings_text
from etl.tuning.summary import HEADING, summarize_tune, trial_line
from etl.tuning.tuner import Tuner
from tests.unit.tuning.reports import load_report

FACTORS = [
    Factor("workers.count", (1, 2, 3, 4), start=2),
    Factor("insert.batch_bytes", (4 * 2**20, 8 * 2**20, 16 * 2**20), start=8 * 2**20),
]
MOMENT = datetime(2026, 2, 3, 4, 5, tzinfo=UTC)

Rate = Callable[[Choice], float]


class MadeUp:
    """A sample of a source with so many records; `rate`: records a second."""

    def __init__(self, rate: Rate, there_are: int = 10**9) -> None:
        self.limit = 0
        self.limits: list[int] = []
        self._rate = rate
        self._there_are = there_are

    def load(self, choice: Choice) -> LoadReport:
        self.limits.append(self.limit)
        records = min(self.limit, self._there_are)
        return load_report(records, 0.5 + records / self._rate(choice))


def tuned(rate: Rate, *, seconds: float = 1e6, **options: int) -> tuple[TuneReport, list[Trial]]:
    """The report of a tune that has so much time, and the trials it told."""
    told: list[Trial] = []
    ends = time.monotonic() + seconds
    sample = cast(Sample, MadeUp(rate, **options))
    tuner = Tuner(sample, Settings(), TuneProgress(SilentProgress(), ends), 2, told.append, ends)
    tuner.calibrate(5.0)
    tuner.find(FACTORS)
    return tuner.report("sqlite:///x.db", "SQLite 3", ["x.xml"], "x.mapping.yaml"), told


def more_workers(choice: Choice) -> float:
    return 1000.0 * min(3, choice.get("workers.count", 2))


def written(report: TuneReport, settings: Settings | None = None) -> str:
    return settings_text(report, settings or Settings(), FACTORS, MOMENT)


def test_the_sample_grows_until_it_takes_long_enough() -> None:
    sample = MadeUp(lambda _choice: 1000.0)
    tuner = Tuner(cast(Sample, sample), Settings(), TuneProgress(SilentProgress(), 0.0), 2, lambda _trial: None, 0.0)
    tuner.calibrate(5.0)
    assert sample.limits[:2] == [100, 1000]
    assert sample.limits == sorted(sample.limits)
    # The start, 0.5 s and the first 100 records, does not count.
    assert 0.7 * 5 <= sample.load({}).seconds - 0.6 <= 1.1 * 5


def test_a_small_source_is_loaded_whole_and_the_report_says_that_it_says_little() -> None:
    report, _ = tuned(more_workers, there_are=150)
    assert report.whole
    assert report.records == 150
    assert any("says little of larger dumps" in notice for notice in report.notices)


def test_the_best_is_found_measured_once_more_and_told() -> None:
    report, told = tuned(more_workers)
    assert report.choice == {"workers.count": "3"}
    assert report.gain == pytest.approx(1.4, abs=0.1)
    assert report.trials == tuple(told)
    assert [trial.better for trial in told].count(True) == 1
    assert [(trial.again, dict(trial.choice)) for trial in told[-2:]] == [(True, {}), (True, {"workers.count": 3})]
    assert (report.noise, report.least_gain) == (0.0, 0.03)
    head = summarize_tune(report)[0]
    assert head.startswith("Best among the 4 of 5 values tried: workers.count 3: ")
    assert "times the defaults" in head


def test_what_was_only_lucky_is_given_up() -> None:
    lucky = iter([True, True, True])
    report, _ = tuned(lambda choice: 2000.0 if choice == {"workers.count": 3} and next(lucky, False) else 1000.0)
    assert report.choice == {}
    assert report.gain == 1.0
    assert report.given_up == {"workers.count": "3"}
    head = summarize_tune(report)[0]
    assert head.startswith("Nothing better than the defaults was confirmed among the ")
    assert "workers.count 3 seemed so, but not when measured once more" in head


def test_a_machine_that_becomes_faster_makes_nothing_better() -> None:
    speed = iter(range(1000, 100_000, 40))
    report, told = tuned(lambda _choice: float(next(speed)))
    assert report.choice == {}
    assert told[-1].rate > 1.2 * told[0].rate
    assert all(trial.times == pytest.approx(1.0, abs=0.05) for trial in told)


def test_all_figures_have_one_base() -> None:
    speed = iter(range(1000, 100_000, 20))
    report, told = tuned(lambda choice: next(speed) * (1.5 if choice else 1.0))
    assert report.choice == {"workers.count": "3"}
    default, best = told[-2:]
    assert report.default_rate == default.rate
    assert report.rate == pytest.approx(best.rate)
    assert report.seconds == pytest.approx(report.records / default.rate * 60, rel=0.01)
    assert report.gain == pytest.approx(best.times)


def test_a_sample_too_small_for_the_workers_is_told_in_the_file_too() -> None:
    report, _ = tuned(more_workers, there_are=5000)
    assert any("fewer splits than the workers have in hand (4 of 262 kB)" in notice for notice in report.notices)
    assert "fewer splits than the workers have in hand" in " ".join(written(report).replace("#", "").split())


def test_runs_of_the_defaults_that_differ_raise_what_counts() -> None:
    rates = iter([1000.0] * 3 + [1000.0, 1300.0, 1150.0])
    report, _ = tuned(lambda choice: 1200.0 if choice else next(rates, 1000.0))
    assert report.choice == {}
    assert report.least_gain == report.noise > 0.15
    assert any("is busy" in notice for notice in report.notices)


def test_when_the_time_is_over_the_rest_is_not_tried() -> None:
    report, told = tuned(more_workers, seconds=10.0)
    assert [trial.setting for trial in told] == [""]
    assert report.choice == {}
    assert any("--max-time allows more" in notice for notice in report.notices)
    assert (
        "# Not tried: the time was over, or no other value would change anything.\n  # batch_bytes: 8MiB\n"
        in written(report)
    )


def test_settings_that_do_not_load_are_told_with_the_reason() -> None:
    def refused(choice: Choice) -> float:
        if choice.get("workers.count", 2) > 2:
            raise TargetError("No more than 2.")
        return 1000.0

    report, told = tuned(refused)
    assert trial_line(told[1]) == "  workers.count: 3          unusable: No more than 2."
    assert "3: fails (No more than 2.); 1: 1.00 x" in written(report)


def test_the_defaults_failing_is_the_loads_error() -> None:
    def refused(choice: Choice) -> float:
        raise TargetError("No place.")

    with pytest.raises(TargetError, match=r"No place\."):
        tuned(refused)


def test_a_trials_line_fits_a_terminal_below_its_heading() -> None:
    trial = Trial("queue.max_bytes", {"queue.max_bytes": 2**28}, (1e6,), 2.0, 0.1, 0.2, 1.0, 1.5e8, better=True)
    line = trial_line(trial)
    assert line == "* queue.max_bytes: 256MiB     1,000,000  2.00   100 ms   200 ms    100%  150 MB"
    assert len(line) == len(HEADING[-1]) < 80


def test_the_file_is_taken_by_a_load_and_says_what_was_tried(tmp_path: Path) -> None:
    report, _ = tuned(more_workers)
    text = written(report)
    file = tmp_path / "etl.settings.yaml"
    file.write_text(text, "utf-8")
    assert read_settings(file) == build_settings({"workers": {"count": 3}})
    assert "2026-02-03 04:05 UTC" in text
    assert "sqlite:///x.db, SQLite 3" in text
    assert "\n  # 2: 1.00 x. Tried: " in text
    assert "Tried: 3: 1.4" in text
    assert "\n  count: 3\n" in text
    assert "\n# insert:\n" in text
    assert "\n  # batch_bytes: 8MiB\n" in text


def test_where_the_defaults_are_best_all_of_it_is_a_comment() -> None:
    report, _ = tuned(lambda _choice: 1000.0)
    assert all(line.startswith(("#", "  #")) for line in written(report).splitlines() if line)
    assert "Nothing better than the defaults was found among the 4 of 5 values tried" in written(report)


def test_what_the_user_gave_stays_in_the_file_but_not_the_databases_password(tmp_path: Path) -> None:
    values = {
        "target": "postgresql://me:secret@host/db",
        "write": "append",
        "workers": {"count": {"min": 1, "max": 3}, "kind": "auto"},
        "queue": {"max_records": "unlimited", "max_bytes": "48MiB"},
        "errors": {"max": "5%"},
        "ledger": {"schema": "a: b"},
        "retry": {"first_wait": "50ms"},
    }
    given = build_settings(values)
    report, _ = tuned(more_workers)
    report = replace(report, sources=("a\nb\x07.xml",))
    text = settings_text(report, given, FACTORS[1:], MOMENT)
    file = tmp_path / "etl.settings.yaml"
    file.write_text(text, "utf-8")
    assert "secret" not in text
    assert "  kind: auto  # given" in text
    assert "  max_records: unlimited  # given" in text
    assert read_settings(file) == given.model_copy(update={"target": None})


def test_the_report_as_json_has_the_trials_and_not_the_file() -> None:
    report, _ = tuned(more_workers)
    told = report.to_json()
    assert '"choice": {"workers.count": "3"}' in told
    assert '"setting": "workers.count"' in told
    assert '"yaml"' not in told
