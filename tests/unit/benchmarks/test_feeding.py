"""The benchmark of feeding and scaling: its form, never its figures."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from pathlib import Path

import pytest

from etl.engines.base import Engine
from etl.loading.insert_queue import InsertQueue
from etl.messages import Split
from performance_tuning.benchmarks import benchmark_feeding
from performance_tuning.benchmarks.common.databases import Database, Postgres
from performance_tuning.benchmarks.common.harness import Run
from performance_tuning.benchmarks.feeding.following import Following, Moment, SlowMiddle, following_lines
from performance_tuning.benchmarks.feeding.timed_feeding import ENGINES, LostTasks, batch_and_wait, even, feed, uneven


def test_prints_every_way_of_feeding_and_the_workers_over_time_and_keeps_raw_values(
    postgres_server: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    @contextmanager
    def databases(_names: Sequence[str], _folder: Path) -> Iterator[list[Database]]:
        yield [Postgres(postgres_server)]

    monkeypatch.setattr(benchmark_feeding, "open_databases", databases)
    feeding = ["--tasks", "12", "--milliseconds", "2", "--workers", "2", "--repeat", "1"]
    assert benchmark_feeding.main([*feeding, "--seconds", "0.9", "--most", "2", "--output", str(tmp_path)]) == 0
    printed = capsys.readouterr().out
    for engine in ENGINES:
        tables = rf"^2 {engine} workers, 12 tasks of [\d to]+ ms, 0\.01 s at best: median of 1$"
        assert len(re.findall(tables, printed, re.M)) == 2
    for name, _way, _prefetch in benchmark_feeding.ROWS:
        figures = rf"^\| {name} +\|( +\d+\.\d\d \|){{5}} +\d+% \|( +\d+\.\d \|){{3}}$"
        assert len(re.findall(figures, printed, re.M)) == 2 * len(ENGINES)
    assert re.search(r"^    workers   [12]( [12])*$", printed, re.M)
    assert re.search(r"^    database  [.#]( [.#])* ", printed, re.M)
    phase = r"^\| {name} +\|( +\d+ \|){{2}}( +\d+% \|){{2}}$|^\| {name} +\|( +- \|){{4}}$"
    assert all(re.search(phase.format(name=name), printed, re.M) for name in ("as it is", "slow", "as it is again"))
    assert re.search(r"(^Up to \d workers before|^No change seen).*\. Every row is there once\.$", printed, re.M)
    assert "| continuous, prefetch 2 |" in (tmp_path / "feeding.md").read_text("utf-8")
    assert (tmp_path / "feeding.png").read_bytes().startswith(b"\x89PNG")
    values = json.loads((tmp_path / "feeding.json").read_text("utf-8"))
    assert [len(compared["runs"]["batch and wait"]) for compared in values["feeding"]] == [1] * 4
    assert {moment["workers"] for moment in values["following"]["moments"]} <= {1, 2}


def following_of(workers: str, *, seconds: int = 2) -> str:
    """What is said of a load with so many workers, a digit each `seconds`; the database is slow from 6 s to 12 s."""
    run = Run(wall=18.0, cpu=1.0, server_cpu=0.0, peak_memory=1, processes=1, foreign=0.0)
    moments = tuple(Moment(at * seconds, int(count), at / 10) for at, count in enumerate(workers))
    return "\n".join(following_lines(Following(run, 6, 12, 4, moments)))


def test_says_what_was_seen_of_workers_and_queue() -> None:
    said = following_of("134421124")
    assert re.search(r"^\| as it is +\| +1 \| +4 \| +10% \| +20% \|$", said, re.M)
    assert re.search(r"^\| slow +\| +1 \| +4 \| +40% \| +50% \|$", said, re.M)
    assert "Up to 4 workers before, down to 1 while the database was slow, up to 4 after." in said
    assert "down to 1 while the database was slow; no change seen after." in following_of("134421111")


def test_says_that_no_change_was_seen() -> None:
    assert "No change seen: no worker went" in following_of("444444444")
    assert "No change seen: no worker went" in following_of("112234444")
    short = following_of("441")
    assert "No change seen: no worker went" in short
    assert re.search(r"^\| slow +\|( +- \|){4}$", short, re.M)


def test_uneven_tasks_take_as_long_together_and_are_the_same_each_time() -> None:
    tasks = uneven(1000, 0.01)
    assert tasks == uneven(1000, 0.01)
    assert sum(tasks) == pytest.approx(sum(even(1000, 0.01)))
    assert min(tasks) < 0.002
    assert max(tasks) > 0.05


@pytest.mark.parametrize(
    ("handed_out", "message"),
    [([1, 2], r"1 of 3 tasks did not come"), ([0, 1, 2, 2], "1 of 3 tasks came .* more than once")],
)
def test_every_task_must_come_through_once(handed_out: list[int], message: str) -> None:
    def choose(engine: Engine, queue: InsertQueue, tasks: Sequence[Split]) -> None:
        batch_and_wait(engine, queue, [tasks[place] for place in handed_out])

    with closing(ENGINES["thread"](2)) as engine, pytest.raises(LostTasks, match=message):
        feed(choose, engine, [0.0] * 3)


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
