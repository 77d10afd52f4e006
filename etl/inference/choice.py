"""Which of many documents are looked at, and at how much of each.

A document costs time however small it is. Of thousands, some of every kind are looked at, as far as names and folders
tell kinds; of some thousand others only the root element is read, and the rest of those whose root is new.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import PurePath

from etl.inference.openable import Openable

LOOKED_AT = 4000
"""Documents: two seconds, and one that has what one in a thousand has is among them all but surely."""

PEEKED_AT = 8000
"""Further documents of which the root is read."""

_FEW = 10
"""Documents of a kind, in the mean: where there are fewer, what tells them apart is no kind."""

_DIGITS = re.compile(r"[0-9]+")


@dataclass(frozen=True, slots=True)
class Turn:
    """A document whose turn it is."""

    document: Openable
    share: int | None
    """Bytes of the sample that are its own; None: all of it is wanted."""
    only_new: bool = False
    """It is looked at where no document before had such a root."""


def turns(documents: Sequence[Openable], sample_bytes: int | None) -> Iterator[Turn]:
    """The documents to open, in their order; so many bytes of them are wanted in all, or everything."""
    if sample_bytes is None:
        yield from (Turn(document, None) for document in documents)
        return
    chosen = _spread_over_kinds(documents)
    share = share_of_each([documents[place].document_bytes for place in chosen], sample_bytes)
    peeked = set(_spread([place for place in range(len(documents)) if place not in chosen], PEEKED_AT))
    for place in sorted(chosen | peeked):
        yield Turn(documents[place], share, place in peeked)


def share_of_each(sizes: Sequence[int | None], budget: int) -> int:
    """The bytes that each may take where smaller ones leave to larger ones what they do not need."""
    left, waiting = budget, len(sizes)
    for size in sorted(size for size in sizes if size is not None):
        if size * waiting >= left:
            break
        left -= size
        waiting -= 1
    return max(1, left // waiting) if waiting else budget


def _spread_over_kinds(documents: Sequence[Openable]) -> set[int]:
    """Places of the documents to be looked at: as many of each kind, and of one kind spread over all of it."""
    if len(documents) <= LOOKED_AT:
        return set(range(len(documents)))
    kinds = _kinds(documents)
    quota = share_of_each([len(places) for places in kinds], LOOKED_AT)
    return {place for places in kinds for place in _spread(places, quota)}


def _kinds(documents: Sequence[Openable]) -> list[list[int]]:
    """Their places, those together whose names differ in digits alone; else, where that tells nothing, by folder."""
    for kind in (_without_digits, _folder):
        kinds: dict[str, list[int]] = {}
        for place, document in enumerate(documents):
            kinds.setdefault(kind(document.label), []).append(place)
        if len(kinds) * _FEW <= len(documents):
            return list(kinds.values())
    return [list(range(len(documents)))]


def _without_digits(label: str) -> str:
    return _DIGITS.sub("0", label)


def _folder(label: str) -> str:
    return str(PurePath(label).parent)


def _spread(places: Sequence[int], number: int) -> Sequence[int]:
    """So many of them, evenly."""
    if len(places) <= number:
        return places
    return [places[len(places) * turn // number] for turn in range(number)]
