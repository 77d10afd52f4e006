"""Who has a source: the load whose lock etl_source names, as long as that load lives.

One lock a load, however many sources it has; which sources are its own stands in their rows, and is changed under the
lock under which loads register. Runs on the main thread, `again` also on insert threads.
"""

from __future__ import annotations

import os
import socket
import time
from typing import Any

from etl.loading.ledger_base import now
from etl.targets.base import Target

PATIENCE_SECONDS = 1.0
STEP_SECONDS = 0.05
"""How long it is asked whether a load lives, and how often: a server takes a moment to notice that it was killed."""


class Holds:
    """What one load holds."""

    def __init__(self, target: Target) -> None:
        self._target = target
        self._lock: int | None = None
        self._dead: set[int] = set()

    def ours(self) -> dict[str, Any]:
        """What etl_source says of a source that this load has."""
        return {"lock": self._own(), "holder": f"{_holder()}, since {now().partition('.')[0]} UTC"}

    def elsewhere(self, lock: int, holder: str) -> str | None:
        """Who else has a source of which etl_source says this, in words; None where nobody does who lives."""
        if lock == self._own() or lock in self._dead:
            return None
        deadline = time.monotonic() + PATIENCE_SECONDS
        while (place := self._target.holder(lock)) is not None:
            if time.monotonic() > deadline:
                return f"{holder} ({place})"
            time.sleep(STEP_SECONDS)
        self._dead.add(lock)
        return None

    def again(self) -> None:
        """Hold again what a lost connection held. Raises EtlError."""
        self._target.hold()

    def _own(self) -> int:
        if self._lock is None:
            self._lock = self._target.hold()
        return self._lock


def _holder() -> str:
    """Who this is: program, machine, process."""
    machine = socket.gethostname().encode("ascii", "backslashreplace").decode()  # for a database of any encoding
    return f"etl on {machine}, process {os.getpid()}"
