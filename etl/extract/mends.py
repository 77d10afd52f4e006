"""What was mended in a document: how often, by kind, and where first. Plain values, for reports as well."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
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
    document: str = ""
    """In which of several documents the first is; "" where there is one."""


def sum_up(mends: Iterable[Mend]) -> tuple[Mend, ...]:
    """One of each kind, with the place of the first given."""
    found: dict[Kind, Mend] = {}
    for mend in mends:
        first = found.get(mend.kind)
        found[mend.kind] = mend if first is None else replace(first, count=first.count + mend.count)
    return tuple(found.values())


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
    """As in ``3 bare ampersands``."""
    return f"{mend.count:,} {_WORDS[mend.kind][mend.count != 1]}"


def described(mend: Mend) -> str:
    """With the place of the first."""
    document = f" of {mend.document}" if mend.document else ""
    which = "" if mend.count == 1 else "the first "
    return f"{counted(mend)}, {which}at byte {mend.offset:,} (line {mend.line:,}){document}"
