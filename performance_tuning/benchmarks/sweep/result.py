"""From the sweep's runs to its figures: medians, multiples of the baseline, and the settings to use."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from statistics import median
from typing import Any

from etl.options import default_worker_count
from performance_tuning.benchmarks.common.dumps import SEED, Dump
from performance_tuning.benchmarks.common.harness import spread
from performance_tuning.benchmarks.common.loads import LoadRun
from performance_tuning.benchmarks.sweep.plan import DEFAULTS, Other, Row, Settings, Sweep, beats
from performance_tuning.benchmarks.without_queue.baseline import Regime, idle_share, per_minute


@dataclass(frozen=True)
class Figures:
    """A row of the table: medians of its runs. In a CSV file these are the columns."""

    row: str
    runs: int
    records_per_minute: float
    least: float
    most: float
    times_baseline: float
    insert_p50_ms: float | None
    """This and the next two are None without a database."""
    insert_p95_ms: float | None
    insert_p99_ms: float | None
    workers_idle: float
    """Share of their time in which workers do not map, 0 to 1."""
    queue_fill: float | None
    """Share of the memory window in use, the mean over the time, 0 to 1; None without a queue."""
    peak_mb: float


@dataclass
class Result:
    """A regime's runs. Every one of them gave the rows of the dump: one that does not ends the sweep."""

    regime: Regime
    dump: Dump
    sweep: Sweep
    runs: dict[Row, list[LoadRun]] = field(default_factory=dict)
    together: Settings = DEFAULTS
    """The best of each factor, as far as the runs of the factors tell."""

    def rates(self, row: Row) -> list[float]:
        """Records a minute, of each run."""
        return [per_minute(self.dump, each.run) for each in self.runs[row]]

    def times(self, row: Row) -> float:
        """How often the baseline's records a minute."""
        return median(self.rates(row)) / median(self.rates(self.sweep.baseline))

    def processors_used(self, row: Row) -> float:
        """Share of the cores that the loader and the server had, 0 to 1: what is left was waiting."""
        runs = [each.run for each in self.runs[row]]
        return median((run.cpu + run.server_cpu) / (run.wall * default_worker_count()) for run in runs)

    @property
    def side_by_side(self) -> tuple[Row, ...]:
        """The defaults and the best together, to be measured in turns; nothing where they are the same.

        Chosen among many, the best are partly the luckiest: only runs that did not choose them can tell.
        """
        if self.together == DEFAULTS:
            return ()
        return Row("the defaults once more", DEFAULTS), Row("best together", self.together)

    @property
    def rows(self) -> tuple[Row, ...]:
        """All that were measured."""
        return *self.sweep.rows, *self.side_by_side

    @property
    def recommended(self) -> Row:
        """The best together where it is better than the defaults measured beside it, else the defaults."""
        if not self.side_by_side:
            return self.sweep.defaults
        defaults, best = self.side_by_side
        return best if beats(self.rates(best), self.rates(defaults)) else defaults

    def figures(self) -> list[Figures]:
        return [self._figures(row) for row in self.rows]

    def _figures(self, row: Row) -> Figures:
        runs, rate = self.runs[row], spread(self.rates(row))
        metrics = [each.report["metrics"] for each in runs]
        p50, p95, p99 = (
            None if row.load is Other.LIMIT else median(each["insert"][name] for each in metrics) * 1000
            for name in ("p50", "p95", "p99")
        )
        return Figures(
            row=row.name,
            runs=len(runs),
            records_per_minute=rate.median,
            least=rate.least,
            most=rate.most,
            times_baseline=self.times(row),
            insert_p50_ms=p50,
            insert_p95_ms=p95,
            insert_p99_ms=p99,
            workers_idle=median(idle_share(each.report) for each in runs),
            queue_fill=None if isinstance(row.load, Other) else median(each["queue_mean_fill"] for each in metrics),
            peak_mb=median(each.run.peak_memory for each in runs) / 1e6,
        )

    def as_json(self) -> dict[str, Any]:
        """Every run's raw values."""
        dump = {"kind": self.dump.kind, "seed": SEED, "bytes": self.dump.size, "rows": self.dump.rows}
        rows = [
            {
                "row": row.name,
                "settings": None if isinstance(row.load, Other) else row.load,
                "runs": [{**asdict(each.run), **each.report["metrics"]} for each in self.runs[row]],
            }
            for row in self.rows
        ]
        return {
            "regime": asdict(self.regime),
            "dump": {**dump, "records": self.dump.records},
            "rows": rows,
            "recommended": self.recommended.load,
        }
