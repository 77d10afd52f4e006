"""A table's `transform`: one function of the user's for each row, with natural values of Python.

Canonical texts of the declared columns go in and come out, by column. A row for which the function gives None is
dropped; one for which it fails, or gives what a column cannot hold, makes its record a reject. Runs in a worker.
"""

from __future__ import annotations

import difflib
import json
from collections.abc import Container, Sequence
from dataclasses import dataclass, field

from etl.mapping.arrays import json_strings, postgres_array
from etl.mapping.conversion import ConversionError
from etl.mapping.model import Column, Constant, FromMeta, FromPath, PythonFunction, Table
from etl.mapping.types import rule_for, rule_for_column
from etl.transform.columns import MISSING, Failure
from etl.transform.elements import NULL
from etl.transform.natural import json_text, natural, to_text
from etl.transform.user_function import TRANSFORM_FAILED, UserFunction

neutral_array = json_strings
"""How arrays are written for a table's function, whatever the target: this module reads them again."""


_SHOWN = 5
"""Names of columns in a sentence at most."""


@dataclass(slots=True)
class Applied:
    """What the function made of the rows."""

    columns: dict[int, list[str]]
    """By place in the table: canonical texts, a dropped row's too."""
    dropped: set[int] = field(default_factory=set)
    """Rows for which the function gave None."""
    failures: dict[int, tuple[int | None, Failure]] = field(default_factory=dict)
    """By row: the column's place (None: the row as a whole), and why."""


class TableFunction:
    """The function of one table. Raises MappingError where it cannot be loaded."""

    def __init__(self, table: Table, name: PythonFunction, *, finite: bool) -> None:
        self._function = UserFunction(name)
        self._columns = {
            place: _ColumnValues(column, self._function, finite=finite)
            for place, column in enumerate(table.columns)
            if isinstance(column.source, FromPath | Constant | FromMeta)
        }

    def apply(self, columns: Sequence[Sequence[str]], failed: Container[int]) -> Applied:
        """Call the function for each row; rows in `failed` stay as they are."""
        applied = Applied({place: list(columns[place]) for place in self._columns})
        for row in range(len(next(iter(applied.columns.values()), ()))):
            if row not in failed:
                self._apply_row(row, applied)
        return applied

    def _apply_row(self, row: int, applied: Applied) -> None:
        given = {values.name: values.natural(applied.columns[place][row]) for place, values in self._columns.items()}
        try:
            returned = self._call(dict(given))
        except ConversionError as error:
            applied.failures[row] = None, Failure(error.reason, error.message)
            return
        if returned is None:
            applied.dropped.add(row)
            return
        for place, values in self._columns.items():
            texts = applied.columns[place]
            value = returned.get(values.name)
            try:
                texts[row] = values.text(value, given[values.name], texts[row])
            except ConversionError as error:
                applied.failures[row] = place, Failure(error.reason, error.message)
                return

    def _call(self, given: dict[str, object]) -> dict[str, object] | None:
        names = list(given)  # the function may add to what it is given
        returned = self._function.call(given)
        if returned is None:
            return None
        if not isinstance(returned, dict):
            raise ConversionError(
                TRANSFORM_FAILED,
                f"{self._function.name} returned {type(returned).__name__}, expected a dict of the row or None",
            )
        for name in returned:
            if name not in names:
                raise ConversionError(
                    TRANSFORM_FAILED,
                    f"{self._function.name} returned {name!r}, which is no column; {_meant(str(name), names)}",
                )
        return returned


def _meant(name: str, columns: Sequence[str]) -> str:
    """Which columns there are; only a few, since this stands in every reject."""
    close = difflib.get_close_matches(name, columns, n=1)
    if close:
        return f"did you mean {close[0]!r}?"
    return f"columns: {', '.join(columns[:_SHOWN])}{', ...' if len(columns) > _SHOWN else ''}"


class _ColumnValues:
    """The values of one column, to and fro."""

    def __init__(self, column: Column, function: UserFunction, *, finite: bool) -> None:
        self.name = column.name
        self._column = column
        self._function = function
        # Markup that the mapper takes from a document is trusted, what a function returns is not.
        self._rule = rule_for(column.type) if column.type.name == "xml" else rule_for_column(column, finite)
        self._read = natural(column.type)

    def natural(self, text: str) -> object:
        """A canonical text as the function sees it."""
        if text == NULL:
            return None
        if not self._column.is_array:
            return self._read(text)
        return [None if element is None else self._read(element) for element in json.loads(text)]

    def text(self, value: object, given: object, before: str) -> str:
        """What the target gets for a value the function returned, who was `given` one made of the text `before`.

        Raises ConversionError.
        """
        if value is None:
            if self._column.required:
                raise ConversionError(MISSING.reason, MISSING.message)
            return NULL
        if value is given and not isinstance(value, list | dict):
            return before
        if self._column.is_array:
            return self._array(value)
        if self._column.type.name not in ("json", "jsonb"):
            return self._converted(value)
        text = self._function.text(value, lambda value: before if self._same_json(value, before) else json_text(value))
        return text if text == before else self._rule.convert(text)

    def _array(self, value: object) -> str:
        if not isinstance(value, list | tuple):
            raise self._refused(value, "a list")
        elements = [None if element is None else self._converted(element) for element in value]
        return (self._rule.array or postgres_array)(elements)

    def _converted(self, value: object) -> str:
        if isinstance(value, bytes | bytearray):
            if self._column.type.name != "bytes":
                raise self._refused(value, "a value of another type (only columns of the type bytes take them)")
            return to_text(value)
        return self._rule.convert(self._function.text(value))

    def _refused(self, value: object, expected: str) -> ConversionError:
        return ConversionError(
            TRANSFORM_FAILED, f"{self._function.name} returned {type(value).__name__}, expected {expected}"
        )

    def _same_json(self, value: object, before: str) -> bool:
        """Whether the value still says what it was made of: then that stays as it is written."""
        return before != NULL and json.dumps(value, default=str) == json.dumps(self._read(before))
