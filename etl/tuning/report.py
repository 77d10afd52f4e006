"""What a tune tells its caller: plain values."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Mapping
from dataclasses import dataclass
from statistics import median


@dataclass(frozen=True, slots=True)
class Trial:
    """Settings that were tried, and how fast the sample loaded with them."""

    setting: str
    """What was turned; empty for the defaults, and where they and the best are measured once more."""
    choice: Mapping[str, int]
    """What differs from the defaults, or from what the user has set: sizes in bytes."""
    rates: tuple[float, ...]
    """Records a minute, by run; none where the load failed."""
    times: float = 0.0
    """How many times as fast as the defaults: through the best before it, which was loaded beside it. A machine that
    becomes faster or slower meanwhile changes the rates, and not this. 0 where the load failed."""
    insert_p50: float = 0.0
    insert_p95: float = 0.0
    """Seconds of a transaction. These and what follows: medians of the runs."""
    workers_idle: float = 0.0
    """Share of the workers' time, 0 to 1."""
    peak_memory: float = 0.0
    """Bytes, as in `LoadReport`."""
    bottleneck: str = ""
    """As in `LoadReport`, of the last run."""
    problem: str = ""
    """Why its load failed, in a sentence."""
    better: bool = False
    """Whether it was so much faster than the best before it that it took its place."""
    again: bool = False
    """Whether it was measured before."""

    @property
    def rate(self) -> float:
        """Records a minute, the median; 0 where the load failed."""
        return median(self.rates) if self.rates else 0.0


@dataclass(frozen=True, slots=True)
class TuneReport:
    """What a tune found. Returned by `etl.tune`."""

    target: str
    """URL without password."""
    server: str
    """The database and its version."""
    machine: str
    sources: tuple[str, ...]
    mapping: str
    """The mapping file, or `etl.report.UNSAVED`."""
    records: int
    """Of the sample."""
    rejected: int
    """Of these."""
    source_bytes: int
    """Of the decompressed documents, in the sample."""
    whole: bool
    """Whether the sample is all there is."""
    seconds: float
    """That the defaults take for the sample; of the same loads as `default_rate`."""
    noise: float
    """By which share the runs of the defaults differ, from the slowest to the fastest."""
    least_gain: float
    """The share by which something must be faster to count."""
    trials: tuple[Trial, ...]
    """In order: the defaults, what was tried, and where something was better the defaults and the best once more."""
    values: int
    """How many values there were to try, of all settings that are turned."""
    choice: Mapping[str, str]
    """The best settings, where they are not the defaults, as a settings file has them: ``{"workers.count": "4"}``."""
    given_up: Mapping[str, str]
    """Settings that seemed better, and were not when measured once more."""
    default_rate: float
    """Records a minute with the defaults. Like `rate` measured once more at the end, where there was time; else `rate`
    is this one so many times as the trial of the best was faster."""
    rate: float
    """Records a minute with the best settings."""
    bottleneck: str
    """What limits with the best settings, and what to turn."""
    notices: tuple[str, ...]
    """Sentences: what makes the figures doubtful, what was not tried."""
    yaml: str
    """The text of a settings file, with what was tried as comments."""

    @property
    def gain(self) -> float:
        """How many times as fast as the defaults."""
        return self.rate / self.default_rate

    @property
    def tried(self) -> int:
        """How many of `values` were."""
        return sum(1 for trial in self.trials if trial.setting)

    def to_json(self) -> str:
        """The report as one JSON object (without `yaml`)."""
        values = dataclasses.asdict(self)
        del values["yaml"]
        for trial, told in zip(self.trials, values["trials"], strict=True):
            told["rate"] = trial.rate
        return json.dumps({**values, "gain": self.gain, "tried": self.tried}, ensure_ascii=False)
