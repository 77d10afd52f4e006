"""What PostgreSQL and libpq say, as our errors: which kind, in one sentence, with what to do.

The kind is decided by SQLSTATE, never by the words, which may be in any language.
"""

from __future__ import annotations

import psycopg

from etl.errors import ConnectionLost, EtlError, TargetError, TransientError, mask_password

_TRANSIENT_CLASSES = ("08", "40")
_TRANSIENT_STATES = ("55P03", "57014", "57P01", "57P02", "57P03", "57P05", "53300")

_HINTS = {
    "42501": "Grant that right to the user, or connect as another one.",
    "3F000": "Set the user's search_path to a schema that exists.",
    "42P01": "Was it dropped during the load?",
    "53100": "The server's disk is full: make room and run the same command again.",
    "53200": "The server has no memory left: lower insert.batch_bytes or give it more; with very many tables, raise its"
    " max_locks_per_transaction.",
    "54000": "A row of PostgreSQL has to fit a page of 8 kB, out of which only long values are moved: put some columns"
    " into a table of their own, or gather them in one with `many: json`.",
    "25006": "The server or the user's default is read-only: connect to the primary server.",
}
_LOST_STATES = ("57P01", "57P02", "57P05")


def translate(error: Exception, label: str, *, connected: bool) -> EtlError:
    """Our error for one of psycopg's; `connected`: whether a connection was made before, so that it can be lost."""
    state = getattr(error, "sqlstate", None)
    if state is None:
        return _translate_lost(error, label, connected=connected)
    words = said(error)
    if state in _LOST_STATES or state.startswith("08"):
        return ConnectionLost(f"The connection to {label} was lost: {words}.")
    if state in _TRANSIENT_STATES or state[:2] in _TRANSIENT_CLASSES:
        return TransientError(f"{label}: {words}.")
    if state == "23505":
        return TargetError(
            f"{label} refused rows: {words}. The batch they stand in was rolled back: a key that stood before the load"
            " met a value for the second time. New tables with `keys: after` (the default) keep such rows, and the"
            " summary names them."
        )
    if state.startswith(("22", "23")):
        return TargetError(
            f"{label} refused rows: {words}. The batch they stand in was rolled back; change the mapping or the table,"
            " and run the same command again."
        )
    return TargetError(f"{label}: {words}. {_HINTS.get(state, '')}".rstrip())


def _translate_lost(error: Exception, label: str, *, connected: bool) -> EtlError:
    """An error without code is libpq's own: no connection could be made, or it broke."""
    # libpq's question whether the server is running is the hint below, in other words.
    lines = (" ".join(line.split()) for line in mask_password(str(error)).splitlines())
    reason = "; ".join(line for line in lines if line and not line.startswith("Is the server running")).rstrip(".")
    reason = reason.removeprefix("connection failed: ").removeprefix("connection is bad: ")
    if connected and isinstance(error, psycopg.OperationalError | psycopg.InterfaceError):
        return ConnectionLost(f"The connection to {label} was lost: {reason}.")
    if isinstance(error, psycopg.OperationalError):
        return TargetError(f"Cannot connect to {label}: {reason}. Check host, port, database, user and password.")
    return TargetError(f"{label}: {reason}.")


def said(error: BaseException) -> str:
    """The server's words: message, detail, and the place in the COPY, in one line."""
    diagnosis = getattr(error, "diag", None)
    if diagnosis is None or diagnosis.message_primary is None:
        return " ".join(mask_password(str(error)).split()).rstrip(".")
    table = f" (table {diagnosis.table_name})" if diagnosis.table_name else ""
    parts = [diagnosis.message_primary + table, diagnosis.message_detail, diagnosis.context]
    return ". ".join(" ".join(mask_password(part).split()).rstrip(".") for part in parts if part)
