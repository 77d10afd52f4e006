"""What says in PostgreSQL that a load lives, and what it keeps for itself: tables whose keys come after the last row.

Advisory locks on one connection of their own, so that they end with the load however it ends.
"""

from __future__ import annotations

import secrets
import threading
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
LOAD_LOCK = 0x65746C6C
"""First number ("etll") of the advisory lock of a load; the second is a random one."""

TRY_LOCKS = sa.text(
    "SELECT pg_try_advisory_lock(:kind, hashtext(name)) FROM unnest(CAST(:names AS text[])) WITH ORDINALITY"
    " AS wanted(name, place) ORDER BY place"
)
UNLOCK = sa.text("SELECT pg_advisory_unlock(:kind, hashtext(name)) FROM unnest(CAST(:names AS text[])) AS name")
LOCK = sa.text("SELECT pg_advisory_lock(:kind, hashtext(:name))")
LOCK_LOAD = sa.text("SELECT pg_advisory_lock(:kind, CAST(:number AS integer))")

_HOLDER = """
    SELECT a.application_name, a.pid, coalesce(host(a.client_addr), 'this machine'),
           to_char(a.backend_start, 'YYYY-MM-DD HH24:MI:SS')
    FROM pg_locks l JOIN pg_stat_activity a ON a.pid = l.pid
    WHERE l.locktype = 'advisory' AND l.granted AND l.objsubid = 2
      AND l.database = (SELECT oid FROM pg_database WHERE datname = current_database())
      AND CAST(l.classid AS bigint) = :kind AND CAST(l.objid AS bigint) = {number}
"""
"""The server shows the two numbers of such a lock as unsigned integers."""
TABLE_HOLDER = sa.text(_HOLDER.format(number="CAST(hashtext(:name) AS bigint) & 4294967295"))
LOAD_HOLDER = sa.text(_HOLDER.format(number=":number"))


class PostgresGuard:
    """The locks of one load. Used by its main thread, and after a lost connection by an insert thread.

    What a lost connection held comes back when it is asked for: the tables in `reserve`, which may wait for another
    load and is the main thread's, so that an insert thread never waits.
    """

    def __init__(self, target: PostgresTarget) -> None:
        self._target = target
        self._lock = threading.RLock()
        self._connection: PostgresConnection | None = None
        self._lost: PostgresConnection | None = None
        self._reserved: set[str] = set()
        self._number: int | None = None

    def hold(self) -> int:
        """`Target.hold`."""
        with self._lock, self._session() as guard:
            if self._number is None:
                number = secrets.randbelow(2**31)
                _hold(guard, number)
                self._number = number
            return self._number

    def holder(self, lock: int) -> str | None:
        """`Target.holder`."""
        with self._lock, self._session() as guard:
            found = guard.execute(LOAD_HOLDER, [{"kind": LOAD_LOCK, "number": lock}])
        return f"server process {found[0][1]}, from {found[0][2]}" if found else None

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
        self._number = None

    @contextmanager
    def _session(self) -> Iterator[PostgresConnection]:
        """A transaction on the guard's connection; where that was lost, on a new one that holds the load's lock."""
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
        self._reserved.clear()
        try:
            guard.begin()
            if self._number is not None:
                _hold(guard, self._number)
            guard.commit(durable=False)
        except BaseException:
            self._drop()
            raise

    def _drop(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.close()

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


def _hold(guard: PostgresConnection, number: int) -> None:
    guard.execute(LOCK_LOAD, [{"kind": LOAD_LOCK, "number": number}])


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
