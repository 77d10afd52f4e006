"""Going on after a stop: by a changed mapping, after lost commits, after too many rejects, in the middle of building
keys; and beginning again."""

from __future__ import annotations

import re
import resource
import signal
import sqlite3
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import psycopg
import pytest
from sqlalchemy.engine import make_url

import etl
from etl.errors import TargetError
from etl.messages import Committed
from etl.options import build_settings
from etl.progress import SilentProgress
from etl.targets.postgres import DDL_LOCK
from tests.acceptance.contents import count, query
from tests.command import ETL, environment
from tests.command import etl as etl_command
from tests.integration.bad_input import MAPPING, document, item
from tests.listening import is_stopped, line_with, rest

WAIT_SECONDS = 60.0
SMALL_BATCHES = build_settings(
    {"workers": {"kind": "inline"}, "split": {"bytes": 1024}, "insert": {"batch_records": 20, "threads": 1}}
)
RECORDS = 600


@pytest.fixture
def mapping(tmp_path: Path) -> Path:
    file = tmp_path / "items.mapping.yaml"
    file.write_text(MAPPING)
    return file


def write_items(file: Path, numbers: range, name: bytes = b"a name") -> Path:
    file.write_bytes(document(*(item(number, name) for number in numbers)))
    return file


@pytest.fixture
def source(tmp_path: Path) -> Path:
    return write_items(tmp_path / "items.xml", range(1, RECORDS + 1))


class Notes(SilentProgress):
    """A progress that keeps the notes."""

    def __init__(self) -> None:
        self.notes: list[str] = []

    def note(self, sentence: str) -> None:
        self.notes.append(sentence)


def run(url: str, *statements: str) -> None:
    """Run statements in one transaction of somebody else."""
    if url.startswith("sqlite"):
        database = sqlite3.connect(str(make_url(url).database), timeout=WAIT_SECONDS)
        with database:
            for statement in statements:
                database.execute(statement)
        database.close()
    else:
        with psycopg.connect(url) as connection:
            for statement in statements:
                connection.execute(statement.encode())


def wait_until(condition: Callable[[], object]) -> None:
    deadline = time.monotonic() + WAIT_SECONDS
    while not condition():
        assert time.monotonic() < deadline, "what was waited for did not come"
        time.sleep(0.01)


def test_a_resume_by_other_values_goes_on_and_one_by_other_rows_does_not(
    source: Path, mapping: Path, target_url: str
) -> None:
    etl.load(source, mapping=mapping, target=target_url, settings=SMALL_BATCHES, limit=100)
    mapping.write_text(MAPPING.replace("name: name", 'name: {path: name, nulls: ["a name"]}'))
    report = etl.load(source, mapping=mapping, target=target_url, settings=SMALL_BATCHES)
    assert (report.state, report.skipped, report.loaded) == ("finished", 100, RECORDS - 100)
    assert any("its 100 records of before stay as they were" in notice for notice in report.notices)
    assert query(target_url, "SELECT count(*), max(id) FROM item WHERE name IS NOT NULL") == [(100, 100)]
    mapping.write_text(MAPPING.replace("    key: id\n", "    key: id\n    where: name\n"))
    with pytest.raises(TargetError, match="what differs: `where` of item"):
        etl.load(source, mapping=mapping, target=target_url)


def test_changed_content_of_a_file_is_added_and_told(source: Path, mapping: Path, target_url: str) -> None:
    etl.load(source, mapping=mapping, target=target_url)
    write_items(source, range(RECORDS + 1, RECORDS + 4))
    report = etl.load(source, mapping=mapping, target=target_url)
    assert report.loaded == 3
    (notice,) = (notice for notice in report.notices if "other content before" in notice)
    assert re.search(rf" \(source 1, on \d{{4}}-\d\d-\d\d \d\d:\d\d UTC, {RECORDS} records\)\. ", notice)
    assert count(target_url, "item") == RECORDS + 3


@pytest.mark.parametrize(
    ("write", "told"), [("upsert", "the tables hold what that says"), ("append", "are there, too")]
)
def test_content_of_before_is_not_loaded_again_which_is_told(
    source: Path, mapping: Path, target_url: str, write: str, told: str
) -> None:
    settings = build_settings({"workers": {"kind": "inline"}, "write": write})

    def load(name: bytes, *, again: bool = False) -> etl.LoadReport:
        keys = range(2, 3) if write == "append" and name == b"b" else range(1, 2)
        return etl.load(
            write_items(source, keys, name), mapping=mapping, target=target_url, settings=settings, again=again
        )

    load(b"a")
    (notice,) = load(b"b").notices
    assert ", 1 record). " in notice
    (notice,) = load(b"a").notices
    assert "content again that was loaded as source 1; what was loaded last from that file is source 2 (on " in notice
    assert told in notice
    report = load(b"a", again=True)
    assert (report.loaded, report.notices) == (1, ())
    assert query(target_url, "SELECT id, name FROM item") == [(1, "a")]
    report = load(b"a")
    assert (report.state, report.notices) == ("nothing to do", ())


def test_again_loads_anew_what_only_this_source_filled(tmp_path: Path, source: Path, mapping: Path) -> None:
    url = f"sqlite:///{tmp_path / 'items.db'}"
    command: list[str | Path] = ["load", source, "--map", mapping, "--to", url]
    assert etl_command(*command, "--again", cwd=tmp_path).code == 0
    run(url, "UPDATE item SET name = 'spoilt'")
    skipped = etl_command(*command, cwd=tmp_path)
    assert (skipped.code, "Nothing to do" in skipped.err) == (0, True)
    again = etl_command(*command, "--again", "--json", cwd=tmp_path)
    assert again.code == 0, again.err
    assert again.report["loaded"] == RECORDS
    assert query(url, "SELECT count(*), count(DISTINCT id), min(name), max(name) FROM item") == [
        (RECORDS, RECORDS, "a name", "a name")
    ]
    assert query(url, "SELECT number, state FROM etl_source") == [(1, "finished")]
    other = write_items(tmp_path / "other.xml", range(1001, 1003))
    etl.load(other, mapping=mapping, target=url)
    refused = etl_command(*command, "--again", cwd=tmp_path)
    assert refused.code == 1
    assert "item has rows of" in refused.err
    assert count(url, "item") == RECORDS + 2


def lose_the_second_tile(url: str) -> None:
    """As a server does that crashes: the rows and the ledger's entry, whole."""
    (_, records), (start, more) = query(url, "SELECT start_offset, records FROM etl_split ORDER BY 1 LIMIT 2")
    run(
        url,
        f"DELETE FROM item WHERE id > {records} AND id <= {records + more}",
        f"DELETE FROM etl_split WHERE start_offset = {start}",
    )


def test_what_the_server_lost_is_fed_again_in_the_same_run(source: Path, mapping: Path, target_url: str) -> None:
    batches: list[int] = []
    progress = Notes()

    def lose(committed: Committed) -> None:
        batches.append(committed.records)
        if len(batches) == 5:
            lose_the_second_tile(target_url)

    report = etl.load(
        source, mapping=mapping, target=target_url, settings=SMALL_BATCHES, on_batch=lose, progress=progress
    )
    assert report.state == "finished"
    assert (report.records, report.loaded, report.skipped) == (RECORDS, RECORDS, 0)
    assert query(target_url, "SELECT count(*), count(DISTINCT id) FROM item") == [(RECORDS, RECORDS)]
    assert sum(batches) > RECORDS
    assert [note for note in progress.notes if "fed again" in note]
    assert report.metrics is not None
    assert report.metrics.insert.count == len(batches)
    assert query(target_url, "SELECT state, epoch FROM etl_source") == [("finished", 1)]


def test_a_database_that_loses_it_every_time_ends_the_load(source: Path, mapping: Path, target_url: str) -> None:
    batches: list[int] = []

    def lose(committed: Committed) -> None:
        batches.append(committed.records)
        if len(batches) >= 3:  # all of its tiles, and then the one that is fed again
            lose_the_second_tile(target_url)

    three_tiles = {"workers": {"kind": "inline"}, "insert": {"batch_records": RECORDS // 3, "threads": 1}}
    settings = build_settings(three_tiles)
    with pytest.raises(TargetError, match=r"lost committed pieces of .*items\.xml.* Run the same command again"):
        etl.load(source, mapping=mapping, target=target_url, settings=settings, on_batch=lose)
    assert etl.load(source, mapping=mapping, target=target_url).state == "finished"
    assert query(target_url, "SELECT count(*), count(DISTINCT id) FROM item") == [(RECORDS, RECORDS)]


def test_too_many_rejects_stop_the_load_and_a_mended_mapping_goes_on(tmp_path: Path) -> None:
    target_url = f"sqlite:///{tmp_path / 'items.db'}"
    source, mapping = tmp_path / "items.xml", tmp_path / "items.mapping.yaml"
    names = [b"7" if number < 200 else b"seven" for number in range(RECORDS)]
    source.write_bytes(document(*(item(number, name) for number, name in enumerate(names))))
    typed = MAPPING.replace("name: name", "name: {path: name, type: integer}")
    mapping.write_text(typed)
    small = ("workers.kind=inline", "split.bytes=1024", "insert.batch_records=20", "insert.threads=1")
    settings = [f"--set={setting}" for setting in (*small, "queue.max_bytes=4KiB", "errors.max=10%", "errors.after=50")]
    command: list[str | Path] = ["load", source, "--map", mapping, "--to", target_url, *settings]
    stopped = etl_command(*command, cwd=tmp_path)
    assert stopped.code == 4, stopped.err
    assert "records were rejected, more than errors.max (10%) allows." in stopped.err
    assert "etl rejects" in stopped.err
    read, rejected = query(target_url, "SELECT sum(records), sum(rejected) FROM etl_split")[0]
    assert 200 < read < RECORDS
    assert read / 10 < rejected < 100

    mapping.write_text(typed.replace("type: integer}", "type: integer, on_error: set_null}"))
    done = etl_command(*command, "--json", cwd=tmp_path)
    assert done.code == 3, done.err  # of the rejects that were there before
    assert done.report["rejected"] == 0
    assert done.report["sources"][0]["rejected_before"] == rejected
    assert count(target_url, "item") == RECORDS - rejected


def test_a_check_never_stops_for_rejects(tmp_path: Path) -> None:
    source, mapping = write_items(tmp_path / "items.xml", range(RECORDS)), tmp_path / "items.mapping.yaml"
    mapping.write_text(MAPPING.replace("name: name", "name: {path: name, type: integer}"))
    settings = build_settings({"errors": {"max": 0}})
    assert etl.check(source, mapping=mapping, settings=settings).rejected == RECORDS
    report = etl.load(source, mapping=mapping, target="memory://", settings=settings)
    assert (report.state, report.exit_code) == ("stopped", 4)
    assert report.stop_reason.startswith(f"{RECORDS} of {RECORDS} records were rejected, more than errors.max (0)")


@contextmanager
def started(source: Path, mapping: Path, url: str, fault: str = "") -> Iterator[subprocess.Popen[str]]:
    """The real command, gone with the context."""
    with subprocess.Popen(
        [str(ETL), "load", str(source), "--map", str(mapping), "--to", url, "--set", "workers.kind=inline"],
        cwd=mapping.parent,
        env=environment({"ETL_FAULT": fault} if fault else None),
        text=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        start_new_session=True,
    ) as process:
        try:
            yield process
        finally:
            process.kill()


def somebody_waits(url: str) -> bool:
    waiting = "SELECT 1 FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND datname = current_database()"
    return bool(query(url, waiting))


TWO_TABLES = MAPPING + "  note:\n    parent: item\n    each: name\n    columns:\n      text: .\n"


def test_sigterm_while_keys_are_built_ends_after_the_key(source: Path, mapping: Path, postgres_url: str) -> None:
    mapping.write_text(TWO_TABLES)
    with (
        started(source, mapping, postgres_url, "at_gap_check:1:stop") as process,
        psycopg.connect(postgres_url) as blocker,
    ):
        wait_until(lambda: is_stopped(process))
        blocker.execute("LOCK TABLE item IN ACCESS SHARE MODE")
        process.send_signal(signal.SIGCONT)
        wait_until(lambda: somebody_waits(postgres_url))
        process.send_signal(signal.SIGTERM)
        line_with(process.stderr, "Stopping: the key now being built is the last")
        blocker.rollback()
        out, err = rest(process)
    assert process.returncode == 4, out + err
    assert "Traceback" not in err
    assert query(postgres_url, "SELECT state FROM etl_source") == [("rows_done",)]
    keys = "SELECT conname FROM pg_constraint WHERE conname IN ('item_pkey', 'note_pkey')"
    assert query(postgres_url, keys) == [("item_pkey",)]
    again = etl_command("load", source, "--map", mapping, "--to", postgres_url, "-q", cwd=mapping.parent)
    assert again.code == 0, again.err
    assert sorted(query(postgres_url, keys)) == [("item_pkey",), ("note_pkey",)]
    assert query(postgres_url, "SELECT state FROM etl_source") == [("finished",)]


def test_a_second_ctrl_c_while_keys_are_built_aborts(source: Path, mapping: Path, postgres_url: str) -> None:
    with (
        started(source, mapping, postgres_url, "at_gap_check:1:stop") as process,
        psycopg.connect(postgres_url) as blocker,
    ):
        wait_until(lambda: is_stopped(process))
        blocker.execute("LOCK TABLE item IN ACCESS SHARE MODE")
        process.send_signal(signal.SIGCONT)
        wait_until(lambda: somebody_waits(postgres_url))
        process.send_signal(signal.SIGINT)
        line_with(process.stderr, "Stopping")
        process.send_signal(signal.SIGINT)
        out, err = rest(process)
    assert process.returncode == 4, out + err
    assert "Traceback" not in err
    again = etl_command("load", source, "--map", mapping, "--to", postgres_url, "-q", cwd=mapping.parent)
    assert again.code == 0, again.err
    assert query(postgres_url, "SELECT count(*), count(DISTINCT id) FROM item") == [(RECORDS, RECORDS)]


def test_ctrl_c_while_a_source_waits_to_be_registered_aborts(source: Path, mapping: Path, postgres_url: str) -> None:
    etl.load(source, mapping=mapping, target=postgres_url)
    other = write_items(source.with_name("other.xml"), range(1000, 1010))
    with psycopg.connect(postgres_url) as blocker:
        blocker.execute(f"SELECT pg_advisory_xact_lock({DDL_LOCK})".encode())
        with started(other, mapping, postgres_url) as process:
            wait_until(lambda: somebody_waits(postgres_url))
            process.send_signal(signal.SIGINT)
            out, err = process.communicate(timeout=WAIT_SECONDS)
    assert process.returncode == 4, out + err
    assert "Traceback" not in err
    again = etl_command("load", other, "--map", mapping, "--to", postgres_url, "-q", cwd=mapping.parent)
    assert again.code == 0, again.err
    assert count(postgres_url, "item") == RECORDS + 10


def test_a_full_disk_is_told_and_with_room_it_goes_on(tmp_path: Path, mapping: Path) -> None:
    source = write_items(tmp_path / "items.xml", range(1, 2001), b"%0400d" % 0)
    database = tmp_path / "items.db"
    small = [f"--set={name}" for name in ("workers.kind=inline", "split.bytes=16KiB", "insert.batch_records=100")]
    command: list[str | Path] = ["load", source, "--map", mapping, "--to", f"sqlite:///{database}", *small]

    def little_room() -> None:
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (400_000, 400_000))

    full = etl_command(*command, cwd=tmp_path, preexec_fn=little_room)
    assert full.code == 1, full.err
    assert "Traceback" not in full.err
    assert "same command" in full.err
    done = etl_command(*command, "--json", cwd=tmp_path)
    assert done.code == 0, done.err
    assert done.report["skipped"] > 0
    assert query(f"sqlite:///{database}", "SELECT count(*), count(DISTINCT id) FROM item") == [(2000, 2000)]
