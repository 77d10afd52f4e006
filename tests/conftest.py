"""Databases and data for the tests: a PostgreSQL for the session, a fresh database for each test that asks."""

from __future__ import annotations

import os
import threading
import time
import uuid
from collections.abc import Iterator
from pathlib import Path

import hypothesis
import psycopg
import pytest
from sqlalchemy.engine import make_url

from env_prep.start_postgres import running_server
from etl.native import SWITCH, unavailable

# The same examples in each run, so that one that fails is the change's fault, and fails again.
hypothesis.settings.register_profile("same", derandomize=not os.environ.get("ETL_NEW_EXAMPLES"))
hypothesis.settings.load_profile("same")


@pytest.hookimpl(tryfirst=True)
def pytest_cmdline_main(config: pytest.Config) -> None:
    """Without a path, i.e. for all tests, there is a process for each core; ``-n 0`` keeps them in one."""
    option = config.option
    in_one = option.file_or_dir or option.benchmark_only or hasattr(config, "workerinput")
    if config.pluginmanager.hasplugin("xdist") and not in_one and option.numprocesses is None:
        # Neighbours stay together, and with them what a module's fixtures make; who has run out takes of the others.
        option.numprocesses, option.dist = "logical", "worksteal"


def pytest_configure(config: pytest.Config) -> None:
    """Without ``--benchmark-only`` benchmarks run once, as tests of what they measure; nothing is measured."""
    if not config.option.benchmark_only:
        config.option.benchmark_disable = True


def pytest_ignore_collect(config: pytest.Config) -> bool | None:
    """With ``--benchmark-only`` no test is looked at: benchmarks stand elsewhere."""
    return True if config.option.benchmark_only else None


@pytest.fixture(autouse=True)
def _threads_end() -> Iterator[None]:
    """No thread of the program outlives its test: the next one counts them, and who is next depends on the process."""
    yield
    deadline = time.monotonic() + 10
    while left := [thread.name for thread in threading.enumerate() if thread.name.startswith("etl-")]:
        assert time.monotonic() < deadline, f"left behind: {left}"
        time.sleep(0.005)


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[str]:
    """URL of a PostgreSQL that lets us create databases: ETL_TEST_POSTGRES_URL, else one of the session's own."""
    named = os.environ.get("ETL_TEST_POSTGRES_URL")
    if named:
        yield named
        return
    with running_server() as url:
        with psycopg.connect(url, autocommit=True) as connection:
            # The data lives for one session, so nothing has to survive a power cut.
            connection.execute("ALTER SYSTEM SET fsync = off")
            connection.execute("SELECT pg_reload_conf()")
        yield url


@pytest.fixture
def postgres_url(postgres_server: str) -> Iterator[str]:
    """URL of an empty database, dropped after the test."""
    name = f"etl_test_{uuid.uuid4().hex}"
    with psycopg.connect(postgres_server, autocommit=True) as connection:
        connection.execute(f'CREATE DATABASE "{name}"'.encode())
        yield make_url(postgres_server).set(database=name).render_as_string(hide_password=False)
        connection.execute(f'DROP DATABASE "{name}" WITH (FORCE)'.encode())


@pytest.fixture(params=["sqlite", "postgres"])
def target_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """URL of an empty target of each kind that keeps data.

    Who wants memory too: ``@pytest.mark.parametrize("target_url", ["sqlite", "postgres", "memory"], indirect=True)``.
    """
    match request.param:
        case "sqlite":
            return f"sqlite:///{tmp_path / 'target.db'}"
        case "postgres":
            return str(request.getfixturevalue("postgres_url"))
        case _:
            return "memory://"


@pytest.fixture(params=["scanner", "lxml"])
def both_ways(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """The test runs twice: with the compiled scanner, where it is built, and without."""
    if request.param == "lxml":
        monkeypatch.setenv(SWITCH, "0")
    elif reason := unavailable():
        pytest.skip(reason)


@pytest.fixture
def by_lxml(monkeypatch: pytest.MonkeyPatch) -> None:
    """The test is about how lxml maps."""
    monkeypatch.setenv(SWITCH, "0")


@pytest.fixture(scope="session")
def real_data() -> Path:
    """The folder of real dumps, read-only; tests that use it are marked `real_data`."""
    beside = Path(__file__).resolve().parents[2] / "shared" / "data"
    folder = Path(os.environ.get("ETL_REAL_DATA", beside))
    if not (folder / "expected_counts.json").is_file():
        pytest.skip(f"no real dumps in {folder} (set ETL_REAL_DATA to their folder)")
    return folder
