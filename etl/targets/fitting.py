"""Whether a column that is there takes every value of a mapped one, by the types SQLAlchemy reflects."""

from __future__ import annotations

from typing import Any

from sqlalchemy import types
from sqlalchemy.types import TypeEngine

from etl.mapping.model import Column, ColumnType
from etl.targets.schema import SQLITE_EXACT_DIGITS, Xml

_INTEGER_DIGITS = {"smallint": 5, "integer": 10, "bigint": 19}
_INTEGER_SIZE = {"smallint": 0, "integer": 1, "bigint": 2}
_DOUBLE_DIGITS = 15
_REAL_DIGITS = 6
_MICROSECONDS = 6


def fits_postgres(column: Column, there: Any) -> bool:
    """Whether every value of the column can be stored there unchanged."""
    if column.is_array:
        return isinstance(there, types.ARRAY) and _fits(column.type, there.item_type)
    return _fits(column.type, there)


def _fits(wanted: ColumnType, there: Any) -> bool:
    if wanted.name == "bytes":
        return isinstance(there, types.LargeBinary)
    if isinstance(there, types.String) and there.length is None and not isinstance(there, types.Enum | types.CHAR):
        return True
    match wanted.name:
        case "varchar":
            return _is_varchar(there) and _at_least(there.length, wanted.length)
        case "smallint" | "integer" | "bigint":
            return _fits_integer(wanted.name, there)
        case "numeric":
            return _is_decimal(there) and _fits_decimal(wanted, there)
        case "real":
            return isinstance(there, types.Float)
        case "double":
            return isinstance(there, types.Float) and not isinstance(there, types.REAL)
        case "boolean":
            return isinstance(there, types.Boolean)
        case "date":
            return isinstance(there, types.Date) or _is_timestamp(there, timezone=False)
        case "time":
            return isinstance(there, types.Time) and not there.timezone and _microseconds(there)
        case "timestamp":
            return _is_timestamp(there, timezone=False)
        case "timestamptz":
            return _is_timestamp(there, timezone=True)
        case "uuid":
            return isinstance(there, types.Uuid)
        case "json" | "jsonb":
            # A jsonb does not keep a text as it is written, and has no \u0000.
            return isinstance(there, types.JSON) and (wanted.name == "jsonb" or there.__visit_name__ == "JSON")
        case "xml":
            return isinstance(there, Xml)
        case _:
            return False


def fits_sqlite(column: Column, there: TypeEngine[Any]) -> bool:
    """The same for SQLite, where a column's type only says what becomes of texts that look like numbers."""
    wanted = column.type
    if isinstance(there, types.String | types.NullType | types.LargeBinary):
        return True
    if column.is_array:
        # No list looks like a number.
        return True
    match wanted.name:
        case "text" | "varchar" | "json" | "jsonb":
            return False
        case "smallint" | "integer" | "bigint" | "boolean":
            return isinstance(there, types.Integer | types.Boolean) or _is_decimal(there)
        case "numeric":
            exact = wanted.precision is not None and wanted.precision <= SQLITE_EXACT_DIGITS
            return exact and isinstance(there, types.Numeric | types.Float)
        case "real" | "double":
            return isinstance(there, types.Numeric | types.Float)
        case _:
            # Dates, times, UUIDs and xml never look like a number, bytes are no text: no column changes them.
            return True


def _fits_integer(name: str, there: Any) -> bool:
    if isinstance(there, types.Integer):
        size = 0 if isinstance(there, types.SmallInteger) else 2 if isinstance(there, types.BigInteger) else 1
        return size >= _INTEGER_SIZE[name]
    digits = _INTEGER_DIGITS[name]
    if isinstance(there, types.Float):
        return digits <= (_REAL_DIGITS if isinstance(there, types.REAL) else _DOUBLE_DIGITS)
    if _is_decimal(there):
        return there.precision is None or there.precision - (there.scale or 0) >= digits
    return False


def _fits_decimal(wanted: ColumnType, there: Any) -> bool:
    if there.precision is None:
        return True
    if wanted.precision is None:
        return False
    wanted_scale, scale = wanted.scale or 0, there.scale or 0
    return bool(scale >= wanted_scale and there.precision - scale >= wanted.precision - wanted_scale)


def _is_varchar(there: TypeEngine[Any]) -> bool:
    return isinstance(there, types.String) and not isinstance(there, types.Enum | types.CHAR)


def _is_decimal(there: TypeEngine[Any]) -> bool:
    return isinstance(there, types.Numeric) and not isinstance(there, types.Float)


def _is_timestamp(there: TypeEngine[Any], *, timezone: bool) -> bool:
    return isinstance(there, types.DateTime) and bool(there.timezone) == timezone and _microseconds(there)


def _microseconds(there: TypeEngine[Any]) -> bool:
    return _at_least(getattr(there, "precision", None), _MICROSECONDS)


def _at_least(there: int | None, wanted: int | None) -> bool:
    return there is None or (wanted is not None and there >= wanted)
