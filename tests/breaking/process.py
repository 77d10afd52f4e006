"""Loads and other commands in processes of their own, to be killed."""

from __future__ import annotations

import contextlib
import signal
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path

import psutil

from tests.breaking.job import Job, shown
from tests.command import environment

LONGEST = 60.0
"""Seconds after which a load hangs."""


class Loading:
    """A running load. Its session is its own, so that nothing but this object's methods reaches it."""

    def __init__(self, job: Job, command: list[str], fault: str = "") -> None:
        self._command = command
        self._job = job
        self._output = job.folder / "output.txt"
        with self._output.open("wb") as output:
            self._process = subprocess.Popen(
                command,
                cwd=job.folder,
                env=environment({"ETL_FAULT": fault} if fault else None),
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        self._seen = psutil.Process(self._process.pid)

    @property
    def output(self) -> str:
        """What it printed, under the command."""
        return f"{shown(self._command, self._job.folder)}\n{self._output.read_text('utf-8', 'replace')}"

    @property
    def process_id(self) -> int:
        return self._process.pid

    def ended_within(self, seconds: float) -> bool:
        """Whether it ended by itself in that time."""
        try:
            self._process.wait(seconds)
        except subprocess.TimeoutExpired:
            return False
        return True

    def wait(self) -> int:
        """Its exit code, -9 for SIGKILL; its workers have ended too."""
        children = self._workers()
        deadline = time.monotonic() + LONGEST
        while not self.ended_within(0.2):
            children |= self._workers()
            if time.monotonic() > deadline:
                self.kill()
                raise AssertionError(f"The load hangs.\n{self.output}")
        self._check_gone(children)
        return self._process.returncode

    def kill(self) -> None:
        """Kill it by SIGKILL, alone: its workers have to notice by themselves."""
        # Stopped first, so that it starts no worker between being looked at and being killed.
        self._process.send_signal(signal.SIGSTOP)
        children = self._workers()
        self._process.kill()
        self._process.wait()
        self._check_gone(children)

    def workers(self) -> list[psutil.Process]:
        """Its worker processes that are alive now."""
        return [child for child in self._workers() if child.is_running()]

    def pause(self) -> None:
        """Stop it (SIGSTOP) where it is."""
        self._process.send_signal(signal.SIGSTOP)
        self.wait_stopped()

    def wait_stopped(self) -> None:
        """Wait until it is stopped, by itself (ETL_FAULT) or by `pause`."""
        self.wait_for(lambda: self._seen.status() == psutil.STATUS_STOPPED, "it stopped")

    def go_on(self) -> None:
        """Let it continue (SIGCONT)."""
        self._process.send_signal(signal.SIGCONT)

    def wait_for(self, condition: Callable[[], bool], what: str) -> None:
        """Wait until `condition` holds, while the load runs."""
        deadline = time.monotonic() + LONGEST
        while not condition():
            if self._process.poll() is not None or time.monotonic() > deadline:
                raise AssertionError(f"The load ended, or hangs, before {what}.\n{self.output}")
            time.sleep(0.005)

    def _workers(self) -> set[psutil.Process]:
        with contextlib.suppress(psutil.NoSuchProcess):
            return set(self._seen.children(recursive=True))
        return set()

    def _check_gone(self, children: set[psutil.Process]) -> None:
        _gone, alive = psutil.wait_procs(children, timeout=10)
        for child in alive:
            child.kill()
        if alive:
            raise AssertionError(f"{len(alive)} workers outlived the load.\n{self.output}")

    def abandon(self) -> None:
        """Leave nothing of it behind, whatever state it is in."""
        if self._process.poll() is None:
            for child in self._workers():
                child.kill()
            self._process.kill()
            self._process.wait()


@contextmanager
def running(job: Job, command: list[str], fault: str = "") -> Iterator[Loading]:
    """A command in the job's folder, gone with the context. `fault`: what ETL_FAULT says."""
    process = Loading(job, command, fault)
    try:
        yield process
    finally:
        process.abandon()


def loading(
    job: Job, url: str, settings: Mapping[str, object], *options: str, fault: str = ""
) -> AbstractContextManager[Loading]:
    """The job's load, the same command as ever, running."""
    return running(job, job.command(url, settings, *options), fault)


def run(job: Job, command: list[str], fault: str = "") -> tuple[int, str]:
    """Run a command in the job's folder to its end; exit code and output."""
    with running(job, command, fault) as process:
        return process.wait(), process.output


def load(job: Job, url: str, settings: Mapping[str, object], *options: str, fault: str = "") -> tuple[int, str]:
    """Run the job's load to its end; exit code and output."""
    return run(job, job.command(url, settings, *options), fault)


def fresh_sqlite(folder: Path) -> str:
    """The URL of a file that is not there yet."""
    return f"sqlite:///{folder / 'job.db'}"
