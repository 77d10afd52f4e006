"""What was seen in a sample of documents: one node for each path of elements, with its attributes and its values.

`survey` fills it in; `design` reads it. Its size is bounded (`MAX_PATHS`), whatever the documents hold.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from etl.inference.values import ValueProfile

MAX_PATHS = 50_000
"""Element paths and attributes remembered; elements beyond are counted in `ElementProfile.others` of their parent."""


@dataclass(slots=True)
class ElementProfile:
    """All elements with one path from the root."""

    tag: str
    """As lxml writes it: ``{namespace}name``."""
    depth: int
    """0 for the root."""
    count: int = 0
    """Elements seen."""
    parents: int = 0
    """Elements of the parent's path that hold at least one of them (for a root: documents)."""
    most: int = 0
    """The largest number of them in one parent."""
    leaves: int = 0
    """Those without child elements."""
    mixed: int = 0
    """Those that hold both child elements and text of their own that is not white space."""
    text: ValueProfile = field(default_factory=ValueProfile)
    """The own text of those without child elements, stripped; an element without text counts as the empty text."""
    attributes: dict[str, ValueProfile] = field(default_factory=dict)
    """By name as lxml writes it, in the order of the documents."""
    children: dict[str, ElementProfile] = field(default_factory=dict)
    """By tag, in the order of the documents (a child first seen late stands behind those that came before it)."""
    others: int = 0
    """Child elements and attributes that were not remembered, because there are too many different ones."""
    bytes: int = 0
    """Bytes of the source that its elements took, as far as they are larger than what is looked at in one go;
    0: all of them are small."""
    largest: int = 0
    """Bytes of the largest of them, measured in the same way; one that was cut off counts with what was seen of it."""
    cut: str = ""
    """Why nobody looks into them, so that they are kept whole; empty where what is in them is known."""
    says: str = ""
    """What a schema says of them."""


@dataclass(slots=True)
class Profile:
    """What one sample showed."""

    roots: dict[str, ElementProfile] = field(default_factory=dict)
    """By tag; several where the documents have different roots."""
    documents: int = 0
    bytes: int = 0
    """Bytes of the documents, as UTF-8, that were looked at."""
    root_bytes: dict[str, int] = field(default_factory=dict)
    """The same by root element, of whole documents as far as their sizes are known: large ones of one kind say nothing
    of those of another."""
    files: dict[str, str] = field(default_factory=dict)
    """By root element: what all the files with it are called, numbers aside; "" where that differs, or says nothing."""
    labels: dict[str, str] = field(default_factory=dict)
    """By root element: the first document that has it."""
    whole: bool = True
    """All of every document was looked at, be it that some of it did not parse."""
    prefixes: dict[str, str] = field(default_factory=dict)
    """Namespace to the first prefix seen for it; "" for a default namespace."""
    skipped: int = 0
    """Passages that did not parse, and sources that could not be read: they were passed over."""
    first_problem: str = ""
    """Why the first of them did not parse, and where."""
    mixed: list[str] = field(default_factory=list)
    """Warnings of places where documents have records of different kinds."""
    declared: bool = False
    """It is made from a schema: numbers tell what must be from what may be, and nothing was seen."""
    small_roots: set[str] = field(default_factory=set)
    """Where it is: root elements that several small documents have."""
