"""How a connection to PostgreSQL is opened, and set up for loading."""

from __future__ import annotations

import os
from typing import Any

import psycopg
from psycopg.conninfo import conninfo_to_dict, make_conninfo

from etl.errors import TargetError, mask_password

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


def open_session(conninfo: str) -> psycopg.Connection[Any]:
    """A connection with the settings above. Raises psycopg.Error."""
    connection = psycopg.connect(conninfo, autocommit=True, client_encoding="utf8")
    try:
        connection.execute(SESSION)
        connection.isolation_level = psycopg.IsolationLevel.READ_COMMITTED
        connection.autocommit = False
    except BaseException:
        connection.close()
        raise
    return connection


def conninfo(url: str) -> str:
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
