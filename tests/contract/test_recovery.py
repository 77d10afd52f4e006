"""What a database refuses, in tables that were there: exactly the bad records are rejects, all others are loaded."""

from __future__ import annotations

import random
import re
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

import etl
from etl.options import build_settings
from tests.contract.test_targets import run_sql

MAPPING = """
version: 1
tables:
  item:
    each: /items/item
    key: id
    columns:
      id: {path: "@id", type: bigint}
      v: {path: "@v", type: bigint}
      code: "@code"
  part:
    parent: item
    each: part
    columns:
      k: {path: "@k", type: bigint}
"""


@dataclass(frozen=True)
class Kind:
    """A constraint, and what breaks it."""

    reason: str
    bad: dict[str, str]
    """Attributes of a bad record."""
    table: str = "item"
    column: str = ""
    v: str = ""
    code: str = ""
    k: str = ""
    extra: str = ""
    after: Sequence[str] = ()
    """Statements behind the tables'."""
    only: str = ""
    """Prefix of the URLs it is for."""


def raising(action: str, table: str = "item", column: str = "v", when: str = "BEFORE") -> list[str]:
    return [
        f"CREATE TRIGGER raising {when} INSERT ON {table} WHEN new.{column} = 13"
        f" BEGIN SELECT RAISE({action}, 'thirteen is not allowed'); END"
    ]


def plpgsql(state: str, table: str = "item", column: str = "v", when: str = "BEFORE") -> list[str]:
    return [
        "CREATE FUNCTION item_1() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN"
        f" IF NEW.{column} = 13 THEN RAISE SQLSTATE '{state}' USING MESSAGE = 'thirteen is not allowed'; END IF;"
        " RETURN NEW; END $$",
        f"CREATE TRIGGER raising {when} INSERT ON {table} FOR EACH ROW EXECUTE FUNCTION item_1()",
    ]


THIRTEEN = {"v": "13"}
ORPHAN = "REFERENCES lookup (id)"
DEFERRED = "DEFERRABLE INITIALLY DEFERRED"

KINDS = {
    "check": Kind("check_failed", {"v": "-1"}, v="CHECK (v >= 0)"),
    "unique": Kind("duplicate_key", {"code": "taken"}, column="code", code="UNIQUE"),
    "unique deferred": Kind(
        "duplicate_key", {"code": "taken"}, column="code", code=f"UNIQUE {DEFERRED}", only="postgresql"
    ),
    "exclusion": Kind(
        "duplicate_key",
        {"code": "taken"},
        column="code",
        extra=", EXCLUDE USING btree (code WITH =)",
        only="postgresql",
    ),
    "foreign key": Kind("missing_parent", {"v": "99"}, column="v", v=ORPHAN),
    "foreign key deferred": Kind("missing_parent", {"v": "99"}, column="v", v=f"{ORPHAN} {DEFERRED}"),
    "foreign key of a child": Kind("missing_parent", {"k": "99"}, "part", "k", k=ORPHAN),
    "deferred one of a child": Kind("missing_parent", {"k": "99"}, "part", "k", k=f"{ORPHAN} {DEFERRED}"),
    "not null": Kind("not_null", THIRTEEN, extra=", x bigint NOT NULL GENERATED ALWAYS AS (nullif(v, 13)) STORED"),
    "check of a child": Kind("check_failed", {"k": "-1"}, "part", k="CHECK (k >= 0)"),
    "abort": Kind("refused", THIRTEEN, after=raising("ABORT"), only="sqlite"),
    "fail": Kind("refused", THIRTEEN, after=raising("FAIL", when="AFTER"), only="sqlite"),
    "rollback": Kind("refused", THIRTEEN, after=raising("ROLLBACK"), only="sqlite"),
    "rollback by a child": Kind("refused", {"k": "13"}, "part", after=raising("ROLLBACK", "part", "k"), only="sqlite"),
    "on conflict rollback": Kind(
        "duplicate_key", {"code": "taken"}, column="code", code="UNIQUE ON CONFLICT ROLLBACK", only="sqlite"
    ),
    "raise": Kind("refused", THIRTEEN, after=plpgsql("P0001"), only="postgresql"),
    "raise an odd state": Kind("refused", THIRTEEN, after=plpgsql("9ZZZ9", when="AFTER"), only="postgresql"),
    "raise from a child": Kind("refused", {"k": "13"}, "part", after=plpgsql("ZZ001", "part", "k"), only="postgresql"),
}

COUNT = 60
SPLITS: dict[str, Any] = {"split": {"bytes": "1KiB"}, "workers": {"kind": "inline"}}


def create(url: str, kind: Kind) -> None:
    run_sql(
        url,
        "CREATE TABLE lookup (id bigint PRIMARY KEY)",
        "INSERT INTO lookup VALUES (1)",
        f"CREATE TABLE item (id bigint NOT NULL PRIMARY KEY, v bigint {kind.v}, code text {kind.code}{kind.extra})",
        f"CREATE TABLE part (item_id bigint NOT NULL, seq integer NOT NULL, k bigint {kind.k},"
        " PRIMARY KEY (item_id, seq))",
        *kind.after,
        "INSERT INTO item (id, v, code) VALUES (-1, 1, 'taken')",
    )


def document(bad: Collection[int], attributes: dict[str, str], count: int = COUNT) -> bytes:
    """Records numbered from 1, each on its own line (from 2), the bad ones with other attributes."""
    lines = []
    for number in range(1, count + 1):
        values = {"v": "1", "k": "1", "code": f"c{number}"} | (attributes if number in bad else {})
        parts = f"<part k='1'/><part k='{values['k']}'/>"
        lines.append(f"<item id='{number}' v='{values['v']}' code='{values['code']}'>{parts}</item>\n")
    return ("<items>\n" + "".join(lines) + "</items>").encode()


def fetch(url: str, query: str) -> list[tuple[Any, ...]]:
    engine = sa.create_engine(url.replace("postgresql://", "postgresql+psycopg://"))
    with engine.connect() as connection:
        rows = [tuple(row) for row in connection.execute(sa.text(query))]
    engine.dispose()
    return rows


def load(url: str, folder: Path, source: bytes, mapping: str = MAPPING, **settings: Any) -> etl.LoadReport:
    (folder / "items.xml").write_bytes(source)
    (folder / "items.mapping.yaml").write_text(mapping)
    chosen = build_settings({**SPLITS, "errors": {"max": "unlimited"}, **settings})
    return etl.load(folder / "items.xml", mapping=folder / "items.mapping.yaml", target=url, settings=chosen)


def check(url: str, source: bytes, bad: Collection[int], report: etl.LoadReport, *, count: int = COUNT) -> None:
    """Exactly the bad records are rejects, told with their places; everything else is there, once."""
    good = sorted(set(range(1, count + 1)) - set(bad))
    assert (report.records, report.loaded, report.rejected) == (count, len(good), len(bad))
    assert (report.tables["item"], report.tables["part"]) == (len(good), 2 * len(good))
    assert fetch(url, "SELECT id FROM item WHERE id > 0 ORDER BY id") == [(number,) for number in good]
    assert fetch(url, "SELECT item_id, seq FROM part ORDER BY 1, 2") == [(n, seq) for n in good for seq in (1, 2)]
    places = fetch(url, "SELECT record, line, byte_offset, length FROM etl_reject ORDER BY byte_offset")
    assert [(record, line) for record, line, _, _ in places] == [(number, number + 1) for number in sorted(bad)]
    raws = [bytes(raw) for (raw,) in fetch(url, "SELECT raw FROM etl_reject ORDER BY byte_offset")]
    assert raws == [source[offset : offset + length] for _, _, offset, length in places]
    assert all(raw.startswith(b"<item") and raw.endswith(b"</item>") for raw in raws)
    sums = fetch(url, "SELECT sum(records), sum(loaded), sum(rejected) FROM etl_split")
    assert sums == [(count, len(good), len(bad))]


@pytest.mark.parametrize("name", KINDS)
@pytest.mark.parametrize("method", ["copy", "executemany"])
def test_exactly_the_bad_records_are_rejects(
    name: str, method: str, request: pytest.FixtureRequest, tmp_path: Path
) -> None:
    kind = KINDS[name]
    for url in urls(kind, method, request, tmp_path):
        create(url, kind)
        bad = set(random.Random(name).sample(range(1, COUNT + 1), 7))
        source = document(bad, kind.bad)
        report = load(url, tmp_path, source, insert={"method": "auto" if url.startswith("sqlite") else method})
        check(url, source, bad, report)
        rejects = fetch(url, "SELECT reason, table_name, column_name, message FROM etl_reject")
        assert {row[:3] for row in rejects} == {(kind.reason, kind.table, kind.column)}
        line = {"v": 9, "code": 10, "k": 15, "": {"item": 4, "part": 11}[kind.table]}[kind.column]
        for *_, message in rejects:
            assert re.fullmatch(rf"The database refuses it: .* \(.*items\.mapping\.yaml:{line}\)", message)
            assert kind.reason != "refused" or "thirteen is not allowed" in message


def urls(kind: Kind, method: str, request: pytest.FixtureRequest, folder: Path) -> list[str]:
    """SQLite has one way of inserting."""
    found = [str(request.getfixturevalue("postgres_url"))] if not kind.only.startswith("sqlite") else []
    if method == "copy":
        found += [f"sqlite:///{folder / 'target.db'}"]
    return [url for url in found if url.startswith(kind.only)]
