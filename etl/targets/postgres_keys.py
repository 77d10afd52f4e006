"""How PostgreSQL builds the keys that come after the last row.

ADD FOREIGN KEY locks both its tables, against others of its kind too, until it has looked at all rows: one key of a
parent at a time. A key that is declared first (NOT VALID), which takes a moment, is looked at under locks that do not
meet: SHARE UPDATE EXCLUSIVE on its own table, ROW SHARE on the parent (ALTER TABLE ... VALIDATE CONSTRAINT).

In: keys of the mapping and a connection whose transaction is open. Out: what the server says of the first one it
refuses, those before it are done and the transaction goes on; None where all are.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence

from psycopg import errors as pg_errors

from etl.errors import InternalError, TargetError
from etl.mapping.model import Mapping
from etl.targets.postgres_errors import said
from etl.targets.schema import LateKey, compiled, quote
from etl.targets.sql import SqlConnection, driver_error

MEMORY, LEAST_MEMORY = 256, 64
"""MB of maintenance_work_mem, shared by the connections that build keys; each has the server's own default at least."""

OBSTACLES = (
    pg_errors.UniqueViolation,
    pg_errors.ForeignKeyViolation,
    pg_errors.InvalidForeignKey,
    pg_errors.ProgramLimitExceeded,  # a value too long for an index
    pg_errors.UndefinedObject,  # a type without order
)

_OUR_SCHEMA = "(SELECT oid FROM pg_namespace WHERE nspname = current_schema())"
_THERE = f"""
    SELECT t.relname, k.conname, k.contype = 'p', k.convalidated
    FROM pg_constraint k JOIN pg_class t ON t.oid = k.conrelid
    WHERE k.contype IN ('p', 'f') AND t.relname = ANY(%(tables)s) AND t.relnamespace = {_OUR_SCHEMA}
    UNION ALL
    SELECT t.relname, i.relname, false, true
    FROM pg_index x JOIN pg_class i ON i.oid = x.indexrelid JOIN pg_class t ON t.oid = x.indrelid
    WHERE t.relname = ANY(%(tables)s) AND t.relnamespace = {_OUR_SCHEMA}
"""
"""Keys of tables: the table, the name, whether it is the primary one, whether its rows have been looked at."""
_SIZES = f"SELECT relname, pg_relation_size(oid) FROM pg_class WHERE relname = ANY(%s) AND relnamespace = {_OUR_SCHEMA}"


def build(connection: SqlConnection, mapping: Mapping, keys: Sequence[LateKey], connections: int) -> str | None:
    """Build primary keys and indexes, look at the rows of foreign keys; over so many connections at once."""
    memory = f"SET LOCAL maintenance_work_mem = '{max(LEAST_MEMORY, MEMORY // connections)}MB'"
    return _in_steps(connection, [memory], [_build_statement(mapping, key) for key in keys])


def declare(connection: SqlConnection, mapping: Mapping, keys: Sequence[LateKey]) -> str | None:
    """Declare foreign keys that are not: they hold for what is written from now on."""
    missing = undeclared(connection, mapping, keys)
    if not missing:
        return None
    # In the order in which a load writes the tables, so that neither waits for the other.
    places = {key.table for key in missing} | {mapping.tables[key.table].parent for key in missing}
    names = [_name(mapping, place) for place in sorted(place for place in places if place is not None)]
    lock = f"LOCK TABLE {', '.join(names)} IN SHARE ROW EXCLUSIVE MODE"
    return _in_steps(connection, [lock], [f"{_statement(key)} NOT VALID" for key in missing])


def withdraw(connection: SqlConnection, mapping: Mapping, keys: Sequence[LateKey]) -> None:
    """Drop foreign keys that are declared."""
    _in_steps(
        connection, [], [f"ALTER TABLE {_name(mapping, key.table)} DROP CONSTRAINT {quote(key.name)}" for key in keys]
    )


def not_built(connection: SqlConnection, mapping: Mapping, keys: Sequence[LateKey]) -> list[LateKey]:
    """Those that are not there, or only declared: a load that was killed may have left them so."""
    there = _there(connection, mapping, keys)
    keyed = {table for table, _, is_primary, _ in there if is_primary}
    built = {(table, name) for table, name, _, is_checked in there if is_checked}
    return [
        key
        for key in keys
        if (_own_name(mapping, key) not in built)
        and not (key.kind == "primary" and mapping.tables[key.table].name in keyed)
    ]


def undeclared(connection: SqlConnection, mapping: Mapping, keys: Sequence[LateKey]) -> list[LateKey]:
    """Foreign keys that are not even declared."""
    there = {(table, name) for table, name, _, _ in _there(connection, mapping, keys)}
    return [key for key in keys if _own_name(mapping, key) not in there]


def _there(connection: SqlConnection, mapping: Mapping, keys: Sequence[LateKey]) -> list[tuple[str, str, bool, bool]]:
    tables = sorted({mapping.tables[key.table].name for key in keys})
    if not tables:
        return []
    with connection.translated():
        return list(connection.driver.execute(_THERE, {"tables": tables}))


def _own_name(mapping: Mapping, key: LateKey) -> tuple[str, str]:
    return mapping.tables[key.table].name, key.name


def table_sizes(connection: SqlConnection, tables: Collection[str]) -> dict[str, int]:
    """Bytes by table."""
    with connection.translated():
        return dict(connection.driver.execute(_SIZES, [list(tables)]))


def _in_steps(connection: SqlConnection, settings: Sequence[str], steps: Sequence[str]) -> str | None:
    """Run all of it by one way to the server and back."""
    statements = ["SET LOCAL lock_timeout = 0", *settings]
    for step in steps:
        statements += ["SAVEPOINT etl_key", step, "RELEASE SAVEPOINT etl_key"]
    try:
        with connection.translated():
            connection.driver.execute(";\n".join(statements).encode())
    except TargetError as error:
        cause = driver_error(error)
        if not isinstance(cause, OBSTACLES):
            raise
        connection.driver.execute("ROLLBACK TO SAVEPOINT etl_key")
        return said(cause)
    return None


def _build_statement(mapping: Mapping, key: LateKey) -> str:
    if key.kind != "foreign":
        return _statement(key)
    return f"ALTER TABLE {_name(mapping, key.table)} VALIDATE CONSTRAINT {quote(key.name)}"


def _statement(key: LateKey) -> str:
    if key.build is None:
        raise InternalError(f"On PostgreSQL no key is declared with its table, and {key.name} is.")
    return compiled(key.build, "postgresql")


def _name(mapping: Mapping, place: int) -> str:
    return quote(mapping.tables[place].name)
