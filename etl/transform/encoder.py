"""Rows as the target wants them: columns of canonical texts go in, COPY text or tuples come out."""

from __future__ import annotations

from array import array
from collections.abc import Callable, Sequence

from etl.mapping.model import Column, Table
from etl.mapping.types import rule_for_column
from etl.messages import CopyRows, RowFormat, TupleRows
from etl.transform.elements import NULL

_BETWEEN_VALUES = "\x01"
_END_OF_ROW = "\x02"
# Escaping all rows at once, in C, is what makes COPY text cheap; these characters occur in no XML document.
_TO_COPY_SYNTAX = bytes.maketrans(b"\x01\x02", b"\t\n")
_ESCAPES = ((b"\\", b"\\\\"), (b"\t", b"\\t"), (b"\n", b"\\n"), (b"\r", b"\\r"), (NULL.encode(), b"\\N"))


def encode(
    table: Table, columns: Sequence[Sequence[str]], records: array[int], row_format: RowFormat, split: int = 0
) -> CopyRows | TupleRows:
    """The rows of `table`, given its columns in order; `records` names each row's record in split number `split`."""
    if row_format == "copy":
        return CopyRows(copy_text(columns, len(records)), records, split)
    values = [_python_values(column, texts) for column, texts in zip(table.columns, columns, strict=True)]
    return TupleRows.of_columns(values, records, split)


def copy_text(columns: Sequence[Sequence[str]], count: int) -> bytes:
    """`count` rows in PostgreSQL's text format of COPY."""
    if not count:
        return b""
    rows = map(_BETWEEN_VALUES.join, zip(*columns, strict=True))
    data = (_END_OF_ROW.join(rows) + _END_OF_ROW).encode()
    for character, escaped in _ESCAPES:
        if character in data:
            data = data.replace(character, escaped)
    return data.translate(_TO_COPY_SYNTAX)


def _python_values(column: Column, texts: Sequence[str]) -> Sequence[object]:
    python: Callable[[str], object] = rule_for_column(column, finite=True).python
    if python is not str:
        return [None if text == NULL else python(text) for text in texts]
    return [None if text == NULL else text for text in texts] if NULL in texts else texts
