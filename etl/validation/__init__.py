"""XML Schemas that records are validated by: read and made ready on the caller's thread, before anything is loaded.

What it takes to read them is imported only where there is one. Validating itself is `etl.transform.validation`.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from etl.mapping.model import Mapping
from etl.record_schema import RecordSchema


def open_schema(file: Path | None) -> Callable[[Mapping], RecordSchema | None]:
    """What gives the schema in `file` for the records of a mapping (None without a file), see `SchemaFile.for_records`.

    Raises SettingsError where it cannot be read, or is none.
    """
    if file is None:
        return lambda _mapping: None
    from etl.validation.prepare import SchemaFile

    return SchemaFile(file).for_records
