"""The form of what `benchmark_peers.py` prints and writes, never its figures; who gets a smaller dump; cleaning up."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil
import pytest

from performance_tuning.benchmarks import benchmark_peers
from performance_tuning.benchmarks.common.databases import Sqlite
from performance_tuning.benchmarks.common.dumps import make_dump
from performance_tuning.benchmarks.common.harness import Run
from performance_tuning.benchmarks.common.loads import ROOT
from performance_tuning.benchmarks.peers.goals import goal_lines
from performance_tuning.benchmarks.peers.loaders import ADBC, LOADERS, MEANINGS, OURS, READY, USUAL, Loader
from performance_tuning.benchmarks.peers.report import comparison_lines
from performance_tuning.benchmarks.peers.taken import Comparison, Taken


def test_prints_a_row_a_loader_and_writes_them(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    chosen = ["--size", "50KB", "--repeat", "1", "--kinds", "nested", "--targets", "sqlite"]
    code = benchmark_peers.main([*chosen, "--output", str(tmp_path / "results")])
    printed = capsys.readouterr().out
    assert code == 0
    assert re.search(r"^nested, 0 MB, \d+ records, \d+ rows in 5 tables, into SQLite: medians$", printed, re.M)
    for loader in LOADERS:
        name, times = re.escape(loader.name), r" +[\d.]+ \| +[\d.]+ to [\d.]+ \|"
        row = rf"^\| {name} [^|]*\| +1 \|{times}( +[\d.]+ \|){{4}} ([a-z, ]*) +\|$"
        (found,) = re.findall(row, printed, re.M)
        assert set(found[1].strip().split(", ")) - {""} == set(loader.cannot)
    assert "pandas (1 of 5 tables)" in printed
    assert re.search(
        r"^etl load takes [\d.]+ times as long as ready rows \(goal: at most 1\.3\)\. It is [\d.]+ times as",
        printed,
        re.M,
    )
    assert re.search(r" It has \d+ MB of memory at its peak \(goal: under 250\)\.$", printed, re.M)
    assert all(f"\n- {name}: " in printed for name in MEANINGS)
    written = (tmp_path / "results" / "peers.md").read_text("utf-8")
    assert set(re.findall(r"^\|.*$", printed, re.M)) <= set(written.splitlines())
    (result,) = json.loads((tmp_path / "results" / "peers.json").read_text("utf-8"))["results"]
    assert list(result["loaders"]) == [loader.name for loader in LOADERS]
    assert all(len(taken["runs"]) == 1 for taken in result["loaders"].values())
    assert result["loaders"]["pandas"]["rows"] == {**dict.fromkeys(result["rows"], 0), "release": result["records"]}
    assert (tmp_path / "results" / "peers.png").read_bytes().startswith(b"\x89PNG")


def test_a_loader_whose_memory_is_too_small_gets_a_smaller_dump_and_is_compared_by_bytes(tmp_path: Path) -> None:
    dump = make_dump("flat", 100_000, tmp_path)
    greedy = Loader("greedy", OURS.command, memory={"flat": 10.0})
    assert benchmark_peers.fitting(greedy, dump, 10 * dump.size, tmp_path) is dump
    assert benchmark_peers.fitting(OURS, dump, 0, tmp_path) is dump
    smaller = benchmark_peers.fitting(greedy, dump, 500_000, tmp_path)
    assert 50_000 <= smaller.size < 60_000

    run = Run(wall=2.0, cpu=1.0, server_cpu=0.0, peak_memory=1, processes=1, foreign=0.0)
    theirs = Taken(greedy, smaller, [run])
    others = [Taken(loader, dump, [run]) for loader in (OURS, USUAL, ADBC, READY)]
    comparison = Comparison(dump, "sqlite", [*others, theirs])
    assert comparison.times_ours(theirs) == pytest.approx(dump.size / smaller.size)
    assert any("greedy (0 MB)" in line for line in comparison_lines(comparison))


def test_says_what_the_medians_come_to_beside_the_goals(tmp_path: Path) -> None:
    dump = make_dump("nested", 100_000, tmp_path)
    walls = [(OURS, [1.0, 2.0, 9.0]), (READY, [1.6] * 3), (ADBC, [5.0] * 3), (USUAL, [31.0])]
    taken = [
        Taken(loader, dump, [Run(wall, 1.0, 0.0, 150_000_000 + int(wall), 1, 0.0) for wall in own])
        for loader, own in walls
    ]
    comparison = Comparison(dump, "postgres", taken)
    assert list(goal_lines(comparison)) == [
        "etl load takes 1.25 times as long as ready rows (goal: at most 1.25).",
        "It is 2.50 times as fast as xml2arrow + ADBC (goal: at least 2.5).",
        "It is 15.50 times as fast as usual loader (goal: at least 15).",
        "It has 150 MB of memory at its peak (goal: under 250).",
    ]


def test_what_takes_long_runs_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def run_once(loader: Loader, *_given: object, extract: bool = False) -> Run:
        return Run(11.0 if loader is USUAL else 1.0, 1.0, 0.0, 1, 1, 0.0)

    monkeypatch.setattr(benchmark_peers, "run_once", run_once)
    comparison = benchmark_peers.compare(make_dump("flat", 50_000, tmp_path), Sqlite(tmp_path), 3, tmp_path)
    assert [len(taken.runs) for taken in comparison.taken] == [1 if loader is USUAL else 3 for loader in LOADERS]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--kinds", "round"], "'round' is none of nested, flat"),
        (["--targets", "oracle"], "'oracle' is none of postgres, sqlite"),
        (["--repeat", "0"], "at least 1 run"),
    ],
)
def test_usage(arguments: list[str], message: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        benchmark_peers.main(arguments)
    assert caught.value.code == 2
    assert message in capsys.readouterr().err


@contextmanager
def running(arguments: list[str], temporary: Path) -> Iterator[subprocess.Popen[str]]:
    with subprocess.Popen(
        [sys.executable, "performance_tuning/benchmarks/benchmark_peers.py", *arguments],
        cwd=ROOT,
        env={**os.environ, "TMPDIR": str(temporary)},
        stderr=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        text=True,
    ) as process:
        try:
            yield process
        finally:
            process.kill()


@pytest.mark.parametrize("stop", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupt_leaves_nothing_behind(stop: signal.Signals, tmp_path: Path) -> None:
    with running(["--size", "50MB", "--targets", "sqlite"], tmp_path) as process:
        deadline = time.monotonic() + 60
        children: list[psutil.Process] = []
        while not children and time.monotonic() < deadline:
            children = psutil.Process(process.pid).children(recursive=True)
            time.sleep(0.05)
        assert children, "it never started a loader"
        process.send_signal(stop)
        _, errors = process.communicate(timeout=60)
        assert process.returncode == 130
        assert "Interrupted" in errors
        assert "Traceback" not in errors
        _gone, alive = psutil.wait_procs(children, timeout=10)
        assert not alive
    assert list(tmp_path.iterdir()) == []
