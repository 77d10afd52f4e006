"""Documents of collections in the ledger: claimed once, found by what they hold, and all of them there in the end."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence

import pytest

from etl.errors import TargetError
from etl.loading import known_documents
from etl.loading.ledger import DocumentGap, Ledger
from etl.messages import Document, Part, PartCounts
from etl.targets.base import Target
from tests.target_rows import family, opened


@pytest.fixture
def target(target_url: str) -> Iterator[Target]:
    with opened(target_url) as target:
        yield target


@pytest.fixture
def ledger(target: Target) -> Ledger:
    ledger = Ledger(target, None, family())
    ledger.prepare()
    target.prepare(family(), "after")
    return ledger


def begin(ledger: Ledger, fingerprint: str = "f") -> int:
    return ledger.register(f"{fingerprint}.zip", fingerprint, 100).info.number


def document(number: int, content: str = "") -> Document:
    return Document(number, f"f.zip/{number}.xml", content or f"content {number}", 10 * (number - 1), 10)


def tile(source: int, document: Document, start: int = 0, end: int = 50, *, last: bool = True) -> Part:
    return Part(source, start, end, 3, (), last=last, document=document)


def commit(target: Target, ledger: Ledger, *parts: Part) -> list[bool]:
    with contextlib.closing(target.connect()) as connection:
        connection.begin()
        try:
            claimed = ledger.claim(connection, [(part, PartCounts(part.records, 3, 0, 0)) for part in parts], 1)
        except BaseException:
            connection.rollback()
            raise
        connection.commit(durable=False)
    return claimed


def test_documents_are_claimed_once(target: Target, ledger: Ledger) -> None:
    source = begin(ledger)
    parts = [tile(source, document(number)) for number in (3, 1, 2)]
    assert commit(target, ledger, *parts) == [True, True, True]
    assert commit(target, ledger, tile(source, document(4)), *parts) == [True, False, False, False]


def test_what_is_committed_of_them_is_found(target: Target, ledger: Ledger) -> None:
    source = begin(ledger)
    commit(
        target,
        ledger,
        tile(source, document(1)),
        tile(source, document(2), 0, 20, last=False),
        tile(source, document(2), 30, 50),
    )
    found = ledger.find_documents(source, ["content 1", "content 2", "content 3"])
    assert [*found] == ["content 1", "content 2"]
    whole, begun = found.values()
    assert (whole.number, whole.records, whole.complete, whole.records_before) == (1, 3, True, 0)
    assert (begun.number, begun.done, begun.complete, begun.records_before) == (2, ((0, 20), (30, 50)), False, 10)


def test_a_document_of_another_source_is_known_where_it_is_complete(target: Target, ledger: Ledger) -> None:
    first, second = begin(ledger), begin(ledger, "g")
    commit(target, ledger, tile(first, document(1)), tile(first, document(2), 0, 20, last=False))
    known = ledger.find_documents(second, ["content 1"])["content 1"]
    assert (known.source, known.source_label, known.complete) == (first, "f.zip", True)
    with pytest.raises(TargetError, match="began to be loaded as a part of"):
        ledger.find_documents(second, ["content 2"])


def test_one_that_two_sources_bring_at_the_same_time_is_refused(target: Target, ledger: Ledger) -> None:
    first, second = begin(ledger), begin(ledger, "g")
    commit(target, ledger, tile(first, document(1)))
    with pytest.raises(TargetError, match="was brought by another load meanwhile"):
        commit(target, ledger, tile(second, document(5, "content 1")))
    assert ledger.totals(second).records == 0


def so_far(ledger: Ledger, source: int) -> tuple[int, int, Sequence[DocumentGap]]:
    found = ledger.documents_so_far(source)
    return found.last, found.records_taken, found.gaps


def test_numbers_go_on_behind_the_last_and_in_gaps(target: Target, ledger: Ledger) -> None:
    source = begin(ledger)
    assert so_far(ledger, source) == (0, 0, ())
    assert not ledger.documents_so_far(source).any_known
    commit(target, ledger, *(tile(source, document(number)) for number in (2, 3, 7)))
    assert so_far(ledger, source) == (7, 70, (DocumentGap(1, 2, 0, 10), DocumentGap(4, 7, 30, 60)))
    assert ledger.documents_so_far(source).any_known
    assert so_far(ledger, begin(ledger, "g")) == (0, 0, ())


def test_rows_are_done_when_every_document_is_there(target: Target, ledger: Ledger) -> None:
    source = begin(ledger)
    commit(target, ledger, tile(source, document(1)), tile(source, document(2), 0, 20, last=False))
    assert not ledger.mark_documents_done(source, 1, 2, [])
    commit(target, ledger, tile(source, document(2), 20, 50))
    assert not ledger.mark_documents_done(source, 1, 3, [])
    assert ledger.mark_documents_done(source, 1, 2, [])
    assert ledger.mark_documents_done(source, 3, 0, [1, 2])
    assert ledger.mark_keys_built([source])


def test_what_is_relied_on_elsewhere_has_to_stay(target: Target, ledger: Ledger) -> None:
    first, second = begin(ledger), begin(ledger, "g")
    commit(target, ledger, tile(first, document(1)), tile(first, document(2), 0, 20, last=False))
    commit(target, ledger, tile(second, document(1, "content 9")))
    assert not ledger.mark_documents_done(second, 1, 1, [], [(first, 1), (first, 2)])
    assert not ledger.mark_documents_done(second, 1, 1, [], [(first, 3)])
    assert ledger.mark_documents_done(second, 1, 1, [], [(first, 1)])


def test_what_may_be_known_is_told_from_memory_where_nobody_else_loads(target: Target, ledger: Ledger) -> None:
    source = begin(ledger)
    commit(target, ledger, *(tile(source, document(number)) for number in (2, 3, 7)))
    names = [f"content {number}" for number in range(1000)]
    assert ledger.possible_documents(names) == ["content 2", "content 3", "content 7"]
    assert ledger.possible_documents(["content 3+repair", "content 4+repair"]) == ["content 3+repair"]


def test_what_this_load_has_brought_may_be_known_where_it_begins_to_read_again(target: Target, ledger: Ledger) -> None:
    source = begin(ledger)
    assert ledger.possible_documents(["content 2"]) == []
    commit(target, ledger, tile(source, document(2)))
    assert ledger.documents_so_far(source).any_known
    assert ledger.possible_documents(["content 2", "content 3"]) == ["content 2"]


def test_what_another_load_brings_may_be_known(
    target: Target, ledger: Ledger, target_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(known_documents, "_OTHERS_SECONDS", 0.0)
    commit(target, ledger, tile(begin(ledger), document(2)))
    assert ledger.possible_documents(["content 2", "content 8"]) == ["content 2"]
    with opened(target_url) as second:
        other = Ledger(second, None, family())
        other.prepare()
        source = begin(other, "g")
        assert ledger.possible_documents(["content 8", "content 9"]) == ["content 8", "content 9"]
        commit(second, other, tile(source, document(1, "content 8")))
        assert other.mark_documents_done(source, 1, 1, [])
        assert other.mark_keys_built([source])
        assert other.mark_finished([source])
    assert ledger.possible_documents(["content 2", "content 8", "content 9"]) == ["content 2", "content 8"]


def test_a_file_that_another_load_brings_alone_meanwhile_is_refused(
    target: Target, ledger: Ledger, target_url: str
) -> None:
    source = begin(ledger)
    assert not ledger.documents_so_far(source).any_known
    commit(target, ledger, tile(source, document(1)))
    begin(ledger, "content 3")  # which is for the run itself to tell
    with opened(target_url) as second:
        other = Ledger(second, None, family())
        other.prepare()
        begin(other, "content 2")
    commit(target, ledger, tile(source, document(3)))
    with pytest.raises(
        TargetError, match=r"content 2\.zip was brought by another load meanwhile, as a source of its own"
    ):
        commit(target, ledger, tile(source, document(2)))
    assert ledger.totals(source).records == 6
