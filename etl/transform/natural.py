"""Values as a user's functions see them: canonical texts become values of Python, and what they return texts again.

Pure functions; `etl docs mapping` has the table of types.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from datetime import date, datetime, time
from decimal import Decimal
from uuid import UUID

from etl.mapping.model import ColumnType

Natural = Callable[[str], object]


def natural(column_type: ColumnType) -> Natural:
    """From canonical text to the value: text where Python has no value for it (24:00:00, infinity)."""
    read = _NATURAL.get(column_type.name)
    return str if read is None else _or_text(read)


def to_text(value: object) -> str:
    """A value as text that the rule of a fitting type takes; raises TypeError for what is no value."""
    match value:
        case str():
            return str(value)
        case bool():
            return "true" if value else "false"
        case int() | Decimal():
            return str(value)
        case float():
            return repr(float(value)) if math.isfinite(value) else str(Decimal(value))
        case UUID():
            return str(value)
        case datetime():
            return value.isoformat(" ")
        case date() | time():
            return value.isoformat()
        case bytes() | bytearray():
            return "\\x" + value.hex()
        case _:
            raise TypeError(f"no column takes {type(value).__name__}")


def json_text(value: object) -> str:
    """A value for a json column; raises TypeError or ValueError for what JSON cannot say."""
    return json.dumps(value, ensure_ascii=False, allow_nan=False, default=_plain)


def _plain(value: object) -> object:
    return float(value) if isinstance(value, Decimal) else to_text(value)


def _or_text(read: Natural) -> Natural:
    def value(text: str) -> object:
        try:
            return read(text)
        except (ValueError, OverflowError):
            return text

    return value


_NATURAL: dict[str, Natural] = {
    "boolean": "true".__eq__,
    "smallint": int,
    "integer": int,
    "bigint": int,
    "numeric": Decimal,
    "real": float,
    "double": float,
    "date": date.fromisoformat,
    "time": time.fromisoformat,
    "timestamp": datetime.fromisoformat,
    "timestamptz": datetime.fromisoformat,
    "uuid": UUID,
    "bytes": lambda text: bytes.fromhex(text[2:]),
    "json": json.loads,
    "jsonb": json.loads,
}
