"""A small load by the real command, to be spoilt in one way by each test."""

from __future__ import annotations

import sqlite3
from pathlib import Path
from typing import Any

from tests.command import Result, etl

MAPPING = """\
version: 1
tables:
  item:
    each: /items/item
    key: id
    columns:
      id: {path: "@id", type: integer, required: true}
      name: name
"""


def item(number: int, name: bytes = b"a name") -> bytes:
    """A good record."""
    return b'<item id="%d"><name>%s</name></item>\n' % (number, name)


def document(*records: bytes, prolog: bytes = b"") -> bytes:
    """A document of these records."""
    return b"".join([prolog, b"<items>\n", *records, b"</items>\n"])


class Workplace:
    """A folder with a mapping, a source and a SQLite database."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.source = folder / "items.xml"
        self.database = folder / "items.db"
        self.mapping = folder / "items.mapping.yaml"
        self.mapping.write_text(MAPPING)

    def load(self, source: bytes | None = None, *arguments: str | Path, **options: Any) -> Result:
        """``etl load items.xml`` here, quietly; `source` becomes the file's content first."""
        if source is not None:
            self.source.write_bytes(source)
        return etl("load", self.source, "--map", self.mapping, "-q", *arguments, cwd=self.folder, **options)

    def query(self, sql: str) -> list[tuple[Any, ...]]:
        """Rows from the database; no rows where it or the table is not there."""
        if not self.database.exists():
            return []
        database = sqlite3.connect(self.database)
        try:
            return database.execute(sql).fetchall()
        except sqlite3.OperationalError as error:
            if "no such table" in str(error):
                return []
            raise
        finally:
            database.close()

    @property
    def ids(self) -> list[int]:
        """Keys of the rows that were loaded."""
        return [row[0] for row in self.query("SELECT id FROM item ORDER BY id")]

    @property
    def rejects(self) -> list[tuple[int, str]]:
        """Record number and reason of each reject."""
        return self.query("SELECT record, reason FROM etl_reject ORDER BY record")


def sentence(result: Result) -> str:
    """What a quiet run that failed says: one line on standard error, and nothing that looks like a crash."""
    assert "Traceback" not in result.out + result.err
    lines = [line for line in result.err.splitlines() if line.strip()]
    assert len(lines) == 1, result.err
    assert lines[0].rstrip().endswith((".", ")")), lines[0]
    return lines[0]
