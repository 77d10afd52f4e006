"""A tune, whole: what it finds, what it writes, and that nothing else is left behind or touched."""

from __future__ import annotations

import math
import os
import signal
import sqlite3
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, closing
from pathlib import Path
from typing import Any

import psycopg
import pytest

import etl as etl_package
from etl.errors import TargetError
from etl.options import Settings, build_settings, read_settings
from etl.targets.base import Target
from etl.targets.postgres import DDL_LOCK
from etl.targets.postgres_session import conninfo
from etl.tuning import postgres_scratch
from etl.tuning.scratch import Scratch, scratch_place
from etl.tuning.until import Until
from tests.command import environment, etl
from tests.integration.bad_input import MAPPING, document, item
from tests.integration.test_postgres_target import role, run_sql, with_user
from tests.listening import line_with, rest

__all__ = ["role"]  # a fixture

RECORDS = 3000
FIXED = ("workers.kind=inline", "split.bytes=64KiB", "queue.max_bytes=512MiB")
QUICK = ["--seconds", "0.1", "--repeat", "1", *(word for setting in FIXED for word in ("--set", setting))]
"""Trials of a moment, and few of them."""
LEFT = {"items.xml", "items.mapping.yaml", "etl.settings.yaml"}
"""What may be in the folder when a tune has ended."""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with items.xml and items.mapping.yaml."""
    (tmp_path / "items.xml").write_bytes(document(*map(item, range(1, RECORDS + 1))))
    (tmp_path / "items.mapping.yaml").write_text(MAPPING)
    return tmp_path


PATIENT = """
import etl.background
from etl.cli import main

etl.background.ABORT_SECONDS = 300.0
main()
"""
"""The command, on a machine that may be too busy to clean up in time after a second Ctrl-C."""


@pytest.fixture
def tuning(folder: Path) -> Iterator[Callable[[str], subprocess.Popen[str]]]:
    """Starts a long tune of a database and waits until it has measured the defaults."""
    started: list[subprocess.Popen[str]] = []

    def start(url: str) -> subprocess.Popen[str]:
        process = subprocess.Popen(
            [
                sys.executable,
                "-c",
                PATIENT,
                "tune",
                "items.xml",
                "--to",
                url,
                "--repeat",
                "100",
                "--max-time",
                "1h",
                "--set",
                "workers.kind=inline",
            ],
            cwd=folder,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env=environment(),
            text=True,
        )
        started.append(process)
        line_with(process.stderr, "the defaults")
        return process

    yield start
    for process in started:
        with process:
            process.kill()


def scratch(url: str, note: Callable[[str], object]) -> AbstractContextManager[tuple[Scratch, Target]]:
    """A scratch place for as long as it takes."""
    return scratch_place(url, Settings(), note, Until(math.inf, threading.Event()))


def schemas(url: str) -> list[str]:
    """Of tunes."""
    with psycopg.connect(url) as connection:
        return [name for (name,) in connection.execute("SELECT nspname FROM pg_namespace WHERE nspname ~ '^etl_tune'")]


def test_the_settings_it_writes_are_taken_by_a_load(folder: Path, target_url: str) -> None:
    tuned = etl("tune", "items.xml", "--to", target_url, *QUICK, cwd=folder)
    assert tuned.code == 0, tuned.err
    assert tuned.out == ""
    assert "for 5 min 0 s at most; then it is removed" in tuned.err
    assert "  the defaults  " in tuned.err
    assert " insert.batch_bytes: 16MiB  " in tuned.err
    assert "workers.count" not in tuned.err
    assert "What limits now: " in tuned.err
    assert tuned.err.endswith("Written to etl.settings.yaml, for `etl load --settings etl.settings.yaml`.\n")
    assert not [file for file in os.listdir(folder) if file not in LEFT]
    loaded = etl("load", "items.xml", "--to", target_url, "--settings", "etl.settings.yaml", "--json", cwd=folder)
    assert loaded.code == 0, loaded.err
    assert loaded.report["tables"] == {"item": RECORDS}
    settings = read_settings(folder / "etl.settings.yaml")
    assert (settings.workers.kind, settings.split.bytes) == ("inline", 2**16)


def test_from_python_it_returns_what_it_found(folder: Path) -> None:
    told: list[str] = []
    report = etl_package.tune(
        folder / "items.xml",
        mapping=folder / "items.mapping.yaml",
        target=f"sqlite:///{folder / 'x.db'}",
        settings=build_settings({"workers": {"kind": "inline"}, "queue": {"max_bytes": "64MiB"}}),
        seconds=0.1,
        repeat=1,
        on_trial=lambda trial: told.append(trial.setting),
    )
    assert told == [trial.setting for trial in report.trials]
    assert set(told) == {"", "insert.batch_bytes", "split.bytes"}
    assert 0 < report.records <= RECORDS
    assert all(trial.rate > 0 and trial.insert_p95 > 0 and trial.peak_memory > 0 for trial in report.trials)
    assert report.yaml.startswith("# Settings for `etl load`")
    assert sorted(os.listdir(folder)) == ["items.mapping.yaml", "items.xml"]


def test_tables_of_the_same_names_are_neither_written_nor_looked_at(folder: Path, postgres_url: str) -> None:
    names = "item", "etl_source", "etl_document", "etl_split", "etl_reject", "etl_skeleton", "etl_table"
    run_sql(postgres_url, *(f"CREATE TABLE {name} (other text); INSERT INTO {name} VALUES ('mine')" for name in names))
    url = f"{postgres_url}&options=-c%20search_path%3Dpublic"
    with psycopg.connect(postgres_url) as holder:
        # Whoever so much as reads one of them waits, and in the end fails.
        holder.execute(f"LOCK TABLE {', '.join(names)}".encode())
        arguments = ["--to", url, *QUICK, "--set", "ledger.schema=public"]
        tuned = etl("tune", "items.xml", *arguments, cwd=folder, env={"PGOPTIONS": "-c search_path=public"})
    assert tuned.code == 0, tuned.err
    assert "unusable" not in tuned.err
    with psycopg.connect(postgres_url) as connection:
        for name in names:
            assert connection.execute(f"SELECT * FROM {name}".encode()).fetchall() == [("mine",)]
    assert schemas(postgres_url) == []


def test_options_of_the_url_and_of_the_environment_stay(postgres_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    def work_mem(url: str) -> str:
        with scratch(url, print) as (place, _), psycopg.connect(conninfo(place.url)) as connection:
            (found,) = connection.execute("SELECT current_setting('work_mem')").fetchone() or ("",)
            (path,) = connection.execute("SELECT current_schemas(false)").fetchone() or ("",)
        assert path == [place.name.split()[-1]]
        return str(found)

    monkeypatch.setenv("PGOPTIONS", "-c work_mem=5MB")
    assert work_mem(postgres_url) == "5MB"
    assert work_mem(f"{postgres_url}&options=-c%20work_mem%3D6MB") == "6MB"


def test_a_pooler_that_leaves_the_options_out_is_refused(postgres_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(postgres_scratch, "_with_options", lambda url, _options: url)
    with pytest.raises(TargetError, match="in place of a pooler"), scratch(postgres_url, print):
        pytest.fail("trials would meet the user's tables")
    assert schemas(postgres_url) == []


def test_who_may_create_no_schema_is_told_the_right_it_takes(postgres_url: str, role: str) -> None:
    url = with_user(postgres_url, role)
    with pytest.raises(TargetError, match=rf'GRANT CREATE ON DATABASE "\w+" TO "{role}"'), scratch(url, print):
        pytest.fail("without the right")


@pytest.mark.parametrize(
    ("target_url", "presses"), [("sqlite", 1), ("postgres", 1), ("postgres", 2)], indirect=["target_url"]
)
def test_ctrl_c_leaves_nothing(
    folder: Path, target_url: str, tuning: Callable[[str], subprocess.Popen[str]], presses: int
) -> None:
    process = tuning(target_url)
    with ExitStack() as held_up:
        if presses == 2:  # the second one is to come before all is removed
            holder = held_up.enter_context(psycopg.connect(target_url))
            holder.execute("SELECT pg_advisory_lock(%s)", (DDL_LOCK,))
        process.send_signal(signal.SIGINT)
        line_with(process.stderr, "Stopping: ")
        if presses == 2:
            process.send_signal(signal.SIGINT)
            time.sleep(0.5)
            assert process.poll() is None
    _, err = rest(process)
    assert process.returncode == 4, err
    assert err.endswith("Error: Stopped. The scratch place is removed, and no settings are written.\n")
    assert "Traceback" not in err
    assert sorted(os.listdir(folder)) == ["items.mapping.yaml", "items.xml"]
    if target_url.startswith("postgresql"):
        assert schemas(target_url) == []


def test_a_locked_table_holds_up_no_ctrl_c(
    folder: Path, postgres_url: str, tuning: Callable[[str], subprocess.Popen[str]]
) -> None:
    process = tuning(postgres_url)
    (name,) = schemas(postgres_url)
    with closing(psycopg.connect(postgres_url)) as holder:
        lock_when_there(holder, f"{name}.item")
        process.send_signal(signal.SIGINT)
        _, err = rest(process, 120)
    assert process.returncode == 4, err
    assert "Error: Stopped, and no settings are written. " in err
    assert f"So the schema {name} is left; " in err
    assert sorted(os.listdir(folder)) == ["items.mapping.yaml", "items.xml"]


def lock_when_there(holder: psycopg.Connection[Any], table: str) -> None:
    """Lock a table that comes and goes."""
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        try:
            holder.execute(f"LOCK TABLE {table}".encode())
        except psycopg.errors.UndefinedTable:
            holder.rollback()
        else:
            return
    pytest.fail(f"no {table}")


def test_a_type_without_its_schema_is_told_by_the_users_database(folder: Path, postgres_url: str) -> None:
    run_sql(postgres_url, "CREATE DOMAIN mood AS text")
    mapping = MAPPING.replace("name: name", "name: {path: name, sql: mood}")
    (folder / "items.mapping.yaml").write_text(mapping)
    tuned = etl("tune", "items.xml", "--to", postgres_url, *QUICK, cwd=folder)
    assert tuned.code == 1
    assert "etl_tune_" not in tuned.err.partition("Error: ")[2]
    assert "needs its schema in front" in tuned.err


def test_what_a_killed_tune_left_is_removed_by_the_next_and_nothing_else(
    postgres_url: str, tuning: Callable[[str], subprocess.Popen[str]]
) -> None:
    alive, told = tuning(postgres_url), list[str]()
    run_sql(postgres_url, "CREATE SCHEMA etl_tune_0000abcd")  # somebody else's, who likes such names
    (name,) = set(schemas(postgres_url)) - {"etl_tune_0000abcd"}
    with scratch(postgres_url, told.append):
        assert told == []
        assert {name, "etl_tune_0000abcd"} < set(schemas(postgres_url))
    alive.kill()
    alive.wait()
    deadline = time.monotonic() + 30
    while not told and time.monotonic() < deadline:  # until the server has noticed
        with scratch(postgres_url, told.append):
            pass
    assert told == [f"Removed the schema {name}, which a tune that was killed had left."]
    assert schemas(postgres_url) == ["etl_tune_0000abcd"]


def test_what_a_killed_tune_left_beside_a_sqlite_file_is_removed(folder: Path) -> None:
    url, told = f"sqlite:///{folder / 'x.db'}", list[str]()
    for name in (".x.db.etl-tune-0000abcd", ".x.db.etl-tune-0000abcd-wal", ".x.db.etl-tune-mine", "x.db"):
        (folder / name).touch()
    with scratch(url, told.append) as (place, _):
        with closing(sqlite3.connect(place.url.removeprefix("sqlite:///"))) as database:
            database.execute("CREATE TABLE a (b)")
        with scratch(url, told.append):
            assert len([name for name in os.listdir(folder) if name.startswith(".x.db.etl-tune-")]) == 2
    assert told == ["Removed the file .x.db.etl-tune-0000abcd, which a tune that was killed had left."]
    assert sorted(set(os.listdir(folder)) - LEFT) == [".x.db.etl-tune-mine", "x.db"]
