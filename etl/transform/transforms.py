"""The `transform` of a column: compiled to one function from text to text, or to NULL.

A value goes in as it is after `strip`. What a user's function raises, or gives that is no value, is a ConversionError
with the reason `transform_failed` (`user_function`). Runs in a worker; functions may be called from several threads.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence

from etl.mapping.conversion import ConversionError, shown
from etl.mapping.model import MapValues, PythonFunction, Replace, Transform
from etl.mapping.paths import XML_WHITE_SPACE
from etl.transform.elements import NULL
from etl.transform.user_function import TRANSFORM_FAILED, UserFunction, checked_text

TextStep = Callable[[str], str]

_RUNS = re.compile(f"[{XML_WHITE_SPACE}]+")


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
    function = UserFunction(name)

    def call(text: str) -> str:
        result = function.call(text)
        return NULL if result is None else function.text(result)

    return call
