"""What the insert threads tell of what they have committed."""

from __future__ import annotations

from pathlib import Path

import psycopg
import pytest

import etl
from etl.errors import TargetError
from etl.options import build_settings
from tests.integration.test_postgres_target import run_sql

MAPPING = """\
version: 1
tables:
  item:
    each: /items/item
    key: id
    columns:
      id: {path: "@id", type: bigint}
"""
ONE_BATCH = build_settings(
    {"split": {"bytes": 1}, "workers": {"kind": "inline"}, "insert": {"threads": 1, "max_wait": "60s"}}
)


def test_what_was_committed_of_a_batch_is_told_whatever_becomes_of_the_rest(tmp_path: Path, postgres_url: str) -> None:
    (tmp_path / "items.mapping.yaml").write_text(MAPPING)
    items = "".join(f"<item id='{number}'/>" for number in range(1, 10))
    (tmp_path / "items.xml").write_text(f"<items>{items}</items>")
    run_sql(
        postgres_url,
        "CREATE TABLE item (id bigint PRIMARY KEY)",
        "CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN"
        " IF NEW.id = 2 THEN RAISE 'not this one'; END IF;"
        " IF NEW.id = 5 THEN RAISE 'no room left' USING ERRCODE = 'disk_full'; END IF; RETURN NEW; END $$",
        "CREATE TRIGGER refuse BEFORE INSERT ON item FOR EACH ROW EXECUTE FUNCTION refuse()",
    )
    batches: list[int] = []
    with pytest.raises(TargetError, match="no room left") as caught:
        etl.load(
            tmp_path / "items.xml",
            mapping=tmp_path / "items.mapping.yaml",
            target=postgres_url,
            settings=ONE_BATCH,
            on_batch=lambda committed: batches.append(committed.records),
        )
    with psycopg.connect(postgres_url) as connection:
        assert connection.execute("SELECT array_agg(id ORDER BY id) FROM item").fetchone() == ([1, 3, 4],)
    report = caught.value.report
    assert report is not None
    assert (report.loaded, report.rejected, report.tables) == (3, 1, {"item": 3})
    assert batches == [1, 1, 1, 1]
