"""Every error this package raises on purpose.

    EtlError
    ├── PermanentError              the same run would fail again: the load ends, and says what to change
    │   ├── SettingsError           a setting or an option is not usable
    │   ├── MappingError            the mapping file is not usable (names file, line and key)
    │   ├── SourceError             the source cannot be read, or is not XML
    │   │   └── CutOff              its document ends too early: the rest may come
    │   ├── TargetError             the database refuses for good: URL, rights, disk, a table that does not fit
    │   │   ├── RowsRefused         it refuses rows for what is in them: others of the batch may be fine
    │   │   └── SourceHeld          another load that is alive has the source
    │   ├── CallbackError           a callback of the caller raised
    │   └── InternalError           a promise of this program did not hold (please report)
    └── TransientError              the same statement may succeed later
        ├── ConnectionLost          the database went away
        └── WorkerDied              a worker process ended without an answer

Each message is complete: what happened, where, what was found, what to do. `exit_code` is what
the command line returns for it. Errors cross process borders, so each one's constructor takes exactly what it passes
to ``super().__init__``: that is what pickle gives back to it.
"""

from __future__ import annotations

import re
from typing import Any

EXIT_OK = 0
EXIT_FAILED = 1
EXIT_USAGE = 2
EXIT_REJECTS = 3
EXIT_STOPPED = 4


class EtlError(Exception):
    """Something this package understands went wrong; the text is a whole sentence for the user."""

    exit_code = EXIT_FAILED
    report: Any = None
    """`etl.report.LoadReport` of what was committed all the same, where a load had begun."""


class PermanentError(EtlError):
    """Trying again would fail again."""


class SettingsError(PermanentError):
    """A setting or an option is not usable."""

    exit_code = EXIT_USAGE


class MappingError(PermanentError):
    """The mapping is not usable."""

    exit_code = EXIT_USAGE


class SourceError(PermanentError):
    """A source cannot be read, or what it holds is not XML."""


class CutOff(SourceError):
    """The document ends too early; what is whole in it is loaded."""


class TargetError(PermanentError):
    """The database refuses for good."""


class RowsRefused(TargetError):
    """The database refuses rows for what is in them; without them the batch may be fine."""

    def __init__(
        self,
        message: str,
        reason: str = "refused",
        table: str = "",
        column: str = "",
        row: int | None = None,
        table_number: int | None = None,
    ) -> None:
        super().__init__(message, reason, table, column, row, table_number)
        self.reason = reason
        """A reason code of rejects: not_null, check_failed, duplicate_key, missing_parent, too_long, ..."""
        self.table = table
        """Table of the mapping that was being written, where it is known."""
        self.column = column
        self.row = row
        """Place (from 0) of the row among those last written to the table: a hint, None where there is none."""
        self.table_number = table_number
        """The table's place in the mapping, where it is known."""

    def __str__(self) -> str:
        return str(self.args[0])


class SourceHeld(TargetError):
    """Another load, which is alive, has the source; the message says who."""


class CallbackError(PermanentError):
    """A callback raised; the load ended there and can be resumed."""


class InternalError(PermanentError):
    """A promise of this program did not hold."""


class TransientError(EtlError):
    """Trying again may succeed."""


class ConnectionLost(TransientError):
    """The connection to the database was lost."""


class WorkerDied(TransientError):
    """A worker process ended without an answer."""


# Up to the last @: a password with an unescaped / or @ must not show either.
_URL_PASSWORD = re.compile(r"(://[^\s:/@]*):\S*@")
_KEYWORD_PASSWORD = re.compile(r"(\b(?:ssl)?password\s*=\s*)('(?:[^'\\]|\\.)*'|[^\s&]+)", re.IGNORECASE)


def mask_password(text: str) -> str:
    """`text` with the password of every URL and every ``password=`` in it replaced by ``***``."""
    return _KEYWORD_PASSWORD.sub(r"\1***", _URL_PASSWORD.sub(r"\1:***@", text))
