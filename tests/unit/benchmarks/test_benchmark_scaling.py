"""The form of what `benchmark_scaling.py` prints and writes, never its figures; and the line through them."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from performance_tuning.benchmarks import benchmark_scaling
from performance_tuning.benchmarks.common.dumps import Dump
from performance_tuning.benchmarks.common.harness import Run
from performance_tuning.benchmarks.common.loads import LoadRun
from performance_tuning.benchmarks.scaling_report import Point, line_through


def point(records: int, wall: float, cpu: float = 1.0) -> Point:
    run = Run(wall, cpu, server_cpu=0.0, peak_memory=1, processes=1, foreign=0.0)
    return Point(Dump("nested", Path("dump.xml"), 1, records, {}), loads=[LoadRun(run, {})])


def test_prints_tables_by_size_and_by_workers_and_writes_them(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    sizes = ["--sizes", "200KB,100KB", "--workers", "1", "--workers-size", "100KB", "--repeat", "1"]
    code = benchmark_scaling.main([*sizes, "--targets", "sqlite", "--output", str(tmp_path / "results")])
    printed = capsys.readouterr().out
    assert code == 0
    times = r" +[\d.]+ \| +[\d.]+ to [\d.]+ \|"
    assert len(re.findall(rf"^\| 0 MB +\| +1 \|{times}( +[\d,%+-]+ \|){{3}}$", printed, re.M)) == 2
    assert len(re.findall(rf"^\| 1 +\|{times}( +[\d.,%]+ \|){{5}}$", printed, re.M)) == 1
    assert len(re.findall(r"the least is [\d.]+ times the most", printed)) == 2
    written = (tmp_path / "results" / "scaling.md").read_text("utf-8")
    assert (
        "    python3 env_prep/bootstrap.py python performance_tuning/benchmarks/benchmark_scaling.py --sizes 200KB"
        in written
    )
    assert set(re.findall(r"^\|.*$", printed, re.M)) <= set(written.splitlines())
    (result,) = json.loads((tmp_path / "results" / "scaling.json").read_text("utf-8"))["results"]
    assert [len(result[name]) for name in ("sizes", "workers")] == [2, 1]
    assert result["sizes"][0]["bytes"] < result["sizes"][1]["bytes"]
    assert all(point["runs"][0]["report"]["records"] == point["records"] for point in result["sizes"])
    assert (tmp_path / "results" / "scaling.png").read_bytes().startswith(b"\x89PNG")


def test_the_line_parts_the_start_from_the_records() -> None:
    line = line_through([point(records, 0.5 + records / 1000) for records in (100, 1_000, 50_000)])
    assert line.start == pytest.approx(0.5)
    assert line.record == pytest.approx(0.001)


def test_the_limit_is_reached_where_all_cores_are_busy(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("performance_tuning.benchmarks.scaling_report._CORES", 4)
    busy = point(6_000, wall=2.0, cpu=8.0)
    assert busy.limit == pytest.approx(busy.rate)
    assert point(6_000, wall=2.0, cpu=2.0).limit == pytest.approx(4 * busy.rate)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--sizes", "20MB"], "at least two"),
        (["--sizes", "20MB,much"], "'much' is not a size"),
        (["--workers", "1,0"], "'0' is not a whole number from 1 on"),
    ],
)
def test_usage(arguments: list[str], message: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        benchmark_scaling.main(arguments)
    assert caught.value.code == 2
    assert message in capsys.readouterr().err
