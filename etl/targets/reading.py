"""Looks into a database without touching it: nothing is created, no setting of the file changes, SELECT rights suffice.

In: a database URL and SQLAlchemy statements. Out: rows. While a load writes, each look sees what is committed. Used by
one thread at a time.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from functools import partial
from pathlib import Path
from types import TracebackType
from typing import Any, TypeVar
from urllib.parse import quote

import sqlalchemy as sa
from sqlalchemy.pool import NullPool
from sqlalchemy.sql import Executable

from etl.errors import EtlError, SettingsError, TargetError, TransientError, mask_password
from etl.targets.open import sqlite_path
from etl.targets.sql import translated

LOCK_SECONDS = 10
"""How long a lock of somebody else's is waited for."""

Result = TypeVar("Result")


class ReadingConnection:
    """A connection that only reads; a context manager."""

    def __init__(
        self,
        label: str,
        engine: sa.Engine,
        driver_error: type[Exception],
        translate: Callable[..., EtlError],
    ) -> None:
        """Connect. Raises EtlError, which `translate` makes of the driver's and of whether it was `connected`."""
        self.label = label
        self._engine = engine
        self._driver_error = driver_error
        self._translate: Callable[[Exception], EtlError] = partial(translate, connected=True)
        with translated(driver_error, partial(translate, connected=False)):
            self._connection = engine.connect()

    def rows(self, statement: Executable) -> list[tuple[Any, ...]]:
        """What a SELECT returns, as it is now. Raises EtlError; one that was lost is made anew by the next look."""
        return self._look(lambda connection: [tuple(row) for row in connection.execute(statement)])

    def columns(self, table: sa.Table) -> frozenset[str]:
        """Names of the columns that the table of that name has; none where it is not there."""

        def look(connection: sa.Connection) -> frozenset[str]:
            inspector = sa.inspect(connection)
            there = inspector.has_table(table.name, table.schema)
            found = inspector.get_columns(table.name, table.schema) if there else []
            return frozenset(str(column["name"]) for column in found)

        return self._look(look)

    def _look(self, action: Callable[[sa.Connection], Result]) -> Result:
        with translated(self._driver_error, self._translate):
            try:
                return action(self._connection)
            finally:
                # Nothing stays open between two looks: a server could not clean up behind it.
                self._connection.rollback()

    def close(self) -> None:
        self._connection.close()
        self._engine.dispose()

    def __enter__(self) -> ReadingConnection:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()


def open_for_reading(url: str) -> ReadingConnection:
    """A connection to what `url` names. Raises SettingsError where that keeps nothing, TargetError where it is not."""
    scheme, _, rest = url.partition("://")
    match scheme:
        case "postgresql" | "postgres":
            return _postgres(url)
        case "sqlite":
            return _sqlite(sqlite_path(url, rest), url)
        case "memory":
            raise SettingsError(f"{url} keeps nothing: what a load has put there is gone with it.")
        case _:
            raise SettingsError(
                f"{mask_password(url)!r} is no URL of a database that keeps a ledger: expected sqlite:///FILE or"
                " postgresql://USER@HOST/DATABASE."
            )


def _sqlite(path: Path, label: str) -> ReadingConnection:
    from etl.targets.sqlite_errors import BUSY_SECONDS, translate

    if not path.is_file():
        raise TargetError(f"There is no database {path}; name the one you mean with --to.")
    # Opened for reading only, it could not take the files of a write-ahead log away that it makes.
    address = f"file:{quote(str(path.absolute()))}?mode=rw"

    def connect() -> sqlite3.Connection:
        connection = sqlite3.connect(
            address, uri=True, timeout=BUSY_SECONDS, isolation_level=None, check_same_thread=False
        )
        connection.execute("PRAGMA query_only = ON")
        return connection

    engine = sa.create_engine("sqlite://", creator=connect, poolclass=NullPool, hide_parameters=True)
    return ReadingConnection(label, engine, sqlite3.Error, lambda error, *, connected: translate(error, label))


def _postgres(url: str) -> ReadingConnection:
    # Imported when used: it takes longer than a look at a small file.
    import psycopg

    from etl.targets.postgres_errors import translate
    from etl.targets.postgres_session import conninfo, open_session

    address, label = conninfo(url), mask_password(url)

    def connect() -> psycopg.Connection[Any]:
        connection = open_session(address)
        # A person waits, whom nobody tells for what: longer than a load ever locks what is read here.
        connection.execute(f"SET lock_timeout = '{LOCK_SECONDS}s'")
        connection.commit()
        connection.read_only = True
        return connection

    engine = sa.create_engine("postgresql+psycopg://", creator=connect, poolclass=NullPool, hide_parameters=True)

    def said(error: Exception, *, connected: bool) -> EtlError:
        if isinstance(error, psycopg.errors.LockNotAvailable):
            return TransientError(
                f"{label}: another session has locked what is looked at here, for more than {LOCK_SECONDS} s. Ask again"
                " when it is done (pg_locks shows who)."
            )
        return translate(error, label, connected=connected)

    return ReadingConnection(label, engine, psycopg.Error, said)
