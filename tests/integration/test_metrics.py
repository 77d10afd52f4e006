"""`etl load --metrics FILE` as a user meets it: beside the other outputs, on errors, on Ctrl-C."""

from __future__ import annotations

import json
import signal
import subprocess
import time
from pathlib import Path
from typing import Any

import pytest

from tests.command import ETL, environment, etl

MAPPING = "version: 1\ntables: {item: {each: /items/item, columns: {name: {path: '@name', required: true}}}}"
LOAD = ("load", "items.xml", "--map", "items.yaml", "--metrics", "numbers.jsonl")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "items.yaml").write_text(MAPPING)
    (tmp_path / "items.xml").write_text("<items><item name='a'/><item/><item name='b'/></items>")
    return tmp_path


def lines(folder: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (folder / "numbers.jsonl").read_text("ascii").splitlines()]


def test_the_last_line_holds_the_report_that_json_prints_and_the_next_load_appends(folder: Path) -> None:
    result = etl(*LOAD, "--quiet", "--json", cwd=folder)
    assert (result.code, result.err) == (3, "")
    assert lines(folder)[-1]["report"] == result.report
    assert etl(*LOAD, "--quiet", cwd=folder).code == 3
    assert [line["activity"] for line in lines(folder) if "report" in line] == ["finished", "nothing to do"]


def test_a_load_that_fails_ends_with_its_error(folder: Path) -> None:
    assert etl(*LOAD, "--to", "postgresql://me:s3cret@127.0.0.1:1/db", cwd=folder).code == 1
    last = lines(folder)[-1]
    assert last["activity"] == "failed"
    assert "postgresql://me:***@127.0.0.1:1/db" in last["error"]


def test_a_file_that_cannot_be_written_is_told_before_anything_is_done(folder: Path) -> None:
    result = etl(*LOAD[:-1], "no/such/folder/numbers", cwd=folder)
    assert result.code == 2
    assert "Error: Cannot write the metrics no/such/folder/numbers: No such file or directory.\n" in result.err
    assert not (folder / "items.db").exists()


def test_a_full_disk_is_told_also_where_all_is_quiet_and_the_load_goes_on(folder: Path) -> None:
    result = etl(*LOAD[:-1], "/dev/full", "--quiet", cwd=folder)
    assert result.code == 3
    told, rejected = result.err.splitlines()
    assert told == "The metrics /dev/full end here: No space left on device. The load goes on."
    assert " rejected: " in rejected


def test_a_load_that_is_watched_and_stopped(folder: Path) -> None:
    command = ["load", "-", "--source-name", "items", *LOAD[2:], "--quiet"]
    with subprocess.Popen([ETL, *command], cwd=folder, env=environment(), stdin=subprocess.PIPE) as process:
        assert process.stdin is not None
        process.stdin.write(b"<items><item name='a'/>")
        process.stdin.flush()
        numbers, deadline = folder / "numbers.jsonl", time.monotonic() + 60
        while not (numbers.exists() and b"\n" in numbers.read_bytes()):
            assert time.monotonic() < deadline, "no line within a minute"
            time.sleep(0.05)
        process.send_signal(signal.SIGINT)
        assert process.wait(60) == 4
    first, *_, last = lines(folder)
    assert first["activity"] == "loading"
    assert first["metrics"]["insert"].keys() == {"count", "p50", "p95", "p99", "most"}
    assert first["pool"]["workers"] == last["report"]["metrics"]["most_workers"]
    assert (last["activity"], last["error"], last["report"]["exit_code"]) == ("stopped", None, 4)


@pytest.mark.parametrize("file", ["items.xml", "items.yaml", "out.db"])
@pytest.mark.parametrize("option", ["--metrics", "--log"])
def test_what_the_load_uses_is_no_place_for_lines(folder: Path, option: str, file: str) -> None:
    (folder / "out.db").touch()
    before = (folder / file).read_bytes()
    refused = etl("load", "items.xml", "--map", "items.yaml", "--to", "sqlite:///out.db", option, file, cwd=folder)
    assert refused.code == 2
    assert f"{option} {file}: lines would be appended to {file}, which this load uses." in refused.err
    assert (folder / file).read_bytes() == before
