"""The runs of all loaders with one dump and one database."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from statistics import median
from typing import Any

from performance_tuning.benchmarks.common.dumps import Dump
from performance_tuning.benchmarks.common.harness import Run
from performance_tuning.benchmarks.peers.loaders import OURS, Loader


@dataclass(frozen=True)
class Taken:
    """The runs of one loader."""

    loader: Loader
    dump: Dump
    """Smaller than the others' where its memory does not allow theirs."""
    runs: list[Run] = field(default_factory=list)

    @property
    def wall(self) -> float:
        """Median, in seconds."""
        return median(run.wall for run in self.runs)

    @property
    def seconds_a_byte(self) -> float:
        return self.wall / self.dump.size


@dataclass(frozen=True)
class Comparison:
    """All loaders with one dump and one database."""

    dump: Dump
    database: str
    taken: list[Taken]

    def of(self, loader: Loader) -> Taken:
        """The runs of one of them."""
        (found,) = (each for each in self.taken if each.loader is loader)
        return found

    def times_ours(self, taken: Taken) -> float:
        """Time for the same number of bytes, in ours."""
        return taken.seconds_a_byte / self.of(OURS).seconds_a_byte

    def shortfall(self, taken: Taken) -> str:
        """How less than the whole dump a loader has loaded, else empty."""
        said = []
        if taken.dump is not self.dump:
            said.append(f"{taken.dump.size / 1e6:.0f} MB")
        if tables := taken.loader.tables.get(self.dump.kind):
            said.append(f"{len(tables)} of {len(self.dump.rows)} tables")
        return ", ".join(said)

    def as_json(self) -> dict[str, Any]:
        """Raw values of every run."""
        return {
            "kind": self.dump.kind,
            "database": self.database,
            "bytes": self.dump.size,
            "records": self.dump.records,
            "rows": self.dump.rows,
            "loaders": {
                taken.loader.name: {
                    "bytes": taken.dump.size,
                    "rows": taken.loader.rows(taken.dump),
                    "cannot": taken.loader.cannot,
                    "times_ours": self.times_ours(taken),
                    "runs": [asdict(run) for run in taken.runs],
                }
                for taken in self.taken
            },
        }
