"""PostgreSQL through psycopg 3: COPY of the workers' ready bytes, or executemany of tuples.

Whatever libpq understands works: URLs with or without host and user, PG* variables, .pgpass, services.
"""

from __future__ import annotations

import os
from collections.abc import Collection, Sequence
from contextlib import closing
from dataclasses import replace
from itertools import chain
from typing import Any, Literal

import psycopg
import sqlalchemy as sa
from psycopg import errors as pg_errors
from psycopg.conninfo import conninfo_to_dict, make_conninfo
from sqlalchemy.pool import NullPool
from sqlalchemy.sql.ddl import ExecutableDDLElement

from etl.errors import EtlError, InternalError, TargetError, mask_password
from etl.mapping.model import Column, ColumnType, Mapping, Table
from etl.messages import CopyRows, RowFormat, TupleRows
from etl.targets.base import Preparation, Rows
from etl.targets.postgres_errors import said, translate
from etl.targets.schema import Keys, LateKey, Xml, compiled, quote, type_name
from etl.targets.sql import NO_PLACE, Obstacle, SqlConnection, SqlTarget, driver_error

CONNECTION_DEFAULTS = {
    "connect_timeout": "20",
    "fallback_application_name": "etl",
    # A server that vanished without a word is noticed after about a minute, not after the system's two hours.
    "keepalives": "1",
    "keepalives_idle": "30",
    "keepalives_interval": "10",
    "keepalives_count": "3",
}
"""Used where neither the URL nor the environment says otherwise. Times in seconds."""

SESSION = (
    "SET synchronous_commit = off; "  # rows and ledger go together, so a crash loses both or none
    "SET statement_timeout = 0; "  # a limit meant for interactive queries would end a COPY
    "SET idle_in_transaction_session_timeout = 0; "
    "SET lock_timeout = '60s'; "  # who holds a table longer than this gets named rather than waited for
    "SET DateStyle = ISO"
)

CANCEL_SECONDS = 5.0
"""How long the server may take to hear that a statement is to end."""

KEY_MEMORY = "256MB"
"""maintenance_work_mem while keys are built: sorts 256 MB of keys at once, where the default is 64 MB."""

DDL_LOCK = 0x65746C_64646C
"""Number of the advisory lock under which every load changes the schema ("etl ddl" in ASCII)."""

KEY_LOCK = 0x65746C6B
"""First number ("etlk") of the advisory lock of a table that gets its keys later; the second is made from its name."""

KEY_OBSTACLES = (
    pg_errors.UniqueViolation,
    pg_errors.ForeignKeyViolation,
    pg_errors.InvalidForeignKey,
    pg_errors.ProgramLimitExceeded,  # a value too long for an index
    pg_errors.UndefinedObject,  # a type without order
)

TRY_LOCKS = sa.text(
    "SELECT pg_try_advisory_lock(:kind, hashtext(name)) FROM unnest(CAST(:names AS text[])) WITH ORDINALITY"
    " AS wanted(name, place) ORDER BY place"
)
UNLOCK = sa.text("SELECT pg_advisory_unlock(:kind, hashtext(name)) FROM unnest(CAST(:names AS text[])) AS name")
LOCK = sa.text("SELECT pg_advisory_lock(:kind, hashtext(:name))")

LOCK_HOLDER = """
    SELECT a.application_name, a.pid, coalesce(host(a.client_addr), 'this machine'),
           to_char(a.backend_start, 'YYYY-MM-DD HH24:MI:SS')
    FROM pg_locks l JOIN pg_stat_activity a ON a.pid = l.pid
    WHERE l.locktype = 'advisory' AND l.granted AND l.objsubid = 2
      AND l.database = (SELECT oid FROM pg_database WHERE datname = current_database())
      AND CAST(l.classid AS bigint) = :kind AND CAST(l.objid AS bigint) = CAST(hashtext(:name) AS bigint) & 4294967295
"""
"""The server shows the two numbers of such a lock as unsigned integers."""


class PostgresConnection(SqlConnection):
    driver_error = psycopg.Error

    def __init__(self, target: PostgresTarget, connection: sa.Connection) -> None:
        super().__init__(connection, target.translate)
        self._target = target

    def lock(self) -> None:
        self.execute(sa.select(sa.func.pg_advisory_xact_lock(sa.cast(DDL_LOCK, sa.BigInteger))))

    def write(self, table: int, rows: Sequence[Rows]) -> None:
        statement = self._target.statements[table]
        try:
            with self.translated(), self.driver.cursor() as cursor:
                if self._target.row_format == "copy":
                    self._copy(cursor, statement, rows)
                else:
                    cursor.executemany(statement, chain.from_iterable(_tuples(batch) for batch in rows))
        except TargetError as error:
            if isinstance(driver_error(error), pg_errors.UniqueViolation):
                raise TargetError(f"{error} {self._target.way_out(table)}") from error
            raise

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
        with self.translated():
            if durable:
                self.driver.execute("SET LOCAL synchronous_commit = on")
            self.sql.commit()

    def interrupt(self) -> None:
        # Where it comes too late there is nothing left to interrupt.
        with self.translated():
            self.driver.cancel_safe(timeout=CANCEL_SECONDS)


class PostgresTarget(SqlTarget):
    """A PostgreSQL database. Raises TargetError where `url` is none libpq understands."""

    max_insert_threads = None
    default_insert_threads = 2

    def __init__(self, url: str, method: Literal["copy", "executemany"], ledger_schema: str | None) -> None:
        super().__init__(mask_password(url), "postgresql", ledger_schema)
        self.row_format: RowFormat = "copy" if method == "copy" else "tuples"
        self.statements: tuple[bytes, ...] = ()
        self._conninfo = _conninfo(url)
        self._connected = False
        self._guard: PostgresConnection | None = None
        self._reserved: set[str] = set()
        self._engine = sa.create_engine(
            "postgresql+psycopg://", creator=self._open, poolclass=NullPool, hide_parameters=True
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
        self._open_connections.add(connection)
        return connection

    def prepare(self, mapping: Mapping, keys: Keys) -> Preparation:
        notices: tuple[str, ...] = ()
        if any(_is_xml(column) for table in mapping.tables for column in table.columns) and not self._has_xml():
            mapping = _with_xml_as_text(mapping)
            notices = ("This PostgreSQL was built without xml: the mapping's columns of type xml are text here.",)
        preparation = super().prepare(mapping, keys)
        statement = _copy_statement if self.row_format == "copy" else _insert_statement
        self.statements = tuple(statement(table) for table in mapping.tables)
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

    def create_own_tables(self, metadata: sa.MetaData) -> None:
        try:
            super().create_own_tables(metadata)
        except TargetError as error:
            if getattr(driver_error(error), "sqlstate", None) not in NO_PLACE:
                raise
            raise TargetError(
                f"{error} The load keeps its ledger (etl_source, etl_split, etl_reject, etl_table) in the database: the"
                " setting ledger.schema names another schema for it, one where its user may create tables."
            ) from error

    def close(self) -> None:
        super().close()
        self._guard = None
        self._engine.dispose()

    def translate(self, error: Exception) -> EtlError:
        return translate(error, self.label, connected=self._connected)

    def _open(self) -> psycopg.Connection[Any]:
        connection = psycopg.connect(self._conninfo, autocommit=True, client_encoding="utf8")
        try:
            connection.execute(SESSION)
            connection.isolation_level = psycopg.IsolationLevel.READ_COMMITTED
            connection.autocommit = False
        except BaseException:
            connection.close()
            raise
        self._connected = True
        return connection

    def _reserve(self, tables: Collection[str]) -> None:
        """Take the tables' advisory locks on a connection of their own, which keeps them until the load ends."""
        wanted = sorted(set(tables) - self._reserved)
        if not wanted:
            return
        if self._guard is None:
            self._guard = self.connect()
        guard = self._guard
        guard.begin()
        guard.execute(sa.text("SET LOCAL lock_timeout = 0"))
        schema = self._schema_name(guard)
        names = [f"{schema}.{table}" for table in wanted]
        # Nobody waits for one while holding a later one, so two loads cannot wait for each other.
        while names:
            taken = [row[0] for row in guard.execute(TRY_LOCKS, [{"kind": KEY_LOCK, "names": names}])]
            free = taken.index(False) if False in taken else len(names)
            later = [name for name, mine in zip(names[free:], taken[free:], strict=True) if mine]
            guard.execute(UNLOCK, [{"kind": KEY_LOCK, "names": later}])
            if free < len(names):
                lock = {"kind": KEY_LOCK, "name": names[free]}
                table = names[free].removeprefix(f"{schema}.")
                self.notify(
                    f"Waiting for {_holder(guard, lock)}, which is loading into {table} and builds its keys last."
                )
                guard.execute(LOCK, [lock])
            names = names[free + 1 :]
        guard.commit(durable=False)
        self._reserved |= set(wanted)

    def _build(self, connection: SqlConnection, mapping: Mapping, keys: Sequence[LateKey]) -> Obstacle | None:
        statements = [f"SET LOCAL maintenance_work_mem = '{KEY_MEMORY}'", "SET LOCAL lock_timeout = 0"]
        for key in keys:
            if key.build is not None:
                statements += ["SAVEPOINT etl_key", *_locks(mapping, key), compiled(key.build, self.dialect)]
                statements.append("RELEASE SAVEPOINT etl_key")
        try:
            with connection.translated():
                connection.driver.execute(";\n".join(statements).encode())
        except TargetError as error:
            cause = driver_error(error)
            if not isinstance(cause, KEY_OBSTACLES):
                raise
            connection.driver.execute("ROLLBACK TO SAVEPOINT etl_key")
            return Obstacle(self._not_built(connection, mapping, keys)[0], said(cause))
        return None


def _locks(mapping: Mapping, key: LateKey) -> list[str]:
    """For a foreign key: both tables, in the order in which a load writes them, so that none waits for the other."""
    table = mapping.tables[key.table]
    if key.kind != "foreign" or table.parent is None:
        return []
    return [f"LOCK TABLE {quote(mapping.tables[table.parent].name)}, {quote(table.name)} IN SHARE ROW EXCLUSIVE MODE"]


def _holder(connection: PostgresConnection, lock: dict[str, Any]) -> str:
    """Who has the lock, as a person finds it in the server's list of activities."""
    found = connection.execute(sa.text(LOCK_HOLDER), [lock])
    if not found:
        return "another load"
    name, pid, host, since = found[0]
    return f"{name or 'another load'} (server process {pid}, from {host}, since {since})"


def _conninfo(url: str) -> str:
    try:
        given = conninfo_to_dict(url)
        # An unescaped / in a password makes its first half a port, which libpq would only find when it connects.
        readable = all(port.isdecimal() for port in str(given.get("port") or 0).split(","))
    except psycopg.ProgrammingError:
        readable = False
    if not readable:
        # libpq's own words quote the part it stumbled over, which may be half a password.
        raise TargetError(
            f"{mask_password(url)} is not a URL that PostgreSQL understands: expected"
            " postgresql://user:password@host:port/database, with / : @ % in a name or password written as %2F %3A %40"
            " %25."
        )
    if "PGCONNECT_TIMEOUT" in os.environ:
        given["connect_timeout"] = os.environ["PGCONNECT_TIMEOUT"]
    return make_conninfo(url, **{name: value for name, value in CONNECTION_DEFAULTS.items() if name not in given})


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
