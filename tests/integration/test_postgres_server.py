"""The fixtures that every other PostgreSQL test stands on."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import psycopg
import pytest

REPOSITORY = Path(__file__).resolve().parents[2]


def test_each_test_gets_an_empty_database_of_its_own(postgres_url: str, postgres_server: str) -> None:
    with psycopg.connect(postgres_url) as connection:
        tables = connection.execute("SELECT count(*) FROM pg_tables WHERE schemaname = 'public'").fetchone()
        name = connection.execute("SELECT current_database()").fetchone()
    assert tables == (0,)
    with psycopg.connect(postgres_server) as connection:
        assert connection.execute("SELECT current_database()").fetchone() != name


@pytest.mark.skipif("ETL_TEST_POSTGRES_URL" in os.environ, reason="a server is named by ETL_TEST_POSTGRES_URL")
@pytest.mark.parametrize("ending", [signal.SIGINT, signal.SIGTERM])
def test_start_postgres_prints_a_url_and_leaves_nothing_behind(ending: signal.Signals) -> None:
    with subprocess.Popen(
        [sys.executable, "env_prep/start_postgres.py"], cwd=REPOSITORY, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        url = process.stdout.readline().strip()
        with psycopg.connect(url) as connection:
            row = connection.execute("SHOW data_directory").fetchone()
        process.send_signal(ending)
        assert process.wait(60) == 0
    assert row is not None
    assert not Path(row[0]).parent.exists()


def test_who_asks_for_help_gets_no_server() -> None:
    done = subprocess.run(
        [sys.executable, "env_prep/start_postgres.py", "--help"], cwd=REPOSITORY, stdout=subprocess.PIPE, text=True
    )
    assert (done.returncode, done.stdout.startswith("usage:")) == (0, True)
