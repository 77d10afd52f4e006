"""The ledger in each kind of target: what is claimed once is never claimed again, and gaps are found."""

from __future__ import annotations

import contextlib
import os
import threading
import uuid
from collections.abc import Iterator

import pytest
import sqlalchemy as sa

from etl.errors import InternalError, TargetError
from etl.loading.ledger import Gap, Ledger, LedgerLike, RegisteredSource, Totals, open_ledger
from etl.loading.ledger_base import Tile, find_gaps
from etl.loading.no_ledger import NoLedger
from etl.mapping.model import Mapping
from etl.messages import Part, PartCounts, RejectedRecord
from etl.targets.base import Target
from etl.targets.own_tables import OWN_TABLES
from tests.target_rows import column, encode, family, opened, read, single, write

EVERY_TARGET = pytest.mark.parametrize("target_url", ["sqlite", "postgres", "memory"], indirect=True)


def part(
    source: int, start: int, end: int, *, records: int = 10, rejected: int = 0, last: bool = False
) -> tuple[Part, PartCounts]:
    counts = PartCounts(records, records - rejected, rejected, 0)
    return Part(source, start, end, records, (), last=last), counts


def reject(source: int, offset: int, *, reason: str = "bad_value", message: str = "no number") -> RejectedRecord:
    return RejectedRecord(source, offset, offset + 1, offset + 2, reason, message, "release", "id", b"<r/>", 4)


def commit(target: Target, ledger: LedgerLike, *parts: tuple[Part, PartCounts], batch: int = 1) -> list[bool]:
    with contextlib.closing(target.connect()) as connection:
        connection.begin()
        claimed = ledger.claim(connection, parts, batch)
        connection.commit(durable=False)
    return claimed


def started(target: Target, mapping: Mapping | None = None) -> LedgerLike:
    """A ledger as a load has it once its tables are there."""
    mapping = mapping or family()
    ledger = open_ledger(target, None, mapping)
    ledger.prepare()
    target.prepare(mapping, "after")
    return ledger


def test_all_tables_that_loads_keep_for_themselves_are_created_at_once(target: Target) -> None:
    open_ledger(target, None, family()).prepare()
    with contextlib.closing(target.connect()) as connection:
        connection.begin()
        assert target.missing_tables(connection, OWN_TABLES) == frozenset()


def begin(target: Target, fingerprint: str | None = "f") -> tuple[LedgerLike, RegisteredSource]:
    ledger = started(target)
    return ledger, ledger.register("dump.xml", fingerprint, 100)


@pytest.fixture
def target(target_url: str) -> Iterator[Target]:
    with opened(target_url) as target:
        yield target


@EVERY_TARGET
def test_a_source_from_its_first_split_to_finished(target: Target) -> None:
    ledger, source = begin(target)
    assert source.state == "loading"
    assert source.done == ()
    assert source.info.number == 1
    assert source.info.label == "dump.xml"
    assert source.info.loaded_at.endswith("+00:00")
    assert commit(target, ledger, part(1, 0, 40), part(1, 70, 100, records=5, rejected=2, last=True)) == [True, True]
    assert ledger.mark_rows_done(1) == (Gap(40, 70),)
    assert commit(target, ledger, part(1, 40, 70)) == [True]
    assert ledger.totals(1) == Totals(records=25, loaded=23, rejected=2, discarded=0)
    assert ledger.mark_rows_done(1) == ()
    ledger.mark_keys_built([1])
    ledger.mark_finished([1])


def test_a_second_run_of_a_finished_source_finds_it_finished(target: Target) -> None:
    ledger, source = begin(target)
    commit(target, ledger, part(1, 0, 100, last=True))
    ledger.mark_rows_done(1)
    ledger.mark_keys_built([1])
    ledger.mark_finished([1])
    _, again = begin(target)
    assert again.finished
    assert again.info == source.info
    assert again.totals.records == 10


def test_an_unfinished_source_goes_on_where_it_was(target: Target) -> None:
    ledger, source = begin(target)
    commit(target, ledger, part(1, 40, 70), part(1, 0, 40))
    later, again = begin(target)
    assert again.info == source.info
    assert again.state == "loading"
    assert again.done == ((0, 40), (40, 70))
    assert again.totals.records == 20
    assert commit(target, later, part(1, 70, 100, last=True)) == [True]
    assert later.mark_rows_done(1) == ()


def test_who_was_taken_over_can_commit_and_mark_nothing(target: Target) -> None:
    first, _ = begin(target)
    begin(target)
    with contextlib.closing(target.connect()) as connection:
        connection.begin()
        with pytest.raises(TargetError, match="taken source 1 over"):
            first.claim(connection, [part(1, 0, 100, last=True)], 1)
        connection.rollback()
    with pytest.raises(TargetError, match="taken source 1 over"):
        first.mark_finished([1])
    with pytest.raises(TargetError, match="taken source 1 over"):
        commit(target, first, part(1, 0, 100, last=True))
    assert first.totals(1) == Totals()


def test_what_is_claimed_is_not_claimed_again(target: Target) -> None:
    ledger, _ = begin(target)
    assert commit(target, ledger, part(1, 0, 40), batch=1) == [True]
    assert commit(target, ledger, part(1, 40, 70), part(1, 0, 40), part(1, 70, 80), batch=2) == [True, False, True]
    assert commit(target, ledger, part(1, 70, 80), batch=3) == [False]
    assert ledger.totals(1).records == 30


def test_a_claim_rolled_back_is_free_again(target: Target) -> None:
    ledger, _ = begin(target)
    with contextlib.closing(target.connect()) as connection:
        connection.begin()
        assert ledger.claim(connection, [part(1, 0, 40)], 1) == [True]
        connection.write(0, [encode(target, [(1, "one")])])
        connection.rollback()
    assert read(target, family(), "release") == []
    assert commit(target, ledger, part(1, 0, 40)) == [True]


def test_thousands_of_small_documents_in_one_claim(target: Target) -> None:
    ledger = started(target)
    sources = [ledger.register(f"{n}.xml", f"f{n}", 5).info.number for n in range(20)]
    parts = [part(source, start, start + 5) for source in sources for start in range(0, 1000, 5)]
    assert commit(target, ledger, *parts) == [True] * 4000
    assert commit(target, ledger, *parts) == [False] * 4000


def test_several_threads_claim_the_same_ranges_and_each_is_claimed_once(target: Target) -> None:
    ledger, _ = begin(target)
    claimed: list[int] = []
    lock = threading.Lock()

    def claim_all() -> None:
        for start in range(0, 300, 10):
            parts = [part(1, at, at + 5) for at in (start, start + 5)]
            answers = commit(target, ledger, *parts)
            with lock:
                claimed.extend(p.start for (p, _), mine in zip(parts, answers, strict=True) if mine)

    threads = [threading.Thread(target=claim_all) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(claimed) == list(range(0, 300, 5))


def test_taking_over_waits_for_a_batch_that_is_being_written(postgres_url: str) -> None:
    with opened(postgres_url) as target:
        first, _ = begin(target)
        taken_over = threading.Event()

        def take_over() -> None:
            begin(target)
            taken_over.set()

        with contextlib.closing(target.connect()) as connection:
            connection.begin()
            first.claim(connection, [part(1, 0, 40)], 1)
            thread = threading.Thread(target=take_over)
            thread.start()
            assert not taken_over.wait(0.3)
            connection.commit(durable=False)
        thread.join()
        assert first.totals(1).records == 10


@pytest.mark.parametrize("mapping", ["same", "other"])
def test_what_a_dead_load_had_in_flight_is_waited_for_and_counts(postgres_url: str, mapping: str) -> None:
    same = family()
    other = single("release", column("id", "bigint", required=True))
    with opened(postgres_url) as target:
        first, _ = begin(target)
        told, outcome = threading.Event(), list[object]()

        def tell(sentence: str) -> None:
            outcome.append(sentence)
            told.set()

        target.notify = tell

        def take_over() -> None:
            ledger = open_ledger(target, None, same if mapping == "same" else other)
            try:
                outcome.append(ledger.register("dump.xml", "f", 100))
            except TargetError as error:
                outcome.append(error)

        with contextlib.closing(target.connect()) as connection:
            connection.begin()
            first.claim(connection, [part(1, 0, 40)], 1)
            thread = threading.Thread(target=take_over)
            thread.start()
            assert told.wait(30)
            connection.commit(durable=False)
        thread.join()
        sentence, came_of_it = outcome
        assert f"process {os.getpid()}" in str(sentence)
        if mapping == "same":
            assert isinstance(came_of_it, RegisteredSource)
            assert (came_of_it.totals.records, came_of_it.done) == (10, ((0, 40),))
        else:
            assert "with another mapping" in str(came_of_it)
            assert first.totals(1).records == 10


def test_a_file_name_that_is_no_text_is_stored_nevertheless(target: Target) -> None:
    ledger = started(target)
    label = os.fsdecode(b"caf\xe9.xml")
    assert ledger.register(label, "f", 100).info.label == "caf?.xml"
    assert ledger.register(label, "f", 100).info.number == 1


def test_a_source_without_identity_is_new_each_time(target: Target) -> None:
    ledger = started(target)
    numbers = [ledger.register("-", None, None).info.number for _ in range(3)]
    assert len(set(numbers)) == 3


def test_the_number_of_a_deleted_source_does_not_come_again(target: Target) -> None:
    ledger, _ = begin(target)
    commit(target, ledger, part(1, 0, 100, last=True))
    with contextlib.closing(target.connect()) as connection:
        connection.begin()
        connection.execute(sa.delete(sa.table("etl_source")))
        connection.commit(durable=False)
    with pytest.raises(TargetError, match="etl_source is gone"):
        commit(target, ledger, part(1, 100, 120))
    assert begin(target)[1].info.number == 2


def test_another_mapping_into_the_same_tables_is_refused(target: Target) -> None:
    ledger, _ = begin(target)
    commit(target, ledger, part(1, 0, 100, last=True))
    ledger.mark_rows_done(1)
    ledger.mark_keys_built([1])
    ledger.mark_finished([1])
    other = started(target, single("release", column("id", "bigint", required=True)))
    with pytest.raises(TargetError, match=r"was loaded into release with another mapping \(as dump.xml") as caught:
        other.register("copy.xml", "f", 100)
    assert "etl_source, number 1" in str(caught.value)


def test_the_same_content_twice_in_one_load_is_one_source(target: Target) -> None:
    ledger = open_ledger(target, None, family())
    ledger.prepare()
    first, second = ledger.register("a.xml", "f", 100), ledger.register("copy.xml", "f", 100)
    target.prepare(family(), "after")
    assert first.info == second.info
    assert commit(target, ledger, part(1, 0, 100, last=True)) == [True]
    assert commit(target, ledger, part(1, 0, 100, last=True)) == [False]


def test_nothing_is_finished_that_was_not_marked_before(target: Target) -> None:
    ledger, _ = begin(target)
    commit(target, ledger, part(1, 0, 100, last=True))
    assert not ledger.mark_keys_built([1])
    assert not ledger.mark_finished([1])
    assert ledger.mark_rows_done(1) == ()
    assert not ledger.mark_finished([1])
    assert ledger.mark_keys_built([1])
    assert begin(target)[1].state == "keys_built"


def test_marks_whose_answer_was_lost_are_made_again(target: Target) -> None:
    ledger, _ = begin(target)
    commit(target, ledger, part(1, 0, 100, last=True))
    for _ in range(2):
        assert ledger.mark_rows_done(1) == ()
    for mark in (ledger.mark_keys_built, ledger.mark_finished, ledger.mark_finished, ledger.mark_keys_built):
        assert mark([1])
    assert ledger.mark_rows_done(1) == ()
    assert begin(target)[1].finished


def test_a_mapping_that_brought_nothing_in_may_be_changed(target: Target) -> None:
    begin(target)
    other = started(target, single("release", column("id", "bigint", required=True)))
    source = other.register("dump.xml", "f", 100)
    assert source.state == "loading"
    assert commit(target, other, part(source.info.number, 0, 100, last=True)) == [True]


def test_a_mapping_that_rejected_everything_may_be_changed(target: Target) -> None:
    ledger, _ = begin(target)
    assert commit(target, ledger, part(1, 0, 100, records=10, rejected=10, last=True)) == [True]
    other = started(target, single("release", column("id", "bigint", required=True)))
    source = other.register("dump.xml", "f", 100)
    assert (source.state, source.done) == ("loading", ())


def test_another_mapping_into_other_tables_is_another_load(target: Target) -> None:
    begin(target)
    other = started(target, single("summary", column("id", "bigint", required=True)))
    source = other.register("dump.xml", "f", 100)
    assert source.info.number == 2
    assert source.done == ()


def test_a_source_whose_tables_were_dropped_begins_again(target: Target) -> None:
    ledger, _ = begin(target)
    commit(target, ledger, part(1, 0, 100, last=True))
    ledger.mark_rows_done(1)
    ledger.mark_keys_built([1])
    ledger.mark_finished([1])
    drop(target, "track", "release")
    again = open_ledger(target, None, family())
    again.prepare()
    source = again.register("dump.xml", "f", 100)
    assert source.state == "loading"
    assert source.done == ()
    target.prepare(family(), "after")
    assert commit(target, again, part(source.info.number, 0, 100, last=True)) == [True]


def test_a_load_that_died_between_its_tables_goes_on(target: Target) -> None:
    _, first = begin(target)
    drop(target, "track")
    ledger = open_ledger(target, None, family())
    ledger.prepare()
    assert ledger.register("dump.xml", "f", 100).info == first.info
    target.prepare(family(), "after")
    assert commit(target, ledger, part(1, 0, 100, last=True)) == [True]


def test_a_source_that_lost_some_of_its_tables_is_refused(target: Target) -> None:
    first, _ = begin(target)
    commit(target, first, part(1, 0, 40))
    drop(target, "track")
    ledger = open_ledger(target, None, family())
    ledger.prepare()
    with pytest.raises(TargetError, match="of its tables track are gone since"):
        ledger.register("dump.xml", "f", 100)


def drop(target: Target, *tables: str) -> None:
    with contextlib.closing(target.connect()) as connection:
        connection.begin()
        for table in tables:
            connection.execute(sa.text(f"DROP TABLE {table}"))
        connection.commit(durable=False)


@EVERY_TARGET
def test_rejects_are_summed_up_with_their_first_example(target: Target) -> None:
    ledger, _ = begin(target)
    second = ledger.register("second.xml", "g", 100).info.number
    rejects = [
        reject(1, 50, message="fifty"),
        reject(1, 7, message="seven\0\ud800"),
        reject(second, 3, message="three"),
        reject(1, 1, reason="malformed", message="tag"),
    ]
    with contextlib.closing(target.connect()) as connection:
        connection.begin()
        ledger.write_rejects(connection, rejects[:1])
        ledger.write_rejects(connection, rejects[1:])
        ledger.write_rejects(connection, [])
        connection.commit(durable=False)
    (frequent, rare) = ledger.reject_summary([1, second])
    assert frequent[:4] == ("bad_value", "release", "id", 3)
    assert frequent[4].startswith("dump.xml, line 8, record 9: seven")
    assert rare == ("malformed", "release", "id", 1, "dump.xml, line 2, record 3: tag")
    assert ledger.reject_summary([second]) == [("bad_value", "release", "id", 1, "second.xml, line 4, record 5: three")]
    assert ledger.reject_summary([]) == []


def test_rejects_keep_their_record_and_roll_back_with_the_batch(target: Target) -> None:
    ledger, _ = begin(target)
    kept = sa.text("SELECT raw, length FROM etl_reject")
    with contextlib.closing(target.connect()) as connection:
        connection.begin()
        ledger.write_rejects(connection, [reject(1, 5)])
        connection.rollback()
        connection.begin()
        assert connection.execute(kept) == []
        ledger.write_rejects(connection, [RejectedRecord(1, 5, 1, 1, "malformed", "x", raw=bytes(range(256)))])
        ledger.write_rejects(connection, [RejectedRecord(1, 9, 1, 1, "too_large", "x", length=2**33)])
        connection.commit(durable=False)
        connection.begin()
        assert [(row[0] and bytes(row[0]), row[1]) for row in connection.execute(kept)] == [
            (bytes(range(256)), 0),
            (None, 2**33),
        ]
        connection.rollback()


def test_two_loads_register_the_same_source_at_once_and_one_row_comes_of_it(target: Target) -> None:
    ledgers = [started(target) for _ in range(4)]
    numbers: list[int] = []

    def register(ledger: LedgerLike) -> None:
        numbers.append(ledger.register("dump.xml", "f", 100).info.number)

    threads = [threading.Thread(target=register, args=(ledger,)) for ledger in ledgers]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert numbers == [1, 1, 1, 1]


def test_the_ledger_may_have_a_schema_of_its_own(postgres_url: str) -> None:
    with opened(postgres_url, ledger={"schema": "Load Ledger"}) as target:
        ledger = Ledger(target, "Load Ledger", family())
        ledger.prepare()
        ledger.prepare()
        ledger.register("dump.xml", "f", 100)
        target.prepare(family(), "after")
        write(target, [(1, "one")], [(1, 1, "a")])
        assert commit(target, ledger, part(1, 0, 100, last=True)) == [True]
        assert target.build_keys(family()) == []
        with contextlib.closing(target.connect()) as connection:
            connection.begin()
            found = connection.execute(sa.text("SELECT tablename FROM pg_tables WHERE schemaname = 'Load Ledger'"))
            connection.rollback()
    assert {name for (name,) in found} == set(OWN_TABLES)


def test_who_may_create_nothing_is_told_of_the_setting(postgres_url: str) -> None:
    with opened(postgres_url) as target:
        role = f"reader_{uuid.uuid4().hex}"
        with contextlib.closing(target.connect()) as connection:
            connection.begin()
            connection.execute(sa.text(f"CREATE ROLE {role} LOGIN"))
            connection.commit(durable=False)
    try:
        url = sa.make_url(postgres_url).set(username=role).render_as_string(hide_password=False)
        with opened(url) as target, pytest.raises(TargetError) as caught:
            Ledger(target, None, family()).prepare()
    finally:
        with opened(postgres_url) as target, contextlib.closing(target.connect()) as connection:
            connection.begin()
            connection.execute(sa.text(f"DROP ROLE {role}"))
            connection.commit(durable=False)
    assert "permission denied for schema public" in str(caught.value)
    assert "ledger.schema" in str(caught.value)


@pytest.mark.parametrize(
    ("tiles", "gaps"),
    [
        ([], [Gap(0, None)]),
        ([(0, 10, True)], []),
        ([(0, 0, True)], []),
        ([(0, 10, False)], [Gap(10, None)]),
        ([(5, 10, True)], [Gap(0, 5)]),
        ([(0, 10, False), (10, 20, False), (25, 30, False)], [Gap(20, 25), Gap(30, None)]),
        ([(0, 10, False), (10, 10, True)], []),
    ],
)
def test_gaps(tiles: list[tuple[int, int, bool]], gaps: list[Gap]) -> None:
    assert list(find_gaps(Tile(*tile) for tile in tiles)) == gaps


@pytest.mark.parametrize("tiles", [[(0, 10, False), (9, 20, True)], [(0, 10, True), (10, 20, False)]])
def test_overlapping_tiles_are_a_broken_promise(tiles: list[tuple[int, int, bool]]) -> None:
    with pytest.raises(InternalError, match="overlap"):
        find_gaps(Tile(*tile) for tile in tiles)


def test_without_a_ledger_every_source_is_new() -> None:
    ledger = NoLedger()
    ledger.prepare()
    assert [ledger.register("a.xml", "f", 1).info.number for _ in range(2)] == [1, 2]
