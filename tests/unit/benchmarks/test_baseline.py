"""The loader without a queue, and the command that keeps its figures: what they do and print, never how fast."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from array import array
from pathlib import Path

import psycopg
import pytest
import sqlalchemy as sa

import etl
from etl.messages import MappedBatch, Notices, TupleRows
from performance_tuning.benchmarks import batch_and_wait
from performance_tuning.benchmarks.baseline import REGIMES, idle_share
from performance_tuning.benchmarks.databases import Database, Postgres, Sqlite
from performance_tuning.benchmarks.dumps import make_dump
from performance_tuning.benchmarks.loads import MAPPINGS, ROOT
from performance_tuning.benchmarks.waiting_worker import batches

QUIET = "import sys, psutil; psutil.cpu_percent = lambda interval: {percent}; "
RUN = "from env_prep.establish_baseline import main; sys.exit(main(sys.argv[1:]))"


def rows(url: str, table: str) -> list[tuple[object, ...]]:
    with psycopg.connect(url) as connection:
        return connection.execute(f'SELECT * FROM "{table}" ORDER BY 1, 2, 3'.encode()).fetchall()


def mapped(*tables: tuple[int, ...]) -> MappedBatch:
    """A split whose rows, in each of its tables, are of these records."""
    encoded = tuple(TupleRows.of_columns([list(records)], array("I", records)) for records in tables)
    return MappedBatch(1, encoded, (), (), 0, 0.0, Notices())


def test_it_loads_what_etl_loads(postgres_server: str, tmp_path: Path) -> None:
    dump = make_dump("nested", 600_000, tmp_path)
    database: Database = Postgres(postgres_server)
    with database.fresh() as ours, database.fresh() as theirs:
        etl.load(dump.path, mapping=MAPPINGS / "nested.mapping.yaml", target=ours)
        report = batch_and_wait.load("nested", str(dump.path), theirs, 2)
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


def test_keeps_its_figures_and_shows_the_old_ones(tmp_path: Path) -> None:
    file = tmp_path / "metrics.json"
    old = {"records_per_minute": {"median": 1234.0}}
    file.write_text(json.dumps({"date": "2026-01-02T03:04:05+00:00", "regimes": {"plain": old}}), "utf-8")
    sizes = ["--size", "100KB", "--delayed-size", "60KB", "--repeat", "1", "--json", str(file)]
    command = [sys.executable, "-c", QUIET.format(percent=0.0) + RUN, *sizes]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=100, check=False)
    assert done.returncode == 0, done.stderr
    beside = {"plain": r"before 1,234 on 2026-01-02 \([+-]\d+%\)", "delayed": "nothing to compare it with"}
    kept = json.loads(file.read_text("utf-8"))
    assert kept["batch_rows"] == 500
    assert kept["machine"]
    for regime in REGIMES:
        figure = rf"^{regime.name} \({regime.title}\): [\d,]+ records/min \([\d,]+ to [\d,]+\); "
        assert re.search(figure + beside[regime.name] + "$", done.stdout, re.M)
        found = kept["regimes"][regime.name]
        assert found["commit_delay_milliseconds"] == regime.delay
        assert found["records_per_minute"].keys() == {"median", "least", "most"}
        assert len(found["wall_seconds"]) == len(found["runs"]) == 1
        assert found["dump"]["rows"].keys() == {"release", "release_artist", "release_label", "track", "track_artist"}
        assert found["runs"][0]["insert"]["count"]


def test_a_busy_machine_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "metrics.json"
    command = [sys.executable, "-c", QUIET.format(percent=90.0) + RUN, "--json", str(file)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=100, check=False)
    assert done.returncode == 1
    assert re.fullmatch(r"The machine is busy: 90 % .* nothing was written\.\n", done.stderr)
    assert not file.exists()
