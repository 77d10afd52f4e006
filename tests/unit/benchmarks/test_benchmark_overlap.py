"""The benchmark of mapping and writing at the same time: how it chooses its costs, and its form; never its figures."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import pytest

from performance_tuning.benchmarks import benchmark_overlap, heavy_work
from performance_tuning.benchmarks.benchmark_overlap import WAYS, Costs, Setting, choose_costs, fitting_delay, lines
from performance_tuning.benchmarks.common.databases import Database, Postgres, Sqlite
from performance_tuning.benchmarks.common.dumps import Dump
from performance_tuning.benchmarks.common.harness import Run, RunFailed

COSTS = Costs(rounds=5, delay=10)


def run(wall: float) -> Run:
    return Run(wall, cpu=1.0, server_cpu=0.0, peak_memory=1, processes=1, foreign=0.0)


class Timed(Setting):
    """Loads that take 2 s, a second longer with a delay, and as much longer with work as is asked for."""

    def load(self, rounds: int, way: Callable[[str], str] | None = None) -> Run:
        return run(2.0 + (4.0 if rounds else 0.0) + (1.0 if way else 0.0))


@pytest.fixture
def setting(tmp_path: Path) -> Setting:
    return Timed(Dump("flat", tmp_path / "dump.xml", 10**6, 1000, {"post": 1000}), Sqlite(tmp_path), 2, tmp_path)


def test_prints_both_together_beside_each_alone_and_keeps_raw_values(
    postgres_server: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    @contextmanager
    def databases(_names: Sequence[str], _folder: Path) -> Iterator[list[Database]]:
        yield [Postgres(postgres_server)]

    monkeypatch.setattr(benchmark_overlap, "open_databases", databases)
    monkeypatch.setattr(benchmark_overlap, "choose_costs", lambda *_of: COSTS)
    sizes = ["--size", "300KB", "--workers", "1", "--repeat", "1", "--output", str(tmp_path / "results")]
    assert benchmark_overlap.main(sizes) == 0
    printed = capsys.readouterr().out
    assert re.search(r"^flat, 0 MB, \d+ records, into PostgreSQL: median of 1$", printed, re.M)
    for way in WAYS:
        assert len(re.findall(rf"^\| {way} +\|( +\d+\.\d\d \|){{3}}$", printed, re.M)) == 1
    compared = r"^Both together take [\d.]+ times as long as the longer of the two \(goal: at most 1\.10\) and [\d.]+"
    assert len(re.findall(compared, printed, re.M)) == 1
    written = (tmp_path / "results" / "overlap.md").read_text("utf-8")
    assert set(re.findall(r"^\|.*$", printed, re.M)) <= set(written.splitlines())
    result = json.loads((tmp_path / "results" / "overlap.json").read_text("utf-8"))
    assert (result["rounds"], result["delay"]) == (COSTS.rounds, COSTS.delay)
    assert {way: len(runs) for way, runs in result["runs"].items()} == dict.fromkeys(WAYS, 1)


def test_the_delay_makes_up_for_the_work(setting: Setting, postgres_url: str) -> None:
    assert choose_costs(setting, postgres_url, 6.0).delay == 200


@pytest.mark.parametrize(("heavy", "slow"), [(6.0, 2.0), (6.0, 1.9), (2.0, 3.0)])
def test_no_delay_is_chosen_from_noise(heavy: float, slow: float) -> None:
    with pytest.raises(RunFailed, match=r"took .* s, one without 2\.00 s: no delay"):
        fitting_delay(2.0, heavy, slow)


def test_warns_where_one_alone_takes_much_longer(setting: Setting) -> None:
    def warnings(database: float) -> list[str]:
        runs = dict(zip(WAYS, ([run(4.0)], [run(database)], [run(5.0)]), strict=True))
        return re.findall("differ by [0-9]+%", "".join(lines(setting, COSTS, runs)))

    assert warnings(4.9) == warnings(3.3) == []
    assert warnings(6.0) == ["differ by 50%"]
    assert warnings(2.0) == ["differ by 100%"]


def test_the_work_is_the_same_each_time_and_more_rounds_are_another() -> None:
    row = {"id": 7, "rounds": 3, "title": "t"}
    assert heavy_work.work(row) == heavy_work.work(row) == {**row, "checksum": ((7 * 31 + 0) * 31 + 1) * 31 + 2}
    assert heavy_work.work({"id": 7, "rounds": 0})["checksum"] == 7
