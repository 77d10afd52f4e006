"""Rows in memory, for trying a mapping and for programs that want the rows themselves: ``memory://``."""

from __future__ import annotations

import threading
from bisect import insort
from collections.abc import Callable, Collection, Sequence
from collections.abc import Mapping as MappingOf
from operator import itemgetter
from typing import Any

from sqlalchemy import MetaData, Table
from sqlalchemy.sql import Executable

from etl.errors import InternalError
from etl.mapping.model import Mapping
from etl.messages import TupleRows
from etl.targets.base import KeyProblem, Preparation, Rows, Target, TargetConnection
from etl.targets.schema import Keys

_Row = tuple[object, ...]
_SplitRows = tuple[int, list[_Row]]
"""A split's number and its rows of a table, in the order of their records."""


class MemoryTarget(Target):
    """Tables as lists of tuples; rows appear at commit. Nothing outlives the object, so there is no ledger.

    Rows are in the order of the sources and their records, in whatever order splits arrive.
    """

    label = "memory://"
    row_format = "tuples"
    max_insert_threads = None
    default_insert_threads = 1
    keeps_ledger = False
    dialect = "memory"

    def __init__(self, keep: int | None = None) -> None:
        """`keep`: how many rows of each table stay, the first ones; None: all."""
        self._lock = threading.Lock()
        self._keep = keep
        self._tables: dict[int, list[_SplitRows]] = {}

    def prepare(self, mapping: Mapping, keys: Keys) -> Preparation:
        self._tables = {place: [] for place in range(len(mapping.tables))}
        return Preparation(frozenset(table.name for table in mapping.tables), ())

    def create_own_tables(self, connection: TargetConnection, metadata: MetaData) -> None:
        """Nothing: there is no ledger to keep."""

    def missing_tables(self, connection: TargetConnection, names: Collection[str]) -> frozenset[str]:
        return frozenset()

    def created_tables(self, connection: TargetConnection, mapping: Mapping) -> frozenset[str]:
        return frozenset()

    def empty(self, connection: TargetConnection, names: Collection[str]) -> dict[str, int]:
        return {}

    def connect(self) -> MemoryConnection:
        return MemoryConnection(self)

    def abandon(self, connection: TargetConnection) -> None:
        """Nothing: there is no server."""

    def hold(self) -> int:
        return 0

    def holder(self, lock: int) -> str | None:
        return None

    def build_keys(self, mapping: Mapping, stopped: Callable[[], bool] = lambda: False) -> list[KeyProblem]:
        return []

    def interrupt(self) -> None:
        """No statement here takes long."""

    def close(self) -> None:
        """The rows stay: `rows` is asked for them after the load."""

    def append(self, tables: MappingOf[int, list[_SplitRows]]) -> None:
        """Make a transaction's rows visible, all at once."""
        with self._lock:
            for place, splits in tables.items():
                for split in splits:
                    insort(self._tables[place], split, key=itemgetter(0))
                if self._keep is not None:
                    self._tables[place] = _first(self._tables[place], self._keep)

    def rows(self, mapping: Mapping) -> dict[str, list[dict[str, Any]]]:
        """Committed rows by table, as {column: value}."""
        with self._lock:
            return {
                table.name: [
                    dict(zip((column.name for column in table.columns), row, strict=True))
                    for _, rows in self._tables[place]
                    for row in rows
                ]
                for place, table in enumerate(mapping.tables)
            }


def _first(splits: Sequence[_SplitRows], count: int) -> list[_SplitRows]:
    """The first `count` rows."""
    kept = []
    for number, rows in splits:
        if count <= 0:
            break
        kept.append((number, rows[:count]))
        count -= len(rows)
    return kept


class MemoryConnection(TargetConnection):
    def __init__(self, target: MemoryTarget) -> None:
        self._target = target
        self._pending: dict[int, list[_SplitRows]] = {}

    def begin(self) -> None:
        self._pending = {}

    def lock(self) -> None:
        """Nothing to share: no other load has this memory."""

    def execute(
        self, statement: Executable, parameters: Sequence[MappingOf[str, Any]] | None = None
    ) -> list[tuple[Any, ...]]:
        raise InternalError("memory:// runs no SQL.")

    def insert_new(self, table: Table, key: Sequence[str], columns: Sequence[Sequence[Any]]) -> set[tuple[Any, ...]]:
        raise InternalError("memory:// runs no SQL.")

    def write(self, table: int, rows: Sequence[Rows], *, find_row: bool = False) -> None:
        pending = self._pending.setdefault(table, [])
        for batch in rows:
            if not isinstance(batch, TupleRows):
                raise InternalError("memory:// was given COPY text.")
            in_order = sorted(zip(batch.records, batch.rows, strict=True), key=itemgetter(0))
            pending.append((batch.split, [row for _, row in in_order]))

    def merge(self) -> None:
        """They are where they belong."""

    def savepoint(self) -> None:
        """Nothing is ever refused here."""

    def settle(self) -> None:
        """As above."""

    def undo(self) -> bool:
        return True

    def commit(self, *, durable: bool) -> None:
        self._target.append(self._pending)
        self._pending = {}

    def rollback(self) -> None:
        self._pending = {}

    def interrupt(self) -> None:
        """No statement here takes long."""

    def close(self) -> None:
        self.rollback()
