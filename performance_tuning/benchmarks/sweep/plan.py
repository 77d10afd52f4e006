"""Which loads the sweep measures: a ladder from the baseline to the defaults, then one factor at a time from these.

Pure. A load of `etl` is known by its settings, as for ``--set``; what is none of `etl` is one of `Other`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import Enum
from statistics import median

from performance_tuning.benchmarks.common.harness import spread


class Other(Enum):
    """What is measured besides loads of `etl`, and has no settings."""

    BASELINE = "the loader without a queue"
    ASYNCHRONOUS = "the same with commits that do not wait for the disk"
    LIMIT = "mapping alone"


Settings = tuple[str, ...]
"""``NAME=VALUE`` each."""
DEFAULTS: Settings = ()

LONG_SECONDS = 20.0
"""A step of the ladder that takes longer is measured as often as a factor."""
FACTOR_RUNS = 2
"""Loads of a factor's value, at most."""

_NOISE = 0.05
"""A gain up to here is none, however much the runs of either side agree."""


@dataclass(frozen=True)
class Row:
    """A load with its name."""

    name: str
    load: Settings | Other


@dataclass(frozen=True)
class Factor:
    """A setting that is turned alone."""

    name: str
    default: str
    values: tuple[str, ...]
    """The others that are tried."""

    @property
    def rows(self) -> dict[str, Row]:
        """By the setting as it is tried, ``NAME=VALUE``."""
        choices = [f"{self.name}={value}" for value in self.values]
        return {choice: Row(choice, (choice,)) for choice in choices}


@dataclass(frozen=True)
class Sweep:
    """All rows but the last ones, which the others decide: the best of each factor, beside the defaults."""

    ladder: tuple[Row, ...]
    """Each step is the one before it with one more thing changed; from the baseline to the defaults."""
    factors: tuple[Factor, ...]
    limit: Row | None = None
    """What no load can be faster than."""

    @property
    def baseline(self) -> Row:
        return self.ladder[0]

    @property
    def defaults(self) -> Row:
        return self.ladder[-1]

    @property
    def steps(self) -> tuple[Row, ...]:
        """The ladder with the limit above it."""
        return self.ladder if self.limit is None else (*self.ladder, self.limit)

    @property
    def rows(self) -> tuple[Row, ...]:
        return *self.steps, *(row for factor in self.factors for row in factor.rows.values())

    def runs(self, row: Row, repeat: int, seconds: float) -> int:
        """How often to measure a row that takes so long; a step that does not is measured `repeat` times."""
        return repeat if row in self.steps and seconds <= LONG_SECONDS else min(repeat, FACTOR_RUNS)


def full_sweep(batch_records: int, workers: int, cores: int, *, limit: bool) -> Sweep:
    """`batch_records` and `workers` are those of the baseline; `cores`: how many workers there are by default."""
    counts = tuple(str(count) for count in (1, 2, 4, 8) if count != cores)
    factors = (
        Factor("queue.max_records", "unlimited", ("500", "1000", "2000", "5000", "20000")),
        Factor("queue.max_bytes", "96MiB", ("4MiB", "16MiB", "256MiB")),
        Factor("insert.batch_records", "50000", ("50", "100", "200", "500")),
        Factor("insert.batch_bytes", "8MiB", ("256KiB", "1MiB", "auto")),
        Factor("workers.count", "auto", counts),
        Factor("workers.prefetch", "2", ("1", "4")),
        Factor("insert.threads", "auto", ("1", "4")),
        Factor("insert.method", "auto", ("executemany",)),
    )
    return Sweep(_ladder(batch_records, workers), factors, _LIMIT if limit else None)


def quick_sweep(batch_records: int, workers: int, *, limit: bool) -> Sweep:
    """To see that everything works."""
    factors = (Factor("queue.max_records", "unlimited", ("2000",)), Factor("insert.batch_records", "50000", ("200",)))
    return Sweep(_ladder(batch_records, workers), factors, _LIMIT if limit else None)


_LIMIT = Row("limit: mapping alone, no database", Other.LIMIT)


def _ladder(batch_records: int, workers: int) -> tuple[Row, ...]:
    same = (f"workers.count={workers}", f"insert.threads={workers}")
    slow = ("insert.method=executemany",)
    small = (f"insert.batch_records={batch_records}",)
    return (
        Row("baseline: no queue", Other.BASELINE),
        Row("+ asynchronous commits (still no queue)", Other.ASYNCHRONOUS),
        Row("the queue alone (splits as small as its batches)", (*same, *slow, *small)),
        Row("+ splits and batches as by default", (*same, *slow)),
        Row("+ COPY", same),
        Row("+ workers, insert threads: all defaults", DEFAULTS),
    )


def beats(rates: Sequence[float], others: Sequence[float]) -> bool:
    """Whether the median is higher by more than either side's runs differ among themselves."""
    noise = max(_NOISE, spread(rates).share, spread(others).share)
    return median(rates) > (1 + noise) * median(others)


def best_together(sweep: Sweep, rates: Mapping[Row, Sequence[float]]) -> Settings:
    """Of each factor the value with the highest rate, where that beats the default."""
    best: list[str] = []
    for factor in sweep.factors:
        choice, row = max(factor.rows.items(), key=lambda item: median(rates[item[1]]))
        if beats(rates[row], rates[sweep.defaults]):
            best.append(choice)
    return tuple(best)
