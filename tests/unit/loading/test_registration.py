"""Who may load a source: holds, take-overs, changed mappings, changed content, and beginning again."""

from __future__ import annotations

import contextlib
import dataclasses
import os
from collections.abc import Iterator
from pathlib import Path

import pytest
import sqlalchemy as sa

import etl
from etl.errors import SourceHeld, TargetError
from etl.loading import holds
from etl.loading.ledger import Ledger, RegisteredSource
from etl.loading.retry_ledger import RetryLedger
from etl.mapping.reader import parse_mapping
from etl.messages import Part, PartCounts, RejectedRecord, Skeleton
from etl.targets.base import Target
from etl.targets.sqlite_holds import SqliteHold
from tests.target_rows import encode, family, opened, write

PLAIN = """\
version: 1
tables:
  release:
    each: /releases/release
    key: id
    columns:
      id: {path: "@id", type: bigint}
      title: title
  track:
    parent: release
    each: track
    columns:
      name: name
"""
OTHER_VALUES = PLAIN.replace("title: title", 'title: {path: title, nulls: ["?"]}')
OTHER_ROWS = PLAIN.replace("    key: id\n", "    key: id\n    where: title\n")


@pytest.fixture
def target(target_url: str) -> Iterator[Target]:
    with opened(target_url) as target:
        yield target


def begun(target: Target, text: str = PLAIN) -> Ledger:
    ledger = Ledger(target, None, parse_mapping(text, "m.yaml"))
    ledger.prepare()
    return ledger


def loaded(target: Target, ids: range, *, finish: bool = True, fingerprint: str = "f", label: str = "a.xml") -> Ledger:
    """Load records with these numbers, as a source of their own."""
    mapping = parse_mapping(PLAIN, "m.yaml")
    ledger = begun(target)
    source = ledger.register(label, fingerprint, 100, path=f"/dumps/{label}").info.number
    target.prepare(mapping, "after")
    part = Part(source, 0, 50, len(ids), (), last=finish)
    with contextlib.closing(target.connect()) as connection:
        connection.begin()
        ledger.claim(connection, [(part, PartCounts(len(ids), len(ids), 0, 0))], 1)
        connection.write(0, [encode(target, [(number, "title") for number in ids])])
        connection.write(1, [encode(target, [(number, 1, "track") for number in ids])])
        ledger.write_rejects(connection, [RejectedRecord(source, 60, 1, 1, "malformed", "x", skeleton=AROUND)])
        connection.commit(durable=False)
    if finish:
        assert ledger.mark_rows_done(source) == ()
        assert target.build_keys(mapping) == []
        assert ledger.mark_keys_built([source])
        assert ledger.mark_finished([source])
    return ledger


AROUND = Skeleton(b"", b"<a>", b"</a>", 1)


def again(target: Target, text: str = PLAIN, *fingerprints: str) -> RegisteredSource:
    ledger = begun(target, text)
    ledger.begin_again(fingerprints or ["f"])
    return ledger.register("a.xml", "f", 100)


def rows(target: Target, table: str) -> int:
    with contextlib.closing(target.connect()) as connection:
        connection.begin()
        ((found,),) = connection.execute(sa.select(sa.func.count()).select_from(sa.table(table)))
        connection.rollback()
    return int(found)


def run(target: Target, *statements: str) -> None:
    with contextlib.closing(target.connect()) as connection:
        connection.begin()
        for statement in statements:
            connection.execute(sa.text(statement))
        connection.commit(durable=False)


def test_a_source_that_is_being_loaded_is_held_and_says_by_whom(
    target_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(holds, "PATIENCE_SECONDS", 0.0)
    with opened(target_url) as first, opened(target_url) as second:
        loaded(first, range(3), finish=False)
        for _ in range(2):
            with pytest.raises(
                SourceHeld, match=rf"a.xml is being loaded .* by etl on .*, process {os.getpid()}, since 2"
            ):
                begun(second).register("a.xml", "f", 100)
        # Neither another mapping nor beginning again is a way round it.
        with pytest.raises(SourceHeld):
            begun(second, OTHER_ROWS).register("a.xml", "f", 100)
        with pytest.raises(SourceHeld):
            again(second)
        assert first.holder(first.hold()) is not None
        assert second.holder(first.hold()) is not None
        assert begun(second).register("b.xml", "g", 100).info.number == 2


def test_what_a_dead_load_held_is_taken_over(target_url: str) -> None:
    with opened(target_url) as first:
        ledger, lock = loaded(first, range(3), finish=False), first.hold()
    with opened(target_url) as second:
        assert second.holder(lock) is None
        assert begun(second).register("a.xml", "f", 100).totals.loaded == 3
    with opened(target_url) as third, contextlib.closing(third.connect()) as connection:
        connection.begin()
        with pytest.raises(TargetError, match="taken source 1 over"):
            ledger.claim(connection, [(Part(1, 50, 60, 1, ()), PartCounts(1, 1, 0, 0))], 1)
        connection.rollback()


def test_a_finished_source_is_held_by_nobody(target_url: str) -> None:
    with opened(target_url) as first, opened(target_url) as second:
        loaded(first, range(3))
        assert begun(second).register("a.xml", "f", 100).finished


def test_what_a_retry_of_rejects_has_is_held_though_it_is_finished(
    target_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(holds, "PATIENCE_SECONDS", 0.0)
    with opened(target_url) as first, opened(target_url) as second:
        loaded(first, range(3))
        RetryLedger(first, None, begun(first), {1: "a.xml"}).begin()
        for text in (PLAIN, OTHER_ROWS):
            with pytest.raises(SourceHeld, match=r"a.xml has rejects that are being retried .* by etl on "):
                again(second, text)
        with pytest.raises(SourceHeld):
            begun(second, OTHER_ROWS).register("a.xml", "f", 100)
        assert begun(second).register("a.xml", "f", 100).finished
        assert rows(second, "release") == 3
        (source,) = etl.status(target_url)
        assert (source.state, f"process {os.getpid()}" in source.holder) == ("finished", True)
    (source,) = etl.status(target_url)
    assert source.holder == ""


def test_what_a_lost_connection_held_is_held_again(postgres_url: str) -> None:
    with opened(postgres_url) as first, opened(postgres_url) as second:
        ledger, lock = loaded(first, range(3), finish=False), first.hold()
        run(second, "SELECT pg_terminate_backend(pid, 10000) FROM pg_locks WHERE locktype = 'advisory'")
        assert second.holder(lock) is None
        ledger.hold_again()
        assert second.holder(lock) is not None
        assert first.hold() == lock


def test_after_a_lost_connection_tables_are_reserved_again_where_their_keys_are_built(postgres_url: str) -> None:
    def reserved(target: Target) -> int:
        with contextlib.closing(target.connect()) as connection:
            connection.begin()
            found = connection.execute(
                sa.text("SELECT count(*) FROM pg_locks WHERE classid = CAST(x'65746C6B' AS int)")
            )
            connection.rollback()
        return int(found[0][0])

    with opened(postgres_url) as first, opened(postgres_url) as second:
        ledger = loaded(first, range(3), finish=False)
        assert reserved(second) == 2
        run(second, "SELECT pg_terminate_backend(pid, 10000) FROM pg_locks WHERE locktype = 'advisory'")
        assert reserved(second) == 0
        second.hold()
        second._reserve({"release"})  # type: ignore[attr-defined]
        first.notify = lambda sentence: pytest.fail(f"An insert thread waits: {sentence}")
        ledger.hold_again()
        assert reserved(second) == 1
        second.close()
        assert first.build_keys(parse_mapping(PLAIN, "m.yaml")) == []
        assert reserved(first) == 2


def test_no_file_is_left_of_a_hold(tmp_path: Path) -> None:
    with opened(f"sqlite:///{tmp_path / 'a.db'}") as target:
        loaded(target, range(3), finish=False)
        lock = target.hold()
        assert (tmp_path / f"a.db-etl-{lock}").exists()
    assert [file.name for file in tmp_path.iterdir()] == ["a.db"]


def test_what_a_killed_load_left_of_its_hold_is_tidied_up(tmp_path: Path) -> None:
    url, left = f"sqlite:///{tmp_path / 'a.db'}", tmp_path / "a.db-etl-7"
    with opened(url) as target:
        left.touch()
        assert target.holder(7) is None
        assert not left.exists()
        left.touch()
        others = [tmp_path / name for name in ("a.db-etl-", "a.db-etl-x", "b.db-etl-7")]
        for other in others:
            other.touch()
        mine = tmp_path / f"a.db-etl-{target.hold()}"
        with opened(url) as second:
            begun(second)
        assert not left.exists()
        assert all(other.exists() for other in [*others, mine])


def test_a_hold_that_was_taken_for_a_left_one_is_taken_anew(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Between the creation of the file and its lock another load looks."""
    first, second = SqliteHold(tmp_path / "a.db"), SqliteHold(tmp_path / "a.db")
    create, looks = os.open, iter([True, True, False])

    def create_and_be_seen(path: Path, flags: int, mode: int = 0o777) -> int:
        file = create(path, flags, mode)
        if flags & os.O_CREAT and next(looks):
            second.tidy()
        return file

    monkeypatch.setattr(os, "open", create_and_be_seen)
    number = first.take()
    assert second.holder(number) == f"it has locked {tmp_path / f'a.db-etl-{number}'}"
    assert len(list(tmp_path.iterdir())) == 1
    first.close()
    assert not list(tmp_path.iterdir())


def test_a_hold_that_cannot_be_read_says_what_to_do(tmp_path: Path) -> None:
    folder = tmp_path / "a.db-etl-7"
    folder.symlink_to(folder)  # which cannot be opened, whoever asks
    said = SqliteHold(tmp_path / "a.db").holder(7)
    assert said is not None
    assert "remove it if nobody loads" in said


def test_one_load_holds_any_number_of_sources_by_one_lock(target: Target) -> None:
    ledger = begun(target)
    sources = [ledger.register(f"{n}.xml", f"f{n}", 1).info.number for n in range(20)]
    with contextlib.closing(target.connect()) as connection:
        connection.begin()
        locks = connection.execute(sa.text("SELECT DISTINCT lock FROM etl_source"))
        connection.rollback()
    assert (len(sources), locks) == (20, [(target.hold(),)])


def test_other_values_of_the_same_columns_go_on_and_are_told(target: Target) -> None:
    loaded(target, range(3), finish=False)
    source = begun(target, OTHER_VALUES).register("a.xml", "f", 100)
    assert source.totals.records == 3
    assert len(source.notices) == 1
    assert "its 3 records of before stay" in source.notices[0]
    # By now it is this mapping's.
    assert begun(target, OTHER_VALUES).register("a.xml", "f", 100).notices == ()


def test_a_finished_source_is_told_to_stay_as_it_is(target: Target) -> None:
    loaded(target, range(3))
    source = begun(target, OTHER_VALUES).register("a.xml", "f", 100)
    assert source.finished
    assert "its rows stay as they are" in source.notices[0]
    assert "--again" in source.notices[0]


def test_other_rows_are_refused_with_what_differs_and_the_choices(target: Target) -> None:
    loaded(target, range(3))
    with pytest.raises(TargetError) as caught:
        begun(target, OTHER_ROWS).register("a.xml", "f", 100)
    said = str(caught.value)
    assert "what differs: `where` of release" in said
    for choice in ("etl_source, number 1", "other tables", "another database", "drop these tables", "--again"):
        assert choice in said
    loaded(target, range(10, 12), fingerprint="g", label="b.xml")
    with pytest.raises(TargetError) as caught:
        begun(target, OTHER_ROWS).register("a.xml", "f", 100)
    assert "--again" not in str(caught.value)


@pytest.mark.parametrize("finish", [True, False])
def test_other_content_of_the_same_file_is_a_new_source_and_told(target: Target, finish: bool) -> None:
    loaded(target, range(3), finish=finish)
    source = begun(target).register("a.xml", "other", 100, path="/dumps/a.xml")
    assert source.info.number == 2
    (notice,) = source.notices
    assert ("was not finished" in notice) is not finish
    assert "3 records" in notice
    assert "source 1" in notice
    assert begun(target).register("c.xml", "third", 100, path="/dumps/c.xml").notices == ()


@pytest.mark.parametrize(("text", "finish"), [(PLAIN, True), (OTHER_VALUES, False), (OTHER_ROWS, True)])
def test_again_empties_the_tables_and_begins_anew(target: Target, text: str, finish: bool) -> None:
    loaded(target, range(3), finish=finish)
    before = begun(target).register("a.xml", "f", 100).info
    source = again(target, text)
    assert (source.state, source.done, source.info.number) == ("loading", (), before.number)
    assert source.info.load_id != before.load_id
    assert source.info.loaded_at > before.loaded_at
    assert [rows(target, table) for table in ("release", "track", "etl_split", "etl_reject", "etl_skeleton")] == [0] * 5
    assert not begun(target, text).register("a.xml", "f", 100).finished


def test_again_for_what_is_new_or_was_dropped_is_simply_a_load(target: Target) -> None:
    assert again(target).state == "loading"
    loaded(target, range(3))
    run(target, "DROP TABLE track", "DROP TABLE release")
    assert again(target).totals.records == 0


def test_again_with_several_sources_of_the_same_tables(target: Target) -> None:
    loaded(target, range(3))
    loaded(target, range(10, 13), fingerprint="g", label="b.xml")
    ledger = begun(target)
    ledger.begin_again(["f", "g"])
    assert rows(target, "release") == 0
    assert [ledger.register("x", name, 100).info.number for name in "fg"] == [1, 2]


def refused(target: Target, why: str) -> None:
    before = {table: rows(target, table) for table in ("release", "track", "etl_split", "etl_reject", "etl_skeleton")}
    with pytest.raises(TargetError, match=f"--again would empty what is not this source's alone: .*{why}"):
        again(target)
    assert {table: rows(target, table) for table in before} == before


def test_again_takes_what_the_file_was_before_away(target: Target) -> None:
    loaded(target, range(3))
    ledger = begun(target)
    ledger.begin_again(["new"], ["/dumps/a.xml"])
    assert [rows(target, table) for table in ("release", "track", "etl_source", "etl_split", "etl_reject")] == [0] * 5
    source = ledger.register("a.xml", "new", 100, path="/dumps/a.xml")
    assert (source.state, source.done, source.notices) == ("loading", (), ())


def test_again_is_refused_for_a_new_source_where_others_are_in_its_tables(target: Target) -> None:
    loaded(target, range(3))
    ledger = begun(target)
    with pytest.raises(TargetError, match=r"release, track has rows of a\.xml"):
        ledger.begin_again(["new"], ["/dumps/b.xml"])
    assert rows(target, "release") == 3


def test_again_is_refused_where_another_source_is_in_the_tables(target: Target) -> None:
    loaded(target, range(3))
    loaded(target, range(10, 12), fingerprint="g", label="b.xml")
    refused(target, "rows of b.xml")


def test_again_is_refused_where_somebody_put_rows(target: Target) -> None:
    loaded(target, range(3))
    run(target, "INSERT INTO release (id, title) VALUES (99, 'mine')")
    refused(target, "4 rows, and loads have put only 3")


def test_again_is_refused_where_a_table_was_there_before(target: Target) -> None:
    run(target, "CREATE TABLE release (id bigint PRIMARY KEY, title text)")
    loaded(target, range(3))
    refused(target, "release was there before any load")


def test_keys_stay_when_a_load_begins_again(target: Target) -> None:
    loaded(target, range(3))
    again(target)
    write(target, [(1, "one")], [(1, 1, "a")])
    with pytest.raises(TargetError):
        write(target, [(1, "one")], [])


def test_a_ledger_of_another_version_is_named(target: Target) -> None:
    run(target, "CREATE TABLE etl_source (number integer PRIMARY KEY, label text)")
    with pytest.raises(
        TargetError, match="ledger of another version of etl: its table etl_source has no column path, "
    ):
        begun(target)


def test_what_stood_open_around_rejects_is_kept_once(target: Target) -> None:
    ledger = Ledger(target, None, family())
    ledger.prepare()
    inner = dataclasses.replace(AROUND, open_tags=b"<a><b>", close_tags=b"</b></a>", depth=2)
    for offsets in (range(3), range(3, 6)):
        with contextlib.closing(target.connect()) as connection:
            connection.begin()
            rejects = [
                RejectedRecord(1, offset, 1, 1, "malformed", "x", skeleton=inner if offset % 2 else AROUND)
                for offset in offsets
            ]
            ledger.write_rejects(connection, [*rejects, RejectedRecord(1, 100 + offsets[0], 1, 1, "malformed", "x")])
            connection.commit(durable=False)
    with contextlib.closing(target.connect()) as connection:
        connection.begin()
        found = connection.execute(
            sa.text(
                "SELECT byte_offset, open_tags, depth FROM etl_reject r LEFT JOIN etl_skeleton s"
                " ON s.source = r.source AND s.skeleton = r.skeleton ORDER BY byte_offset"
            )
        )
        connection.rollback()
    assert rows(target, "etl_skeleton") == 2
    assert [(offset, tags and bytes(tags), depth) for offset, tags, depth in found] == [
        *((n, b"<a><b>", 2) if n % 2 else (n, b"<a>", 1) for n in range(6)),
        (100, None, None),
        (103, None, None),
    ]
