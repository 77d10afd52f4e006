"""The bar that shows a running load on a terminal.

In: snapshots, on the thread of `etl.progress`. Out: what rich draws. Apart from the other displays, since a load
without a terminal has no use for rich, which takes a while to import.
"""

from __future__ import annotations

from rich.console import Console, Group
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from etl.metrics import Snapshot
from etl.progress import (
    ThreadedProgress,
    describe_counts,
    describe_flow,
    describe_position,
    describe_remaining,
    format_duration,
)


class BarProgress(ThreadedProgress):
    """A bar and two lines of numbers at the bottom of a terminal; both vanish at the end."""

    def __init__(self, console: Console) -> None:
        super().__init__()
        self._live = Live(
            console=console, auto_refresh=False, transient=True, redirect_stdout=False, redirect_stderr=False
        )

    def _write(self, sentence: str) -> None:
        self._live.console.print(Text(sentence), soft_wrap=True)

    def _show(self, now: Snapshot) -> None:
        bar = ProgressBar(total=now.total, completed=now.position, pulse=now.total is None, width=None)
        row = Table.grid(expand=True, padding=(0, 1))
        row.add_column(no_wrap=True)
        row.add_column(ratio=1)
        row.add_column(no_wrap=True)
        remaining = ", ".join([format_duration(now.seconds), *describe_remaining(now, self._rates)])
        row.add_row(", ".join(describe_position(now)), bar, remaining)
        facts = (
            Text(", ".join(facts), style="dim", overflow="ellipsis", no_wrap=True)
            for facts in (describe_counts(now, self._rates), describe_flow(now))
            if facts
        )
        # Started late, so that a load over at once does not flicker.
        self._live.start()
        self._live.update(Group(row, *facts), refresh=True)

    def _close(self) -> None:
        self._live.stop()
