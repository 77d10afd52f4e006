"""SQLite where it hurts: what cannot be opened, written or locked, and what must not land in it."""

from __future__ import annotations

import contextlib
import os
import resource
import sqlite3
import sys
import tempfile
import threading
from array import array
from collections.abc import Iterator
from pathlib import Path

import pytest
import sqlalchemy as sa

from etl.errors import InternalError, RowsRefused, TargetError, TransientError
from etl.mapping.model import ColumnType
from etl.messages import CopyRows
from etl.targets import sqlite, sqlite_errors
from etl.targets.base import TargetConnection
from tests.target_rows import column, encode, family, opened, read, single, write

NOBODY = 65534


@pytest.fixture
def ordinary_user() -> Iterator[Path]:
    """A folder of an ordinary user, whom the test is meanwhile: root may do everything anyway."""
    with tempfile.TemporaryDirectory() as folder:
        if os.geteuid() != 0:
            yield Path(folder)
            return
        os.chown(folder, NOBODY, NOBODY)
        os.seteuid(NOBODY)
        try:
            yield Path(folder)
        finally:
            os.seteuid(0)


def test_a_folder_that_may_not_be_written_to(ordinary_user: Path) -> None:
    ordinary_user.chmod(0o555)
    try:
        with (
            opened(f"sqlite:///{ordinary_user}/new.db") as target,
            pytest.raises(TargetError, match=r"unable to open database file. Check that this user may read and write"),
        ):
            target.prepare(family(), "after")
    finally:
        ordinary_user.chmod(0o755)


def test_a_file_that_may_not_be_written_to(ordinary_user: Path) -> None:
    file = ordinary_user / "old.db"
    with contextlib.closing(sqlite3.connect(file)) as connection:
        connection.execute("CREATE TABLE x (y)")
    file.chmod(0o444)
    with (
        opened(f"sqlite:///{file}") as target,
        pytest.raises(TargetError, match=r"readonly database. Its file or its folder may not be written to"),
    ):
        target.prepare(family(), "after")


def test_a_file_that_may_not_be_read(ordinary_user: Path) -> None:
    file = ordinary_user / "secret.db"
    file.touch(mode=0o000)
    with (
        opened(f"sqlite:///{file}") as target,
        pytest.raises(TargetError, match="Check that this user may read and write"),
    ):
        target.prepare(family(), "after")


def test_a_file_that_is_something_else(tmp_path: Path) -> None:
    file = tmp_path / "dump.xml"
    file.write_text("<releases>" * 1000)
    with (
        opened(f"sqlite:///{file}") as target,
        pytest.raises(TargetError, match=r"file is not a database. Name another file"),
    ):
        target.prepare(family(), "after")
    assert file.read_text() == "<releases>" * 1000


def test_a_full_disk_leaves_what_was_committed(tmp_path: Path) -> None:
    mapping = family()
    with opened(f"sqlite:///{tmp_path}/full.db") as target:
        target.prepare(mapping, "after")
        write(target, [(1, "one")])
        with contextlib.closing(target.connect()) as connection:
            connection.begin()
            connection.execute(sa.text("PRAGMA max_page_count = 20"))
            with pytest.raises(TargetError, match=r"disk is full. Make room on the disk and run the same command"):
                connection.write(0, [encode(target, [(n, "x" * 4000) for n in range(2, 2000)])])
            connection.rollback()
        assert read(target, mapping, "release") == [(1, "one")]
        write(target, [(2, "two")])
        assert len(read(target, mapping, "release")) == 2


def test_a_limit_on_file_sizes_leaves_what_was_committed(tmp_path: Path) -> None:
    mapping = family()
    _, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    with opened(f"sqlite:///{tmp_path}/limited.db") as target:
        target.prepare(mapping, "after")
        write(target, [(1, "one")])
        resource.setrlimit(resource.RLIMIT_FSIZE, (2 * 2**20, hard))
        try:
            with pytest.raises(TargetError, match=r"is full"):
                write(target, [(n, "x" * 4000) for n in range(2, 2000)])
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, (hard, hard))
        assert read(target, mapping, "release") == [(1, "one")]


def test_a_file_that_another_program_writes_to(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sqlite, "BUSY_SECONDS", 0.1)
    monkeypatch.setattr(sqlite_errors, "BUSY_SECONDS", 0.1)
    file = tmp_path / "shared.db"
    with opened(f"sqlite:///{file}") as target:
        target.prepare(family(), "after")
        with contextlib.closing(sqlite3.connect(file, isolation_level=None)) as other:
            other.execute("BEGIN IMMEDIATE")
            with contextlib.closing(target.connect()) as connection:
                with pytest.raises(
                    TransientError, match=r"is locked: another program has been writing to it for 0.1 s"
                ):
                    connection.begin()
                connection.rollback()
                other.execute("ROLLBACK")
                connection.begin()
                connection.write(0, [encode(target, [(1, "one")])])
                connection.commit(durable=True)
        assert read(target, family(), "release") == [(1, "one")]


def test_a_short_lock_is_waited_for(tmp_path: Path) -> None:
    file = tmp_path / "shared.db"
    with opened(f"sqlite:///{file}") as target:
        target.prepare(family(), "after")
        with contextlib.closing(sqlite3.connect(file, isolation_level=None, check_same_thread=False)) as other:
            other.execute("BEGIN IMMEDIATE")
            timer = threading.Timer(0.3, other.execute, ["COMMIT"])
            timer.start()
            write(target, [(1, "one")])
            timer.join()
        assert read(target, family(), "release") == [(1, "one")]


def test_readers_do_not_stop_the_load(tmp_path: Path) -> None:
    file = tmp_path / "read.db"
    with opened(f"sqlite:///{file}") as target:
        target.prepare(family(), "after")
        write(target, [(1, "one")])
        with contextlib.closing(sqlite3.connect(file, isolation_level=None)) as reader:
            reader.execute("BEGIN")
            assert reader.execute("SELECT count(*) FROM release").fetchone() == (1,)
            write(target, [(2, "two")], durable=True)
            assert reader.execute("SELECT count(*) FROM release").fetchone() == (1,)
            reader.execute("COMMIT")
            assert reader.execute("SELECT count(*) FROM release").fetchone() == (2,)


def test_the_result_is_one_plain_file(tmp_path: Path) -> None:
    with opened(f"sqlite:///{tmp_path}/plain.db") as target:
        target.prepare(family(), "after")
        write(target, [(1, "one")])
    assert [file.name for file in tmp_path.iterdir()] == ["plain.db"]
    with contextlib.closing(sqlite3.connect(f"file:{tmp_path}/plain.db?mode=ro", uri=True)) as connection:
        assert connection.execute("PRAGMA journal_mode").fetchone() == ("delete",)
        assert connection.execute("SELECT * FROM release").fetchall() == [(1, "one")]


def test_a_file_that_had_a_write_ahead_log_keeps_it(tmp_path: Path) -> None:
    file = tmp_path / "wal.db"
    with contextlib.closing(sqlite3.connect(file)) as connection:
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("CREATE TABLE x (y)")
    with opened(f"sqlite:///{file}") as target:
        target.prepare(family(), "after")
    with contextlib.closing(sqlite3.connect(file)) as connection:
        assert connection.execute("PRAGMA journal_mode").fetchone() == ("wal",)


def test_closing_while_somebody_reads_leaves_everything_usable(tmp_path: Path) -> None:
    file = tmp_path / "open.db"
    with contextlib.closing(sqlite3.connect(file, isolation_level=None)) as reader:
        with opened(f"sqlite:///{file}") as target:
            target.prepare(family(), "after")
            write(target, [(1, "one")])
            reader.execute("BEGIN")
            reader.execute("SELECT count(*) FROM release").fetchone()
        reader.execute("COMMIT")
        assert reader.execute("SELECT * FROM release").fetchall() == [(1, "one")]


@pytest.mark.parametrize("value", [float("nan"), float("inf"), float("-inf")])
def test_no_nan_and_no_infinity_lands(tmp_path: Path, value: float) -> None:
    mapping = single("point", column("id", "integer"), column("x", "double"))
    with opened(f"sqlite:///{tmp_path}/point.db") as target:
        target.prepare(mapping, "after")
        with pytest.raises(RowsRefused, match=r"SQLite has no NaN and no infinity") as caught:
            write(target, [(1, 0.5), (2, None), (3, value)])
        assert (caught.value.reason, caught.value.column, caught.value.row) == ("out_of_range", "x", 2)
        assert read(target, mapping, "point") == []


def test_numbers_keep_every_digit(tmp_path: Path) -> None:
    """A NUMERIC column would round what has more than 15 digits; such a column is TEXT."""
    mapping = single(
        "digits",
        column("id", "integer"),
        column("short", ColumnType("numeric", precision=15, scale=3)),
        column("long", ColumnType("numeric", precision=31, scale=1)),
    )
    digits = ["999999999999.999", "-0.001", "123456789012345678901234567890.1"]
    with opened(f"sqlite:///{tmp_path}/digits.db") as target:
        target.prepare(mapping, "after")
        write(target, [(1, digits[0], digits[2]), (2, digits[1], digits[2])])
    with contextlib.closing(sqlite3.connect(tmp_path / "digits.db")) as connection:
        rows = connection.execute("SELECT printf('%.3f', short), long FROM digits ORDER BY id").fetchall()
    assert rows == [("999999999999.999", digits[2]), ("-0.001", digits[2])]


def test_a_table_wider_than_a_statement_may_be(tmp_path: Path) -> None:
    """1200 columns: 100 rows a statement would be 120,000 variables, more than SQLite was built for."""
    mapping = single("wide", column("id", "integer"), *(column(f"c{n}") for n in range(1200)))
    with opened(f"sqlite:///{tmp_path}/wide.db") as target:
        target.prepare(mapping, "after")
        write(target, [(n, *["x"] * 1200) for n in range(205)])
        assert len(read(target, mapping, "wide")) == 205


def test_connections_can_be_interrupted_while_others_are_made(tmp_path: Path) -> None:
    switching = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    try:
        with opened(f"sqlite:///{tmp_path / 'a.db'}") as target:
            made: list[TargetConnection] = []
            maker = threading.Thread(target=lambda: made.extend(target.connect() for _ in range(300)))
            maker.start()
            while maker.is_alive():
                target.interrupt()
            maker.join()
    finally:
        sys.setswitchinterval(switching)
    assert len(made) == 300


def test_a_single_integer_key_is_the_row_number(tmp_path: Path) -> None:
    mapping = family()
    with opened(f"sqlite:///{tmp_path}/rowid.db") as target:
        target.prepare(mapping, "after")
        write(target, [(7, "seven")])
        with pytest.raises(RowsRefused, match=r"UNIQUE constraint failed: release\.id"):
            write(target, [(7, "again")])
    with contextlib.closing(sqlite3.connect(tmp_path / "rowid.db")) as connection:
        assert connection.execute("SELECT rowid, id FROM release").fetchall() == [(7, 7)]


def test_foreign_keys_are_declared_and_hold(tmp_path: Path) -> None:
    mapping = family()
    with opened(f"sqlite:///{tmp_path}/keys.db") as target:
        target.prepare(mapping, "after")
        write(target, [(1, "one")], [(1, 1, "a")])
        assert target.build_keys(mapping) == []
    with contextlib.closing(sqlite3.connect(tmp_path / "keys.db")) as connection:
        connection.execute("PRAGMA foreign_keys = ON")
        assert connection.execute("PRAGMA foreign_key_check").fetchall() == []
        with pytest.raises(sqlite3.IntegrityError):
            connection.execute("INSERT INTO track VALUES (2, 1, 'b')")


def test_copy_text_is_not_for_sqlite(tmp_path: Path) -> None:
    with opened(f"sqlite:///{tmp_path}/x.db") as target:
        target.prepare(family(), "after")
        with contextlib.closing(target.connect()) as connection:
            connection.begin()
            with pytest.raises(InternalError):
                connection.write(0, [CopyRows(b"1\tone\n", array("I", [0]))])
            connection.rollback()
