"""How a connection to PostgreSQL is opened, set up for loading, and ended for good when it broke."""

from __future__ import annotations

import codecs
import time
from dataclasses import dataclass
from typing import Any

import psycopg
from psycopg import errors as pg_errors
from psycopg import pq
from psycopg.conninfo import conninfo_to_dict, make_conninfo

from etl.errors import SettingsError, mask_password

CONNECTION_DEFAULTS = {
    "connect_timeout": "20",
    "fallback_application_name": "etl",
    # A server that vanished without a word is noticed after about a minute, not after the system's two hours ...
    "keepalives": "1",
    "keepalives_idle": "30",
    "keepalives_interval": "10",
    "keepalives_count": "3",
    # ... also while it owes an answer, when there are no keepalives: not after the quarter of an hour TCP goes on for.
    # Longer than lock_timeout below: a server that waits for a lock takes no rows, which to TCP looks the same.
    "tcp_user_timeout": "75000",
}
"""Used where neither the URL nor the environment says otherwise. Times in seconds, the last in milliseconds."""

SESSION = (
    "SET synchronous_commit = off; "  # rows and ledger go together, so a crash loses both or none
    "SET statement_timeout = 0; "  # a limit meant for interactive queries would end a COPY
    "SET idle_in_transaction_session_timeout = 0; "
    "SET lock_timeout = '60s'; "  # who holds a table longer than this gets named rather than waited for
    "SET DateStyle = ISO; "
    # The server's end: what a machine that vanished had locked is free after about a minute. Each is ignored where the
    # connection or the system has no such thing.
    "SET tcp_keepalives_idle = 30; "
    "SET tcp_keepalives_interval = 10; "
    "SET tcp_keepalives_count = 3; "
    "SET tcp_user_timeout = 60000"
)

LATER = """;
    SELECT set_config(name, value, false)
    FROM (VALUES ('idle_session_timeout', '0'), ('transaction_timeout', '0')) AS wanted (name, value)
    WHERE current_setting(name, true) IS NOT NULL
"""
"""The same for what came with PostgreSQL 14 and 17: a session that only holds locks is idle for hours."""

WATCH = """;
    SELECT set_config(name, '10000', false) FROM (VALUES ('client_connection_check_interval')) AS wanted (name)
    WHERE current_setting(name, true) IS NOT NULL
"""
"""A statement that waits notices, after so many milliseconds, that its client is gone. From PostgreSQL 14 on; a server
whose system cannot do it refuses."""

END_SECONDS = 10.0
END_STEP_SECONDS = 0.02
"""How long a session may take to end that was told to, and until it is looked at again."""

STARTED = "CAST(extract(epoch FROM backend_start) AS text)"
"""As a number: a time is written, and read, by the DateStyle of the user."""
ABOUT_SERVER = f"""
    SELECT pid, {STARTED}, pg_is_in_recovery(), CAST(current_setting('transaction_read_only') AS bool),
           current_setting('synchronous_commit')
    FROM pg_stat_get_activity(pg_backend_pid())
"""
"""The function behind pg_stat_activity: that view joins catalogs which a new session has yet to read."""
END_BACKEND = f"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE pid = %s AND {STARTED} = %s"
IS_THERE = f"SELECT 1 FROM pg_stat_activity WHERE pid = %s AND {STARTED} = %s"


@dataclass(frozen=True, slots=True)
class Backend:
    """The server's end of a session."""

    pid: int
    start: str
    """With it the number is this process's for good: they come again."""
    is_standby: bool
    read_only: bool
    pooled: bool
    """Whether there is a pooler in between, which gives its clients another number than the server's."""


class Session(psycopg.Connection[Any]):
    """A connection that knows who serves it."""

    backend: Backend
    durability: str
    """synchronous_commit of a durable commit: what the server has for this user, unless that does not wait at all."""


def connect(conninfo: str) -> Session:
    """A connection as the server gives it, autocommitting. Raises psycopg.Error."""
    session = Session.connect(conninfo, autocommit=True, client_encoding="utf8")
    try:
        ((pid, start, is_standby, read_only, waits_for),) = session.execute(ABOUT_SERVER)
    except BaseException:
        session.close()
        raise
    session.backend = Backend(pid, start, is_standby, read_only, pid != session.info.backend_pid)
    session.durability = "on" if waits_for in ("off", "local") else waits_for
    return session


def codec(session: Session) -> str:
    """Python's codec of the texts that the database can keep; ASCII where Python has none."""
    name = session.info.parameter_status("server_encoding") or "UTF8"
    if name == "SQL_ASCII":  # which takes any byte for a character
        return "utf-8"
    try:
        return codecs.lookup(name.replace("WIN", "cp").replace("KOI8", "koi8_")).name
    except LookupError:
        return "ascii"


def set_up(session: Session) -> None:
    """Apply the settings above. Raises psycopg.Error."""
    try:
        session.execute((SESSION + LATER + WATCH).encode())
    except pg_errors.InvalidParameterValue:
        session.execute((SESSION + LATER).encode())
    session.isolation_level = psycopg.IsolationLevel.READ_COMMITTED
    session.autocommit = False


def open_session(conninfo: str) -> Session:
    """A connection with the settings above. Raises psycopg.Error."""
    session = connect(conninfo)
    try:
        set_up(session)
    except BaseException:
        session.close()
        raise
    return session


def end_backend(session: Session, backend: Backend) -> bool:
    """End the session that `backend` serves, from another one, and wait for it. False: it is still there.

    Raises psycopg.Error.
    """
    who = (backend.pid, backend.start)
    session.execute(END_BACKEND, who)
    deadline = time.monotonic() + END_SECONDS
    while session.execute(IS_THERE, who).fetchone():
        if time.monotonic() > deadline:
            return False
        time.sleep(END_STEP_SECONDS)
    return True


def conninfo(url: str) -> str:
    try:
        given = conninfo_to_dict(url)
        # An unescaped / in a password makes its first half a port, which libpq would only find when it connects.
        readable = all(port.isdecimal() for port in str(given.get("port") or 0).split(","))
    except psycopg.ProgrammingError:
        readable = False
    if not readable:
        # libpq's own words quote the part it stumbled over, which may be half a password.
        raise SettingsError(
            f"{mask_password(url)} is not a URL that PostgreSQL understands: expected"
            " postgresql://user:password@host:port/database, with / : @ % in a name or password written as %2F %3A %40"
            " %25."
        )
    # An old libpq does not know all of them. PG* variables are the user's word too, and a service that one names.
    known = {option.keyword.decode(): option.val for option in pq.Conninfo.get_defaults()}
    said = given.keys() | {name for name, value in known.items() if value is not None}
    return make_conninfo(
        url, **{name: value for name, value in CONNECTION_DEFAULTS.items() if name in known and name not in said}
    )
