"""Every fault point is hit on purpose: the load dies there by SIGKILL, and the same command ends as if undisturbed."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import get_args

import psycopg
import pytest
from sqlalchemy.engine import make_url

from etl.faults import Point
from tests.breaking.job import MAPPING, Job, make_job
from tests.breaking.outcome import Content, Outcome, assert_same, outcome
from tests.breaking.process import load, loading, run
from tests.breaking.refusing import create_refusing_tables
from tests.command import ETL

DUMP_BYTES = 250_000
SETTINGS = {"workers.kind": "inline", "insert.batch_records": 20, "insert.threads": 1}
KILLED = -9

FIRST_RUN: dict[Point, tuple[int, ...]] = {
    "in_registration": (1, 2),  # no source has begun, or one of two
    "in_ddl": (1,),
    "before_claim": (3,),
    "after_rows": (2,),
    "before_commit": (1,),
    "after_commit": (2,),
    "at_gap_check": (1,),
    "in_key_building": (3,),
    "before_finish": (1,),
}
"""Points that every load comes by, in its order, and at which time it dies there."""

MENDED = "mended.mapping.yaml"
"""The job's mapping, by which nothing is missing any more."""

ELSEWHERE: set[Point] = {"in_recovery", "in_retry", "in_emptying"}
"""Points of what not every load does; each has a test of its own below."""


@pytest.fixture(scope="module")
def job(tmp_path_factory: pytest.TempPathFactory) -> Job:
    job = make_job(tmp_path_factory.mktemp("faults"), DUMP_BYTES)
    mended = MAPPING.replace("type: date, required: true", "type: date, required: true, default: '1970-01-01'")
    (job.folder / MENDED).write_text(mended.replace("nulls: [US], ", ""), "utf-8")
    return job


def undisturbed(job: Job, url: str) -> Outcome:
    code, output = load(job, url, SETTINGS)
    assert code == 3, output
    return outcome(url)


def die(job: Job, url: str, fault: str) -> None:
    """Run the command until it dies at the fault point; what is there then is accounted for."""
    code, output = load(job, url, SETTINGS, fault=fault)
    assert code == KILLED, f"{fault} was not come by.\n{output}"
    Content(url).check_account()


def test_every_point_has_its_test() -> None:
    assert {*FIRST_RUN, *ELSEWHERE} == set(get_args(Point))


def test_killed_at_every_point_in_turn_it_ends_as_if_undisturbed(
    job: Job, target_url: str, another_url: Callable[[str], str]
) -> None:
    for point, times in FIRST_RUN.items():
        for time in times:
            die(job, target_url, f"{point}:{time}")
    code, output = load(job, target_url, SETTINGS)
    assert code in (0, 3), output
    assert_same(outcome(target_url), undisturbed(job, another_url(target_url)))


def test_killed_in_recovery_it_ends_as_if_undisturbed(
    job: Job, target_url: str, another_url: Callable[[str], str]
) -> None:
    reference = another_url(target_url)
    for url in (target_url, reference):
        create_refusing_tables(job, url)
    for time in (1, 9):
        die(job, target_url, f"in_recovery:{time}")
    code, output = load(job, target_url, SETTINGS)
    assert code in (0, 3), output
    expected = undisturbed(job, reference)
    assert_same(outcome(target_url), expected)
    assert any("check_failed" in line for line in expected.rows["etl_reject"])


def test_killed_in_emptying_the_tables_are_as_they_were(
    job: Job, target_url: str, another_url: Callable[[str], str]
) -> None:
    before = undisturbed(job, target_url)
    code, output = load(job, target_url, SETTINGS, "--again", fault="in_emptying")
    assert code == KILLED, output
    assert_same(outcome(target_url), before)
    code, output = load(job, target_url, SETTINGS, "--again", fault="after_commit:2")
    assert code == KILLED, output
    code, output = load(job, target_url, SETTINGS, "--again")
    assert code == 3, output
    assert_same(outcome(target_url), before)


def test_killed_in_a_retry_of_rejects_it_ends_as_if_undisturbed(
    job: Job, target_url: str, another_url: Callable[[str], str]
) -> None:
    def retry(url: str, fault: str = "") -> tuple[int, str]:
        command = [str(ETL), "retry", "--to", url, "--map", MENDED, "--set=insert.batch_records=3"]
        return run(job, command, fault)

    expected = {}
    for url in (another_url(target_url), target_url):
        expected[url] = undisturbed(job, url)
        if url == target_url:
            code, output = retry(url, "in_retry:3")
            assert code == KILLED, output
            Content(url).check_account()
        code, output = retry(url)
        assert code == 3, output
        expected[url] = outcome(url)
    reference, found = expected.values()
    assert_same(found, reference)
    assert not any("missing_value" in line for line in found.rows["etl_reject"])


def test_a_load_that_was_only_slow_commits_nothing_after_it_was_taken_over(
    job: Job, postgres_url: str, another_url: Callable[[str], str]
) -> None:
    """It stops where nothing is open; the server gives its locks up, as it does for a machine that does not answer."""
    with loading(job, postgres_url, SETTINGS, fault="after_commit:2:stop") as slow:
        slow.wait_stopped()
        with loading(job, postgres_url, SETTINGS) as early:
            assert early.wait() == 1
            assert f"process {slow.process_id}" in early.output
        end_sessions(postgres_url, "SELECT pid FROM pg_locks WHERE locktype = 'advisory'")
        code, output = load(job, postgres_url, SETTINGS)
        assert code == 3, output
        after = outcome(postgres_url)
        slow.go_on()
        assert slow.wait() == 1
        assert "taken" in slow.output
    assert_same(outcome(postgres_url), after)
    assert_same(after, undisturbed(job, another_url(postgres_url)))


def test_a_load_that_was_cut_off_before_its_commit_has_committed_nothing(
    job: Job, postgres_url: str, another_url: Callable[[str], str]
) -> None:
    with loading(job, postgres_url, SETTINGS, fault="before_commit:2:stop") as slow:
        slow.wait_stopped()
        end_sessions(postgres_url, "SELECT pid FROM pg_stat_activity WHERE application_name LIKE 'etl%'")
        code, output = load(job, postgres_url, SETTINGS)
        assert code == 3, output
        slow.go_on()
        assert slow.wait() == 1
        assert "taken" in slow.output
    assert_same(outcome(postgres_url), undisturbed(job, another_url(postgres_url)))


def test_a_second_load_into_sqlite_says_who_has_the_source_until_that_is_dead(
    job: Job, tmp_path: Path, another_url: Callable[[str], str]
) -> None:
    url = f"sqlite:///{tmp_path / 'target.db'}"
    with loading(job, url, SETTINGS, fault="after_commit:2:stop") as slow:
        slow.wait_stopped()
        with loading(job, url, SETTINGS) as early:
            assert early.wait() == 1
            assert f"process {slow.process_id}" in early.output
        slow.kill()
    code, output = load(job, url, SETTINGS)
    assert code in (0, 3), output
    assert_same(outcome(url), undisturbed(job, another_url(url)))


def end_sessions(url: str, which: str) -> None:
    """End server processes of this database, and wait until they are gone."""
    here = "SELECT pid FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()"
    sessions = f"SELECT DISTINCT pid FROM ({which}) AS found WHERE pid IN ({here})"
    with psycopg.connect(url, autocommit=True) as connection:
        ended = connection.execute(
            f"SELECT bool_and(pg_terminate_backend(pid, 10000)) FROM ({sessions}) AS sessions".encode()
        ).fetchone()
    assert ended == (True,)


@pytest.fixture
def another_url(request: pytest.FixtureRequest, postgres_server: str, tmp_path: Path) -> Callable[[str], str]:
    """Gives an empty database of the same kind as the one of a URL."""

    def make(url: str) -> str:
        if url.startswith("sqlite"):
            return f"sqlite:///{tmp_path / 'another.db'}"
        name = "etl_another"
        with psycopg.connect(postgres_server, autocommit=True) as connection:
            connection.execute(f"CREATE DATABASE {name}".encode())
        request.addfinalizer(lambda: drop(postgres_server, name))
        return make_url(url).set(database=name).render_as_string(hide_password=False)

    return make


def drop(server: str, name: str) -> None:
    with psycopg.connect(server, autocommit=True) as connection:
        connection.execute(f"DROP DATABASE {name} WITH (FORCE)".encode())
