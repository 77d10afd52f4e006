"""The loads of the sweep, on one regime: all in turn, round after round, then the best of each factor together."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from statistics import mean
from time import perf_counter

from performance_tuning.benchmarks.baseline import WORKERS, measured_baseline
from performance_tuning.benchmarks.command import note
from performance_tuning.benchmarks.databases import Database
from performance_tuning.benchmarks.loads import LoadRun, measured_load
from performance_tuning.benchmarks.sweep import (
    BASELINE,
    DEFAULTS,
    LONG_SECONDS,
    LONG_STEPS,
    Row,
    Settings,
    best_together,
)
from performance_tuning.benchmarks.sweep_result import Result


def load_all(result: Result, repeat: int, database: Database, way: Callable[[str], str], scratch: Path) -> None:
    """Fill `result`, each row with `repeat` loads unless they take long. Raises RunFailed, WrongRows."""
    # A first load compiles modules and brings the dump into the page cache; commits need not be slow for that.
    measured_baseline(result.dump, database, WORKERS, scratch)
    measured_load(result.dump, database, DEFAULTS, scratch)
    _Loads(result, repeat, database, way, scratch).run()


class _Loads:
    def __init__(
        self, result: Result, repeat: int, database: Database, way: Callable[[str], str], scratch: Path
    ) -> None:
        self._result = result
        self._repeat = repeat
        self._database = database
        self._way = way
        self._scratch = scratch
        self._seconds: dict[Settings | None, float] = {}
        """What a row took last time, with the making of its database and the checks."""

    def run(self) -> None:
        sweep, result = self._result.sweep, self._result
        for number in range(self._repeat):
            start = number * len(sweep.rows) // self._repeat
            rows = [row for row in (*sweep.rows[start:], *sweep.rows[:start]) if number < self._loads(row)]
            for place, row in enumerate(rows):
                self._measure(row, f"round {number + 1} of {self._repeat}, load {place + 1} of {len(rows)}")
                self._say_what_is_next(rows[place + 1 :], number + 1)
        result.together = best_together(sweep.factors, {key: result.rates(key) for key in result.runs})
        if result.together not in result.runs:
            for number in range(self._repeat):
                # What it is compared with again, too: the machine may have changed since.
                for row in (sweep.ladder[-1], Row("best together", result.together)):
                    self._measure(row, f"the best beside the defaults, {number + 1} of {self._repeat}")

    def _measure(self, row: Row, place: str) -> None:
        done = self._load(row.settings)
        self._result.runs.setdefault(row.settings, []).append(done)
        rate = self._result.rates(row.settings)[-1]
        regime = self._result.regime.name
        note(f"{regime}, {place}: {row.name}: {done.run.wall:.2f} s, {rate:,.0f} records/min, rows right")

    def _say_what_is_next(self, rows: Sequence[Row], next_round: int) -> None:
        again = [row for row in self._result.sweep.rows for _round in range(next_round, self._loads(row))]
        usual = mean(self._seconds.values())
        seconds = sum(self._seconds.get(row.settings, usual) for row in (*rows, *again))
        if rows:
            left = f"{seconds:.0f} s" if seconds < 100 else f"{seconds / 60:.0f} min"
            note(f"  next: {rows[0].name}; about {left} left on {self._result.regime.title}")

    def _loads(self, row: Row) -> int:
        """How many there are to be of it."""
        if self._seconds.get(row.settings, 0.0) <= LONG_SECONDS:
            return self._repeat
        return min(self._repeat, LONG_STEPS if row in self._result.sweep.ladder else 1)

    def _load(self, settings: Settings | None) -> LoadRun:
        began = perf_counter()
        dump, database = self._result.dump, self._database
        if settings is BASELINE:
            done = measured_baseline(dump, database, WORKERS, self._scratch, self._way)
        else:
            done = measured_load(dump, database, settings, self._scratch, self._way)
        self._seconds[settings] = perf_counter() - began
        return done
