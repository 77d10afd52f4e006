"""The `transform` of a column: compiled to one function from text to text, or to NULL.

A value goes in as it is after `strip`. What a user's function raises, or gives that is no value, is a ConversionError
with the reason `transform_failed`. Runs in a worker; functions may be called from several threads.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from typing import Any

from etl.mapping.conversion import ConversionError, shown
from etl.mapping.functions import load_function
from etl.mapping.model import MapValues, PythonFunction, Replace, Transform
from etl.transform.elements import NULL
from etl.transform.natural import to_text

TRANSFORM_FAILED = "transform_failed"

TextStep = Callable[[str], str]

XML_WHITE_SPACE = " \t\r\n"
_RUNS = re.compile(f"[{XML_WHITE_SPACE}]+")
_NO_XML = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def compile_transforms(transforms: Sequence[Transform]) -> TextStep | None:
    """One function for all of them in turn: NULL ends the row of them. None where there are none.

    Raises MappingError where a Python function cannot be loaded.
    """
    if not transforms:
        return None
    steps = [_step(transform) for transform in transforms]

    def apply(text: str) -> str:
        for step in steps:
            text = step(text)
            if text is NULL:
                return NULL
        return checked_text(text)

    return apply


def call_function(function: Callable[[Any], Any], name: PythonFunction, argument: object) -> Any:
    """What a user's function returns; raises ConversionError for whatever it raises."""
    try:
        return function(argument)
    except (Exception, SystemExit) as error:  # noqa: BLE001 - the user's code may raise anything
        said = f": {error}" if str(error) else ""
        value = shown(argument) if isinstance(argument, str) else "this row"
        raise ConversionError(TRANSFORM_FAILED, f"{name} raised {type(error).__name__} for {value}{said}") from None


def checked_text(text: str) -> str:
    """The text itself; raises ConversionError where it has a character that no document could have."""
    found = _NO_XML.search(text)
    if found is not None:
        raise ConversionError(
            TRANSFORM_FAILED, f"{shown(text)} holds the character U+{ord(found[0]):04X}, which XML does not allow"
        )
    return text


def _step(transform: Transform) -> TextStep:
    match transform:
        case "lower":
            return str.lower
        case "upper":
            return str.upper
        case "collapse":
            return _collapse
        case Replace(pattern, text):
            return _replace(re.compile(pattern), text)
        case MapValues(values):
            known = dict(values)
            return lambda value: known.get(value, value)
        case PythonFunction():
            return _python(transform)


def _collapse(text: str) -> str:
    return _RUNS.sub(" ", text)


def _replace(pattern: re.Pattern[str], text: str) -> TextStep:
    def replace(value: str) -> str:
        try:
            return pattern.sub(text, value)
        except (RecursionError, MemoryError) as error:
            raise ConversionError(
                TRANSFORM_FAILED, f"replacing {pattern.pattern!r} in {shown(value)}: {type(error).__name__}"
            ) from None

    return replace


def _python(name: PythonFunction) -> TextStep:
    function = load_function(name)

    def call(text: str) -> str:
        result = call_function(function, name, text)
        if result is None:
            return NULL
        try:
            return result if type(result) is str else to_text(result)
        except TypeError as error:
            raise ConversionError(TRANSFORM_FAILED, f"{name} returned {error} for {shown(text)}") from None

    return call
