"""PostgreSQL through psycopg 3: COPY of the workers' ready bytes, or executemany of tuples.

Whatever libpq understands works: URLs with or without host and user, PG* variables, .pgpass, services.
"""

from __future__ import annotations

import logging
from collections.abc import Collection, Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import replace
from itertools import chain
from typing import Any, Literal

import psycopg
import sqlalchemy as sa
from psycopg import errors as pg_errors
from sqlalchemy.pool import NullPool
from sqlalchemy.sql.ddl import ExecutableDDLElement

from etl.errors import ConnectionLost, EtlError, InternalError, TargetError, mask_password
from etl.mapping.model import Column, ColumnType, Mapping, Table
from etl.messages import CopyRows, RowFormat, TupleRows
from etl.options import Write
from etl.targets.base import Merged, Preparation, Rows, TargetConnection
from etl.targets.merging import numbered
from etl.targets.own_tables import OWN_TABLES
from etl.targets.postgres_checks import check_server
from etl.targets.postgres_errors import read_only_now, refusal, row_of_key, translate
from etl.targets.postgres_guard import PostgresGuard
from etl.targets.postgres_keys import build, declare, not_built, table_sizes, undeclared, withdraw
from etl.targets.postgres_new_rows import insert_new
from etl.targets.postgres_session import END_SECONDS, Backend, Session, codec, connect, conninfo, end_backend, set_up
from etl.targets.postgres_staging import LOCK_MERGES, MERGE_LOCK, analyze_statement, create_statement
from etl.targets.schema import Keys, LateKey, Xml, compiled, quote, type_name
from etl.targets.sql import NO_PLACE, Obstacle, SqlConnection, SqlTarget, driver_error, translated

CANCEL_SECONDS = 5.0
"""How long the server may take to hear that a statement is to end."""

DDL_LOCK = 0x65746C_64646C
"""Number of the advisory lock under which every load changes the schema ("etl ddl" in ASCII)."""

# Without a handler Python prints what psycopg logs of refused rows, which are told as rejects.
logging.getLogger("psycopg").addHandler(logging.NullHandler())


class PostgresConnection(SqlConnection):
    driver_error = psycopg.Error

    def __init__(self, target: PostgresTarget, connection: sa.Connection) -> None:
        super().__init__(connection, target.translate)
        self._target = target
        self.backend: Backend = self.driver.backend
        self.encoding = codec(self.driver)
        self._written: dict[int, Sequence[Rows]] = {}
        """Rows since the savepoint by table, to find one that is refused among."""
        self._staged: set[int] = set()
        """Tables of which there are rows in staging tables."""

    def begin(self) -> None:
        super().begin()
        self._staged.clear()

    def lock(self) -> None:
        self.execute(sa.select(sa.func.pg_advisory_xact_lock(sa.cast(DDL_LOCK, sa.BigInteger))))

    def insert_new(self, table: sa.Table, key: Sequence[str], columns: Sequence[Sequence[Any]]) -> set[tuple[Any, ...]]:
        return insert_new(self, table, key, columns)

    def write(self, table: int, rows: Sequence[Rows], *, find_row: bool = False) -> None:
        statement = self._target.statements[table]
        self._written[table] = rows if find_row else ()
        with self._refusals(table), self.translated(), self.driver.cursor() as cursor:
            if self._target.merging is not None:
                rows = [numbered(batch) for batch in rows]
                cursor.execute(self._target.create_staging[table], prepare=False)
                self._staged.add(table)
            if self._target.row_format == "copy":
                self._copy(cursor, statement, rows)
            else:
                cursor.executemany(statement, chain.from_iterable(_tuples(batch) for batch in rows))

    @contextmanager
    def _refusals(self, table: int | None = None) -> Iterator[None]:
        """Tell rows that are refused, of this table or of any, from all else that may be wrong."""
        try:
            yield
        except TargetError as error:
            tables = self._target.columns
            if table is not None:
                name = list(tables)[table]
                tables = {name: tables[name]}
            cause = driver_error(error)
            refused = refusal(cause, tables)
            if refused is None:
                raise
            refused = self._target.located(refused)
            if refused.row is None and refused.table_number is not None:
                # What is checked when a statement or a group ends is told by its key only.
                rows = chain.from_iterable(map(_shown_rows, self._written.get(refused.table_number, ())))
                refused.row = row_of_key(cause, tables[refused.table], rows)
            raise refused from cause

    def merge(self) -> Merged | None:
        merging = self._target.merging
        if merging is None:
            return None
        roots = [merging.tables[place].name for place in self._staged if merging.tables[place].parent is None]
        with self.translated():
            self.driver.execute(LOCK_MERGES, (MERGE_LOCK, sorted(roots)))
            for place in self._staged:
                self.driver.execute(self._target.analyze_staging[place], prepare=False)
        merged = merging.merge(self._run, self._staged)
        if self._staged:
            self._together("TRUNCATE " + ", ".join(quote(merging.staging[place].table.name) for place in self._staged))
            self._staged.clear()
        return merged

    def _run(self, table: int, statement: str) -> tuple[int, list[int]]:
        with self._refusals(table), self.translated(), self.driver.cursor() as cursor:
            cursor.execute(statement.encode(), prepare=False)
            return cursor.rowcount, [number for (number,) in cursor] if cursor.description else []

    def savepoint(self) -> None:
        super().savepoint()
        self._written.clear()

    def settle(self) -> None:
        # Where a constraint is deferred, the next group starts deferred again.
        self._together("SET CONSTRAINTS ALL IMMEDIATE", "SET CONSTRAINTS ALL DEFERRED", "RELEASE SAVEPOINT etl_records")

    def undo(self) -> bool:
        self._staged.clear()
        self._together("ROLLBACK TO SAVEPOINT etl_records", "RELEASE SAVEPOINT etl_records")
        return True

    def _together(self, *statements: str) -> None:
        """Run statements by one way to the server and back."""
        with self._refusals(), self.translated():
            self.driver.execute("; ".join(statements).encode(), prepare=False)

    def _copy(self, cursor: psycopg.Cursor[Any], statement: bytes, rows: Sequence[Rows]) -> None:
        if not any(len(batch) for batch in rows):
            return
        with cursor.copy(statement) as copy:
            for batch in rows:
                copy.write(_copy_text(batch))

    def execute_all(self, statements: Sequence[ExecutableDDLElement]) -> None:
        if statements:
            # One way to the server and back for all of them.
            text = ";\n".join(compiled(statement, "postgresql") for statement in statements)
            with self.translated():
                self.driver.execute(text.encode())

    def commit(self, *, durable: bool) -> None:
        with self._refusals(), self.translated():
            if durable:
                self.driver.execute(f"SET LOCAL synchronous_commit = {self.driver.durability}".encode())
            self.sql.commit()

    def interrupt(self) -> None:
        # Where it comes too late there is nothing left to interrupt.
        with self.translated():
            self.driver.cancel_safe(timeout=CANCEL_SECONDS)


class PostgresTarget(SqlTarget):
    """A PostgreSQL database. Raises TargetError where `url` is none libpq understands."""

    max_insert_threads = None
    default_insert_threads = 2

    def __init__(
        self,
        url: str,
        method: Literal["copy", "executemany"],
        ledger_schema: str | None,
        write: Write = "append",
        key_connections: int | None = None,
    ) -> None:
        super().__init__(mask_password(url), "postgresql", ledger_schema, write)
        self.key_connections = key_connections or self.default_insert_threads
        self.row_format: RowFormat = "copy" if method == "copy" else "tuples"
        self.statements: tuple[bytes, ...] = ()
        """What writes the rows of each table: to the staging table where there is one."""
        self.create_staging: tuple[bytes, ...] = ()
        self.analyze_staging: tuple[bytes, ...] = ()
        self.columns: dict[str, list[str]] = {}
        """Names of the mapping's tables, in its order, and of their columns."""
        self._conninfo = conninfo(url)
        self._connected = False
        self._guard = PostgresGuard(self)
        self._engine = sa.create_engine(
            "postgresql+psycopg://",
            creator=self._open,
            poolclass=NullPool,
            hide_parameters=True,
            use_native_hstore=False,  # or it asks the server for that type, and no statement here has it
        )
        types: Any = self._engine.dialect
        types.ischema_names = {**types.ischema_names, "xml": Xml}

    def connect(self) -> PostgresConnection:
        try:
            connection = PostgresConnection(self, self._engine.connect())
        except sa.exc.DBAPIError as error:
            raise self.translate(error.orig if isinstance(error.orig, Exception) else error) from error
        except psycopg.Error as error:
            raise self.translate(error) from error
        with self._opening:
            self._open_connections.add(connection)
        return connection

    def prepare(self, mapping: Mapping, keys: Keys) -> Preparation:
        notices: tuple[str, ...] = ()
        if any(_is_xml(column) for table in mapping.tables for column in table.columns) and not self._has_xml():
            mapping = _with_xml_as_text(mapping)
            notices = ("This PostgreSQL was built without xml: the mapping's columns of type xml are text here.",)
        preparation = super().prepare(mapping, keys)
        statement = _copy_statement if self.row_format == "copy" else _insert_statement
        if self.merging is None:
            self.statements = tuple(statement(table) for table in mapping.tables)
        else:
            self.statements = tuple(statement(staging.table) for staging in self.merging.staging)
            self.create_staging = tuple(map(create_statement, mapping.tables, self.merging.staging))
            self.analyze_staging = tuple(map(analyze_statement, self.merging.staging))
        self.columns = {table.name: [column.name for column in table.columns] for table in mapping.tables}
        return replace(preparation, notices=notices + preparation.notices)

    def _has_xml(self) -> bool:
        try:
            with closing(self.connect()) as connection, connection.translated():
                connection.driver.execute("SELECT xml '<a/>'")
        except TargetError as error:
            if isinstance(driver_error(error), pg_errors.FeatureNotSupported):
                return False
            raise
        return True

    def create_own_tables(self, connection: TargetConnection, metadata: sa.MetaData) -> None:
        try:
            super().create_own_tables(connection, metadata)
        except TargetError as error:
            if getattr(driver_error(error), "sqlstate", None) not in NO_PLACE:
                raise
            raise TargetError(
                f"{error} The load keeps its ledger ({', '.join(OWN_TABLES)}) in the database: the"
                " setting ledger.schema names another schema for it, one where its user may create tables."
            ) from error

    def close(self) -> None:
        self._guard.close()
        super().close()
        self._engine.dispose()

    def translate(self, error: Exception) -> EtlError:
        return translate(error, self.label, connected=self._connected)

    def _open(self) -> Session:
        session = connect(self._conninfo)
        try:
            if not self._connected:
                check_server(session, self._conninfo, self.label)
            elif session.backend.is_standby or session.backend.read_only:
                raise read_only_now(self.label)
            set_up(session)
        except BaseException:
            session.close()
            raise
        self._connected = True
        return session

    def _reserve(self, tables: Collection[str]) -> None:
        self._guard.reserve(tables)

    def hold(self) -> int:
        return self._guard.hold()

    def holder(self, lock: int) -> str | None:
        return self._guard.holder(lock)

    def _seize(self, connection: SqlConnection, tables: Sequence[str]) -> None:
        if tables:
            with connection.translated():
                connection.driver.execute(f"LOCK TABLE {', '.join(map(quote, tables))}".encode())

    def _delete_all(self, connection: SqlConnection, tables: Sequence[str]) -> None:
        if tables:
            with connection.translated():
                connection.driver.execute(f"TRUNCATE {', '.join(map(quote, tables))}".encode())

    def abandon(self, connection: TargetConnection) -> None:
        if not isinstance(connection, PostgresConnection):
            raise InternalError("PostgreSQL was given another target's connection.")
        if not connection.sql.closed:
            connection.sql.invalidate()
            connection.close()
        # A pooler ends what a client had begun that left, and may serve somebody else with the same process by now.
        if not connection.backend.pooled:
            self._end(connection.backend)

    def _end(self, backend: Backend) -> None:
        with translated(psycopg.Error, self.translate), closing(connect(self._conninfo)) as session:
            ended = end_backend(session, backend)
        if not ended:
            raise ConnectionLost(
                f"The connection to {self.label} was lost, and its session (server process {backend.pid}) did not end"
                f" within {END_SECONDS:g} s."
            )

    def build(self, connection: SqlConnection, mapping: Mapping, keys: Sequence[LateKey]) -> Obstacle | None:
        refused = build(connection, mapping, keys, self.key_connections)
        return None if refused is None else Obstacle(self._not_built(connection, mapping, keys)[0], refused)

    def declare(self, connection: SqlConnection, mapping: Mapping, keys: Sequence[LateKey]) -> Obstacle | None:
        refused = declare(connection, mapping, keys)
        return None if refused is None else Obstacle(undeclared(connection, mapping, keys)[0], refused)

    def withdraw(self, connection: SqlConnection, mapping: Mapping, keys: Sequence[LateKey]) -> None:
        withdraw(connection, mapping, keys)

    def _not_built(self, connection: SqlConnection, mapping: Mapping, keys: Sequence[LateKey]) -> list[LateKey]:
        return not_built(connection, mapping, keys)

    def _sizes(self, connection: SqlConnection, tables: Collection[str]) -> dict[str, int]:
        return table_sizes(connection, tables) if self.key_connections > 1 else {}


def _shown_rows(batch: Rows) -> Iterator[Sequence[str]]:
    """Rows about as the server shows their values."""
    if isinstance(batch, TupleRows):
        return (list(map(str, row)) for row in batch.rows)
    return (line.split("\t") for line in batch.data.decode("utf-8", "replace").split("\n")[:-1])


def _copy_text(batch: Rows) -> bytes:
    if not isinstance(batch, CopyRows):
        raise InternalError("COPY was given tuples.")
    return batch.data


def _tuples(batch: Rows) -> list[tuple[object, ...]]:
    if not isinstance(batch, TupleRows):
        raise InternalError("executemany was given COPY text.")
    return batch.rows


def _columns(table: Table, *, percent: str) -> str:
    return ", ".join(quote(column.name).replace("%", percent) for column in table.columns)


def _copy_statement(table: Table) -> bytes:
    return f"COPY {quote(table.name)} ({_columns(table, percent='%')}) FROM STDIN".encode()


def _insert_statement(table: Table) -> bytes:
    # psycopg reads its placeholders with %, so one in a name is doubled.
    name, places = quote(table.name).replace("%", "%%"), ", ".join(map(_place, table.columns))
    return f"INSERT INTO {name} ({_columns(table, percent='%%')}) VALUES ({places})".encode()


def _place(column: Column) -> str:
    if not column.is_array:
        return "%s"
    # Tuples have arrays as JSON.
    elements = "json_array_elements" if column.type.name in ("json", "jsonb") else "json_array_elements_text"
    return (
        f"(SELECT CAST(ARRAY(SELECT {elements}(list)) AS {type_name(column, 'postgresql').replace('%', '%%')})"
        " FROM (SELECT CAST(%s AS json) AS list) AS given WHERE list IS NOT NULL)"
    )


def _is_xml(column: Column) -> bool:
    return column.type.name == "xml" and not column.sql


def _with_xml_as_text(mapping: Mapping) -> Mapping:
    tables = [
        replace(
            table,
            columns=tuple(
                replace(column, type=ColumnType("text")) if _is_xml(column) else column for column in table.columns
            ),
        )
        for table in mapping.tables
    ]
    return replace(mapping, tables=tuple(tables))
