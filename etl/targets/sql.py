"""What PostgreSQL and SQLite share: tables by SQLAlchemy, transactions, late keys; the hot path is each one's own.

A connection is SQLAlchemy's around the driver's: statements of the ledger go through SQLAlchemy, rows go straight to
the driver, and both are in one transaction.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Collection, Iterator, Sequence
from collections.abc import Mapping as MappingOf
from contextlib import AbstractContextManager, closing, contextmanager, suppress
from typing import Any
from weakref import WeakSet

import sqlalchemy as sa
from sqlalchemy.exc import DBAPIError, SQLAlchemyError
from sqlalchemy.schema import CreateIndex, CreateSchema, CreateTable
from sqlalchemy.sql import Executable

from etl.errors import EtlError, InternalError
from etl.mapping.model import Mapping
from etl.targets.base import KeyProblem, Preparation, Target, TargetConnection
from etl.targets.existing import examine, fold_name, table_names
from etl.targets.schema import Keys, LateKey, build_tables, late_keys

Translate = Callable[[Exception], EtlError]

EXAMPLES = 3
"""Values shown of those that stand in a key's way: enough to look at, short enough for one line."""


@contextmanager
def translated(driver_error: type[Exception], translate: Translate) -> Iterator[None]:
    """Turn the driver's errors, bare or wrapped by SQLAlchemy, into ours."""
    try:
        yield
    except DBAPIError as error:
        raise translate(error.orig if isinstance(error.orig, Exception) else error) from error
    except driver_error as error:
        raise translate(error) from error


class SqlConnection(TargetConnection):
    """A SQLAlchemy connection, and the driver's one below it."""

    driver_error: type[Exception]

    def __init__(self, connection: sa.Connection, translate: Translate) -> None:
        self.sql = connection
        self.driver: Any = connection.connection.driver_connection
        self._translate = translate

    def translated(self) -> AbstractContextManager[None]:
        return translated(self.driver_error, self._translate)

    def begin(self) -> None:
        with self.translated():
            self.sql.begin()

    def execute(
        self, statement: Executable, parameters: Sequence[MappingOf[str, Any]] | None = None
    ) -> list[tuple[Any, ...]]:
        with self.translated():
            if parameters is not None and len(parameters) == 1:
                result = self.sql.execute(statement, parameters[0])
            else:
                result = self.sql.execute(statement, parameters)
            return [tuple(row) for row in result] if result.returns_rows else []

    def rollback(self) -> None:
        try:
            self.sql.rollback()
        except (SQLAlchemyError, self.driver_error):
            # The connection is gone, and with it the transaction.
            self.sql.invalidate()

    def close(self) -> None:
        try:
            self.sql.close()
        except (SQLAlchemyError, self.driver_error):
            self.sql.invalidate()


@contextmanager
def _transaction(connection: SqlConnection) -> Iterator[None]:
    connection.begin()
    try:
        yield
        connection.commit(durable=True)
    except BaseException:
        connection.rollback()
        raise


def own_table(schema: str | None) -> sa.Table:
    """The tables that loads created and whose keys are still to be built, so that a later run knows them."""
    return sa.Table(
        "etl_table",
        sa.MetaData(schema=schema),
        sa.Column("table_schema", sa.Text, primary_key=True),
        sa.Column("table_name", sa.Text, primary_key=True),
        sa.Column("created_at", sa.Text, nullable=False, server_default=sa.text("CURRENT_TIMESTAMP")),
    )


class SqlTarget(Target):
    """A database reached through SQLAlchemy."""

    def __init__(self, label: str, dialect: str, ledger_schema: str | None) -> None:
        self.label = label
        self.dialect = dialect
        self._open_connections: WeakSet[SqlConnection] = WeakSet()
        self.keeps_ledger = True
        self._keyless = own_table(ledger_schema)

    @abstractmethod
    def connect(self) -> SqlConnection: ...

    def interrupt(self) -> None:
        for connection in list(self._open_connections):
            with suppress(Exception):  # one that is lost or closed has nothing left to interrupt
                connection.interrupt()

    def close(self) -> None:
        for connection in list(self._open_connections):
            connection.close()

    @abstractmethod
    def _is_built(self, connection: SqlConnection, mapping: Mapping, key: LateKey) -> bool:
        """Whether the key is there already."""

    @abstractmethod
    def _build(self, connection: SqlConnection, mapping: Mapping, key: LateKey) -> bool:
        """Build the key in the open transaction; False, with the transaction usable, where something is in its way."""

    def prepare(self, mapping: Mapping, keys: Keys) -> Preparation:
        self.create_own_tables(self._keyless.metadata)
        with closing(self.connect()) as connection, _transaction(connection):
            connection.lock()
            existing = examine(mapping, connection.sql, self._without_keys(connection))
            tables = build_tables(mapping, self.dialect, keys)
            created = [tables[place] for place in existing.missing]
            for table in created:
                connection.execute(CreateTable(table))
            if keys == "after" and created:
                # A table of that name may have been dropped since with its keys unbuilt.
                self._forget(connection, [table.name for table in created])
                connection.execute(sa.insert(self._keyless), [self._owned(connection, table.name) for table in created])
            waiting = self._without_keys(connection) & {table.name for table in mapping.tables}
        if keys == "after":
            self._reserve(waiting)
        return Preparation(frozenset(table.name for table in created), existing.notices)

    def create_own_tables(self, metadata: sa.MetaData) -> None:
        schema = metadata.schema
        with closing(self.connect()) as connection, _transaction(connection):
            connection.lock()
            inspector = sa.inspect(connection.sql)
            if schema is not None and not inspector.has_schema(schema):
                connection.execute(CreateSchema(schema))
            for table in metadata.sorted_tables:
                if not inspector.has_table(table.name, schema):
                    connection.execute(CreateTable(table))
                    for index in table.indexes:
                        connection.execute(CreateIndex(index))

    def missing_tables(self, connection: TargetConnection, names: Collection[str]) -> frozenset[str]:
        if not isinstance(connection, SqlConnection):
            raise InternalError("A target was given another target's connection.")
        with connection.translated():
            present = table_names(sa.inspect(connection.sql))
        return frozenset(name for name in names if fold_name(name, self.dialect) not in present)

    def build_keys(self, mapping: Mapping) -> list[KeyProblem]:
        with closing(self.connect()) as connection:
            with _transaction(connection):
                keyless = self._without_keys(connection) & {table.name for table in mapping.tables}
            self._reserve(keyless)
            problems: dict[int, list[KeyProblem]] = {
                place: [] for place, table in enumerate(mapping.tables) if table.name in keyless
            }
            without_key: set[int | None] = set()
            for key in late_keys(mapping, self.dialect):
                if key.table not in problems:
                    continue
                if key.kind == "foreign" and mapping.tables[key.table].parent in without_key:
                    problems[key.table].append(_waits_for_parent(mapping, key))
                    continue
                problem = self._build_one(connection, mapping, key)
                if problem is not None:
                    problems[key.table].append(problem)
                    without_key |= {key.table} if key.kind == "primary" else set()
            done = [mapping.tables[place].name for place, found in problems.items() if not found]
            if done:
                with _transaction(connection):
                    self._forget(connection, done)
        return [problem for found in problems.values() for problem in found]

    def _without_keys(self, connection: SqlConnection) -> set[str]:
        """Names of the tables that loads created and whose keys are still to be built."""
        names = sa.select(self._keyless.c.table_name).where(
            self._keyless.c.table_schema == self._schema_name(connection)
        )
        if not sa.inspect(connection.sql).has_table(self._keyless.name, self._keyless.schema):
            return set()
        return {name for (name,) in connection.execute(names)}

    def _build_one(self, connection: SqlConnection, mapping: Mapping, key: LateKey) -> KeyProblem | None:
        with _transaction(connection):
            self._prepare_key_building(connection, mapping, key)
            if self._is_built(connection, mapping, key) or self._build(connection, mapping, key):
                return None
        with _transaction(connection):
            explain = _orphans if key.kind == "foreign" else _duplicates
            return explain(connection, mapping, key, self.dialect)

    @abstractmethod
    def _reserve(self, tables: Collection[str]) -> None:
        """Keep tables whose keys come after the last row to this load until it ends; wait for another that has them."""

    @abstractmethod
    def _prepare_key_building(self, connection: SqlConnection, mapping: Mapping, key: LateKey) -> None:
        """Memory, time limits and table locks for building one key, in the open transaction."""

    def _schema_name(self, connection: SqlConnection) -> str:
        return connection.sql.dialect.default_schema_name or ""

    def _owned(self, connection: SqlConnection, table: str) -> dict[str, str]:
        return {"table_schema": self._schema_name(connection), "table_name": table}

    def _forget(self, connection: SqlConnection, tables: Sequence[str]) -> None:
        columns = self._keyless.c
        schema = self._schema_name(connection)
        connection.execute(
            sa.delete(self._keyless).where(columns.table_schema == schema, columns.table_name.in_(tables))
        )


def _duplicates(connection: SqlConnection, mapping: Mapping, key: LateKey, dialect: str) -> KeyProblem:
    table = build_tables(mapping, dialect, "after")[key.table]
    columns = [table.c[name] for name in key.columns]
    several = sa.select(*columns, sa.func.count().label("rows_")).group_by(*columns).having(sa.func.count() > 1)
    counted = several.subquery()
    ((values, rows),) = connection.execute(
        sa.select(sa.func.count(), sa.func.sum(counted.c.rows_)).select_from(counted)
    )
    examples = connection.execute(several.order_by(*columns).limit(EXAMPLES))
    shown = ", ".join(f"{_values(key.columns, row[:-1])} in {row[-1]} rows" for row in examples)
    return KeyProblem(
        table.name,
        f"The key of {table.name} ({', '.join(key.columns)}) is not built: {values} of its values stand in {rows} rows"
        f" together ({shown}). All rows stay. Delete the surplus ones and run the same command again, which builds the"
        " key; or choose another `key` in the mapping. With `keys: before` a load ends at the first duplicate.",
    )


def orphans(mapping: Mapping, key: LateKey, dialect: str) -> sa.Select[Any]:
    """The foreign key's values, one row for each row of its table that has no parent."""
    tables = build_tables(mapping, dialect, "after")
    table, described = tables[key.table], mapping.tables[key.table]
    if described.parent is None or described.foreign_key is None:
        raise InternalError(f"The table {described.name} has a foreign key to build, but no parent.")
    parent = tables[described.parent]
    columns = [table.c[name] for name in key.columns]
    pairs = zip(columns, described.foreign_key.parent_columns, strict=True)
    found = sa.exists().where(*(column == parent.c[name] for column, name in pairs))
    return sa.select(*columns).where(*(column.is_not(None) for column in columns), ~found)


def _orphans(connection: SqlConnection, mapping: Mapping, key: LateKey, dialect: str) -> KeyProblem:
    table = mapping.tables[key.table]
    parent = mapping.tables[table.parent or 0].name
    place = f"The foreign key of {table.name} ({', '.join(key.columns)})"
    lost = orphans(mapping, key, dialect)
    ((count,),) = connection.execute(sa.select(sa.func.count()).select_from(lost.subquery()))
    if not count:
        return KeyProblem(
            table.name,
            f"{place} is not built: {parent}, which was there before, has no unique key over the columns it refers to."
            " Add one and run the same command again.",
        )
    examples = connection.execute(lost.distinct().limit(EXAMPLES))
    shown = ", ".join(_values(key.columns, row) for row in examples)
    return KeyProblem(
        table.name,
        f"{place} does not hold: {count} rows have no parent in {parent} ({shown}). All rows stay. Add the parents or"
        " delete these rows, and run the same command again.",
    )


def _waits_for_parent(mapping: Mapping, key: LateKey) -> KeyProblem:
    table = mapping.tables[key.table]
    return KeyProblem(
        table.name,
        f"The foreign key of {table.name} ({', '.join(key.columns)}) is not built, since the key of its parent table is"
        " not: it comes with it when the same command is run again.",
    )


def _values(columns: Sequence[str], values: Sequence[Any]) -> str:
    return ", ".join(f"{column} = {value}" for column, value in zip(columns, values, strict=True))
