"""URLs: what they open, and one sentence for those that open nothing."""

from __future__ import annotations

from pathlib import Path

import pytest

from etl.errors import EtlError, SettingsError, TargetError
from etl.options import Settings
from etl.targets.memory import MemoryTarget
from etl.targets.open import open_target, sql_dialect
from etl.targets.postgres import PostgresTarget
from etl.targets.sqlite import SqliteTarget
from tests.target_rows import opened

SETTINGS = Settings()


@pytest.mark.parametrize(
    ("url", "kind", "label"),
    [
        ("sqlite:///some.db", SqliteTarget, "sqlite:///some.db"),
        ("memory://", MemoryTarget, "memory://"),
        ("postgresql://me:secret@host:5433/db", PostgresTarget, "postgresql://me:***@host:5433/db"),
        ("postgres://host/db?password=secret", PostgresTarget, "postgres://host/db?password=***"),
        ("postgresql://", PostgresTarget, "postgresql://"),
    ],
)
def test_urls(url: str, kind: type, label: str) -> None:
    with opened(url) as target:
        assert isinstance(target, kind)
        assert target.label == label


@pytest.mark.parametrize(
    ("url", "error", "message"),
    [
        (
            "file.db",
            SettingsError,
            r"'file.db' is not a database URL: expected one of sqlite:///FILE and postgresql://",
        ),
        (
            "mysql://me:secret@host/db",
            SettingsError,
            r"mysql://me:\*\*\*@host/db: there is no target of the kind mysql",
        ),
        ("sqlite://file.db", SettingsError, "three slashes"),
        ("sqlite://", SettingsError, "three slashes"),
        ("sqlite:///", SettingsError, "names no file"),
        ("sqlite:///:memory:", SettingsError, "gone with the load"),
        ("sqlite:///a.db?mode=ro", SettingsError, "options are not taken"),
        ("memory://x", SettingsError, "memory:// alone"),
        ("postgresql://me:se/cret@host/db", SettingsError, "written as %2F"),
        ("postgresql://me:secret@host/db?nonsense=1", SettingsError, "is not a URL that PostgreSQL understands"),
        ("sqlite:////nowhere/at/all.db", TargetError, "There is no folder /nowhere/at"),
    ],
)
def test_bad_urls(url: str, error: type[EtlError], message: str) -> None:
    with pytest.raises(error, match=message) as caught:
        open_target(url, SETTINGS)
    assert "secret" not in str(caught.value)
    assert "cret" not in str(caught.value).replace("secret", "")


def test_a_folder_is_no_database(tmp_path: Path) -> None:
    with pytest.raises(TargetError, match="is a folder: name the database file in it"):
        open_target(f"sqlite:///{tmp_path}", SETTINGS)


def test_percent_escapes_in_a_file_name(tmp_path: Path) -> None:
    with opened(f"sqlite:///{tmp_path}/what%3F%20100%25.db") as target:
        target.connect().close()
    assert (tmp_path / "what? 100%.db").exists()


@pytest.mark.parametrize(
    ("values", "message"),
    [({"insert": {"method": "copy"}}, "has no COPY"), ({"ledger": {"schema": "x"}}, "has no schemas")],
)
def test_settings_that_do_not_go_with_sqlite(values: dict[str, object], message: str) -> None:
    with pytest.raises(SettingsError, match=message):
        open_target("sqlite:///some.db", Settings.model_validate(values))


def test_dialects() -> None:
    assert sql_dialect("postgres://host/db") == "postgresql"
    assert sql_dialect("postgresql:///") == "postgresql"
    assert sql_dialect("sqlite:///x.db") == "sqlite"
    for url in ("memory://", "mysql://host", "x"):
        with pytest.raises(SettingsError, match="names no database with tables"):
            sql_dialect(url)
