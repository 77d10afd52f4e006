"""Builds the keys that come after the last row, in two rounds, each over several connections at once.

Comes in: the keys that are not there yet. Goes out: what is in the way of those that cannot be built. The first round
builds primary keys and indexes, all those of a table over the same connection; the second one foreign keys, which need
those. Each connection has a thread of its own; the caller's thread has the first.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack, closing
from typing import TYPE_CHECKING

from etl.errors import TransientError
from etl.faults import fault_point
from etl.mapping.model import Mapping as TableMapping
from etl.targets.base import KeyProblem
from etl.targets.key_problems import unbuilt, waits_for_parent
from etl.targets.schema import LateKey

if TYPE_CHECKING:
    from etl.targets.sql import Obstacle, SqlConnection, SqlTarget

FEW_KEYS = 100
KEYS_AT_ONCE = 50
"""A key a transaction keeps what is built whatever comes; where there are more than a few, the way to the server and
back would take longer than building them, and so many are built in one."""

WORTH_A_CONNECTION = 4 * 2**20
"""Bytes of tables: the keys of less are built before another connection stands."""

_Transaction = Sequence[LateKey]
"""Keys that are built together."""
_Step = Callable[["SqlConnection", TableMapping, Sequence[LateKey]], "Obstacle | None"]
"""What is done to keys in the open transaction; the key it could not be done to, those before it are done."""


class KeyBuilding:
    """One go at the keys of a mapping's tables; `run` is called once."""

    def __init__(self, target: SqlTarget, mapping: TableMapping, stopped: Callable[[], bool]) -> None:
        """`stopped` is asked before each transaction, on any of the threads; from then on none is begun."""
        self._target = target
        self._mapping = mapping
        self._stopped = stopped
        self._obstacles: list[LateKey] = []
        """Keys that could not be built."""
        self._problems: list[KeyProblem] = []
        self._errors: list[BaseException] = []
        self._sizes: Mapping[str, int] = {}
        self._others = ExitStack()
        """Closes the connections beside the first."""
        self._free: deque[SqlConnection] = deque()
        """Those of them that are not in use."""

    def run(self, connection: SqlConnection, keys: Sequence[LateKey], sizes: Mapping[str, int]) -> list[KeyProblem]:
        """Build these keys over `connection`, which has no transaction open, and over others; the problems by table.

        `sizes`: bytes of the tables by name, where they are known. Raises EtlError; what is built by then stays.
        """
        self._sizes = sizes
        with self._others:
            self._build_all(connection, keys)
        order = {table.name: place for place, table in enumerate(self._mapping.tables)}
        return sorted(self._problems, key=lambda problem: order[problem.table])

    def _build_all(self, connection: SqlConnection, keys: Sequence[LateKey]) -> None:
        at_once = KEYS_AT_ONCE if len(keys) > FEW_KEYS else 1
        own = [key for key in keys if key.kind != "foreign"]
        self._round(connection, self._by_table(own, at_once))
        without_key = {key.table for key in self._obstacles if key.kind == "primary"}
        foreign = []
        for key in keys:
            if key.kind == "foreign" and self._mapping.tables[key.table].parent in without_key:
                self._problems.append(waits_for_parent(self._mapping, key))
            elif key.kind == "foreign":
                foreign.append(key)
        declared = self._declare(connection, foreign)
        self._round(connection, self._by_table(declared, at_once))
        refused = [key for key in declared if key in self._obstacles]
        if refused:
            with connection.transaction(durable=False):
                self._target.withdraw(connection, self._mapping, refused)

    def _by_table(self, keys: Sequence[LateKey], at_once: int) -> deque[Sequence[_Transaction]]:
        """What one connection does after the other: the most work first, so that none is left over for the end."""
        tables: dict[int, list[LateKey]] = {}
        for key in sorted(keys, key=self._work, reverse=True):
            tables.setdefault(key.table, []).append(key)
        if at_once == 1:
            return deque([[key] for key in its_keys] for its_keys in tables.values())
        groups: list[list[LateKey]] = [[]]
        for its_keys in tables.values():
            if len(groups[-1]) + len(its_keys) > at_once:
                groups.append([])
            groups[-1] += its_keys
        return deque([group] for group in groups)

    def _work(self, key: LateKey) -> int:
        """Bytes to be read for it; the same for the keys of a table, which stay in their order."""
        table = self._mapping.tables[key.table]
        parent = self._mapping.tables[table.parent].name if key.kind == "foreign" and table.parent is not None else ""
        return self._sizes.get(table.name, 0) + self._sizes.get(parent, 0)

    def _round(self, connection: SqlConnection, work: deque[Sequence[_Transaction]]) -> None:
        worth = 1 + sum(self._sizes.values()) // WORTH_A_CONNECTION
        count = min(self._target.key_connections, len(work), worth)
        others = [
            threading.Thread(target=self._over_another, args=(work,), name=f"etl-keys-{number}", daemon=True)
            for number in range(2, count + 1)
        ]
        for other in others:
            other.start()
        self._noting_errors(lambda: self._over(connection, work))
        for other in others:
            other.join()
        if self._errors:
            raise self._errors[0]

    def _over_another(self, work: deque[Sequence[_Transaction]]) -> None:
        def build() -> None:
            try:
                connection = self._free.popleft()
            except IndexError:
                try:
                    connection = self._others.enter_context(closing(self._target.connect()))
                except TransientError as error:
                    # The server allows fewer; the first connection does what is left.
                    self._target.notify(f"{error} Keys are built over one connection fewer.")
                    return
            self._over(connection, work)
            self._free.append(connection)

        self._noting_errors(build)

    def _noting_errors(self, action: Callable[[], None]) -> None:
        try:
            action()
        except BaseException as error:  # noqa: BLE001 - raised on the caller's thread, once all the others have ended
            self._errors.append(error)

    def _over(self, connection: SqlConnection, work: deque[Sequence[_Transaction]]) -> None:
        while True:
            try:
                transactions = work.popleft()
            except IndexError:
                return
            for keys in transactions:
                self._in_turn(connection, keys, self._target.build)

    def _declare(self, connection: SqlConnection, keys: Sequence[LateKey]) -> list[LateKey]:
        """Those of the foreign keys that are declared now, so that their rows may be looked at."""
        for first in range(0, len(keys), KEYS_AT_ONCE):
            self._in_turn(connection, keys[first : first + KEYS_AT_ONCE], self._target.declare)
        return [key for key in keys if key not in self._obstacles]

    def _in_turn(self, connection: SqlConnection, keys: Sequence[LateKey], step: _Step) -> None:
        """Do it to all of the keys, in one transaction as far as no obstacle is met; each one is told."""
        while keys and not (self._errors or self._stopped()):
            # The last commit of all is durable, and with it all before.
            with connection.transaction(durable=False):
                obstacle = step(connection, self._mapping, keys)
            if obstacle is None:
                keys = ()
            else:
                with connection.transaction(durable=False):
                    problem = unbuilt(connection.execute, self._mapping, obstacle.key, obstacle.said)
                self._problems.append(problem)
                self._obstacles.append(obstacle.key)
                keys = keys[keys.index(obstacle.key) + 1 :]
            fault_point("in_key_building")
