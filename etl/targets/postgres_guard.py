"""What a load keeps for itself in PostgreSQL while it lives: sources, and tables whose keys come after the last row.

Advisory locks on one connection of their own, so that they end with the load however it ends.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Collection
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa

from etl.errors import EtlError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from etl.targets.postgres import PostgresConnection, PostgresTarget

KEY_LOCK = 0x65746C6B
"""First number ("etlk") of the advisory lock of a table that gets its keys later; the second is made from its name."""

PATIENCE_SECONDS = 1.0
STEP_SECONDS = 0.05
"""How long a source is asked for, and how often: the server takes a moment to notice that a load was killed."""

TRY_LOCKS = sa.text(
    "SELECT pg_try_advisory_lock(:kind, hashtext(name)) FROM unnest(CAST(:names AS text[])) WITH ORDINALITY"
    " AS wanted(name, place) ORDER BY place"
)
UNLOCK = sa.text("SELECT pg_advisory_unlock(:kind, hashtext(name)) FROM unnest(CAST(:names AS text[])) AS name")
LOCK = sa.text("SELECT pg_advisory_lock(:kind, hashtext(:name))")
TRY_SOURCE = sa.text("SELECT pg_try_advisory_lock(hashtext(:ledger), CAST(:source AS integer))")

_LOCK_HOLDER = """
    SELECT a.application_name, a.pid, coalesce(host(a.client_addr), 'this machine'),
           to_char(a.backend_start, 'YYYY-MM-DD HH24:MI:SS')
    FROM pg_locks l JOIN pg_stat_activity a ON a.pid = l.pid
    WHERE l.locktype = 'advisory' AND l.granted AND l.objsubid = 2
      AND l.database = (SELECT oid FROM pg_database WHERE datname = current_database())
      AND CAST(l.classid AS bigint) = {kind} AND CAST(l.objid AS bigint) = {number}
"""
"""The server shows the two numbers of such a lock as unsigned integers."""
TABLE_HOLDER = sa.text(
    _LOCK_HOLDER.format(kind=":kind", number="CAST(hashtext(:name) AS bigint) & 4294967295"),
)
SOURCE_HOLDER = sa.text(_LOCK_HOLDER.format(kind="CAST(hashtext(:ledger) AS bigint) & 4294967295", number=":source"))


class PostgresGuard:
    """The locks of one load. Used by its main thread, and after a lost connection by an insert thread.

    What a lost connection held is taken again with the next thing that is asked for.
    """

    def __init__(self, target: PostgresTarget, ledger_schema: str | None) -> None:
        self._target = target
        self._ledger_schema = ledger_schema
        self._lock = threading.RLock()
        self._connection: PostgresConnection | None = None
        self._lost: PostgresConnection | None = None
        self._reserved: set[str] = set()
        self._sources: set[int] = set()

    def hold(self, source: int) -> str | None:
        """`Target.hold`."""
        with self._lock, self._session() as guard:
            deadline = time.monotonic() + PATIENCE_SECONDS
            while not self._take(guard, source):
                if time.monotonic() > deadline:
                    return self._source_holder(guard, source)
                time.sleep(STEP_SECONDS)
        return None

    def holder(self, source: int) -> str | None:
        """`Target.holder`."""
        with self._lock, self._session() as guard:
            return self._source_holder(guard, source)

    def reserve(self, tables: Collection[str]) -> None:
        """Keep tables whose keys come after the last row; wait for another load that has them, and say so."""
        with self._lock:
            if tables:
                with self._session() as guard:
                    self._reserve(guard, tables)

    def close(self) -> None:
        """Give all of it back."""
        self._drop()
        self._reserved.clear()
        self._sources.clear()

    @contextmanager
    def _session(self) -> Iterator[PostgresConnection]:
        """A transaction on the guard's connection; where that was lost, on a new one that has what it had."""
        if self._connection is None or not _lives(self._connection):
            self._reconnect()
        guard = self._connection
        assert guard is not None
        try:
            guard.begin()
            yield guard
            guard.commit(durable=False)
        except BaseException:
            guard.rollback()
            raise

    def _reconnect(self) -> None:
        self._lost, self._connection = self._connection or self._lost, None
        if self._lost is not None:
            self._target.abandon(self._lost)  # or what it holds at the server would be in the way
            self._lost = None
        guard = self._connection = self._target.connect()
        sources, tables = self._sources, self._reserved
        self._sources, self._reserved = set(), set()
        try:
            guard.begin()
            for source in sorted(sources):
                self._take(guard, source)  # one that somebody else has by now is lost: `hold` tells who asks for it
            self._reserve(guard, tables)
            guard.commit(durable=False)
        except BaseException:
            self._sources, self._reserved = sources, tables
            self._drop()
            raise

    def _drop(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.close()

    def _take(self, guard: PostgresConnection, source: int) -> bool:
        if source not in self._sources:
            ((taken,),) = guard.execute(TRY_SOURCE, [self._source_lock(guard, source)])
            if not taken:
                return False
            self._sources.add(source)
        return True

    def _source_lock(self, guard: PostgresConnection, source: int) -> dict[str, Any]:
        """Each ledger counts its sources from 1."""
        return {"ledger": f"etl_source of {self._ledger_schema or _schema(guard)}", "source": source}

    def _source_holder(self, guard: PostgresConnection, source: int) -> str | None:
        found = guard.execute(SOURCE_HOLDER, [self._source_lock(guard, source)])
        if not found:
            return None
        columns = sa.table("etl_source", sa.column("number"), sa.column("holder"), schema=self._ledger_schema)
        told = guard.execute(sa.select(columns.c.holder).where(columns.c.number == source))
        _, pid, host, _ = found[0]
        return f"{told[0][0] if told else 'a load'} (server process {pid}, from {host})"

    def _reserve(self, guard: PostgresConnection, tables: Collection[str]) -> None:
        wanted = sorted(set(tables) - self._reserved)
        if not wanted:
            return
        guard.execute(sa.text("SET LOCAL lock_timeout = 0"))
        schema = _schema(guard)
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
                self._target.notify(
                    f"Waiting for {_table_holder(guard, lock)}, which is loading into {table} and builds its keys last."
                )
                guard.execute(LOCK, [lock])
            names = names[free + 1 :]
        self._reserved |= set(wanted)


def _lives(connection: PostgresConnection) -> bool:
    try:
        connection.begin()
        connection.execute(sa.text("SELECT 1"))
    except EtlError:
        return False
    finally:
        connection.rollback()
    return True


def _schema(guard: PostgresConnection) -> str:
    return guard.sql.dialect.default_schema_name or ""


def _table_holder(connection: PostgresConnection, lock: dict[str, Any]) -> str:
    """Who has the lock, as a person finds it in the server's list of activities."""
    found = connection.execute(TABLE_HOLDER, [lock])
    if not found:
        return "another load"
    name, pid, host, since = found[0]
    return f"{name or 'another load'} (server process {pid}, from {host}, since {since})"
