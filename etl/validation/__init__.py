"""XML Schemas that records are validated by: read and made ready on the caller's thread, before anything is loaded.

What it takes to read them is imported only where there is one. Validating itself is `etl.transform.validation`.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from etl.validation.prepare import SchemaFile


def open_schema(file: Path | None) -> SchemaFile | None:
    """The schema in `file`, None without one. Raises SettingsError where it cannot be read, or is none."""
    if file is None:
        return None
    from etl.validation.prepare import SchemaFile

    return SchemaFile(file)
