"""Which sources a load into a SQLite file holds: a lock on a small file beside the database for each.

The system gives a lock back when the process ends, however it ends; a file that is left over then holds nothing.
"""

from __future__ import annotations

import fcntl
import os
import time
from pathlib import Path

from etl.errors import TargetError

PATIENCE_SECONDS = 1.0
STEP_SECONDS = 0.05
"""How long a source is asked for, and how often: who only looks who holds it has it for a moment."""


class SqliteHolds:
    """The locks of one load, used by one thread at a time."""

    def __init__(self, database: Path) -> None:
        # One database may be reached by several names.
        self._database = Path(os.path.realpath(database))
        self._files: dict[int, int] = {}

    def take(self, source: int) -> bool:
        """Hold the source until `close`; False where somebody else does."""
        deadline = time.monotonic() + PATIENCE_SECONDS
        while source not in self._files:
            file = self._locked(source)
            if file is not None:
                self._files[source] = file
            elif time.monotonic() > deadline:
                return False
            else:
                time.sleep(STEP_SECONDS)
        return True

    def is_taken(self, source: int) -> bool:
        """Whether anybody holds it, this load included."""
        try:
            file = os.open(self._path(source), os.O_RDONLY)
        except FileNotFoundError:
            return False
        except OSError as error:
            raise self._unusable(self._path(source), error) from error
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
        finally:
            os.close(file)
        return False

    def close(self) -> None:
        """Give all of it back, and leave no file behind."""
        for source, file in self._files.items():
            self._path(source).unlink(missing_ok=True)
            os.close(file)
        self._files.clear()

    def _locked(self, source: int) -> int | None:
        """The file, open and locked; None where somebody else has the lock."""
        path = self._path(source)
        while True:
            try:
                file = os.open(path, os.O_RDWR | os.O_CREAT, 0o666)
            except OSError as error:
                raise self._unusable(path, error) from error
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                if _is_there(path, file):
                    return file
            except BlockingIOError:
                os.close(file)
                return None
            except OSError as error:
                os.close(file)
                raise self._unusable(path, error) from error
            os.close(file)

    def _path(self, source: int) -> Path:
        return self._database.with_name(f"{self._database.name}-etl-{source}")

    def _unusable(self, path: Path, error: OSError) -> TargetError:
        return TargetError(
            f"Cannot lock {path}, by which a load keeps others away from its source: {error.strerror}. The database's"
            " folder must be writable, and on a file system that knows locks."
        )


def _is_there(path: Path, file: int) -> bool:
    """Whether the open file is still the one at `path`: who had the lock before may have removed it."""
    try:
        return os.path.samestat(os.stat(path), os.fstat(file))
    except FileNotFoundError:
        return False
