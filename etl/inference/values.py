"""What was seen of the values of one attribute, or of the text of one kind of element; and the type that suits them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from etl.mapping.model import ColumnType


@dataclass(frozen=True, slots=True)
class Guess:
    """A type, and the reason for it in a few words."""

    type: ColumnType
    why: str


class ValueProfile:
    """Values in, what they have in common out; bounded memory."""

    count: int
    """Values seen, empty ones included."""
    empty: int
    """Values that are the empty text (after stripping)."""
    examples: list[str]
    """The first few different values that are not empty, shortened."""
    longest: int
    """Characters of the longest value."""

    def add(self, values: Sequence[str]) -> None:
        """Take in values, stripped of white space."""
        raise NotImplementedError

    @property
    def unique(self) -> bool:
        """No value was seen twice (see `add` for how that is known)."""
        raise NotImplementedError

    def guess(self) -> Guess:
        """The type that every value seen is of, from at least 100 that are not empty; else text."""
        raise NotImplementedError
