"""The sweep of the queue: which loads it measures, and the form of what it says; never its figures."""

from __future__ import annotations

import csv
import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from etl.options import Settings, read_settings
from performance_tuning.benchmarks import sweep_loads
from performance_tuning.benchmarks.baseline import REGIMES
from performance_tuning.benchmarks.dumps import Dump
from performance_tuning.benchmarks.harness import Run
from performance_tuning.benchmarks.loads import ROOT, LoadRun
from performance_tuning.benchmarks.sweep import (
    BASELINE,
    DEFAULTS,
    Factor,
    Sweep,
    best_together,
    full_sweep,
    quick_sweep,
)
from performance_tuning.benchmarks.sweep_report import draw, result_lines, settings_yaml, write_csv
from performance_tuning.benchmarks.sweep_result import Result

TWO_ROWS = """
import sys
from performance_tuning.benchmarks import benchmark_queue_optimization as benchmark, sweep
benchmark.quick_sweep = lambda *of: sweep.Sweep(sweep.quick_sweep(*of).ladder[::4], ())
sys.exit(benchmark.main(sys.argv[1:]))
"""
SWEEP = full_sweep(batch_records=37, workers=2, cores=2)
DUMP = Dump("nested", Path("x.xml"), 10**6, records=600, rows={"release": 600, "track": 900})
FAST = "insert.batch_records=5000"


def load_run(seconds: float) -> LoadRun:
    metrics = {
        "mapping": {"busy": 3.0, "waiting": 0.5, "idle": 0.5},
        "insert": {"count": 9, "p50": 0.01, "p95": 0.02, "p99": 0.03, "most": 0.04},
        "queue_mean_fill": 0.25,
    }
    return LoadRun(Run(seconds, 1.0, 1.0, 10**8, 3, 0.0), {"metrics": metrics})


def measured(fast: float = 10.0) -> Result:
    """The baseline in 60 s, everything else in 10, but larger batches in so many."""
    runs = {row.settings: [load_run(10.0)] * 3 for row in SWEEP.rows}
    runs[BASELINE] = [load_run(60.0)] * 3
    runs[(FAST,)] = [load_run(fast)] * 3
    return Result(REGIMES[0], DUMP, SWEEP, runs)


def rates(result: Result) -> dict[tuple[str, ...] | None, list[float]]:
    return {settings: result.rates(settings) for settings in result.runs}


@pytest.mark.parametrize("sweep", [SWEEP, full_sweep(37, 2, 16), quick_sweep(37, 2)])
def test_every_row_is_a_load_of_its_own(sweep: Sweep) -> None:
    chosen = [row.settings for row in sweep.rows]
    assert len(set(chosen)) == len(chosen)
    assert len({row.name for row in sweep.rows}) == len(chosen)
    assert {BASELINE, DEFAULTS} <= set(chosen)
    for settings in chosen:
        read_settings(overrides=settings or ())


@pytest.mark.parametrize("factor", SWEEP.factors, ids=lambda factor: factor.name)
def test_what_a_factor_starts_from_is_the_default(factor: Factor) -> None:
    assert read_settings(overrides=[f"{factor.name}={factor.default}"]) == Settings()


def test_only_what_is_better_than_the_noise_is_chosen() -> None:
    assert best_together(SWEEP.factors, rates(measured())) == DEFAULTS
    assert best_together(SWEEP.factors, rates(measured(fast=9.8))) == DEFAULTS
    assert best_together(SWEEP.factors, rates(measured(fast=8.0))) == (FAST,)


def test_runs_that_differ_as_much_as_they_gain_decide_nothing() -> None:
    result = measured()
    result.runs[(FAST,)] = [load_run(seconds) for seconds in (6.0, 8.0, 12.0)]
    assert best_together(SWEEP.factors, rates(result)) == DEFAULTS


def test_the_table_has_every_row_and_the_goal() -> None:
    said = "\n".join(result_lines(measured()))
    for row in SWEEP.rows:
        assert re.search(rf"^\| {re.escape(row.name)} +\|.*\| +3 of 3 \|$", said, re.M)
    assert re.search(
        r"^\| \+ COPY +\| +3,600 \| 3,600 to 3,600 \| +6\.00 \| +10 / 20 / 30 \| +25% \| +25% \|", said, re.M
    )
    assert re.search(
        r"^- Processors in use, with the server's: \d+%, by the baseline \d+%; at 100% .* baseline$", said, re.M
    )
    assert "- the queue alone: 6.00 times the row before" in said
    assert "- All steps together: 6.0 times the baseline (goal: at least 5)" in said
    assert "- Best together: the defaults, since no gain is more than noise" in said


def test_recommends_settings_that_a_load_takes(tmp_path: Path) -> None:
    file = tmp_path / "settings.yaml"
    result = measured(fast=8.0)
    file.write_text(settings_yaml(result), "utf-8")
    assert read_settings(file) == Settings()
    result.together = (FAST,)
    file.write_text(settings_yaml(result), "utf-8")
    assert read_settings(file) == read_settings(overrides=[FAST])


def test_a_combination_is_a_row_and_is_recommended_only_where_it_is_better() -> None:
    result = measured()
    result.together = (FAST, "workers.prefetch=4")
    result.runs[result.together] = [load_run(10.1)] * 3
    assert [row.settings for row in result.rows].count(result.together) == 1
    assert result.recommended == DEFAULTS
    result.runs[result.together] = [load_run(5.0)] * 3
    assert result.recommended == result.together


def test_loads_in_turn_and_what_takes_long_less_often(monkeypatch: pytest.MonkeyPatch) -> None:
    """With loads that take as long as is said here."""
    seconds = {BASELINE: 60.0, SWEEP.ladder[1].settings: 40.0, ("insert.batch_records=50",): 30.0}
    seconds |= {(FAST,): 5.0, ("workers.prefetch=4",): 6.0, (FAST, "workers.prefetch=4"): 4.0}
    clock = [0.0]

    def load(settings: tuple[str, ...] | None) -> LoadRun:
        clock[0] += seconds.get(settings, 10.0)
        return load_run(seconds.get(settings, 10.0))

    monkeypatch.setattr(sweep_loads, "perf_counter", lambda: clock[0])
    monkeypatch.setattr(sweep_loads, "measured_baseline", lambda *_of: load(BASELINE))
    monkeypatch.setattr(sweep_loads, "measured_load", lambda _dump, _database, settings, *_: load(settings))
    result = Result(REGIMES[0], DUMP, SWEEP)
    database: Any = None
    sweep_loads.load_all(result, 3, database, str, Path())
    loads = {settings: len(runs) for settings, runs in result.runs.items()}
    assert result.together == result.recommended == (FAST, "workers.prefetch=4")
    assert loads.pop(BASELINE) == loads.pop(SWEEP.ladder[1].settings) == 2
    assert loads.pop(("insert.batch_records=50",)) == 1
    assert loads.pop(DEFAULTS) == 6, "again beside the best together"
    assert set(loads.values()) == {3}
    assert set(result.runs) == {*(row.settings for row in SWEEP.rows), result.together}


def test_csv_and_chart_hold_both_regimes(tmp_path: Path) -> None:
    results = [measured(), Result(REGIMES[1], DUMP, SWEEP, measured().runs)]
    write_csv(tmp_path / "x.csv", results)
    with (tmp_path / "x.csv").open(encoding="utf-8", newline="") as text:
        rows = list(csv.DictReader(text))
    assert [row["regime"] for row in rows] == [regime.name for regime in REGIMES for _ in SWEEP.rows]
    assert float(rows[0]["times_baseline"]) == 1.0
    draw(tmp_path / "x.png", results)
    assert (tmp_path / "x.png").read_bytes().startswith(b"\x89PNG")


def test_the_command_prints_as_it_goes_and_keeps_everything(tmp_path: Path) -> None:
    """Of the ladder only its ends: the loads of the other rows differ from theirs in settings alone."""
    sizes = ["--quick", "--size", "300KB", "--regimes", "plain", "--output", str(tmp_path)]
    done = subprocess.run(
        [sys.executable, "-c", TWO_ROWS, *sizes], cwd=ROOT, capture_output=True, text=True, timeout=100, check=False
    )
    assert done.returncode == 0, done.stderr
    load = r"^plain, round 1 of 1, load {place} of 2: .* s, [\d,]+ records/min, rows right$"
    assert all(len(re.findall(load.format(place=place), done.stderr, re.M)) == 1 for place in (1, 2))
    assert re.search(r"^  next: .*all defaults; about \d+ s left on the database as it is$", done.stderr, re.M)
    assert "```yaml\n# the database as it is: " in done.stdout
    assert (tmp_path / "queue_optimization.md").read_text("utf-8") == done.stdout
    assert (tmp_path / "queue_optimization.csv").exists()
    assert (tmp_path / "queue_optimization.png").exists()
    (regime,) = json.loads((tmp_path / "queue_optimization.json").read_text("utf-8"))["regimes"]
    assert [row["settings"] for row in regime["rows"]] == [None, []]
    assert all(row["runs"][0]["wall"] > 0 for row in regime["rows"])
