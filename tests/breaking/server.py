"""A PostgreSQL server of its own that can be killed and started again at the same place.

`crash` is what `pg_ctl stop -m immediate` does (SIGQUIT): no checkpoint, nothing written that was not written, every
backend gone; the next start recovers from the log. Its data has a disk's promises (fsync is on), and with `lazy_log`
what is committed asynchronously stays in memory for seconds, so that a crash loses it for sure.
"""

from __future__ import annotations

import signal
import subprocess
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from itertools import count
from pathlib import Path

import psutil
import psycopg
from sqlalchemy.engine import make_url

from env_prep.start_postgres import running_server

LONGEST = 60.0
"""Seconds after which a server does not start or stop any more."""

LAZY_LOG = {
    "wal_writer_delay": "10s",
    "wal_writer_flush_after": "1GB",
    "wal_buffers": "64MB",
    "checkpoint_timeout": "1h",
}
"""Nobody but a synchronous commit writes the log then."""

_numbers = count(1)


class CrashingServer:
    """`url` names its first database; see the module's docstring."""

    def __init__(self, url: str) -> None:
        self._url = url
        ((folder,),) = self.run("SHOW data_directory")
        self._data = Path(str(folder))
        self._postmaster = psutil.Process(self._postmaster_id())
        self._command = self._postmaster.cmdline()
        self._user = self._postmaster.uids().real
        self._log = (self._data.parent / "restarts.log").open("ab")
        self._restarted: subprocess.Popen[bytes] | None = None

    def run(self, sql: str) -> list[tuple[object, ...]]:
        """Run a statement in the first database."""
        with psycopg.connect(self._url, autocommit=True) as connection:
            cursor = connection.execute(sql.encode())
            return cursor.fetchall() if cursor.description else []

    def fresh(self) -> str:
        """The URL of an empty database."""
        name = f"job_{next(_numbers)}"
        self.run(f"CREATE DATABASE {name}")
        return make_url(self._url).set(database=name).render_as_string(hide_password=False)

    def configure(self, settings: Mapping[str, str]) -> None:
        """Set what takes a start to change."""
        for name, value in settings.items():
            self.run(f"ALTER SYSTEM SET {name} = '{value}'")
        self.crash()
        self.start()

    def crash(self) -> None:
        """Kill it, as if the machine had lost its power but kept its disk."""
        self._end(signal.SIGQUIT)

    def start(self) -> None:
        """Start it again where it was, and wait until it takes connections."""
        self._restarted = subprocess.Popen(
            self._command,
            cwd=self._data,
            user=self._user,
            stdin=subprocess.DEVNULL,
            stdout=self._log,
            stderr=self._log,
            start_new_session=True,
        )
        self._postmaster = psutil.Process(self._restarted.pid)
        deadline = time.monotonic() + LONGEST
        while not self._answers():
            if self._restarted.poll() is not None or time.monotonic() > deadline:
                raise AssertionError(f"The server does not start again; its log is {self._log.name}.")
            time.sleep(0.02)

    def close(self) -> None:
        """Stop it, if it was started again; who started it first stops it otherwise."""
        if self._restarted is not None:
            self._end(signal.SIGINT)
        self._log.close()

    def _end(self, how: signal.Signals) -> None:
        backends = self._postmaster.children(recursive=True)
        if self._postmaster.is_running():
            self._postmaster.send_signal(how)
        if self._restarted is not None:
            self._restarted.wait(LONGEST)
        _gone, alive = psutil.wait_procs([self._postmaster, *backends], timeout=LONGEST)
        if alive:
            raise AssertionError(f"The server does not end by {how.name}.")

    def _answers(self) -> bool:
        try:
            self.run("SELECT 1")
        except psycopg.OperationalError:
            return False
        return True

    def _postmaster_id(self) -> int:
        return int((self._data / "postmaster.pid").read_text("utf-8").split()[0])


@contextmanager
def crashing_server() -> Iterator[CrashingServer]:
    """A server that ends with the context, however often it was killed."""
    with running_server() as url:
        server = CrashingServer(url)
        try:
            yield server
        finally:
            server.close()
