"""Bad networks between a load and the test PostgreSQL, which cut, swallow or refuse on demand.

with Proxy(postgres_url, RandomDrops(seed=1, low=10_000, high=200_000, times=5)) as proxy:
    load(..., target=proxy.url)
"""

from __future__ import annotations

import random
import threading

from env_prep.postgres_proxy import Filter, Frames


class RandomDrops:
    """Each connection breaks after a random number of bytes, in both directions together; the first `times` do."""

    def __init__(self, seed: int, low: int, high: int, times: int) -> None:
        self._random = random.Random(seed)
        self._range = low, high
        self._lock = threading.Lock()
        self._left = times
        self.broken = 0

    def connection(self) -> Filter:
        with self._lock:
            return _Drop(self, self._random.randint(*self._range))

    def drop(self) -> bool:
        """Whether there is one left."""
        with self._lock:
            if not self._left:
                return False
            self._left -= 1
            self.broken += 1
            return True


class _Drop:
    def __init__(self, drops: RandomDrops, left: int) -> None:
        self._drops = drops
        self._left = left

    def to_server(self, data: bytes) -> bytes | None:
        crosses = self._left > 0 >= self._left - len(data)
        self._left -= len(data)
        return None if crosses and self._drops.drop() else data

    to_client = to_server


class NoCopies:
    """Every connection breaks when it is about to copy rows."""

    def connection(self) -> Filter:
        return self

    def to_server(self, data: bytes) -> bytes | None:
        return None if b"COPY " in data else data

    def to_client(self, data: bytes) -> bytes | None:
        return data


class BreaksAt:
    """A connection breaks when the server is about to hear each of `words`, in their order, once each."""

    def __init__(self, *words: bytes) -> None:
        self._lock = threading.Lock()
        self.left = list(words)

    def connection(self) -> Filter:
        return self

    def to_server(self, data: bytes) -> bytes | None:
        with self._lock:
            if not self.left or self.left[0] not in data:
                return data
            del self.left[0]
            return None

    def to_client(self, data: bytes) -> bytes | None:
        return data


class SwallowedCommits:
    """The server hears COMMIT, and its answer is lost with the connection; for the first `times` that copied rows.

    `every`: of those, each so-manieth only.
    """

    def __init__(self, times: int, every: int = 1) -> None:
        self._lock = threading.Lock()
        self._left = times
        self._every = every
        self._seen = 0
        self.broken = 0

    def connection(self) -> Filter:
        return _Swallow(self)

    def swallow(self) -> bool:
        with self._lock:
            self._seen += 1
            if not self._left or self._seen % self._every:
                return False
            self._left -= 1
            self.broken += 1
            return True


class _Swallow:
    def __init__(self, commits: SwallowedCommits) -> None:
        self._commits = commits
        self._frames = Frames()
        self._copied = False

    def to_server(self, data: bytes) -> bytes | None:
        return data

    def to_client(self, data: bytes) -> bytes | None:
        passed = []
        for kind, frame in self._frames.feed(data):
            tag = frame[5:-1] if kind == b"C" else b""
            if tag == b"COMMIT" and self._copied and self._commits.swallow():
                return None
            self._copied = (self._copied or tag.startswith(b"COPY")) and tag not in (b"COMMIT", b"ROLLBACK")
            passed.append(frame)
        return b"".join(passed)
