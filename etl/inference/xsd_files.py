"""The files of a schema: those in the folder of the one that the user names, and below it.

A schema may come from a stranger, and says itself what else is to be read. In: that path, and what stands as a
`schemaLocation`. Out: bytes. Whoever asks, no other file is opened (but the copies of well-known schemas that
`xmlschema` has itself), and nothing is fetched. Runs on the caller's thread.
"""

from __future__ import annotations

import errno
import os
import re
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote, urlsplit

from etl.errors import SettingsError

if TYPE_CHECKING:
    from urllib.request import OpenerDirector

MAX_SCHEMA_BYTES = 1 << 25
"""Of all files of a schema together; the largest that are published have a fifth of that."""

REMOTE = re.compile(r"(?!file:)[A-Za-z][A-Za-z0-9+.\-]+:", re.IGNORECASE)


class SchemaFiles:
    """The files of one schema, each read once."""

    def __init__(self, named: Path) -> None:
        self._named = named
        self.first = Path(os.path.realpath(named))
        """The file of the schema that the user names."""
        self._read: dict[Path, bytes] = {}
        self._size = 0

    def shown(self, file: Path) -> Path:
        """As messages name it: the one that the user names as he wrote it."""
        return self._named if file == self.first else file

    def target(self, location: str, file: Path) -> Path | None:
        """Where a location in that file leads to; None where that is no file. Not looked at yet."""
        if not location or REMOTE.match(location):
            return None
        try:
            target = Path(os.path.realpath(file.parent / unquote(urlsplit(location).path)))
            return target if target.is_file() else None
        except (OSError, ValueError):  # names that no system has
            return None

    def check_inside(self, file: Path, told: str) -> None:
        """Raise SettingsError where a file is not one that this schema may lead to; `told`: what names it."""
        if not file.is_relative_to(self.first.parent):
            raise SettingsError(
                f"{told}, {file}, which is outside of {self.first.parent}: of a schema only files in its own folder and"
                " below are read. Copy that one there, and name the copy; or, if you trust it, name a schema in a"
                f" folder above both, which includes {self._named.name} (`etl docs commands` has an example)."
            )

    def contents(self, file: Path) -> bytes:
        """The bytes of a file; raises SettingsError where it is elsewhere, or all of them are too large, OSError."""
        file = Path(os.path.realpath(file))
        if file not in self._read:
            if not _is_of_the_library(file):
                self.check_inside(file, f"The schema {self._named} leads to another file")
            if file.exists() and not file.is_file():
                raise OSError(errno.EINVAL, "it is a folder, a pipe or a device, not a file")
            with file.open("rb") as stream:
                data = stream.read(MAX_SCHEMA_BYTES - self._size + 1)
            self._size += len(data)
            if self._size > MAX_SCHEMA_BYTES:
                raise SettingsError(
                    f"The schema {self._named} has more than {MAX_SCHEMA_BYTES:,} bytes, with all that it includes and"
                    " imports: take the parts that describe your documents."
                )
            self._read[file] = data
        return self._read[file]

    def opener(self) -> OpenerDirector:
        """For `xmlschema`, which opens whatever a schema names by URLs."""
        from urllib.error import URLError
        from urllib.request import BaseHandler, OpenerDirector

        contents = self.contents

        class Files(BaseHandler):
            def file_open(self, request: Any) -> BytesIO:
                try:
                    return BytesIO(contents(Path(unquote(urlsplit(request.full_url).path))))
                except (OSError, ValueError) as error:
                    raise URLError(str(error)) from error

            def unknown_open(self, request: Any) -> BytesIO:
                raise URLError(f"{request.full_url} is not fetched")

        opener = OpenerDirector()
        opener.add_handler(Files())
        return opener


def _is_of_the_library(file: Path) -> bool:
    from xmlschema.locations import SCHEMAS_DIR

    return file.is_relative_to(os.path.realpath(SCHEMAS_DIR))
