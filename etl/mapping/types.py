"""The lexical rules of every type: which texts are a value of it, and what the database gets to see.

In goes the text of a value as the document has it, stripped; out comes its canonical text, the only form a database
sees, so that every database stores the same. It is what PostgreSQL prints for the value (timestamptz: in UTC, with
the offset written ``+00:00``, which SQLite's functions read too). Rules know ASCII digits only, and nothing is rounded
in silence: what a type cannot hold is an error. `etl docs types` shows the table.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace
from functools import lru_cache

from etl.mapping.arrays import json_strings, json_tokens, postgres_array
from etl.mapping.binary import BYTES_RULES
from etl.mapping.conversion import BAD_VALUE, TOO_LONG, ConversionError, Rule, shown
from etl.mapping.documents import DOCUMENT_RULES, MARKUP_RULE
from etl.mapping.model import Column, ColumnType, FromPath
from etl.mapping.moments import MOMENT_RULES, moment_rule
from etl.mapping.numbers import INTEGERS, floating_rule, integer_rule, numeric_rule


def _varchar(length: int) -> Callable[[str], str]:
    def convert(text: str) -> str:
        if len(text) > length:
            raise ConversionError(
                TOO_LONG, f"{shown(text)} has {len(text)} characters, varchar({length}) allows {length}"
            )
        return text

    return convert


_TRUE = frozenset({"true", "t", "yes", "y", "on", "1"})
_FALSE = frozenset({"false", "f", "no", "n", "off", "0"})


def _boolean(text: str) -> str:
    lower = text.lower()
    if lower in _TRUE:
        return "true"
    if lower in _FALSE:
        return "false"
    raise ConversionError(BAD_VALUE, f"{shown(text)} is not a boolean: true/false, t/f, yes/no, y/n, on/off or 1/0")


_UUID = re.compile(
    r"\{?([0-9a-f]{8})-?([0-9a-f]{4})-?([0-9a-f]{4})-?([0-9a-f]{4})-?([0-9a-f]{12})\}?", re.IGNORECASE | re.ASCII
)


def _uuid(text: str) -> str:
    match = _UUID.fullmatch(text)
    if match is None or text.startswith("{") != text.endswith("}") or text.count("-") not in (0, 4):
        raise ConversionError(
            BAD_VALUE,
            f"{shown(text)} is not a UUID: 32 hexadecimal digits, with hyphens (8-4-4-4-12) and braces or without",
        )
    return "-".join(match.groups()).lower()


_RULES = {
    "text": Rule(convert=str, python=str),
    "boolean": Rule(convert=_boolean, python="true".__eq__),
    **MOMENT_RULES,
    "uuid": Rule(
        convert=_uuid,
        python=str,
        plain=r"[0-9a-fA-F]{8}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{12}",
        bulk=str.lower,
    ),
    **DOCUMENT_RULES,
}

TYPE_NAMES = (
    *("text", "varchar", "boolean", *INTEGERS, "numeric", "real", "double", *MOMENT_RULES, "uuid"),
    *DOCUMENT_RULES,
    "bytes",
)
"""Every type of the mapping language."""


@lru_cache(maxsize=256)
def rule_for(column_type: ColumnType, finite: bool = False) -> Rule:
    """The rule of a type; `finite` refuses NaN and the infinities, for targets that cannot store them."""
    name = column_type.name
    if name == "varchar":
        length = column_type.length or 1
        return Rule(convert=_varchar(length), python=str, plain=rf"[^\x01\x03]{{0,{length}}}")
    if name in INTEGERS:
        return integer_rule(name)
    if name == "numeric":
        return numeric_rule(column_type.precision, column_type.scale)
    if name in ("real", "double"):
        return floating_rule(name, finite=finite)
    if name == "bytes":
        return BYTES_RULES[column_type.encoding or "base64"]
    return _RULES[name]


def rule_for_column(column: Column, finite: bool = False) -> Rule:
    """The rule of a column's values (of an array: of each of its values), with all that the mapping says about them."""
    trusted = column.type.name == "xml" and isinstance(column.source, FromPath) and not column.transforms
    return _rule_for_column(
        column.type, column.formats, column.timezone, column.is_array, bool(column.sql), trusted, finite
    )


@lru_cache(maxsize=1024)
def _rule_for_column(
    type_: ColumnType, formats: tuple[str, ...], timezone: str, array: bool, sql: bool, trusted: bool, finite: bool
) -> Rule:
    rule = MARKUP_RULE if trusted else rule_for(type_, finite)
    if type_.name in MOMENT_RULES:
        rule = moment_rule(type_.name, formats, timezone)
    if array:
        # Targets that take no COPY text get JSON, whose numbers and booleans are ours.
        is_json = type_.name in ("json", "jsonb") or (rule.python is not str and type_.name != "bytes")
        rule = replace(rule, array=(json_tokens if is_json else json_strings) if finite else postgres_array)
    # The database makes of the text what its own type says.
    return replace(rule, python=str) if array or sql else rule
