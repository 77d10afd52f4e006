"""Documents of a collection as parts of splits: all of them once, what is known passed over, what is begun ended."""

from __future__ import annotations

import gzip
import re
from collections.abc import Sequence
from pathlib import Path

import pytest

from etl.collection_feed import PART_BYTES, CollectionFeed
from etl.errors import SourceError
from etl.extract.source import expand
from etl.extract.splitter import Splitter
from etl.fed_source import FedSource
from etl.loading.ledger import DocumentsSoFar, KnownDocument, Totals
from etl.mapping.paths import parse_record_path
from etl.messages import RECORDS_PER_SOURCE, Part, SourceInfo
from etl.options import Settings, build_settings
from tests.packing import pack

FILES = {f"{number:03}.xml": b"<all><r>%d</r><r>%d</r></all>" % (number, 1000 + number) for number in range(120)}
NUMBERS = sorted([*range(120), *range(1000, 1120)])


class Known:
    """What a ledger tells of documents."""

    def __init__(self, so_far: DocumentsSoFar, documents: dict[str, KnownDocument]) -> None:
        self._so_far = so_far
        self._documents = documents
        self.asked: list[int] = []

    def documents_so_far(self, source: int) -> DocumentsSoFar:
        return self._so_far

    def possible_documents(self, fingerprints: Sequence[str]) -> list[str]:
        return list(fingerprints)

    def document_labels(self, source: int) -> dict[str, int]:
        return {}

    def find_documents(self, source: int, fingerprints: Sequence[str]) -> dict[str, KnownDocument]:
        self.asked.append(len(fingerprints))
        return {name: self._documents[name] for name in fingerprints if name in self._documents}


def feed(
    path: Path, ledger: Known | None = None, split_bytes: int = 10_000, limit: int | None = None
) -> tuple[FedSource, CollectionFeed]:
    (source,) = expand([str(path)])
    fed = FedSource(source, SourceInfo(1, source.label, "", ""), (), "loading", Totals(), rereadable=True)
    splitter = Splitter([parse_record_path("/all/r", {})], split_bytes, 10**6)
    settings: Settings = build_settings({"split": {"bytes": split_bytes}})
    return fed, CollectionFeed(fed, splitter=splitter, ledger=ledger, settings=settings, limit=limit)


def numbers(splits: Sequence[Sequence[Part]]) -> list[int]:
    payloads = [run.payload for parts in splits for part in parts for run in part.runs]
    return sorted(int(found) for payload in payloads for found in re.findall(rb"<r>(\d+)", payload))


@pytest.mark.parametrize("kind", ["docs.zip", "docs.tar.gz", "docs"])
@pytest.mark.parametrize("split_bytes", [1, 3000, 1_000_000])
def test_every_record_once_with_keys_of_its_own(tmp_path: Path, kind: str, split_bytes: int) -> None:
    fed, feeding = feed(pack(kind, tmp_path, FILES), split_bytes=split_bytes)
    splits = list(feeding.parts())
    assert numbers(splits) == NUMBERS
    assert (fed.records, fed.skipped, fed.complete) == (240, 0, True)
    parts = [part for split in splits for part in split]
    assert [part.document.number for part in parts if part.last and part.document] == [*range(1, 121)]
    keys = [part.keys_from + run.first_record + n for part in parts for run in part.runs for n in range(run.records)]
    assert len(set(keys)) == 240
    if split_bytes == 3000:
        assert max(map(len, splits)) <= 3000 // PART_BYTES + 1


def as_known(parts: Sequence[Part], *, source: int = 1) -> dict[str, KnownDocument]:
    """What a ledger would know after these parts of documents, each of them whole but for the end it has not."""
    found: dict[str, list[Part]] = {}
    for part in parts:
        assert part.document is not None
        found.setdefault(part.document.fingerprint, []).append(part)
    return {
        name: KnownDocument(
            source,
            some[0].document.number if some[0].document else 0,
            some[0].document.records_before if some[0].document else 0,
            sum(part.records for part in some),
            tuple((part.start, part.end) for part in some),
            some[-1].last,
            "docs",
        )
        for name, some in found.items()
    }


def test_what_is_known_is_passed_over(tmp_path: Path) -> None:
    path = pack("docs.zip", tmp_path, FILES)
    parts = [part for split in feed(path)[1].parts() for part in split]
    kept = parts[::3]
    last = max(part.document.number for part in kept if part.document)
    fed, feeding = feed(path, Known(DocumentsSoFar(last, 10_000, any_known=True), as_known(kept)))
    splits = list(feeding.parts())
    assert sorted(numbers(splits) + numbers([kept])) == NUMBERS
    assert fed.documents is not None
    assert (fed.documents.known, fed.documents.begun, fed.skipped) == (40, 80, 80)
    assert fed.complete


def test_the_ledger_is_not_asked_where_it_knows_nothing(tmp_path: Path) -> None:
    ledger = Known(DocumentsSoFar(0, 0, any_known=False), {})
    list(feed(pack("docs.zip", tmp_path, FILES), ledger)[1].parts())
    assert ledger.asked == []


def test_a_document_that_was_begun_is_gone_on_with(tmp_path: Path) -> None:
    path = pack("docs.zip", tmp_path, FILES)
    begun = [part for split in feed(path, split_bytes=1, limit=1)[1].parts() for part in split]
    assert [part.last for part in begun] == [False]
    fed, feeding = feed(path, Known(DocumentsSoFar(1, 100, any_known=True), as_known(begun)))
    splits = list(feeding.parts())
    assert sorted(numbers(splits) + numbers([begun])) == NUMBERS
    assert fed.documents is not None
    assert fed.documents.resumed == [1]
    assert splits[0][0].document == begun[0].document


def test_a_limit_counts_over_documents(tmp_path: Path) -> None:
    fed, feeding = feed(pack("docs", tmp_path, FILES), limit=7)
    assert len(numbers(list(feeding.parts()))) == 7
    assert (feeding.remaining, fed.complete) == (0, False)


def test_nothing_comes_after_a_stop(tmp_path: Path) -> None:
    fed, feeding = feed(pack("docs", tmp_path, FILES), split_bytes=1)
    splits = []
    for parts in feeding.parts():
        splits.append(parts)
        feeding.stop()
    assert len(splits) == 1
    assert not fed.complete


def test_where_record_numbers_end_it_says_so(tmp_path: Path) -> None:
    ledger = Known(DocumentsSoFar(5, RECORDS_PER_SOURCE - 20, any_known=False), {})
    _, feeding = feed(pack("docs.zip", tmp_path, FILES), ledger)
    with pytest.raises(SourceError, match=r"more than one source can: for .*docs\.zip/002\.xml no record numbers"):
        list(feeding.parts())


@pytest.mark.parametrize("split_bytes", [1, 1000])
def test_a_document_of_more_records_than_expected_takes_the_keys_of_no_other(tmp_path: Path, split_bytes: int) -> None:
    packed = gzip.compress(b"<all>" + b"<r/>" * 100_000 + b"</all>")
    path = pack("docs.tar", tmp_path, {"000-many.xml.gz": packed, **FILES})
    fed, feeding = feed(path, split_bytes=split_bytes)
    splits = list(feeding.parts())
    assert fed.problem.endswith("000-many.xml.gz holds more records than its size lets expect.")
    assert not fed.complete
    assert numbers(splits) == NUMBERS
    parts = [part for split in splits for part in split]
    assert fed.records == sum(part.records for part in parts)
    keys = [part.keys_from + run.first_record + n for part in parts for run in part.runs for n in range(run.records)]
    assert len(set(keys)) == len(keys) > 240
