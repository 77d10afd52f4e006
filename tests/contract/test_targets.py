"""What every target promises: rows come back as they went in, transactions hold, keys and errors are told."""

from __future__ import annotations

import contextlib
import datetime
import decimal
import json
import threading
import uuid

import pytest
import sqlalchemy as sa

from etl.errors import RowsRefused, TargetError, TransientError
from tests.target_rows import (
    SCALARS,
    Row,
    column,
    constant,
    encode,
    family,
    opened,
    read,
    scalars,
    single,
    write,
)

EVERY_TARGET = pytest.mark.parametrize("target_url", ["sqlite", "postgres", "memory"], indirect=True)

AWKWARD_TEXTS = [
    "",
    " ",
    "\\",
    "\\N",
    "\\.",
    "a\\tb",
    "tab\there",
    "line\nbreak",
    "carriage\r\nreturn",
    'quote\'s "double"',
    "100 %s %(x)s :name ?",
    "ünïcödé ☃ 𝄞 日本語",
    "\u200b\ufeff\x7f\x01",
    "NULL",
]

VALUES: dict[str, list[object]] = {
    "text": ["x", "", None],
    "varchar": ["twenty characters ok", "", None],
    "boolean": [True, False, None],
    "smallint": [-32768, 32767, None],
    "integer": [-(2**31), 2**31 - 1, None],
    "bigint": [-(2**63), 2**63 - 1, None],
    "numeric": ["12345678901234567890.123456789", "-0.1", None],
    "numeric_short": ["1234567.89", "-0.5", None],
    "numeric_long": ["12345678901234567890.0123456789", "0", None],
    "real": [0.5, -1.25, None],
    "double": [0.1, 1.7976931348623157e308, None],
    "date": ["2020-02-29", "0001-01-01", None],
    "time": ["23:59:59.123456", "00:00:00", None],
    "timestamp": ["2020-02-29 12:30:00.000001", "1999-12-31 23:59:59", None],
    "timestamptz": ["2020-02-29 12:30:00+00:00", "1999-12-31 23:59:59.5+00:00", None],
    "uuid": ["123e4567-e89b-12d3-a456-426614174000", "00000000-0000-0000-0000-000000000000", None],
    "json": ['{"a": [1]}', '"x"', None],
    "jsonb": ['{"a": [1]}', "1", None],
    "xml": ["<a b='c'>d</a>", "<a/>", None],
    "bytes": [b"\x00\\\xff", b"", None],
}


def same(name: str, stored: object) -> object:
    """A stored value in a form that does not depend on the database."""
    if stored is None:
        return None
    match SCALARS[name].name:
        case "boolean":
            return bool(stored)
        case "numeric":
            return decimal.Decimal(str(stored)).normalize()
        case "date":
            return datetime.date.fromisoformat(str(stored))
        case "time":
            return datetime.time.fromisoformat(str(stored))
        case "timestamp" | "timestamptz":
            return datetime.datetime.fromisoformat(str(stored))
        case "uuid":
            return uuid.UUID(str(stored))
        case "json" | "jsonb":
            return json.loads(stored) if isinstance(stored, str) and stored != "x" else stored
        case _:
            return stored


@pytest.fixture(params=["sqlite", "postgres copy", "postgres executemany", "memory"])
def way(request: pytest.FixtureRequest) -> tuple[str, str]:
    """Each way rows travel into a target: URL and insert.method."""
    kind, _, method = str(request.param).partition(" ")
    if kind == "sqlite":
        return f"sqlite:///{request.getfixturevalue('tmp_path')}/target.db", "auto"
    return (request.getfixturevalue("postgres_url"), method) if kind == "postgres" else ("memory://", "auto")


def test_every_type_comes_back_as_it_went_in(way: tuple[str, str]) -> None:
    mapping = scalars()
    rows: list[Row] = [(n, *(VALUES[name][n] for name in SCALARS)) for n in range(3)]
    with opened(way[0], insert={"method": way[1]}) as target:
        target.prepare(mapping, "after")
        write(target, rows)
        stored = read(target, mapping, "scalar")
    for sent, found in zip(rows, stored, strict=True):
        for name, value, back in zip(SCALARS, sent[1:], found[1:], strict=True):
            assert same(name, back) == same(name, value), name


def test_awkward_texts_come_back_as_they_went_in(way: tuple[str, str]) -> None:
    mapping = single("note", column("id", "integer"), column("text"))
    texts = [*AWKWARD_TEXTS, "x" * 5_000_000, None]
    with opened(way[0], insert={"method": way[1]}) as target:
        target.prepare(mapping, "after")
        write(target, [(n, text) for n, text in enumerate(texts, 10)])
        assert [row[1] for row in read(target, mapping, "note")] == texts


def test_names_that_only_look_reserved(way: tuple[str, str]) -> None:
    mapping = single("sqlit", *(column(name) for name in ("XMIN", "oid", "rowid", "_rowid_")), key=["oid"])
    with opened(way[0], insert={"method": way[1]}) as target:
        target.prepare(mapping, "after")
        write(target, [("one", "two", "three", "four")])
        assert target.build_keys(mapping) == []
        assert read(target, mapping, "sqlit") == [("one", "two", "three", "four")]


def test_names_may_be_anything(way: tuple[str, str]) -> None:
    odd = [column("order % by"), column('a"b'), column("line\n\n\tbreak, \n\there")]
    mapping = single('select "%s" :x', column("id", "integer"), *odd, key=["id"])
    with opened(way[0], insert={"method": way[1]}) as target:
        target.prepare(mapping, "after")
        write(target, [(1, "one", "two", "three")])
        assert target.build_keys(mapping) == []
        assert target.dialect == "memory" or target.prepare(mapping, "after").created == frozenset()
        assert read(target, mapping, 'select "%s" :x') == [(1, "one", "two", "three")]


@EVERY_TARGET
def test_many_batches_in_one_write(target_url: str) -> None:
    mapping = family()
    with opened(target_url) as target:
        target.prepare(mapping, "after")
        with contextlib.closing(target.connect()) as connection:
            connection.begin()
            sizes = [0, 1, 99, 100, 101, 250]
            ids = iter(range(sum(sizes)))
            connection.write(0, [encode(target, [(next(ids), "t") for _ in range(size)]) for size in sizes])
            connection.write(1, [encode(target, [])])
            connection.commit(durable=False)
        assert sorted(int(str(row[0])) for row in read(target, mapping, "release")) == list(range(sum(sizes)))
        assert read(target, mapping, "track") == []


@EVERY_TARGET
def test_nothing_is_there_before_the_commit_nor_after_a_rollback(target_url: str) -> None:
    mapping = family()
    with opened(target_url) as target:
        target.prepare(mapping, "after")
        with contextlib.closing(target.connect()) as connection:
            connection.begin()
            connection.write(0, [encode(target, [(1, "one")])])
            connection.rollback()
            connection.rollback()
            assert read(target, mapping, "release") == []
            connection.begin()
            connection.write(0, [encode(target, [(2, "two")])])
            connection.commit(durable=True)
        assert read(target, mapping, "release") == [(2, "two")]


@EVERY_TARGET
def test_a_connection_closed_in_a_transaction_leaves_nothing(target_url: str) -> None:
    mapping = family()
    with opened(target_url) as target:
        target.prepare(mapping, "after")
        connection = target.connect()
        connection.begin()
        connection.write(0, [encode(target, [(1, "one")])])
        connection.close()
        connection.close()
        assert read(target, mapping, "release") == []


@EVERY_TARGET
def test_durable_and_other_commits_take_turns(target_url: str) -> None:
    mapping = family()
    with opened(target_url) as target:
        target.prepare(mapping, "after")
        with contextlib.closing(target.connect()) as connection:
            for number, durable in enumerate([False, True, False, True]):
                connection.begin()
                connection.write(0, [encode(target, [(number, "t")])])
                connection.commit(durable=durable)
        assert len(read(target, mapping, "release")) == 4


def test_keys_are_built_after_the_rows_and_building_again_is_nothing(target_url: str) -> None:
    mapping = family()
    with opened(target_url) as target:
        assert target.prepare(mapping, "after").created == {"release", "track"}
        write(target, [(1, "one"), (2, "two")], [(1, 1, "a"), (1, 2, "b")])
        assert target.build_keys(mapping) == []
        assert target.build_keys(mapping) == []
        with pytest.raises(RowsRefused):
            write(target, [(1, "again")])
        with pytest.raises(RowsRefused):
            write(target, [], [(1, 1, "again")])
        assert len(read(target, mapping, "release")) == 2


def test_keys_before_are_there_from_the_start(target_url: str) -> None:
    mapping = family()
    with opened(target_url) as target:
        target.prepare(mapping, "before")
        write(target, [(1, "one")], [(1, 1, "a")])
        with pytest.raises(RowsRefused):
            write(target, [], [(1, 1, "again")])
        assert target.build_keys(mapping) == []


def test_a_later_run_builds_the_keys_an_earlier_one_left(target_url: str) -> None:
    mapping = family()
    with opened(target_url) as target:
        target.prepare(mapping, "after")
        write(target, [(1, "one")], [(1, 1, "a")])
    with opened(target_url) as target:
        preparation = target.prepare(mapping, "after")
        assert (preparation.created, preparation.notices) == (frozenset(), ())
        assert target.build_keys(mapping) == []
        with pytest.raises(RowsRefused):
            write(target, [], [(1, 1, "again")])


def test_duplicates_stay_and_are_told_until_they_are_gone(target_url: str) -> None:
    mapping = family()
    with opened(target_url) as target:
        target.prepare(mapping, "after")
        write(target, [(1, "one")], [(1, 1, "a"), (1, 1, "b"), (1, 2, "c"), (1, 2, "d"), (1, 2, "e"), (1, 3, "f")])
        (problem,) = target.build_keys(mapping)
        assert problem.table == "track"
        assert "2 of its values stand in 5 rows together" in problem.message
        assert "release_id = 1, seq = 1 in 2 rows" in problem.message
        assert "keys: before" in problem.message
        assert len(read(target, mapping, "track")) == 6
        track = sa.table("track", sa.column("name"))
        with contextlib.closing(target.connect()) as connection:
            connection.begin()
            connection.execute(sa.delete(track).where(track.c.name.in_(["b", "d", "e"])))
            connection.commit(durable=False)
        assert target.build_keys(mapping) == []
        with pytest.raises(RowsRefused):
            write(target, [], [(1, 1, "again")])


def test_children_wait_for_their_parents_key(target_url: str) -> None:
    mapping = family(key_type="text")
    with opened(target_url) as target:
        target.prepare(mapping, "after")
        write(target, [("x", "one"), ("x", "two")], [("x", 1, "a")])
        problems = target.build_keys(mapping)
    assert [problem.table for problem in problems] == ["release", "track"]
    assert "id = x in 2 rows" in problems[0].message
    assert "key of its parent table" in problems[1].message


def test_children_without_parent_are_told(target_url: str) -> None:
    mapping = family()
    with opened(target_url) as target:
        target.prepare(mapping, "after")
        write(target, [(1, "one")], [(1, 1, "a"), (7, 1, "b"), (7, 2, "c")])
        (problem,) = target.build_keys(mapping)
    assert problem.table == "track"
    assert "2 rows have no parent in release (release_id = 7)" in problem.message


def run_sql(url: str, *statements: str) -> None:
    """What somebody else did to the database before."""
    engine = sa.create_engine(url.replace("postgresql://", "postgresql+psycopg://"))
    with engine.begin() as connection:
        for statement in statements:
            connection.execute(sa.text(statement))
    engine.dispose()


def test_a_table_that_fits_is_taken_as_it_is(target_url: str) -> None:
    run_sql(
        target_url,
        "CREATE TABLE release (extra date, id bigint NOT NULL PRIMARY KEY, title text, filled int NOT NULL DEFAULT 7)",
    )
    mapping = family(key_type="integer")
    with opened(target_url) as target:
        preparation = target.prepare(mapping, "after")
        assert preparation.created == {"track"}
        assert preparation.notices == ()
        write(target, [(1, "one")], [(1, 1, "a")])
        assert target.build_keys(mapping) == []
        assert read(target, mapping, "release") == [(1, "one")]


def test_a_table_without_the_mappings_key_is_a_notice(target_url: str) -> None:
    run_sql(target_url, "CREATE TABLE release (id bigint, title text)")
    with opened(target_url) as target:
        (notice,) = target.prepare(family(), "after").notices
    assert notice == (
        "The table release was there already, with no primary key where the mapping has (id): that stays."
    )


def test_every_difference_is_named_at_once(target_url: str) -> None:
    run_sql(
        target_url,
        "CREATE TABLE release (id bigint NOT NULL, title integer, must integer NOT NULL)",
        "CREATE VIEW track AS SELECT 1 AS seq",
    )
    mapping = family()
    with opened(target_url) as target, pytest.raises(TargetError) as caught:
        target.prepare(mapping, "after")
    message = str(caught.value)
    assert "release.title is INTEGER, too narrow for the mapping's text (make it TEXT)" in message
    assert "release.must is NOT NULL without a default" in message
    assert "track is a view" in message
    assert "family.yaml" in message


def test_a_missing_column_and_a_forbidden_null_are_named(target_url: str) -> None:
    run_sql(target_url, "CREATE TABLE item (id integer NOT NULL, maybe text NOT NULL, always text NOT NULL)")
    mapping = single("item", column("id", "integer"), column("maybe"), constant("always"), column("new", "date"))
    with opened(target_url) as target, pytest.raises(TargetError) as caught:
        target.prepare(mapping, "after")
    message = str(caught.value)
    assert "item.maybe is NOT NULL, but the mapping can leave it empty" in message
    assert "item.always" not in message
    assert 'item has no column new (ALTER TABLE "item" ADD COLUMN "new"' in message


def test_nothing_is_created_where_one_table_does_not_fit(target_url: str) -> None:
    run_sql(target_url, "CREATE TABLE track (release_id bigint)")
    with opened(target_url) as target:
        with pytest.raises(TargetError):
            target.prepare(family(), "after")
        with contextlib.closing(target.connect()) as connection:
            connection.begin()
            assert target.missing_tables(connection, ["release", "track"]) == {"release"}
            assert target.missing_tables(connection, ["etl_table"]) == {"etl_table"}
            connection.rollback()
        run_sql(target_url, "DROP TABLE track")
        assert target.prepare(family(), "after").created == {"release", "track"}


def test_a_null_where_the_table_forbids_it_is_told_with_its_place(target_url: str) -> None:
    mapping = family()
    with opened(target_url) as target:
        target.prepare(mapping, "after")
        with pytest.raises(RowsRefused, match=r"name|seq"):
            write(target, [(1, "one")], [(1, None, "a")])
        assert read(target, mapping, "release") == []


def test_two_loads_prepare_the_same_tables_at_once(target_url: str) -> None:
    mapping = family()
    created: list[frozenset[str]] = []
    errors: list[BaseException] = []

    def prepare() -> None:
        try:
            with opened(target_url) as target:
                created.append(target.prepare(mapping, "after").created)
        except BaseException as error:  # noqa: BLE001 - handed to the test
            errors.append(error)

    threads = [threading.Thread(target=prepare) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert errors == []
    assert sorted(map(len, created)) == [0, 0, 0, 2]


def test_a_long_statement_is_interrupted_from_another_thread(target_url: str) -> None:
    endless = sa.text(
        "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT count(*) FROM n WHERE i < 0"
    )
    with opened(target_url) as target, contextlib.closing(target.connect()) as connection:
        connection.begin()
        timer = threading.Timer(0.2, connection.interrupt)
        timer.start()
        with pytest.raises(TransientError):
            connection.execute(endless)
        timer.join()
        connection.rollback()
