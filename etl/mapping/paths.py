"""The path language of the mapping: parsing and the parsed form. What a path may say is in `etl docs mapping`.

A name is matched by namespace and local name. `namespace` None means any namespace (``{*}name`` or ``*``), "" means
none. `name` None means any name (``*``).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True, slots=True)
class NameTest:
    """Which element or attribute names a step accepts."""

    namespace: str | None
    name: str | None


@dataclass(frozen=True, slots=True)
class AttributeTest:
    """The predicate ``[@name='value']``."""

    attribute: NameTest
    value: str


@dataclass(frozen=True, slots=True)
class Step:
    """One step down: a child element with that name for which all tests hold."""

    element: NameTest
    tests: tuple[AttributeTest, ...] = ()
    position: int | None = None
    """The predicate ``[n]``: the n-th (from 1) among the siblings that the name test and the tests before it accept."""


@dataclass(frozen=True, slots=True)
class RecordPath:
    """An absolute `each`: one record per element it matches.

    ``/a/b`` has steps a, b counted from the document node. ``//b`` (`anywhere`) has the single step b and means the
    outermost elements of that name. Positions cannot occur: they would depend on where the document is cut.
    """

    text: str
    steps: tuple[Step, ...]
    anywhere: bool = False


@dataclass(frozen=True, slots=True)
class ValuePath:
    """A path from a table's element to a value, or to the elements of a child table.

    First `up` steps to ancestors (``..``), then `steps` down, then `leaf` says what is taken of the last element:
    its string value (all text below it), its own text nodes, or an attribute.
    """

    text: str
    up: int = 0
    steps: tuple[Step, ...] = ()
    leaf: Literal["string", "text", "attribute"] = "string"
    attribute: NameTest | None = None
