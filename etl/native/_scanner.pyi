from array import array
from collections.abc import Iterable
from typing import Any, Protocol

from etl.messages import Pack, Run
from etl.native.program import Program

INTERFACE: int
"""`etl.native.INTERFACE` of the sources it was compiled from."""

class AroundRecords(Protocol):
    """What stands open around records (`etl.native.surroundings`); texts are UTF-8."""

    @property
    def prefixes(self) -> tuple[bytes, ...]: ...
    @property
    def uris(self) -> tuple[bytes, ...]:
        """Of these prefixes; b"" where one has none."""
    @property
    def depth(self) -> int: ...
    @property
    def entities(self) -> EntityTable | None:
        """Those that are text alone."""
    @property
    def around(self) -> tuple[bytes | tuple[int, bytes] | tuple[int, tuple[tuple[int, bytes], ...]] | None, ...]:
        """One for each of `Program.around`: a text, flags and a text, or flags and the items of a list."""
    @property
    def around_bits(self) -> int:
        """A bit for each of `Program.around_bits`."""

PlacedRun = tuple[Run | Pack, int, int, tuple[bytes, ...] | list[tuple[bytes, ...]], AroundRecords, int]
"""A run, the place in the split of its first record, `keys_from` of its part, its source's texts (of a pack those of
each document, in a list), what is around it, and the node that stands for that."""

class Plan:
    """A program in the core's terms; threads may share it. Raises MemoryError."""

    def __new__(cls, program: Program) -> Plan: ...

class EntityTable:
    """Entities for scanners, which may share them: name, text, and cost of a reference to each. Raises MemoryError."""

    def __new__(cls, entities: list[tuple[bytes, bytes, int]]) -> EntityTable: ...

class Scanner:
    """Maps splits one at a time: `scan`, then `asked` and `answer`, then `encode`, then `release`.

    Belongs to one thread at a time. Everything raises MemoryError where there is no memory.
    """

    def __new__(cls, plan: Plan, depth: int, attributes: int, *, marshals: bool) -> Scanner:
        """`depth`, `attributes`: what a record may have at most. `marshals`: rows as `marshal` has them, not COPY."""
    def scan(self, runs: list[PlacedRun]) -> str | None:
        """Scan and assemble the runs of a split, without the GIL. A text: why it was declined."""
    def asked(self) -> list[tuple[int, int, list[int], list[Any]]]:
        """Table, column, rows and raw values (as raw rows of `etl.transform.data_mapper` have them) for Python."""
    def answer(self, table: int, column: int, texts: list[str]) -> None:
        """What became of the values that a column asked, in their order, NULL among them."""
    def records(self, table: int) -> array[int]:
        """For each row of a table its record's place in the split; where nothing was declined."""
    def first_records(self, table: int, most: int) -> array[int]:
        """Places in the split of the first records of a record table, those that `where` leaves out among them."""
    def noticed(self) -> tuple[set[tuple[int, int]], set[tuple[int, int]], dict[tuple[int, int], array[int]]]:
        """By (table, column): what matched; what met child elements; records in which more than the first was found."""
    def unseen(self) -> Iterable[tuple[int, bool, str, str, int]]:
        """Node, whether it is an attribute, namespace, name, and place of the first record that has it."""
    def encode(self, bad: bytes | None) -> list[tuple[bytes, array[int]]] | None:
        """Each table's rows and their records, without the GIL; not of records whose byte in `bad` is not 0.

        None: a value turned out to be none that can be encoded here.
        """
    def release(self) -> None:
        """Forget the split, and let go of its documents."""
