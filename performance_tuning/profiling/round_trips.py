"""A way to a PostgreSQL that counts how often an insert thread waits for the server in each transaction.

The network of a `Proxy`. A client waits for ReadyForQuery (the end of a statement, or of a pipeline of many) and for
CopyInResponse (before it may send the rows of a COPY).
"""

from __future__ import annotations

from env_prep.postgres_proxy import Frames

_READY, _COPY_IN, _COMPLETE = b"Z", b"G", b"C"
_IDLE = b"I"
"""The state in ReadyForQuery when no transaction is open."""
_COMMITTED = b"COMMIT\x00"
_CLAIM = b"INSERT INTO etl_split "
"""What the connections of insert threads say, and no others."""


class CountedRoundTrips:
    """`per_batch`: round trips of each transaction of an insert thread, BEGIN and COMMIT included."""

    def __init__(self) -> None:
        self.per_batch: list[int] = []

    def connection(self) -> _Counter:
        return _Counter(self.per_batch)


class _Counter:
    """One connection."""

    def __init__(self, per_batch: list[int]) -> None:
        self._per_batch = per_batch
        self._frames = Frames()
        self._round_trips = 0
        self._claims = self._committed = False

    def to_server(self, data: bytes) -> bytes:
        self._claims = self._claims or _CLAIM in data
        return data

    def to_client(self, data: bytes) -> bytes:
        for kind, frame in self._frames.feed(data):
            if kind == _COMPLETE:
                self._committed = frame.endswith(_COMMITTED)
            elif kind in (_READY, _COPY_IN):
                self._round_trips += 1
            if kind == _READY and frame.endswith(_IDLE):
                if self._claims and self._committed:
                    self._per_batch.append(self._round_trips)
                self._round_trips = 0
        return data
