"""The start of `etl load`: what it imports is time that every load takes, however small."""

from __future__ import annotations

import gc
import os
import subprocess
import sys
from pathlib import Path

import pytest

from etl import cli
from tests.integration.bad_input import MAPPING, document, item

NOT_FOR_A_LOAD = {
    "rich": "for terminals",
    "etl.progress_bar": "for terminals",
    "etl.preview": "for etl check",
    "etl.extract.mender": "nothing is mended",
    "etl.extract.dtd": "there is none",
    "etl.extract.tar_members": "there is no archive",
    "etl.extract.zip_members": "there is no archive",
    "etl.transform.validation": "there is no schema",
    "xml.parsers.expat": "there is no DTD",
    "etl.inference": "there is a mapping",
    "etl.tuning": "for etl tune",
    "etl.inspection": "for etl status and etl rejects",
    "etl.retrying": "for etl retry",
    "etl.ledger_summary": "for etl status, rejects and retry",
    "etl.targets.postgres": "the target is SQLite",
    "psycopg": "the target is SQLite",
    "sqlalchemy.dialects.postgresql": "the target is SQLite",
    "urllib.request": "nothing is fetched",
    "multiprocessing": "workers are not started by it",
    "matplotlib": "for benchmarks",
    "pandas": "nobody here needs it",
    "numpy": "nobody here needs it",
}

_TELL = """
import atexit, sys
atexit.register(lambda: print("IMPORTED", *sys.modules))
from etl.cli import main
main()
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "items.xml").write_bytes(document(item(1), item(2)))
    (tmp_path / "items.mapping.yaml").write_text(MAPPING)
    return tmp_path


def _load(folder: Path, *, code: str = _TELL, **environment: str) -> subprocess.CompletedProcess[str]:
    without = ("ETL_", "PG", "FORCE_COLOR", "TTY_")
    inherited = {name: value for name, value in os.environ.items() if not name.startswith(without)}
    done = subprocess.run(
        [sys.executable, "-c", code, "load", "items.xml", "--set", "workers.kind=thread"],
        cwd=folder,
        env={**inherited, **environment},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    return done


def test_a_load_imports_only_what_it_needs(folder: Path) -> None:
    told = next(line for line in _load(folder).stdout.splitlines() if line.startswith("IMPORTED"))
    imported = set(told.split()[1:])
    assert {"etl.loader", "sqlalchemy", "etl.targets.sqlite"} <= imported
    assert {name: NOT_FOR_A_LOAD[name] for name in sorted(imported & NOT_FOR_A_LOAD.keys())} == {}


def test_where_colour_is_forced_a_load_writes_as_on_a_terminal(folder: Path) -> None:
    forced = _load(folder, FORCE_COLOR="1", TERM="xterm-256color", COLUMNS="200")
    assert "\x1b[1mLoaded 2 records" in forced.stderr
    (folder / "items.db").unlink()
    assert "\x1b" not in _load(folder).stderr


def test_imports_are_left_alone_by_the_collector_and_go_back_to_normal(monkeypatch: pytest.MonkeyPatch) -> None:
    name = "PYDANTIC_DISABLE_PLUGINS"
    monkeypatch.delenv(name, raising=False)
    seen: list[tuple[bool, str | None]] = []
    monkeypatch.setattr(cli, "import_module", lambda _module: seen.append((gc.isenabled(), os.environ.get(name))))
    try:
        cli._imported()
        assert seen == [(False, "__all__")]
        assert gc.isenabled()
        assert gc.get_freeze_count() > 0
        assert name not in os.environ
        monkeypatch.setenv(name, "one")
        cli._imported()
        assert seen[1] == (False, "one")
        assert os.environ[name] == "one"
    finally:
        gc.unfreeze()
