"""Every fault point is hit on purpose: the load dies there by SIGKILL, and the same command ends as if undisturbed."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import get_args

import psycopg
import pytest
from sqlalchemy.engine import make_url

from etl.faults import Point
from tests.breaking.job import MAPPING, Job, make_job, make_packed_job
from tests.breaking.outcome import Content, Outcome, assert_same, outcome
from tests.breaking.process import load, loading, run
from tests.breaking.refusing import create_refusing_tables
from tests.command import ETL

MAKE = {"files": lambda folder: make_job(folder, 100_000), "packed": lambda folder: make_packed_job(folder, 650_000)}
"""What is loaded: two files, or an archive and a folder of many documents."""

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

ELSEWHERE: set[Point] = {"in_recovery", "in_retry", "in_emptying", "in_merge"}
"""Points of what not every load does; each has a test of its own, below or (`in_merge`) where merging has its own."""


@pytest.fixture(scope="module", params=MAKE)
def job(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Job:
    job = MAKE[request.param](tmp_path_factory.mktemp("faults"))
    mended = MAPPING.replace("type: date, required: true", "type: date, required: true, default: '1970-01-01'")
    (job.folder / MENDED).write_text(mended.replace("nulls: [US], ", ""), "utf-8")
    return job


@pytest.fixture(scope="module")
def expected(
    job: Job, postgres_server: str, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Callable[[str, str], Outcome]]:
    """Gives what undisturbed loads come to in a database of the kind of a URL: `plain`, `refusing` or `retried`."""
    created = []

    @functools.cache
    def come_to(postgres: bool, what: str) -> Outcome:
        url = f"sqlite:///{tmp_path_factory.mktemp('undisturbed') / 'target.db'}"
        if postgres:
            created.append(f"etl_undisturbed_{what}")
            connection.execute(f"CREATE DATABASE {created[-1]}".encode())
            url = make_url(postgres_server).set(database=created[-1]).render_as_string(hide_password=False)
        if what == "refusing":
            create_refusing_tables(job, url)
        finish(job, url)
        if what == "retried":
            code, output = retry(job, url)
            assert code == 3, output
        return outcome(url)

    with psycopg.connect(postgres_server, autocommit=True) as connection:
        yield lambda url, what: come_to(url.startswith("postgresql"), what)
        for name in created:
            connection.execute(f"DROP DATABASE {name} WITH (FORCE)".encode())


def finish(job: Job, url: str, *options: str) -> None:
    """Run the command to the end."""
    code, output = load(job, url, SETTINGS, *options)
    assert code == 3, output


def retry(job: Job, url: str, fault: str = "") -> tuple[int, str]:
    """Retry what was rejected by the mended mapping."""
    command = [str(ETL), "retry", "--to", url, "--map", MENDED, "--set=insert.batch_records=3"]
    return run(job, command, fault)


def die(job: Job, url: str, fault: str) -> None:
    """Run the command until it dies at the fault point; what is there then is accounted for."""
    code, output = load(job, url, SETTINGS, fault=fault)
    assert code == KILLED, f"{fault} was not come by.\n{output}"
    Content(url).check_account()


def test_every_point_has_its_test() -> None:
    assert {*FIRST_RUN, *ELSEWHERE} == set(get_args(Point))


def test_killed_at_every_point_in_turn_it_ends_as_if_undisturbed(
    job: Job, target_url: str, expected: Callable[[str, str], Outcome]
) -> None:
    for point, times in FIRST_RUN.items():
        for time in times:
            die(job, target_url, f"{point}:{time}")
    finish(job, target_url)
    assert_same(outcome(target_url), expected(target_url, "plain"))


def test_killed_in_recovery_it_ends_as_if_undisturbed(
    job: Job, target_url: str, expected: Callable[[str, str], Outcome]
) -> None:
    create_refusing_tables(job, target_url)
    die(job, target_url, "in_recovery:9")
    finish(job, target_url)
    found = outcome(target_url)
    assert_same(found, expected(target_url, "refusing"))
    assert any("check_failed" in line for line in found.rows["etl_reject"])


def test_killed_in_emptying_the_tables_are_as_they_were(
    job: Job, target_url: str, expected: Callable[[str, str], Outcome]
) -> None:
    finish(job, target_url)
    code, output = load(job, target_url, SETTINGS, "--again", fault="in_emptying")
    assert code == KILLED, output
    assert_same(outcome(target_url), expected(target_url, "plain"))
    code, output = load(job, target_url, SETTINGS, "--again", fault="after_commit:2")
    assert code == KILLED, output
    finish(job, target_url)
    assert_same(outcome(target_url), expected(target_url, "plain"))


def test_killed_in_a_retry_of_rejects_it_ends_as_if_undisturbed(
    job: Job, target_url: str, expected: Callable[[str, str], Outcome]
) -> None:
    finish(job, target_url)
    code, output = retry(job, target_url, "in_retry:3")
    assert code == KILLED, output
    Content(target_url).check_account()
    code, output = retry(job, target_url)
    assert code == 3, output
    found = outcome(target_url)
    assert_same(found, expected(target_url, "retried"))
    mended = [line for line in found.rows["etl_reject"] if "'released'" in line and "'missing_value'" in line]
    assert mended == []


def test_a_load_that_was_only_slow_commits_nothing_after_it_was_taken_over(
    job: Job, postgres_url: str, expected: Callable[[str, str], Outcome]
) -> None:
    """It stops where nothing is open; the server gives its locks up, as it does for a machine that does not answer."""
    with loading(job, postgres_url, SETTINGS, fault="after_commit:2:stop") as slow:
        slow.wait_stopped()
        with loading(job, postgres_url, SETTINGS) as early:
            assert early.wait() == 1
            assert f"process {slow.process_id}" in early.output
        end_sessions(postgres_url, "SELECT pid FROM pg_locks WHERE locktype = 'advisory'")
        finish(job, postgres_url)
        after = outcome(postgres_url)
        slow.go_on()
        assert slow.wait() == 1
        assert "taken" in slow.output
    assert_same(outcome(postgres_url), after)
    assert_same(after, expected(postgres_url, "plain"))


def test_a_load_that_was_cut_off_before_its_commit_has_committed_nothing(
    job: Job, postgres_url: str, expected: Callable[[str, str], Outcome]
) -> None:
    with loading(job, postgres_url, SETTINGS, fault="before_commit:2:stop") as slow:
        slow.wait_stopped()
        end_sessions(postgres_url, "SELECT pid FROM pg_stat_activity WHERE application_name LIKE 'etl%'")
        finish(job, postgres_url)
        slow.go_on()
        assert slow.wait() == 1
        assert "taken" in slow.output
    assert_same(outcome(postgres_url), expected(postgres_url, "plain"))


def test_a_second_load_into_sqlite_says_who_has_the_source_until_that_is_dead(
    job: Job, tmp_path: Path, expected: Callable[[str, str], Outcome]
) -> None:
    url = f"sqlite:///{tmp_path / 'target.db'}"
    with loading(job, url, SETTINGS, fault="after_commit:2:stop") as slow:
        slow.wait_stopped()
        with loading(job, url, SETTINGS) as early:
            assert early.wait() == 1
            assert f"process {slow.process_id}" in early.output
        slow.kill()
    finish(job, url)
    assert_same(outcome(url), expected(url, "plain"))


def end_sessions(url: str, which: str) -> None:
    """End server processes of this database, and wait until they are gone."""
    here = "SELECT pid FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()"
    sessions = f"SELECT DISTINCT pid FROM ({which}) AS found WHERE pid IN ({here})"
    with psycopg.connect(url, autocommit=True) as connection:
        ended = connection.execute(
            f"SELECT bool_and(pg_terminate_backend(pid, 10000)) FROM ({sessions}) AS sessions".encode()
        ).fetchone()
    assert ended == (True,)
