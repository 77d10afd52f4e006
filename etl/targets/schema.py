"""A mapping as tables: SQLAlchemy tables, the keys that are built after the last row, and their DDL as text.

Comes in: a checked Mapping and the name of a SQL dialect. Goes out: plain SQLAlchemy values; no connection is touched.
Names are quoted always, so that a mapping may use any name, reserved words included.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

import sqlalchemy as sa
from sqlalchemy.schema import AddConstraint, CreateIndex, CreateTable
from sqlalchemy.sql.ddl import ExecutableDDLElement
from sqlalchemy.sql.elements import quoted_name
from sqlalchemy.types import TypeEngine

from etl.mapping.model import ColumnType, Mapping, Table

Keys = Literal["after", "before"]

MAX_NAME_BYTES = 63
"""PostgreSQL cuts longer names silently (NAMEDATALEN - 1); two of ours could then be one."""

SQLITE_EXACT_DIGITS = 15
"""SQLite keeps a number in a NUMERIC column as a double where it has a fraction: so many digits survive that."""

_INTEGERS = ("smallint", "integer", "bigint")

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
}


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


def sql_type(type_: ColumnType, dialect: str) -> TypeEngine[Any]:
    """The database's type for a type of the mapping."""
    if dialect == "sqlite":
        if type_.name in ("date", "time", "timestamp", "timestamptz", "uuid"):
            return sa.TEXT()
        if type_.name == "numeric" and (type_.precision is None or type_.precision > SQLITE_EXACT_DIGITS):
            return sa.TEXT()
    return _COMMON[type_.name](type_)


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
    """The statements that create the mapping's tables, as a person reads and psql or sqlite3 run them."""
    statements = [_text(CreateTable(table), dialect) for table in build_tables(mapping, dialect, keys)]
    if keys == "after":
        late = [_text(key.build, dialect) for key in late_keys(mapping, dialect) if key.build is not None]
        if late:
            statements.append("-- After the last row:\n" + "\n".join(late))
    return "\n\n".join(statements) + "\n"


def _build_table(mapping: Mapping, table: Table, dialect: str, keys: Keys, metadata: sa.MetaData) -> sa.Table:
    never_null = {column.name for column in table.columns if column.required} | set(table.key)
    columns = [
        sa.Column(
            _quoted(column.name),
            sa.INTEGER()
            if table.key == (column.name,) and _key_from_the_start(table, dialect)
            else sql_type(column.type, dialect),
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
    return next(column.type.name in _INTEGERS for column in table.columns if column.name == table.key[0])


def _name(*parts: str) -> quoted_name:
    name = "_".join(parts)
    if len(name.encode()) > MAX_NAME_BYTES:
        digest = hashlib.sha256(name.encode()).hexdigest()[:8]
        suffix = f"_{digest}_{parts[-1]}"
        name = name.encode()[: MAX_NAME_BYTES - len(suffix)].decode(errors="ignore") + suffix
    return _quoted(name)


def _quoted(name: str) -> quoted_name:
    return quoted_name(name, quote=True)


def _text(statement: ExecutableDDLElement, dialect: str) -> str:
    # With named parameters a percent sign in a name stays what it is.
    writer: Any = sa.make_url(f"{dialect}://").get_dialect()
    lines = str(statement.compile(dialect=writer(paramstyle="named"))).strip().replace("\t", "    ").splitlines()
    return "\n".join(line.rstrip() for line in lines if line.strip()) + ";"
