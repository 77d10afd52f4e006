"""What the feeder gives out: everything once, and nothing that an earlier run committed."""

from __future__ import annotations

import gzip
import random
import re
from dataclasses import replace
from pathlib import Path

import pytest

from etl.extract.source import Source, expand
from etl.extract.splitter import Splitter
from etl.fed_source import FedSource
from etl.feeding import SAMPLE_RECORDS, Feeder, make_splitter
from etl.loading.ledger import Range, Totals
from etl.mapping.paths import parse_record_path
from etl.messages import SourceInfo, Split
from etl.options import build_settings
from tests.splits import mapping_of

RECORDS = 300


@pytest.fixture
def source(tmp_path: Path) -> Source:
    rows = [f"<r id='{number}'>{'x' * (number % 50)}</r>\n" for number in range(1, RECORDS + 1)]
    path = tmp_path / "rows.xml"
    path.write_text(f"<all>\n{''.join(rows)}</all>\n")
    (found,) = expand([str(path)])
    return found


def fed(source: Source, number: int = 1, done: tuple[Range, ...] = ()) -> FedSource:
    return FedSource(source, SourceInfo(number, source.label, "", ""), done, "loading", Totals(), rereadable=True)


def feeder(*sources: FedSource, split_bytes: int = 500, limit: int | None = None) -> Feeder:
    return Feeder(sources, Splitter([parse_record_path("/all/r", {})], split_bytes, 10_000), limit)


def ids(splits: list[Split]) -> list[int]:
    payloads = [run.payload for split in splits for part in split.parts for run in part.runs]
    return [int(found) for payload in payloads for found in re.findall(rb"id='(\d+)'", payload)]


def tile(split: Split) -> Range:
    return split.parts[0].start, split.parts[0].end


def test_every_record_of_every_source_once_in_numbered_splits(source: Source, tmp_path: Path) -> None:
    other = tmp_path / "other.xml"
    other.write_text("<all><r id='9001'/></all>")
    first, second = fed(source, 1), fed(expand([str(other)])[0], 2)
    splits = list(feeder(first, second))
    assert ids(splits) == [*range(1, RECORDS + 1), 9001]
    assert [split.number for split in splits] == list(range(1, len(splits) + 1))
    assert (first.records, first.skipped, first.complete) == (RECORDS, 0, True)
    assert first.document_bytes == source.size


def test_each_part_tells_how_far_into_its_source_it_was_cut(tmp_path: Path) -> None:
    rows = "".join(f"<r id='{number}'>{random.random()}</r>" for number in range(120_000))
    path = tmp_path / "rows.xml.gz"
    path.write_bytes(gzip.compress(f"<all>{rows}</all>".encode()))
    size = path.stat().st_size
    positions = [split.parts[0].position for split in feeder(fed(expand([str(path)])[0]), split_bytes=50_000)]
    assert positions == sorted(positions)
    assert 0 < positions[0] < size
    assert positions[-1] == size


@pytest.mark.parametrize("split_bytes", [1, 70, 500, 1300, 1_000_000])
def test_a_resume_gives_out_what_is_missing_with_any_split_size(source: Source, split_bytes: int) -> None:
    before = list(feeder(fed(source)))
    committed = [split for split in before if random.Random(split.number).random() < 0.5]
    again = fed(source, done=tuple(tile(split) for split in committed))
    missing = list(feeder(again, split_bytes=split_bytes))
    assert sorted(ids(missing) + ids(committed)) == list(range(1, RECORDS + 1))
    assert again.skipped == len(ids(committed))
    edges = sorted([tile(split) for split in missing] + [tile(split) for split in committed])
    assert [start for start, _ in edges] == [0] + [end for _, end in edges[:-1]]
    assert edges[-1][1] == source.size


def test_nothing_is_given_out_of_a_source_that_is_all_there(source: Source) -> None:
    done = tuple(tile(split) for split in feeder(fed(source)))
    again = fed(source, done=done)
    assert list(feeder(again)) == []
    assert (again.records, again.skipped, again.complete) == (RECORDS, RECORDS, True)


def test_the_end_behind_the_last_record_of_a_limited_run_is_given_out(tmp_path: Path) -> None:
    path = tmp_path / "root.xml"
    path.write_text("<all><r id='1'/></all>")
    (source,) = expand([str(path)])
    splitter = Splitter([parse_record_path("/all", {})], 500, 10_000)
    (first,) = Feeder([fed(source)], splitter, limit=1)
    assert not first.parts[0].last
    again = fed(source, done=(tile(first),))
    (end,) = Feeder([again], splitter, limit=None)
    assert (end.parts[0].last, end.records, again.skipped) == (True, 0, 1)
    assert list(Feeder([fed(source, done=(tile(first), tile(end)))], splitter, limit=None)) == []


def test_a_limit_counts_over_all_sources(source: Source, tmp_path: Path) -> None:
    copy = tmp_path / "copy.xml"
    copy.write_bytes(Path(source.label).read_bytes())
    first, second = fed(source, 1), fed(expand([str(copy)])[0], 2)
    splits = list(feeder(first, second, limit=RECORDS + 7))
    assert len(ids(splits)) == RECORDS + 7
    assert (first.complete, second.complete) == (True, False)
    assert second.outcome() == "stopped"


def test_a_broken_source_is_noted_and_the_next_one_is_read(source: Source, tmp_path: Path) -> None:
    broken = tmp_path / "broken.xml"
    broken.write_text("<all><r id='7001'/><r id='7002'/><r id='70")
    first, second = fed(expand([str(broken)])[0], 1), fed(source, 2)
    splits = list(feeder(first, second))
    assert ids(splits) == [7001, 7002, *range(1, RECORDS + 1)]
    assert first.outcome() == "broken"
    assert str(broken) in first.problem
    assert second.complete


def test_stop_ends_the_feeding(source: Source) -> None:
    feeding = feeder(fed(source))
    splits = iter(feeding)
    next(splits)
    feeding.stop()
    assert list(splits) == []


def test_the_position_ends_at_the_size_of_the_sources(source: Source) -> None:
    feeding = feeder(fed(source))
    list(feeding)
    assert feeding.position == source.size


@pytest.mark.parametrize(("count", "records"), [(1, 40), (4, 10), ({"min": 1, "max": 4}, 10)])
def test_where_records_are_bounded_every_worker_that_may_come_gets_some(
    source: Source, count: object, records: int
) -> None:
    settings = build_settings({"workers": {"count": count, "prefetch": 2}, "queue": {"max_records": 160}})
    splitter = make_splitter(mapping_of("  r: {each: /all/r, columns: {id: '@id'}}"), settings)
    assert max(split.records for split in Feeder([fed(source)], splitter, None)) == records


def test_a_sample_takes_nothing_away(source: Source) -> None:
    whole = feeder(fed(source))
    sample = whole.sample()
    assert sample is not None
    assert ids([sample]) == list(range(1, SAMPLE_RECORDS + 1))
    assert ids(list(whole)) == list(range(1, RECORDS + 1))


def test_no_sample_is_taken_of_what_can_be_read_once_or_not_at_all(source: Source, tmp_path: Path) -> None:
    broken = tmp_path / "broken.xml"
    broken.write_text("no XML")
    assert feeder(replace(fed(source), rereadable=False)).sample() is None
    assert feeder(fed(expand([str(broken)])[0])).sample() is None
