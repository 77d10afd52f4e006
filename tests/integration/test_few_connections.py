"""A server that allows fewer connections than a load would like to have: it goes on with those."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest
from sqlalchemy.engine import make_url

import etl
from etl.options import build_settings

MAPPING = """
version: 1
tables:
  r: {each: /all/r, key: id, columns: {id: {path: "@id", type: integer}, t: .}}
  s: {parent: r, each: s, columns: {t: .}}
"""


@pytest.fixture
def limited(postgres_url: str) -> Iterator[str]:
    """URL for a user who may have 3 connections: the guard's, the ledger's and one to write over."""
    user = f"few_{uuid.uuid4().hex}"
    with psycopg.connect(postgres_url, autocommit=True) as connection:
        connection.execute(f"CREATE ROLE {user} LOGIN CONNECTION LIMIT 3".encode())
        connection.execute(f"GRANT ALL ON SCHEMA public TO {user}".encode())
        yield make_url(postgres_url).set(username=user).render_as_string(hide_password=False)
        connection.execute(f"DROP OWNED BY {user}".encode())
        connection.execute(f"DROP ROLE {user}".encode())


def test_one_insert_thread_does_the_work_of_two(limited: str, tmp_path: Path) -> None:
    document = tmp_path / "all.xml"
    records = "".join(f"<r id='{number}'>x<s>y</s></r>" for number in range(20_000))
    document.write_text(f"<all>{records}</all>", "utf-8")
    mapping = tmp_path / "all.mapping.yaml"
    mapping.write_text(MAPPING, "utf-8")
    settings = build_settings({"insert": {"threads": 2}, "split": {"bytes": 20_000}, "retry": {"attempts": 1}})
    report = etl.load(document, mapping=mapping, target=limited, settings=settings)
    assert (report.loaded, report.state) == (20_000, "finished")
    with psycopg.connect(limited) as connection:
        assert connection.execute("SELECT count(*) FROM s").fetchone() == (20_000,)
        keys = connection.execute("SELECT contype FROM pg_constraint WHERE conrelid IN ('r'::regclass, 's'::regclass)")
        assert sorted(kind for (kind,) in keys if kind in "pf") == ["f", "p", "p"]
