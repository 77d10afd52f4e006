"""Measuring itself; and the form of what benchmarks of inference and recovery print, never their figures."""

from __future__ import annotations

import json
import re
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

import etl
from etl.mapping.reader import read_mapping
from performance_tuning.benchmarks import benchmark_inference
from performance_tuning.benchmarks.common.dumps import make_dump
from performance_tuning.benchmarks.common.harness import Run, RunFailed, measure, noise, spread
from performance_tuning.benchmarks.common.loads import MAPPINGS, ROOT
from performance_tuning.benchmarks.common.tables import TABLES
from performance_tuning.benchmarks.inferred_mappings import infer_same_tables

KINDS = sorted(TABLES)


@pytest.mark.parametrize("name", ["feeding", "overlap", "scaling", "scanner"])
def test_a_benchmark_runs_as_a_file(name: str) -> None:
    command = [sys.executable, f"performance_tuning/benchmarks/benchmark_{name}.py", "--help"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=100, check=False)
    assert done.returncode == 0, done.stderr
    assert f"write {name}.json" in done.stdout


def test_inference_prints_speeds_memory_and_ratios(tmp_path: Path) -> None:
    sizes = ["--size", "300KB", "--load-size", "300KB", "--repeat", "1", "--targets", "sqlite"]
    files = ["--source", str(ROOT / "env_prep" / "sample" / "catalog.xml.gz"), "--json", str(tmp_path / "runs.json")]
    script = "performance_tuning/benchmarks/benchmark_inference.py"
    command = [sys.executable, script, *sizes, *files]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=100, check=False)
    assert done.returncode == 0, done.stderr
    printed = done.stdout
    for name in ("wide-paths.xml", "catalog.xml.gz"):
        assert len(re.findall(rf"^{name}, 0 MB: median of 1$", printed, re.M)) == 1
    for way in ("survey", "libxml2"):
        pattern = rf"^{way} +[\d.]+ MB/s  \([\d.]+ to [\d.]+ s\)  peak memory \d+ MB$"
        assert len(re.findall(pattern, printed, re.M)) == 2
    assert len(re.findall(r"^A survey takes [\d.]+ times as long as libxml2 alone\.$", printed, re.M)) == 2
    assert len(re.findall(r"^Loading with the inferred mapping takes [\d.]+ times", printed, re.M)) == 2
    results = json.loads((tmp_path / "runs.json").read_text("utf-8"))
    loads = [f"{kind} into sqlite" for kind in ("nested", "flat")]
    assert [result["what"] for result in results] == [
        "survey of wide-paths.xml",
        "survey of catalog.xml.gz",
        *loads,
    ]
    assert all(run["wall"] > 0 for result in results for taken in result["runs"].values() for run in taken)


def test_recovery_prints_seconds_and_ratios_of_every_kind_and_of_all(tmp_path: Path) -> None:
    chosen = ["--records", "300", "--repeat", "1", "--targets", "sqlite", "--kinds", "check,deferred foreign key"]
    command = [sys.executable, "performance_tuning/benchmarks/benchmark_recovery.py", *chosen]
    command += ["--json", str(tmp_path / "runs.json")]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=100, check=False)
    assert done.returncode == 0, done.stderr
    for constraints in ("check", "deferred foreign key", "all of them"):
        assert len(re.findall(rf"^sqlite +{constraints}( +[\d.]+){{3}}", done.stdout, re.M)) == 1
    results = json.loads((tmp_path / "runs.json").read_text("utf-8"))
    assert all(run["wall"] > 0 for result in results for name in ("clean", "bad") for run in result[name])


@pytest.mark.parametrize("kind", KINDS)
def test_an_inferred_mapping_can_be_cut_down_to_a_hand_written_one(kind: str, tmp_path: Path) -> None:
    dump = make_dump(kind, 200_000, tmp_path)
    inferred = tmp_path / "inferred.yaml"
    names = infer_same_tables(dump.path, MAPPINGS / f"{kind}.mapping.yaml", inferred)
    by_hand = read_mapping(MAPPINGS / f"{kind}.mapping.yaml")
    cut_down = {table.name: table for table in read_mapping(inferred).tables}
    assert cut_down.keys() == set(names.values())
    for table in by_hand.tables:
        assert len(cut_down[names[table.name]].columns) == len(table.columns)
    report = etl.load(str(dump.path), mapping=inferred, target="memory://")
    assert {name: report.tables[names[name]] for name in names} == dump.rows


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--source", "nowhere.xml"], "there is no file nowhere.xml"),
        (["--targets", "oracle"], "'oracle' is none of postgres, sqlite"),
        (["--repeat", "0"], "at least 1 run"),
    ],
)
def test_usage_of_the_benchmark_of_inference(
    arguments: list[str], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as caught:
        benchmark_inference.main(arguments)
    assert caught.value.code == 2
    assert message in capsys.readouterr().err


def test_measures_the_whole_process_tree(tmp_path: Path) -> None:
    grandchild = "import time; block = b'x' * 100_000_000; time.sleep(0.6)"
    child = f"import subprocess, sys; subprocess.run([sys.executable, '-c', {grandchild!r}], check=True)"
    run = measure([sys.executable, "-c", child], cwd=tmp_path, scratch=tmp_path, server_cpu=lambda: 0.0)
    assert run.processes == 2
    assert run.peak_memory > 100_000_000
    assert run.wall > 0.6
    assert run.cpu > 0


def test_a_loader_may_time_itself(tmp_path: Path) -> None:
    command = [sys.executable, "-c", "print('warming up'); print('{\"seconds\": 1234.5}')"]
    assert measure(command, cwd=tmp_path, scratch=tmp_path, server_cpu=lambda: 0.0).wall == 1234.5


def test_a_second_run_finds_modules_compiled_where_python_may_write_none(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PYTHONDONTWRITEBYTECODE", "1")
    (tmp_path / "module.py").write_text("", "utf-8")
    code = (
        "import sys; sys.path.append('.'); import module, os; raise SystemExit(not os.path.exists(module.__cached__))"
    )
    measure([sys.executable, "-c", code], cwd=tmp_path, scratch=tmp_path, server_cpu=lambda: 0.0)
    assert not (tmp_path / "__pycache__").exists()


def test_an_interrupt_while_a_run_is_started_ends_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    started: list[subprocess.Popen[bytes]] = []

    class Interrupted(subprocess.Popen[bytes]):
        def __init__(self, *arguments: Any, **options: Any) -> None:
            super().__init__(*arguments, **options)
            started.append(self)
            signal.raise_signal(signal.SIGINT)

    monkeypatch.setattr(subprocess, "Popen", Interrupted)
    with pytest.raises(KeyboardInterrupt):
        measure(
            [sys.executable, "-c", "import time; time.sleep(60)"],
            cwd=tmp_path,
            scratch=tmp_path,
            server_cpu=lambda: 0.0,
        )
    assert started[0].returncode == -signal.SIGKILL


def test_a_failed_run_says_what_it_printed(tmp_path: Path) -> None:
    command = [sys.executable, "-c", "raise SystemExit('no such table')"]
    with pytest.raises(RunFailed, match=r"(?s)exit code 1.*no such table"):
        measure(command, cwd=tmp_path, scratch=tmp_path, server_cpu=lambda: 0.0)


def test_spread_and_noise() -> None:
    def run(wall: float, foreign: float) -> Run:
        return Run(wall=wall, cpu=1, server_cpu=0, peak_memory=1, processes=1, foreign=foreign)

    values = spread([4.0, 2.0, 3.0])
    assert (values.median, values.least, values.most) == (3.0, 2.0, 4.0)
    assert values.share == pytest.approx(2 / 3)
    assert noise([run(2.0, 0.0), run(2.1, 0.01)]) == ""
    assert noise([run(2.0, 0.4), run(2.1, 0.01)]) == "other processes used 40% of the machine"
    assert noise([run(2.0, 0.0), run(3.0, 0.0)]) == "the runs differ by 40%"
