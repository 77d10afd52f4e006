"""The command's own rules, in this process: help, usage errors, what goes where."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

import etl as etl_package
from etl.errors import SettingsError
from tests.integration.bad_input import document, item
from tests.unit.test_cli import Command, etl

__all__ = ["etl"]  # a fixture

QUICK = ["--to", "sqlite:///x.db", "--seconds", "0.1", "--repeat", "1", "--set", "workers.kind=inline"]
ALONE = ["items.mapping.yaml", "items.xml"]
"""What the folder holds before."""


def test_help_fits_80_columns_and_has_examples(etl: Command) -> None:
    run = etl("tune", "--help")
    assert run.code == 0
    assert max(map(len, run.out.splitlines())) <= 80
    assert "etl tune posts.xml.gz --to postgresql://user@host/db" in " ".join(run.out.split())


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ([], "SOURCE"),
        (["-"], "standard input can be read only once"),
        (["items.xml", "--to", "memory://"], "memory:// is no database"),
        (["items.xml", "--to", "mysql://x"], "no target of the kind mysql"),
        (["items.xml", "--to", "sqlite:///x.db", "--set", "ledger.schema=foo"], "has no schemas"),
        (["items.xml", "--output", "items.xml"], "items.xml is there already"),
        (["items.xml", "--output", "no/such/folder.yaml"], "no/such/folder.yaml cannot be written"),
        (["items.xml", "--max-time", "soon"], "--max-time soon: should be a number with one of the units"),
        (["items.xml", "--max-time", "0"], "--max-time 0 is too little"),
        (["items.xml", "--repeat", "0"], "--repeat"),
        (["items.xml", "--set", "cue=1"], "there is no setting 'cue'"),
    ],
)
def test_usage_errors_are_named_and_nothing_is_done(etl: Command, arguments: list[str], words: str) -> None:
    run = etl("tune", *arguments, columns=200)
    assert (run.code, run.out) == (2, "")
    assert words in run.err
    assert "Traceback" not in run.err
    assert sorted(os.listdir()) == ALONE


def test_a_source_that_is_not_there_is_a_failure(etl: Command) -> None:
    assert etl("tune", "other.xml", *QUICK, "-q").err == "Error: There is no file other.xml.\n"
    assert sorted(os.listdir()) == ALONE


def test_a_time_too_short_to_measure_anything_is_a_usage_error(etl: Command, tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="not even the defaults could be measured"):
        etl_package.tune(tmp_path / "items.xml", target=f"sqlite:///{tmp_path / 'x.db'}", max_time=0.001)
    assert sorted(os.listdir()) == ALONE


def test_the_report_as_json_stands_alone_on_standard_output(etl: Command) -> None:
    run = etl("tune", "items.xml", *QUICK, "--json", "-q", "--output", "o.yaml")
    assert (run.code, run.err) == (0, "")
    assert json.loads(run.out)["records"] == 2
    assert sorted(os.listdir()) == [*ALONE, "o.yaml"]


@pytest.mark.parametrize("json_too", [False, True])
def test_what_cannot_be_written_in_the_end_is_shown(
    etl: Command, monkeypatch: pytest.MonkeyPatch, json_too: bool
) -> None:
    monkeypatch.setattr("etl.tune_command._check_output", lambda _file: None)
    run = etl("tune", "items.xml", *QUICK, "-q", "--output", "items.xml", *(["--json"] if json_too else []))
    assert run.code == 1
    shown, stream = (run.err, "error") if json_too else (run.out, "output")
    assert shown.startswith("# Settings for `etl load`, found by `etl tune`")
    assert run.err.endswith(
        f"Error: items.xml cannot be written: File exists. What it was to hold is on standard {stream}.\n"
    )


def test_the_database_is_looked_at_before_a_mapping_is_inferred(etl: Command, tmp_path: Path) -> None:
    (tmp_path / "items.xml").write_bytes(b"no XML")
    (tmp_path / "items.mapping.yaml").unlink()
    run = etl("tune", "items.xml", "--to", "sqlite:///no/such/folder/x.db", "-q")
    assert "no/such/folder" in run.err
    assert "XML" not in run.err


def test_a_sample_full_of_rejects_is_told_as_by_a_load(etl: Command, tmp_path: Path) -> None:
    (tmp_path / "items.xml").write_bytes(document(*[b"<item><name>no key</name></item>\n"] * 50))
    run = etl("tune", "items.xml", *QUICK, "--set", "errors.max=5", "-q")
    assert run.code == 4
    assert "records were rejected, more than errors.max (5) allows." in run.err
    run = etl("tune", "items.xml", *QUICK, "-q")
    assert run.code == 1
    assert run.err == "Error: Of the first 50 records none was loaded. `etl check` shows why.\n"
    assert sorted(os.listdir()) == ALONE


def test_a_source_that_breaks_is_told_as_by_a_load(etl: Command, tmp_path: Path) -> None:
    (tmp_path / "items.xml").write_bytes(b"<items>\n" + item(1) + b"<item id=")
    run = etl("tune", "items.xml", *QUICK, "-q")
    assert run.code == 1
    assert "line 3" in run.err
    assert sorted(os.listdir()) == ALONE
