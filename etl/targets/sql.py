"""What PostgreSQL and SQLite share: tables by SQLAlchemy, transactions, late keys; the hot path is each one's own.

A connection is SQLAlchemy's around the driver's: statements of the ledger go through SQLAlchemy, rows go straight to
the driver, and both are in one transaction.
"""

from __future__ import annotations

import threading
from abc import abstractmethod
from collections.abc import Callable, Collection, Iterator, Sequence
from collections.abc import Mapping as MappingOf
from contextlib import AbstractContextManager, closing, contextmanager, suppress
from dataclasses import dataclass
from typing import Any
from weakref import WeakSet

import sqlalchemy as sa
from sqlalchemy.engine.reflection import ObjectKind
from sqlalchemy.exc import DBAPIError, SQLAlchemyError
from sqlalchemy.schema import CreateIndex, CreateSchema, CreateTable
from sqlalchemy.sql import Executable
from sqlalchemy.sql.ddl import ExecutableDDLElement
from sqlalchemy.sql.elements import quoted_name

from etl.errors import EtlError, InternalError, RowsRefused, TargetError
from etl.faults import fault_point
from etl.mapping.model import Mapping
from etl.options import Write
from etl.targets.base import KeyProblem, Preparation, Target, TargetConnection
from etl.targets.existing import examine, fold_name, table_names
from etl.targets.key_building import KeyBuilding
from etl.targets.key_problems import EXAMPLES
from etl.targets.merging import Merging
from etl.targets.own_tables import OWN_TABLES, own_table
from etl.targets.schema import Keys, LateKey, build_tables, check_width, late_keys

Translate = Callable[[Exception], EtlError]

CREATED_AT_ONCE = 500
"""Tables created in one transaction: each holds a few locks until it ends, and a server has some thousands of them."""

NO_PLACE = ("42501", "3F000")
"""PostgreSQL's codes for no right to create in the schema, and no such schema."""


@contextmanager
def translated(driver_error: type[Exception], translate: Translate) -> Iterator[None]:
    """Turn the driver's errors, bare or wrapped by SQLAlchemy, into ours."""
    try:
        yield
    except DBAPIError as error:
        raise translate(error.orig if isinstance(error.orig, Exception) else error) from error
    except driver_error as error:
        raise translate(error) from error


def driver_error(error: BaseException) -> BaseException | None:
    """The driver's error behind one of ours."""
    cause = error.__cause__
    return cause.orig if isinstance(cause, DBAPIError) else cause


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
            return [tuple(row) for row in result.all()] if result.returns_rows else []

    def execute_all(self, statements: Sequence[ExecutableDDLElement]) -> None:
        """Run statements that return nothing, in order."""
        for statement in statements:
            self.execute(statement)

    def savepoint(self) -> None:
        with self.translated():
            self.driver.execute("SAVEPOINT etl_records")

    def settle(self) -> None:
        with self.translated():
            self.driver.execute("RELEASE SAVEPOINT etl_records")

    def undo(self) -> bool:
        with self.translated():
            self.driver.execute("ROLLBACK TO SAVEPOINT etl_records")
            self.driver.execute("RELEASE SAVEPOINT etl_records")
        return True

    @contextmanager
    def transaction(self, *, durable: bool = True) -> Iterator[None]:
        """A transaction, committed at the end; given up where something is raised in it."""
        self.begin()
        try:
            with self.translated():  # what asks the catalog goes past `execute`
                yield
            self.commit(durable=durable)
        except BaseException:
            self.rollback()
            raise

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
            # The connection is gone; SQLAlchemy may count it as closed already.
            if not self.sql.closed:
                self.sql.invalidate()


@dataclass(frozen=True, slots=True)
class Obstacle:
    """A key that something is in the way of."""

    key: LateKey
    said: str
    """By the database."""


class SqlTarget(Target):
    """A database reached through SQLAlchemy."""

    def __init__(self, label: str, dialect: str, ledger_schema: str | None, write: Write) -> None:
        self.label = label
        self.dialect = dialect
        self.write = write
        self.merging: Merging | None = None
        """Set by `prepare` where records are merged with those that are there."""
        self._open_connections: WeakSet[SqlConnection] = WeakSet()
        self._opening = threading.Lock()
        self.key_connections = 1
        """How many may build keys at once."""
        self.keeps_ledger = True
        self._created = own_table(ledger_schema)
        self._created_is_there = False
        self._mapping: Mapping | None = None

    @abstractmethod
    def connect(self) -> SqlConnection: ...

    def _connections(self) -> list[SqlConnection]:
        with self._opening:
            return list(self._open_connections)

    def interrupt(self) -> None:
        for connection in self._connections():
            with suppress(Exception):  # one that is lost or closed has nothing left to interrupt
                connection.interrupt()

    def close(self) -> None:
        for connection in self._connections():
            connection.close()

    @abstractmethod
    def build(self, connection: SqlConnection, mapping: Mapping, keys: Sequence[LateKey]) -> Obstacle | None:
        """Build the keys in turn in the open transaction, which stays usable; where one meets an obstacle, stop there.

        Foreign keys were declared before. Keys are to be waited for as long as it takes: the load has nothing else left
        to do. On any of the threads that build keys.
        """

    def declare(self, connection: SqlConnection, mapping: Mapping, keys: Sequence[LateKey]) -> Obstacle | None:
        """As `build`, for foreign keys: what is to be done before their rows are looked at, all of them at once."""
        return None

    def withdraw(self, connection: SqlConnection, mapping: Mapping, keys: Sequence[LateKey]) -> None:
        """Take back what `declare` did, in the open transaction: there are rows in these keys' way."""

    def _sizes(self, connection: SqlConnection, tables: Collection[str]) -> dict[str, int]:
        """Bytes of tables, where another connection may build keys beside the first; else none are told."""
        return {}

    def prepare(self, mapping: Mapping, keys: Keys) -> Preparation:
        self._mapping = mapping
        self.merging = None if self.write == "append" else Merging(mapping, self.write)
        check_width(mapping, self.dialect)
        try:
            created, waiting, notices = self._create_all(mapping, keys)
        except EtlError:
            self._created_is_there = False  # it may have been taken back with the rest
            raise
        if keys == "after":
            self._reserve(waiting)
        return Preparation(created, notices)

    def _create_all(self, mapping: Mapping, keys: Keys) -> tuple[frozenset[str], set[str], tuple[str, ...]]:
        """Create what is missing: the names of that, of all tables whose keys are to come, and what else is noticed."""
        tables = build_tables(mapping, self.dialect, keys)
        created: set[str] = set()
        with closing(self.connect()) as connection:
            while True:
                with connection.transaction():
                    connection.lock()
                    if not self._created_is_there:
                        self.create_own_tables(connection, self._created.metadata)
                    existing = examine(mapping, connection.sql, self._without_keys(connection), self.write)
                    missing = [tables[place] for place in existing.missing[:CREATED_AT_ONCE]]
                    self._create(connection, missing, keys)
                    fault_point("in_ddl")
                    waiting = self._without_keys(connection) & {table.name for table in mapping.tables}
                created |= {str(table.name) for table in missing}
                if len(missing) == len(existing.missing):
                    return frozenset(created), waiting, existing.notices

    def _create(self, connection: SqlConnection, tables: Sequence[sa.Table], keys: Keys) -> None:
        try:
            connection.execute_all([CreateTable(table) for table in tables])
        except TargetError as error:
            cause = driver_error(error)
            if getattr(cause, "sqlstate", None) in NO_PLACE or not (own := self._own_types()):
                raise
            raise TargetError(f"{error} The mapping names types of its own: {own}.") from error
        if tables:
            # A table of that name may have been created before, and dropped since.
            connection.execute(sa.delete(self._created).where(self._are(connection, [table.name for table in tables])))
            schema, to_come = self._schema_name(connection), keys == "after"
            connection.execute(
                sa.insert(self._created),
                [{"table_schema": schema, "table_name": table.name, "keys_to_come": to_come} for table in tables],
            )

    def create_own_tables(self, connection: TargetConnection, metadata: sa.MetaData) -> None:
        sql, schema = self._own(connection), metadata.schema
        sql.lock()
        with sql.translated():
            inspector = sa.inspect(sql.sql)
            if schema is not None and not inspector.has_schema(schema):
                sql.execute(CreateSchema(schema))
            # The one that `prepare` needs too: it need not look then.
            for table in dict.fromkeys((*metadata.sorted_tables, self._created)):
                if inspector.has_table(table.name, schema):
                    self._check_own(inspector, table)
                else:
                    sql.execute(CreateTable(table))
                    for index in table.indexes:
                        sql.execute(CreateIndex(index))
        self._created_is_there = True

    def _check_own(self, inspector: sa.Inspector, table: sa.Table) -> None:
        there = {column["name"] for column in inspector.get_columns(table.name, table.schema)}
        missing = [column.name for column in table.columns if column.name not in there]
        if missing:
            raise TargetError(
                f"{self.label} has a ledger of another version of etl: its table {table.name} has no column"
                f" {', '.join(missing)}. Load into another database, or drop the ledger's tables"
                f" ({', '.join(OWN_TABLES)}) and those that were loaded with it; an unfinished load goes on with the"
                " version that began it."
            )

    def _own_types(self) -> str:
        """The first of the columns that have `sql` in the mapping."""
        if self._mapping is None:
            return ""
        columns = [(table, column) for table in self._mapping.tables for column in table.columns if column.sql]
        shown = [
            f"{table.name}.{column.name} ({self._mapping.label}:{column.line}) is {column.sql}"
            for table, column in columns[:EXAMPLES]
        ]
        return ", ".join(shown) + (", ..." if len(columns) > EXAMPLES else "")

    def located(self, refused: RowsRefused) -> RowsRefused:
        """The same with the place of its table in the mapping, and the line there of its column, else of its table."""
        for number, table in enumerate(self._mapping.tables if self._mapping else ()):
            if self._mapping and table.name == refused.table:
                line = next((column.line for column in table.columns if column.name == refused.column), 0) or table.line
                message = f"{refused} ({self._mapping.label}:{line})" if line else str(refused)
                return RowsRefused(message, refused.reason, refused.table, refused.column, refused.row, number)
        return refused

    def missing_tables(self, connection: TargetConnection, names: Collection[str]) -> frozenset[str]:
        sql = self._own(connection)
        with sql.translated():
            present = table_names(sa.inspect(sql.sql))
        return frozenset(name for name in names if fold_name(name, self.dialect) not in present)

    def created_tables(self, connection: TargetConnection, mapping: Mapping) -> frozenset[str]:
        sql = self._own(connection)
        with sql.translated():
            examine(mapping, sql.sql)
        return frozenset(self._known_tables(sql))

    def empty(self, connection: TargetConnection, names: Collection[str]) -> dict[str, int]:
        sql, tables = self._own(connection), {name: sa.table(quoted_name(name, quote=True)) for name in sorted(names)}
        self._seize(sql, list(tables))
        rows = {}
        for name, table in tables.items():
            ((rows[name],),) = sql.execute(sa.select(sa.func.count()).select_from(table))
        self._delete_all(sql, list(tables))
        return rows

    def _own(self, connection: TargetConnection) -> SqlConnection:
        if not isinstance(connection, SqlConnection):
            raise InternalError("A target was given another target's connection.")
        return connection

    @abstractmethod
    def _seize(self, connection: SqlConnection, tables: Sequence[str]) -> None:
        """Let nobody else read or write these tables until the transaction ends."""

    @abstractmethod
    def _delete_all(self, connection: SqlConnection, tables: Sequence[str]) -> None:
        """Delete all rows of tables, whichever of them refer to which."""

    def build_keys(self, mapping: Mapping, stopped: Callable[[], bool] = lambda: False) -> list[KeyProblem]:
        with closing(self.connect()) as connection:
            with connection.transaction():
                keyless = self._without_keys(connection) & {table.name for table in mapping.tables}
            self._reserve(keyless)
            late = [key for key in late_keys(mapping, self.dialect) if mapping.tables[key.table].name in keyless]
            with connection.transaction():
                waiting = self._not_built(connection, mapping, late)
                sizes = self._sizes(connection, {mapping.tables[key.table].name for key in waiting})
            problems = KeyBuilding(self, mapping, stopped).run(connection, waiting, sizes)
            done = sorted(keyless - {problem.table for problem in problems})
            if done and not stopped():
                with connection.transaction():
                    built = sa.update(self._created).where(self._are(connection, done))
                    connection.execute(built.values(keys_to_come=False))
        return problems

    def _not_built(self, connection: SqlConnection, mapping: Mapping, keys: Sequence[LateKey]) -> list[LateKey]:
        """Those of the keys that are not there yet, by one look at all their tables."""
        tables = sorted({mapping.tables[key.table].name for key in keys})
        if not tables:
            return []
        with connection.translated():
            inspector = sa.inspect(connection.sql)
            primary = inspector.get_multi_pk_constraint(filter_names=tables, kind=ObjectKind.ANY)
            indexes = inspector.get_multi_indexes(filter_names=tables, kind=ObjectKind.ANY)
            foreign = inspector.get_multi_foreign_keys(filter_names=tables, kind=ObjectKind.ANY)
        keyed = {name for (_, name), found in primary.items() if found["constrained_columns"]}
        built = {(name, index["name"]) for (_, name), found in indexes.items() for index in found}
        built |= {(name, constraint["name"]) for (_, name), found in foreign.items() for constraint in found}

        def is_built(key: LateKey) -> bool:
            table = mapping.tables[key.table].name
            return key.build is not None and ((table, key.name) in built or (key.kind == "primary" and table in keyed))

        return [key for key in keys if not is_built(key)]

    def _without_keys(self, connection: SqlConnection) -> set[str]:
        """Names of the tables that loads created and whose keys are still to be built."""
        return {name for name, to_come in self._known_tables(connection).items() if to_come}

    def _known_tables(self, connection: SqlConnection) -> dict[str, bool]:
        """The tables that loads created, and whether their keys are still to be built."""
        columns = self._created.c
        known = sa.select(columns.table_name, columns.keys_to_come).where(
            columns.table_schema == self._schema_name(connection)
        )
        if not sa.inspect(connection.sql).has_table(self._created.name, self._created.schema):
            return {}
        return dict(connection.execute(known))

    @abstractmethod
    def _reserve(self, tables: Collection[str]) -> None:
        """Keep tables whose keys come after the last row to this load until it ends; wait for another that has them."""

    def _schema_name(self, connection: SqlConnection) -> str:
        return connection.sql.dialect.default_schema_name or ""

    def _are(self, connection: SqlConnection, tables: Sequence[str]) -> sa.ColumnElement[bool]:
        """Which rows of etl_table are these tables'."""
        columns = self._created.c
        return sa.and_(columns.table_schema == self._schema_name(connection), columns.table_name.in_(tables))
