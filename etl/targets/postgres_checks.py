"""Whether a PostgreSQL server is one to load into: asked once a load, before anything is created there.

In: the load's first session. Out: nothing, or a TargetError that says what is in the way and what to do.
"""

from __future__ import annotations

from contextlib import closing

from etl.errors import TargetError
from etl.targets.postgres_session import Session, connect

OLDEST = 13
"""The oldest major version that the PostgreSQL project itself kept up when this was written, or nearly."""

PROBES = 25
"""A pooler may hand its server connections out in turn: PgBouncer has up to 20 for a user and a database."""

OWN_PID = "SELECT pg_backend_pid()"


def check_server(session: Session, conninfo: str, label: str) -> None:
    """Raises TargetError where a load cannot work: too old, read-only, a pooler that shares connections out."""
    if session.info.server_version < OLDEST * 10_000:
        version = (session.info.parameter_status("server_version") or "").partition(" ")[0]
        raise TargetError(f"{label}: PostgreSQL {version} is too old: {OLDEST} or later is needed.")
    if session.backend.is_standby:
        raise TargetError(f"{label} is a standby server, which is read-only: connect to the primary server.")
    if session.backend.read_only:
        raise TargetError(
            f"{label} is read-only (default_transaction_read_only is on for the server, the database or the user):"
            " switch that off, or connect as a user who may write."
        )
    if session.backend.pooled and _shares_backends(session, conninfo):
        raise TargetError(
            f"{label} is reached through a connection pooler (such as PgBouncer) in transaction mode, where each"
            " transaction may have another server connection; a load keeps locks and settings on its own. Connect to"
            " PostgreSQL itself, or to a pool in session mode."
        )


def _shares_backends(session: Session, conninfo: str) -> bool:
    """Whether two of our connections have the same one at the server, or one has several."""
    with closing(connect(conninfo)) as other:
        for _ in range(PROBES):
            if _pid(other) == session.backend.pid or _pid(session) != session.backend.pid:
                return True
    return False


def _pid(session: Session) -> int:
    # A prepared statement is the server connection's, and might not be there the next time.
    ((pid,),) = session.execute(OWN_PID, prepare=False)
    return int(pid)
