"""The benchmark of the guarantees: its form, never its figures."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path

from performance_tuning.benchmarks import one_load
from performance_tuning.benchmarks.common.dumps import make_dump
from tests.breaking.outcome import Content

ROOT = Path(one_load.__file__).parents[2]
SCRIPT = "performance_tuning/benchmarks/benchmark_guarantees.py"
MAPPING = ROOT / "performance_tuning" / "benchmarks" / "mappings" / "nested.mapping.yaml"


def test_prints_the_overhead_beside_its_goal_and_keeps_raw_values(tmp_path: Path) -> None:
    sizes = ["--size", "100KB", "--repeat", "1", "--targets", "sqlite", "--json", str(tmp_path / "runs.json")]
    command = [sys.executable, SCRIPT, *sizes]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=100, check=False)
    assert done.returncode == 0, done.stderr
    assert re.search(r"^nested, 0 MB, into sqlite: median of 1$", done.stdout, re.M)
    for way in one_load.WAYS:
        assert len(re.findall(rf"^{way} +[\d.]+ s  \([\d.]+ to [\d.]+ s\)", done.stdout, re.M)) == 1
    overhead = r"^The guarantees cost [+-][\d.]+ % of the time and .* \(goal: under 3 %\)\.$"
    assert len(re.findall(overhead, done.stdout, re.M)) == 1
    (result,) = json.loads((tmp_path / "runs.json").read_text("utf-8"))
    assert result["runs"].keys() == set(one_load.WAYS)


def test_without_guarantees_nothing_is_kept_but_the_rows(target_url: str, tmp_path: Path) -> None:
    dump = make_dump("nested", 60_000, tmp_path)
    one_load.load("without", dump.path, MAPPING, target_url)
    content = Content(target_url)
    assert {table: len(content.rows[table]) for table in dump.rows} == dump.rows
    assert not {"etl_source", "etl_split", "etl_reject"} & set(content.tables)


def test_with_guarantees_the_ledger_is_kept(tmp_path: Path) -> None:
    dump = make_dump("nested", 60_000, tmp_path)
    url = f"sqlite:///{tmp_path / 'target.db'}"
    one_load.load("with", dump.path, MAPPING, url)
    assert [source["state"] for source in Content(url).rows["etl_source"]] == ["finished"]
