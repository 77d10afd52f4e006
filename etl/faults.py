"""Named points in the path of a batch at which a test lets this process die, or stop, on purpose.

``ETL_FAULT=before_commit:3`` kills the process by SIGKILL the third time it comes by that point (``before_commit``
alone: the first time); ``before_commit:3:stop`` stops it with SIGSTOP, so that whoever watches may do what they like to
the database and let it go on. Without the variable a point costs a comparison.
"""

from __future__ import annotations

import os
import signal
import threading
from typing import Literal

Point = Literal[
    "in_ddl",  # tables are created, not yet committed
    "in_registration",  # a source's row is written, not yet committed
    "before_claim",  # a batch's transaction is open and empty
    "after_rows",  # its rows are written, its rejects are not
    "before_commit",
    "after_commit",  # committed, not yet acknowledged to the queue
    "in_merge",  # `write: upsert` has deleted rows of child tables, and not yet written the new ones
    "in_recovery",  # a refused batch is half written again
    "at_gap_check",  # all tiles are committed, the source is not marked
    "in_key_building",  # one key is built, others are not
    "before_finish",  # keys are built, the source is not finished
    "in_retry",  # stored rejects are deleted, and not yet loaded or committed
    "in_emptying",  # `--again` has emptied the tables, not yet committed
]

_NAME, _, _REST = os.environ.get("ETL_FAULT", "").partition(":")
_COUNT, _, _ACTION = _REST.partition(":")
_lock = threading.Lock()
_left = int(_COUNT or 1)


def fault_point(point: Point) -> None:
    """Die or stop here if the environment asks for it; otherwise nothing."""
    if point == _NAME:
        _pass()


def _pass() -> None:
    global _left
    with _lock:
        _left -= 1
        due = _left == 0
    if due:
        # Sent to the process, it could let this thread run on until another one has taken it.
        signal.pthread_kill(threading.get_ident(), signal.SIGSTOP if _ACTION == "stop" else signal.SIGKILL)
