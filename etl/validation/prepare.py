"""An XML Schema made ready for the records of a mapping: a file goes in, what workers need comes out.

Everything that can be wrong with the schema is found here, before anything is loaded. Runs on the caller's thread.
"""

from __future__ import annotations

from pathlib import Path

from lxml import etree

from etl.errors import SettingsError
from etl.inference.xsd_schema import read_schema, readable
from etl.mapping.model import Mapping
from etl.record_schema import RecordSchema
from etl.transform.validation import compile_schema
from etl.validation.declarations import Declarations
from etl.validation.texts import SchemaTexts


class SchemaFile:
    """A schema as it stands in a file, with all that it names."""

    def __init__(self, file: Path) -> None:
        """Raises SettingsError where it cannot be read, is no XML Schema, or names one that is not there."""
        self._file = file
        self._schema, missing = read_schema(file)
        if missing:
            raise SettingsError(
                f"{missing[0]}: records cannot be validated by a part of a schema. Put that one beside it, and name"
                " its file as schemaLocation."
            )

    def for_records(self, mapping: Mapping) -> RecordSchema:
        """What validates the records of `mapping`; `mapping` is for documents that the schema describes.

        Raises SettingsError where it declares nothing at a place that has records, or is more than XML Schema 1.0.
        """
        paths = [path for table in mapping.tables for path in table.records]
        with readable(self._file):
            texts = SchemaTexts(self._schema)
            declarations = Declarations(self._schema, paths, texts)
        unmet = declarations.unmet()
        if unmet:
            raise SettingsError(
                f"{self._file} declares nothing where {mapping.label} has records, at {unmet}: the schema is for other"
                " documents, or the mapping is."
            )
        prepared = RecordSchema(str(self._file), texts.texts(), declarations.places)
        try:
            compile_schema(prepared)
        except etree.XMLSchemaParseError as error:
            raise SettingsError(
                f"{self._file} is no XML Schema 1.0 that records can be validated by: {str(error).rstrip('.')}."
            ) from error
        return prepared
