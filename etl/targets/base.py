"""What a target is: a place for rows, with transactions.

A target belongs to one load. The main thread prepares and finishes it; each insert thread has a connection of its
own, which no other thread touches (except `interrupt`). Errors of the driver are translated here, at the edge: what a
caller sees is TargetError (for good) or TransientError (try again).
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Collection, Sequence
from collections.abc import Mapping as MappingOf
from dataclasses import dataclass
from typing import Any, Literal

from sqlalchemy import MetaData, Table
from sqlalchemy.sql import Executable

from etl.mapping.model import Mapping
from etl.messages import CopyRows, RowFormat, TupleRows
from etl.options import Write

Rows = CopyRows | TupleRows


@dataclass(frozen=True, slots=True)
class Preparation:
    """What `Target.prepare` found."""

    created: frozenset[str]
    """Names of the tables that were not there before; only these get keys built after the load."""
    notices: tuple[str, ...]
    """Sentences for the user: differences of an existing table that matter although its values fit."""


@dataclass(frozen=True, slots=True)
class KeyProblem:
    """A key that could not be built."""

    table: str
    message: str
    """Which key, how many rows stand in its way, examples, and the ways out."""


@dataclass(frozen=True, slots=True)
class Merged:
    """What became of rows that were merged with those that were there (`write: upsert` or `skip`)."""

    rows: tuple[int, ...]
    """Rows written by table, in the mapping's order."""
    skipped: MappingOf[int, Collection[int]]
    """Records left out since their key is there already: their places, by the number of the split."""


class TargetConnection(ABC):
    """One connection, used by one thread: ``begin``, any of the middle ones, ``commit`` or ``rollback``."""

    encoding: str = "utf-8"
    """Python's codec of the texts that the database can keep."""

    @abstractmethod
    def begin(self) -> None:
        """Open a transaction (where one writer holds the database, wait for it)."""

    @abstractmethod
    def lock(self) -> None:
        """Take the one lock under which loads change the schema or register a source, until the transaction ends."""

    @abstractmethod
    def execute(
        self, statement: Executable, parameters: Sequence[MappingOf[str, Any]] | None = None
    ) -> list[tuple[Any, ...]]:
        """Run a SQLAlchemy statement in the transaction and return its rows, [] where it returns none.

        `parameters` with several entries runs it once for each; an INSERT with RETURNING then gives the rows of all
        of them, in any order. Not for the hot path.
        """

    @abstractmethod
    def insert_new(self, table: Table, key: Sequence[str], columns: Sequence[Sequence[Any]]) -> set[tuple[Any, ...]]:
        """Insert rows, given by columns, except those of which a unique key is there: the `key` of each of these."""

    @abstractmethod
    def write(self, table: int, rows: Sequence[Rows], *, find_row: bool = False) -> None:
        """Write rows of the mapping's table number `table`, encoded as the target's `row_format` says.

        Raises RowsRefused where the database refuses some of them; `find_row`: they were refused before, and knowing
        which (`RowsRefused.row`) is worth a slower way of writing.
        """

    @abstractmethod
    def merge(self) -> Merged | None:
        """Once all rows of some records are written: merge them with those that are there, as `Target.write` says.

        None where they are in their tables already (`write: append`). Raises RowsRefused.
        """

    @abstractmethod
    def savepoint(self) -> None:
        """Begin a group of records that can be undone alone; one at a time."""

    @abstractmethod
    def settle(self) -> None:
        """End of such a group: deferred constraints are checked now. Raises RowsRefused; then `undo`."""

    @abstractmethod
    def undo(self) -> bool:
        """Undo what was written since `savepoint`. False where the whole transaction is gone: a trigger may do that."""

    @abstractmethod
    def commit(self, *, durable: bool) -> None:
        """Commit. Without `durable` a crash of the server may lose the transaction, whole.

        Raises RowsRefused where a deferred constraint does not hold, ConnectionLost where the answer was lost: then
        only the ledger knows whether it happened.
        """

    @abstractmethod
    def rollback(self) -> None:
        """Give the transaction up; safe to call in any state, also on a lost connection."""

    @abstractmethod
    def interrupt(self) -> None:
        """From another thread: make the statement now running fail soon."""

    @abstractmethod
    def close(self) -> None:
        """Close; safe to call twice."""


class Target(ABC):
    """A database (or memory) that one load writes to."""

    label: str
    """The URL without its password."""
    row_format: RowFormat
    max_insert_threads: int | None
    """How many connections may write at once; None: no limit of its own."""
    default_insert_threads: int
    keeps_ledger: bool
    """False where nothing outlives the process (memory), so that there is nothing to resume."""
    write: Write = "append"
    """What becomes of records whose keys are there already."""
    dialect: str
    """SQLAlchemy's name of the database's SQL: ``postgresql``, ``sqlite``; ``memory`` has none."""
    slower_writing: str = ""
    """Why rows are written by the slower of two ways, as a sentence without its beginning and end."""
    notify: Callable[[str], object] = staticmethod(lambda sentence: None)
    """Told, in a sentence, that and for whom the target waits; a load may put its own way of showing it here."""

    @abstractmethod
    def prepare(self, mapping: Mapping, keys: Literal["after", "before"]) -> Preparation:
        """Create what is missing, check that what is there fits. Raises TargetError naming every difference."""

    @abstractmethod
    def create_own_tables(self, connection: TargetConnection, metadata: MetaData) -> None:
        """Create the program's own tables (the ledger's) and their schema where missing, in the open transaction.

        Raises TargetError naming the setting `ledger.schema` where the user may not create them.
        """

    @abstractmethod
    def missing_tables(self, connection: TargetConnection, names: Collection[str]) -> frozenset[str]:
        """Those of `names` that the database does not have (any more)."""

    @abstractmethod
    def created_tables(self, connection: TargetConnection, mapping: Mapping) -> frozenset[str]:
        """Tables that loads created, this one or others; raises TargetError where what is there does not fit."""

    @abstractmethod
    def empty(self, connection: TargetConnection, names: Collection[str]) -> dict[str, int]:
        """Delete all rows of tables, in the open transaction, and return how many there were of each.

        Nobody else can write to them until the transaction ends. Their keys stay as they are.
        """

    @abstractmethod
    def connect(self) -> TargetConnection:
        """A new connection for the calling thread, settings for bulk loading applied."""

    @abstractmethod
    def abandon(self, connection: TargetConnection) -> None:
        """Give a broken connection up: when this returns, its transaction is over at the server too, either way.

        Raises EtlError, as `connect` does, where that cannot be brought about.
        """

    @abstractmethod
    def hold(self) -> int:
        """Hold the lock by which others know that this load lives, and return its number, the same until `close`.

        Ends with the process, however that ends. Called again after a lost connection it holds again. From any thread.
        """

    @abstractmethod
    def holder(self, lock: int) -> str | None:
        """Where the load is found that has the lock of that number, in words; None where none that lives has it."""

    @abstractmethod
    def build_keys(self, mapping: Mapping, stopped: Callable[[], bool] = lambda: False) -> list[KeyProblem]:
        """Build the primary keys, foreign keys and indexes this mapping's created tables still lack.

        May be called again after a crash: what exists already is left alone. Rows that stand in a key's way stay.
        `stopped` is asked before each; from then on no other is begun, and a later call goes on.
        """

    @abstractmethod
    def interrupt(self) -> None:
        """From another thread: make whatever statement is running on any connection fail soon."""

    @abstractmethod
    def close(self) -> None:
        """Release everything; safe to call twice."""
