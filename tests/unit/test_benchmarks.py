"""The benchmarks' form, never their figures: what they print, that their loaders do the same, that they clean up."""

from __future__ import annotations

import json
import os
import re
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import psutil
import psycopg
import pytest

import etl
from etl.mapping.reader import read_mapping
from performance_tuning.benchmarks import benchmark_end_to_end, benchmark_inference, ready_rows, usual_loader
from performance_tuning.benchmarks.databases import Database, Postgres, Sqlite
from performance_tuning.benchmarks.dumps import make_dump
from performance_tuning.benchmarks.harness import Run, RunFailed, measure, noise, spread
from performance_tuning.benchmarks.inferred_mappings import infer_same_tables
from performance_tuning.benchmarks.tables import TABLES

ROOT = Path(benchmark_end_to_end.__file__).parents[2]
MAPPINGS = ROOT / "performance_tuning" / "benchmarks" / "mappings"
BENCHMARK = "performance_tuning/benchmarks/benchmark_end_to_end.py"
KINDS = sorted(TABLES)


@pytest.fixture
def benchmark_database(request: pytest.FixtureRequest, target_url: str, tmp_path: Path) -> Database:
    if target_url.startswith("sqlite"):
        return Sqlite(tmp_path)
    return Postgres(request.getfixturevalue("postgres_server"))


def contents(url: str, table: str) -> list[tuple[object, ...]]:
    query = f'SELECT * FROM "{table}" ORDER BY 1, 2, 3'
    if url.startswith("sqlite:///"):
        with closing(sqlite3.connect(url.removeprefix("sqlite:///"))) as connection:
            return connection.execute(query).fetchall()
    with psycopg.connect(url) as postgres:
        return postgres.execute(query.encode()).fetchall()


def shape(url: str, table: str) -> set[tuple[object, ...]]:
    """Columns with their types and places, and the columns of every key."""
    if url.startswith("sqlite:///"):
        with closing(sqlite3.connect(url.removeprefix("sqlite:///"))) as connection:
            columns = connection.execute(f"SELECT cid, name, upper(type) FROM pragma_table_info('{table}')").fetchall()
            unique = connection.execute(
                "SELECT column.seqno, column.name FROM pragma_index_list(?) AS list"
                ' JOIN pragma_index_info(list.name) AS column WHERE list."unique"',
                (table,),
            ).fetchall()
            foreign = connection.execute(
                f'SELECT "table", seq, "from", "to" FROM pragma_foreign_key_list(\'{table}\')'
            ).fetchall()
            return {*columns, *unique, *foreign}
    with psycopg.connect(url) as postgres:
        columns = postgres.execute(
            "SELECT ordinal_position, column_name, data_type, is_nullable FROM information_schema.columns"
            " WHERE table_name = %s",
            (table,),
        ).fetchall()
        keys = postgres.execute(
            "SELECT contype::text, pg_get_constraintdef(oid) FROM pg_constraint"
            " WHERE conrelid = %s::regclass AND contype IN ('p', 'f')",
            (f'"{table}"',),
        ).fetchall()
        return {*columns, *keys}


@pytest.mark.parametrize("kind", KINDS)
def test_all_loaders_make_the_same_tables_keys_and_rows(
    kind: str, benchmark_database: Database, tmp_path: Path
) -> None:
    dump = make_dump(kind, 60_000, tmp_path)
    names = [table.name for table in TABLES[kind]]
    with benchmark_database.fresh() as ours, benchmark_database.fresh() as usual, benchmark_database.fresh() as ready:
        report = etl.load(str(dump.path), mapping=MAPPINGS / f"{kind}.mapping.yaml", target=ours)
        assert dict(report.tables) == dump.rows
        usual_loader.main([kind, str(dump.path), usual])
        folder = tmp_path / "rows"
        folder.mkdir()
        benchmark_database.extract(ours, names, folder)
        ready_rows.main([kind, str(folder), ready])
        for name in names:
            assert shape(ours, name) == shape(usual, name) == shape(ready, name)
            assert contents(ours, name) == contents(ready, name)
            if benchmark_database.name == "postgres":  # SQLite keeps the usual loader's dates and booleans as they come
                assert contents(ours, name) == contents(usual, name)
        for url in (ours, usual, ready):
            assert benchmark_database.counts(url, names) == dump.rows


def test_prints_a_table_with_ratios_and_keeps_raw_values(tmp_path: Path) -> None:
    sizes = ["--size", "100KB", "--repeat", "1", "--memory-dump", "300KB", "--kinds", "nested", "--targets", "sqlite"]
    command = [sys.executable, BENCHMARK, *sizes, "--json", str(tmp_path / "runs.json")]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=100, check=False)
    assert done.returncode == 0, done.stderr
    printed = done.stdout
    assert re.search(r"^nested, 0 MB, \d+ records, \d+ rows in 5 tables, into sqlite: median of 1$", printed, re.M)
    for loader in benchmark_end_to_end.LOADERS:
        assert len(re.findall(rf"^{loader} +[\d.]+ +[\d.]+ to [\d.]+( +[\d.,]+){{6}}$", printed, re.M)) == 1
    assert len(re.findall(r"^etl load is [\d.]+ times as fast as the usual loader\.$", printed, re.M)) == 1
    assert len(re.findall(r"^etl load takes [\d.]+ times as long", printed, re.M)) == 1
    assert len(re.findall(r"peak memory \d+ MB, [\d.]+ times", printed, re.M)) == 1
    (result,) = json.loads((tmp_path / "runs.json").read_text("utf-8"))
    assert (result["kind"], result["database"]) == ("nested", "sqlite")
    assert result["runs"].keys() == benchmark_end_to_end.LOADERS.keys()
    assert all(len(runs) == 1 and runs[0]["wall"] > 0 for runs in result["runs"].values())
    assert result["big"]["run"]["peak_memory"] > 0


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


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--kinds", "round"], "'round' is none of nested, flat"),
        (["--targets", "oracle"], "'oracle' is none of postgres, sqlite"),
        (["--repeat", "0"], "at least 1 run"),
        (["--memory-dump", "much"], "is not a size"),
    ],
)
def test_usage(arguments: list[str], message: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        benchmark_end_to_end.main(arguments)
    assert caught.value.code == 2
    assert message in capsys.readouterr().err


@contextmanager
def running(arguments: list[str], temporary: Path) -> Iterator[subprocess.Popen[str]]:
    with subprocess.Popen(
        [sys.executable, BENCHMARK, *arguments],
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
    with running(["--size", "50MB", "--targets", "sqlite", "--memory-dump", "none"], tmp_path) as process:
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
