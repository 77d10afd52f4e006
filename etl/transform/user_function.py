"""A Python function of the user's: called so that nothing it raises or returns can end a load.

An argument goes in, what the function returned comes out, and then that as text; whatever goes wrong on the way is a
ConversionError with the reason `transform_failed`. Runs in a worker; may be called from several threads.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import cache
from typing import Any

from etl.mapping.conversion import ConversionError, shown
from etl.mapping.functions import load_function
from etl.mapping.model import PythonFunction
from etl.transform.natural import to_text

TRANSFORM_FAILED = "transform_failed"


class UserFunction:
    """The function a mapping names. Raises MappingError where it cannot be loaded."""

    def __init__(self, name: PythonFunction) -> None:
        self.name = name
        self._function = load_function(name)

    def call(self, argument: object) -> Any:
        """What the function returns; raises ConversionError for whatever it raises."""
        try:
            return self._function(argument)
        # Even KeyboardInterrupt can only be the function's: where Ctrl-C raises one no worker runs (a load has threads
        # for its work, and worker processes ignore it).
        except BaseException as error:  # noqa: BLE001 - the user's code may raise anything
            value = shown(argument) if isinstance(argument, str) else "this row"
            raise ConversionError(
                TRANSFORM_FAILED, f"{self.name} raised {type(error).__name__} for {value}{_behind_colon(error)}"
            ) from None

    def text(self, value: object, write: Callable[[Any], str] = to_text) -> str:
        """The text that `write` makes of what the function returned.

        Raises ConversionError where it makes none, or one that no document could have.
        """
        try:
            text = write(value)
        except BaseException as error:  # noqa: BLE001 - methods of the user's classes are called, as in `call`
            quoted = shown(_said(value))
            raise ConversionError(
                TRANSFORM_FAILED,
                f"{self.name} returned {type(value).__name__} {quoted}, which is no value{_behind_colon(error)}",
            ) from None
        return checked_text(text)


@cache
def _no_xml() -> re.Pattern[str]:
    """A character that no document could have. Compiled at first use: it takes as long as importing some modules."""
    return re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def checked_text(text: str) -> str:
    """The text itself; raises ConversionError where it has a character that no document could have."""
    found = _no_xml().search(text)
    if found is not None:
        raise ConversionError(
            TRANSFORM_FAILED, f"{shown(text)} holds the character U+{ord(found[0]):04X}, which XML does not allow"
        )
    return text


def _behind_colon(error: BaseException) -> str:
    said = _said(error)
    return f": {said}" if said else ""


def _said(thing: object) -> str:
    """What `str` makes of it; nothing where that fails, too."""
    try:
        return str(thing)
    except BaseException:  # noqa: BLE001 - the user's classes say how they are written
        return ""
