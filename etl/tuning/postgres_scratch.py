"""A schema of its own in a PostgreSQL database, which is all that trials there see.

Their search_path names no other schema: tables of the user's with the same names are neither found nor written to.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from urllib.parse import quote as quote_url

import psycopg
from psycopg.conninfo import conninfo_to_dict

from etl.errors import EtlError, TargetError, TransientError
from etl.targets.postgres import PostgresTarget
from etl.targets.postgres_session import Session, connect, conninfo
from etl.targets.schema import quote
from etl.targets.sql import NO_PLACE, driver_error
from etl.tuning.scratch import Scratch

_PREFIX = "etl_tune_"
_NAME = re.compile(rf"{_PREFIX}([0-9a-f]{{8}})")
_MARK = "Scratch place of a running etl tune; the next one removes it where that was killed."
"""The schema's comment: a schema of anybody else's that has such a name is not touched."""

_LOCK_TIMEOUT = b"SET LOCAL lock_timeout = '3s'"
"""The tables are nobody's but a tune's: who looks at one and holds it so long is not waited for."""
_LEFT = """
    SELECT nspname FROM pg_namespace
    WHERE obj_description(oid, 'pg_namespace') = %s AND pg_has_role(nspowner, 'MEMBER') ORDER BY nspname
"""
_TABLES = "SELECT tablename FROM pg_tables WHERE schemaname = %s LIMIT 500"
"""Each table dropped holds a few locks until the transaction ends, and a server has some thousands of them."""


class PostgresScratch(Scratch):
    """A schema `etl_tune_<8 hexadecimal digits>`."""

    def __init__(self, url: str, target: PostgresTarget) -> None:
        self._target = target
        self._schema = f"{_PREFIX}{target.hold():08x}"
        self.name = f"the schema {self._schema}"
        with self._alone() as session:
            self.server = f"PostgreSQL {(session.info.parameter_status('server_version') or '').partition(' ')[0]}"
            # What the URL, PGOPTIONS or a service asks for stays; libpq takes one of them only.
            options = f"{session.info.options} -c search_path={self._schema}".strip()
            self._database, self._user = session.info.dbname, session.info.user
        self.url = _with_options(url, options)

    def renew(self) -> None:
        self._drop_tables(self._schema)
        name = quote(self._schema)
        made = f"CREATE SCHEMA {name}; COMMENT ON SCHEMA {name} IS '{_MARK}'"
        try:
            with self._alone() as session:
                session.execute(f"DROP SCHEMA IF EXISTS {name} CASCADE; {made}".encode())
        except TargetError as error:
            if getattr(driver_error(error), "sqlstate", None) not in NO_PLACE:
                raise
            raise TargetError(
                f"{self._target.label}: a tune loads its sample into a schema of its own, which this user may not"
                f" create. The right it needs: GRANT CREATE ON DATABASE {quote(self._database)} TO"
                f" {quote(self._user)}."
            ) from error
        self._check()

    def _check(self) -> None:
        """Raise TargetError where trials would be in another schema."""
        try:
            with closing(connect(conninfo(self.url))) as session:
                ((found,),) = session.execute("SELECT current_schema()")
        except psycopg.Error as error:
            raise self._target.translate(error) from error
        if found != self._schema:
            raise TargetError(
                f"{self._target.label} does not give a connection the search_path that it asks for: trials would meet"
                " the tables that are there. Connect to PostgreSQL itself in place of a pooler."
            )

    def remove(self) -> None:
        try:
            self._drop(self._schema)
        except EtlError as error:
            raise TargetError(
                f"{error} So {self.name} is left; the next tune of this database removes it, or DROP SCHEMA"
                f" {quote(self._schema)} CASCADE."
            ) from error

    def remove_left(self) -> list[str]:
        with self._alone() as session:
            names = [name for (name,) in session.execute(_LEFT, (_MARK,))]
        removed = []
        for name in names:
            number = _NAME.fullmatch(name)
            if number and self._target.holder(int(number[1], 16)) is None:
                with suppress(TransientError):  # somebody has locked a table of it: a later tune removes it
                    self._drop(name)
                    removed.append(f"the schema {name}")
        return removed

    def _drop(self, schema: str) -> None:
        self._drop_tables(schema)
        with self._alone() as session:
            session.execute(f"DROP SCHEMA IF EXISTS {quote(schema)} CASCADE".encode())

    def _drop_tables(self, schema: str) -> None:
        while True:
            with self._alone() as session:
                tables = [f"{quote(schema)}.{quote(table)}" for (table,) in session.execute(_TABLES, (schema,))]
                if not tables:
                    return
                session.execute(f"DROP TABLE {', '.join(tables)} CASCADE".encode())

    @contextmanager
    def _alone(self) -> Iterator[Session]:
        """A transaction on a connection of its own, while no load or other tune changes the database's schemas."""
        with closing(self._target.connect()) as connection, connection.translated():
            connection.begin()
            connection.lock()
            connection.driver.execute(_LOCK_TIMEOUT)
            yield connection.driver
            connection.commit(durable=False)


def _with_options(url: str, options: str) -> str:
    """The URL with these options for the server in place of its own: libpq takes the last."""
    parameter = f"options={quote_url(options, safe='')}"
    for mark in ("?", "&"):
        changed = f"{url}{mark}{parameter}"
        try:
            if conninfo_to_dict(changed).get("options") == options:
                return changed
        except psycopg.ProgrammingError:
            continue
    raise TargetError("The URL takes no further options: write the database's URL without a part behind #.")
