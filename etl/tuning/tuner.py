"""One tune, from the size of its sample to its report.

calibrate -> the defaults, for the noise -> one setting at a time, beside the best so far
-> the defaults and the best once more, in turns
"""

from __future__ import annotations

import platform
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from statistics import median

from etl.errors import EtlError
from etl.metrics import LoadMetrics
from etl.options import Settings, default_worker_count
from etl.progress import format_bytes
from etl.report import LoadReport
from etl.tuning.display import TuneProgress
from etl.tuning.factors import splits_in_hand, written
from etl.tuning.report import Trial, TuneReport
from etl.tuning.sample import Sample
from etl.tuning.search import Choice, Factor, OutOfTime, search

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
LEAST_SECONDS = 1e-3
"""What rows take at least: the starts of two loads may differ by more than the rows took."""


class Tuner:
    """`calibrate`, `find`, `report`, in this order. The first two raise OutOfTime, and EtlError where loads fail."""

    def __init__(
        self,
        sample: Sample,
        settings: Settings,
        shown: TuneProgress,
        repeat: int,
        on_trial: Callable[[Trial], object],
        ends: float,
    ) -> None:
        """`settings`: those the user gave; `ends`: the moment from which on nothing is loaded any more, by the clock of
        `time.monotonic`."""
        self._sample = sample
        self._settings = settings
        self._shown = shown
        self._repeat = repeat
        self._on_trial = on_trial
        self._ends = ends
        self._trials: list[Trial] = []
        self._loads: list[LoadReport] = []
        """Of the sample as it is, with the defaults, when they were last measured."""
        self._values = 0
        self._whole = False
        self._load_seconds = 0.0
        """Of the last load with the defaults or the best."""
        self._choice: Choice = {}
        self._given_up: Choice = {}
        self._gain = 1.0
        self._noise = 0.0
        self._notices: list[str] = []

    def calibrate(self, seconds: float) -> LoadMetrics:
        """Let the sample grow until its rows take about so long, or are all there are; what the last load measured."""
        self._sample.limit = FIRST_RECORDS
        self._shown.activity = "how large a sample takes long enough"
        report = self._sample.load({})
        # So few rows take no time: it is that of processes and tables.
        start, rows = report.seconds, LEAST_SECONDS
        while not self._is_whole(report) and rows < LONG_ENOUGH * seconds:
            self._sample.limit = round(self._sample.limit * min(MOST_GROWTH, seconds / rows))
            report = self._sample.load({})
            rows = max(LEAST_SECONDS, report.seconds - start)
        self._whole = self._is_whole(report)
        extent = "all" if self._whole else "the first"
        self._shown.note(
            f"The sample: {extent} {report.records:,} records ({format_bytes(report.source_bytes)} of XML)"
            f"{', which are few for a measurement' if report.seconds < LITTLE_SECONDS else ''}."
        )
        return _metrics(report)

    def _is_whole(self, report: LoadReport) -> bool:
        return report.records < self._sample.limit

    def find(self, factors: Sequence[Factor]) -> None:
        """Measure the defaults and turn one factor at a time."""
        self._values = sum(len(factor.values) - 1 for factor in factors)
        self._loads = [self._load({}, f"the defaults (load {run} of {NOISE_RUNS})") for run in range(1, NOISE_RUNS + 1)]
        default = self._told(_trial("", {}, self._loads, times=1.0))
        self._noise = (max(default.rates) - min(default.rates)) / default.rate
        self._load_seconds = median(report.seconds for report in self._loads)
        self._choice = search(factors, self._least_gain, self._measure)
        if self._choice:
            self._measure_once_more()

    @property
    def _least_gain(self) -> float:
        return max(LEAST_GAIN, self._noise)

    def _measure(self, factor: Factor, choice: Choice, best: Choice) -> float:
        try:
            # The trial, the best so far beside it; and what is found is to be measured once more, beside the defaults.
            if time.monotonic() + (self._repeat + 1 + 2 * self._repeat) * self._load_seconds > self._ends:
                raise OutOfTime
            return self._measure_beside(factor, choice, best)
        except OutOfTime:
            self._notices.append("The time was over before all was tried: --max-time allows more.")
            raise

    def _measure_beside(self, factor: Factor, choice: Choice, best: Choice) -> float:
        """How many times as fast as the best so far, which is loaded in the middle of the trial's own loads: a machine
        that becomes faster or slower does so for both."""
        name = f"{factor.name}: {written(factor.name, choice[factor.name])}"
        reports, rate = [], 0.0
        for run in range(self._repeat):
            try:
                reports.append(self._load(choice, name))
            except EtlError as error:
                self._told(Trial(factor.name, choice, (), problem=str(error)))
                return 0.0
            if run == (self._repeat - 1) // 2:
                beside = self._load(best, f"the best so far, beside {name}")
                rate, self._load_seconds = beside.records_per_minute, beside.seconds
        gain = median(report.records_per_minute for report in reports) / rate
        better = gain > 1 + self._least_gain
        self._told(_trial(factor.name, choice, reports, times=self._gain * gain, better=better))
        if better:
            self._gain *= gain
        return gain

    def _measure_once_more(self) -> None:
        """The best of many measurements is also one that was lucky."""
        default, best = [], []
        try:
            for _ in range(self._repeat):
                default.append(self._load({}, "the defaults again"))
                best.append(self._load(self._choice, "the best again"))
        except OutOfTime:
            self._notices.append("There was no time to measure the best once more: --max-time allows more.")
            return
        self._loads = default
        rate = self._told(replace(_trial("", {}, default, times=1.0), again=True)).rate
        again = _trial("", self._choice, best, times=1.0)
        self._gain = again.rate / rate
        self._told(replace(again, times=self._gain, again=True))
        if self._gain <= 1 + self._least_gain:
            self._given_up, self._choice, self._gain = self._choice, {}, 1.0

    def _load(self, choice: Choice, activity: str) -> LoadReport:
        self._shown.activity = activity
        return self._sample.load(choice)

    def _told(self, trial: Trial) -> Trial:
        self._trials.append(trial)
        self._on_trial(trial)
        return trial

    def report(self, target: str, server: str, sources: Sequence[str], mapping: str) -> TuneReport:
        """What was found; without the text of the file."""
        sample = self._loads[-1]
        seconds = median(report.seconds for report in self._loads)
        default_rate = median(report.records_per_minute for report in self._loads)
        notices = []
        if seconds < LITTLE_SECONDS:
            notices.append(
                f"The sample takes {seconds:.1f} s, which is mostly the start: this says little of larger dumps."
            )
        if self._noise > NOISY:
            notices.append("The machine or the database is busy with something else, which hides smaller gains.")
        in_hand = splits_in_hand(self._settings, _metrics(sample))
        if sample.source_bytes < in_hand * self._settings.split.bytes:
            notices.append(
                f"The sample has fewer splits than the workers have in hand ({in_hand} of"
                f" {format_bytes(self._settings.split.bytes)}), so that it cannot keep them busy: a larger one"
                " (--seconds) says more."
            )
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
            values=self._values,
            choice=_as_written(self._choice),
            given_up=_as_written(self._given_up),
            default_rate=default_rate,
            rate=default_rate * self._gain,
            bottleneck=[trial.bottleneck for trial in self._trials if trial.choice == self._choice][-1],
            notices=(*notices, *self._notices),
            yaml="",
        )


def _trial(setting: str, choice: Choice, reports: Sequence[LoadReport], *, times: float, better: bool = False) -> Trial:
    """What loads of the sample come to."""
    metrics = [_metrics(report) for report in reports]
    return Trial(
        setting,
        choice,
        tuple(report.records_per_minute for report in reports),
        times,
        insert_p50=median(each.insert.p50 for each in metrics),
        insert_p95=median(each.insert.p95 for each in metrics),
        workers_idle=median(each.mapping.share(each.mapping.waiting + each.mapping.idle) for each in metrics),
        peak_memory=median(report.peak_memory for report in reports),
        bottleneck=reports[-1].bottleneck,
        better=better,
    )


def _metrics(report: LoadReport) -> LoadMetrics:
    assert report.metrics is not None  # rows were loaded
    return report.metrics


def _as_written(choice: Choice) -> dict[str, str]:
    return {name: written(name, value) for name, value in choice.items()}
