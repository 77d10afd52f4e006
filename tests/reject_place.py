"""A folder with a dump of which some records are bad, its mapping, and a database: for tests of rejects."""

from __future__ import annotations

import signal
import sqlite3
import subprocess
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import psutil
import psycopg

import etl
from tests.command import ETL, Result, environment
from tests.command import etl as run_etl

MAPPING = """\
version: 1
tables:
  item:
    each: /items/group/item
    key: id
    columns:
      id: {path: "@id", type: integer, required: true}
      name: name
      group: ../@name
      number: {meta: record}
  part:
    parent: item
    each: part
    columns:
      text: .
"""
MENDED = MAPPING.replace("type: integer", 'type: integer, transform: {replace: ["x", ""]}')
BAD = {2, 5, 7}
"""Records whose id is `x2`, not `2`."""
_WAIT_SECONDS = 30.0


def item(number: int, *, bad: bool = False) -> str:
    return f'<item id="{"x" if bad else ""}{number}"><name>&co; {number}</name><part>a</part><part>b</part></item>\n'


def dump(*, mended: bool = False) -> str:
    """Nine records in three groups, the bad ones mended where that is asked for."""
    written = '<!DOCTYPE items [<!ENTITY co "Acme">]>\n<items>\n'
    for first in (1, 4, 7):
        inside = [item(n, bad=n in BAD and not mended) for n in range(first, first + 3)]
        written += f'<group name="from {first}">\n{"".join(inside)}</group>\n'
    return written + "</items>\n"


class Place:
    """See the module's docstring."""

    def __init__(self, folder: Path, url: str) -> None:
        self.folder = folder
        self.url = url
        self.write("items.xml", dump())
        self.write("items.yaml", MAPPING)
        self.write("mended.yaml", MENDED)

    def write(self, name: str, text: str) -> Path:
        (self.folder / name).write_text(text, "utf-8")
        return self.folder / name

    def command(self, name: str, *arguments: str | Path, **options: Any) -> Result:
        """The real command, on this database."""
        return run_etl(name, *arguments, "--to", self.url, cwd=self.folder, **options)

    def load(self, source: str = "items.xml", mapping: str = "items.yaml", **settings: object) -> etl.LoadReport:
        """A load, in this process, by one worker."""
        return etl.load(
            self.folder / source, mapping=self.folder / mapping, target=self.url, settings=_settings(settings)
        )

    def retry(
        self, mapping: str | None = None, *, source: str | None = None, reason: str | None = None, **settings: object
    ) -> etl.RetryReport:
        """A retry, in this process, by one worker."""
        return etl.retry(
            self.url,
            mapping=self.folder / mapping if mapping else None,
            source=source,
            reason=reason,
            settings=_settings(settings),
        )

    def rejects(self) -> dict[str, int]:
        """How many rejects there are, by reason."""
        counts: Counter[str] = Counter()
        for group in etl.rejects(self.url).groups:
            counts[group.reason] += group.count
        return dict(counts)

    def sources(self) -> tuple[etl.SourceStatus, ...]:
        return etl.status(self.url)

    def run(self, *statements: str) -> None:
        """SQL, committed."""
        if self.url.startswith("sqlite"):
            with closing(sqlite3.connect(self.folder / "target.db")) as connection:
                for statement in statements:
                    connection.execute(statement)
                connection.commit()
        else:
            with psycopg.connect(self.url) as connection:
                for statement in statements:
                    connection.execute(statement.encode())

    def rows(self, sql: str) -> list[tuple[Any, ...]]:
        if self.url.startswith("sqlite"):
            with closing(sqlite3.connect(self.folder / "target.db")) as connection:
                return connection.execute(sql).fetchall()
        with psycopg.connect(self.url) as connection:
            return connection.execute(sql.encode()).fetchall()

    def database_files(self) -> list[str]:
        """The SQLite file and what else belongs to it."""
        return sorted(file.name for file in self.folder.glob("target.db*"))

    def content(self) -> list[list[tuple[Any, ...]]]:
        """The rows of each table."""
        return [sorted(self.rows(f"SELECT * FROM {table}")) for table in ("item", "part")]

    def mended_content(self) -> list[list[tuple[Any, ...]]]:
        """What the tables hold where nothing was bad from the start."""
        folder = self.folder / "mended"
        folder.mkdir()
        other = Place(folder, f"sqlite:///{folder / 'target.db'}")
        other.write("items.xml", dump(mended=True))
        assert other.load().rejected == 0
        return other.content()

    @contextmanager
    def running(self, name: str, *arguments: str, env: Mapping[str, str] | None = None) -> Iterator[Running]:
        """The real command, on this database, while it runs. Killed in the end."""
        running = Running([str(ETL), name, *arguments, "--to", self.url], self.folder, env)
        try:
            yield running
        finally:
            running.kill()

    @contextmanager
    def stopped_load(self) -> Iterator[int]:
        """A load that stands still behind its second commit; its process id. Killed in the end."""
        settings = ["insert.batch_records=3", "split.bytes=1", "workers.kind=inline", "insert.threads=1"]
        flags = [flag for setting in settings for flag in ("--set", setting)]
        fault = {"ETL_FAULT": "after_commit:2:stop"}
        with self.running("load", "items.xml", "--map", "items.yaml", *flags, env=fault) as load:
            load.wait_stopped()
            yield load.process.pid


class Running:
    """A command while it runs, by an inline worker or such as it starts itself."""

    def __init__(self, command: list[str], folder: Path, env: Mapping[str, str] | None) -> None:
        with tempfile.NamedTemporaryFile("wb", dir=folder, suffix=".txt", delete=False) as output:
            self._output = Path(output.name)
            self.process = subprocess.Popen(
                command, cwd=folder, env=environment(env), stdout=output, stderr=output, start_new_session=True
            )

    @property
    def output(self) -> str:
        """What it has printed."""
        return self._output.read_text("utf-8")

    def wait_stopped(self) -> None:
        """Wait until it has stopped itself (ETL_FAULT)."""
        seen = psutil.Process(self.process.pid)

        def stopped() -> bool:
            assert self.process.poll() is None, self.output
            return seen.status() == psutil.STATUS_STOPPED

        wait_for(stopped)

    def interrupt(self) -> None:
        """What Ctrl-C does."""
        self.process.send_signal(signal.SIGINT)

    def go_on(self) -> None:
        """Let it continue."""
        self.process.send_signal(signal.SIGCONT)

    def wait(self) -> int:
        """Its exit code."""
        return self.process.wait(_WAIT_SECONDS)

    def kill(self) -> None:
        self.process.kill()
        self.process.wait()


def wait_for(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + _WAIT_SECONDS
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def _settings(values: Mapping[str, object]) -> etl.Settings:
    return etl.Settings.model_validate({"workers": {"kind": "inline"}, "errors": {"max": None}, **values})
