"""What a load keeps for itself in PostgreSQL while it lives: sources, and tables whose keys come after the last row.

Advisory locks on one connection of their own, so that they end with the load however it ends.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa

if TYPE_CHECKING:
    from etl.targets.postgres import PostgresConnection, PostgresTarget

KEY_LOCK = 0x65746C6B
"""First number ("etlk") of the advisory lock of a table that gets its keys later; the second is made from its name."""

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


class PostgresGuard:
    """The locks of one load. Used by its main thread, and after a lost connection by an insert thread."""

    def __init__(self, target: PostgresTarget, ledger_schema: str | None) -> None:
        self._target = target
        self._ledger_schema = ledger_schema
        self._connection: PostgresConnection | None = None
        self._reserved: set[str] = set()

    def hold(self, source: int) -> str | None:
        """`Target.hold`."""
        return None

    def holder(self, source: int) -> str | None:
        """`Target.holder`."""
        return None

    def reserve(self, tables: Collection[str]) -> None:
        """Keep tables whose keys come after the last row; wait for another load that has them, and say so."""
        wanted = sorted(set(tables) - self._reserved)
        if not wanted:
            return
        guard = self._connection = self._connection or self._target.connect()
        guard.begin()
        guard.execute(sa.text("SET LOCAL lock_timeout = 0"))
        schema = guard.sql.dialect.default_schema_name or ""
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
                    f"Waiting for {_holder(guard, lock)}, which is loading into {table} and builds its keys last."
                )
                guard.execute(LOCK, [lock])
            names = names[free + 1 :]
        guard.commit(durable=False)
        self._reserved |= set(wanted)

    def close(self) -> None:
        """Give all of it back."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None
            self._reserved.clear()


def _holder(connection: PostgresConnection, lock: dict[str, Any]) -> str:
    """Who has the lock, as a person finds it in the server's list of activities."""
    found = connection.execute(sa.text(LOCK_HOLDER), [lock])
    if not found:
        return "another load"
    name, pid, host, since = found[0]
    return f"{name or 'another load'} (server process {pid}, from {host}, since {since})"
