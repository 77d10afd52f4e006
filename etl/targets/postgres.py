"""PostgreSQL through psycopg 3: COPY of the workers' ready bytes, or executemany of tuples.

Whatever libpq understands works: URLs with or without host and user, PG* variables, .pgpass, services.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from itertools import chain
from typing import Any, Literal

import psycopg
import sqlalchemy as sa
from psycopg import errors as pg_errors
from psycopg.conninfo import conninfo_to_dict, make_conninfo
from sqlalchemy.pool import NullPool

from etl.errors import ConnectionLost, EtlError, TargetError, TransientError, mask_password
from etl.mapping.model import Mapping, Table
from etl.messages import CopyRows, RowFormat, TupleRows
from etl.targets.base import Preparation, Rows
from etl.targets.schema import Keys, LateKey, quote
from etl.targets.sql import SqlConnection, SqlTarget

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

KEY_MEMORY = "256MB"
"""maintenance_work_mem while keys are built: sorts 256 MB of keys at once, where the default is 64 MB."""

DDL_LOCK = 0x65746C_64646C
"""Number of the advisory lock under which every load changes the schema ("etl ddl" in ASCII)."""

KEY_LOCK = 0x65746C6B
"""First number of the advisory lock of a table whose key is being built ("etlk"); the second is made from its name."""

_TRANSIENT_CLASSES = ("08", "40")
_TRANSIENT_STATES = ("55P03", "57014", "57P01", "57P02", "57P03", "57P05", "53300")
_HINTS = {
    "42501": "Grant that right to the user, or connect as another one",
    "53100": "The server's disk is full: make room and run the same command again",
    "53200": "The server has no memory left: lower insert.batch_bytes or give it more",
    "25006": "The server or the user's default is read-only: connect to the primary server",
    "3D000": "Create the database first, for example with createdb",
    "28P01": "Check user and password",
    "28000": "Check user and password, and the server's pg_hba.conf",
}
_LOST_STATES = ("57P01", "57P02", "57P05")


class PostgresConnection(SqlConnection):
    driver_error = psycopg.Error

    def __init__(self, target: PostgresTarget, connection: sa.Connection) -> None:
        super().__init__(connection, target.translate)
        self._target = target

    def lock(self) -> None:
        self.execute(sa.select(sa.func.pg_advisory_xact_lock(sa.cast(DDL_LOCK, sa.BigInteger))))

    def write(self, table: int, rows: Sequence[Rows]) -> None:
        with self.translated(), self.driver.cursor() as cursor:
            if self._target.row_format == "copy":
                self._copy(cursor, table, rows)
            else:
                values = chain.from_iterable(batch.rows for batch in rows if isinstance(batch, TupleRows))
                cursor.executemany(self._target.statements[table], values)

    def _copy(self, cursor: psycopg.Cursor[Any], table: int, rows: Sequence[Rows]) -> None:
        if not any(len(batch) for batch in rows):
            return
        with cursor.copy(self._target.statements[table]) as copy:
            for batch in rows:
                if isinstance(batch, CopyRows):
                    copy.write(batch.data)

    def commit(self, *, durable: bool) -> None:
        with self.translated():
            if durable:
                self.driver.execute("SET LOCAL synchronous_commit = on")
            self.sql.commit()

    def interrupt(self) -> None:
        # Where it comes too late there is nothing left to interrupt.
        with self.translated():
            self.driver.cancel_safe()


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
        self._engine = sa.create_engine(
            "postgresql+psycopg://", creator=self._open, poolclass=NullPool, hide_parameters=True
        )

    def connect(self) -> PostgresConnection:
        try:
            return PostgresConnection(self, self._engine.connect())
        except sa.exc.DBAPIError as error:
            raise self.translate(error.orig if isinstance(error.orig, Exception) else error) from error
        except psycopg.Error as error:
            raise self.translate(error) from error

    def prepare(self, mapping: Mapping, keys: Keys) -> Preparation:
        preparation = super().prepare(mapping, keys)
        statement = _copy_statement if self.row_format == "copy" else _insert_statement
        self.statements = tuple(statement(table) for table in mapping.tables)
        return preparation

    def close(self) -> None:
        self._engine.dispose()

    def translate(self, error: Exception) -> EtlError:
        return _translate(error, self.label, connected=self._connected)

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

    def _prepare_key_building(self, connection: SqlConnection, mapping: Mapping, key: LateKey) -> None:
        table = mapping.tables[key.table]
        name = f"{self._schema_name(connection)}.{table.name}"
        with connection.translated():
            # Others may be writing to the table for long, and the load has nothing else left to do.
            connection.driver.execute(f"SET LOCAL maintenance_work_mem = '{KEY_MEMORY}'; SET LOCAL lock_timeout = 0")
            connection.driver.execute("SELECT pg_advisory_xact_lock(%s, hashtext(%s))", (KEY_LOCK, name))
            if key.kind == "foreign" and table.parent is not None:
                # In the order in which a load writes them, so that the two cannot wait for each other.
                both = f"{quote(mapping.tables[table.parent].name)}, {quote(table.name)}"
                connection.driver.execute(f"LOCK TABLE {both} IN SHARE ROW EXCLUSIVE MODE")

    def _is_built(self, connection: SqlConnection, mapping: Mapping, key: LateKey) -> bool:
        inspector, table = sa.inspect(connection.sql), mapping.tables[key.table].name
        if key.kind == "primary":
            return bool(inspector.get_pk_constraint(table)["constrained_columns"])
        if key.kind == "index":
            return any(index["name"] == key.name for index in inspector.get_indexes(table))
        return any(constraint["name"] == key.name for constraint in inspector.get_foreign_keys(table))

    def _build(self, connection: SqlConnection, mapping: Mapping, key: LateKey) -> bool:
        if key.build is None:
            return True
        try:
            with connection.sql.begin_nested():
                connection.sql.execute(key.build)
        except sa.exc.DBAPIError as error:
            obstacles = (pg_errors.UniqueViolation, pg_errors.ForeignKeyViolation, pg_errors.InvalidForeignKey)
            if isinstance(error.orig, obstacles):
                return False
            raise self.translate(error.orig if isinstance(error.orig, Exception) else error) from error
        return True


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


def _columns(table: Table, *, percent: str) -> str:
    return ", ".join(quote(column.name).replace("%", percent) for column in table.columns)


def _copy_statement(table: Table) -> bytes:
    return f"COPY {quote(table.name)} ({_columns(table, percent='%')}) FROM STDIN".encode()


def _insert_statement(table: Table) -> bytes:
    # psycopg reads its placeholders with %, so one in a name is doubled.
    name, places = quote(table.name).replace("%", "%%"), ", ".join(["%s"] * len(table.columns))
    return f"INSERT INTO {name} ({_columns(table, percent='%%')}) VALUES ({places})".encode()


def _translate(error: Exception, label: str, *, connected: bool) -> EtlError:
    state = getattr(error, "sqlstate", None)
    if state is None:
        return _translate_lost(error, label, connected=connected)
    said = _said(error)
    if state in _LOST_STATES or state.startswith("08"):
        return ConnectionLost(f"The connection to {label} was lost: {said}.")
    if state in _TRANSIENT_STATES or state[:2] in _TRANSIENT_CLASSES:
        return TransientError(f"{label}: {said}.")
    if state.startswith(("22", "23")):
        return TargetError(
            f"{label} refused rows: {said}. The batch they stand in was rolled back; change the mapping or the table,"
            " and run the same command again."
        )
    hint = _HINTS.get(state, "")
    return TargetError(f"{label}: {said}." + (f" {hint}." if hint else ""))


def _translate_lost(error: Exception, label: str, *, connected: bool) -> EtlError:
    """An error without code is libpq's own: no connection could be made, or it broke."""
    reason = " ".join(mask_password(str(error)).split()).rstrip(".")
    if connected and isinstance(error, psycopg.OperationalError | psycopg.InterfaceError):
        return ConnectionLost(f"The connection to {label} was lost: {reason}.")
    if isinstance(error, psycopg.OperationalError):
        return TargetError(f"Cannot connect to {label}: {reason}. Check host, port, database, user and password.")
    return TargetError(f"{label}: {reason}.")


def _said(error: Exception) -> str:
    """The server's words: message, detail, and the place in the COPY, in one line."""
    diagnosis = getattr(error, "diag", None)
    if diagnosis is None or diagnosis.message_primary is None:
        return " ".join(mask_password(str(error)).split()).rstrip(".")
    table = f" (table {diagnosis.table_name})" if diagnosis.table_name else ""
    parts = [diagnosis.message_primary + table, diagnosis.message_detail, diagnosis.context]
    return ". ".join(" ".join(mask_password(part).split()).rstrip(".") for part in parts if part)
