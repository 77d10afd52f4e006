"""Numbers of documents: none is given twice, and what was lost between others gets its own again."""

from __future__ import annotations

from itertools import pairwise
from random import Random

import pytest

from etl.document_places import DocumentPlaces
from etl.loading.ledger import DocumentGap, DocumentsSoFar
from etl.messages import RECORDS_PER_SOURCE


def test_a_new_collection_is_numbered_from_one() -> None:
    places = DocumentPlaces(DocumentsSoFar(0, 0, any_known=False))
    assert [places.take(10), places.take(5), places.take(1)] == [(1, 0), (2, 10), (3, 15)]


def test_what_was_lost_gets_its_places_again() -> None:
    gaps = (DocumentGap(2, 4, 10, 30), DocumentGap(6, 7, 50, 55))
    places = DocumentPlaces(DocumentsSoFar(9, 100, True, gaps))
    assert places.first == 10
    assert [places.take(size) for size in (12, 8, 5, 7)] == [(2, 10), (3, 22), (6, 50), (10, 100)]


def test_one_that_does_not_fit_goes_behind_the_last() -> None:
    places = DocumentPlaces(DocumentsSoFar(9, 100, True, (DocumentGap(2, 4, 10, 30),)))
    assert [places.take(size) for size in (21, 20, 1)] == [(10, 100), (2, 10), (11, 121)]


def test_what_has_gone_from_the_collection_leaves_its_place_to_nobody_behind_it() -> None:
    places = DocumentPlaces(DocumentsSoFar(9, 100, True, (DocumentGap(2, 4, 10, 30), DocumentGap(6, 7, 50, 55))))
    places.pass_by(4)
    assert places.take(5) == (6, 50)


@pytest.mark.parametrize("taken", [RECORDS_PER_SOURCE - 5, RECORDS_PER_SOURCE - 4])
def test_record_numbers_end(taken: int) -> None:
    places = DocumentPlaces(DocumentsSoFar(3, taken, any_known=True))
    assert places.take(5) == ((4, taken) if taken + 5 <= RECORDS_PER_SOURCE else None)


@pytest.mark.parametrize("seed", range(20))
def test_a_load_that_was_killed_ends_as_one_that_was_not(seed: int) -> None:
    random = Random(seed)
    sizes = [random.randint(1, 9) for _ in range(50)]
    undisturbed = DocumentPlaces(DocumentsSoFar(0, 0, any_known=False))
    expected = [undisturbed.take(size) for size in sizes]
    kept = {place for place in range(50) if random.random() < 0.5}
    there = [(0, 0, 0), *((*(expected[place] or (0, 0)), sizes[place]) for place in sorted(kept))]
    last, before, most = there[-1]
    gaps = tuple(
        DocumentGap(number + 1, after, records + size, next_records)
        for (number, records, size), (after, next_records, _) in pairwise(there)
        if after > number + 1
    )
    resumed = DocumentPlaces(DocumentsSoFar(last, before + most, True, gaps))
    for place, size in enumerate(sizes):
        if place in kept:
            resumed.pass_by(place + 1)
        else:
            assert resumed.take(size) == expected[place]
