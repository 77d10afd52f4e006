"""Which types a column's values could be of.

In: batches of different texts that are not empty. Out: the one type that has no counter-example, with the reason, or
text. Types are asked by their own rules (`etl.mapping.types`), so that what is guessed also loads; numbers
are asked for more, since codes look like them: one of digits loses its leading zeros as soon as it is taken for a
number, and 1E5 becomes 100000. So an exponent needs a point before it, or a sign of its own.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass

from etl.mapping.conversion import ConversionError
from etl.mapping.model import ColumnType
from etl.mapping.numbers import DOUBLE_DIGITS
from etl.mapping.types import rule_for

_END = "\x01"
"""Follows each text of a batch written as one string; no XML document can contain it."""

MIN_VALUES = 100
"""Fewer values say nothing about the next ones: they are text."""

SHOWN = 30
"""Characters of a value in a reason."""

CODE_DIGITS = 10
"""So many digits in all values alike are a code (a barcode, a telephone number), and the next one may begin with 0."""

SMALL = 10_000
SURE_OF_SMALL = 1000
"""Values that are needed to say that all of them are small."""

_TEXT = ColumnType("text")


@dataclass(frozen=True, slots=True)
class _Kind:
    name: str
    plain: re.Pattern[str]
    """Batches whose values are of that kind without a closer look."""
    holds: Callable[[str], bool] | None
    """The closer look at one value."""

    def allows(self, together: str, distinct: Collection[str]) -> bool:
        if self.plain.fullmatch(together):
            return True
        return self.holds is not None and all(map(self.holds, distinct))


def _batch(pattern: str) -> re.Pattern[str]:
    return re.compile(rf"(?:(?:{pattern}){_END})*+", re.ASCII)


def _of_type(name: str, form: str, plain: str | None = None) -> _Kind:
    """Values that the type's rule takes and that are written in `form`; `plain` ones are without a closer look."""
    rule = rule_for(ColumnType(name), True)
    fits = re.compile(form, re.ASCII).fullmatch

    def holds(text: str) -> bool:
        if fits(text) is None:
            return False
        try:
            rule.convert(text)
        except ConversionError:
            return False
        return True

    return _Kind(name, _batch(plain or rule.plain or "(?!)"), holds)


_WHOLE = "(?:0|[1-9][0-9]*)"
_NUMBER = rf"-?(?:{_WHOLE}?\.[0-9]+(?:[eE][-+]?[0-9]+)?|{_WHOLE}(?:[eE][-+][0-9]+)?)"
_PLAIN_NUMBER = r"-?(?:0|[1-9][0-9]{0,99})(?:\.[0-9]{1,99})?"
_KINDS = (
    _Kind("boolean", _batch("(?i:true|false)"), None),
    _of_type("uuid", "[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}"),
    _of_type("date", ".*"),
    _of_type("time", ".*"),
    _of_type("timestamp", ".*"),
    _of_type("timestamptz", ".*:.*(?:Z|[+-][0-9:]+)"),
    _of_type("bigint", "0|-?[1-9][0-9]*"),
    _of_type("double", _NUMBER, _PLAIN_NUMBER),
    _Kind("digits", _batch("[0-9]+"), None),
)
_FRACTION = re.compile(r"\.([0-9]+)")
_TRAILING_ZERO = re.compile(rf"\.[0-9]+0[{_END}eE]")


class Evidence:
    """What the values of one column have in common."""

    __slots__ = (
        "_counter_example",
        "_digits",
        "_exponents",
        "_kinds",
        "_longest",
        "_scales",
        "_shortest",
        "_small",
        "_struck_out",
        "_trailing_zero",
    )

    def __init__(self) -> None:
        self._kinds: Sequence[_Kind] = _KINDS
        self._struck_out: Sequence[_Kind] = ()
        """The last kinds that were possible, once none is."""
        self._counter_example = ""
        """What made it text after many values of a kind, in words."""
        self._shortest = self._longest = 0
        """Characters of numbers."""
        self._small = True
        """All numbers are whole, and not above SMALL."""
        self._scales: set[int] = set()
        """How many decimals numbers have, as far as needed to see whether all have as many."""
        self._digits = 0
        """The most digits of a number, leading zeros aside; 0 for up to DOUBLE_DIGITS."""
        self._trailing_zero = False
        """A number ends in a zero that says nothing but how exact it is."""
        self._exponents = False

    def add(self, distinct: Collection[str]) -> bool:
        """Take in different texts, none of them empty; True where no kind is possible any more since then."""
        if not self._kinds:
            return False
        before = self._kinds
        if self._kinds is _KINDS:
            # Most columns are text; one value shows it for less than a whole batch.
            self._kinds = _that_allow(before, [next(iter(distinct))])
        self._kinds = _that_allow(self._kinds, distinct)
        if not self._kinds:
            self._struck_out = before
            return True
        if any(kind.name in ("bigint", "double") for kind in self._kinds):
            self._measure(distinct)
        return False

    def explain(self, texts: Sequence[str], before: int) -> None:
        """Find the one that left no kind possible, if there had been many of one kind.

        `texts` are those of which `add` said so, in order; so many were seen `before` them.
        """
        begin, end = max(0, MIN_VALUES - before), len(texts)
        kinds = _that_allow(self._struck_out, texts[:begin])
        if not kinds:
            return
        while end - begin > 1:
            middle = (begin + end) // 2
            possible = _that_allow(kinds, texts[begin:middle])
            if possible:
                kinds, begin = possible, middle
            else:
                end = middle
        text = texts[begin]
        shown = repr(text if len(text) <= SHOWN else f"{text[:SHOWN]}…")
        self._counter_example = f"text because of {shown} behind {before + begin:,} {_PLURALS[kinds[0].name]}"

    def _measure(self, distinct: Collection[str]) -> None:
        lengths = set(map(len, distinct))
        self._longest = max(self._longest, *lengths)
        self._shortest = min(self._shortest or self._longest, *lengths)
        if self._longest > DOUBLE_DIGITS:
            self._digits = max(self._digits, *map(_significant_digits, distinct))
        if self._kinds[0].name == "bigint":
            self._scales.add(0)
            self._small = self._small and self._longest <= 6 and max(abs(int(text)) for text in distinct) <= SMALL
        else:
            self._measure_decimals(distinct)

    def _measure_decimals(self, distinct: Collection[str]) -> None:
        together = _END.join(distinct) + _END
        self._exponents = self._exponents or "e" in together or "E" in together
        self._trailing_zero = self._trailing_zero or _TRAILING_ZERO.search(together) is not None
        if len(self._scales) < 2:
            fractions = _FRACTION.findall(together)
            self._scales.update(map(len, fractions))
            if len(fractions) < len(distinct):
                self._scales.add(0)

    def allows(self, column_type: ColumnType) -> bool:
        """Whether all values are of a type that `verdict` gave others."""
        kind = {"integer": "bigint", "numeric": "double"}.get(column_type.name, column_type.name)
        if kind not in {possible.name for possible in self._kinds}:
            return False
        if column_type.name == "integer":
            return self._small
        if kind == "double":
            fits = column_type.scale is None or self._scales == {column_type.scale}
            return fits and self._digits <= DOUBLE_DIGITS and not (column_type.name == "numeric" and self._exponents)
        return True

    def verdict(self, seen: int, unique: bool) -> tuple[ColumnType, str]:
        """The type of `seen` values, and why; no reason where it is text because it always looked like text."""
        kind = self._kinds[0].name if self._kinds else "text"
        if kind == "bigint":
            return self._integer(seen, unique)
        if kind == "double":
            return self._with_exponents() if self._exponents else self._decimal()
        if kind == "digits":
            return _TEXT, "digits, some with leading zeros or too many: a code"
        if kind == "text":
            return _TEXT, self._counter_example
        return ColumnType(kind), _PLURALS[kind]

    def _integer(self, seen: int, unique: bool) -> tuple[ColumnType, str]:
        if self._shortest == self._longest >= CODE_DIGITS:
            return _TEXT, f"always {self._longest} digits: a code"
        if seen >= SURE_OF_SMALL and self._small and not unique:
            return ColumnType("integer"), "small integers"
        return ColumnType("bigint"), _PLURALS["bigint"]

    def _with_exponents(self) -> tuple[ColumnType, str]:
        if self._digits > DOUBLE_DIGITS:
            return _TEXT, f"numbers with exponents and {self._digits} digits: no type keeps them as they are"
        return ColumnType("double"), "numbers with exponents"

    def _decimal(self) -> tuple[ColumnType, str]:
        if self._scales == {0}:
            return _TEXT, "integers, some too large for bigint (or -0)"
        if self._digits > DOUBLE_DIGITS:
            return ColumnType("numeric"), f"decimal numbers of up to {self._digits} digits"
        if len(self._scales) == 1:
            (scale,) = self._scales
            return ColumnType("numeric", precision=DOUBLE_DIGITS, scale=scale), f"always {scale} decimals"
        if self._trailing_zero:
            return ColumnType("numeric"), "decimal numbers, some with zeros at the end"
        return ColumnType("double"), _PLURALS["double"]


def _that_allow(kinds: Sequence[_Kind], texts: Collection[str]) -> list[_Kind]:
    """Those kinds that all the texts may be of."""
    if not kinds:
        return []
    together = _END.join(texts) + _END if texts else ""
    return [kind for kind in kinds if kind.allows(together, texts)]


def _significant_digits(number: str) -> int:
    return len(number.lower().partition("e")[0].replace(".", "").lstrip("-0"))


_PLURALS = {
    "boolean": "truth values",
    "uuid": "UUIDs",
    "date": "dates",
    "time": "times",
    "timestamp": "timestamps",
    "timestamptz": "timestamps with time zone",
    "bigint": "integers",
    "double": "decimal numbers",
    "digits": "codes of digits",
}
