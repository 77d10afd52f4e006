"""The numbers of the headers in `core` that a program and what stands around records have, under the same names."""

from __future__ import annotations

ETL_NONE = ETL_ANY = 0xFFFFFFFF

ETL_KEEP_FIRST, ETL_KEEP_LAST, ETL_KEEP_ALL, ETL_KEEP_ENTRY, ETL_KEEP_KEY, ETL_KEEP_VALUE = range(6)
ETL_OP_STORE, ETL_OP_EXISTS, ETL_OP_EQUAL, ETL_OP_UNEQUAL = range(4)
ETL_EDGE_NODE, ETL_EDGE_CHOICE, ETL_EDGE_DECLINE = range(3)
ETL_WHERE_BIT, ETL_WHERE_LINK_BIT, ETL_WHERE_AROUND, ETL_WHERE_NOT, ETL_WHERE_AND, ETL_WHERE_OR = range(6)
ETL_MAX_PREDICATES = 8
ETL_MAX_WHERE = 64

ETL_VALUE_NIL, ETL_VALUE_SEVERAL, ETL_VALUE_MIXED, ETL_VALUE_LIST = 1, 2, 4, 8
ETL_VALUE_ENTRY, ETL_VALUE_KEY = 32, 64

CONDITION_BITS = 64
"""Of a row, and of what stands around a record: a uint64_t."""

(
    ETL_FROM_SLOT,
    ETL_FROM_LINK,
    ETL_FROM_AROUND,
    ETL_FROM_CONSTANT,
    ETL_FROM_SOURCE,
    ETL_FROM_LINE,
    ETL_FROM_OFFSET,
    ETL_FROM_RECORD,
    ETL_FROM_RECORD_ID,
    ETL_FROM_PARENT,
    ETL_FROM_SEQUENCE,
) = range(11)
ETL_PYTHON_STR, ETL_PYTHON_INT, ETL_PYTHON_FLOAT, ETL_PYTHON_BOOL, ETL_PYTHON_BYTES = range(5)
ETL_STEP_LOWER, ETL_STEP_UPPER, ETL_STEP_COLLAPSE, ETL_STEP_MAP = range(4)
ETL_MANY_ONE, ETL_MANY_COUNT, ETL_MANY_JOIN, ETL_MANY_ARRAY, ETL_MANY_PAIRS = range(5)

TYPE_NUMBERS = {
    name: number
    for number, name in enumerate(
        (
            "text",
            "varchar",
            "boolean",
            "smallint",
            "integer",
            "bigint",
            "numeric",
            "real",
            "double",
            "date",
            "time",
            "timestamp",
            "timestamptz",
            "uuid",
        )
    )
}
"""`etl_type_name`, by the mapping language's names."""
ETL_TYPE_PYTHON = 14
