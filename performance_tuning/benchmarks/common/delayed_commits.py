"""A database whose commits take longer: a proxy in a process of its own that holds back what the server says to them.

    with delayed(url, 100) as way:                      # milliseconds
        measured_load(dump, database, settings, scratch, way)

The answer to a COMMIT, and what follows it on that connection, reaches the client that much later. Everything else goes
through at once, on other connections too: this is what a synchronous replica or a slow disk does to a loader. By hand:

    python -m performance_tuning.benchmarks.common.delayed_commits URL MILLISECONDS

prints the URL of the slow way and serves it until its standard input ends.
"""

from __future__ import annotations

import argparse
import contextlib
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from sqlalchemy.engine import make_url

from env_prep.postgres_proxy import Proxy
from performance_tuning.benchmarks.common.harness import RunFailed

_ROOT = Path(__file__).resolve().parents[3]
_COMMITTED = b"C\x00\x00\x00\x0bCOMMIT\x00"
"""The server's message CommandComplete for a COMMIT: type, length (4 bytes), tag. A search for it costs next to
nothing, and no other message of a load holds it."""


class DelayedCommits:
    """The network of the proxy: each connection waits for itself alone."""

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds

    def connection(self) -> _DelayedConnection:
        return _DelayedConnection(self._seconds)


class _DelayedConnection:
    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._before = b""
        """The last bytes seen: a message may come in two pieces."""

    def to_server(self, data: bytes) -> bytes:
        return data

    def to_client(self, data: bytes) -> bytes:
        seen = self._before + data
        self._before = seen[1 - len(_COMMITTED) :]
        if _COMMITTED in seen:
            time.sleep(self._seconds)
        return data


@contextlib.contextmanager
def delayed(url: str, milliseconds: float) -> Iterator[Callable[[str], str]]:
    """Start the proxy for the server of `url`; gives what turns the URL of any of its databases into the slow one.

    The process ends with the context. Raises RunFailed where it does not start.
    """
    process = subprocess.Popen(
        [sys.executable, "-m", "performance_tuning.benchmarks.common.delayed_commits", url, str(milliseconds)],
        cwd=_ROOT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        # A Ctrl-C is for who started it, and the end of the context for the process.
        start_new_session=True,
    )
    assert process.stdin is not None
    assert process.stdout is not None
    with process:
        try:
            line = process.stdout.readline()
            if not line:
                raise RunFailed(f"The proxy that answers commits {milliseconds:g} ms later did not start: see above.")
            slow = make_url(line.strip())
            yield lambda fast: slow.set(database=make_url(fast).database).render_as_string(hide_password=False)
        finally:
            process.stdin.close()


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description="Serve a way to a PostgreSQL on which commits take longer.")
    parser.add_argument("url", help="postgresql://...")
    parser.add_argument("milliseconds", type=float, help="by which the answer to a COMMIT comes later")
    options = parser.parse_args(arguments)
    with Proxy(options.url, DelayedCommits(options.milliseconds / 1000)) as proxy:
        print(proxy.url, flush=True)
        with contextlib.suppress(KeyboardInterrupt):
            sys.stdin.read()


if __name__ == "__main__":
    main()
