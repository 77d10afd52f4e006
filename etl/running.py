"""Runs stages, or other work, on a thread of its own, while progress is shown and a Ctrl-C obeyed.

Comes in: stages that are ready to run. Goes out: whether the user, or they themselves, want no more. The caller's
thread only waits: so a Ctrl-C finds it at rest, and never in the middle of somebody's critical section.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence

from etl.background import run_in_background
from etl.loading.result_thread import Tally
from etl.loading.retries import Retries
from etl.metrics import Snapshot
from etl.progress import Progress
from etl.stages import Stages
from etl.targets.base import Target


class Runner:
    """What one command runs, one thing after the other."""

    def __init__(self, progress: Progress, retries: Retries) -> None:
        self._progress = progress
        self._retries = retries
        self._began = time.monotonic()
        self.activity = "loading"
        self.stopped = False
        """Whether it is to end in order: nothing more is begun."""

    @property
    def seconds(self) -> float:
        return time.monotonic() - self._began

    def load(self, stages: Stages, target: Target, tallies: Sequence[Tally], before: int, total: int | None) -> None:
        """Run stages to their end; what ended them too early is their `queue.error`.

        Told as progress are the sums of `tallies`, and how many bytes of `total` were read: `before`, and by these.
        """

        def snapshot() -> Snapshot:
            metrics = stages.metrics()
            return Snapshot(
                position=before + stages.feeder.position,
                total=total,
                document_bytes=sum(tally.source_bytes for tally in tallies),
                records=sum(tally.records for tally in tallies),
                rejected=sum(tally.rejected for tally in tallies),
                discarded=sum(tally.discarded for tally in tallies),
                seconds=self.seconds,
                pool=stages.coordinator.stats(),
                metrics=metrics,
                bottleneck=stages.bottleneck(metrics),
                activity=self.activity,
            )

        self._progress.start(snapshot)
        self.run(stages.run, target, stages)
        self.stopped |= bool(stages.stop_reason)

    def run(self, work: Callable[[], None], target: Target, stages: Stages | None = None) -> None:
        """Run `work` and wait; the first KeyboardInterrupt drains, the second one is raised."""
        run_in_background(
            work, on_stop=lambda: self._stop(stages), on_abort=lambda interrupt: self._abort(target, stages, interrupt)
        )

    def _stop(self, stages: Stages | None) -> None:
        self.stopped = True
        what = "what is in hand is being committed" if stages is not None else "the key now being built is the last"
        self.activity = "stopping"
        self._progress.note(f"Stopping: {what}. Ctrl-C again aborts.")
        if stages is not None:
            stages.stop()

    def _abort(self, target: Target, stages: Stages | None, interrupt: BaseException) -> None:
        self._retries.interrupt()
        if stages is not None:
            stages.fail(interrupt)
            stages.engine.close(cancel=True)
        target.interrupt()
