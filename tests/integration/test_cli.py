"""The command as people use it: what it finds by itself, what it says, what it returns."""

from __future__ import annotations

import gzip
import json
import os
import pty
import re
import signal
import sqlite3
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest

from tests.command import ETL, environment, etl
from tests.integration.bad_input import MAPPING, document, item
from tests.listening import line_with, rest

SAMPLE = Path(__file__).resolve().parents[2] / "env_prep" / "sample"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with items.xml.gz (3 records, the second without its key) and items.mapping.yaml."""
    records = [item(1), b"<item><name>none</name></item>\n", item(3)]
    (tmp_path / "items.xml.gz").write_bytes(gzip.compress(document(*records)))
    (tmp_path / "items.mapping.yaml").write_text(MAPPING)
    return tmp_path


def query(database: Path, sql: str) -> list[tuple[Any, ...]]:
    connection = sqlite3.connect(database)
    try:
        return connection.execute(sql).fetchall()
    finally:
        connection.close()


def test_the_readmes_first_command_loads_the_sample(tmp_path: Path) -> None:
    result = etl("load", SAMPLE / "catalog.xml.gz", cwd=tmp_path)
    assert result.code == 0, result.err
    assert result.out == ""
    assert "saved as catalog.mapping.yaml" in result.err
    assert "into sqlite:///catalog.db" in result.err
    assert query(tmp_path / "catalog.db", 'SELECT count(*) FROM "release"') == [(241,)]
    assert "  241 rows  release\n" in result.err
    assert "246 records read = 246 loaded + 0 rejected" in result.err

    again = etl("load", SAMPLE / "catalog.xml.gz", cwd=tmp_path)
    assert again.code == 0
    assert "Nothing to do" in again.err
    assert query(tmp_path / "catalog.db", 'SELECT count(*) FROM "release"') == [(241,)]


def test_rejects_are_told_with_reason_and_place_and_kept(folder: Path) -> None:
    result = etl("load", "items.xml.gz", cwd=folder)
    assert result.code == 3
    assert "3 records read = 2 loaded + 1 rejected" in result.err
    assert "1 x missing_value in item.id, the first:" in result.err
    assert "line 3" in result.err
    assert "etl_reject" in result.err
    assert query(folder / "items.db", "SELECT record, reason FROM etl_reject") == [(2, "missing_value")]


def test_the_report_as_json_stands_alone_on_standard_output(folder: Path) -> None:
    result = etl("load", "items.xml.gz", "--json", cwd=folder)
    assert result.code == 3
    assert result.report["exit_code"] == 3
    assert result.report["tables"] == {"item": 2}
    assert result.report["rejects"][0]["reason"] == "missing_value"
    assert "rows" not in result.report
    assert "2 rows" not in result.err


def test_quiet_says_nothing_where_nothing_is_wrong(folder: Path) -> None:
    (folder / "items.xml.gz").write_bytes(gzip.compress(document(item(1))))
    for command in ("load", "check", "load"):
        result = etl(command, "items.xml.gz", "-q", cwd=folder)
        assert (result.code, result.out, result.err) == (0, "", "")


def test_quiet_says_in_a_line_what_is_wrong(folder: Path) -> None:
    told = "1 record rejected: `etl rejects --to sqlite:///items.db` tells which.\n"
    for _ in range(2):  # by an earlier run, too
        result = etl("load", "items.xml.gz", "-q", cwd=folder)
        assert (result.code, result.out, result.err) == (3, "", told)
    retried = etl("retry", "-q", "--to", "sqlite:///items.db", cwd=folder)
    assert (retried.code, retried.out, retried.err.count("\n")) == (3, "", 1)
    assert retried.err.startswith("1 record rejected again: `etl rejects --to ")
    checked = etl("check", "items.xml.gz", "-q", cwd=folder)
    assert (checked.code, checked.out, checked.err.count("\n")) == (3, "", 1)
    assert checked.err.startswith("1 record would be rejected")


def test_quiet_tells_of_documents_that_match_nothing(folder: Path) -> None:
    (folder / "more").mkdir()
    (folder / "more" / "a.xml").write_bytes(document(item(1)))
    for name in ("b", "c"):
        (folder / "more" / f"{name}.xml").write_text(f"<other><thing>{name}</thing></other>")
    result = etl("load", "more", "--map", "items.mapping.yaml", "--to", "sqlite:///x.db", "-q", cwd=folder)
    assert (result.code, result.out) == (0, "")
    assert result.err == "2 documents without a record of the mapping, the first: more/b.xml\n"


def test_the_database_is_the_flags_then_the_settings_then_the_environments(folder: Path) -> None:
    (folder / "settings.yaml").write_text("target: sqlite:///settings.db\n")
    environment = {"ETL_TARGET": "sqlite:///environment.db"}
    for arguments, name in (
        (["--settings", "settings.yaml", "--to", "sqlite:///flag.db"], "flag.db"),
        (["--settings", "settings.yaml", "--set", "target=sqlite:///set.db"], "set.db"),
        (["--settings", "settings.yaml"], "settings.db"),
        ([], "environment.db"),
    ):
        etl("load", "items.xml.gz", *arguments, cwd=folder, env=environment)
        assert [file.name for file in folder.glob("*.db")] == [name]
        (folder / name).unlink()


def test_several_sources_share_a_database(folder: Path) -> None:
    (folder / "more.xml").write_bytes(document(item(4), item(5)))
    result = etl("load", "items.xml.gz", "more.xml", "--map", "items.mapping.yaml", cwd=folder)
    assert result.code == 3
    assert "items.xml.gz: finished, 3 records" in result.err
    assert "more.xml: finished, 2 records" in result.err
    assert query(folder / "etl.db", "SELECT id FROM item ORDER BY id") == [(1,), (3,), (4,), (5,)]


def test_standard_input_is_a_source_and_has_a_name_if_it_is_given_one(folder: Path) -> None:
    content = document(item(1), item(2))
    arguments = ["load", "-", "--map", "items.mapping.yaml", "--to", "sqlite:///in.db", "--source-name", "items"]
    assert etl(*arguments, cwd=folder, stdin=content).code == 0
    again = etl(*arguments, cwd=folder, stdin=document(item(3)))
    assert again.code == 0
    assert "Nothing to do: the source named items is finished" in again.err
    assert "standard input was not read. Another --source-name loads it, or --again anew.\n" in again.err
    assert query(folder / "in.db", "SELECT id FROM item ORDER BY id") == [(1,), (2,)]
    anew = etl(*arguments, "--again", cwd=folder, stdin=document(item(3)))
    assert anew.code == 0, anew.err
    assert query(folder / "in.db", "SELECT id FROM item ORDER BY id") == [(3,)]


def test_a_limit_ends_early_and_the_rest_comes_without_it(folder: Path) -> None:
    limited = etl("load", "items.xml.gz", "--limit", "1", cwd=folder)
    assert limited.code == 0, limited.err
    assert "1 record read = 1 loaded" in limited.err
    assert "without --limit" in limited.err
    rest = etl("load", "items.xml.gz", cwd=folder)
    assert "1 skipped" in rest.err
    assert query(folder / "items.db", "SELECT id FROM item ORDER BY id") == [(1,), (3,)]


def test_postgresql_takes_what_the_url_leaves_out_from_the_environment(folder: Path, postgres_url: str) -> None:
    with psycopg.connect(postgres_url) as connection:
        info = connection.info
        where = {"PGHOST": info.host, "PGPORT": str(info.port), "PGUSER": info.user, "PGPASSWORD": info.password}
        url = f"postgresql:///{info.dbname}"
        result = etl("load", "items.xml.gz", "--to", url, cwd=folder, env=where)
        assert result.code == 3, result.err
        assert connection.execute("SELECT id FROM item ORDER BY id").fetchall() == [(1,), (3,)]


def test_verbose_says_where_an_error_arose(folder: Path) -> None:
    result = etl("load", "items.xml.gz", "--to", "sqlite:///no/such/folder/x.db", "-v", cwd=folder)
    assert result.code == 1
    assert "Traceback" in result.err
    assert result.err.splitlines()[-1].startswith("Error: ")


def test_a_log_has_times_and_the_summary_and_no_password(folder: Path) -> None:
    url = "postgresql://me:s3cret@127.0.0.1:1/db"
    assert etl("load", "items.xml.gz", "--log", "etl.log", "-q", cwd=folder).code == 3
    assert etl("load", "items.xml.gz", "--log", "etl.log", "-q", "--to", url, cwd=folder).code == 1
    log = (folder / "etl.log").read_text()
    assert "1 x missing_value" in log
    assert "postgresql://me:***@127.0.0.1:1/db" in log
    assert "s3cret" not in log
    assert log.splitlines()[0][:2] == "20"


def test_a_bar_is_shown_on_a_terminal_and_the_summary_after_it(folder: Path) -> None:
    output = _on_a_terminal(["load", "items.xml.gz", "--set", "workers.kind=process"], folder)
    assert "2 loaded + 1 rejected" in output
    assert "\x1b[?25l" not in output or "\x1b[?25h" in output.rpartition("\x1b[?25l")[2]  # the cursor is back
    plain = re.sub(r"\x1b\[[\d;?]*[A-Za-z]", "", output)
    assert max(map(len, plain.splitlines())) <= 80


def _on_a_terminal(arguments: list[str], folder: Path) -> str:
    ours, theirs = pty.openpty()
    with subprocess.Popen(
        [ETL, *arguments],
        cwd=folder,
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
        env=environment({"TERM": "xterm", "COLUMNS": "80"}),
    ) as process:
        os.close(theirs)
        output = b""
        try:
            while chunk := os.read(ours, 65536):
                output += chunk
        except OSError:  # Linux says so when the other end is closed
            pass
        process.wait(60)
    os.close(ours)
    return output.decode()


def test_a_reader_who_leaves_is_no_error_of_ours(folder: Path) -> None:
    process = subprocess.Popen(
        [ETL, "docs", "settings"], cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=environment()
    )
    assert process.stdout is not None
    process.stdout.close()
    _out, err = process.communicate(timeout=60)
    assert process.returncode in (0, 1)
    assert err == b""


@pytest.mark.parametrize(
    "arguments",
    [
        ["--help"],
        ["load", "--help"],
        ["rejects", "-h"],
        ["--version"],
        [],
        ["docs"],
        ["load", "items.xml.gz", "--json"],
        ["check", "items.xml.gz"],
        ["infer", "items.xml.gz"],
        ["schema", "--map", "items.mapping.yaml"],
    ],
    ids=" ".join,
)
def test_output_that_cannot_be_written_is_named(folder: Path, arguments: list[str]) -> None:
    with open("/dev/full", "wb") as full:
        done = subprocess.run(
            [ETL, *arguments], cwd=folder, stdout=full, stderr=subprocess.PIPE, env=environment(), text=True
        )
    assert done.returncode == 1
    (error,) = [line for line in done.stderr.splitlines() if line.startswith("Error: ")]
    assert "standard output: No space left on device" in error
    if "--json" in arguments:
        assert "Loaded 2 records into sqlite:///items.db" in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize(
    "command", [["load", "--map", "map.yaml", "--to", "sqlite:///a.db"], ["check", "--map", "map.yaml"], ["infer"]]
)
def test_subfolders_are_not_passed_over_in_silence(tmp_path: Path, command: list[str]) -> None:
    (tmp_path / "map.yaml").write_text(MAPPING)
    for file in ("a.xml", "x/b.xml"):
        (tmp_path / "my dumps" / file).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "my dumps" / file).write_bytes(document(item(1), item(2)))
    told = "my dumps has 1 subfolder, which is not looked into; a pattern takes the files in it too, as in "
    (line,) = [line for line in etl(*command, "my dumps", cwd=tmp_path).err.splitlines() if "subfolder" in line]
    pattern = "my dumps/**/*.xml"
    assert line == f"{told}'{pattern}'."
    whole = etl(*command, pattern, cwd=tmp_path)
    assert whole.code == 0, whole.err
    assert "subfolder" not in whole.err


def test_closed_streams_are_no_error(folder: Path) -> None:
    done = subprocess.run(f'exec "{ETL}" load items.xml.gz --json >&- 2>&-', shell=True, cwd=folder, env=environment())
    assert done.returncode == 3
    assert query(folder / "items.db", "SELECT count(*) FROM item") == [(2,)]


@pytest.fixture
def endless(folder: Path) -> Iterator[Callable[..., subprocess.Popen[bytes]]]:
    """Starts a load of standard input, which the test feeds and never ends."""
    started: list[subprocess.Popen[bytes]] = []

    def start(*arguments: str) -> subprocess.Popen[bytes]:
        process = subprocess.Popen(
            [ETL, "load", "-", "--map", "items.mapping.yaml", "--to", "sqlite:///in.db", *arguments],
            cwd=folder,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env=environment(),
        )
        started.append(process)
        assert process.stdin is not None
        process.stdin.write(b"<items>\n" + b"".join(item(number) for number in range(1, 20_001)))
        process.stdin.flush()
        return process

    yield start
    for process in started:
        with process:
            process.kill()


def _wait_for_rows(database: Path) -> None:
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        try:
            if database.exists() and query(database, "SELECT count(*) FROM item") > [(0,)]:
                return
        except sqlite3.OperationalError:  # the table is still to come, or the writer has the file
            pass
        time.sleep(0.05)
    pytest.fail("no rows within a minute")


@pytest.mark.parametrize(("stop", "kind"), [(signal.SIGINT, "process"), (signal.SIGTERM, "inline")])
def test_the_first_signal_commits_what_is_in_hand_and_the_same_command_goes_on(
    folder: Path, endless: Callable[..., subprocess.Popen[bytes]], stop: signal.Signals, kind: str
) -> None:
    flags = ["--source-name", "items", "--set", f"workers.kind={kind}", "--set", "split.bytes=4KiB", "--json"]
    process = endless(*flags)
    _wait_for_rows(folder / "in.db")
    process.send_signal(stop)
    out, err = process.communicate(timeout=60)
    assert process.returncode == 4, err
    report = json.loads(out)
    assert report["state"] == "stopped"
    rows = query(folder / "in.db", "SELECT count(*) FROM item")[0][0]
    assert report["loaded"] == rows > 0

    whole = document(*(item(number) for number in range(1, 20_001)))
    rest = etl("load", "-", "--map", "items.mapping.yaml", "--to", "sqlite:///in.db", *flags, cwd=folder, stdin=whole)
    assert rest.code == 0, rest.err
    assert rest.report["skipped"] == rows
    assert query(folder / "in.db", "SELECT count(*), min(id), max(id) FROM item") == [(20_000, 1, 20_000)]


def test_a_killed_load_goes_on_where_it_was(folder: Path, endless: Callable[..., subprocess.Popen[bytes]]) -> None:
    flags = ["--source-name", "items", "--set", "split.bytes=4KiB", "--set", "workers.kind=process"]
    process = endless(*flags)
    _wait_for_rows(folder / "in.db")
    process.kill()
    process.communicate(timeout=60)
    whole = document(*(item(number) for number in range(1, 20_001)))
    rest = etl(
        "load", "-", "--map", "items.mapping.yaml", "--to", "sqlite:///in.db", *flags, "--json", cwd=folder, stdin=whole
    )
    assert rest.code == 0, rest.err
    assert rest.report["skipped"] > 0
    assert query(folder / "in.db", "SELECT count(*), min(id), max(id) FROM item") == [(20_000, 1, 20_000)]


@pytest.mark.parametrize(
    ("name", "then"), [(["--source-name", "items"], b"goes on from there"), ([], b"begins what has no identity anew")]
)
def test_a_second_signal_aborts(
    folder: Path, endless: Callable[..., subprocess.Popen[bytes]], name: list[str], then: bytes
) -> None:
    # A lock on the database keeps the first signal from being over at once.
    process = endless(*name, "--set", "split.bytes=4KiB")
    _wait_for_rows(folder / "in.db")
    lock = sqlite3.connect(folder / "in.db", timeout=60, isolation_level=None)
    lock.execute("BEGIN IMMEDIATE")
    assert process.stdin is not None
    process.stdin.write(b"".join(item(number) for number in range(20_001, 40_001)))
    process.stdin.flush()
    process.send_signal(signal.SIGINT)
    line_with(process.stderr, b"Ctrl-C again")
    process.send_signal(signal.SIGINT)
    # Held until then: what was asked for first would be done, and there would be nothing to abort.
    assert then in line_with(process.stderr, b"Aborted")
    lock.execute("ROLLBACK")
    lock.close()
    while process.poll() is None:  # who is impatient does not change how it ends
        process.send_signal(signal.SIGINT)
    _, err = rest(process)
    assert process.returncode == 4
    assert b"Traceback" not in err


@pytest.mark.parametrize("stop", ["SIGINT", "SIGTERM"])
def test_a_signal_while_the_program_starts_ends_it_without_a_traceback(folder: Path, stop: str) -> None:
    imported = folder / "early" / "typer.py"
    imported.parent.mkdir()
    imported.write_text(f"import os, signal\nos.kill(os.getpid(), signal.{stop})\n")
    ended = etl("load", "items.xml.gz", cwd=folder, env={"PYTHONPATH": str(imported.parent)})
    assert (ended.code, ended.err) == (4, "Stopped before anything was begun.\n")


def test_who_wants_signals_ignored_has_them_ignored(folder: Path) -> None:
    imported = folder / "early" / "typer.py"
    imported.parent.mkdir()
    imported.write_text("import os, signal\nos.kill(os.getpid(), signal.SIGINT)\nraise SystemExit(17)\n")
    ended = etl(
        "docs",
        cwd=folder,
        env={"PYTHONPATH": str(imported.parent)},
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_IGN),
    )
    assert ended.code == 17


def test_the_exit_code_tells_the_loads_outcome_wherever_the_output_goes(folder: Path) -> None:
    def shell(command: str) -> int:
        command = f'"{ETL}" load items.xml.gz --to sqlite:///new.db {command}'
        done = subprocess.run(["bash", "-c", command], cwd=folder, env=environment(), stdout=subprocess.PIPE)
        (folder / "new.db").unlink()
        return done.returncode

    assert shell("2>/dev/full") == 3
    assert shell("2>&1 | true; exit ${PIPESTATUS[0]}") == 3
    assert shell("--json | true; exit ${PIPESTATUS[0]}") == 3
