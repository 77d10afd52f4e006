"""The flow from source to commit under stress: a slow or dying database, results of any size, Ctrl-C."""

from __future__ import annotations

import gzip
import os
import signal
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import psycopg
import pytest

import etl
from etl.errors import TargetError
from etl.metrics import Snapshot
from etl.options import Settings, build_settings
from etl.report import LoadReport
from etl.stages import INLINE_BELOW
from tests.acceptance.contents import count, query
from tests.command import ETL, environment
from tests.command import etl as etl_command
from tests.integration.bad_input import MAPPING, document, item
from tests.listening import is_stopped, line_with, rest

KIB, MIB = 2**10, 2**20
WAIT_SECONDS = 60.0
"""How long a test waits for something that will come, on however slow a machine."""


class Watcher:
    """A progress that keeps what a test asks for: the load's snapshot at any moment, and the largest window seen."""

    def __init__(self) -> None:
        self._snapshot: Callable[[], Snapshot] | None = None
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)
        self.largest_window = 0
        """Bytes."""

    def start(self, snapshot: Callable[[], Snapshot]) -> None:
        self._snapshot = snapshot
        self._thread.start()

    def note(self, sentence: str) -> None:
        pass

    def stop(self) -> None:
        self._stopped.set()

    def now(self) -> Snapshot | None:
        return self._snapshot() if self._snapshot else None

    def window_is_full(self) -> bool:
        """And no worker has anything left to do."""
        pool = self._snapshot().pool if self._snapshot else None
        return pool is not None and pool.busy == pool.splits_in_flight == 0 and pool.queue_fill > 0.8

    def _watch(self) -> None:
        assert self._snapshot is not None
        while not self._stopped.wait(0.001):
            if (pool := self._snapshot().pool) is not None:
                self.largest_window = max(self.largest_window, pool.queued_bytes)


def wait_until(condition: Callable[[], object]) -> None:
    """Wait until the condition holds; fail the test if it never does."""
    deadline = time.monotonic() + WAIT_SECONDS
    while not condition():
        assert time.monotonic() < deadline, "it never came"
        time.sleep(0.01)


@contextmanager
def in_background(work: Callable[[], LoadReport]) -> Iterator[Future[LoadReport]]:
    """A load on a thread of its own."""
    with ThreadPoolExecutor(1, "test-load") as pool:
        yield pool.submit(work)


def own_threads() -> list[str]:
    """Names of this program's threads that run."""
    return [thread.name for thread in threading.enumerate() if thread.name.startswith("etl-")]


@pytest.fixture
def mapping(tmp_path: Path) -> Path:
    file = tmp_path / "items.mapping.yaml"
    file.write_text(MAPPING)
    return file


def write_items(file: Path, numbers: range, name: bytes = b"%0200d") -> Path:
    """A source with these records, each about 240 bytes."""
    file.write_bytes(document(*(item(number, name % number) for number in numbers)))
    return file


SMALL_WINDOW: Settings = build_settings(
    {
        "workers": {"kind": "thread", "count": 2},
        "queue": {"max_bytes": MIB},
        "split": {"bytes": 32 * KIB},
        "insert": {"batch_bytes": 256 * KIB, "threads": 2},
    }
)
_SMALL_SLACK = 4 * 3 * 40 * KIB
"""Slots times the largest split and result of these records: what may be in memory beyond the window."""


def test_workers_go_on_until_the_window_is_full_while_the_database_takes_nothing(
    tmp_path: Path, mapping: Path, postgres_url: str
) -> None:
    etl.load(write_items(tmp_path / "first.xml", range(1, 2)), mapping=mapping, target=postgres_url)
    source = write_items(tmp_path / "items.xml", range(2, 40_000))
    watcher = Watcher()

    def load() -> LoadReport:
        return etl.load(source, mapping=mapping, target=postgres_url, settings=SMALL_WINDOW, progress=watcher)

    with psycopg.connect(postgres_url) as blocker:
        blocker.execute("LOCK TABLE item IN SHARE MODE")
        with in_background(load) as loading:
            wait_until(watcher.window_is_full)
            stalled = watcher.now()
            blocker.rollback()
            report = loading.result(WAIT_SECONDS)

    assert stalled is not None
    assert stalled.records == 0
    assert stalled.position < source.stat().st_size
    assert watcher.largest_window <= MIB + _SMALL_SLACK
    assert (report.state, report.loaded) == ("finished", 39_998)
    assert count(postgres_url, "item") == 39_999


def test_a_slow_database_leaves_memory_flat(tmp_path: Path, mapping: Path, postgres_url: str) -> None:
    etl.load(write_items(tmp_path / "first.xml", range(1, 2)), mapping=mapping, target=postgres_url)
    with psycopg.connect(postgres_url) as connection:
        connection.execute("""
            CREATE FUNCTION slow() RETURNS trigger LANGUAGE plpgsql AS $$
            BEGIN PERFORM pg_sleep(0.1); RETURN NULL; END $$;
            CREATE TRIGGER slow BEFORE INSERT ON item FOR EACH STATEMENT EXECUTE FUNCTION slow();
        """)
    peaks = []
    for name, numbers in (("short", range(2, 20_000)), ("long", range(20_000, 140_000))):
        source = write_items(tmp_path / f"{name}.xml", numbers)
        # One process, so that one number is all there is.
        settings = ["workers.kind=thread", "queue.max_bytes=4MiB", "insert.batch_bytes=1MiB"]
        arguments = [argument for setting in settings for argument in ("--set", setting)]
        result = etl_command("load", source, "--map", mapping, "--to", postgres_url, "-q", *arguments, cwd=tmp_path)
        assert result.code == 0, result.err
        peaks.append(result.peak_memory)
    assert count(postgres_url, "item") == 139_999
    assert peaks[1] < peaks[0] + 12 * MIB


def test_a_mapping_that_expands_its_input_keeps_the_bound(tmp_path: Path, target_url: str) -> None:
    columns = "".join(f"      c{number}: .\n" for number in range(100))
    mapping = tmp_path / "wide.mapping.yaml"
    mapping.write_text(f"version: 1\ntables:\n  item:\n    each: /items/item\n    columns:\n{columns}")
    source = write_items(tmp_path / "items.xml", range(1, 4001))
    watcher = Watcher()
    settings = SMALL_WINDOW.model_copy(update={"split": SMALL_WINDOW.split.model_copy(update={"bytes": 8 * KIB})})
    report = etl.load(source, mapping=mapping, target=target_url, settings=settings, progress=watcher)
    assert report.loaded == count(target_url, "item") == 4000
    # A split holds up to 9 KiB; 100 copies of it, and as much again for what tuples cost beyond their text.
    assert watcher.largest_window <= MIB + 4 * 2 * 100 * 9 * KIB


@pytest.mark.usefixtures("both_ways")
@pytest.mark.parametrize("kind", ["inline", "thread", "process"])
def test_a_record_larger_than_the_queue_goes_through(tmp_path: Path, mapping: Path, target_url: str, kind: str) -> None:
    source = tmp_path / "items.xml"
    source.write_bytes(document(item(1), item(2, b"x" * MIB), item(3), item(4, b"y" * MIB), item(5)))
    settings = build_settings({"workers": {"kind": kind}, "queue": {"max_bytes": 4 * KIB}, "split": {"bytes": KIB}})
    report = etl.load(source, mapping=mapping, target=target_url, settings=settings)
    assert report.loaded == 5
    lengths = query(target_url, "SELECT id, length(name) FROM item ORDER BY id")
    assert lengths == [(1, 6), (2, MIB), (3, 6), (4, MIB), (5, 6)]


@pytest.mark.parametrize(("records", "workers"), [(10, 1), (5000, 2)])
def test_whether_a_compressed_source_is_worth_workers_hangs_on_what_is_in_it(
    tmp_path: Path, mapping: Path, records: int, workers: int
) -> None:
    content = gzip.compress(document(*(item(number, b"x" * 200) for number in range(records))))
    assert len(content) < INLINE_BELOW
    (tmp_path / "items.xml.gz").write_bytes(content)
    settings = build_settings({"workers": {"count": 2}})
    report = etl.load(tmp_path / "items.xml.gz", mapping=mapping, target="memory://", settings=settings)
    assert report.loaded == records
    assert report.metrics is not None
    assert report.metrics.most_workers == workers


def test_a_window_of_records_holds_back_too(tmp_path: Path, mapping: Path, target_url: str) -> None:
    source = write_items(tmp_path / "items.xml", range(1, 3001))
    settings = build_settings(
        {"workers": {"kind": "thread"}, "queue": {"max_records": 50}, "split": {"bytes": 4 * KIB}}
    )
    assert etl.load(source, mapping=mapping, target=target_url, settings=settings).loaded == 3000
    assert count(target_url, "item") == 3000


@pytest.mark.parametrize("kind", ["inline", "thread", "process"])
def test_a_permanent_error_while_writing_ends_the_load_with_it(
    tmp_path: Path, mapping: Path, postgres_url: str, kind: str
) -> None:
    etl.load(write_items(tmp_path / "first.xml", range(1, 2)), mapping=mapping, target=postgres_url)
    source = write_items(tmp_path / "items.xml", range(2, 200_000))
    dropped: list[bool] = []

    def drop_table(_committed: object) -> None:
        if not dropped:
            with psycopg.connect(postgres_url) as connection:
                connection.execute("DROP TABLE item")
            dropped.append(True)

    settings = build_settings(
        {"workers": {"kind": kind}, "queue": {"max_bytes": MIB}, "insert": {"batch_bytes": 128 * KIB}}
    )
    with pytest.raises(TargetError, match="item") as caught:
        etl.load(source, mapping=mapping, target=postgres_url, settings=settings, on_batch=drop_table)
    report = getattr(caught.value, "report", None)
    assert isinstance(report, LoadReport)
    assert report.state == "failed"
    assert report.exit_code == 1
    assert report.loaded < 199_998
    assert own_threads() == []


def test_a_blocked_feeder_hears_of_a_dead_insert_thread(tmp_path: Path, mapping: Path, postgres_url: str) -> None:
    """The window is full, the feeder waits for room, and then the writing connections are killed for good."""
    etl.load(write_items(tmp_path / "first.xml", range(1, 2)), mapping=mapping, target=postgres_url)
    source = write_items(tmp_path / "items.xml", range(2, 40_000))
    watcher = Watcher()

    def load() -> LoadReport:
        return etl.load(source, mapping=mapping, target=postgres_url, settings=SMALL_WINDOW, progress=watcher)

    with psycopg.connect(postgres_url) as blocker:
        blocker.execute("LOCK TABLE item IN SHARE MODE")
        with in_background(load) as loading:
            wait_until(watcher.window_is_full)
            blocker.execute("DROP TABLE item")
            blocker.commit()
            with pytest.raises(TargetError, match="item"):
                loading.result(WAIT_SECONDS)
    assert own_threads() == []


def _start(source: Path, mapping: Path, url: str, *settings: str, fault: str = "") -> subprocess.Popen[str]:
    """The real command in a process group of its own."""
    arguments = [argument for setting in settings for argument in ("--set", setting)]
    command = [str(ETL), "load", str(source), "--map", str(mapping), "--to", url, *arguments]
    return subprocess.Popen(
        command,
        cwd=mapping.parent,
        env=environment({"ETL_FAULT": fault}),
        text=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        start_new_session=True,
    )


def _half_way(source: Path, mapping: Path, url: str, *settings: str) -> subprocess.Popen[str]:
    """The real command, stopped after a few of a great many commits: signals come when it goes on."""
    process = _start(source, mapping, url, *settings, *_TINY_STEPS, fault="after_commit:3:stop")
    wait_until(lambda: is_stopped(process))
    return process


def _committed(url: str) -> int:
    """Records whose ledger entries are committed."""
    return int(query(url, "SELECT coalesce(sum(records), 0) FROM etl_split")[0][0])


_TINY_STEPS = ("split.bytes=2KiB", "insert.batch_records=20", "insert.threads=1", "queue.max_bytes=64KiB")


@pytest.mark.parametrize(
    ("kind", "number"),
    [("inline", signal.SIGINT), ("thread", signal.SIGTERM), ("process", signal.SIGINT)],
    ids=["inline-SIGINT", "thread-SIGTERM", "process-SIGINT"],
)
def test_ctrl_c_drains_and_the_same_command_goes_on(
    tmp_path: Path, mapping: Path, target_url: str, kind: str, number: signal.Signals
) -> None:
    source = write_items(tmp_path / "items.xml", range(1, 30_001), b"%020d")
    process = _half_way(source, mapping, target_url, f"workers.kind={kind}", "workers.count=2")
    process.send_signal(number)
    process.send_signal(signal.SIGCONT)
    out, err = process.communicate(timeout=WAIT_SECONDS)
    assert process.returncode == 4, out + err
    assert "Traceback" not in err
    assert "same command" in err
    # What the ledger says is what is there, and it is the beginning of the document without a gap.
    loaded = count(target_url, "item")
    assert 0 < loaded < 30_000
    assert _committed(target_url) == loaded
    assert query(target_url, "SELECT min(id), max(id) FROM item") == [(1, loaded)]

    again = etl_command("load", source, "--map", mapping, "--to", target_url, "--json", cwd=tmp_path)
    assert again.code == 0, again.err
    assert (again.report["skipped"], again.report["loaded"]) == (loaded, 30_000 - loaded)
    rows = query(target_url, "SELECT id, name FROM item ORDER BY id")
    assert rows == [(n, f"{n:020d}") for n in range(1, 30_001)]


def test_ctrl_c_at_the_terminal_reaches_the_workers_too(tmp_path: Path, mapping: Path) -> None:
    url = f"sqlite:///{tmp_path / 'items.db'}"
    source = write_items(tmp_path / "items.xml", range(1, 30_001), b"%020d")
    process = _half_way(source, mapping, url, "workers.kind=process")
    os.killpg(process.pid, signal.SIGINT)  # as a terminal does: to every process of the group
    process.send_signal(signal.SIGCONT)
    out, err = process.communicate(timeout=WAIT_SECONDS)
    assert process.returncode == 4, out + err
    assert "Traceback" not in err
    assert _committed(url) == count(url, "item") > 0


def test_a_second_ctrl_c_aborts_and_the_same_command_goes_on(tmp_path: Path, mapping: Path, postgres_url: str) -> None:
    etl.load(write_items(tmp_path / "first.xml", range(1, 2)), mapping=mapping, target=postgres_url)
    source = write_items(tmp_path / "items.xml", range(2, 5001))
    with psycopg.connect(postgres_url) as blocker:
        blocker.execute("LOCK TABLE item IN SHARE MODE")
        process = _start(source, mapping, postgres_url, *_TINY_STEPS)
        with psycopg.connect(postgres_url, autocommit=True) as looker:
            wait_until(
                lambda: looker.execute(
                    "SELECT 1 FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND datname = current_database()"
                ).fetchone()
            )
        process.send_signal(signal.SIGINT)
        line_with(process.stderr, "Stopping")  # and two that come together are one signal
        assert process.poll() is None, "it drains, and cannot"
        process.send_signal(signal.SIGINT)
        out, err = rest(process)
    assert process.returncode == 4, out + err
    assert "Traceback" not in err
    again = etl_command("load", source, "--map", mapping, "--to", postgres_url, "-q", cwd=tmp_path)
    assert again.code == 0, again.err
    assert query(postgres_url, "SELECT count(*), count(DISTINCT id) FROM item") == [(5000, 5000)]


def test_a_killed_load_goes_on(tmp_path: Path, mapping: Path, target_url: str) -> None:
    source = write_items(tmp_path / "items.xml", range(1, 30_001), b"%020d")
    process = _half_way(source, mapping, target_url)
    process.kill()
    process.communicate(timeout=WAIT_SECONDS)
    assert process.returncode == -signal.SIGKILL
    again = etl_command("load", source, "--map", mapping, "--to", target_url, "-q", cwd=tmp_path)
    assert again.code == 0, again.err
    rows = query(target_url, "SELECT id, name FROM item ORDER BY id")
    assert rows == [(n, f"{n:020d}") for n in range(1, 30_001)]


def test_a_load_goes_on_when_its_connections_are_lost(tmp_path: Path, mapping: Path, postgres_url: str) -> None:
    source = write_items(tmp_path / "items.xml", range(1, 40_001))
    cuts: list[bool] = []

    def cut(_committed: object) -> None:
        if len(cuts) < 3:
            cuts.append(True)
            with psycopg.connect(postgres_url) as connection:
                connection.execute(
                    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
                    " WHERE datname = current_database() AND pid <> pg_backend_pid()"
                )

    report = etl.load(source, mapping=mapping, target=postgres_url, settings=SMALL_WINDOW, on_batch=cut)
    assert (report.state, report.loaded, len(cuts)) == ("finished", 40_000, 3)
    assert own_threads() == []
    assert query(postgres_url, "SELECT count(*), count(DISTINCT id) FROM item") == [(40_000, 40_000)]


def test_a_callback_that_raises_ends_the_load_and_it_goes_on(tmp_path: Path, mapping: Path, target_url: str) -> None:
    source = write_items(tmp_path / "items.xml", range(1, 5001))

    def raise_(_committed: object) -> None:
        raise KeyError("in the user's code")

    with pytest.raises(etl.errors.CallbackError, match="KeyError"):
        etl.load(source, mapping=mapping, target=target_url, settings=SMALL_WINDOW, on_batch=raise_)
    assert own_threads() == []
    assert 0 < count(target_url, "item") <= 5000
    etl.load(source, mapping=mapping, target=target_url)
    assert count(target_url, "item") == 5000
