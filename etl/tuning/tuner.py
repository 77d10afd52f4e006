"""One tune, from the size of its sample to its report.

calibrate -> the defaults, for the noise -> one setting at a time -> the defaults and the best once more, in turns
"""

from __future__ import annotations

import platform
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from statistics import median

from etl.errors import EtlError
from etl.options import default_worker_count
from etl.progress import format_bytes
from etl.report import LoadReport
from etl.tuning.display import TuneProgress
from etl.tuning.factors import written
from etl.tuning.report import Trial, TuneReport
from etl.tuning.sample import Sample
from etl.tuning.search import Choice, Factor, OutOfTime, search
from etl.tuning.summary import choice_words

LEAST_GAIN = 0.03
"""What is faster by a smaller share is not worth a line in a file, however quiet the machine is."""
NOISE_RUNS = 3
"""Loads with the defaults, which show how much loads differ by themselves."""
NOISY = 0.15
"""Where they differ by a larger share, that hides most of what settings gain."""
FIRST_RECORDS = 100
MOST_GROWTH = 10
"""How many times as large the next sample is, at most, until one takes long enough."""
LONG_ENOUGH = 0.7
"""Share of the time wanted that is near enough."""
LITTLE_SECONDS = 1.0
"""Of a shorter load the start of its processes is most."""


class Tuner:
    """`calibrate`, `find`, `report`, in this order. The first two raise OutOfTime, and EtlError where loads fail."""

    def __init__(
        self, sample: Sample, shown: TuneProgress, repeat: int, on_trial: Callable[[Trial], object], ends: float
    ) -> None:
        """`ends`: the moment from which on nothing is loaded any more, by the clock of `time.monotonic`."""
        self._sample = sample
        self._shown = shown
        self._repeat = repeat
        self._on_trial = on_trial
        self._ends = ends
        self._trials: list[Trial] = []
        self._loads: list[LoadReport] = []
        """Of the sample as it is, with the defaults."""
        self._whole = False
        self._choice: Choice = {}
        self._default_rate = self._rate = self._noise = 0.0
        self._notices: list[str] = []

    def calibrate(self, seconds: float) -> None:
        """Let the sample grow until it takes about so long, or is all there is."""
        self._sample.limit = FIRST_RECORDS
        self._shown.activity = "how large a sample takes long enough"
        while True:
            report = self._sample.load({})
            self._whole = report.records < self._sample.limit
            if self._whole or report.seconds >= LONG_ENOUGH * seconds:
                break
            growth = min(MOST_GROWTH, seconds / report.seconds)
            self._sample.limit = round(self._sample.limit * growth)
        extent = "all" if self._whole else "the first"
        self._shown.note(
            f"The sample: {extent} {report.records:,} records ({format_bytes(report.source_bytes)} of XML)"
            f"{', which are few for a measurement' if report.seconds < LITTLE_SECONDS else ''}."
        )

    def find(self, factors: Sequence[Factor]) -> None:
        """Measure the defaults and turn one factor at a time."""
        self._loads = self._load({}, "the defaults", NOISE_RUNS)
        default = self._told(_trial("", {}, self._loads))
        self._noise = (max(default.rates) - min(default.rates)) / default.rate
        self._default_rate = self._rate = default.rate
        self._choice = search(factors, default.rate, self._least_gain, self._measure)
        if self._choice:
            self._rate = max(trial.rate for trial in self._trials if trial.choice == self._choice)
            self._measure_once_more()

    @property
    def _least_gain(self) -> float:
        return max(LEAST_GAIN, self._noise)

    def _measure(self, factor: Factor, choice: Choice, to_exceed: float) -> float:
        once = self._repeat * median(report.seconds for report in self._loads)
        # What is found is to be measured once more, beside the defaults.
        if time.monotonic() + 3 * once > self._ends:
            self._notices.append("The time was over before all was tried: --max-time allows more.")
            raise OutOfTime
        name = f"{factor.name}: {written(factor.name, choice[factor.name])}"
        try:
            trial = _trial(factor.name, choice, self._load(choice, name, self._repeat), to_exceed)
        except EtlError as error:
            trial = Trial(factor.name, choice, (), problem=str(error))
        return self._told(trial).rate

    def _measure_once_more(self) -> None:
        """The best of many measurements is also one that was lucky, and the machine is not as it was minutes ago."""
        default, best = [], []
        try:
            for _ in range(self._repeat):
                default += self._load({}, "the defaults again", 1)
                best += self._load(self._choice, "the best again", 1)
        except OutOfTime:
            self._notices.append("There was no time to measure the best once more: --max-time allows more.")
            return
        self._default_rate = self._told(replace(_trial("", {}, default), again=True)).rate
        self._rate = self._told(replace(_trial("", self._choice, best), again=True)).rate
        if self._rate <= self._default_rate * (1 + self._least_gain):
            self._notices.append(
                f"{choice_words(_as_written(self._choice))} seemed better, but was not when measured once more:"
                f" {self._rate / self._default_rate:.2f} times the defaults."
            )
            self._choice, self._rate = {}, self._default_rate

    def _load(self, choice: Choice, name: str, runs: int) -> list[LoadReport]:
        reports = []
        for run in range(1, runs + 1):
            self._shown.activity = f"{name} (load {run} of {runs})"
            reports.append(self._sample.load(choice))
        return reports

    def _told(self, trial: Trial) -> Trial:
        self._trials.append(trial)
        self._on_trial(trial)
        return trial

    def report(self, target: str, server: str, sources: Sequence[str], mapping: str) -> TuneReport:
        """What was found; without the text of the file."""
        sample = self._loads[-1]
        seconds = median(report.seconds for report in self._loads)
        notices = []
        if seconds < LITTLE_SECONDS:
            notices.append(
                f"The sample takes {seconds:.1f} s, which is mostly the start: this says little of larger dumps."
            )
        if self._noise > NOISY:
            notices.append("The machine or the database is busy with something else, which hides smaller gains.")
        if sample.rejected:
            notices.append(f"Of the sample's records {sample.rejected:,} are rejects: `etl check` shows why.")
        return TuneReport(
            target=target,
            server=server,
            machine=f"{platform.system()} on {platform.machine()}, {default_worker_count()} cores",
            sources=tuple(sources),
            mapping=mapping,
            records=sample.records,
            rejected=sample.rejected,
            source_bytes=sample.source_bytes,
            whole=self._whole,
            seconds=seconds,
            noise=self._noise,
            least_gain=self._least_gain,
            trials=tuple(self._trials),
            choice=_as_written(self._choice),
            default_rate=self._default_rate,
            rate=self._rate,
            bottleneck=[trial.bottleneck for trial in self._trials if trial.choice == self._choice][-1],
            notices=(*notices, *self._notices),
            yaml="",
        )


def _trial(setting: str, choice: Choice, reports: Sequence[LoadReport], to_exceed: float = float("inf")) -> Trial:
    """What loads of the sample come to; better where its rate is above `to_exceed`."""
    metrics = [report.metrics for report in reports if report.metrics is not None]
    rates = tuple(report.records_per_minute for report in reports)
    return Trial(
        setting,
        choice,
        rates,
        insert_p50=median(each.insert.p50 for each in metrics),
        insert_p95=median(each.insert.p95 for each in metrics),
        workers_idle=median(each.mapping.share(each.mapping.waiting + each.mapping.idle) for each in metrics),
        peak_memory=median(report.peak_memory for report in reports),
        bottleneck=reports[-1].bottleneck,
        better=median(rates) > to_exceed,
    )


def _as_written(choice: Choice) -> dict[str, str]:
    return {name: written(name, value) for name, value in choice.items()}
