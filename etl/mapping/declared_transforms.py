"""The `transform` of a column or a table: what the YAML holds goes in, `Transform` values come out.

Whether the functions of `python` exist is for `functions`: only a load needs them.
"""

from __future__ import annotations

import difflib
import re
import warnings
from typing import Any

from etl.mapping.model import MapValues, PythonFunction, Replace, Transform
from etl.mapping.spec import CONTROL, Problems
from etl.mapping.yaml_text import Place

_WORDS = ("lower", "upper", "collapse")
_KEYS = ("replace", "map", "python")
_ALLOWED = "lower, upper, collapse, {replace: [pattern, text]}, {map: {a: b}}, {python: 'module:function'}"
_FUNCTION = re.compile(r"([^\W\d]\w*(?:\.[^\W\d]\w*)*):([^\W\d]\w*)")


class TransformBuilder:
    """Builds the transforms of one file; `folder` is where its Python modules are looked for first."""

    def __init__(self, problems: Problems, folder: str) -> None:
        self._problems = problems
        self._folder = folder

    def of_column(self, place: Place, steps: list[Any]) -> tuple[Transform, ...]:
        """The steps in their order, those that are usable."""
        built = [self._step((*place, number) if len(steps) > 1 else place, step) for number, step in enumerate(steps)]
        return tuple(step for step in built if step is not None)

    def of_table(self, place: Place, step: object) -> PythonFunction | None:
        """The function of a table."""
        if not isinstance(step, dict) or list(step) != ["python"]:
            self._problems.add(place, "a table's transform is {python: 'module:function'}")
            return None
        return self._python((*place, "python"), step["python"])

    def _step(self, place: Place, step: object) -> Transform | None:
        if step == "lower" or step == "upper" or step == "collapse":
            return step
        if isinstance(step, dict) and len(step) == 1:
            ((key, value),) = step.items()
            if key == "replace":
                return self._replace((*place, key), value)
            if key == "map":
                return self._map((*place, key), value)
            if key == "python":
                return self._python((*place, key), value)
        name = next(iter(step), "") if isinstance(step, dict) else str(step)
        close = difflib.get_close_matches(name, (*_WORDS, *_KEYS), n=1)
        hint = f"did you mean {close[0]!r}? " if close and close[0] != name else ""
        self._problems.add(place, f"{step!r} is no transform; {hint}allowed: {_ALLOWED}")
        return None

    def _replace(self, place: Place, value: object) -> Replace | None:
        if not isinstance(value, list) or len(value) != 2 or not all(isinstance(part, str) for part in value):
            self._problems.add(
                place, "takes two texts, a regular expression and what to write in its place: [pattern, text]"
            )
            return None
        pattern, text = value
        if CONTROL.search(text):
            self._problems.add(place, "control characters cannot be part of a value")
        try:
            with warnings.catch_warnings():
                # What Python warns of today has another meaning tomorrow.
                warnings.simplefilter("error")
                re.compile(pattern).sub(text, "")
        except (re.error, Warning, RecursionError, OverflowError) as error:
            self._problems.add(
                place, f"{pattern!r} with {text!r} is not a regular expression of Python's `re`: {error}"
            )
            return None
        return Replace(pattern, text)

    def _map(self, place: Place, value: object) -> MapValues | None:
        if not isinstance(value, dict) or not value:
            self._problems.add(place, "takes values and what each becomes, as in {map: {m: male, f: female}}")
            return None
        texts = {key: ("true" if item else "false") if isinstance(item, bool) else item for key, item in value.items()}
        for key, text in texts.items():
            if not isinstance(text, str):
                self._problems.add((*place, key), "expected a text (texts that mean NULL are for `nulls`)")
                return None
            if CONTROL.search(text):
                self._problems.add((*place, key), "control characters cannot be part of a value")
        return MapValues(tuple(texts.items()))

    def _python(self, place: Place, value: object) -> PythonFunction | None:
        match = _FUNCTION.fullmatch(value) if isinstance(value, str) else None
        if match is None:
            self._problems.add(place, f"expected 'module:function', as in cleaning:year (found {value!r})")
            return None
        return PythonFunction(match[1], match[2], self._folder, self._problems.line(place))
