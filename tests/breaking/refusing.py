"""Tables that are there before the load and refuse some of its rows, so that a load has to recover."""

from __future__ import annotations

import re
import sqlite3
import subprocess
from contextlib import closing

import psycopg

from tests.breaking.job import Job
from tests.command import ETL, environment

CHECKS = {
    "release": 'CHECK ("id" % 17 <> 0)',
    "release_artist": "CHECK (\"name\" <> 'Hana 小林')",  # a child's refusal takes its whole record
    "album_track": 'CHECK (length("title") <> 15)',
}


def create_refusing_tables(job: Job, url: str) -> None:
    """Create the job's tables with these checks in them, and with all their keys."""
    command = [str(ETL), "schema", "--map", "job.mapping.yaml", "--to", url, "--set", "keys=before"]
    done = subprocess.run(command, cwd=job.folder, env=environment(), capture_output=True, text=True, check=True)
    ddl = done.stdout
    for table, check in CHECKS.items():
        ddl, found = re.subn(rf'(?s)(CREATE TABLE "{table}" \(.*?)\n\);', rf"\1,\n    {check}\n);", ddl)
        assert found == 1, ddl
    if url.startswith("sqlite:///"):
        with closing(sqlite3.connect(url.removeprefix("sqlite:///"))) as connection:
            connection.executescript(ddl)
    else:
        with psycopg.connect(url) as connection:
            connection.execute(ddl.encode())
