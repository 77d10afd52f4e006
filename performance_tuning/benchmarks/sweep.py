"""Which loads the sweep measures: a ladder from the baseline to the defaults, then one factor at a time from these.

Pure. Loads are known by their settings, as for ``--set``: two rows with the same ones are one and the same load.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import median

from performance_tuning.benchmarks.harness import spread

Settings = tuple[str, ...]
"""``NAME=VALUE`` each."""
DEFAULTS: Settings = ()
BASELINE = None
"""In the place of settings: the loader without a queue, which has none."""

LONG_SECONDS = 20.0
"""What takes longer is loaded once, however often the others are."""
LONG_STEPS = 2
"""Loads of it where it is a step of the ladder."""

_NOISE = 0.05
"""A gain up to here is none, however much the runs of either side agree."""


@dataclass(frozen=True)
class Row:
    """A load with its name."""

    name: str
    settings: Settings | None


@dataclass(frozen=True)
class Factor:
    """A setting that is turned alone."""

    name: str
    default: str
    values: tuple[str, ...]
    """The others that are tried."""

    @property
    def rows(self) -> tuple[Row, ...]:
        choices = [f"{self.name}={value}" for value in self.values]
        return tuple(Row(choice, (choice,)) for choice in choices)


@dataclass(frozen=True)
class Sweep:
    """All rows but the last one, which the others decide: the best of all factors together."""

    ladder: tuple[Row, ...]
    """Each step is the one before it with one more thing changed."""
    factors: tuple[Factor, ...]

    @property
    def rows(self) -> tuple[Row, ...]:
        return *self.ladder, *(row for factor in self.factors for row in factor.rows)


def full_sweep(batch_records: int, workers: int, cores: int) -> Sweep:
    """`batch_records` and `workers` are those of the baseline; `cores`: how many workers there are by default."""
    counts = tuple(str(count) for count in (1, 2, 4, 8) if count != cores)
    factors = (
        Factor("queue.max_records", "unlimited", ("500", "1000", "2000", "5000", "20000")),
        Factor("queue.max_bytes", "64MiB", ("4MiB", "16MiB", "256MiB")),
        Factor("insert.batch_records", "50000", ("50", "100", "200", "500", "5000")),
        Factor("workers.count", "auto", counts),
        Factor("workers.prefetch", "2", ("1", "4")),
        Factor("insert.threads", "auto", ("1", "4")),
        Factor("insert.method", "auto", ("executemany",)),
    )
    return Sweep(_ladder(batch_records, workers), factors)


def quick_sweep(batch_records: int, workers: int) -> Sweep:
    """To see that everything works."""
    factors = (Factor("queue.max_records", "unlimited", ("2000",)), Factor("insert.batch_records", "50000", ("200",)))
    return Sweep(_ladder(batch_records, workers), factors)


def _ladder(batch_records: int, workers: int) -> tuple[Row, ...]:
    same = (f"workers.count={workers}", f"insert.threads={workers}")
    slow = ("insert.method=executemany",)
    return (
        Row("baseline: no queue", BASELINE),
        Row("the queue alone", (*same, *slow, f"insert.batch_records={batch_records}")),
        Row("+ batches as by default", (*same, *slow)),
        Row("+ COPY", same),
        Row("+ workers, insert threads: all defaults", DEFAULTS),
    )


def beats(rates: Sequence[float], others: Sequence[float]) -> bool:
    """Whether the median is higher by more than either side's runs differ among themselves."""
    noise = max(_NOISE, spread(rates).share, spread(others).share)
    return median(rates) > (1 + noise) * median(others)


def best_together(factors: Sequence[Factor], rates: Mapping[Settings | None, Sequence[float]]) -> Settings:
    """Of each factor the value with the highest rate, where that beats the default."""
    best = [max(factor.rows, key=lambda row: median(rates[row.settings])) for factor in factors]
    return tuple(choice for row in best if beats(rates[row.settings], rates[DEFAULTS]) for choice in row.settings or ())
