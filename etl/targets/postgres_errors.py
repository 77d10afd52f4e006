"""What PostgreSQL and libpq say, as our errors: which kind, in one sentence, with what to do.

The kind is decided by SQLSTATE, never by the words, which may be in any language.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Mapping, Sequence

import psycopg

from etl.errors import ConnectionLost, EtlError, RowsRefused, TargetError, TransientError, mask_password

_TRANSIENT_CLASSES = ("08", "40")
_TRANSIENT_STATES = ("55P03", "57014", "57P01", "57P02", "57P03", "57P05", "53300")
_LOST_STATES = ("57P01", "57P02", "57P05")
_READ_ONLY = "25006"

_PERMANENT_CLASSES = frozenset(
    "0A 0B 0L 0P 24 25 26 28 2B 34 3B 3D 3F 42 53 54 55 57 58 72 F0 HV XX".split()  # noqa: SIM905
)
"""Not about rows: rights, resources, the state of the transaction or the server. Any other may be a row's: a trigger
raises whatever it likes."""

_ROW_STATES = ("54000", "54001")
"""About a row although their class is not: it is too wide for a page or an index, or a value nests too deep."""

REASONS = {
    "22001": "too_long",
    "22003": "out_of_range",
    "22008": "out_of_range",
    "22015": "out_of_range",
    "22021": "bad_encoding",
    "22P05": "bad_encoding",
    "23502": "not_null",
    "23503": "missing_parent",
    "23505": "duplicate_key",
    "23514": "check_failed",
    "23P01": "duplicate_key",
    "54000": "too_long",
}
"""Reason codes of rejects; any other state is `refused`."""

_HINTS = {
    "42501": "Grant that right to the user, or connect as another one.",
    "3F000": "Set the user's search_path to a schema that exists.",
    "42P01": "Was it dropped during the load?",
    "42P07": "Another table or index has that name: rename or drop that one, then the same command goes on.",
    "53400": "Raise that limit of the server's for this user, then the same command goes on.",
    "53100": "The server's disk is full: make room and run the same command again.",
    "53200": "The server has no memory left: lower insert.batch_bytes or give it more; with very many tables, raise its"
    " max_locks_per_transaction.",
    "54000": "A row of PostgreSQL has to fit a page of 8 kB, out of which only long values are moved: put some columns"
    " into a table of their own, or gather them in one with `many: json`.",
}

_KEY = re.compile(r"\((.*?)\)=\((.*)", re.DOTALL)
"""In the detail of a key's error, whatever its language: its columns; its values, and what is behind them."""

_GUESSES = ("Is the server running", "This probably means the server", "before or while processing the request")
"""How lines begin in which libpq tells no more than our own sentence does."""


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
    if state == _READ_ONLY:
        return read_only_now(label)
    return TargetError(f"{label}: {words}. {_HINTS.get(state, '')}".rstrip())


def read_only_now(label: str) -> TransientError:
    """A load begins on a server that takes rows; one that does not any more may be changing places with another."""
    return TransientError(f"{label} is read-only now (a standby server, or default_transaction_read_only is on).")


def refusal(error: BaseException | None, tables: Mapping[str, Collection[str]]) -> RowsRefused | None:
    """Why rows are refused for what is in them, with what the server tells of table, column and row; else None.

    `tables` are those that may be meant, and their columns.
    """
    if not isinstance(error, psycopg.Error) or not _is_about_rows(error.sqlstate or "XX000"):
        return None
    diagnosis, state = error.diag, error.sqlstate or ""
    table = next(iter(tables)) if len(tables) == 1 else diagnosis.table_name or ""
    columns = tables.get(table, ())
    row, column = _copy_place(diagnosis.context or "", table, columns)
    if diagnosis.table_name == table:
        column = column or diagnosis.column_name or _key_column(diagnosis.message_detail or "")
    words = ". ".join(filter(None, (_words(error), _HINTS.get(state, "").rstrip("."))))
    named = (table if columns else "", column if column in columns else "")
    return RowsRefused(f"The database refuses it: {words}", REASONS.get(state, "refused"), *named, row)


def _is_about_rows(state: str) -> bool:
    return state in _ROW_STATES or not (
        state in _TRANSIENT_STATES or state[:2] in _TRANSIENT_CLASSES or state[:2] in _PERMANENT_CLASSES
    )


def _copy_place(context: str, table: str, columns: Collection[str]) -> tuple[int | None, str]:
    """Row (from 0) and column in ``COPY release, line 2, column id: "x"``; the words may be in any language."""
    for line in context.splitlines():
        # There is no digit before the table's name, so the first one behind it is the line's, or near enough: a hint.
        found = re.search(r"\d+", line.partition(table)[2]) if "COPY" in line else None
        if found is None:
            continue
        behind = found.string[found.end() :]
        named = [] if behind.startswith(":") else [name for name in columns if _is_named(name, behind)]
        return int(found[0]) - 1, max(named, key=len, default="")
    return None, ""


def _is_named(column: str, text: str) -> bool:
    return re.match(rf"[^:]*?\s{re.escape(column)}\s*:", text) is not None


def _key_column(detail: str) -> str:
    key = _KEY.search(detail)
    return key[1] if key else ""


def row_of_key(error: BaseException | None, columns: Sequence[str], rows: Iterable[Sequence[str]]) -> int | None:
    """The row with the key that the error tells: a foreign key's first one, a unique key's second one if there are two.

    `columns` are those of the rows; a hint, since values need not look as the server shows them.
    """
    key = _KEY.search((error.diag.message_detail or "") if isinstance(error, psycopg.Error) else "")
    names = key[1].split(", ") if key else []
    if key is None or not set(names) <= set(columns):
        return None
    places = [columns.index(name) for name in names]
    same = (
        number
        for number, row in enumerate(rows)
        if key[2].startswith(", ".join([row[place] for place in places]) + ")")
    )
    first = next(same, None)
    return next(same, first) if isinstance(error, psycopg.errors.UniqueViolation) else first


def _translate_lost(error: Exception, label: str, *, connected: bool) -> EtlError:
    """An error without code is libpq's own: no connection could be made, or it broke."""
    lines = (" ".join(line.split()) for line in mask_password(str(error)).splitlines())
    reason = "; ".join(line for line in lines if line and not line.startswith(_GUESSES)).rstrip(".")
    reason = reason.removeprefix("connection failed: ").removeprefix("connection is bad: ")
    if connected and isinstance(error, psycopg.OperationalError | psycopg.InterfaceError):
        return ConnectionLost(f"The connection to {label} was lost: {reason}.")
    if isinstance(error, psycopg.OperationalError):
        return TargetError(f"Cannot connect to {label}: {reason}. Check host, port, database, user and password.")
    return TargetError(f"{label}: {reason}.")


def said(error: BaseException) -> str:
    """The server's words: message, detail, and the place in the COPY or function, in one line."""
    context = getattr(getattr(error, "diag", None), "context", None)
    return ". ".join(filter(None, (_words(error), _one_line(context or ""))))


def _words(error: BaseException) -> str:
    diagnosis = getattr(error, "diag", None)
    if diagnosis is None or diagnosis.message_primary is None:
        return _one_line(str(error))
    table = f" (table {diagnosis.table_name})" if diagnosis.table_name else ""
    return ". ".join(filter(None, map(_one_line, (diagnosis.message_primary + table, diagnosis.message_detail or ""))))


def _one_line(text: str) -> str:
    return " ".join(mask_password(text).split()).rstrip(".")
