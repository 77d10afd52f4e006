"""What a retry claims: rejects, by deleting them, all of a batch or none; on both databases."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from pathlib import Path

import pytest

from etl.errors import TargetError
from etl.loading.ledger import Ledger
from etl.loading.retry_ledger import RetryLedger
from etl.mapping.reader import read_mapping
from etl.messages import Document, Part, PartCounts, RejectedRecord
from etl.native import unavailable
from etl.options import Settings
from etl.targets.base import TargetConnection
from etl.targets.open import open_target
from tests.packing import pack
from tests.reject_place import MAPPING, Place, item, wait_for

LOADED, REJECTED, DISCARDED = PartCounts(1, 1, 0, 0), PartCounts(1, 0, 1, 0), PartCounts(1, 0, 0, 1)


@pytest.fixture
def place(tmp_path: Path, target_url: str) -> Place:
    place = Place(tmp_path, target_url)
    place.load(split={"bytes": 1})
    return place


@contextmanager
def claiming(place: Place) -> Iterator[tuple[RetryLedger, TargetConnection]]:
    """The ledger of a retry, and a connection with an open transaction, which is committed."""
    with closing(open_target(place.url, Settings())) as target, closing(target.connect()) as connection:
        ledger = Ledger(target, None, read_mapping(place.folder / "items.yaml"))
        claims = RetryLedger(target, None, ledger, {1: "items.xml"})
        claims.begin()
        connection.begin()
        yield claims, connection
        connection.commit(durable=False)


def stored(place: Place) -> list[Part]:
    offsets = place.rows("SELECT byte_offset, length FROM etl_reject ORDER BY byte_offset")
    return [Part(1, offset, offset + length, 1, ()) for offset, length in offsets]


def counts(place: Place) -> tuple[int, int, int]:
    (status,) = place.sources()
    return status.loaded, status.rejected, status.discarded


def test_claimed_rejects_are_deleted_and_their_tiles_told_what_became_of_them(place: Place) -> None:
    first, second, third = stored(place)
    with claiming(place) as (ledger, connection):
        parts = [(second, DISCARDED), (first, LOADED), (third, LOADED)]
        assert ledger.claim(connection, parts, batch=1) == [True] * 3
        ledger.correct(connection, [(third, REJECTED), (first, LOADED)])
        again = RejectedRecord(1, third.start, 11, 7, "check_failed", "no", raw=b"<item/>", length=7)
        ledger.write_rejects(connection, [again])
    assert counts(place) == (7, 1, 1)
    assert place.rejects() == {"check_failed": 1}
    tiles = "SELECT records, loaded, rejected, discarded FROM etl_split WHERE records > 0 ORDER BY start_offset"
    one = {name: [(1, *rest)] for name, rest in [("ok", (1, 0, 0)), ("bad", (0, 1, 0)), ("gone", (0, 0, 1))]}
    expected = one["ok"] * 4 + one["gone"] + one["ok"] + one["bad"] + one["ok"] * 2
    assert place.rows(tiles) == expected


def test_the_tile_of_a_pack_is_told_what_became_of_its_documents(tmp_path: Path, target_url: str) -> None:
    place = Place(tmp_path, target_url)
    place.write("items.yaml", MAPPING.replace("/items/group/item", "/item").replace("../@name", "name"))
    names = {number: f"{number:03}.xml" for number in range(130)}
    texts = {name: item(number, bad=number in (40, 41, 90)).replace("&co;", "") for number, name in names.items()}
    texts["060.xml"] = f"<!DOCTYPE item>{texts['060.xml']}"
    pack("docs", tmp_path, {name: text.encode() for name, text in texts.items()})
    place.load("docs")
    tiles = place.rows("SELECT document, loaded, rejected, discarded FROM etl_split ORDER BY document")
    assert sum(loaded for _, loaded, *_ in tiles) == 127
    place_of = "SELECT document, byte_offset FROM etl_reject ORDER BY document"
    parts = [
        Part(1, offset, offset + 1, 1, (), document=Document(number, "", "", 0, 1))
        for number, offset in place.rows(place_of)
    ]
    assert [part.place[1] for part in parts] == [41, 42, 91]
    with claiming(place) as (ledger, connection):
        told = list(zip(parts, (LOADED, DISCARDED, LOADED), strict=True))
        assert ledger.claim(connection, told, batch=1) == [True] * 3
        ledger.correct(connection, [(parts[2], REJECTED)])
        again = RejectedRecord(1, 0, 1, 1, "check_failed", "no", raw=b"<item/>", length=7, document=91)
        ledger.write_rejects(connection, [again])
    assert counts(place) == (128, 1, 1)
    assert place.rows(place_of) == [(91, 0)]
    after = place.rows("SELECT document, loaded, rejected, discarded FROM etl_split ORDER BY document")
    assert [sum(numbers) for _, *numbers in after] == [sum(numbers) for _, *numbers in tiles]
    changed = {number for (number, *now), (_, *before) in zip(after, tiles, strict=True) if now != before}
    packs = dict(place.rows("SELECT document, pack FROM etl_document"))
    assert unavailable() or (packs[41], packs[42], packs[91]) == (1, 1, 62)
    # 91 is a reject again.
    assert changed == {packs[number] or number for number in (41, 42)}


def test_a_batch_of_which_some_are_gone_is_not_claimed_at_all(place: Place) -> None:
    """So it is when a commit whose answer was lost did happen: what it rejected again is there, the rest is not."""
    first, second, third = stored(place)
    with claiming(place) as (ledger, connection):
        ledger.claim(connection, [(first, LOADED)], batch=1)
    with claiming(place) as (ledger, connection):
        parts = [(first, LOADED), (second, LOADED), (third, LOADED)]
        assert ledger.claim(connection, parts, batch=1) == [False] * 3
        assert ledger.claim(connection, [], batch=2) == []
    assert counts(place) == (7, 2, 0)
    assert [part.start for part in stored(place)] == [second.start, third.start]


def test_a_transaction_that_is_rolled_back_changes_nothing_and_may_claim_again(place: Place) -> None:
    (first, *_) = stored(place)
    with claiming(place) as (ledger, connection):
        assert ledger.claim(connection, [(first, LOADED)], batch=1) == [True]
        connection.rollback()
        connection.begin()
        assert ledger.claim(connection, [(first, DISCARDED)], batch=1) == [True]
    assert counts(place) == (6, 2, 1)


def test_who_comes_second_waits_for_the_first_and_claims_nothing(tmp_path: Path, postgres_url: str) -> None:
    """In whatever order they name the rejects, and also where none of them was there to be counted any more."""
    place = Place(tmp_path, postgres_url)
    place.load(split={"bytes": 1})
    parts = [(part, LOADED) for part in stored(place)]
    with closing(open_target(postgres_url, Settings())) as target, closing(target.connect()) as first:
        claims = RetryLedger(target, None, Ledger(target, None, read_mapping(tmp_path / "items.yaml")), {1: "items"})
        claims.begin()
        first.begin()
        assert claims.claim(first, parts, batch=1) == [True] * 3
        with closing(target.connect()) as second, ThreadPoolExecutor(1) as thread:
            second.begin()
            answer = thread.submit(claims.claim, second, parts[::-1], 2)
            wait_for(lambda: place.rows("SELECT count(*) FROM pg_locks WHERE NOT granted") == [(1,)])
            first.commit(durable=True)
            assert answer.result(timeout=30) == [False] * 3
            second.commit(durable=True)
    assert counts(place) == (9, 0, 0)


def test_one_that_was_taken_over_claims_nothing(place: Place) -> None:
    first, *_ = stored(place)
    with closing(open_target(place.url, Settings())) as target, closing(target.connect()) as connection:
        ledger = Ledger(target, None, read_mapping(place.folder / "items.yaml"))
        slow, other = (RetryLedger(target, None, ledger, {1: "items.xml"}) for _ in range(2))
        slow.begin()
        other.begin()
        connection.begin()
        with pytest.raises(TargetError, match="taken source 1 over"):
            slow.claim(connection, [(first, LOADED)], batch=1)
        connection.rollback()
    assert counts(place) == (6, 3, 0)
