"""SQLite: a file, one writer. Rows arrive as tuples and go in through the standard library's sqlite3.

The write-ahead log makes commits cheap while rows arrive; when the load ends, a file that had none before is one plain
file again.
"""

from __future__ import annotations

import math
import sqlite3
import time
from collections.abc import Collection, Sequence
from contextlib import closing, suppress
from itertools import chain
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from sqlalchemy.pool import NullPool

from etl.errors import EtlError, InternalError, TargetError, TransientError
from etl.mapping.model import Mapping, Table
from etl.messages import TupleRows
from etl.targets.base import Preparation, Rows, TargetConnection
from etl.targets.key_problems import lost_rows, shown_values
from etl.targets.schema import Keys, LateKey, quote
from etl.targets.sql import Obstacle, SqlConnection, SqlTarget
from etl.targets.sqlite_holds import SqliteHolds

BUSY_SECONDS = 60.0
"""How long a lock of another program is waited for: longer than any commit, short enough to be told about it."""

BUSY_STEP_SECONDS = 0.2
"""In between, whether the wait was interrupted is looked at: SQLite does not end it by itself."""

JOURNAL_STEP_SECONDS = 0.02
"""Until the journal is tried again: changing it takes a few milliseconds."""

ROWS_PER_STATEMENT = 100
"""Rows in one INSERT: for narrow tables 1.5 times as fast as one row each; more brings nothing."""

WAL_PAGES = 16_384
"""Pages (64 MiB) after which the log is copied into the file: several batches at once, a fifth faster than 1000."""

UNIQUE = (sqlite3.SQLITE_CONSTRAINT_UNIQUE, sqlite3.SQLITE_CONSTRAINT_PRIMARYKEY, sqlite3.SQLITE_CONSTRAINT_ROWID)
"""Codes of errors that say that a value of a key came a second time."""

CACHE_KIB = 16 * 1024
"""Page cache: building an index over more than SQLite's 2 MB would write each page many times, and more than this
takes memory only."""


class SqliteConnection(SqlConnection):
    driver_error = sqlite3.Error

    def __init__(self, target: SqliteTarget, connection: sa.Connection, inserts: Sequence[_Insert]) -> None:
        super().__init__(connection, target.translate)
        self._target = target
        self._inserts = inserts
        self._durable = False
        self._interrupted = False

    def begin(self) -> None:
        super().begin()
        with self.translated():
            self.driver.execute(f"PRAGMA busy_timeout = {BUSY_STEP_SECONDS * 1000:.0f}")
            deadline = time.monotonic() + BUSY_SECONDS
            while not self._begun(deadline):
                pass
            self.driver.execute(f"PRAGMA busy_timeout = {BUSY_SECONDS * 1000:.0f}")

    def _begun(self, deadline: float) -> bool:
        try:
            self.driver.execute("BEGIN IMMEDIATE")
        except sqlite3.OperationalError as error:
            if not _is_busy(error) or self._interrupted or time.monotonic() > deadline:
                raise
            return False
        return True

    def lock(self) -> None:
        """BEGIN IMMEDIATE has taken it: there is one writer."""

    def write(self, table: int, rows: Sequence[Rows], *, find_row: bool = False) -> None:
        values = list(chain.from_iterable(_values(batch) for batch in rows))
        try:
            with self.translated():
                self._inserts[table].run(self.driver, values)
        except TargetError as error:
            if getattr(error.__cause__, "sqlite_errorcode", 0) not in UNIQUE:
                raise
            raise TargetError(f"{error} {self._second(table, values)}{self._target.way_out(table)}") from error

    def _second(self, table: int, values: list[Any]) -> str:
        """Which value of the key came a second time, as a sentence."""
        # Another connection sees what was there before this transaction.
        with closing(sqlite3.connect(self._target.path, timeout=0.0)) as committed, suppress(sqlite3.Error):
            return self._inserts[table].second(committed, values)
        return ""

    def commit(self, *, durable: bool) -> None:
        with self.translated():
            self.sql.commit()
        if durable and not self._durable:
            self._make_durable()

    def _make_durable(self) -> None:
        """Bring what is committed to the disk, and every later commit of this connection at once.

        The level cannot change within a transaction, so a small second one carries the first to the disk with it.
        """
        with self.translated():
            self.driver.execute("PRAGMA synchronous = FULL")
            self.driver.execute("BEGIN IMMEDIATE")
            ((version,),) = self.driver.execute("PRAGMA user_version").fetchall()
            self.driver.execute(f"PRAGMA user_version = {version}")
            self.driver.execute("COMMIT")
        self._durable = True

    def interrupt(self) -> None:
        self._interrupted = True
        self.driver.interrupt()


class SqliteTarget(SqlTarget):
    """A SQLite file. Raises TargetError where there can be none at `path`."""

    row_format = "tuples"
    max_insert_threads = 1
    default_insert_threads = 1

    def __init__(self, path: Path, label: str) -> None:
        super().__init__(label, "sqlite", ledger_schema=None)
        _check_place(path)
        self.path = path
        self._inserts: tuple[_Insert, ...] = ()
        self._made_log = False
        self._holds = SqliteHolds(path)
        self._engine = sa.create_engine("sqlite://", creator=self._open, poolclass=NullPool, hide_parameters=True)

    def connect(self) -> SqliteConnection:
        try:
            connection = SqliteConnection(self, self._engine.connect(), self._inserts)
        except sa.exc.DBAPIError as error:
            raise self.translate(error.orig if isinstance(error.orig, Exception) else error) from error
        except sqlite3.Error as error:
            raise self.translate(error) from error
        self._open_connections.add(connection)
        return connection

    def prepare(self, mapping: Mapping, keys: Keys) -> Preparation:
        preparation = super().prepare(mapping, keys)
        with closing(self.connect()) as connection:
            limit = connection.driver.getlimit(sqlite3.SQLITE_LIMIT_VARIABLE_NUMBER)
        self._inserts = tuple(_Insert(table, limit) for table in mapping.tables)
        return preparation

    def close(self) -> None:
        super().close()
        if self._made_log:
            self._made_log = False
            # Where somebody else has the file open, or it is gone, the log stays as it is, which is correct too.
            with suppress(sqlite3.Error), closing(sqlite3.connect(self.path, timeout=1.0)) as connection:
                connection.execute("PRAGMA journal_mode = DELETE")
        self._holds.close()
        self._engine.dispose()

    def translate(self, error: Exception) -> EtlError:
        return translate(error, self.label)

    def _open(self) -> sqlite3.Connection:
        deadline = time.monotonic() + BUSY_SECONDS
        while True:
            try:
                return self._set_up()
            except sqlite3.OperationalError as error:
                # To change the journal SQLite does not wait for another connection that does the same.
                if not _is_busy(error) or time.monotonic() > deadline:
                    raise
                time.sleep(JOURNAL_STEP_SECONDS)

    def _set_up(self) -> sqlite3.Connection:
        connection = sqlite3.connect(
            self.path, timeout=BUSY_SECONDS, isolation_level=None, check_same_thread=False, cached_statements=256
        )
        try:
            ((before,),) = connection.execute("PRAGMA journal_mode").fetchall()
            ((mode,),) = connection.execute("PRAGMA journal_mode = WAL").fetchall()
            self._made_log |= mode == "wal" and before != "wal"
            # Without a log (some network folders) only FULL survives a power cut.
            connection.execute(f"PRAGMA synchronous = {'NORMAL' if mode == 'wal' else 'FULL'}")
            connection.execute("PRAGMA foreign_keys = OFF")
            connection.execute(f"PRAGMA wal_autocheckpoint = {WAL_PAGES}")
            connection.execute(f"PRAGMA cache_size = -{CACHE_KIB}")
        except BaseException:
            connection.close()
            raise
        return connection

    def hold(self, source: int) -> str | None:
        return None if self._holds.take(source) else self._told_holder(source)

    def holder(self, source: int) -> str | None:
        return self._told_holder(source) if self._holds.is_taken(source) else None

    def _told_holder(self, source: int) -> str:
        told = "SELECT holder FROM etl_source WHERE number = ?"
        with suppress(sqlite3.Error), closing(sqlite3.connect(self.path, timeout=BUSY_SECONDS)) as connection:
            for (holder,) in connection.execute(told, (source,)):
                return str(holder)
        return "another load"

    def abandon(self, connection: TargetConnection) -> None:
        connection.rollback()
        connection.close()

    def _seize(self, connection: SqlConnection, tables: Sequence[str]) -> None:
        """Nothing: there is one writer."""

    def _delete_all(self, connection: SqlConnection, tables: Sequence[str]) -> None:
        for table in tables:
            with connection.translated():
                connection.driver.execute(f"DELETE FROM {quote(table)}")

    def _reserve(self, tables: Collection[str]) -> None:
        """Nothing: loads take turns by transaction, and each builds what keys it finds missing."""

    def _build(self, connection: SqlConnection, mapping: Mapping, keys: Sequence[LateKey]) -> Obstacle | None:
        for key in keys:
            said = self._build_one(connection, mapping, key)
            if said:
                return Obstacle(key, said)
        return None

    def _build_one(self, connection: SqlConnection, mapping: Mapping, key: LateKey) -> str:
        """Build it; what SQLite says where it cannot."""
        if key.build is None:
            return "rows without parent" if connection.execute(lost_rows(mapping, key).limit(1)) else ""
        try:
            with connection.sql.begin_nested():
                connection.sql.execute(key.build)
        except sa.exc.IntegrityError as error:
            return str(error.orig)
        except sa.exc.DBAPIError as error:
            raise self.translate(error.orig if isinstance(error.orig, Exception) else error) from error
        return ""


class _Insert:
    """The INSERT of one table, for many rows and for one."""

    def __init__(self, table: Table, variables: int) -> None:
        names = ", ".join(quote(column.name) for column in table.columns)
        self._row = f"({', '.join('?' * len(table.columns))})"
        self._rows = max(1, min(ROWS_PER_STATEMENT, variables // len(table.columns)))
        self._one = f"INSERT INTO {quote(table.name)} ({names}) VALUES {self._row}"
        self._floats = [
            n
            for n, column in enumerate(table.columns)
            if column.type.name in ("real", "double") and not (column.is_array or column.sql)
        ]
        self._table = table

    def run(self, connection: sqlite3.Connection, values: list[Any]) -> None:
        self._check_floats(values)
        one = len(self._table.columns)
        many = one * self._rows
        whole = len(values) - len(values) % many
        if whole:
            statement = self._one + f", {self._row}" * (self._rows - 1)
            connection.executemany(statement, (values[at : at + many] for at in range(0, whole, many)))
        connection.executemany(self._one, (values[at : at + one] for at in range(whole, len(values), one)))

    def second(self, connection: sqlite3.Connection, values: list[Any]) -> str:
        """Which value of the key these rows have twice, or the table has already; empty where it is another key."""
        key, one = self._table.key, len(self._table.columns)
        places = [place for place, column in enumerate(self._table.columns) if column.name in key]
        names = [self._table.columns[place].name for place in places]
        there = f"SELECT 1 FROM {quote(self._table.name)} WHERE {' AND '.join(f'{quote(name)} = ?' for name in names)}"
        seen: set[tuple[Any, ...]] = set()
        for row in zip(*(values[place::one] for place in places), strict=True):
            if row in seen:
                return f"{self._table.name}: {shown_values(names, row)} came twice. "
            if connection.execute(there, row).fetchone():
                return f"{self._table.name}: {shown_values(names, row)} was there before. "
            seen.add(row)
        return ""

    def _check_floats(self, values: list[Any]) -> None:
        """SQLite would store NaN as NULL, and infinity as what no other database reads back."""
        for place in self._floats:
            if any(
                value is not None and not math.isfinite(value) for value in values[place :: len(self._table.columns)]
            ):
                column = self._table.columns[place].name
                raise TargetError(f"{self._table.name}.{column}: SQLite has no NaN and no infinity.")


def _values(batch: Rows) -> list[object]:
    if not isinstance(batch, TupleRows):
        raise InternalError("SQLite was given COPY text.")
    return batch.values


def _is_busy(error: Exception) -> bool:
    return getattr(error, "sqlite_errorcode", 0) & 0xFF in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED)


def _check_place(path: Path) -> None:
    folder = path.absolute().parent
    if path.is_dir():
        raise TargetError(f"{path} is a folder: name the database file in it, as in sqlite:///{path}/etl.db.")
    if not folder.is_dir():
        raise TargetError(f"There is no folder {folder} for the SQLite file {path.name}: create it, or check the path.")


def translate(error: Exception, label: str) -> EtlError:
    """Our error for one of SQLite's: which kind, in one sentence, with what to do."""
    code = getattr(error, "sqlite_errorcode", 0) & 0xFF
    text = str(error)
    match code:
        case sqlite3.SQLITE_BUSY | sqlite3.SQLITE_LOCKED:
            return TransientError(f"{label} is locked: another program has been writing to it for {BUSY_SECONDS:g} s.")
        case sqlite3.SQLITE_INTERRUPT:
            return TransientError(f"The statement running on {label} was interrupted.")
        case sqlite3.SQLITE_FULL:
            return TargetError(f"{label}: {text}. Make room on the disk and run the same command again.")
        case sqlite3.SQLITE_IOERR:
            return TargetError(
                f"{label}: {text}. The disk failed, is full, or a limit on the size of files was reached; what was"
                " committed is safe, and the same command goes on from there."
            )
        case sqlite3.SQLITE_NOTADB:
            return TargetError(f"{label}: {text}. Name another file, or remove this one if nobody needs it.")
        case sqlite3.SQLITE_CORRUPT:
            return TargetError(f"{label}: {text}. Restore it from a copy, or load into a new file.")
        case sqlite3.SQLITE_READONLY:
            return TargetError(
                f"{label}: {text}. Its file or its folder may not be written to: check their permissions."
            )
        case sqlite3.SQLITE_CANTOPEN | sqlite3.SQLITE_PERM:
            return TargetError(f"{label}: {text}. Check that this user may read and write the file and its folder.")
        case sqlite3.SQLITE_CONSTRAINT:
            return TargetError(f"{label} refused rows: {text}. The batch was rolled back: {_constraint_hint(error)}.")
        case _:
            return TargetError(f"{label}: {text}.")


def _constraint_hint(error: Exception) -> str:
    if getattr(error, "sqlite_errorcode", 0) in UNIQUE:
        return (
            "a key that stood before the load, as a single integer key does in every SQLite table, met a value for the"
            " second time"
        )
    return "change the mapping or the table, and run the same command again"
