"""The form of what `benchmark_scanner.py` prints and writes, never its figures; and that both readers are compared."""

from __future__ import annotations

import gzip
import json
import re
from pathlib import Path

import pytest

from etl.engines.base import WorkerSetup
from etl.mapping.reader import parse_mapping, read_mapping
from etl.native import SWITCH, unavailable
from etl.worker import Worker
from performance_tuning.benchmarks import benchmark_scanner
from performance_tuning.benchmarks.benchmark_scanner import Scans, lines
from performance_tuning.benchmarks.common.dumps import make_dump
from performance_tuning.benchmarks.common.loads import MAPPINGS
from performance_tuning.benchmarks.common.splits import SOURCE, splits_of
from performance_tuning.benchmarks.timed_scans import READERS, ReadersDiffer, Scan, declined, scan

compiled = pytest.mark.skipif(bool(unavailable()), reason=f"no compiled scanner: {unavailable()}")


@compiled
def test_prints_both_readers_and_writes_them(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    chosen = ["--size", "100KB", "--repeat", "1", "--threads", "2,1", "--output", str(tmp_path / "results")]
    assert benchmark_scanner.main(chosen) == 0
    printed = capsys.readouterr().out
    for kind, goal in (("nested", 200), ("flat", 300)):
        for rows in ("COPY text", "values for SQLite"):
            pattern = rf"^{kind}, 0 MB, \d+ records in \d+ splits, to {rows}: median of 1$"
            assert len(re.findall(pattern, printed, re.M)) == 1
        said = (
            rf"^The scanner maps \d+ MB in a second of a core \(goal: at least {goal}\), [\d.]+ times what lxml does\.$"
        )
        assert len(re.findall(said, printed, re.M)) == 2
    times = r" +[\d.]+ \| +[\d.]+ to [\d.]+ \|"
    assert len(re.findall(rf"^\| (?:scanner|lxml   ) \| +[12] \|{times}( +[\d.]+ \|){{4}}$", printed, re.M)) == 16
    assert len(re.findall(r"^With 2 threads it takes [\d.]+ times as long as with 1\.$", printed, re.M)) == 4
    assert "to lxml" not in printed
    written = (tmp_path / "results" / "scanner.md").read_text("utf-8")
    assert set(re.findall(r"^\|.*$", printed, re.M)) <= set(written.splitlines())
    results = json.loads((tmp_path / "results" / "scanner.json").read_text("utf-8"))["results"]
    assert [(result["dump"], result["row_format"]) for result in results] == [
        ("nested", "copy"),
        ("nested", "tuples"),
        ("flat", "copy"),
        ("flat", "tuples"),
    ]
    assert all(len(taken) == 1 for result in results for runs in result["runs"].values() for taken in runs.values())


@compiled
def test_another_dump_is_read_as_far_as_is_asked(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    dump = make_dump("flat", 1_500_000, tmp_path)
    source = tmp_path / "posts.xml.gz"
    source.write_bytes(gzip.compress(dump.path.read_bytes(), 1))
    given = ["--source", str(source), "--map", str(MAPPINGS / "flat.mapping.yaml"), "--size", "300KB"]
    assert benchmark_scanner.main([*given, "--formats", "copy", "--threads", "1", "--repeat", "1"]) == 0
    (records,) = re.findall(r"^posts.xml.gz, \d MB, ([\d,]+) records in 2 splits", capsys.readouterr().out, re.M)
    assert 0 < int(records.replace(",", "")) < dump.records


@compiled
def test_what_the_scanner_leaves_to_lxml_is_told(tmp_path: Path) -> None:
    dump = tmp_path / "dump.xml"
    dump.write_text("<a><b>1</b><b>2</b></a>", "utf-8")
    columns = "columns: {c: {path: 'string(.)'}}"
    mapping = parse_mapping(f"version: 1\ntables: {{t: {{each: /a/b, {columns}}}}}", "test")
    splits = list(splits_of(dump, mapping))
    (reason,) = declined(WorkerSetup(mapping, "copy", (SOURCE,)), splits)
    runs = {1: {reader: [Scan(1.0, 1.0)] for reader in READERS}}
    (line,) = [line for line in lines(Scans("mine", "copy", 1, 16, 2, [reason], runs)) if "to lxml" in line]
    assert line == f"It leaves 1 of 1 splits to lxml, which is in its time; 1 of them: {reason}."


@compiled
def test_readers_that_differ_end_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    mapping = read_mapping(MAPPINGS / "flat.mapping.yaml")
    splits = list(splits_of(make_dump("flat", 50_000, tmp_path).path, mapping))
    setup = WorkerSetup(mapping, "tuples", (SOURCE,))
    assert declined(setup, splits) == []
    monkeypatch.setattr(Worker, "_map_portion", lambda *_of: None)  # lxml finds nothing now
    with pytest.raises(ReadersDiffer, match="differ between the bytes"):
        declined(setup, splits)


@pytest.mark.parametrize("threads", [1, 3])
def test_every_split_is_mapped_once(threads: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    mapping = read_mapping(MAPPINGS / "flat.mapping.yaml")
    splits = list(splits_of(make_dump("flat", 1_500_000, tmp_path).path, mapping))
    mapped: list[int] = []
    monkeypatch.setattr(Worker, "run_split", lambda _worker, split: mapped.append(split.number))
    scan("lxml", WorkerSetup(mapping, "copy", (SOURCE,)), splits, threads)
    assert sorted(mapped[threads:]) == [split.number for split in splits]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--source", "x.xml"], "one needs the other"),
        (["--threads", "0"], "'0' is not a whole number from 1 on"),
        (["--formats", "csv"], "'csv' is none of copy, tuples"),
    ],
)
def test_usage(arguments: list[str], message: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        benchmark_scanner.main(arguments)
    assert caught.value.code == 2
    assert message in capsys.readouterr().err


def test_without_the_scanner_it_says_so(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setenv(SWITCH, "0")
    assert benchmark_scanner.main([]) == 1
    assert "There is no scanner to measure: ETL_NATIVE=0" in capsys.readouterr().err
