"""The profiles: what they write and where, never their figures."""

from __future__ import annotations

import argparse
import importlib
import json
import re
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import pytest

import etl
from env_prep.postgres_proxy import Proxy
from etl.options import build_settings
from performance_tuning.benchmarks.common.databases import Database, Postgres, Sqlite
from performance_tuning.benchmarks.common.dumps import make_dump
from performance_tuning.benchmarks.common.loads import MAPPINGS, ROOT, LoadRun
from performance_tuning.profiling.polling import polled, woken
from performance_tuning.profiling.profile_all import PROFILES
from performance_tuning.profiling.round_trips import CountedRoundTrips
from performance_tuning.profiling.sections import (
    PROFILING_RESULTS,
    QUEUE_ARCHITECTURE,
    NoPlace,
    profile_options,
    run_profile,
    write_machine,
    write_section,
)
from performance_tuning.profiling.worker_files import OTHER, by_file_of_stacks

Profile = Callable[..., tuple[list[list[str]], object]]


def rows_of(lines: Sequence[str]) -> list[list[str]]:
    """The cells of all tables, without their heads."""
    rows: list[list[str]] = []
    for line in lines:
        if re.match(r"\| -*:? \|", line):
            rows.pop()
        elif line.startswith("| "):
            rows.append([cell.strip() for cell in line.strip("|").split("|")])
    return rows


LOADS = ("measured_load", "observed_load", "watched_load")
Taken = dict[tuple[str, ...], LoadRun]


def once(load: Callable[..., LoadRun], taken: Taken) -> Callable[..., LoadRun]:
    """Gives the first result of this way to load into this database ever after: to warm up, to repeat, and to load with
    other settings changes no form."""

    def first(*arguments: object) -> LoadRun:
        names = [each.name if isinstance(each, Database) else each for each in arguments]
        key = (load.__name__, *(name for name in names if isinstance(name, str)))
        if key not in taken:
            taken[key] = load(*arguments)
        return taken[key]

    return first


@pytest.fixture(scope="module")
def taken() -> Taken:
    return {}


@pytest.fixture(scope="module")
def bytecode(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("bytecode")


@pytest.fixture
def profile(
    postgres_server: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, taken: Taken, bytecode: Path
) -> Profile:
    """Runs a profile on the tests' server with --write; out come the cells of its section, and the raw values."""

    @contextmanager
    def databases(names: Sequence[str], folder: Path) -> Iterator[list[Database]]:
        (folder / "bytecode").symlink_to(bytecode)  # where `measure` has modules compiled: once for all of the tests
        yield [Postgres(postgres_server) if name == "postgres" else Sqlite(folder) for name in names]

    def run(name: str, *arguments: str) -> tuple[list[list[str]], object]:
        module = importlib.import_module(f"performance_tuning.profiling.profile_{name}")
        file, raw = tmp_path / "results.md", tmp_path / "raw.json"
        file.write_text(f"<!-- machine --><!-- /machine -->\n\n<!-- {name} -->\nold\n<!-- /{name} -->\n", "utf-8")
        monkeypatch.setattr(module, "open_databases", databases)
        for load in LOADS:
            if hasattr(module, load):
                monkeypatch.setattr(module, load, once(getattr(module, load), taken))
        given = ["--size", "100KB", "--repeat", "1", *arguments, "--write", str(file), "--json", str(raw)]
        script = f"performance_tuning/profiling/profile_{name}.py"
        assert module.main(given) == 0
        begin, *section, end = file.read_text("utf-8").partition(f"<!-- {name} -->")[2].splitlines()
        assert (begin, end) == ("", f"<!-- /{name} -->")
        assert section[1].startswith(f"    python3 env_prep/bootstrap.py python {script} --size 100KB")
        assert re.match(r"\d{4}-\d\d-\d\d\. .* cores", section[3])
        return rows_of(section), json.loads(raw.read_text("utf-8"))

    return run


def test_handoff(profile: Profile) -> None:
    rows, raw = profile("handoff", "--pushes", "2", "--kinds", "process", "--intervals", "5")
    assert [row[:2] for row in rows] == [
        ["a loop that polls once a second", ""],
        ["the queue alone", ""],
        ["1 process worker", "5 ms"],
        ["2 process workers", "5 ms"],
    ]
    assert all(re.fullmatch(r"[\d,]+\.\d\d", cell) for row in rows for cell in row[3:7])
    assert isinstance(raw, list)


def test_insert(profile: Profile) -> None:
    rows, _raw = profile("insert", "--targets", "sqlite", "--batches", "64KiB")
    assert [row[:2] for row in rows] == [["sqlite, executemany", "64KiB"]]
    assert re.fullmatch(r"\d+%", rows[0][9])


def test_idle(profile: Profile) -> None:
    rows, _raw = profile("idle", "--delayed-size", "50KB")
    assert [row[1] for row in rows] == ["workers insert (before)", "workers push (now)"] * 2
    assert all(re.fullmatch(r"\d+%", cell) for row in rows for cell in row[6:9])


def test_cpu(profile: Profile) -> None:
    rows, _raw = profile("cpu", "--kind", "process")
    last = next(number for number, row in enumerate(rows) if row[0] == "all")
    stages = {row[0]: row[1:] for row in rows[:last]}
    works = {row[0]: row[1] for row in rows[last + 1 :][:7]}
    assert float(stages["workers (parse, map, encode)"][0]) > 0
    assert float(stages["main thread (start of Python, imports, tables, report)"][0]) > 0
    assert sum(float(seconds) for seconds, _share in stages.values()) == pytest.approx(float(rows[last][1]), abs=0.1)
    for shares in ([share for _seconds, share in stages.values()], works.values()):
        assert sum(float(share.rstrip("%")) for share in shares) == pytest.approx(100, abs=6)
    assert {"parse", "map", "convert", "encode", "scan (compiled: parse, map, convert, encode)", OTHER} < {*works}


def test_worker_threads_are_known_by_what_they_do(profile: Profile, taken: Taken) -> None:
    taken.clear()  # of the other kind
    rows, _raw = profile("cpu", "--kind", "thread")
    assert {"workers (parse, map, encode)", "receivers (unpickling, pushing)"} & {row[0] for row in rows} == {
        "workers (parse, map, encode)"
    }


def test_memory(profile: Profile) -> None:
    rows, _raw = profile("memory")
    parts = {row[0]: float(row[1]) for row in rows if len(row) == 3}
    assert 0 < parts["memory window at its fullest (splits, rows)"] < parts["parent at its largest"]
    assert any(re.fullmatch(r"[\d.]+ to [\d.]+", row[0]) for row in rows)


def test_queue_memory_with_its_curve(profile: Profile, tmp_path: Path) -> None:
    rows, _raw = profile("queue_memory", "--largest", "1")
    assert [row[1] for row in rows] == ["1", "1"]
    assert (tmp_path / "results" / "queue_memory.png").read_bytes().startswith(b"\x89PNG")


def test_the_machine_is_told_by_the_document_or_else_by_the_section(tmp_path: Path) -> None:
    file = tmp_path / "results.md"
    file.write_text("<!-- machine --><!-- /machine --><!-- cpu --><!-- /cpu -->", "utf-8")
    arguments = ["--write", str(file)]
    options = profile_options(argparse.ArgumentParser(), arguments, repeat=1)
    told = []
    for _ in range(2):
        assert run_profile("cpu", options, lambda _folder: (["Measured."], [])) == 0
        told.append(file.read_text("utf-8").partition("<!-- cpu -->")[2])
        write_machine(file)
    assert [" cores" in each for each in told] == [True, False]
    assert " cores" in file.read_text("utf-8")


def test_all_profiles_have_a_place_in_a_file() -> None:
    places = PROFILING_RESULTS.read_text("utf-8") + QUEUE_ARCHITECTURE.read_text("utf-8")
    assert len(re.findall("<!-- machine -->.*?<!-- /machine -->", places, re.S)) == 2
    for name in PROFILES:
        assert len(re.findall(rf"<!-- {name} -->.*?<!-- /{name} -->", places, re.S)) == 1
        assert (ROOT / "performance_tuning" / "profiling" / f"profile_{name}.py").is_file()


def test_a_file_without_the_place_is_left_as_it_is(tmp_path: Path) -> None:
    file = tmp_path / "notes.md"
    file.write_text("<!-- cpu -->", "utf-8")
    with pytest.raises(NoPlace, match="no section cpu"):
        write_section(file, "cpu", ["x"])
    assert file.read_text("utf-8") == "<!-- cpu -->"


def test_round_trips_of_a_copy_and_of_a_pipeline(postgres_url: str, tmp_path: Path) -> None:
    dump = make_dump("flat", 50_000, tmp_path)
    counts = {}
    for method in ("copy", "executemany"):
        counted = CountedRoundTrips()
        with Proxy(postgres_url, counted) as proxy:
            settings = build_settings({"insert": {"method": method}, "workers": {"kind": "inline"}})
            mapping = MAPPINGS / "flat.mapping.yaml"
            etl.load(dump.path, mapping=mapping, target=proxy.url, settings=settings, again=True)
        (counts[method],) = counted.per_batch
    assert counts["copy"] == counts["executemany"] + 1


def test_every_push_is_taken() -> None:
    assert len(woken(3)) == 3
    assert len(polled(3)) == 3


def test_a_stack_belongs_to_the_innermost_file_of_ours() -> None:
    stacks = (
        "<module> (etl/worker.py:181);serve (etl/engines/pipe.py:117);parse (etl/transform/parser.py:9);x (re.py:1) 4\n"
        "<module> (etl/worker.py:9);_find_and_load (<frozen importlib._bootstrap>:1) 2\n"
        "main (site.py:1) 1\n"
    )
    assert by_file_of_stacks(stacks) == {"etl/transform/parser.py": 4, OTHER: 3}
