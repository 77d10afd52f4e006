"""What SQLite says, as our errors: which kind, in one sentence, with what to do.

The kind is decided by its code; the words are always English, so that names can be read from them.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence

from etl.errors import EtlError, RowsRefused, TargetError, TransientError
from etl.mapping.model import Table
from etl.targets.key_problems import shown_values

BUSY_SECONDS = 60.0
"""How long a lock of another program is waited for: longer than any commit, short enough to be told about it."""

_ABOUT_ROWS = (sqlite3.SQLITE_CONSTRAINT, sqlite3.SQLITE_MISMATCH, sqlite3.SQLITE_TOOBIG)

REASONS = {
    sqlite3.SQLITE_CONSTRAINT_NOTNULL: "not_null",
    sqlite3.SQLITE_CONSTRAINT_CHECK: "check_failed",
    sqlite3.SQLITE_CONSTRAINT_UNIQUE: "duplicate_key",
    sqlite3.SQLITE_CONSTRAINT_PRIMARYKEY: "duplicate_key",
    sqlite3.SQLITE_CONSTRAINT_ROWID: "duplicate_key",
    sqlite3.SQLITE_CONSTRAINT_FOREIGNKEY: "missing_parent",
    sqlite3.SQLITE_TOOBIG: "too_long",
}
"""Reason codes of rejects; any other code is `refused`: a trigger that raises, a STRICT table's type."""


def is_busy(error: Exception) -> bool:
    return getattr(error, "sqlite_errorcode", 0) & 0xFF in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED)


def refusal(error: BaseException | None, table: Table | None, row: Sequence[object] | None) -> RowsRefused | None:
    """Why rows are refused for what is in them; None where that is not why. `row`: its values, where it is known."""
    code = getattr(error, "sqlite_errorcode", 0)
    if code & 0xFF not in _ABOUT_ROWS:
        return None
    words, name, column = str(error), "", ""
    if table is not None:
        name = table.name
        columns = {f"{table.name}.{each.name}": place for place, each in enumerate(table.columns)}
        places = [columns[part] for part in words.partition(" constraint failed: ")[2].split(", ") if part in columns]
        if len(places) == 1:
            column = table.columns[places[0]].name
        if places and row is not None and code != sqlite3.SQLITE_CONSTRAINT_NOTNULL:
            words += f" ({shown_values([table.columns[place].name for place in places], [row[n] for n in places])})"
    return refused(words, REASONS.get(code, "refused"), name, column)


def refused(words: str, reason: str, table: str, column: str = "", row: int | None = None) -> RowsRefused:
    """The error for rows that are refused; `words` say why."""
    return RowsRefused(f"The database refuses it: {words}", reason, table, column, row)


def translate(error: Exception, label: str) -> EtlError:
    """Our error for one of SQLite's."""
    code = getattr(error, "sqlite_errorcode", 0) & 0xFF
    text = str(error)
    match code:
        case sqlite3.SQLITE_BUSY | sqlite3.SQLITE_LOCKED:
            return TransientError(f"{label} is locked: another program has been writing to it for {BUSY_SECONDS:g} s.")
        case sqlite3.SQLITE_INTERRUPT:
            return TransientError(f"The statement running on {label} was interrupted.")
        case sqlite3.SQLITE_FULL:
            return TargetError(f"{label}: {text}. Make room on the disk and run the same command again.")
        case sqlite3.SQLITE_IOERR:
            return TargetError(
                f"{label}: {text}. The disk failed, is full, or a limit on the size of files was reached; what was"
                " committed is safe, and the same command goes on from there."
            )
        case sqlite3.SQLITE_NOTADB:
            return TargetError(f"{label}: {text}. Name another file.")
        case sqlite3.SQLITE_CORRUPT:
            return TargetError(f"{label}: {text}. Restore it from a copy, or load into a new file.")
        case sqlite3.SQLITE_READONLY:
            return TargetError(
                f"{label}: {text}. Its file or its folder may not be written to: check their permissions."
            )
        case sqlite3.SQLITE_CANTOPEN | sqlite3.SQLITE_PERM:
            return TargetError(f"{label}: {text}. Check that this user may read and write the file and its folder.")
        case _:
            return TargetError(f"{label}: {text}.")
