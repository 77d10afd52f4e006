"""What a lexical rule is made of, and what it says of a text that is not a value of its type."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

BAD_VALUE = "bad_value"
OUT_OF_RANGE = "out_of_range"
TOO_LONG = "too_long"

SHOWN_LENGTH = 60
"""Characters of a bad value that a message shows: enough to recognise it, short enough for a line of a log."""


class ConversionError(ValueError):
    """A text is not a value of the type; `reason` is a reason code of rejects."""

    def __init__(self, reason: str, message: str) -> None:
        super().__init__(reason, message)
        self.reason = reason
        self.message = message


@dataclass(frozen=True, slots=True)
class Rule:
    """The rule of one type (with its parameters)."""

    convert: Callable[[str], str]
    """Text to canonical text; raises ConversionError."""
    python: Callable[[str], object]
    """Canonical text to the value that a target without COPY gets."""
    plain: str | None = None
    """Pattern of texts that need no look at each one: they are canonical, or become so by `bulk`."""
    bulk: Callable[[str], str] | None = None
    """Makes a whole column of `plain` texts, each followed by the byte 1, canonical at once."""
    array: Callable[[Sequence[str | None]], str] | None = None
    """Of a column of arrays: from the canonical texts of an array's values, None for NULL, to the array's own."""


def shown(text: str) -> str:
    """`text` as messages quote it."""
    return repr(text if len(text) <= SHOWN_LENGTH else text[:SHOWN_LENGTH] + "…")
