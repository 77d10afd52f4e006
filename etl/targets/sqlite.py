"""SQLite: a file, one writer. Rows arrive as tuples and go in through the standard library's sqlite3, as they are.

The write-ahead log makes commits cheap while rows arrive; when the load ends, a file that had none before is one plain
file again.
"""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Collection, Iterator, Sequence
from contextlib import closing, contextmanager, suppress
from functools import partial
from itertools import chain, repeat
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from sqlalchemy.pool import NullPool

from etl.errors import EtlError, InternalError, RowsRefused, TargetError
from etl.mapping.model import Mapping, Table
from etl.messages import TupleRows
from etl.options import Write
from etl.targets.base import Merged, Preparation, Rows, TargetConnection
from etl.targets.key_problems import lost_rows
from etl.targets.merging import numbered
from etl.targets.schema import Keys, LateKey, quote
from etl.targets.sql import Obstacle, SqlConnection, SqlTarget, driver_error
from etl.targets.sqlite_errors import BUSY_SECONDS, is_busy, refusal, translate
from etl.targets.sqlite_holds import SqliteHold
from etl.targets.sqlite_insert import Insert
from etl.targets.sqlite_new_rows import insert_new
from etl.targets.sqlite_parents import ForeignKeyCheck, foreign_key_checks
from etl.targets.sqlite_rows import is_known, missing, offered
from etl.targets.sqlite_staging import staging_statement

BUSY_STEP_SECONDS = 0.2
"""In between, whether the wait was interrupted is looked at: SQLite does not end it by itself."""

JOURNAL_STEP_SECONDS = 0.02
"""Until the journal is tried again: changing it takes a few milliseconds."""

WAL_PAGES = 16_384
"""Pages (64 MiB) after which the log is copied into the file: several batches at once, a fifth faster than 1000."""

CACHE_KIB = 16 * 1024
"""Page cache: building an index over more than SQLite's 2 MB would write each page many times, and more than this
takes memory only."""


class SqliteConnection(SqlConnection):
    driver_error = sqlite3.Error

    def __init__(self, target: SqliteTarget, connection: sa.Connection, inserts: Sequence[Insert]) -> None:
        super().__init__(connection, target.translate)
        self._target = target
        self._inserts = inserts
        self._durable = False
        self._interrupted = False
        self._staged: set[int] = set()
        """Tables of which there are rows in staging tables."""
        self._group: list[tuple[ForeignKeyCheck, list[Any]]] | None = None
        """Rows since the savepoint whose foreign keys may be deferred; None where there was none."""

    def begin(self) -> None:
        super().begin()
        self._staged.clear()
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
            if not is_busy(error) or self._interrupted or time.monotonic() > deadline:
                raise
            return False
        return True

    def lock(self) -> None:
        """BEGIN IMMEDIATE has taken it: there is one writer."""

    def insert_new(self, table: sa.Table, key: Sequence[str], columns: Sequence[Sequence[Any]]) -> set[tuple[Any, ...]]:
        return insert_new(self, table, key, columns, compiled=self._target.compiled)

    def write(self, table: int, rows: Sequence[Rows], *, find_row: bool = False) -> None:
        insert, merging = self._inserts[table], self._target.merging
        if merging is not None:
            self._stage(table, rows)
            return
        batches = [_tuples(batch) for batch in rows]
        with self._refusals(insert.table), self.translated():
            if find_row:
                insert.run_one_by_one(self.driver, _values(batches))
            else:
                insert.run_encoded(self.driver, batches)
        if self._group is not None and insert.parents:
            self._group.append((insert.parents, _values(batches)))

    def _stage(self, table: int, rows: Sequence[Rows]) -> None:
        insert = self._inserts[table]
        with self._refusals(insert.table), self.translated():
            self.driver.execute(self._target.create_staging[table])
            insert.run_encoded(self.driver, [_tuples(numbered(batch)) for batch in rows])
        self._staged.add(table)

    def merge(self) -> Merged | None:
        merging = self._target.merging
        if merging is None:
            return None
        merged = merging.merge(self._run, self._staged)
        with self.translated():
            for place in self._staged:
                parents = self._inserts[place].parents
                if self._group is not None and parents:
                    rows = self.driver.execute(merging.rows_left(place))
                    self._group.append((parents, list(chain.from_iterable(rows))))
            for place in self._staged:
                self.driver.execute(f"DELETE FROM {quote(merging.staging[place].table.name)}")
        self._staged.clear()
        return merged

    def _run(self, table: int, statement: str) -> tuple[int, list[int]]:
        with self._refusals(self._inserts[table].table), self.translated(), closing(self.driver.cursor()) as cursor:
            cursor.execute(statement)
            numbers = [number for (number,) in cursor.fetchall()]
            return cursor.rowcount, numbers

    @contextmanager
    def _refusals(self, table: Table | None = None) -> Iterator[None]:
        """Tell rows that are refused, of this table or of any, from all else that may be wrong."""
        try:
            yield
        except RowsRefused as error:
            raise self._target.located(error) from error.__cause__
        except TargetError as error:
            cause = driver_error(error)
            refused = refusal(cause, table, None)
            if refused is None:
                raise
            raise self._target.located(refused) from cause

    def savepoint(self) -> None:
        super().savepoint()
        self._group = []

    def settle(self) -> None:
        # SQLite looks at deferred foreign keys at the commit only.
        with self._refusals(), self.translated():
            for parents, values in self._group or ():
                orphan = parents.orphan(self.driver, values)
                if orphan is not None:
                    raise orphan
        super().settle()

    def undo(self) -> bool:
        self._staged.clear()
        # RAISE(ROLLBACK) in a trigger, or ON CONFLICT ROLLBACK, has ended all of it.
        return self.driver.in_transaction and super().undo()

    def rollback(self) -> None:
        self._group = None
        super().rollback()
        # A commit that was refused has left it open, and SQLAlchemy takes it for ended.
        with suppress(sqlite3.Error):
            self.driver.rollback()

    def commit(self, *, durable: bool) -> None:
        self._group = None
        with self._refusals(), self.translated():
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

    def __init__(self, path: Path, label: str, write: Write = "append") -> None:
        super().__init__(label, "sqlite", None, write)
        _check_place(path)
        self.path = path
        self._inserts: tuple[Insert, ...] = ()
        self.create_staging: tuple[str, ...] = ()
        self.compiled = False
        """Whether connections know the function of `sqlite_rows`; unknown before `prepare`."""
        self._made_log = False
        self._hold = SqliteHold(path)
        self._engine = sa.create_engine("sqlite://", creator=self._open, poolclass=NullPool, hide_parameters=True)

    def connect(self) -> SqliteConnection:
        try:
            connection = SqliteConnection(self, self._engine.connect(), self._inserts)
            if any(insert.parents for insert in self._inserts):
                connection.driver.execute("PRAGMA foreign_keys = ON")
        except sa.exc.DBAPIError as error:
            raise self.translate(error.orig if isinstance(error.orig, Exception) else error) from error
        except sqlite3.Error as error:
            raise self.translate(error) from error
        with self._opening:
            self._open_connections.add(connection)
        return connection

    def create_own_tables(self, connection: TargetConnection, metadata: sa.MetaData) -> None:
        self._hold.tidy()
        super().create_own_tables(connection, metadata)

    def prepare(self, mapping: Mapping, keys: Keys) -> Preparation:
        preparation = super().prepare(mapping, keys)
        with closing(self.connect()) as connection:
            connection.begin()
            keyless = self._without_keys(connection) & {table.name for table in mapping.tables}
            connection.rollback()
            limit = connection.driver.getlimit(sqlite3.SQLITE_LIMIT_VARIABLE_NUMBER)
            self.compiled = is_known(connection.driver)
            self.slower_writing = "" if self.compiled else missing()
            with connection.translated():
                checks = foreign_key_checks(connection.driver, mapping, keyless)
                if self.merging is not None:
                    pairs = zip(mapping.tables, self.merging.staging, strict=True)
                    self.create_staging = tuple(staging_statement(connection.driver, *pair) for pair in pairs)
        staging = self.merging.staging if self.merging is not None else repeat(None)
        insert = partial(Insert, compiled=self.compiled)
        self._inserts = tuple(map(insert, mapping.tables, repeat(limit), checks, staging))
        return preparation

    def close(self) -> None:
        super().close()
        if self._made_log:
            self._made_log = False
            # Where somebody else has the file open, or it is gone, the log stays as it is, which is correct too.
            with suppress(sqlite3.Error), closing(sqlite3.connect(self.path, timeout=1.0)) as connection:
                connection.execute("PRAGMA journal_mode = DELETE")
        self._hold.close()
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
                if not is_busy(error) or time.monotonic() > deadline:
                    raise
                time.sleep(JOURNAL_STEP_SECONDS)

    def _set_up(self) -> sqlite3.Connection:
        with offered():
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

    def hold(self) -> int:
        return self._hold.take()

    def holder(self, lock: int) -> str | None:
        return self._hold.holder(lock)

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

    def build(self, connection: SqlConnection, mapping: Mapping, keys: Sequence[LateKey]) -> Obstacle | None:
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


def _tuples(batch: Rows) -> TupleRows:
    if not isinstance(batch, TupleRows):
        raise InternalError("SQLite was given COPY text.")
    return batch


def _values(batches: Sequence[TupleRows]) -> list[object]:
    return list(chain.from_iterable(batch.values for batch in batches))


def _check_place(path: Path) -> None:
    folder = path.absolute().parent
    if path.is_dir():
        raise TargetError(f"{path} is a folder: name the database file in it, as in sqlite:///{path}/etl.db.")
    if not folder.is_dir():
        raise TargetError(f"There is no folder {folder} for the SQLite file {path.name}: create it, or check the path.")
