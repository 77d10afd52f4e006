"""What was mended in a document: how often, by kind, and where first. Plain values, for reports as well."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Kind = Literal[
    "nul",
    "control_character",
    "invalid_utf8",
    "byte_order_mark",
    "character_reference",
    "bare_ampersand",
    "html_entity",
]


@dataclass(frozen=True, slots=True)
class Mend:
    """All mends of one kind in a document."""

    kind: Kind
    count: int
    offset: int
    """Of the first: bytes of the document as UTF-8, as it was before anything was mended, from 0."""
    line: int
    """Of the first, from 1."""


_WORDS: dict[Kind, tuple[str, str]] = {
    "nul": ("NUL", "NULs"),
    "control_character": ("control character", "control characters"),
    "invalid_utf8": ("sequence that is no UTF-8", "sequences that are no UTF-8"),
    "byte_order_mark": ("byte order mark too many", "byte order marks too many"),
    "character_reference": (
        "reference to a character that XML does not allow",
        "references to characters that XML does not allow",
    ),
    "bare_ampersand": ("bare ampersand", "bare ampersands"),
    "html_entity": ("entity of HTML", "entities of HTML"),
}


def counted(mend: Mend) -> str:
    """``3 bare ampersands``."""
    return f"{mend.count:,} {_WORDS[mend.kind][mend.count != 1]}"
