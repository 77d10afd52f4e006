"""The loader without a queue, and the command that keeps its figures: what they do and print, never how fast."""

from __future__ import annotations

import json
import re
from array import array
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import psutil
import psycopg
import pytest
import sqlalchemy as sa

import etl
from env_prep import establish_baseline
from etl.messages import MappedBatch, Notices, TupleRows
from performance_tuning.benchmarks.common.databases import Database, Postgres, Sqlite
from performance_tuning.benchmarks.common.dumps import make_dump
from performance_tuning.benchmarks.common.harness import Run
from performance_tuning.benchmarks.common.loads import MAPPINGS, LoadRun, WrongRows
from performance_tuning.benchmarks.without_queue import batch_and_wait
from performance_tuning.benchmarks.without_queue.baseline import REGIMES, idle_share, measured_mapping
from performance_tuning.benchmarks.without_queue.waiting_worker import batches

Establish = Callable[..., int]


@pytest.fixture
def establish(postgres_server: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Establish:
    """Runs the command on the tests' server, on a machine that is as busy as is said; out comes the exit code."""

    @contextmanager
    def databases(_names: Sequence[str], _folder: Path) -> Iterator[list[Database]]:
        yield [Postgres(postgres_server)]

    def run(*, busy: float = 0.0) -> int:
        monkeypatch.setattr(establish_baseline, "open_databases", databases)
        monkeypatch.setattr(psutil, "cpu_percent", lambda interval: busy)
        monkeypatch.setattr(establish_baseline, "FOREIGN_LIMIT", 1.0)
        sizes = ["--size", "100KB", "--delayed-size", "60KB", "--repeat", "1"]
        return establish_baseline.main([*sizes, "--json", str(tmp_path / "metrics.json")])

    return run


def rows(url: str, table: str) -> list[tuple[object, ...]]:
    with psycopg.connect(url) as connection:
        return connection.execute(f'SELECT * FROM "{table}" ORDER BY 1, 2, 3'.encode()).fetchall()


def mapped(*tables: tuple[int, ...]) -> MappedBatch:
    """A split whose rows, in each of its tables, are of these records."""
    encoded = tuple(TupleRows.of_columns([list(records)], array("I", records)) for records in tables)
    return MappedBatch(1, encoded, (), (), 0, 0.0, Notices())


@pytest.mark.parametrize("asynchronous", [False, True])
def test_it_loads_what_etl_loads(asynchronous: bool, postgres_server: str, tmp_path: Path) -> None:
    dump = make_dump("nested", 600_000, tmp_path)
    database: Database = Postgres(postgres_server)
    with database.fresh() as ours, database.fresh() as theirs:
        etl.load(dump.path, mapping=MAPPINGS / "nested.mapping.yaml", target=ours)
        report = batch_and_wait.load("nested", str(dump.path), theirs, 2, asynchronous=asynchronous)
        for table in dump.rows:
            assert rows(ours, table) == rows(theirs, table)
        assert database.keyed(theirs, list(dump.rows)) == set(dump.rows)
    assert report["records"] == dump.records
    assert report["metrics"]["insert"]["count"] * 500 >= sum(dump.rows.values()) - 500
    assert 0 < idle_share(report) < 1


def test_batches_are_whole_records_of_about_so_many_rows() -> None:
    cut = list(batches(mapped((0, 1, 2, 3), (0, 0, 2, 3, 3, 3)), 3))
    assert [[[record for (record,) in table] for table in batch] for batch in cut] == [
        [[0], [0, 0]],
        [[1, 2], [2]],
        [[3], [3, 3, 3]],
    ]


def test_a_split_without_rows_gives_no_batch() -> None:
    assert not list(batches(mapped((), ()), 3))


def test_a_table_without_key_is_noticed(target_url: str, request: pytest.FixtureRequest, tmp_path: Path) -> None:
    sqlite = target_url.startswith("sqlite")
    database = Sqlite(tmp_path) if sqlite else Postgres(request.getfixturevalue("postgres_server"))
    with database.fresh() as url:
        engine = sa.create_engine(url.replace("postgresql:", "postgresql+psycopg:"))
        with engine.begin() as connection:
            connection.execute(sa.text("CREATE TABLE a (id integer PRIMARY KEY)"))
            connection.execute(sa.text("CREATE TABLE b (id integer)"))
        engine.dispose()
        assert database.keyed(url, ["a", "b"]) == {"a"}


def test_mapping_alone_maps_everything(tmp_path: Path) -> None:
    dump = make_dump("nested", 100_000, tmp_path)
    report = measured_mapping(dump, tmp_path).report
    assert report["records"] == dump.records
    assert 0 <= idle_share(report) < 1
    with pytest.raises(WrongRows, match="Mapping alone: expected"):
        measured_mapping(replace(dump, rows={"release": 1}), tmp_path)


def test_keeps_its_figures_and_shows_the_old_ones(
    establish: Establish, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "metrics.json"
    old = {"records_per_minute": {"median": 1234.0}}
    file.write_text(json.dumps({"date": "2026-01-02T03:04:05+00:00", "regimes": {"plain": old}}), "utf-8")
    assert establish() == 0
    printed = capsys.readouterr().out
    beside = {"plain": r"before 1,234 on 2026-01-02 \([+-]\d+%\)", "delayed": "nothing to compare it with"}
    kept = json.loads(file.read_text("utf-8"))
    assert kept["batch_rows"] == 500
    assert kept["machine"]
    for regime in REGIMES:
        figure = rf"^{regime.name} \({regime.title}\): [\d,]+ records/min \([\d,]+ to [\d,]+\); "
        assert re.search(figure + beside[regime.name] + "$", printed, re.M)
        found = kept["regimes"][regime.name]
        assert found["commit_delay_milliseconds"] == regime.delay
        assert found["records_per_minute"].keys() == {"median", "least", "most"}
        assert len(found["wall_seconds"]) == len(found["runs"]) == 1
        assert found["dump"]["rows"].keys() == {"release", "release_artist", "release_label", "track", "track_artist"}
        assert found["runs"][0]["insert"]["count"]


def test_a_busy_machine_is_refused(establish: Establish, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert establish(busy=90.0) == 1
    assert re.fullmatch(r"The machine is busy: 90 % .* nothing was written\.\n", capsys.readouterr().err)
    assert not (tmp_path / "metrics.json").exists()


@pytest.mark.parametrize(
    ("walls", "foreign", "said"),
    [
        ((1.0, 1.0), (0.0, 0.5), "Other processes used 50% of the machine during a run on the database as it is"),
        ((1.0, 2.0), (0.0, 0.0), "The runs on the database as it is differ by 67% of their median"),
    ],
)
def test_runs_beside_which_the_machine_did_something_else_are_refused(
    walls: tuple[float, ...], foreign: tuple[float, ...], said: str
) -> None:
    runs = [LoadRun(Run(wall, 1.0, 0.0, 1, 1, other), {}) for wall, other in zip(walls, foreign, strict=True)]
    with pytest.raises(establish_baseline.NoMeasure, match=said):
        establish_baseline.check_runs(REGIMES[0], runs)
    establish_baseline.check_runs(REGIMES[0], runs[:1])
