"""What a database refuses, in tables that were there: exactly the bad records are rejects, all others are loaded."""

from __future__ import annotations

import random
import re
import uuid
from collections import Counter
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psycopg
import pytest
import sqlalchemy as sa

import etl
from etl.errors import RowsRefused
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


TOLD_BY_LESS = ("check", "unique", "unique deferred", "foreign key of a child", "raise an odd state")
"""What is shown without COPY too, which tells the line."""


@pytest.mark.parametrize(
    ("name", "method"), [*((name, "copy") for name in KINDS), *((name, "executemany") for name in TOLD_BY_LESS)]
)
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


ALL = range(1, COUNT + 1)
SETS = {
    "none": (),
    "first and last": (1, COUNT),
    "neighbours": (30, 31, 32, 33),
    "all": ALL,
    **{f"random {seed}": random.Random(seed).sample(ALL, seed * 6) for seed in (1, 2)},
}


@pytest.mark.parametrize("bad", SETS.values(), ids=SETS)
@pytest.mark.parametrize("split_bytes", ["1B", "64KiB"])
def test_any_records_of_any_split(bad: Collection[int], split_bytes: str, target_url: str, tmp_path: Path) -> None:
    """Of four constraints, in parents and children, at once and deferred."""
    kind = Kind("", {}, v=f"CHECK (v >= 0) {ORPHAN} {DEFERRED}", code="UNIQUE", k="CHECK (k >= 0)")
    create(target_url, kind)
    broken = [{"v": "-1"}, {"code": "taken"}, {"v": "99"}, {"k": "-1"}]
    source = document((), {})
    for place, number in enumerate(bad):
        ours = document([number], broken[place % 4]).splitlines(keepends=True)[number]
        lines = source.splitlines(keepends=True)
        source = b"".join([*lines[:number], ours, *lines[number + 1 :]])
    report = load(target_url, tmp_path, source, split={"bytes": split_bytes}, insert={"batch_records": 7})
    check(target_url, source, bad, report)
    expected = Counter(
        ("check_failed", "duplicate_key", "missing_parent", "check_failed")[place % 4] for place in range(len(bad))
    )
    assert dict(fetch(target_url, "SELECT reason, count(*) FROM etl_reject GROUP BY reason")) == expected
    assert report.state == "finished"


@pytest.mark.parametrize("keys", ["before", "after"])
def test_later_duplicates_of_a_key_that_stands_are_rejects(keys: str, target_url: str, tmp_path: Path) -> None:
    """A single integer key stands in SQLite from the start."""
    if keys == "after" and target_url.startswith("postgresql"):
        pytest.skip("PostgreSQL builds it last")
    source = document((), {}, 20).replace(b"<item id='7'", b"<item id='3'").replace(b"<item id='9'", b"<item id='3'")
    report = load(target_url, tmp_path, source, keys=keys)
    assert (report.loaded, report.rejected, report.key_problems) == (18, 2, ())
    assert fetch(target_url, "SELECT record, reason, column_name FROM etl_reject ORDER BY 1") == [
        (7, "duplicate_key", "id"),
        (9, "duplicate_key", "id"),
    ]
    assert fetch(target_url, "SELECT count(*) FROM part") == [(36,)]
    ((message,),) = fetch(target_url, "SELECT message FROM etl_reject WHERE record = 7")
    assert re.search(r"id = 3|\(id\)=\(3\)", message)


@pytest.mark.parametrize(
    ("type_", "value", "reason"),
    [
        ("varchar(3)", "four", "too_long"),
        ("smallint", "40000", "out_of_range"),
        ("mood", "sad", "check_failed"),
        ("moods", "9", "refused"),
        ("text", "\N{EURO SIGN}", "bad_encoding"),
    ],
)
@pytest.mark.parametrize("method", ["copy", "executemany"])
def test_values_that_a_type_of_the_database_does_not_take(
    type_: str, value: str, reason: str, method: str, postgres_server: str, tmp_path: Path
) -> None:
    name = f"latin_{uuid.uuid4().hex}"
    with psycopg.connect(postgres_server, autocommit=True) as server:
        server.execute(f"CREATE DATABASE {name} ENCODING 'LATIN1' TEMPLATE template0 LC_COLLATE 'C' LC_CTYPE 'C'")
        try:
            url = sa.make_url(postgres_server).set(database=name).render_as_string(hide_password=False)
            run_sql(
                url,
                "CREATE DOMAIN mood AS text CHECK (VALUE <> 'sad')",
                f"CREATE TYPE moods AS ENUM ({', '.join(repr(str(n)) for n in range(9))})",
            )
            mapping = MAPPING.replace('code: "@code"', f'code: {{path: "@code", sql: "{type_}"}}')
            source = document([5, 6], {"code": value}, 8).replace(b"'c", b"'")
            report = load(url, tmp_path, source, mapping, insert={"method": method})
            assert (report.loaded, report.rejected) == (6, 2)
            reasons = fetch(url, "SELECT record, reason FROM etl_reject ORDER BY record")
            assert reasons == [(5, reason), (6, reason)]
        finally:
            server.execute(f"DROP DATABASE {name} WITH (FORCE)")


def test_a_row_without_partition(postgres_url: str, tmp_path: Path) -> None:
    run_sql(
        postgres_url,
        "CREATE TABLE item (id bigint NOT NULL, v bigint NOT NULL, code text) PARTITION BY RANGE (v)",
        "CREATE TABLE item_2 PARTITION OF item (CHECK (code <> 'no')) FOR VALUES FROM (0) TO (10)",
    )
    mapping = MAPPING.replace('v: {path: "@v", type: bigint}', 'v: {path: "@v", type: bigint, required: true}')
    source = document([3], {"v": "10"}, 9).replace(b"'c8'", b"'no'")
    report = load(postgres_url, tmp_path, source, mapping)
    assert (report.loaded, report.rejected) == (7, 2)
    found = fetch(postgres_url, "SELECT record, reason, table_name FROM etl_reject ORDER BY record")
    assert found == [(3, "check_failed", "item"), (8, "check_failed", "item")]


def test_a_trigger_that_does_not_work_ends_the_load(postgres_url: str, tmp_path: Path) -> None:
    kind = KINDS["raise"]
    create(postgres_url, kind)
    broken = "'BEGIN PERFORM x FROM nowhere; RETURN NEW; END'"
    run_sql(postgres_url, f"CREATE OR REPLACE FUNCTION item_1() RETURNS trigger LANGUAGE plpgsql AS {broken}")
    with pytest.raises(etl.EtlError, match='relation "nowhere" does not exist') as caught:
        load(postgres_url, tmp_path, document((), {}))
    assert not isinstance(caught.value, RowsRefused)
    assert fetch(postgres_url, "SELECT count(*) FROM etl_reject") == [(0,)]


def test_sqlite_leaves_foreign_keys_alone_that_cannot_hold(tmp_path: Path) -> None:
    """A key to a table that is not there would refuse every row."""
    url = f"sqlite:///{tmp_path / 'target.db'}"
    run_sql(url, "CREATE TABLE item (id bigint NOT NULL PRIMARY KEY, v bigint REFERENCES nowhere (id), code text)")
    report = load(url, tmp_path, document((), {}))
    assert (report.loaded, report.rejected) == (COUNT, 0)
