"""The `type` of a column as a mapping file writes it: its text goes in, a `ColumnType` comes out."""

from __future__ import annotations

import difflib
import re

from etl.mapping.model import ColumnType
from etl.mapping.types import TYPE_NAMES

OTHER_NAMES = {
    "int": "integer",
    "string": "text",
    "str": "text",
    "char": "varchar",
    "bool": "boolean",
    "float": "double",
    "decimal": "numeric",
    "datetime": "timestamp",
    "bytea": "bytes",
    "blob": "bytes",
}
"""What people call types elsewhere, for the hint."""
VARCHAR_LIMIT = 10_485_760
NUMERIC_LIMIT = 1000
"""What PostgreSQL allows as parameters of varchar and numeric."""

_TYPE = re.compile(r"([A-Za-z]+)\s*(?:\(([^()]*)\))?")
_NUMBER = re.compile(r"[0-9]{1,9}")
_PARAMETERS = {"varchar": "varchar(n)", "numeric": "numeric, numeric(p,s)", "bytes": "bytes(hex), bytes(base64)"}


def parse_type(text: str) -> ColumnType:
    """The type; raises ValueError that says what is allowed."""
    match = _TYPE.fullmatch(text.strip())
    name = match[1].lower() if match else text
    if match is None or name not in TYPE_NAMES:
        close = [OTHER_NAMES[name]] if name in OTHER_NAMES else difflib.get_close_matches(name, TYPE_NAMES, n=1)
        hint = f"did you mean {close[0]!r}? " if close else ""
        allowed = ", ".join(_PARAMETERS.get(name, name) for name in TYPE_NAMES)
        raise ValueError(f"there is no type {text!r}; {hint}allowed: {allowed}")
    parameters = [part.strip() for part in match[2].split(",")] if match[2] is not None else []
    if name == "varchar":
        return _varchar(parameters)
    if name == "bytes":
        return _bytes(parameters)
    if name == "numeric" and parameters:
        return _numeric(parameters)
    if parameters:
        raise ValueError(f"the type {name} takes no parameters")
    return ColumnType(name)


def _varchar(parameters: list[str]) -> ColumnType:
    lengths = _numbers(parameters)
    if len(lengths) != 1 or not 1 <= lengths[0] <= VARCHAR_LIMIT:
        raise ValueError(f"varchar needs a length from 1 to {VARCHAR_LIMIT}, as in varchar(200)")
    return ColumnType("varchar", length=lengths[0])


def _numeric(parameters: list[str]) -> ColumnType:
    numbers = _numbers(parameters)
    precision, scale = numbers if len(numbers) == 2 else (*numbers, 0) if len(numbers) == 1 else (0, 0)
    if not 1 <= precision <= NUMERIC_LIMIT or scale > precision:
        raise ValueError(f"numeric(p,s) needs p from 1 to {NUMERIC_LIMIT} and s from 0 to p")
    return ColumnType("numeric", precision=precision, scale=scale)


def _numbers(parameters: list[str]) -> list[int]:
    """The parameters as numbers; none where one of them is no number."""
    return [int(part) for part in parameters] if all(map(_NUMBER.fullmatch, parameters)) else []


def _bytes(parameters: list[str]) -> ColumnType:
    encoding = parameters[0].lower() if len(parameters) == 1 else "" if parameters else "base64"
    if encoding not in ("hex", "base64"):
        raise ValueError("bytes are written in the document as bytes(hex) or bytes(base64)")
    return ColumnType("bytes", encoding=encoding)
