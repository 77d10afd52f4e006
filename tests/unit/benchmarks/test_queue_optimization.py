"""The sweep of the queue: which loads it measures, and the form of what it says; never its figures."""

from __future__ import annotations

import csv
import json
import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from etl.options import Settings, read_settings
from performance_tuning.benchmarks import benchmark_queue_optimization
from performance_tuning.benchmarks.common.databases import Database, Postgres
from performance_tuning.benchmarks.common.dumps import Dump
from performance_tuning.benchmarks.common.harness import Run
from performance_tuning.benchmarks.common.loads import LoadRun
from performance_tuning.benchmarks.sweep import loads as sweep_loads
from performance_tuning.benchmarks.sweep.plan import (
    DEFAULTS,
    Factor,
    Other,
    Row,
    Sweep,
    best_together,
    full_sweep,
    quick_sweep,
)
from performance_tuning.benchmarks.sweep.report import draw, result_lines, settings_yaml, write_csv
from performance_tuning.benchmarks.sweep.result import Result
from performance_tuning.benchmarks.without_queue.baseline import REGIMES

SWEEP = full_sweep(batch_records=37, workers=2, cores=2, limit=True)
DUMP = Dump("nested", Path("x.xml"), 10**6, records=600, rows={"release": 600, "track": 900})
FAST, FASTER = "insert.batch_records=500", "insert.batch_bytes=auto"


def load_run(seconds: float) -> LoadRun:
    metrics = {
        "mapping": {"busy": 3.0, "waiting": 0.5, "idle": 0.5},
        "insert": {"count": 9, "p50": 0.01, "p95": 0.02, "p99": 0.03, "most": 0.04},
        "queue_mean_fill": 0.25,
    }
    return LoadRun(Run(seconds, 1.0, 1.0, 10**8, 3, 0.0), {"metrics": metrics})


def row(choice: str) -> Row:
    """Of a factor."""
    return Row(choice, (choice,))


def measured(fast: float = 10.0) -> Result:
    """The baseline in 60 s, everything else in 10, but larger batches in so many."""
    runs = {row: [load_run(10.0)] * 3 for row in SWEEP.rows}
    runs[SWEEP.baseline] = [load_run(60.0)] * 3
    runs[row(FAST)] = [load_run(fast)] * 3
    return Result(REGIMES[0], DUMP, SWEEP, runs)


def beside(together: str, defaults: float, best: float) -> Result:
    """With the best together, and the defaults beside it, in so many seconds."""
    result = measured()
    result.together = (together,)
    result.runs |= {
        row: [load_run(seconds)] * 3 for row, seconds in zip(result.side_by_side, (defaults, best), strict=True)
    }
    return result


def rates(result: Result) -> dict[Row, list[float]]:
    return {row: result.rates(row) for row in result.runs}


@pytest.mark.parametrize("sweep", [SWEEP, full_sweep(37, 2, 16, limit=False), quick_sweep(37, 2, limit=True)])
def test_every_row_is_a_load_of_its_own(sweep: Sweep) -> None:
    loads = [row.load for row in sweep.rows]
    assert len(set(loads)) == len(loads)
    assert len({row.name for row in sweep.rows}) == len(loads)
    assert sweep.baseline.load is Other.BASELINE
    assert sweep.defaults.load == DEFAULTS
    assert (Other.LIMIT in loads) == (sweep.limit is not None)
    for load in loads:
        read_settings(overrides=() if isinstance(load, Other) else load)


@pytest.mark.parametrize("factor", SWEEP.factors, ids=lambda factor: factor.name)
def test_what_a_factor_starts_from_is_the_default(factor: Factor) -> None:
    assert read_settings(overrides=[f"{factor.name}={factor.default}"]) == Settings()


def test_only_what_is_better_than_the_noise_is_chosen() -> None:
    assert best_together(SWEEP, rates(measured())) == DEFAULTS
    assert best_together(SWEEP, rates(measured(fast=9.8))) == DEFAULTS
    assert best_together(SWEEP, rates(measured(fast=8.0))) == (FAST,)


def test_runs_that_differ_as_much_as_they_gain_decide_nothing() -> None:
    result = measured()
    result.runs[row(FAST)] = [load_run(seconds) for seconds in (6.0, 8.0, 12.0)]
    assert best_together(SWEEP, rates(result)) == DEFAULTS


def test_the_table_has_every_row_and_the_goal() -> None:
    said = "\n".join(result_lines(measured()))
    for row in SWEEP.rows:
        assert re.search(rf"^\| {re.escape(row.name)} +\| +3 \|", said, re.M)
    figures = r" +3 \| +3,600 \| 3,600 to 3,600 \| +6\.00 \| "
    assert re.search(rf"^\| \+ COPY +\|{figures}+10 / 20 / 30 \| +25% \| +25% \| +100 \|$", said, re.M)
    assert re.search(rf"^\| limit: .* +\|{figures} +\| +25% \| +\| +100 \|$", said, re.M)
    assert "- asynchronous commits (still no queue): 6.00 times the row before" in said
    assert "- All steps together: 6.0 times the baseline (goal: at least 5)" in said
    assert re.search(
        r"^- Mapping alone, no database: 6\.0 times the baseline, .* \(processors in use: \d+%\)$", said, re.M
    )
    assert re.search(r"^- Processors in use, with the server's: \d+%, by the baseline \d+%$", said, re.M)
    assert "- Best together: the defaults, since no gain is more than noise" in said


@pytest.mark.parametrize("choice", [FAST, FASTER])
def test_recommends_settings_that_a_load_takes(choice: str, tmp_path: Path) -> None:
    file = tmp_path / "settings.yaml"
    file.write_text(settings_yaml(measured()), "utf-8")
    assert read_settings(file) == Settings()
    file.write_text(settings_yaml(beside(choice, 10.0, 8.0)), "utf-8")
    assert read_settings(file) == read_settings(overrides=[choice])


def test_what_is_recommended_is_judged_by_the_runs_beside_the_defaults() -> None:
    better, lucky = beside(FAST, 10.0, 8.0), beside(FAST, 8.0, 8.0)
    lucky.runs[row(FAST)] = [load_run(1.0)] * 3
    assert better.recommended.load == (FAST,)
    assert lucky.recommended.load == DEFAULTS
    assert f"- Best together: {FAST}: 1.25 times the defaults, measured again in turns with them, more than noise" in (
        result_lines(better)
    )
    assert any("1.00 times the defaults" in line and "no more than noise" in line for line in result_lines(lucky))


def test_loads_in_turn_and_what_takes_long_less_often(monkeypatch: pytest.MonkeyPatch) -> None:
    """With loads that take as long as is said here."""
    alone = SWEEP.ladder[2].load
    seconds: dict[object, float] = {Other.BASELINE: 60.0, Other.ASYNCHRONOUS: 50.0, alone: 40.0}
    seconds |= {(FAST,): 5.0, ("workers.prefetch=4",): 6.0, (FAST, "workers.prefetch=4"): 4.0}
    clock = [0.0]

    def load(what: object) -> LoadRun:
        clock[0] += seconds.get(what, 10.0)
        return load_run(seconds.get(what, 10.0))

    def baseline(*of: object) -> LoadRun:
        return load(Other.ASYNCHRONOUS if of[-1] == ["--asynchronous"] else Other.BASELINE)

    monkeypatch.setattr(sweep_loads, "perf_counter", lambda: clock[0])
    monkeypatch.setattr(sweep_loads, "measured_baseline", baseline)
    monkeypatch.setattr(sweep_loads, "measured_mapping", lambda *_of: load(Other.LIMIT))
    monkeypatch.setattr(sweep_loads, "measured_load", lambda _dump, _database, settings, *_: load(settings))
    result = Result(REGIMES[0], DUMP, SWEEP)
    database: Any = None
    sweep_loads.load_all(result, 3, database, str, Path())
    assert result.together == result.recommended.load == (FAST, "workers.prefetch=4")
    long = [row for row in SWEEP.ladder if row.load in (Other.BASELINE, Other.ASYNCHRONOUS, alone)]
    often = {row for row in SWEEP.steps if row not in long} | set(result.side_by_side)
    assert {row: len(runs) for row, runs in result.runs.items()} == {
        row: 3 if row in often else 2 for row in result.rows
    }


def test_csv_and_chart_hold_both_regimes(tmp_path: Path) -> None:
    results = [measured(), Result(REGIMES[1], DUMP, SWEEP, measured().runs)]
    write_csv(tmp_path / "x.csv", results)
    with (tmp_path / "x.csv").open(encoding="utf-8", newline="") as text:
        rows = list(csv.DictReader(text))
    assert [row["regime"] for row in rows] == [regime.name for regime in REGIMES for _ in SWEEP.rows]
    assert float(rows[0]["times_baseline"]) == 1.0
    draw(tmp_path / "x.png", results)
    assert (tmp_path / "x.png").read_bytes().startswith(b"\x89PNG")


def test_the_command_prints_as_it_goes_and_keeps_everything(
    postgres_server: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Of the ladder only its ends: the loads of the other rows differ from theirs in settings alone."""

    @contextmanager
    def databases(_names: Sequence[str], _folder: Path) -> Iterator[list[Database]]:
        yield [Postgres(postgres_server)]

    def two_steps(*of: int, limit: bool) -> Sweep:
        sweep = quick_sweep(*of, limit=limit)
        return replace(sweep, ladder=(sweep.ladder[1], sweep.defaults), factors=())

    monkeypatch.setattr(benchmark_queue_optimization, "open_databases", databases)
    monkeypatch.setattr(benchmark_queue_optimization, "quick_sweep", two_steps)
    sizes = ["--quick", "--size", "300KB", "--regimes", "plain", "--output", str(tmp_path)]
    assert benchmark_queue_optimization.main(sizes) == 0
    printed = capsys.readouterr()
    load = r"^plain, round 1 of 1, load {place} of 3: .* s, [\d,]+ records/min, rows right$"
    assert all(len(re.findall(load.format(place=place), printed.err, re.M)) == 1 for place in (1, 2, 3))
    assert re.search(r"^  next: .*all defaults; about \d+ s left on the database as it is$", printed.err, re.M)
    assert "```yaml\n# the database as it is: " in printed.out
    assert (tmp_path / "queue_optimization.md").read_text("utf-8") == printed.out
    assert (tmp_path / "queue_optimization.csv").exists()
    assert (tmp_path / "queue_optimization.png").exists()
    (regime,) = json.loads((tmp_path / "queue_optimization.json").read_text("utf-8"))["regimes"]
    assert [row["settings"] for row in regime["rows"]] == [None, [], None]
    assert all(row["runs"][0]["wall"] > 0 for row in regime["rows"])


def test_quick_runs_once_and_takes_no_number_of_runs(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        benchmark_queue_optimization.main(["--quick", "--repeat", "3"])
    assert caught.value.code == 2
    assert "--repeat: not allowed with argument --quick" in capsys.readouterr().err
