"""A mapping as tables: SQLAlchemy tables, the keys that are built after the last row, and their DDL as text.

Comes in: a checked Mapping and the name of a SQL dialect. Goes out: plain SQLAlchemy values; no connection is touched.
Names are quoted always, so that a mapping may use any name, reserved words included.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from typing import Any, Literal

import sqlalchemy as sa
from sqlalchemy.schema import AddConstraint, CreateIndex, CreateTable
from sqlalchemy.sql.ddl import ExecutableDDLElement
from sqlalchemy.sql.elements import quoted_name
from sqlalchemy.types import TypeEngine, UserDefinedType

from etl.errors import TargetError
from etl.mapping.model import Column, ColumnType, Mapping, Table

Keys = Literal["after", "before"]

MAX_NAME_BYTES = 63
"""PostgreSQL cuts longer names silently (NAMEDATALEN - 1); two of ours could then be one."""

SQLITE_EXACT_DIGITS = 15
"""SQLite keeps a number in a NUMERIC column as a double where it has a fraction: so many digits survive that."""

MAX_COLUMNS = {"postgresql": 1600, "sqlite": 2000}
"""Columns of a table."""

_DATABASE_NAMES = {"postgresql": "PostgreSQL", "sqlite": "SQLite"}

_COMMENT_COLUMN = 60
"""Comments stand in one line below each other unless a column's own text is longer than this."""

_INTEGERS = ("smallint", "integer", "bigint")


class Verbatim(UserDefinedType[Any]):
    """A type by the name that the database has for it."""

    cache_ok = True

    def __init__(self, sql: str) -> None:
        self.sql = sql

    def get_col_spec(self, **_: object) -> str:
        return self.sql


class Xml(Verbatim):
    """PostgreSQL's type xml, which SQLAlchemy does not have."""

    def __init__(self) -> None:
        super().__init__("XML")


_COMMON: dict[str, Callable[[ColumnType], TypeEngine[Any]]] = {
    "text": lambda _: sa.TEXT(),
    "varchar": lambda type_: sa.VARCHAR(type_.length),
    "boolean": lambda _: sa.BOOLEAN(),
    "smallint": lambda _: sa.SMALLINT(),
    "integer": lambda _: sa.INTEGER(),
    "bigint": lambda _: sa.BIGINT(),
    "numeric": lambda type_: sa.NUMERIC(type_.precision, type_.scale),
    "real": lambda _: sa.REAL(),
    "double": lambda _: sa.DOUBLE_PRECISION(),
    "date": lambda _: sa.DATE(),
    "time": lambda _: sa.TIME(),
    "timestamp": lambda _: sa.TIMESTAMP(),
    "timestamptz": lambda _: sa.TIMESTAMP(timezone=True),
    "uuid": lambda _: sa.UUID(as_uuid=False),
    "json": lambda _: Verbatim("JSON"),
    "jsonb": lambda _: Verbatim("JSONB"),
    "xml": lambda _: Xml(),
    "bytes": lambda _: sa.LargeBinary(),
}
_TEXT_IN_SQLITE = ("date", "time", "timestamp", "timestamptz", "uuid", "json", "jsonb", "xml")


@dataclass(frozen=True, slots=True)
class LateKey:
    """A key or an index that is built when the rows are there."""

    table: int
    """Place of its table in the mapping."""
    kind: Literal["primary", "index", "foreign"]
    name: str
    columns: tuple[str, ...]
    build: ExecutableDDLElement | None
    """What builds it; None where it is declared with the table and only its rows are to be checked."""


def quote(name: str) -> str:
    """The name as SQL writes it, in every dialect here."""
    return '"' + name.replace('"', '""') + '"'


def sql_type(column: Column, dialect: str) -> TypeEngine[Any]:
    """The database's type for a column of the mapping."""
    if column.sql:
        return Verbatim(" ".join(column.sql.split()))
    type_ = column.type
    if dialect == "sqlite":
        if column.is_array or type_.name in _TEXT_IN_SQLITE:
            return sa.TEXT()
        if type_.name == "numeric" and (type_.precision is None or type_.precision > SQLITE_EXACT_DIGITS):
            return sa.TEXT()
    element = _COMMON[type_.name](type_)
    return sa.ARRAY(element) if column.is_array else element


def type_name(column: Column, dialect: str) -> str:
    """The same as it is written."""
    return written_type(sql_type(column, dialect), dialect)


def written_type(type_: TypeEngine[Any], dialect: str) -> str:
    """A type as the database's DDL has it."""
    return str(type_.compile(dialect=_dialect(dialect)))


def check_width(mapping: Mapping, dialect: str) -> None:
    """Raises TargetError where a table has more columns than the database takes."""
    limit = MAX_COLUMNS[dialect]
    for table in mapping.tables:
        if len(table.columns) > limit:
            raise TargetError(
                f"The table {table.name} ({mapping.label}:{table.line}) has {len(table.columns)} columns,"
                f" {_DATABASE_NAMES[dialect]} takes {limit}. Move some of them to a table of their own (`parent:"
                f" {table.name}`), gather some in one with `many: json`, or leave some out."
            )


def build_tables(mapping: Mapping, dialect: str, keys: Keys) -> tuple[sa.Table, ...]:
    """The mapping's tables in its order, as they are created: with `keys` "before" complete, else without late keys."""
    metadata = sa.MetaData()
    return tuple(_build_table(mapping, table, dialect, keys, metadata) for table in mapping.tables)


def late_keys(mapping: Mapping, dialect: str) -> tuple[LateKey, ...]:
    """Keys that `build_tables(..., "after")` leaves out, referred-to ones first."""
    complete = build_tables(mapping, dialect, "before")
    primary, indexes, foreign = [], [], []
    for place, (table, built) in enumerate(zip(mapping.tables, complete, strict=True)):
        if not _key_from_the_start(table, dialect):
            primary.append(_late_primary_key(place, table, built, dialect))
        if table.foreign_key is not None:
            columns = table.foreign_key.columns
            if table.key[: len(columns)] != columns:
                name = _name(table.name, *columns, "idx")
                index = sa.Index(name, *(built.c[column] for column in columns))
                indexes.append(LateKey(place, "index", name, columns, CreateIndex(index)))
            (constraint,) = built.foreign_key_constraints
            # SQLite cannot add one later: there it stands in CREATE TABLE, unchecked while rows arrive.
            build = None if dialect == "sqlite" else AddConstraint(constraint)
            foreign.append(LateKey(place, "foreign", str(constraint.name), columns, build))
    return (*primary, *indexes, *foreign)


def ddl(mapping: Mapping, dialect: str, keys: Keys) -> str:
    """The statements that create the mapping's tables, as a person reads and psql or sqlite3 run them.

    Raises TargetError where the database takes no such table.
    """
    check_width(mapping, dialect)
    built = build_tables(mapping, dialect, keys)
    statements = [_create_text(*pair, dialect) for pair in zip(mapping.tables, built, strict=True)]
    if keys == "after":
        late = [_text(key.build, dialect) for key in late_keys(mapping, dialect) if key.build is not None]
        if late:
            statements.append("-- After the last row:\n" + "\n".join(late))
    return "\n\n".join(statements) + "\n"


def _create_text(table: Table, built: sa.Table, dialect: str) -> str:
    """CREATE TABLE with the mapping's comments: the table's above it, the columns' beside them."""
    first, *lines = _text(CreateTable(built), dialect).split("\n")
    width = max((len(line) for line in lines[: len(table.columns)] if len(line) <= _COMMENT_COLUMN), default=0)
    for place, column in enumerate(table.columns):
        comment = _one_line(column.comment)
        # A name may have a line break in it, where no comment can stand.
        if comment and lines[place].startswith("    " + quote(column.name)):
            lines[place] = f"{lines[place]:<{width}}  -- {comment}"
    above = _one_line(table.comment)
    return "\n".join([*([f"-- {above}"] if above else []), first, *lines])


def _one_line(comment: str) -> str:
    """A comment that ends where its line does, whatever characters it has."""
    return " ".join(re.sub(r"[\x00-\x1f\x7f-\x9f]", " ", comment).split())


def _build_table(mapping: Mapping, table: Table, dialect: str, keys: Keys, metadata: sa.MetaData) -> sa.Table:
    never_null = {column.name for column in table.columns if column.required} | set(table.key)
    columns = [
        sa.Column(
            _quoted(column.name),
            sa.INTEGER()
            if table.key == (column.name,) and _key_from_the_start(table, dialect)
            else sql_type(column, dialect),
            nullable=column.name not in never_null,
            autoincrement=False,
        )
        for column in table.columns
    ]
    constraints: list[sa.Constraint] = []
    if keys == "before" or _key_from_the_start(table, dialect):
        constraints.append(sa.PrimaryKeyConstraint(*table.key, name=_name(table.name, "pkey")))
    foreign_key = table.foreign_key
    if foreign_key is not None and table.parent is not None and (keys == "before" or dialect == "sqlite"):
        parent = metadata.tables[mapping.tables[table.parent].name]
        constraints.append(
            sa.ForeignKeyConstraint(
                list(foreign_key.columns),
                [parent.c[column] for column in foreign_key.parent_columns],
                name=_name(table.name, *foreign_key.columns, "fkey"),
            )
        )
    return sa.Table(_quoted(table.name), metadata, *columns, *constraints)


def _late_primary_key(place: int, table: Table, built: sa.Table, dialect: str) -> LateKey:
    if dialect == "sqlite":
        # SQLite cannot add a primary key to a table; a unique index over NOT NULL columns is the same promise.
        name = _name(table.name, "pkey")
        index = sa.Index(name, *(built.c[column] for column in table.key), unique=True)
        return LateKey(place, "primary", name, table.key, CreateIndex(index))
    return LateKey(place, "primary", str(built.primary_key.name), table.key, AddConstraint(built.primary_key))


def _key_from_the_start(table: Table, dialect: str) -> bool:
    """A single integer key is SQLite's own row number: it costs nothing while rows arrive, and an index less after."""
    if dialect != "sqlite" or len(table.key) != 1:
        return False
    column = next(column for column in table.columns if column.name == table.key[0])
    return column.type.name in _INTEGERS and not (column.sql or column.is_array)


def _name(*parts: str) -> quoted_name:
    name = "_".join(parts)
    if len(name.encode()) > MAX_NAME_BYTES:
        digest = hashlib.sha256(name.encode()).hexdigest()[:8]
        suffix = f"_{digest}_{parts[-1]}"
        name = name.encode()[: MAX_NAME_BYTES - len(suffix)].decode(errors="ignore") + suffix
    return _quoted(name)


def _quoted(name: str) -> quoted_name:
    return quoted_name(name, quote=True)


def compiled(statement: ExecutableDDLElement, dialect: str) -> str:
    """A statement as the database runs it."""
    return str(statement.compile(dialect=_dialect(dialect))).strip()


def _text(statement: ExecutableDDLElement, dialect: str) -> str:
    """A statement as a person reads it."""
    return re.sub(r"([(,]) ?\n\t", r"\1\n    ", compiled(statement, dialect)) + ";"


@cache
def _dialect(name: str) -> sa.Dialect:
    # With named parameters a percent sign in a name stays what it is.
    writer: Any = sa.make_url(f"{name}://").get_dialect()
    return writer(paramstyle="named")  # type: ignore[no-any-return]
