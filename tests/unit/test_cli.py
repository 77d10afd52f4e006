"""The command line's own rules, in this process: help, usage errors, pages. Loads are in `tests/integration`."""

from __future__ import annotations

import os
import signal
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

from etl.cli import main
from tests.integration.bad_input import MAPPING, document, item


@dataclass(frozen=True)
class Run:
    code: int
    out: str
    err: str


class Command:
    """Runs `etl ARGUMENTS` here, in a folder with items.xml and its mapping."""

    def __init__(self, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
        self._capsys = capsys
        self._monkeypatch = monkeypatch

    def __call__(self, *arguments: str, columns: int = 80) -> Run:
        self._monkeypatch.setenv("COLUMNS", str(columns))
        self._monkeypatch.setattr(sys, "argv", ["etl", *arguments])
        before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
        try:
            with pytest.raises(SystemExit) as ended:
                main()
        finally:
            for number, action in before.items():
                signal.signal(number, action)
        out, err = self._capsys.readouterr()
        return Run(int(ended.value.code or 0), out, err)


@pytest.fixture
def etl(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Command:
    for name in [name for name in os.environ if name.startswith(("ETL_", "PG"))]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("NO_COLOR", "1")
    monkeypatch.setenv("TERM", "dumb")
    monkeypatch.chdir(tmp_path)
    (tmp_path / "items.xml").write_bytes(document(item(1), item(2)))
    (tmp_path / "items.mapping.yaml").write_text(MAPPING)
    return Command(capsys, monkeypatch)


@pytest.mark.parametrize("command", [[], ["load"], ["infer"], ["check"], ["schema"], ["tune"], ["docs"]])
def test_help_fits_80_columns(etl: Command, command: list[str]) -> None:
    run = etl(*command, "--help")
    assert run.code == 0
    assert max(map(len, run.out.splitlines())) <= 80
    assert "Usage" in run.out


def test_help_tells_defaults_examples_and_exit_codes(etl: Command) -> None:
    text = " ".join(etl("load", "--help", columns=300).out.split())
    for words in (
        "STEM.mapping.yaml",
        "sqlite:///STEM.db",
        "Default: one for each core",
        "etl load posts.xml.gz",
        "3 loaded with rejects",
        "etl infer",
    ):
        assert words in text


def test_without_a_command_there_is_help(etl: Command) -> None:
    run = etl()
    assert run.code == 2
    assert "Usage" in run.out + run.err


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["lod"], "Did you mean 'load'"),
        (["load"], "SOURCE"),
        (["load", "items.xml", "--workers", "0"], "--workers"),
        (["load", "items.xml", "--workers", "many"], "--workers"),
        (["load", "items.xml", "--limit", "0"], "--limit"),
        (["load", "items.xml", "--nonsense"], "--nonsense"),
        (["infer"], "SOURCE"),
        (["load", "items.xml", "--log", "no/such/folder/log"], "no/such/folder/log"),
        (["load", "items.xml", "--map", "nowhere.yaml"], "nowhere.yaml"),
        (["load", "items.xml", "--set", "cue=1"], "there is no setting 'cue'"),
        (["check", "items.xml", "--show", "-1"], "--show"),
        (["schema"], "--map"),
        (["docs", "../README"], "commands, guarantees, mapping, native, rejects, settings, types"),
        (["load", "items.xml", "--write", "over"], "write should be 'append', 'upsert' or 'skip'"),
    ],
)
def test_usage_errors_are_named_and_nothing_is_done(
    etl: Command, tmp_path: Path, arguments: list[str], words: str
) -> None:
    run = etl(*arguments, columns=200)
    assert run.code == 2
    assert words in run.err
    assert run.out == ""
    assert "Traceback" not in run.err
    assert not list(tmp_path.glob("*.db"))


@pytest.mark.parametrize("command", ["load", "check", "infer"])
def test_a_source_that_is_not_there_is_a_failure_and_leaves_nothing(etl: Command, tmp_path: Path, command: str) -> None:
    before = sorted(tmp_path.iterdir())
    run = etl(command, "other.xml.gz", "-q")
    assert (run.code, run.out) == (1, "")
    assert run.err == "Error: There is no file other.xml.gz.\n"
    assert sorted(tmp_path.iterdir()) == before


def test_a_mapping_found_by_its_name_that_is_no_mapping_says_how_to_get_another(etl: Command, tmp_path: Path) -> None:
    (tmp_path / "items.mapping.yaml").write_text("version: 1\ntables: {item: {each: items}}\n")
    for command in ("load", "check"):
        run = etl(command, "items.xml", "-q")
        assert run.code == 2
        assert "items.mapping.yaml:2:" in run.err
        assert "inferred anew" in run.err
        assert "inferred anew" not in etl(command, "items.xml", "--map", "items.mapping.yaml", "-q").err
    assert not list(tmp_path.glob("*.db"))


def test_the_version_is_the_packages(etl: Command) -> None:
    assert etl("--version") == Run(0, "etl 0.1.0\n", "")


def test_pages_are_listed_and_shown_as_written(etl: Command) -> None:
    names = [line.split()[2] for line in etl("docs").out.splitlines()]
    assert names == ["commands", "guarantees", "mapping", "native", "rejects", "settings", "types"]
    for name in names:
        assert etl("docs", name).out.startswith("# ")
    assert etl("docs", "reject").out == etl("docs", "rejects").out
    assert "There is no page 'x'; there are commands, guarantees, " in etl("docs", "x").err
    assert "There is no page ''; there are commands, " in etl("docs", "").err


def test_a_check_shows_rows_and_writes_nothing(etl: Command, tmp_path: Path) -> None:
    run = etl("check", "items.xml", "--show", "1")
    assert run.code == 0
    assert "2 records read = 2 loaded + 0 rejected" in run.out
    assert "item: 1 of 2 rows\n  id  name\n   1  a name\n" in run.out
    assert not list(tmp_path.glob("*.db"))


def test_a_check_of_a_broken_source_shows_what_is_good_and_where_it_breaks(etl: Command, tmp_path: Path) -> None:
    (tmp_path / "items.xml").write_bytes(b"<items>\n" + item(1) + b"<item id=")
    run = etl("check", "items.xml")
    assert run.code == 1
    assert "1 rows  item" in run.out
    assert "line 3" in run.out
    quiet = etl("check", "items.xml", "-q")
    assert (quiet.code, quiet.out) == (1, "")
    assert quiet.err.count("\n") == 1
    assert "line 3" in quiet.err


def test_the_schema_is_that_of_the_database(etl: Command) -> None:
    arguments = ["schema", "--map", "items.mapping.yaml"]
    assert "CREATE TABLE" in etl(*arguments).out
    after = etl(*arguments, "--to", "postgresql://nobody@nowhere.invalid/db")
    assert "ALTER TABLE" in after.out
    before = etl(*arguments, "--to", "postgresql:///db", "--set", "keys=before")
    assert "PRIMARY KEY" in before.out
    assert "ALTER TABLE" not in before.out


def test_a_defect_is_a_sentence_that_asks_for_a_report(etl: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_arguments: object, **_options: object) -> None:
        raise ZeroDivisionError("while reading\npostgresql://me:s3cret@host/db")

    monkeypatch.setattr("etl.commands.loader.load", broken)
    run = etl("load", "items.xml", "-q")
    assert run.code == 1
    assert run.err.count("\n") == 1
    assert "ZeroDivisionError: while reading postgresql://me:***@host/db" in run.err
    assert "please report" in run.err
    assert "Traceback" in etl("load", "items.xml", "-q", "-v").err


def test_what_a_dump_says_does_not_control_the_terminal(etl: Command, tmp_path: Path) -> None:
    (tmp_path / "items.xml").write_bytes(document(item(1, b"a\xc2\x9b31mb")))
    run = etl("check", "items.xml", "--show", "1")
    assert "   1  a\N{REPLACEMENT CHARACTER}31mb\n" in run.out
