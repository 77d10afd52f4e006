"""From the sweep's runs to its figures: medians, multiples of the baseline, and the settings to use."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from statistics import median
from typing import Any

import psutil

from performance_tuning.benchmarks.baseline import Regime, idle_share, per_minute
from performance_tuning.benchmarks.dumps import SEED, Dump
from performance_tuning.benchmarks.harness import spread
from performance_tuning.benchmarks.loads import LoadRun
from performance_tuning.benchmarks.sweep import BASELINE, DEFAULTS, Row, Settings, Sweep, beats


@dataclass(frozen=True)
class Figures:
    """A row of the table: medians of its runs. In a CSV file these are the columns."""

    row: str
    runs: int
    records_per_minute: float
    least: float
    most: float
    times_baseline: float
    insert_p50_ms: float
    insert_p95_ms: float
    insert_p99_ms: float
    workers_idle: float
    """Share of their time in which workers do not map, 0 to 1."""
    queue_fill: float | None
    """Share of the memory window in use, the mean over the time, 0 to 1; None without a queue."""
    peak_mb: float
    rows_correct: int
    """Runs whose rows were all in the database, and none twice: a run without ends everything."""


@dataclass
class Result:
    """A regime's runs, by settings."""

    regime: Regime
    dump: Dump
    sweep: Sweep
    runs: dict[Settings | None, list[LoadRun]] = field(default_factory=dict)
    together: Settings = DEFAULTS
    """The best of each factor."""

    def rates(self, settings: Settings | None) -> list[float]:
        """Records a minute, of each run."""
        return [per_minute(self.dump, each.run) for each in self.runs[settings]]

    def times(self, settings: Settings | None) -> float:
        """How often the baseline's records a minute."""
        return median(self.rates(settings)) / median(self.rates(BASELINE))

    def processors_used(self, settings: Settings | None) -> float:
        """Share of all cores that the loader and the server had, 0 to 1: what is left was waiting."""
        runs = [each.run for each in self.runs[settings]]
        return median((run.cpu + run.server_cpu) / (run.wall * (psutil.cpu_count() or 1)) for run in runs)

    @property
    def rows(self) -> list[Row]:
        """All that were measured; the best together has a row of its own where it is more than one choice."""
        known = {row.settings for row in self.sweep.rows}
        last = [] if self.together in known else [Row("best together", self.together)]
        return [*self.sweep.rows, *last]

    @property
    def recommended(self) -> Settings:
        """The best together where it is better than the defaults, else these."""
        return self.together if beats(self.rates(self.together), self.rates(DEFAULTS)) else DEFAULTS

    def figures(self) -> list[Figures]:
        return [self._figures(row) for row in self.rows]

    def _figures(self, row: Row) -> Figures:
        runs, rate = self.runs[row.settings], spread(self.rates(row.settings))
        metrics = [each.report["metrics"] for each in runs]
        p50, p95, p99 = (median(each["insert"][name] for each in metrics) * 1000 for name in ("p50", "p95", "p99"))
        return Figures(
            row=row.name,
            runs=len(runs),
            records_per_minute=rate.median,
            least=rate.least,
            most=rate.most,
            times_baseline=self.times(row.settings),
            insert_p50_ms=p50,
            insert_p95_ms=p95,
            insert_p99_ms=p99,
            workers_idle=median(idle_share(each.report) for each in runs),
            queue_fill=None if row.settings is BASELINE else median(each["queue_mean_fill"] for each in metrics),
            peak_mb=median(each.run.peak_memory for each in runs) / 1e6,
            rows_correct=len(runs),
        )

    def as_json(self) -> dict[str, Any]:
        """Every run's raw values."""
        dump = {"kind": self.dump.kind, "seed": SEED, "bytes": self.dump.size, "rows": self.dump.rows}
        rows = [
            {
                "row": row.name,
                "settings": row.settings,
                "runs": [{**asdict(each.run), **each.report["metrics"]} for each in self.runs[row.settings]],
            }
            for row in self.rows
        ]
        return {
            "regime": asdict(self.regime),
            "dump": {**dump, "records": self.dump.records},
            "rows": rows,
            "recommended": self.recommended,
        }
