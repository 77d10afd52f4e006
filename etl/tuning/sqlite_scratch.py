"""A file beside a SQLite database, on the same disk: hidden, and gone with all that SQLite puts beside it."""

from __future__ import annotations

import os
import re
import sqlite3
from pathlib import Path
from urllib.parse import quote

from etl.errors import TargetError
from etl.targets.sqlite import SqliteTarget
from etl.tuning.scratch import Scratch


class SqliteScratch(Scratch):
    """A file `.NAME.etl-tune-<8 hexadecimal digits>` for the database NAME."""

    def __init__(self, target: SqliteTarget) -> None:
        self._target = target
        # One database may be reached by several names.
        path = Path(os.path.realpath(target.path))
        self._folder = path.parent
        self._prefix = f".{path.name}.etl-tune-"
        self._file = f"{self._prefix}{target.hold():08x}"
        self.name = f"the file {self._file}"
        self.url = f"sqlite:///{quote(str(self._folder / self._file))}"
        self.server = f"SQLite {sqlite3.sqlite_version}"

    def renew(self) -> None:
        self.remove()

    def remove(self) -> None:
        self._remove(self._file)

    def remove_left(self) -> list[str]:
        pattern = re.compile(re.escape(self._prefix) + "([0-9a-f]{8})")
        numbers = {found[0]: int(found[1], 16) for found in map(pattern.match, self._files()) if found}
        left = [name for name in sorted(numbers) if self._target.holder(numbers[name]) is None]
        for name in left:
            self._remove(name)
        return [f"the file {name}" for name in left]

    def _remove(self, name: str) -> None:
        """The database of that name, and what is named after it: its log, and what says that a load of it lives."""
        try:
            for file in self._files():
                if file.startswith(name):
                    (self._folder / file).unlink(missing_ok=True)
        except OSError as error:
            raise TargetError(
                f"{self._folder / name} cannot be removed: {error.strerror}. Remove it by hand."
            ) from error

    def _files(self) -> list[str]:
        return os.listdir(self._folder)
