"""What a run remembers of the documents that it has read."""

from __future__ import annotations

import random

import pytest

from etl import recent_documents
from etl.bloom_filter import BloomFilter
from etl.recent_documents import RecentDocuments


def test_a_filter_has_all_that_was_added_and_hardly_anything_else() -> None:
    drawn = random.Random(7)
    keys = [drawn.getrandbits(64) for _ in range(50_000)]
    added, others = keys[:30_000], keys[30_000:]
    found = BloomFilter()
    assert not any(key in found for key in keys)
    for key in added:
        found.add(key)
    assert all(key in found for key in added)
    assert sum(key in found for key in others) < len(others) / 1000
    found.add(2**64 - 1)
    found.add(0)
    assert 2**64 - 1 in found
    assert 0 in found


def test_documents_are_added_where_all_of_them_are_new() -> None:
    recent = RecentDocuments()
    assert recent.add_new(["a", "b"])
    assert not recent.add_new(["c", "b"])
    assert not recent.add_new(["d", "d"])
    assert recent.add_new(["c", "d"])
    assert recent.may_have_forgotten(["a", "b", "c", "d", "e"]) == []


def test_of_what_was_read_long_ago_it_is_told_that_only_the_ledger_knows(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(recent_documents, "LEAST", 100)
    recent = RecentDocuments()
    names = [f"{number:032x}" for number in range(1000)]
    for first in range(0, len(names), 50):
        assert recent.add_new(names[first : first + 50])
    assert recent.may_have_forgotten(names) == []
    assert not recent.add_new(names[:1])
    assert not recent.has_forgotten
    recent.forget_old()
    assert recent.has_forgotten
    assert recent.may_have_forgotten(names) == names[:900]
    assert recent.may_have_forgotten([f"other {number}" for number in range(1000)]) == []
    assert not recent.add_new(names[-1:])
    assert not recent.add_new([*names[900:901], "new"])
    # So long ago that it is for the ledger to tell.
    assert recent.add_new(names[:1])
    assert len([*filter(lambda name: not recent.add_new([name]), names)]) == 101


def test_more_is_remembered_where_more_fits_into_the_queue() -> None:
    recent = RecentDocuments(queue_bytes=300_000 * recent_documents.QUEUED_BYTES)
    names = [str(number) for number in range(300_001)]
    assert recent.add_new(names)
    recent.forget_old()
    assert len(recent.may_have_forgotten(names)) == 1
