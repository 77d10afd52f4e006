"""Fresh databases for the runs: an embedded PostgreSQL, and SQLite files. Both count rows and give them back.

PostgreSQL runs with its own defaults (fsync and synchronous commits on, 128 MB of shared buffers) except for
`max_wal_size`, raised as on any server that takes bulk loads: so no checkpoint falls into one run and not into
another. A checkpoint before each run writes out what the one before it left.
"""

from __future__ import annotations

import shutil
import sqlite3
import tempfile
from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, closing, contextmanager
from itertools import count
from pathlib import Path

import psutil
import psycopg
from sqlalchemy.engine import make_url

from env_prep.start_postgres import running_server

TITLES = {"postgres": "PostgreSQL", "sqlite": "SQLite"}
"""What people call them, by `Database.name`."""
_CHANGED = {"max_wal_size": "4GB"}
_SHOWN = ("fsync", "synchronous_commit", "shared_buffers", "maintenance_work_mem", "max_wal_size")
_numbers = count(1)


class Database(ABC):
    """A place for the runs to write to."""

    name: str
    """``postgres`` or ``sqlite``."""
    description: str
    """Version and settings, for the report."""

    @abstractmethod
    def fresh(self) -> AbstractContextManager[str]:
        """The URL of an empty database, gone with the context."""

    @abstractmethod
    def counts(self, url: str, tables: Sequence[str]) -> dict[str, int]:
        """Rows by table."""

    @abstractmethod
    def keyed(self, url: str, tables: Sequence[str]) -> set[str]:
        """Those that have a key: no row of them is there twice."""

    @abstractmethod
    def extract(self, url: str, tables: Sequence[str], folder: Path) -> None:
        """Put the rows of a loaded database into `folder`, in the form `ready_rows` takes."""

    @abstractmethod
    def server_cpu(self) -> float:
        """Seconds of CPU its server has used so far; 0 for a database that runs in the loader's process."""


class Postgres(Database):
    """Databases on one server; `url` may create them."""

    name = "postgres"

    def __init__(self, url: str) -> None:
        self._url = url
        with psycopg.connect(url, autocommit=True) as connection:
            for setting, value in _CHANGED.items():
                connection.execute(f"ALTER SYSTEM SET {setting} = '{value}'".encode())
            connection.execute("SELECT pg_reload_conf()")
        with psycopg.connect(url, autocommit=True) as connection:
            settings = ", ".join(f"{name} {_one(connection, f'SHOW {name}')}" for name in _SHOWN)
            self.description = f"PostgreSQL {_one(connection, 'SHOW server_version')} ({settings})"
            self._postmaster = psutil.Process(int(_one(connection, "SELECT pg_backend_pid()"))).parent()

    @contextmanager
    def fresh(self) -> Iterator[str]:
        name = f"bench_{next(_numbers)}"
        with psycopg.connect(self._url, autocommit=True) as connection:
            connection.execute(f"CREATE DATABASE {name}".encode())
            connection.execute("CHECKPOINT")
        try:
            yield make_url(self._url).set(database=name).render_as_string(hide_password=False)
        finally:
            with psycopg.connect(self._url, autocommit=True) as connection:
                connection.execute(f"DROP DATABASE {name} WITH (FORCE)".encode())

    def counts(self, url: str, tables: Sequence[str]) -> dict[str, int]:
        with psycopg.connect(url) as connection:
            return {table: int(_one(connection, f'SELECT count(*) FROM "{table}"')) for table in tables}

    def keyed(self, url: str, tables: Sequence[str]) -> set[str]:
        with psycopg.connect(url) as connection:
            query = "SELECT conrelid::regclass::text FROM pg_constraint WHERE contype = 'p'"
            return set(tables) & {name for (name,) in connection.execute(query)}

    def extract(self, url: str, tables: Sequence[str], folder: Path) -> None:
        with psycopg.connect(url) as connection, connection.cursor() as cursor:
            for table in tables:
                with (
                    (folder / f"{table}.copy").open("wb") as file,
                    cursor.copy(f'COPY "{table}" TO STDOUT'.encode()) as copy,
                ):
                    for data in copy:
                        file.write(data)

    def server_cpu(self) -> float:
        assert self._postmaster is not None
        own = self._postmaster.cpu_times()
        # A backend's time moves to `children` of the postmaster when it ends; those alive are counted one by one.
        used = float(own.user + own.system + own.children_user + own.children_system)
        for process in self._postmaster.children(recursive=True):
            try:
                times = process.cpu_times()
            except psutil.NoSuchProcess:
                continue
            used += times.user + times.system
        return used


class Sqlite(Database):
    """Files in a folder."""

    name = "sqlite"
    description = f"SQLite {sqlite3.sqlite_version}"

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    @contextmanager
    def fresh(self) -> Iterator[str]:
        with tempfile.TemporaryDirectory(dir=self._folder) as folder:
            yield f"sqlite:///{Path(folder) / 'bench.db'}"

    def counts(self, url: str, tables: Sequence[str]) -> dict[str, int]:
        with closing(sqlite3.connect(_path(url))) as connection:
            return {table: int(connection.execute(f'SELECT count(*) FROM "{table}"').fetchone()[0]) for table in tables}

    def keyed(self, url: str, tables: Sequence[str]) -> set[str]:
        # A key is a unique index, or the row's own number.
        query = (
            'SELECT name FROM pragma_index_list(?) WHERE "unique" UNION SELECT name FROM pragma_table_info(?) WHERE pk'
        )
        with closing(sqlite3.connect(_path(url))) as connection:
            return {table for table in tables if connection.execute(query, (table, table)).fetchone()}

    def extract(self, url: str, tables: Sequence[str], folder: Path) -> None:
        with closing(sqlite3.connect(_path(url))) as connection:
            # Whatever a write-ahead log still holds belongs to the rows.
            connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        shutil.copyfile(_path(url), folder / "rows.db")

    def server_cpu(self) -> float:
        return 0.0


@contextmanager
def open_databases(names: Sequence[str], folder: Path) -> Iterator[list[Database]]:
    """The databases of that names; a PostgreSQL server runs as long as the context."""
    if "postgres" not in names:
        yield [Sqlite(folder) for _ in names]
        return
    with running_server() as url:
        yield [Postgres(url) if name == "postgres" else Sqlite(folder) for name in names]


def _one(connection: psycopg.Connection, query: str) -> str:
    row = connection.execute(query.encode()).fetchone()
    assert row is not None
    return str(row[0])


def _path(url: str) -> Path:
    return Path(url.removeprefix("sqlite:///"))
