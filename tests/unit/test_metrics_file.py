"""Numbers of a running load as JSON lines: what is in them, and that nothing about the file can hurt the load."""

from __future__ import annotations

import contextlib
import errno
import json
import os
import threading
from pathlib import Path
from typing import Any

import pytest

from etl.errors import SettingsError, TargetError
from etl.metrics_file import MetricsFile
from tests.unit.test_progress import Load, run, snapshot
from tests.unit.test_summary import FINISHED


@pytest.fixture(autouse=True)
def _impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("etl.metrics_file.MetricsFile._INTERVAL", 0.01)


def lines(file: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in file.read_text("ascii").splitlines()]


def test_each_line_tells_all_by_itself_and_the_last_one_is_the_report(tmp_path: Path) -> None:
    file = tmp_path / "metrics"
    file.write_text('{"of": "yesterday"}\n', "ascii")
    with MetricsFile(file, pytest.fail) as metrics:
        run(metrics, Load(snapshot(2.0, 250_000, records=30_000, rejected=12)))
        told = lines(file)
        metrics.finished(FINISHED)
    assert told[0] == {"of": "yesterday"}
    assert told[1]["time"].endswith("+00:00")
    expected = {"activity": "loading", "seconds": 2.0, "position": 250_000, "total": 1_000_000, "records": 30_000}
    assert expected.items() <= told[1].items()
    assert (told[1]["rejected"], told[1]["records_per_minute"]) == (12, 900_000)
    assert told[1]["pool"]["queue_fill"] == 0.5
    assert told[1]["metrics"]["mapping"] == {"busy": 4.0, "waiting": 0.0, "idle": 0.0}
    assert told[1]["bottleneck"] == "mapping: and why, and what to turn"
    assert lines(file)[:-1] == told
    last = lines(file)[-1]
    assert (last["activity"], last["error"]) == ("finished", None)
    assert last["report"] == json.loads(FINISHED.to_json())


def test_a_load_that_fails_leaves_its_error_and_its_report(tmp_path: Path) -> None:
    def fails(error: BaseException) -> dict[str, Any]:
        with pytest.raises(type(error)), MetricsFile(tmp_path / "metrics", pytest.fail):
            raise error
        return lines(tmp_path / "metrics")[-1]

    lost = TargetError("postgresql://me:secret@host/db is gone.")
    last = fails(lost)
    assert (last["activity"], last["error"]) == ("failed", "postgresql://me:***@host/db is gone.")
    assert last["report"] is None
    lost.report = FINISHED
    assert fails(lost)["report"]["loaded"] == FINISHED.loaded
    assert fails(KeyboardInterrupt())["activity"] == "aborted"


def test_a_file_that_cannot_be_written_is_told_before_the_load(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match=r"Cannot write the metrics .*nowhere/metrics: No such file or directory\."):
        MetricsFile(tmp_path / "nowhere" / "metrics", pytest.fail)


def test_a_pipe_that_nobody_reads_is_told_and_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(SettingsError, match=r"Cannot write the metrics .*/pipe: nobody reads this pipe\."):
        MetricsFile(tmp_path / "pipe", pytest.fail)


def test_a_line_that_was_cut_short_spoils_no_other(tmp_path: Path) -> None:
    file = tmp_path / "metrics"
    file.write_text('{"cut', "ascii")
    with MetricsFile(file, pytest.fail):
        pass
    cut, line = file.read_text("ascii").splitlines()
    assert cut == '{"cut'
    assert json.loads(line)["pid"] == os.getpid()


def test_a_full_disk_ends_the_lines_with_one_sentence() -> None:
    said: list[str] = []
    with MetricsFile(Path("/dev/full"), said.append) as metrics:
        run(metrics, Load(*[snapshot(second, 1) for second in (1.0, 2.0, 3.0)]))
    assert said == [f"The metrics /dev/full end here: {os.strerror(errno.ENOSPC)}. The load goes on."]


def test_a_reader_that_has_left_ends_the_lines_with_one_sentence(tmp_path: Path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    reader = os.open(pipe, os.O_RDONLY | os.O_NONBLOCK)
    said: list[str] = []
    with MetricsFile(pipe, said.append) as metrics:
        run(metrics, Load(snapshot(1.0, 1)))
        assert json.loads(os.read(reader, 100_000).splitlines()[0])["position"] == 1
        os.close(reader)
    assert said == [f"The metrics {pipe} end here: {os.strerror(errno.EPIPE)}. The load goes on."]


def test_a_reader_that_takes_nothing_holds_nobody_up(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("etl.metrics_file.MetricsFile._STOP_WAIT", 0.01)
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    reader, other = os.open(pipe, os.O_RDONLY | os.O_NONBLOCK), os.open(pipe, os.O_WRONLY | os.O_NONBLOCK)
    with contextlib.suppress(BlockingIOError):
        while True:
            os.write(other, bytes(4096))
    told = threading.Event()
    with MetricsFile(pipe, lambda _: told.set()):
        """Its last line finds the pipe full."""
    assert not told.is_set()
    os.close(reader)
    os.close(other)
    assert told.wait(30)
