"""By what others know that a load into a SQLite file lives: a lock on a small file beside the database.

The system gives the lock back when the process ends, however it ends; a file that is left over then says nothing.
"""

from __future__ import annotations

import fcntl
import os
import secrets
from contextlib import suppress
from pathlib import Path

from etl.errors import TargetError


class SqliteHold:
    """The lock of one load, and a look at those of others."""

    def __init__(self, database: Path) -> None:
        # One database may be reached by several names.
        self._database = Path(os.path.realpath(database))
        self._number = 0
        self._file: int | None = None

    def take(self) -> int:
        """Take the load's lock, if it has none yet, and return its number."""
        while self._file is None:
            self._number = secrets.randbelow(2**31)
            path = self._path(self._number)
            try:
                file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o666)
            except FileExistsError:
                continue
            except OSError as error:
                raise self._unusable(path, error) from error
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except OSError as error:
                os.close(file)
                raise self._unusable(path, error) from error
            self._file = file
        return self._number

    def holder(self, number: int) -> str | None:
        """What is locked, where a load has that lock; None where none does."""
        path = self._path(number)
        try:
            file = os.open(path, os.O_RDONLY)
        except OSError:  # no such file, or one of a load whose user keeps it to itself
            return f"it has locked {path}" if path.exists() else None
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return f"it has locked {path}"
        else:
            with suppress(OSError):  # who only reads cannot tidy up
                path.unlink()
        finally:
            os.close(file)
        return None

    def close(self) -> None:
        """Give it back, and leave no file behind."""
        if self._file is not None:
            self._path(self._number).unlink(missing_ok=True)
            os.close(self._file)
            self._file = None

    def _path(self, number: int) -> Path:
        return self._database.with_name(f"{self._database.name}-etl-{number}")

    def _unusable(self, path: Path, error: OSError) -> TargetError:
        return TargetError(
            f"Cannot lock {path}, by which others know that this load lives: {error.strerror}. The database's folder"
            " must be writable, and on a file system that knows locks."
        )
