"""What was seen of the values of one attribute, or of the text of one kind of element; and the type that suits them.

Values come in batches. Each batch is looked at as a whole: the kinds of value (`etl.inference.kinds`) that are still
possible are asked whether they allow all of it, and one that does not is never asked again.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from etl.inference.kinds import MIN_VALUES, Evidence
from etl.inference.uniqueness import LONGEST, Uniqueness
from etl.mapping.model import ColumnType
from etl.mapping.paths import XML_WHITE_SPACE

MAX_EXAMPLES = 5
EXAMPLE_LENGTH = 60


@dataclass(frozen=True, slots=True)
class Guess:
    """A type, and the reason for it."""

    type: ColumnType
    why: str
    """In a few words; none where the values speak for themselves."""


class ValueProfile:
    """Values in, what they have in common out; bounded memory."""

    __slots__ = ("_evidence", "_uniqueness", "count", "empty", "examples", "lent", "longest", "nil")

    def __init__(self) -> None:
        self.count = 0
        """Values seen, empty ones included."""
        self.empty = 0
        """Values that are the empty text (after stripping)."""
        self.nil = 0
        """Those of them that are said to be NULL, by ``xsi:nil``."""
        self.examples: list[str] = []
        """The first few different values that are not empty, shortened."""
        self.longest = 0
        """Characters of the longest value."""
        self.lent: Guess | None = None
        """What is guessed while there are too few values to say more."""
        self._evidence = Evidence()
        self._uniqueness: Uniqueness | None = Uniqueness()

    def add(self, values: Sequence[str | None]) -> None:
        """Take in values, with or without white space around them; None for an element without text."""
        before = self.count - self.empty
        self.count += len(values)
        raw = set(values)
        distinct = {value.strip(XML_WHITE_SPACE) for value in raw if value}
        filled = len(values)
        if len(distinct) < len(raw) or "" in distinct:
            empty = sum(values.count(value) for value in raw if not (value and value.strip(XML_WHITE_SPACE)))
            self.empty += empty
            filled -= empty
            distinct.discard("")
        if not distinct:
            return
        if len(self.examples) < MAX_EXAMPLES:
            self._add_examples(values)
        self.longest = max(self.longest, max(map(len, distinct)))
        if self._uniqueness is not None:
            exact = len(distinct) == filled and self.longest <= LONGEST
            if not (exact and self._uniqueness.add(distinct)):
                self._uniqueness = None
        if self._evidence.add(distinct):
            stripped = (value.strip(XML_WHITE_SPACE) for value in values if value)
            self._evidence.explain([text for text in stripped if text], before)

    @property
    def unique(self) -> bool:
        """No value was seen twice; beyond some thousands of different ones, none of a share of them."""
        return self._uniqueness is not None and self.empty < 2

    @property
    def hashes(self) -> int:
        """How many hashes are kept in order to know whether values are unique."""
        return 0 if self._uniqueness is None else len(self._uniqueness)

    def shrink(self, hashes: int) -> None:
        """Free memory: keep at most so many hashes."""
        if self._uniqueness is not None:
            self._uniqueness.shrink(hashes)

    @property
    def is_sure(self) -> bool:
        """There are enough values to guess what the next ones are."""
        return self.count - self.empty >= MIN_VALUES

    def allows(self, column_type: ColumnType) -> bool:
        """Whether there are values, and all of them are of that type."""
        return self.count > self.empty and self._evidence.allows(column_type)

    def guess(self) -> Guess:
        """The type that every value seen is of, from at least 100 that are not empty; else what is lent, or text."""
        seen = self.count - self.empty
        if not seen:
            return Guess(ColumnType("text"), "always empty" if self.count else "no value seen")
        if not self.is_sure:
            return self.lent or Guess(ColumnType("text"), f"only {seen} value{'s' if seen > 1 else ''} seen")
        return Guess(*self._evidence.verdict(seen, self.unique))

    def _add_examples(self, values: Sequence[str | None]) -> None:
        for value in dict.fromkeys(values):
            example = (value or "").strip(XML_WHITE_SPACE)
            if len(example) > EXAMPLE_LENGTH:
                example = example[:EXAMPLE_LENGTH] + "…"
            if example and example not in self.examples:
                self.examples.append(example)
                if len(self.examples) == MAX_EXAMPLES:
                    break
