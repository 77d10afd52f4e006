"""The loads of the sweep, on one regime: all in turn, round after round, then the best beside the defaults."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from statistics import mean
from time import perf_counter

from performance_tuning.benchmarks.common.command import note
from performance_tuning.benchmarks.common.databases import Database
from performance_tuning.benchmarks.common.loads import LoadRun, measured_load
from performance_tuning.benchmarks.sweep.plan import DEFAULTS, Other, Row, Settings, best_together
from performance_tuning.benchmarks.sweep.result import Result
from performance_tuning.benchmarks.without_queue.baseline import WORKERS, measured_baseline, measured_mapping


def load_all(result: Result, repeat: int, database: Database, way: Callable[[str], str], scratch: Path) -> None:
    """Fill `result`, each step of the ladder with `repeat` loads unless they take long. Raises RunFailed, WrongRows."""
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
        self._seconds: dict[Row, float] = {}
        """What a row took last time, with the making of its database and the checks."""

    def run(self) -> None:
        sweep, result = self._result.sweep, self._result
        for number in range(self._repeat):
            start = number * len(sweep.rows) // self._repeat
            rows = [row for row in (*sweep.rows[start:], *sweep.rows[:start]) if number < self._runs(row)]
            for place, row in enumerate(rows):
                self._measure(row, f"round {number + 1} of {self._repeat}, load {place + 1} of {len(rows)}")
                self._say_what_is_next(rows[place + 1 :], number + 1)
        result.together = best_together(sweep, {row: result.rates(row) for row in result.runs})
        for number in range(self._repeat):
            for row in result.side_by_side:
                self._measure(row, f"the best beside the defaults, {number + 1} of {self._repeat}")

    def _measure(self, row: Row, place: str) -> None:
        began = perf_counter()
        done = self._load(row.load)
        self._seconds[row] = perf_counter() - began
        self._result.runs.setdefault(row, []).append(done)
        rate = self._result.rates(row)[-1]
        regime = self._result.regime.name
        note(f"{regime}, {place}: {row.name}: {done.run.wall:.2f} s, {rate:,.0f} records/min, rows right")

    def _say_what_is_next(self, rows: Sequence[Row], next_round: int) -> None:
        again = [row for row in self._result.sweep.rows for _round in range(next_round, self._runs(row))]
        usual = mean(self._seconds.values())
        seconds = sum(self._seconds.get(row, usual) for row in (*rows, *again))
        if rows:
            left = f"{seconds:.0f} s" if seconds < 100 else f"{seconds / 60:.0f} min"
            note(f"  next: {rows[0].name}; about {left} left on {self._result.regime.title}")

    def _runs(self, row: Row) -> int:
        """How many there are to be of it."""
        return self._result.sweep.runs(row, self._repeat, self._seconds.get(row, 0.0))

    def _load(self, load: Settings | Other) -> LoadRun:
        """Raises RunFailed, and WrongRows where it did not give the rows of the dump."""
        dump, database, scratch = self._result.dump, self._database, self._scratch
        match load:
            case Other.LIMIT:
                return measured_mapping(dump, scratch)
            case Other.BASELINE:
                return measured_baseline(dump, database, WORKERS, scratch, self._way)
            case Other.ASYNCHRONOUS:
                return measured_baseline(dump, database, WORKERS, scratch, self._way, ["--asynchronous"])
            case settings:
                return measured_load(dump, database, settings, scratch, self._way)
