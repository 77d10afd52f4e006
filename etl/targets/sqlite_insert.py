"""The INSERT of one table of a SQLite file: a batch in a statement, or one row, where it matters which is refused.

In: rows as workers encode them, or a flat list of their values. Runs on the thread whose connection it is given.
"""

from __future__ import annotations

import math
import sqlite3
from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import chain
from typing import Any

from etl.errors import RowsRefused
from etl.mapping.model import Table
from etl.messages import TupleRows
from etl.targets.merging import Staging
from etl.targets.schema import quote
from etl.targets.sqlite_errors import refusal, refused
from etl.targets.sqlite_parents import ForeignKeyCheck
from etl.targets.sqlite_rows import FUNCTION, MOST_COLUMNS

ROWS_PER_STATEMENT = 100
"""Rows in one INSERT: for narrow tables twice as fast as one row each; more brings nothing, and wide ones lose."""


class Insert:
    """How rows get into a table."""

    def __init__(
        self,
        table: Table,
        variables: int,
        parents: ForeignKeyCheck,
        staging: Staging | None = None,
        *,
        compiled: bool = False,
    ) -> None:
        """`variables`: how many the database takes in one statement. `staging`: where the rows go first.

        `compiled`: connections know the function of `sqlite_rows`.
        """
        if staging is not None:
            columns, into = staging.table.columns, staging.table.name
            table = replace(table, columns=columns)
        else:
            into = table.name
        names = ", ".join(quote(column.name) for column in table.columns)
        self.table = table
        """Refusals name it; its columns are those that are written."""
        self.parents = parents
        self._row = f"({', '.join('?' * len(table.columns))})"
        self._rows = max(1, min(ROWS_PER_STATEMENT, variables // len(table.columns)))
        self._one = f"INSERT INTO {quote(into)} ({names}) VALUES {self._row}"
        self._encoded = ""
        """What takes rows as they are encoded, where something does."""
        if compiled and len(table.columns) <= MOST_COLUMNS:
            values = ", ".join(f"c{place}" for place in range(len(table.columns)))
            self._encoded = f"INSERT INTO {quote(into)} ({names}) SELECT {values} FROM {FUNCTION}(?, ?)"
        self._floats = [
            n
            for n, column in enumerate(table.columns)
            if column.type.name in ("real", "double") and not (column.is_array or column.sql)
        ]

    def run_encoded(self, connection: sqlite3.Connection, batches: Sequence[TupleRows]) -> None:
        """Write rows, the fastest way there is. Raises sqlite3.Error, RowsRefused."""
        if not self._encoded:
            self.run(connection, list(chain.from_iterable(batch.values for batch in batches)))
            return
        for batch in batches:
            try:
                connection.execute(self._encoded, (len(self.table.columns), batch.data))
            except sqlite3.IntegrityError as error:
                if error.sqlite_errorcode == sqlite3.SQLITE_MISMATCH:
                    self._check_floats(batch.values)
                raise

    def run(self, connection: sqlite3.Connection, values: list[Any]) -> None:
        """Write rows. Raises sqlite3.Error, RowsRefused."""
        self._check_floats(values)
        one = len(self.table.columns)
        many = one * self._rows
        whole = len(values) - len(values) % many
        if whole:
            statement = self._one + f", {self._row}" * (self._rows - 1)
            connection.executemany(statement, (values[at : at + many] for at in range(0, whole, many)))
        connection.executemany(self._one, (values[at : at + one] for at in range(whole, len(values), one)))

    def run_one_by_one(self, connection: sqlite3.Connection, values: list[Any]) -> None:
        """Write rows so that it is known which one is refused. Raises sqlite3.Error, RowsRefused."""
        self._check_floats(values)
        one, row = len(self.table.columns), 0

        def rows() -> Iterator[list[Any]]:
            # The next one is asked for when the one before it is in.
            nonlocal row
            for row in range(len(values) // one):
                yield values[row * one : (row + 1) * one]

        try:
            connection.executemany(self._one, rows())
        except sqlite3.Error as error:
            given = values[row * one : (row + 1) * one]
            found = refusal(error, self.table, given)
            if found is None:
                raise
            if found.reason == "missing_parent":
                found = self.parents.orphan(connection, given) or found
            raise RowsRefused(str(found), found.reason, found.table, found.column, row) from error

    def _check_floats(self, values: list[Any]) -> None:
        """SQLite would store NaN as NULL, and infinity as what no other database reads back."""
        for place in self._floats:
            for row, value in enumerate(values[place :: len(self.table.columns)]):
                if value is not None and not math.isfinite(value):
                    column = self.table.columns[place].name
                    words = "SQLite has no NaN and no infinity"
                    raise refused(words, "out_of_range", self.table.name, column, row)
