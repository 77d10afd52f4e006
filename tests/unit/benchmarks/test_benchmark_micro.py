"""Benchmarks of the parts: run alone by ``--benchmark-only``, with no test beside them. (Each one's run is a test.)"""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path

from performance_tuning.benchmarks import benchmark_micro

ROOT = Path(benchmark_micro.__file__).parents[2]


def test_one_option_measures_the_parts_and_runs_no_test(tmp_path: Path) -> None:
    results = tmp_path / "results.json"
    short = ["-k", "splitter", "--benchmark-max-time=0.01", "--benchmark-min-rounds=1", f"--benchmark-json={results}"]
    command = [sys.executable, "-m", "pytest", "--benchmark-only", "-p", "no:cacheprovider", *short]
    # In a worker of pytest-xdist these say so, and benchmarks refuse to measure there.
    variables = {name: value for name, value in os.environ.items() if not name.startswith("PYTEST_XDIST_")}
    done = subprocess.run(command, cwd=ROOT, env=variables, capture_output=True, text=True, timeout=100, check=False)
    assert done.returncode == 0, done.stdout
    assert re.search(r"= 2 passed, \d+ deselected in ", done.stdout)
    measured = json.loads(results.read_text("utf-8"))["benchmarks"]
    assert [(each["group"], each["name"]) for each in measured] == [
        ("splitter", "test_splitter[nested]"),
        ("splitter", "test_splitter[flat]"),
    ]
    assert all(each["extra_info"]["MB/s"] > 0 for each in measured)
