"""Values of one column: raw texts go in, canonical texts come out, for all rows of a split at once.

The order of what happens to a value is the mapping language's: strip, transform, nulls, default, required, convert,
on_error. A whole column that looks right is let through by one regular expression; else each different text is worked
out once. Columns that keep several values are in `lists`.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field

from etl.mapping.conversion import ConversionError
from etl.mapping.model import Column
from etl.mapping.paths import XML_WHITE_SPACE
from etl.mapping.types import rule_for_column
from etl.transform.elements import NIL, NULL
from etl.transform.transforms import compile_transforms

MISSING_VALUE = "missing_value"
SEVERAL_VALUES = "several_values"

_END = "\x01"
"""Follows each text of a column written as one string; no XML document can contain it."""


@dataclass(frozen=True, slots=True)
class Failure:
    """Why a value makes its record a reject."""

    reason: str
    message: str


MISSING = Failure(MISSING_VALUE, "a value is required, none was found")


@dataclass(frozen=True, slots=True)
class Converted:
    """A column's canonical texts, NULL where there is none."""

    texts: Sequence[str]
    failures: dict[int, Failure] = field(default_factory=dict)
    """By row."""
    replaced: int = 0
    """Values replaced because of `on_error`."""


class ValueSteps:
    """What happens to each value on its own before it is put together with others: strip and transform."""

    def __init__(self, column: Column) -> None:
        self._strip = column.strip
        self._transform = compile_transforms(column.transforms)

    def value(self, text: str) -> str:
        """NULL where the transform says so; raises ConversionError where it fails."""
        if text in (NULL, NIL):
            return NULL
        if self._strip:
            text = text.strip(XML_WHITE_SPACE)
        return text if self._transform is None else self._transform(text)


class ColumnConverter:
    """Converts a column's texts, one for each row.

    `steps` None: that was done already. `fills` False: what is NULL stays so, whatever the column says of it.
    """

    def __init__(self, column: Column, *, finite: bool, steps: ValueSteps | None, fills: bool = True) -> None:
        self.column = column
        self.rule = rule_for_column(column, finite)
        self._steps = steps
        self._strips = steps is not None and column.strip
        self._transforms = steps is not None and bool(column.transforms)
        self._default = None if column.default is None else self.rule.convert(column.default)
        self._nulls = frozenset(column.nulls)
        self._required = column.required and fills
        self._fallback = self._default if fills else None
        self._fills_null = self._required or self._fallback is not None
        self._plain = self._plain_pattern()
        self._any_text = column.type.name == "text" and not self._nulls

    def _plain_pattern(self) -> re.Pattern[str] | None:
        if self.rule.plain is None:
            return None
        pattern = re.compile(rf"(?:(?:{self.rule.plain}|{NULL}){_END})*+")
        return None if any(pattern.fullmatch(text + _END) for text in self._nulls) else pattern

    def convert(self, texts: Sequence[str], nil: bool) -> Converted:
        """Convert the column's text of each row; `nil` says that some may be NIL."""
        if nil:
            texts = [NULL if text == NIL else text for text in texts]
        if self._transforms:
            return self._one_by_one(texts)
        if self._strips and self.column.type.name in ("text", "varchar"):
            texts = [text.strip(XML_WHITE_SPACE) for text in texts]
        if not (self._fills_null and NULL in texts):
            if self._any_text:
                return Converted(texts)
            if self._plain is not None:
                together = _END.join(texts) + _END if texts else ""
                if self._plain.fullmatch(together):
                    if self.rule.bulk is None:
                        return Converted(texts)
                    return Converted(self.rule.bulk(together).split(_END)[:-1])
        return self._one_by_one(texts)

    def replacement(self, error: ConversionError) -> str | Failure:
        """What `on_error` puts in the place of a value."""
        if self.column.on_error == "set_null" and not self.column.required:
            return NULL
        if self.column.on_error == "use_default" and self._default is not None and error.reason != MISSING_VALUE:
            return self._default
        return Failure(error.reason, error.message)

    def _one_by_one(self, texts: Sequence[str]) -> Converted:
        results: dict[str, str | Failure] = {}
        bad: set[str] = set()
        for text in set(texts):
            try:
                results[text] = self._value(text)
            except ConversionError as error:
                bad.add(text)
                results[text] = self.replacement(error)
        converted = [results[text] for text in texts]
        failures = {row: value for row, value in enumerate(converted) if isinstance(value, Failure)}
        replaced = sum(1 for text in texts if text in bad) - len(failures) if bad else 0
        return Converted([NULL if isinstance(value, Failure) else value for value in converted], failures, replaced)

    def _value(self, text: str) -> str:
        if self._steps is not None:
            text = self._steps.value(text)
        if text == NULL or text in self._nulls:
            if self._fallback is not None:
                return self._fallback
            if self._required:
                raise ConversionError(MISSING.reason, MISSING.message)
            return NULL
        return self.rule.convert(text)
