"""`write: upsert` and `skip`: records meet those of their key in the tables, each with its children, counted truly."""

from __future__ import annotations

import contextlib
import signal
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

import etl
from etl.errors import EtlError, SettingsError, TargetError
from etl.options import build_settings
from tests.command import etl as command
from tests.contract.test_recovery import fetch
from tests.contract.test_targets import VALUES, run_sql, same
from tests.target_rows import SCALARS, Row, column, encode, listed, opened, read, scalars

MAPPING = """
version: 1
tables:
  release:
    each: /releases/release
    key: id
    columns:
      id: {path: "@id", type: bigint}
      title: "@title"
      price: {path: "@price", type: bigint}
  track:
    parent: release
    each: track
    columns:
      name: "@name"
  artist:
    parent: track
    each: artist
    columns:
      name: "."
"""

Record = tuple[str, str, Mapping[str, Sequence[str]]]
"""Key, title, and the tracks with their artists."""

Records = Sequence[Record]


def document(records: Records, note: str = "") -> bytes:
    lines = []
    for key, title, tracks in records:
        inner = "".join(
            f"<track name='{name}'>{''.join(f'<artist>{artist}</artist>' for artist in artists)}</track>"
            for name, artists in tracks.items()
        )
        lines.append(f"<release id='{key}' title='{title}' price='{len(title)}'>{inner}</release>\n")
    return f"<releases><!--{note}-->\n{''.join(lines)}</releases>".encode()


@pytest.fixture(params=["sqlite", "postgres copy", "postgres executemany"])
def way(request: pytest.FixtureRequest, tmp_path: Path) -> tuple[str, dict[str, Any]]:
    """Each way rows travel into a target: its URL and the settings."""
    kind, _, method = str(request.param).partition(" ")
    if kind == "sqlite":
        return f"sqlite:///{tmp_path / 'target.db'}", {}
    return str(request.getfixturevalue("postgres_url")), {"insert": {"method": method, "threads": 1}}


Load = Callable[..., etl.LoadReport]


@pytest.fixture
def load(way: tuple[str, dict[str, Any]], tmp_path: Path) -> Load:
    """Loads records by a mapping, as a file of its own content."""
    url, chosen = way

    def run(records: Records, write: str, *, mapping: str = MAPPING, note: str = "", **settings: Any) -> etl.LoadReport:
        (tmp_path / "releases.mapping.yaml").write_text(mapping)
        (tmp_path / "releases.xml").write_bytes(document(records, note))
        again = settings.pop("again", False)
        everything = {"write": write, "workers": {"kind": "inline"}, "errors": {"max": "unlimited"}}
        return etl.load(
            tmp_path / "releases.xml",
            mapping=tmp_path / "releases.mapping.yaml",
            target=url,
            settings=build_settings({**everything, **chosen, **settings}),
            again=again,
        )

    return run


def stored(url: str) -> dict[str, tuple[str, dict[str, list[str]]]]:
    """What is in the tables, as it was in the documents; every child has its parent, and is numbered from 1."""
    releases: dict[str, tuple[str, dict[str, list[str]]]] = {
        str(key): (title, {}) for key, title in fetch(url, "SELECT id, title FROM release")
    }
    names: dict[tuple[str, int], str] = {}
    for key, seq, name in fetch(url, "SELECT release_id, seq, name FROM track ORDER BY release_id, seq"):
        names[str(key), seq] = name
        releases[str(key)][1][name] = []
        assert seq == len(releases[str(key)][1])
    for key, track, seq, name in fetch(url, "SELECT release_id, track_seq, seq, name FROM artist ORDER BY 1, 2, 3"):
        artists = releases[str(key)][1][names[str(key), track]]
        artists.append(name)
        assert seq == len(artists)
    return releases


def expected(*records: Record) -> dict[str, tuple[str, dict[str, list[str]]]]:
    return {key: (title, {name: list(artists) for name, artists in tracks.items()}) for key, title, tracks in records}


def counts(report: etl.LoadReport) -> tuple[int, int, int, int]:
    return report.records, report.loaded, report.rejected, report.discarded


ONE: Record = ("1", "one", {"a": ["x", "y"], "b": []})
TWO: Record = ("2", "two", {"a": ["x"]})
THREE: Record = ("3", "three", {})
NEW_ONE: Record = ("1", "ONE", {"c": ["z"]})
NEW_THREE: Record = ("3", "THREE", {"a": [], "b": ["y", "x"]})
FOUR: Record = ("4", "four", {"a": ["x"]})


def test_upsert_changes_adds_and_leaves(way: tuple[str, dict[str, Any]], load: Load) -> None:
    assert counts(load([ONE, TWO, THREE], "upsert")) == (3, 3, 0, 0)
    report = load([NEW_ONE, NEW_THREE, FOUR], "upsert")
    assert counts(report) == (3, 3, 0, 0)
    assert dict(report.tables) == {"release": 3, "track": 4, "artist": 4}
    assert stored(way[0]) == expected(NEW_ONE, TWO, NEW_THREE, FOUR)


def test_skip_adds_only_what_is_new(way: tuple[str, dict[str, Any]], load: Load) -> None:
    assert counts(load([ONE, TWO], "skip")) == (2, 2, 0, 0)
    # Small splits, so that what is left out is told to the right tiles.
    report = load([NEW_ONE, NEW_THREE, ("2", "TWO", {}), FOUR], "skip", split={"bytes": 1})
    assert counts(report) == (4, 2, 0, 2)
    assert dict(report.tables) == {"release": 2, "track": 3, "artist": 3}
    assert stored(way[0]) == expected(ONE, TWO, NEW_THREE, FOUR)
    tiles = fetch(way[0], "SELECT records, loaded, discarded FROM etl_split WHERE source = 2 ORDER BY start_offset")
    assert [(loaded, discarded) for records, loaded, discarded in tiles if records] == [(0, 1), (1, 0), (0, 1), (1, 0)]


@pytest.mark.parametrize("batch_records", [50_000, 1], ids=["in one batch", "across batches"])
def test_of_several_records_of_one_key(way: tuple[str, dict[str, Any]], load: Load, batch_records: int) -> None:
    records = [ONE, TWO, NEW_ONE, THREE, NEW_THREE]
    settings = {"insert": {**way[1].get("insert", {}), "batch_records": batch_records}, "split": {"bytes": "50B"}}
    assert counts(load(records, "skip", **settings)) == (5, 3, 0, 2)
    assert stored(way[0]) == expected(ONE, TWO, THREE)
    assert counts(load(records, "upsert", note="again", **settings)) == (5, 5, 0, 0)
    assert stored(way[0]) == expected(NEW_ONE, TWO, NEW_THREE)


def test_the_same_data_twice_is_the_data_once(way: tuple[str, dict[str, Any]], load: Load) -> None:
    records: list[Record] = [(str(key), f"title {key}", {"a": ["x"] * (key % 3), "b": []}) for key in range(1, 200)]
    settings: dict[str, Any] = {"insert": {**way[1].get("insert", {}), "batch_records": 20, "threads": 2}}
    settings["split"] = {"bytes": "1KiB"}
    for note in ("first", "second"):
        assert counts(load(records, "upsert", note=note, **settings)) == (199, 199, 0, 0)
        assert stored(way[0]) == expected(*records)
    report = load(records, "append", note="third", **settings)
    assert counts(report) == (199, 0, 199, 0)
    assert {reject.reason for reject in report.rejects} == {"duplicate_key"}
    assert stored(way[0]) == expected(*records)


EXISTING = (
    "CREATE TABLE release (id bigint PRIMARY KEY, title text, price bigint CHECK (price < 10),"
    " kept text DEFAULT 'new', seen integer NOT NULL DEFAULT 0)",
    "CREATE TABLE track (release_id bigint NOT NULL REFERENCES release (id), seq integer NOT NULL, name text,"
    " PRIMARY KEY (release_id, seq))",
    "CREATE TABLE artist (release_id bigint NOT NULL, track_seq integer NOT NULL, seq integer NOT NULL,"
    " name text CHECK (name <> 'bad'), PRIMARY KEY (release_id, track_seq, seq),"
    " FOREIGN KEY (release_id, track_seq) REFERENCES track (release_id, seq))",
    "INSERT INTO release VALUES (1, 'one', 3, 'mine', 7), (2, 'two', 3, 'mine', 7)",
    "INSERT INTO track VALUES (1, 1, 'a'), (1, 2, 'b'), (2, 1, 'a')",
    "INSERT INTO artist VALUES (1, 1, 1, 'x'), (1, 1, 2, 'y'), (2, 1, 1, 'x')",
)


def test_existing_tables_keep_columns_that_the_mapping_does_not_have(
    way: tuple[str, dict[str, Any]], load: Load
) -> None:
    run_sql(way[0], *EXISTING)
    assert counts(load([NEW_ONE, THREE], "upsert")) == (2, 2, 0, 0)
    assert stored(way[0]) == expected(NEW_ONE, TWO, THREE)
    kept = fetch(way[0], "SELECT id, kept, seen FROM release ORDER BY id")
    assert kept == [(1, "mine", 7), (2, "mine", 7), (3, "new", 0)]


@pytest.mark.parametrize("write", ["upsert", "skip"])
def test_what_the_database_refuses_leaves_the_old_record_whole(
    way: tuple[str, dict[str, Any]], load: Load, write: str
) -> None:
    run_sql(way[0], *EXISTING)
    good: list[Record] = [(str(key), "good", {"a": ["x"]}) for key in range(10, 40)]
    too_dear: Record = ("20", "much too dear", {"a": ["x"]})
    bad_artist: Record = ("1", "ONE", {"c": ["z", "bad"]})
    records = [*good[:10], too_dear, bad_artist, *good[11:], ("2", "TWO", {})]
    report = load(records, write)
    kept = [*good[:10], *good[11:]]
    if write == "upsert":
        assert counts(report) == (32, 30, 2, 0)
        assert stored(way[0]) == expected(ONE, ("2", "TWO", {}), *kept)
    else:
        # What is there already is left out whatever is in it.
        assert counts(report) == (32, 29, 1, 2)
        assert stored(way[0]) == expected(ONE, TWO, *kept)
    assert {(reject.reason, reject.table) for reject in report.rejects} <= {
        ("check_failed", "release"),
        ("check_failed", "artist"),
    }
    assert fetch(way[0], "SELECT sum(records), sum(loaded), sum(rejected), sum(discarded) FROM etl_split") == [
        counts(report)
    ]


def test_of_a_key_twice_the_earlier_stays_where_the_later_is_refused(
    way: tuple[str, dict[str, Any]], load: Load
) -> None:
    run_sql(way[0], *EXISTING)
    assert counts(load([NEW_ONE, ("1", "much too dear", {})], "upsert")) == (2, 1, 1, 0)
    assert stored(way[0]) == expected(NEW_ONE, TWO)


KEYS = """
version: 1
tables:
  item:
    each: /items/item
    key: [code, part]
    columns:
      code: "@code"
      part: {path: "@part", type: integer}
      etl_record: "@value"
  word:
    each: /items/only
    key: name
    columns:
      name: "@name"
  value:
    each: /items/item
    key: value
    columns:
      value: "@value"
"""


def test_composite_keys_tables_of_keys_alone_and_elements_of_several_tables(
    way: tuple[str, dict[str, Any]], tmp_path: Path
) -> None:
    (tmp_path / "items.mapping.yaml").write_text(KEYS)

    def load_items(write: str, *elements: str) -> etl.LoadReport:
        (tmp_path / "items.xml").write_text(f"<items>{''.join(elements)}</items>")
        settings = build_settings({"write": write, **way[1]})
        return etl.load(
            tmp_path / "items.xml", mapping=tmp_path / "items.mapping.yaml", target=way[0], settings=settings
        )

    def rows() -> tuple[list[tuple[Any, ...]], ...]:
        item = fetch(way[0], "SELECT code, part, etl_record FROM item ORDER BY 1, 2")
        words = fetch(way[0], "SELECT name FROM word ORDER BY 1")
        return item, words, fetch(way[0], "SELECT value FROM value")

    first = ["<item code='a' part='1' value='v'/>", "<item code='a' part='2' value='w'/>", "<only name='n'/>"]
    assert counts(load_items("upsert", *first)) == (3, 3, 0, 0)
    report = load_items("upsert", "<item code='a' part='1' value='V'/>", "<only name='n'/>", "<only name='o'/>")
    assert counts(report) == (3, 3, 0, 0)
    item, words, values = rows()
    assert (item, words) == ([("a", 1, "V"), ("a", 2, "w")], [("n",), ("o",)])
    assert sorted(values) == [("V",), ("v",), ("w",)]
    # The first is new to one of its two tables, the second to none.
    report = load_items("skip", "<item code='a' part='1' value='u'/>", "<item code='a' part='2' value='w'/>")
    assert counts(report) == (2, 1, 0, 1)
    assert dict(report.tables) == {"item": 0, "word": 0, "value": 1}


def test_every_type_and_name_comes_through_the_staging_tables(way: tuple[str, dict[str, Any]]) -> None:
    odd = [column("order % by"), column('a"b'), column("line\n\n\tbreak, \n\there"), listed("many", "integer")]
    parent = replace(scalars().tables[0], name='select "%s" :x ' + "long " * 9)
    parent = replace(parent, columns=(*parent.columns, *odd))
    mapping = replace(scalars(), tables=(parent,))
    beside: Row = ("one", "two", "three")
    rows: list[Row] = [(n, *(VALUES[name][n] for name in SCALARS), *beside) for n in range(3)]
    with opened(way[0], write="upsert", **way[1]) as target:
        target.prepare(mapping, "before")
        array = "{1,2}" if target.row_format == "copy" else "[1,2]"
        for sent in ([(*rows[0][:-1], "old", array)], [(*row, array) for row in rows]):
            with contextlib.closing(target.connect()) as connection:
                connection.begin()
                connection.write(0, [encode(target, sent)])
                merged = connection.merge()
                assert merged is not None
                assert (merged.rows, dict(merged.skipped)) == ((len(sent),), {})
                connection.commit(durable=False)
        stored = read(target, mapping, parent.name)
    for row, found in zip(rows, stored, strict=True):
        for name, value, back in zip(SCALARS, row[1:], found[1:], strict=False):
            assert same(name, back) == same(name, value), name
        assert (*found[-4:-1], str(found[-1]).replace(" ", "")) == (*beside, "[1,2]")


@pytest.mark.parametrize("deferred", ["", " DEFERRABLE INITIALLY DEFERRED"])
def test_references_to_tables_of_others_hold(way: tuple[str, dict[str, Any]], load: Load, deferred: str) -> None:
    run_sql(
        way[0],
        "CREATE TABLE sum (price bigint PRIMARY KEY)",
        "INSERT INTO sum VALUES (3), (4)",
        f"CREATE TABLE release (id bigint PRIMARY KEY, title text, price bigint REFERENCES sum (price){deferred})",
        "CREATE TABLE track (release_id bigint NOT NULL, seq integer NOT NULL, name text,"
        " PRIMARY KEY (release_id, seq))",
        "CREATE TABLE artist (release_id bigint NOT NULL, track_seq integer NOT NULL, seq integer NOT NULL, name text,"
        " PRIMARY KEY (release_id, track_seq, seq))",
    )
    load([ONE, TWO], "upsert")
    # The earlier of one key gives way to the later, so nothing is wrong with it.
    report = load([("1", "no such sum", {}), NEW_ONE, FOUR, ("2", "no such sum", {})], "upsert")
    assert counts(report)[0] == 4
    assert [(reject.reason, reject.count) for reject in report.rejects] in (
        [("missing_parent", 1)],
        [("missing_parent", 2)],
    )
    assert stored(way[0]) == expected(NEW_ONE, TWO, FOUR)


def test_two_loads_of_the_same_records_at_once(way: tuple[str, dict[str, Any]], tmp_path: Path) -> None:
    (tmp_path / "releases.mapping.yaml").write_text(MAPPING)
    versions = {
        name: [(str(key), f"{name}{key}", {name: [name] * (key % 3)}) for key in range(1, 150)] for name in ("x", "y")
    }
    chosen = {**way[1].get("insert", {}), "batch_records": 10, **({"threads": 2} if way[1] else {})}
    settings = build_settings({"write": "upsert", "insert": chosen, "split": {"bytes": "500B"}})
    reports: list[etl.LoadReport] = []

    def run(name: str) -> None:
        (tmp_path / f"{name}.xml").write_bytes(document(versions[name]))
        mapping = tmp_path / "releases.mapping.yaml"
        reports.append(etl.load(tmp_path / f"{name}.xml", mapping=mapping, target=way[0], settings=settings))

    threads = [threading.Thread(target=run, args=(name,)) for name in versions]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [counts(report) for report in reports] == [(149, 149, 0, 0)] * 2
    found = stored(way[0])
    assert len(found) == 149
    for key, (title, tracks) in found.items():
        assert (key, title, tracks) in versions[title[0]]


@pytest.mark.parametrize("way", ["sqlite", "postgres copy"], indirect=True)
def test_killed_in_a_merge_it_ends_as_if_undisturbed(
    way: tuple[str, dict[str, Any]], load: Load, tmp_path: Path
) -> None:
    old: list[Record] = [(str(key), "old", {"a": ["x"], "b": []}) for key in range(1, 60)]
    new: list[Record] = [(str(key), "new", {"c": ["y", "z"]}) for key in range(30, 90)]
    load(old, "upsert")
    (tmp_path / "releases.xml").write_bytes(document(new))
    method = way[1].get("insert", {}).get("method", "auto")
    arguments = ["load", "releases.xml", "--to", way[0], "--write", "upsert", "--set", f"insert.method={method}"]
    arguments += ["--set", "insert.batch_records=10", "--set", "split.bytes=300B", "--set", "workers.kind=inline"]
    killed = command(*arguments, cwd=tmp_path, env={"ETL_FAULT": "in_merge:3"})
    assert killed.code == -signal.SIGKILL & 255, killed.err
    done = command(*arguments, "--json", cwd=tmp_path)
    assert done.code == 0, done.err
    assert done.report["skipped"] > 0
    assert stored(way[0]) == expected(*old[:29], *new)


def test_again_with_upsert_empties_nothing(way: tuple[str, dict[str, Any]], load: Load) -> None:
    load([ONE, TWO], "upsert", note="first")
    load([FOUR], "upsert", note="second")
    changed = MAPPING.replace('title: "@title"', 'title: {path: "@title", transform: [upper]}')
    report = load([ONE, TWO], "upsert", note="first", mapping=changed, again=True)
    assert counts(report) == (2, 2, 0, 0)
    assert stored(way[0]) == expected(("1", "ONE", ONE[2]), ("2", "TWO", TWO[2]), FOUR)
    # With skip it empties, also what the same file brought when it held something else.
    load([ONE, TWO], "skip", note="first", again=True)
    assert stored(way[0]) == expected(ONE, TWO)


def test_a_retry_of_rejects_merges_as_well(way: tuple[str, dict[str, Any]], load: Load, tmp_path: Path) -> None:
    run_sql(way[0], *EXISTING)
    load([("1", "much too dear", {"c": ["z"]})], "upsert")
    run_sql(way[0], "DELETE FROM artist WHERE release_id = 2", "DELETE FROM track WHERE release_id = 2")
    cheaper = MAPPING.replace('price: {path: "@price", type: bigint}', "price: {value: 5, type: bigint}")
    (tmp_path / "cheaper.yaml").write_text(cheaper)
    settings = build_settings({"write": "upsert", **way[1]})
    report = etl.retry(way[0], mapping=tmp_path / "cheaper.yaml", settings=settings)
    assert (report.selected, report.loaded, report.left) == (1, 1, 0)
    assert stored(way[0]) == expected(("1", "much too dear", {"c": ["z"]}), ("2", "two", {}))
    assert fetch(way[0], "SELECT sum(loaded), sum(rejected) FROM etl_split") == [(1, 0)]


def test_records_without_key_cannot_be_found_again(load: Load, way: tuple[str, dict[str, Any]]) -> None:
    with pytest.raises(SettingsError, match=r"table release \(.*releases.mapping.yaml:4\) has none.*give it a `key`"):
        load([ONE], "upsert", mapping=MAPPING.replace("    key: id\n", ""))


def test_tables_without_unique_key_are_refused_before_anything_is_loaded(
    way: tuple[str, dict[str, Any]], load: Load
) -> None:
    run_sql(
        way[0],
        "CREATE TABLE release (id bigint, title text, price bigint)",
        "CREATE UNIQUE INDEX of_the_dear ON release (id) WHERE price > 5",
        "CREATE UNIQUE INDEX together ON release (id, title)",
    )
    with pytest.raises(TargetError, match=r"no unique key over \(id\), by which `write: skip` finds records"):
        load([ONE], "skip")
    run_sql(way[0], "CREATE UNIQUE INDEX release_key ON release (id)")
    assert counts(load([ONE, NEW_ONE], "skip")) == (2, 1, 0, 1)


def test_tables_that_wait_for_their_keys_are_refused(way: tuple[str, dict[str, Any]], load: Load) -> None:
    mapping = MAPPING.replace("type: bigint}\n      title", "type: text}\n      title")
    report = load([("a", "one", {}), ("a", "two", {})], "append", mapping=mapping)
    assert report.key_problems
    with pytest.raises(TargetError, match=r"release has no keys yet, which `write: upsert` needs"):
        load([("a", "three", {})], "upsert", mapping=mapping)
    assert counts(load([("b", "four", {})], "append", mapping=mapping)) == (1, 1, 0, 0)


def test_texts_are_one_key_where_the_table_says_so(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'folded.db'}"
    mapping = MAPPING.replace("type: bigint}\n      title", "type: text}\n      title").partition("  track:")[0]
    (tmp_path / "m.yaml").write_text(mapping)
    run_sql(url, "CREATE TABLE release (id text COLLATE NOCASE PRIMARY KEY, title text, price bigint)")
    run_sql(url, "INSERT INTO release VALUES ('a', 'old', 1)")
    for write, title in (("skip", "old"), ("upsert", "newer")):
        (tmp_path / "r.xml").write_bytes(document([("A", "new", {}), ("a", "newer", {})], write))
        settings = build_settings({"write": write})
        report = etl.load(tmp_path / "r.xml", mapping=tmp_path / "m.yaml", target=url, settings=settings)
        assert report.rejected == 0
        assert fetch(url, "SELECT id, title FROM release") == [("a", title)]


def test_memory_has_nothing_to_merge_with(tmp_path: Path) -> None:
    (tmp_path / "m.yaml").write_text(MAPPING)
    (tmp_path / "r.xml").write_bytes(document([ONE]))
    with pytest.raises(EtlError, match="write: memory:// is empty"):
        etl.load(
            tmp_path / "r.xml",
            mapping=tmp_path / "m.yaml",
            target="memory://",
            settings=build_settings({"write": "skip"}),
        )
