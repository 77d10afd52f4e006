"""A table's `transform` that waits for an answer from elsewhere, as a look-up in another service: for `following`.

Workers that wait need no core, so there is something to gain from each one more, on any machine.
"""

from __future__ import annotations

import time

SECONDS = 0.001
"""For each record."""


def look_up(row: dict[str, object]) -> dict[str, object]:
    """The row as it is, later."""
    time.sleep(SECONDS)
    return row
