"""Values of columns that keep several: lists of raw values go in, one canonical text for each row comes out.

`many: join`, `array`, `json` and `count`. Each value is stripped and transformed on its own before it is put together
with the others; what comes out then goes the way of any other column's text (`columns`).
"""

from __future__ import annotations

import json
from bisect import bisect_left
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from itertools import chain
from typing import Any

from etl.mapping.arrays import postgres_array
from etl.mapping.conversion import ConversionError
from etl.mapping.model import Column, FromPath
from etl.mapping.paths import XML_WHITE_SPACE
from etl.transform.columns import MISSING, ColumnConverter, Converted, Failure, ValueSteps
from etl.transform.elements import NULL

Converter = Callable[[Sequence[Any], bool], Converted]
"""From the raw values of all rows, and whether some may be NIL, to their canonical texts."""

Worked = Mapping[str, str | ConversionError]
"""What strip and transform made of each different value; NULL too."""

Together = Callable[[Sequence[Any], Worked], str]
"""Puts the values of a row together; raises ConversionError where one of them has failed."""

ArrayText = Callable[[Sequence[str | None]], str]


def converter(column: Column, source: FromPath, *, finite: bool, array: ArrayText | None = None) -> Converter:
    """How a column that has a path is converted; `array` writes arrays, where not as the target wants them.

    Raises MappingError where a function cannot be loaded.
    """
    steps = ValueSteps(column)
    if source.many == "count":
        counted = ColumnConverter(column, finite=finite, steps=None)
        return lambda raw, _: counted.convert([str(len(value)) if value != NULL else "0" for value in raw], False)
    if source.many == "array":
        return _ArrayConverter(column, steps, finite=finite, array=array).convert
    if source.many == "join":
        return _TextConverter(column, steps, _joined(source.separator), finite=finite).convert
    if source.many == "json":
        # Each value may be NULL; the whole is one of JSON's own texts.
        whole = replace(column, nulls=())
        together = _json_array if source.pair is None else _json_object(strip=column.strip)
        return _TextConverter(whole, steps, together, finite=finite, nulls=column.nulls).convert
    return ColumnConverter(column, finite=finite, steps=steps).convert


class _TextConverter:
    """Puts the values of each row together to one text."""

    def __init__(
        self, column: Column, steps: ValueSteps, together: Together, *, finite: bool, nulls: Sequence[str] = ()
    ) -> None:
        self._whole = ColumnConverter(column, finite=finite, steps=None)
        self._steps = steps
        self._together = together
        self._nulls = frozenset(nulls)

    def convert(self, raw: Sequence[Any], nil: bool) -> Converted:
        worked = {value: self._work(value) for value in set(chain.from_iterable(map(_values, raw)))}
        texts: list[str] = []
        replacements: dict[int, str | Failure] = {}
        for row, values in enumerate(raw):
            try:
                texts.append(NULL if values == NULL else self._together(values, worked))
            except ConversionError as error:
                texts.append(NULL)
                replacements[row] = self._whole.replacement(error)
        converted = self._whole.convert(texts, False)
        return _replaced(converted, replacements) if replacements else converted

    def _work(self, value: str) -> str | ConversionError:
        try:
            text = self._steps.value(value)
        except ConversionError as error:
            return error
        return NULL if text in self._nulls else text


class _ArrayConverter:
    """Converts the values of all rows like a column of their own, and makes an array of each row's."""

    def __init__(self, column: Column, steps: ValueSteps, *, finite: bool, array: ArrayText | None) -> None:
        self._each = ColumnConverter(column, finite=finite, steps=steps, fills=False)
        self._array = array or self._each.rule.array or postgres_array
        self._required = column.required

    def convert(self, raw: Sequence[Any], nil: bool) -> Converted:
        converted = self._each.convert(list(chain.from_iterable(map(_values, raw))), nil)
        elements = [None if text == NULL else text for text in converted.texts]
        failed = sorted(converted.failures)
        texts: list[str] = []
        failures: dict[int, Failure] = {}
        start = 0
        for row, values in enumerate(raw):
            if values == NULL:
                texts.append(NULL)
                if self._required:
                    failures[row] = MISSING
                continue
            end = start + len(values)
            texts.append(self._array(elements[start:end]))
            if failed and (first := bisect_left(failed, start)) < len(failed) and failed[first] < end:
                failures[row] = converted.failures[failed[first]]
            start = end
        return Converted(texts, failures, converted.replaced)


def _values(raw: str | list[str | tuple[str, list[str]]]) -> Iterable[str]:
    """The values in a raw value: of a list all, of pairs those that belong to a key."""
    for value in raw if isinstance(raw, list) else ():
        if isinstance(value, str):
            yield value
        else:
            yield from value[1]


def _replaced(converted: Converted, replacements: Mapping[int, str | Failure]) -> Converted:
    texts = list(converted.texts)
    failures = {row: failure for row, failure in converted.failures.items() if row not in replacements}
    for row, replacement in replacements.items():
        if isinstance(replacement, Failure):
            failures[row] = replacement
            texts[row] = NULL
        else:
            texts[row] = replacement
    kept = sum(1 for replacement in replacements.values() if isinstance(replacement, str))
    return Converted(texts, failures, converted.replaced + kept)


def _text(value: str, worked: Worked) -> str | None:
    text = worked[value]
    if isinstance(text, ConversionError):
        raise text
    return None if text == NULL else text


def _joined(separator: str) -> Together:
    def joined(values: Sequence[str], worked: Worked) -> str:
        present = [text for value in values if (text := _text(value, worked)) is not None]
        return separator.join(present) if present else NULL

    return joined


def _json_array(values: Sequence[str], worked: Worked) -> str:
    return json.dumps([_text(value, worked) for value in values], ensure_ascii=False)


def _json_object(*, strip: bool) -> Together:
    """An object; a key that comes again has a list of its values, and one without any is null."""

    def json_object(pairs: Sequence[tuple[str, list[str]]], worked: Worked) -> str:
        found: dict[str, list[str | None]] = {}
        for key, values in pairs:
            name = key.strip(XML_WHITE_SPACE) if strip else key
            found.setdefault(name, []).extend([_text(value, worked) for value in values] or [None])
        members = {name: values[0] if len(values) == 1 else values for name, values in found.items()}
        return json.dumps(members, ensure_ascii=False)

    return json_object
