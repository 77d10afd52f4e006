"""The tables of an inferred mapping before they have names: which elements are their rows, and what a row holds."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal

from etl.inference.values import ValueProfile

Steps = tuple[str, ...]
"""Tags from one element down to another, as lxml writes them."""

Take = Literal["string", "text", "attribute", "xml", "name", "line"]
"""What a column holds of an element: all its text, its own text, an attribute, its markup, its name, or the line of
the record."""


@dataclass(frozen=True, slots=True)
class Field:
    """A column: where its value stands, and what was seen of it."""

    steps: Steps
    """Down from the row's element."""
    take: Take
    attribute: str = ""
    above: Steps = ()
    """For an attribute above the record: the tags gone up, innermost first."""
    values: ValueProfile | None = None
    """None where nothing is known about the values."""
    present: int = 0
    """Rows that have it."""
    note: str = ""


@dataclass(frozen=True, slots=True)
class Selection:
    """Child elements by what they are instead of by name."""

    bare: bool
    """Only those that hold text and nothing else."""
    excluded: tuple[str, ...] = ()
    """Tags of those that are found elsewhere."""


@dataclass(frozen=True, slots=True)
class Rows:
    """A table."""

    tag: str
    """Of its elements; empty where they have different ones."""
    each: tuple[Steps, ...]
    """Down from the parent's element; for records from the document, the root included."""
    count: int
    """Elements seen."""
    fields: tuple[Field, ...]
    most: int = 0
    """The largest number in one parent."""
    children: tuple[Rows, ...] = ()
    selection: Selection | None = None
    """Last step of `each` where it is no name."""
    note: str = ""
    says: str = ""
    """What a schema says of its elements."""

    @property
    def height(self) -> int:
        """Tables above each other, this one included."""
        return 1 + max((child.height for child in self.children), default=0)


@dataclass(frozen=True, slots=True)
class Contents:
    """What one element gives to the row that it belongs to."""

    fields: tuple[Field, ...] = ()
    children: tuple[Rows, ...] = ()

    def below(self, tag: str) -> Contents:
        """The same, seen from the parent of the element, whose tag is given."""
        return Contents(
            tuple(replace(field, steps=(tag, *field.steps)) for field in self.fields),
            tuple(replace(rows, each=tuple((tag, *steps) for steps in rows.each)) for rows in self.children),
        )

    def __add__(self, other: Contents) -> Contents:
        return Contents(self.fields + other.fields, self.children + other.children)
