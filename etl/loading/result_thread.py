"""Calls the user's callbacks and keeps the tally, so that neither workers nor insert threads wait for either.

In come `Committed` messages, after the commit they tell of; out go callbacks, on this one thread, in that order.
"""

from __future__ import annotations

import queue
import threading
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field, replace

from etl.errors import CallbackError
from etl.measuring import Durations
from etl.messages import Committed, RejectedRecord

_ILL_FORMED = ("malformed", "undefined_entity")
_MOST_ILL_FORMED = 20
_MOST_BYTES = 1 << 16
"""Of what is kept to be looked at in the end: little beside the queue."""

OnBatch = Callable[[Committed], object]
OnReject = Callable[[RejectedRecord], object]


@dataclass(slots=True)
class Tally:
    """What this run has committed so far. Written by the result thread alone."""

    rows: list[int]
    """Rows by table."""
    records: int = 0
    loaded: int = 0
    rejected: int = 0
    discarded: int = 0
    source_bytes: int = 0
    duplicates: int = 0
    inserts: Durations = field(default_factory=Durations)
    """Of transactions, from the first statement to the commit's answer."""
    commits: Durations = field(default_factory=Durations)
    """Of these the commit alone."""
    matched: set[tuple[int, int]] = field(default_factory=set)
    several: Counter[tuple[int, int]] = field(default_factory=Counter)
    set_null: Counter[tuple[int, int]] = field(default_factory=Counter)
    mixed: set[tuple[int, int]] = field(default_factory=set)
    unseen: set[str] = field(default_factory=set)
    additions: dict[tuple[int, str], bool] = field(default_factory=dict)
    splits: int = 0
    declined: Counter[str] = field(default_factory=Counter)
    """Splits that the compiled scanner left to lxml, by reason."""
    ill_formed: list[RejectedRecord] = field(default_factory=list)
    """Some of the rejects that are no XML as they stand."""

    def add(self, committed: Committed) -> None:
        """Count a batch."""
        self.records += committed.records
        self.loaded += committed.loaded
        self.rejected += committed.rejected
        self.discarded += committed.discarded
        self.source_bytes += committed.source_bytes
        self.duplicates += committed.duplicates
        self.inserts.add(committed.seconds)
        self.commits.add(committed.commit_seconds)
        for table, rows in enumerate(committed.rows):
            self.rows[table] += rows
        for notices in committed.notices:
            self.splits += 1
            if notices.declined:
                self.declined[notices.declined] += 1
            self.matched |= notices.matched
            self.several.update(notices.several)
            self.set_null.update(notices.set_null)
            self.mixed |= notices.mixed
            self.unseen |= notices.unseen
            for addition, several in notices.additions.items():
                self.additions[addition] = several or self.additions.get(addition, False)


class ResultThread(threading.Thread):
    """Runs until `finish`. A callback that raises ends the load: its error goes to `on_error` as CallbackError."""

    def __init__(
        self,
        tally: Tally,
        on_error: Callable[[BaseException], None],
        on_batch: OnBatch | None = None,
        on_reject: OnReject | None = None,
    ) -> None:
        super().__init__(name="etl-results", daemon=True)
        self._messages: queue.SimpleQueue[Committed | None] = queue.SimpleQueue()
        self._examples: queue.SimpleQueue[RejectedRecord] = queue.SimpleQueue()
        self._tally = tally
        self._on_error = on_error
        self._on_batch = on_batch
        self._on_reject = on_reject

    def push(self, committed: Committed) -> None:
        """Hand a message over; never waits. What nobody asked for is dropped here, so that it takes no memory."""
        for reject in committed.rejects:
            if self._examples.qsize() == _MOST_ILL_FORMED:
                break
            if reject.reason in _ILL_FORMED and reject.raw is not None and len(reject.raw) <= _MOST_BYTES:
                self._examples.put(reject)
        rejects = committed.rejects if self._on_reject else ()
        # A callback gets positions, never the record itself: a slow one would keep whole documents in memory.
        slim = tuple(replace(reject, raw=None, skeleton=None) for reject in rejects)
        self._messages.put(replace(committed, rejects=slim))

    def finish(self) -> None:
        """Deal with everything pushed so far, then end."""
        self._messages.put(None)
        self.join()
        while len(self._tally.ill_formed) < _MOST_ILL_FORMED and not self._examples.empty():
            self._tally.ill_formed.append(self._examples.get())

    def run(self) -> None:
        while (committed := self._messages.get()) is not None:
            self._tally.add(committed)
            try:
                self._call_back(committed)
            except BaseException as error:  # noqa: BLE001 - the callback is the user's code and may raise anything
                self._on_error(CallbackError(f"The callback raised {type(error).__name__}: {error}"))
                self._on_batch = self._on_reject = None

    def _call_back(self, committed: Committed) -> None:
        if self._on_batch is not None:
            self._on_batch(committed)
        if self._on_reject is not None:
            for reject in committed.rejects:
                self._on_reject(reject)
