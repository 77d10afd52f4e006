"""By what others know that a load into a SQLite file lives: a lock on a small file beside the database.

The system gives the lock back when the process ends, however it ends. A file that is left over then says nothing, and
the next load removes it.
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
            self._file = self._create(self._path(self._number))
        return self._number

    def _create(self, path: Path) -> int | None:
        """The locked new file; None where there is one, or another load took it for a left one and removed it."""
        try:
            file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o666)
        except FileExistsError:
            return None
        except OSError as error:
            raise self._unusable(path, error) from error
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            if os.path.samestat(os.stat(path), os.fstat(file)):
                return file
        except (BlockingIOError, FileNotFoundError):
            pass
        except OSError as error:
            os.close(file)
            raise self._unusable(path, error) from error
        os.close(file)
        return None

    def holder(self, number: int) -> str | None:
        """What is locked, where a load has that lock; None where none does."""
        path = self._path(number)
        try:
            file = os.open(path, os.O_RDONLY)
        except FileNotFoundError:
            return None
        except OSError as error:
            return f"{path}, which it locks, cannot be read: {error.strerror}; remove it if nobody loads"
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

    def tidy(self) -> None:
        """Remove what killed loads have left."""
        prefix = self._path("").name
        with suppress(OSError):
            for name in os.listdir(self._database.parent):
                number = name.removeprefix(prefix)
                if number != name and number.isdecimal():
                    self.holder(int(number))

    def close(self) -> None:
        """Give it back, and leave no file behind."""
        if self._file is not None:
            self._path(self._number).unlink(missing_ok=True)
            os.close(self._file)
            self._file = None

    def _path(self, number: int | str) -> Path:
        return self._database.with_name(f"{self._database.name}-etl-{number}")

    def _unusable(self, path: Path, error: OSError) -> TargetError:
        return TargetError(
            f"Cannot lock {path}, by which others know that this load lives: {error.strerror}. The database's folder"
            " must be writable, and on a file system that knows locks."
        )
