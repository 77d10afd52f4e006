"""Runs stages, or other work, on a thread of its own, while progress is shown and a Ctrl-C obeyed.

Comes in: stages that are ready to run. Goes out: whether the user, or they themselves, want no more. The caller's
thread only waits: so a Ctrl-C finds it at rest, and never in the middle of somebody's critical section.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from etl.background import run_in_background
from etl.loading.result_thread import Tally
from etl.loading.retries import Retries
from etl.measuring import StateClock
from etl.metrics import Snapshot
from etl.progress import Progress
from etl.stages import Stages
from etl.targets.base import Target


@dataclass(frozen=True, slots=True)
class _Fed:
    """What is being loaded, or was last: the arguments of `Runner.load`."""

    stages: Stages
    tallies: Sequence[Tally]
    before: int
    total: int | None


class Runner:
    """What one command runs, one thing after the other."""

    def __init__(self, progress: Progress, retries: Retries) -> None:
        self._progress = progress
        self._retries = retries
        self._phase = StateClock("preparing")
        self._activity = "preparing"
        self._fed: _Fed | None = None
        self.stopped = False
        """Whether it is to end in order: nothing more is begun."""

    @property
    def seconds(self) -> float:
        return sum(self._phase.seconds().values())

    @property
    def phases(self) -> dict[str, float]:
        """Seconds of each thing that was done."""
        return dict(self._phase.seconds())

    def now(self, activity: str) -> None:
        """What is being done from now on, in a few words."""
        self._phase.enter(activity)
        self._activity = activity

    def show(self) -> None:
        """Begin to show what is going on; after that, `load` may be called, more than once."""
        self._progress.start(self._snapshot)

    def load(self, stages: Stages, target: Target, tallies: Sequence[Tally], before: int, total: int | None) -> None:
        """Run stages to their end; what ended them too early is their `queue.error`.

        Told as progress are the sums of `tallies`, and how many bytes of `total` were read: `before`, and by these.
        """
        self._fed = _Fed(stages, tallies, before, total)
        self.now("loading")
        self.run(stages.run, target, stages)
        self.stopped |= bool(stages.stop_reason)

    def _snapshot(self) -> Snapshot:
        fed = self._fed
        tallies = fed.tallies if fed else ()
        metrics = fed.stages.metrics() if fed else None
        return Snapshot(
            position=fed.before + fed.stages.feeder.position if fed else 0,
            total=fed.total if fed else None,
            document_bytes=sum(tally.source_bytes for tally in tallies),
            records=sum(tally.records for tally in tallies),
            rejected=sum(tally.rejected for tally in tallies),
            discarded=sum(tally.discarded for tally in tallies),
            seconds=self.seconds,
            pool=fed.stages.coordinator.stats() if fed else None,
            metrics=metrics,
            bottleneck=fed.stages.bottleneck(metrics) if fed and metrics and self._activity == "loading" else "",
            activity=self._activity,
        )

    def run(self, work: Callable[[], None], target: Target, stages: Stages | None = None) -> None:
        """Run `work` and wait; the first KeyboardInterrupt drains, the second one is raised."""
        run_in_background(
            work, on_stop=lambda: self._stop(stages), on_abort=lambda interrupt: self.abort(target, stages, interrupt)
        )

    def _stop(self, stages: Stages | None) -> None:
        self.stopped = True
        what = "what is in hand is being committed" if stages is not None else "the key now being built is the last"
        self._activity = "stopping"
        self._progress.note(f"Stopping: {what}. Ctrl-C again aborts.")
        if stages is not None:
            stages.stop()

    def abort(self, target: Target, stages: Stages | None, error: BaseException) -> None:
        """From any thread, as often as one likes: what is in hand is given up with this error."""
        self._retries.interrupt()
        if stages is not None:
            stages.fail(error)
            stages.engine.close(cancel=True)
        target.interrupt()
