"""Values of one column: raw texts go in, canonical texts come out, for all rows of a split at once.

The order of what happens to a value is the mapping language's: strip, nulls, default, required, convert, on_error.
A whole column that looks right is let through by one regular expression; else each different text is worked out once.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from etl.mapping.conversion import ConversionError
from etl.mapping.model import Column, FromPath
from etl.mapping.types import rule_for
from etl.transform.compile import NULL
from etl.transform.data_mapper import NIL

XML_WHITE_SPACE = " \t\r\n"
MISSING_VALUE = "missing_value"

_END = "\x01"
"""Follows each text of a column written as one string; no XML document can contain it."""


@dataclass(frozen=True, slots=True)
class Failure:
    """Why a value makes its record a reject."""

    reason: str
    message: str


@dataclass(frozen=True, slots=True)
class Converted:
    """A column's canonical texts, NULL where there is none."""

    texts: Sequence[str]
    failures: dict[int, Failure]
    """By row."""
    replaced: int = 0
    """Values replaced because of `on_error`."""


class ColumnConverter:
    """Converts a column that has a path."""

    def __init__(self, column: Column, *, finite: bool) -> None:
        self._column = column
        source = column.source
        self._separator = source.separator if isinstance(source, FromPath) and source.many == "join" else None
        # Joined values are stripped one by one; what joins them stays.
        self._strip = column.strip and self._separator is None
        self._rule = rule_for(column.type, finite)
        self._default = None if column.default is None else self._rule.convert(column.default)
        self._nulls = frozenset(column.nulls)
        self._fills_null = column.required or column.default is not None
        self._plain = self._plain_pattern()
        self._any_text = column.type.name == "text" and not self._nulls

    def _plain_pattern(self) -> re.Pattern[str] | None:
        if self._rule.plain is None:
            return None
        pattern = re.compile(rf"(?:(?:{self._rule.plain}|{NULL}){_END})*+")
        return None if any(pattern.fullmatch(text + _END) for text in self._nulls) else pattern

    def convert(self, raw: Sequence[str | list[str]], *, nil: bool) -> Converted:
        """Convert the column's value of each row; `nil` says that some may be NIL."""
        texts = self._joined(raw, nil)
        if self._strip and self._column.type.name in ("text", "varchar"):
            texts = [text.strip(XML_WHITE_SPACE) for text in texts]
        if not (self._fills_null and NULL in texts):
            if self._any_text:
                return Converted(texts, {})
            if self._plain is not None:
                together = _END.join(texts) + _END if texts else ""
                if self._plain.fullmatch(together):
                    if self._rule.bulk is None:
                        return Converted(texts, {})
                    return Converted(self._rule.bulk(together).split(_END)[:-1], {})
        return self._one_by_one(texts)

    def _joined(self, raw: Sequence[str | list[str]], nil: bool) -> Sequence[str]:
        if self._separator is not None:
            return [value if isinstance(value, str) else self._join(value) for value in raw]
        if nil:
            return [NULL if value == NIL else value for value in raw if isinstance(value, str)]
        return raw  # type: ignore[return-value]  # only a column that joins has lists

    def _join(self, values: Iterable[str]) -> str:
        present = [value for value in values if value != NIL]
        if self._column.strip:
            present = [value.strip(XML_WHITE_SPACE) for value in present]
        return str(self._separator).join(present) if present else NULL

    def _one_by_one(self, texts: Sequence[str]) -> Converted:
        results: dict[str, str | Failure] = {}
        bad: set[str] = set()
        for text in set(texts):
            try:
                results[text] = self._value(text)
            except ConversionError as error:
                bad.add(text)
                results[text] = self._on_error(error)
        converted = [results[text] for text in texts]
        failures = {row: value for row, value in enumerate(converted) if isinstance(value, Failure)}
        replaced = sum(1 for text in texts if text in bad) - len(failures) if bad else 0
        return Converted([NULL if isinstance(value, Failure) else value for value in converted], failures, replaced)

    def _value(self, text: str) -> str:
        if self._strip:
            text = text.strip(XML_WHITE_SPACE)
        if text == NULL or text in self._nulls:
            if self._default is not None:
                return self._default
            if self._column.required:
                raise ConversionError(MISSING_VALUE, "a value is required, none was found")
            return NULL
        return self._rule.convert(text)

    def _on_error(self, error: ConversionError) -> str | Failure:
        if self._column.on_error == "set_null" and not self._column.required:
            return NULL
        if self._column.on_error == "use_default" and self._default is not None and error.reason != MISSING_VALUE:
            return self._default
        return Failure(error.reason, error.message)
