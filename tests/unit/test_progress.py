"""What a person sees of a running load, on a terminal and elsewhere; and that nothing of it can hurt the load."""

from __future__ import annotations

import io
import itertools
import logging
import threading
from collections.abc import Iterator

import pytest
from rich.console import Console

from etl.metrics import LoadMetrics, Percentiles, PoolStats, Snapshot, StageTimes
from etl.progress import (
    LineProgress,
    Progress,
    Rates,
    SeveralProgresses,
    SilentProgress,
    format_bytes,
    format_duration,
    format_list,
)
from etl.progress_bar import BarProgress

POOL = PoolStats(workers=2, busy=2, splits_in_flight=4, queued_records=9, queued_bytes=9, queue_fill=0.5)

NONE_YET = Percentiles(0, 0.0, 0.0, 0.0, 0.0)
METRICS = LoadMetrics(
    reading=StageTimes(0.5, waiting=1.5, idle=0.0),
    mapping=StageTimes(4.0, waiting=0.0, idle=0.0),
    writing=StageTimes(0.0, waiting=0.0, idle=2.0),
    waited_for_workers=1.5,
    waited_for_room=0.0,
    waited_for_commits=0.0,
    insert=NONE_YET,
    commit=NONE_YET,
    most_workers=2,
    insert_threads=1,
    queue_mean_fill=0.5,
    queue_most_bytes=9,
)


def snapshot(
    seconds: float,
    position: int,
    total: int | None = 1_000_000,
    records: int = 0,
    rejected: int = 0,
    discarded: int = 0,
    activity: str = "loading",
    pool: PoolStats | None = POOL,
) -> Snapshot:
    return Snapshot(
        position=position,
        total=total,
        document_bytes=position,
        records=records,
        rejected=rejected,
        discarded=discarded,
        seconds=seconds,
        pool=pool,
        metrics=METRICS if pool else None,
        bottleneck="mapping: and why, and what to turn",
        activity=activity,
    )


@pytest.fixture(autouse=True)
def _impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("etl.progress.ThreadedProgress._INTERVAL", 0.01)


class Load:
    """Gives snapshots one after the other, then the last one for ever, and knows when all were asked for."""

    def __init__(self, *snapshots: Snapshot) -> None:
        self._coming: Iterator[Snapshot] = itertools.chain(snapshots, itertools.repeat(snapshots[-1]))
        self._asked = itertools.count(1)
        self._last = len(snapshots) + 1
        self.seen = threading.Event()

    def __call__(self) -> Snapshot:
        # Asked once more than there are: what the last one led to has been shown.
        if next(self._asked) == self._last:
            self.seen.set()
        return next(self._coming)


def run(progress: Progress, load: Load) -> None:
    progress.start(load)
    assert load.seen.wait(30)
    progress.stop()


def terminal() -> tuple[io.StringIO, Console]:
    output = io.StringIO()
    return output, Console(file=output, force_terminal=True, width=80, color_system=None)


def test_lines_tell_position_speed_rejects_queue_bottleneck_and_time_left() -> None:
    lines: list[str] = []
    run(LineProgress(lines.append), Load(snapshot(2.0, 250_000, records=30_000, rejected=12)))
    assert lines == [
        " 25% of 1.0 MB, 30,000 records, 900,000 records/min, 12 rejected, queue 50% full, bottleneck: mapping, "
        "6.0 s left"
    ]


def test_discarded_records_are_told() -> None:
    lines: list[str] = []
    run(LineProgress(lines.append), Load(snapshot(2.0, 250_000, records=30_000, discarded=1_200)))
    assert "records/min, 1,200 discarded, queue" in lines[0]


def test_while_nothing_is_loaded_yet_there_are_neither_records_nor_a_queue() -> None:
    looking = snapshot(2.0, 16_000_000, total=64_000_000, activity="inferring a mapping", pool=None)
    lines: list[str] = []
    run(LineProgress(lines.append), Load(looking))
    assert lines == [" 25% of 64 MB, inferring a mapping, 6.0 s left"]
    output, console = terminal()
    run(BarProgress(console), Load(looking))
    assert "inferring a mapping" in output.getvalue()
    assert "records" not in output.getvalue()


def test_a_display_can_begin_again_and_shows_notes_in_between_at_once() -> None:
    lines: list[str] = []
    progress = LineProgress(lines.append)
    run(progress, Load(snapshot(2.0, 1)))
    progress.note("between")
    assert lines[1:] == ["between"]
    run(progress, Load(snapshot(2.0, 2)))
    assert len(lines) == 3
    output, console = terminal()
    bar = BarProgress(console)
    run(bar, Load(snapshot(2.0, 250_000)))
    bar.note("between")
    assert output.getvalue().endswith("between\n")
    run(bar, Load(snapshot(2.0, 750_000)))
    assert "75%" in output.getvalue()


def test_lines_grow_rare() -> None:
    lines: list[str] = []
    run(LineProgress(lines.append), Load(*(snapshot(second, second * 1000) for second in (1, 2, 3, 4, 5, 6, 10, 11))))
    assert len(lines) == 3  # after 2, 5 and 10 seconds


def test_a_source_without_size_has_no_share_and_no_time_left() -> None:
    lines: list[str] = []
    run(LineProgress(lines.append), Load(snapshot(2.0, 5_000_000, total=None, records=100)))
    assert lines[0].startswith("5.0 MB read, 100 records")
    assert "left" not in lines[0]
    assert "%" not in lines[0].replace("queue 50% full", "")


def test_an_empty_source_is_not_divided_by() -> None:
    lines: list[str] = []
    run(LineProgress(lines.append), Load(snapshot(2.0, 0, total=0)))
    assert lines[0].startswith("0 bytes read")


def test_what_is_going_on_after_the_last_record_is_named() -> None:
    lines: list[str] = []
    run(LineProgress(lines.append), Load(snapshot(2.0, 1_000_000, activity="building keys")))
    assert "building keys" in lines[0]
    assert "left" not in lines[0]
    assert "bottleneck" not in lines[0]


def test_a_bar_shows_the_same_and_leaves_the_terminal_clean() -> None:
    output, console = terminal()
    run(BarProgress(console), Load(snapshot(2.0, 250_000, records=30_000, rejected=12)))
    shown = output.getvalue()
    for words in ("25% of 1.0 MB", "━", "6.0 s left", "900,000 records/min", "12 rejected", "bottleneck: mapping"):
        assert words in shown
    hide, show, erase_line = "\x1b[?25l", "\x1b[?25h", "\x1b[2K"
    assert shown.index(hide) < shown.index(show)
    assert erase_line in shown[shown.index(show) :]


def test_a_bar_without_size_pulses() -> None:
    output, console = terminal()
    run(BarProgress(console), Load(snapshot(2.0, 5_000_000, total=None)))
    assert "5.0 MB read" in output.getvalue()
    assert "left" not in output.getvalue()


@pytest.mark.parametrize("width", [10, 40, 80, 200])
def test_a_bar_fits_any_terminal(width: int) -> None:
    output = io.StringIO()
    console = Console(file=output, force_terminal=True, width=width, color_system=None)
    run(BarProgress(console), Load(snapshot(2.0, 250_000, records=10**12, rejected=10**9)))
    lines = [line for chunk in output.getvalue().split("\x1b[2K") for line in chunk.splitlines()]
    assert all(len(line.partition("\x1b")[0]) <= width for line in lines)


def test_notes_are_shown_in_order_before_during_and_without_a_load() -> None:
    lines: list[str] = []
    progress = LineProgress(lines.append)
    progress.note("first")
    progress.note("second")
    run(progress, Load(snapshot(0.1, 0)))
    assert lines == ["first", "second"]

    unstarted = LineProgress(lines.append)
    unstarted.note("third")
    unstarted.stop()
    unstarted.stop()
    assert lines == ["first", "second", "third"]


def test_a_note_does_not_wait_for_a_terminal_that_takes_no_output() -> None:
    stuck = threading.Event()
    released = threading.Event()

    def write(_line: str) -> None:
        stuck.set()
        released.wait(30)

    progress = LineProgress(write)
    progress.start(Load(snapshot(0.1, 0)))
    progress.note("nobody reads this")
    assert stuck.wait(30)
    for number in range(1000):
        progress.note(str(number))
    released.set()
    progress.stop()


def test_a_snapshot_that_raises_ends_the_display_alone(caplog: pytest.LogCaptureFixture) -> None:
    asked = threading.Event()

    def broken() -> Snapshot:
        asked.set()
        raise ZeroDivisionError("numbers")

    lines: list[str] = []
    progress = LineProgress(lines.append)
    with caplog.at_level(logging.ERROR, "etl"):
        progress.start(broken)
        assert asked.wait(30)
        progress.note("still said")
        progress.stop()
    assert lines == ["still said"]
    assert "display ended early" in caplog.text


def test_a_closed_terminal_ends_the_display_alone() -> None:
    def write(_line: str) -> None:
        raise BrokenPipeError

    progress = LineProgress(write)
    progress.note("to nobody")
    run(progress, _AskedOnce())


class _AskedOnce(Load):
    """The display may end after the first look, so one is enough."""

    def __init__(self) -> None:
        super().__init__(snapshot(2.0, 1))
        self._last = 1


def test_several_are_told_the_same() -> None:
    one: list[str] = []
    two: list[str] = []
    both = SeveralProgresses(LineProgress(one.append), LineProgress(two.append), SilentProgress())
    both.note("hello")
    run(SeveralProgresses(both), _AskedOnce())
    # Each looks at its own pace, so one may be stopped before its first line of numbers.
    assert one[0] == two[0] == "hello"


def test_speed_is_right_from_the_start_and_follows_changes() -> None:
    rates = Rates()
    rates.update(snapshot(0.5, 100_000, records=500))
    assert rates.records_per_minute == pytest.approx(60_000)
    assert rates.seconds_left(snapshot(0.5, 100_000)) == pytest.approx(4.5)
    for tick in range(1, 400):
        rates.update(snapshot(0.5 + tick / 4, 100_000 + tick * 1000, total=10**9, records=500 + tick * 10))
    assert rates.records_per_minute == pytest.approx(2400, rel=0.01)


def test_no_time_is_left_to_tell_at_the_end_or_before_anything_moved() -> None:
    rates = Rates()
    assert rates.seconds_left(snapshot(0.0, 0)) is None
    rates.update(snapshot(1.0, 1_000_000))
    assert rates.seconds_left(snapshot(1.0, 1_000_000)) is None


def test_numbers_are_short() -> None:
    sizes = [0, 999, 999.6, 1234, 9960, 12_345_678, 5e9, 3.2e12, 9e16]
    assert [format_bytes(size) for size in sizes] == [
        "0 bytes", "999 bytes", "1.0 kB", "1.2 kB", "10 kB", "12 MB", "5.0 GB", "3.2 TB", "90000 TB",
    ]  # fmt: skip
    times = [0.04, 9.94, 9.96, 59.6, 3599.7, 7000]
    assert [format_duration(time) for time in times] == [
        "0.0 s",
        "9.9 s",
        "10 s",
        "1 min 0 s",
        "1 h 0 min",
        "1 h 56 min",
    ]


def test_lists_are_cut_where_nobody_reads_on() -> None:
    assert format_list([]) == ""
    assert format_list(["a", "b"]) == "a, b"
    assert format_list(["x"] * 3000, 2) == "x, x and 2,998 more"
