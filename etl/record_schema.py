"""What workers need of an XML Schema to validate records: its documents, and where which element is declared.

Made by `etl.validation`, used by `etl.transform.validation`; frozen, picklable, without anything of the libraries that
read schemas.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from etl.fingerprints import digest_of

MAIN_TEXT = "etl.xsd"
"""Name of the document that refers to all others and declares the wrappers."""

WRAPPERS = "urn:etl:wrappers"
"""Namespace of the wrappers: elements that take any number of records, and nothing else."""

LAX, STRICT, SKIP = "lax", "strict", "skip"
"""Wrappers of records that are found by their global declarations: where there is one, always, never."""


@dataclass(frozen=True, slots=True)
class Declared:
    """What is declared of the elements at a place of documents."""

    wrapper: str = ""
    """Local name of the wrapper by which those that are records are validated; "" where none is."""
    children: Mapping[str, int] = field(default_factory=dict)
    """By tag (``{namespace}name``) the places of the child elements that records are, or are below."""
    other: int | None = None
    """The place of all other children; None where no others are allowed."""
    types: Mapping[str, int] = field(default_factory=dict)
    """By name (``{namespace}name``) of the type in an ``xsi:type`` the place that such an element has instead."""


@dataclass(frozen=True, slots=True)
class RecordSchema:
    """An XML Schema, prepared for the records of a mapping."""

    label: str
    """The schema's file, as messages show it."""
    texts: Mapping[str, bytes]
    """Its documents by name; they refer to each other by these names, and to nothing else."""
    places: tuple[Declared, ...]
    """The first one is the document's."""

    @property
    def digest(self) -> str:
        """Of its documents, as they are written."""
        return digest_of(part for name, text in sorted(self.texts.items()) for part in (name.encode(), text))
