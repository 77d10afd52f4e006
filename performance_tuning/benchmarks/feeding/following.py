"""A load whose workers come and go, into a database that is slow for the middle third of the time: for
`benchmark_feeding`. How many workers there were is read from what `etl load --metrics` writes.
"""

from __future__ import annotations

import json
import shutil
import threading
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import mean

from sqlalchemy.engine import make_url

from env_prep.postgres_proxy import Proxy
from performance_tuning.benchmarks.common.charts import LIMIT, OURS, chart
from performance_tuning.benchmarks.common.databases import Database
from performance_tuning.benchmarks.common.dumps import make_dump
from performance_tuning.benchmarks.common.harness import Run
from performance_tuning.benchmarks.common.loads import load_command, measured_loader
from performance_tuning.benchmarks.common.markdown import table
from performance_tuning.benchmarks.feeding import slow_lookup

_MAPPING = """\
version: 1
tables:
  post:
    each: /posts/row
    key: id
    transform: {python: "slow_lookup:look_up"}
    columns:
      id:    {path: "@Id", type: bigint, required: true}
      title: "@Title"
      body:  {path: "@Body", strip: false}
"""
_PHASES = ("as it is", "slow", "as it is again")
_HEAD = ("database", "fewest workers", "most workers", "queue in use, mean", "most")
_UNSEEN = "-"
_RECORD_BYTES = 740
"""Of the flat dump, about: with it, two thirds of the time are enough for all records."""
_LATER = 0.3
"""Seconds by which an answer comes later while the database is slow. A transaction has five or more: with batches of
half a megabyte and two connections, fewer records are written than a single worker maps."""
_SETTINGS = ("workers.kind=process", "insert.threads=2", "queue.max_bytes=2MiB", "split.bytes=16KiB")
"""A queue and splits as small as the load is slow, so that it is full soon."""


class SlowMiddle:
    """The network of a proxy: answers come later between two moments, in seconds since the first connection."""

    def __init__(self, begin: float, end: float) -> None:
        self._begin = begin
        self._end = end
        self._lock = threading.Lock()
        self._first: float | None = None
        """Clock of `time.monotonic`."""

    def connection(self) -> SlowMiddle:
        with self._lock:
            self._first = self._first or time.monotonic()
        return self

    def to_server(self, data: bytes) -> bytes:
        return data

    def to_client(self, data: bytes) -> bytes:
        assert self._first is not None
        if self._begin <= time.monotonic() - self._first < self._end:
            time.sleep(_LATER)
        return data


@dataclass(frozen=True)
class Moment:
    """A line of the metrics."""

    seconds: float
    """Since the load began."""
    workers: int
    queue_fill: float
    """Share, 0 to 1."""


@dataclass(frozen=True)
class Following:
    """What the load did."""

    run: Run
    begin: float
    """Seconds since the load began, from when on the database was slow."""
    end: float
    most: int
    """Workers allowed."""
    moments: tuple[Moment, ...]

    @property
    def phases(self) -> tuple[list[Moment], list[Moment], list[Moment]]:
        """What was seen before the database was slow, while it was, and after; empty where nothing was."""
        return (
            [moment for moment in self.moments if moment.seconds < self.begin],
            [moment for moment in self.moments if self.begin <= moment.seconds < self.end],
            [moment for moment in self.moments if moment.seconds >= self.end],
        )


def follow(database: Database, seconds: float, most: int, scratch: Path) -> Following:
    """Load for about `seconds`, with 1 to `most` workers. Raises RunFailed, WrongRows."""
    size = round(seconds * 2 / 3 * most / slow_lookup.SECONDS * _RECORD_BYTES)
    dump = make_dump("flat", size, scratch)
    shutil.copy(slow_lookup.__file__, scratch)  # a mapping's functions are looked for beside it
    mapping, metrics = scratch / "lookup.mapping.yaml", scratch / "metrics.jsonl"
    mapping.write_text(_MAPPING, "utf-8")
    settings = [f"workers.count={{min: 1, max: {most}}}", *_SETTINGS]
    begin, end = seconds / 3, seconds * 2 / 3
    with database.fresh() as any_url, Proxy(any_url, SlowMiddle(begin, end)) as proxy:

        def command(url: str) -> list[str]:
            way = make_url(proxy.url).set(database=make_url(url).database).render_as_string(hide_password=False)
            return [*load_command(dump, way, settings, mapping), "--metrics", str(metrics)]

        run = measured_loader("etl load", command, dump, database, scratch).run
    return Following(run, begin, end, most, tuple(_moments(metrics)))


def _moments(metrics: Path) -> Iterator[Moment]:
    for line in metrics.read_text("utf-8").splitlines():
        values = json.loads(line)
        if pool := values.get("pool"):
            yield Moment(values["seconds"], pool["workers"], pool["queue_fill"])


def following_lines(following: Following) -> list[str]:
    """The number of workers as a row of digits, under it when the database was slow, and what that comes to."""
    moments = following.moments
    slow = ["#" if following.begin <= moment.seconds < following.end else "." for moment in moments]
    rows = [_phase_row(name, phase) for name, phase in zip(_PHASES, following.phases, strict=True)]
    return [
        f"A load with `workers.count: {{min: 1, max: {following.most}}}`, second by second:",
        "",
        f"    workers   {' '.join(str(moment.workers) for moment in moments)}",
        f"    database  {' '.join(slow)}   (#: every answer {_LATER * 1000:.0f} ms later)",
        "",
        *table([_HEAD, *rows]),
        "",
        f"{_change(following)} Every row is there once.",
    ]


def _phase_row(name: str, phase: Sequence[Moment]) -> tuple[str, ...]:
    if not phase:
        return (name, *[_UNSEEN] * (len(_HEAD) - 1))
    workers = [moment.workers for moment in phase]
    fills = [moment.queue_fill for moment in phase]
    return (name, str(min(workers)), str(max(workers)), f"{mean(fills):.0%}", f"{max(fills):.0%}")


def _change(following: Following) -> str:
    """Whether workers went while the database was slow, and came after."""
    before, meanwhile, after = ([moment.workers for moment in phase] for phase in following.phases)
    if not before or not meanwhile or max(before) <= min(meanwhile):
        return "No change seen: no worker went while the database was slow."
    went = f"Up to {max(before)} workers before, down to {min(meanwhile)} while the database was slow"
    if not after or max(after) <= min(meanwhile):
        return f"{went}; no change seen after."
    return f"{went}, up to {max(after)} after."


def draw(following: Following, file: Path) -> None:
    """The same as a chart."""
    at = [moment.seconds for moment in following.moments]
    with chart(file, "Workers follow a database that slows down and recovers") as (axes,):
        axes.axvspan(following.begin, following.end, color=LIMIT, alpha=0.15, label="every answer comes later")
        axes.step(at, [moment.workers for moment in following.moments], where="post", color=OURS, label="workers")
        axes.plot(at, [moment.queue_fill for moment in following.moments], color=LIMIT, label="queue in use, share")
        axes.set_xlabel("seconds")
        axes.set_xlim(left=0)
        axes.set_yticks(range(following.most + 1))
        axes.set_ylim(0, following.most + 1)
        axes.legend(loc="upper center", ncols=3)
