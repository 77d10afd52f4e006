"""The benchmark of feeding and scaling: its form, never its figures."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest

from etl.loading.insert_queue import InsertQueue
from etl.messages import Split
from performance_tuning.benchmarks import benchmark_feeding, timed_feeding
from performance_tuning.benchmarks.following import SlowMiddle
from performance_tuning.benchmarks.timed_feeding import ENGINES, LostTasks, even, feed, uneven

ROOT = Path(benchmark_feeding.__file__).parents[2]


def test_prints_every_way_of_feeding_and_the_workers_over_time_and_keeps_raw_values(tmp_path: Path) -> None:
    feeding = ["--tasks", "12", "--milliseconds", "2", "--workers", "2", "--repeat", "1"]
    sizes = [*feeding, "--seconds", "0.9", "--most", "2", "--output", str(tmp_path)]
    command = [sys.executable, "performance_tuning/benchmarks/benchmark_feeding.py", *sizes]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=100, check=False)
    assert done.returncode == 0, done.stderr
    for engine in ENGINES:
        tables = rf"^2 {engine} workers, 12 tasks of [\d to]+ ms, 0\.01 s at best: median of 1$"
        assert len(re.findall(tables, done.stdout, re.M)) == 2
    for name, _way, _prefetch in benchmark_feeding.ROWS:
        figures = rf"^\| {name} +\|( +\d+\.\d\d \|){{5}} +\d+% \|( +\d+\.\d \|){{3}}$"
        assert len(re.findall(figures, done.stdout, re.M)) == 2 * len(ENGINES)
    assert re.search(r"^    workers   [12]( [12])*$", done.stdout, re.M)
    assert re.search(r"^    database  [.#]( [.#])* ", done.stdout, re.M)
    assert re.search(r"^Up to \d before, down to \d while the queue was full, up to \d again;", done.stdout, re.M)
    assert "| continuous, prefetch 2 |" in (tmp_path / "feeding.md").read_text("utf-8")
    assert (tmp_path / "feeding.png").read_bytes().startswith(b"\x89PNG")
    values = json.loads((tmp_path / "feeding.json").read_text("utf-8"))
    assert [len(compared["runs"]["batch and wait"]) for compared in values["feeding"]] == [1] * 4
    assert {moment["workers"] for moment in values["following"]["moments"]} <= {1, 2}


def test_uneven_tasks_take_as_long_together_and_are_the_same_each_time() -> None:
    tasks = uneven(1000, 0.01)
    assert tasks == uneven(1000, 0.01)
    assert sum(tasks) == pytest.approx(sum(even(1000, 0.01)))
    assert min(tasks) < 0.002
    assert max(tasks) > 0.05


def test_tasks_that_do_not_come_through_are_noticed() -> None:
    def lose_one(engine: object, queue: InsertQueue, tasks: list[Split]) -> None:
        timed_feeding.continuous(engine, queue, tasks[1:])  # type: ignore[arg-type]

    with closing(ENGINES["thread"](2)) as engine, pytest.raises(LostTasks, match="2 results of 3 tasks"):
        feed(lose_one, engine, [0.0] * 3)  # type: ignore[arg-type]


def test_the_database_is_slow_in_the_middle_only(monkeypatch: pytest.MonkeyPatch) -> None:
    clock, slept = iter([100.0, 100.0, 109.0, 110.0, 119.0, 120.0, 130.0]), list[float]()
    monkeypatch.setattr("time.monotonic", lambda: next(clock))
    monkeypatch.setattr("time.sleep", slept.append)
    connection = SlowMiddle(10, 20).connection()
    late = []
    for _ in range(6):
        assert connection.to_client(b"answer") == b"answer"
        late.append(len(slept))
    assert late == [0, 0, 1, 2, 2, 2]
