"""How each column of a table comes out of raw rows: a mapping's tables go in, layouts for `core/assemble.h` come out.

What the C rules cannot do of a column is left to the converter that the lxml path has (`asks`, or the type
ETL_TYPE_PYTHON): it is asked for those values alone. Pure.
"""

from __future__ import annotations

import re
from collections.abc import Container
from dataclasses import dataclass

from etl.mapping.model import (
    Column,
    Constant,
    FromMeta,
    FromPath,
    Mapping,
    MapValues,
    MetaName,
    ParentKey,
    RecordId,
    Sequence,
    Table,
    Transform,
)
from etl.mapping.types import rule_for_column
from etl.messages import RowFormat
from etl.native.program_codes import (
    ETL_FROM_CONSTANT,
    ETL_FROM_LINE,
    ETL_FROM_OFFSET,
    ETL_FROM_PARENT,
    ETL_FROM_RECORD,
    ETL_FROM_RECORD_ID,
    ETL_FROM_SEQUENCE,
    ETL_FROM_SOURCE,
    ETL_MANY_ARRAY,
    ETL_MANY_COUNT,
    ETL_MANY_JOIN,
    ETL_MANY_ONE,
    ETL_MANY_PAIRS,
    ETL_NONE,
    ETL_PYTHON_BOOL,
    ETL_PYTHON_BYTES,
    ETL_PYTHON_FLOAT,
    ETL_PYTHON_INT,
    ETL_PYTHON_STR,
    ETL_STEP_COLLAPSE,
    ETL_STEP_LOWER,
    ETL_STEP_MAP,
    ETL_STEP_UPPER,
    ETL_TYPE_PYTHON,
    TYPE_NUMBERS,
)
from etl.native.program_rows import MappingRows, Source

_META: dict[MetaName, tuple[int, int]] = {
    "source": (ETL_FROM_SOURCE, 0),
    "load_id": (ETL_FROM_SOURCE, 1),
    "loaded_at": (ETL_FROM_SOURCE, 2),
    "line": (ETL_FROM_LINE, 0),
    "offset": (ETL_FROM_OFFSET, 0),
    "record": (ETL_FROM_RECORD, 0),
}
# JSON of several values is Python's affair, but its raw values are lists as those of an array are.
_MANY = {"count": ETL_MANY_COUNT, "join": ETL_MANY_JOIN, "array": ETL_MANY_ARRAY, "json": ETL_MANY_ARRAY}
_WORDS = {"lower": ETL_STEP_LOWER, "upper": ETL_STEP_UPPER, "collapse": ETL_STEP_COLLAPSE}
_NO_XML = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
"""Characters that no document could have (`etl.transform.user_function` refuses them by the same rule)."""


@dataclass(frozen=True, slots=True)
class ColumnType:
    """`etl_type`."""

    name: int
    length: int = 0
    precision: int = -1
    scale: int = 0
    utc: int = 1


Step = tuple[int, tuple[tuple[str, str], ...]]
"""`etl_step`: its kind, and what MAP makes of which text, in the order of the texts' UTF-8 bytes."""


@dataclass(frozen=True, slots=True)
class ColumnRule:
    """`etl_column_rule`."""

    type: ColumnType
    many: int
    strip: bool
    asks: bool
    required: bool
    fallback: str | None
    separator: str
    steps: tuple[Step, ...]
    nulls: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class ColumnLayout:
    """`etl_column`; `source` is its `from`."""

    source: int
    index: int = 0
    link: int = ETL_NONE
    table: int = ETL_NONE
    python: int = ETL_PYTHON_STR
    constant: str | None = None
    rule: ColumnRule | None = None
    """Of columns that have a path."""


def layouts(
    mapping: Mapping, rows: MappingRows, native: Container[int], row_format: RowFormat
) -> tuple[tuple[ColumnLayout, ...], ...]:
    """The columns of every table of the mapping, in order; none of tables that are not the scanner's."""
    return tuple(
        tuple(
            _layout(mapping, table, column, rows.sources.get((number, place)), row_format)
            for place, column in enumerate(table.columns)
        )
        if number in native
        else ()
        for number, table in enumerate(mapping.tables)
    )


def _layout(
    mapping: Mapping, table: Table, column: Column, source: Source | None, row_format: RowFormat
) -> ColumnLayout:
    python = _python(column)
    match column.source:
        case FromPath():
            assert source is not None, "every path of a native table leads somewhere"
            rule = column_rule(column, column.source, finite=row_format == "tuples")
            return ColumnLayout(source.source, source.index, source.link, source.table, python, rule=rule)
        case FromMeta(name):
            return ColumnLayout(*_META[name], python=python)
        case Constant(text):
            return ColumnLayout(ETL_FROM_CONSTANT, python=python, constant=rule_for_column(column).convert(text))
        case ParentKey(name):
            assert table.parent is not None, "only child tables have one"
            names = [one.name for one in mapping.tables[table.parent].columns]
            return ColumnLayout(ETL_FROM_PARENT, names.index(name), python=python)
        case Sequence():
            return ColumnLayout(ETL_FROM_SEQUENCE, python=python)
        case RecordId():
            return ColumnLayout(ETL_FROM_RECORD_ID, python=python)


def _python(column: Column) -> int:
    """What a target without COPY gets (`etl.transform.encoder`)."""
    python = rule_for_column(column, finite=True).python
    if python is str:
        return ETL_PYTHON_STR
    if python is int:
        return ETL_PYTHON_INT
    if python is float:
        return ETL_PYTHON_FLOAT
    return ETL_PYTHON_BOOL if column.type.name == "boolean" else ETL_PYTHON_BYTES


def column_rule(column: Column, source: FromPath, *, finite: bool) -> ColumnRule:
    """How the values of a column are converted; `finite`: for a target that takes no COPY text."""
    many = _MANY.get(source.many, ETL_MANY_ONE) if source.pair is None else ETL_MANY_PAIRS
    steps = _steps(column.transforms)
    # A target that takes no COPY text gets an array as JSON.
    asks = steps is None or source.many == "json" or (many == ETL_MANY_ARRAY and finite)
    return ColumnRule(
        type=_type(column),
        many=many,
        strip=column.strip,
        asks=asks,
        required=column.required,
        fallback=None if column.default is None else rule_for_column(column, finite).convert(column.default),
        separator=source.separator,
        steps=steps or (),
        nulls=column.nulls,
    )


def _type(column: Column) -> ColumnType:
    """Forms of strptime come after the type's own, so they are a matter of the values that are asked."""
    type_ = column.type
    number = TYPE_NUMBERS.get(type_.name, ETL_TYPE_PYTHON)
    match type_.name:
        case "varchar":
            return ColumnType(number, length=type_.length or 1)
        case "numeric" if type_.precision is not None:
            return ColumnType(number, precision=type_.precision, scale=type_.scale or 0)
        case "timestamptz" if column.timezone != "UTC":
            return ColumnType(ETL_TYPE_PYTHON, utc=0)
    return ColumnType(number)


def _steps(transforms: tuple[Transform, ...]) -> tuple[Step, ...] | None:
    """None where one of them is Python's affair."""
    steps: list[Step] = []
    for transform in transforms:
        if isinstance(transform, str):
            steps.append((_WORDS[transform], ()))
        elif isinstance(transform, MapValues) and not any(_NO_XML.search(text) for _, text in transform.values):
            values = {made_of: text for made_of, text in transform.values if not _NO_XML.search(made_of)}
            steps.append((ETL_STEP_MAP, tuple(sorted(values.items(), key=lambda value: value[0].encode()))))
        else:
            return None
    return tuple(steps)
