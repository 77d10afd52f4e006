"""SQLite and a power cut: what the write-ahead log lost, or holds torn, is loaded again; nothing is there twice.

Between two checkpoints nothing of the log is forced to the disk (`synchronous = NORMAL`): after a power cut it may end
anywhere, also within a page, and its last pages may hold anything.
"""

from __future__ import annotations

import shutil
import sqlite3
from contextlib import closing
from pathlib import Path
from random import Random

import pytest

import etl
from etl.options import build_settings
from tests.breaking.job import SETTINGS, SOURCES, Job, make_job
from tests.breaking.outcome import Outcome, assert_same, committed_tiles, outcome
from tests.breaking.process import load

CUTS = 16
TORN = 4
TAIL = 100_000
"""Bytes at the log's end that may be torn."""

LOG_HEADER = 32
FRAME = 4096 + 24
"""Bytes of the log's header, and of a page in it with its own header."""

INLINE = {"workers.kind": "inline", "insert.batch_records": 10}


@pytest.fixture(scope="module")
def job(tmp_path_factory: pytest.TempPathFactory) -> Job:
    return make_job(tmp_path_factory.mktemp("power"), 100_000)


@pytest.fixture(scope="module")
def expected(job: Job, tmp_path_factory: pytest.TempPathFactory) -> Outcome:
    url = f"sqlite:///{tmp_path_factory.mktemp('undisturbed') / 'target.db'}"
    code, output = load(job, url, INLINE)
    assert code == 3, output
    return outcome(url)


@pytest.fixture(scope="module", params=["all of it in the log", "half of it in the file"])
def stopped(request: pytest.FixtureRequest, job: Job, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A database in the middle of a load whose machine has just lost its power, its log whole as yet."""
    file = tmp_path_factory.mktemp("stopped") / "target.db"
    if request.param == "half of it in the file":
        die(job, file, "after_commit:4")
        with closing(sqlite3.connect(file)) as connection:
            assert connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone() == (0, 0, 0)
        die(job, file, "after_commit:5")
    else:
        die(job, file, "before_commit:9")
    return file


def die(job: Job, file: Path, fault: str) -> None:
    code, output = load(job, f"sqlite:///{file}", INLINE, fault=fault)
    assert code == -9, output


def cut(log: bytes, rng: Random) -> list[bytes]:
    """What may be left of a log."""
    frames = (len(log) - LOG_HEADER) // FRAME
    places = [0, 1, LOG_HEADER, LOG_HEADER + 10, LOG_HEADER + FRAME, len(log) - FRAME, len(log) - FRAME - 1, len(log)]
    places += [LOG_HEADER + FRAME * rng.randint(1, frames) for _ in range((CUTS - len(places)) // 2)]
    places += [rng.randrange(len(log)) for _ in range(CUTS - len(places))]
    return [log[:place] for place in places]


def tear(log: bytes, rng: Random) -> bytes:
    """A log with a few bytes at its end that were never written, or badly."""
    torn = bytearray(log)
    for _ in range(rng.randint(1, 4)):
        torn[rng.randrange(max(LOG_HEADER, len(log) - TAIL), len(log))] ^= rng.randint(1, 255)
    return bytes(torn)


def test_whatever_is_left_of_the_log_the_same_load_ends_as_if_undisturbed(
    stopped: Path, job: Job, expected: Outcome, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(job.folder)
    rng = Random(4)
    log = stopped.with_name("target.db-wal").read_bytes()
    there: set[int] = set()
    for number, left in enumerate([*cut(log, rng), *(tear(log, rng) for _ in range(TORN))]):
        file = tmp_path / f"{number}.db"
        shutil.copyfile(stopped, file)
        file.with_name(f"{number}.db-wal").write_bytes(left)
        check_integrity(file)
        there.add(len(committed_tiles(f"sqlite:///{file}")))
        report = etl.load(list(SOURCES), mapping="job.mapping.yaml", target=f"sqlite:///{file}", settings=inline())
        assert report.state == "finished"
        check_integrity(file)
        assert_same(outcome(f"sqlite:///{file}"), expected)
    assert len(there) > 3  # the cuts lost different things


def inline() -> etl.Settings:
    values: dict[str, dict[str, object]] = {}
    for name, value in {**SETTINGS, **INLINE}.items():
        section, _, key = name.partition(".")
        values.setdefault(section, {})[key] = value
    return build_settings(values)


def check_integrity(file: Path) -> None:
    with closing(sqlite3.connect(file)) as connection:
        assert connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
