"""The benchmark of mapping and writing at the same time: its form, never its figures."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path

from performance_tuning.benchmarks import benchmark_overlap, heavy_work

ROOT = Path(benchmark_overlap.__file__).parents[2]


def test_prints_both_together_beside_each_alone_and_keeps_raw_values(tmp_path: Path) -> None:
    sizes = ["--size", "400KB", "--seconds", "1", "--repeat", "1", "--json", str(tmp_path / "runs.json")]
    command = [sys.executable, "performance_tuning/benchmarks/benchmark_overlap.py", *sizes]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=100, check=False)
    assert done.returncode == 0, done.stderr
    assert re.search(r"^flat, 0 MB, \d+ records, into postgres: median of 1$", done.stdout, re.M)
    for way in benchmark_overlap.WAYS:
        assert len(re.findall(rf"^{way} +[\d.]+ s  \([\d.]+ to [\d.]+ s\)$", done.stdout, re.M)) == 1
    compared = r"^Both together take [\d.]+ times as long as the longer of the two \(goal: at most 1\.10\) and [\d.]+"
    assert len(re.findall(compared, done.stdout, re.M)) == 1
    (result,) = json.loads((tmp_path / "runs.json").read_text("utf-8"))
    assert result["rounds"] >= 1
    assert result["delay"] >= 1
    assert {way: len(runs) for way, runs in result["runs"].items()} == dict.fromkeys(benchmark_overlap.WAYS, 1)


def test_the_work_is_the_same_each_time_and_more_rounds_are_another() -> None:
    row = {"id": 7, "rounds": 3, "title": "t"}
    assert heavy_work.work(row) == heavy_work.work(row) == {**row, "checksum": ((7 * 31 + 0) * 31 + 1) * 31 + 2}
    assert heavy_work.work({"id": 7, "rounds": 0})["checksum"] == 7
