"""Loads through a network, or beside others, that get in their way: what is there in the end is what would be."""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Literal

import psycopg
import pytest
from sqlalchemy.engine import make_url

import etl
from env_prep.postgres_proxy import Plain, Proxy
from etl.errors import ConnectionLost
from etl.metrics import Snapshot
from etl.options import Settings, build_settings
from etl.report import LoadReport
from etl.targets import sqlite
from tests.acceptance.contents import count
from tests.breaking.job import Job, make_job
from tests.breaking.outcome import Outcome, outcome
from tests.breaking.server import CrashingServer, crashing_server
from tests.command import etl as etl_command
from tests.integration.test_flow import WAIT_SECONDS, in_background, own_threads, wait_until
from tests.proxies import NoCopies, RandomDrops, SwallowedCommits

SIZE = 500_000
"""Bytes of each of the two documents: some forty batches."""

SETTINGS: Settings = build_settings(
    {
        "workers": {"kind": "inline"},
        "insert": {"threads": 2, "batch_records": 25, "max_wait": "20ms"},
        "split": {"bytes": "8KiB"},
        "errors": {"max": "unlimited"},
        "retry": {"first_wait": "5ms", "max_wait": "1s"},
    }
)


class Notes:
    """A progress that keeps the notes, and calls `on_retry` with each that tells of a further try."""

    def __init__(self, on_retry: Callable[[str], object] = lambda _: None) -> None:
        self._on_retry = on_retry
        self.retries: list[str] = []

    def start(self, snapshot: Callable[[], Snapshot]) -> None:
        pass

    def note(self, sentence: str) -> None:
        if "Trying again" in sentence:
            self.retries.append(sentence)
            self._on_retry(sentence)

    def stop(self) -> None:
        pass


@pytest.fixture(scope="module")
def job(tmp_path_factory: pytest.TempPathFactory) -> Job:
    return make_job(tmp_path_factory.mktemp("job"), SIZE)


@pytest.fixture(autouse=True)
def in_its_folder(job: Job, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(job.folder)


def load(url: str, notes: Notes | None = None, settings: Settings = SETTINGS, **options: object) -> LoadReport:
    return etl.load(
        ["catalog.xml", "releases.xml.gz"],
        mapping="job.mapping.yaml",
        target=url,
        settings=settings,
        progress=notes or Notes(),
        **options,  # type: ignore[arg-type]
    )


@pytest.fixture(scope="module")
def undisturbed(job: Job, postgres_server: str) -> Iterator[tuple[Outcome, LoadReport]]:
    with pytest.MonkeyPatch.context() as patch, psycopg.connect(postgres_server, autocommit=True) as connection:
        patch.chdir(job.folder)
        connection.execute("CREATE DATABASE etl_undisturbed")
        url = make_url(postgres_server).set(database="etl_undisturbed").render_as_string(hide_password=False)
        report = load(url)
        yield outcome(url), report
        connection.execute("DROP DATABASE etl_undisturbed WITH (FORCE)")


def check(
    url: str, report: LoadReport, undisturbed: tuple[Outcome, LoadReport], *also: Literal["tables", "source_bytes"]
) -> None:
    """Nothing lost and nothing twice, neither in the database nor in what was said of it."""
    expected, before = undisturbed
    assert outcome(url) == expected
    for name in ("state", "records", "loaded", "rejected", "discarded", "skipped", *also):
        assert getattr(report, name) == getattr(before, name), name
    assert set(report.rejects) == set(before.rejects)


@pytest.mark.parametrize(
    "network",
    [
        RandomDrops(seed=1, low=10_000, high=30_000, times=12),
        RandomDrops(seed=2, low=7_500, high=50_000, times=12),
        SwallowedCommits(times=6, every=3),
    ],
    ids=["drops-1", "drops-2", "swallowed"],
)
def test_what_a_bad_network_breaks_is_done_again_once(
    postgres_url: str, undisturbed: tuple[Outcome, LoadReport], network: RandomDrops | SwallowedCommits
) -> None:
    notes = Notes()
    with Proxy(postgres_url, network) as proxy:
        report = load(proxy.url, notes)
    check(postgres_url, report, undisturbed, "tables", "source_bytes")
    assert network.broken == len(notes.retries) > 4
    assert all("was lost" in note and " of 8)" in note and "probably" not in note for note in notes.retries)


def test_a_server_that_cannot_be_reached_for_a_while_is_waited_for(
    postgres_url: str, undisturbed: tuple[Outcome, LoadReport]
) -> None:
    refused: list[bool] = []

    def refuse(_committed: object) -> None:
        if not refused:
            refused.append(True)
            proxy.refuse()

    def accept(note: str) -> None:
        if "(attempt 2 " in note and len(refused) == 1:
            refused.append(True)
            proxy.accept()

    with Proxy(postgres_url) as proxy:
        notes = Notes(accept)
        report = load(proxy.url, notes, on_batch=refuse)
    check(postgres_url, report, undisturbed, "tables", "source_bytes")
    assert len(refused) == 2
    assert any("Connection refused" in note for note in notes.retries)


def test_attempts_are_bounded_and_the_same_command_goes_on(
    job: Job, postgres_url: str, undisturbed: tuple[Outcome, LoadReport]
) -> None:
    quick = {"retry.attempts": 2, "retry.first_wait": "5ms", "insert.threads": 1}
    with Proxy(postgres_url, NoCopies()) as proxy:
        # The name of the database stays, and so does the ledger; only the way to it changes.
        ended = etl_command(*job.command(proxy.url, quick)[1:], cwd=job.folder)
    assert ended.code == 1, ended.err
    assert "was lost" in ended.err
    assert "tried again 2 times (retry.attempts). The same command goes on" in " ".join(ended.err.split())
    assert "Traceback" not in ended.err
    assert ended.err.count("Trying again in") == 2
    assert count(postgres_url, "etl_split") == 0
    again = etl_command(*job.command(postgres_url, {})[1:], cwd=job.folder)
    assert again.code == 3, again.err
    assert outcome(postgres_url) == undisturbed[0]


@pytest.mark.parametrize("attempts", [0, 3])
def test_the_last_error_is_told_once_the_attempts_are_used_up(postgres_url: str, attempts: int) -> None:
    notes = Notes()
    settings = SETTINGS.model_copy(update={"retry": SETTINGS.retry.model_copy(update={"attempts": attempts})})
    with Proxy(postgres_url, NoCopies()) as proxy, pytest.raises(ConnectionLost, match="was lost") as caught:
        load(proxy.url, notes, settings)
    assert ("tried again 3 times" in str(caught.value)) == (attempts == 3)
    assert len(notes.retries) <= 2 * attempts
    assert isinstance(caught.value.report, LoadReport)


def test_a_load_that_ends_waits_for_no_further_attempt(postgres_url: str) -> None:
    waits = threading.Event()

    def refuse_and_raise(_committed: object) -> None:
        proxy.refuse()
        assert waits.wait(WAIT_SECONDS)
        raise ValueError("enough")

    patient = SETTINGS.retry.model_copy(update={"first_wait": 3600.0, "max_wait": 3600.0})
    settings = SETTINGS.model_copy(update={"retry": patient})
    with Proxy(postgres_url) as proxy, pytest.raises(etl.CallbackError, match="enough"):
        load(proxy.url, Notes(lambda _: waits.set()), settings, on_batch=refuse_and_raise)
    assert own_threads() == []


@pytest.fixture(scope="module")
def own_server() -> Iterator[CrashingServer]:
    with crashing_server() as server:
        yield server


def test_a_server_that_is_restarted_is_waited_for(
    own_server: CrashingServer, undisturbed: tuple[Outcome, LoadReport]
) -> None:
    url = own_server.fresh()
    restarted: list[bool] = []

    def restart(_committed: object) -> None:
        if not restarted:
            restarted.append(True)
            own_server.crash()
            own_server.start()

    notes = Notes()
    patient = SETTINGS.retry.model_copy(update={"attempts": 1000, "max_wait": 0.2})
    settings = SETTINGS.model_copy(update={"retry": patient})
    report = load(url, notes, settings, on_batch=restart)
    check(url, report, undisturbed)
    assert notes.retries


def test_a_locked_file_is_waited_for_again_and_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, undisturbed: tuple[Outcome, LoadReport]
) -> None:
    file = tmp_path / "target.db"
    other = sqlite3.connect(file, check_same_thread=False, isolation_level=None)
    locked: list[bool] = []

    def lock(_committed: object) -> None:
        if not locked:
            other.execute("BEGIN IMMEDIATE")
            monkeypatch.setattr(sqlite, "BUSY_SECONDS", 0.02)
            locked.append(True)

    def unlock(note: str) -> None:
        if "(attempt 2 " in note:
            monkeypatch.undo()
            other.execute("ROLLBACK")

    notes = Notes(unlock)
    monkeypatch.setattr(sqlite, "BUSY_STEP_SECONDS", 0.01)
    report = load(f"sqlite:///{file}", notes, on_batch=lock)
    other.close()
    assert len(notes.retries) >= 2
    assert all("is locked" in note for note in notes.retries)
    assert report.state == "finished"
    assert outcome(f"sqlite:///{file}").totals == undisturbed[0].totals
    assert (report.loaded, report.tables) == (undisturbed[1].loaded, undisturbed[1].tables)


MEET = """
    CREATE SEQUENCE times;
    CREATE FUNCTION meet() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN
        PERFORM pg_advisory_xact_lock(1);
        IF nextval('times') = 1 THEN
            WHILE NOT EXISTS (SELECT FROM pg_locks WHERE (classid, objid, objsubid) = (0, 1, 1) AND NOT granted) LOOP
                PERFORM pg_sleep(0.005);
            END LOOP;
            PERFORM pg_advisory_xact_lock(2);
        END IF;
        RETURN NULL;
    END $$;
    CREATE TRIGGER meet AFTER INSERT ON label FOR EACH STATEMENT EXECUTE FUNCTION meet();
"""
"""Who writes to the table has lock 1, and when somebody waits for that, the first one wants lock 2."""

HOLDS_ONE = "SELECT 1 FROM pg_locks WHERE (classid, objid, objsubid) = (0, 1, 1) AND granted"


def test_a_deadlock_is_tried_again(postgres_url: str, undisturbed: tuple[Outcome, LoadReport]) -> None:
    notes = Notes()
    one_thread = SETTINGS.model_copy(update={"insert": SETTINGS.insert.model_copy(update={"threads": 1})})
    load(postgres_url, limit=1)
    with psycopg.connect(postgres_url, autocommit=True) as connection:
        connection.execute(MEET)
        connection.execute(f"ALTER DATABASE {make_url(postgres_url).database} SET deadlock_timeout = '20ms'".encode())
        connection.execute("SET deadlock_timeout = '10min'")  # so that the load is the one that finds it, and ends
        with connection.transaction():
            connection.execute("SELECT pg_advisory_xact_lock(2)")
            with in_background(lambda: load(postgres_url, notes, one_thread)) as loading:
                wait_until(lambda: connection.execute(HOLDS_ONE).fetchone() or loading.done())
                connection.execute("SELECT pg_advisory_xact_lock(1)")
                connection.execute("ROLLBACK")
                report = loading.result(WAIT_SECONDS)
    assert report.state == "finished"
    assert any("deadlock detected" in note for note in notes.retries)
    assert outcome(postgres_url).rows == undisturbed[0].rows


def test_a_connection_lost_after_the_last_commit_spoils_nothing(
    postgres_url: str, undisturbed: tuple[Outcome, LoadReport]
) -> None:
    """The report is read from the ledger when all is done."""

    class AskedForRejects(Plain):
        broken = 0

        def to_server(self, data: bytes) -> bytes | None:
            if b"row_number()" in data and not self.broken:
                self.broken += 1
                return None
            return data

    network, notes = AskedForRejects(), Notes()
    with Proxy(postgres_url, network) as proxy:
        report = load(proxy.url, notes)
    check(postgres_url, report, undisturbed, "tables", "source_bytes")
    assert network.broken == len(notes.retries) == 1
