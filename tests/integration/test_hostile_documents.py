"""The corpus of malformed and hostile documents: nothing crashes or hangs, and what is good in them is loaded."""

from __future__ import annotations

import re
import sqlite3
from collections.abc import Iterator, Mapping
from itertools import islice
from pathlib import Path
from typing import Any

import psycopg
import pytest

import etl
from etl.errors import SourceError
from etl.report import LoadReport
from tests.command import Result
from tests.command import etl as command
from tests.corpus import MAPPING, RECORDS, HandMade, Hostile, good, hand_made, mutated

pytestmark = pytest.mark.usefixtures("both_ways")

INLINE = etl.Settings.model_validate({"workers": {"kind": "inline"}, "split": {"bytes": 2000}})
GROUPS = 8

MUTATED = list(mutated())
HAND_MADE = list(hand_made())

Item = tuple[tuple[Any, ...], tuple[Any, ...]]


def items(report: LoadReport) -> dict[int, list[Item]]:
    """What was loaded: by id the rows of the item, and of its tags."""
    assert report.rows is not None
    found: dict[int, list[Item]] = {}
    for row in report.rows["item"]:
        own = [tag["value"] for tag in report.rows["tag"] if tag["item_record_id"] == row["record_id"]]
        content = [row[name] for name in ("kind", "name", "note", "lang")]
        found.setdefault(row["id"], []).append((tuple(content), tuple(own)))
    return found


def load(source: Path, mapping: Path) -> tuple[LoadReport, str]:
    """What was loaded, and what was wrong with the document as a whole."""
    try:
        return etl.load(source, mapping=mapping, target="memory://", settings=INLINE), ""
    except SourceError as error:
        report: LoadReport = error.report
        return report, str(error)


@pytest.fixture
def mapping(tmp_path: Path) -> Path:
    file = tmp_path / "corpus.mapping.yaml"
    file.write_text(MAPPING)
    return file


@pytest.fixture
def unspoilt(tmp_path: Path, mapping: Path) -> Mapping[int, list[Item]]:
    """What the good document loads."""
    source = tmp_path / "good.xml"
    source.write_bytes(good().data)
    report, problem = load(source, mapping)
    assert (report.loaded, report.rejected, problem) == (RECORDS, 0, "")
    return items(report)


def test_the_corpus_is_large_and_always_the_same() -> None:
    assert len({document.name for document in MUTATED}) == len(MUTATED) >= 300
    assert [document.data for document in mutated()] == [document.data for document in MUTATED]


@pytest.mark.timeout(60)
@pytest.mark.parametrize("group", range(GROUPS))
def test_records_that_a_mutation_leaves_alone_load_as_they_were(
    group: int, tmp_path: Path, mapping: Path, unspoilt: Mapping[int, list[Item]]
) -> None:
    source = tmp_path / "spoilt.xml"
    for document in islice(MUTATED, group, None, GROUPS):
        source.write_bytes(document.data)
        report, problem = load(source, mapping)
        loaded = items(report)
        lost = [number for number in document.intact if unspoilt[number][0] not in loaded.get(number, [])]
        assert not lost, f"{document.name}: {lost} are not loaded as they were; {problem}; {report.rejects}"
        assert report.records == report.loaded + report.rejected + report.discarded, document.name
        assert_said_well(problem, document.name)
        for reject in report.rejects:
            assert len(reject.example) < 800, document.name
        checked = check(source, mapping)
        assert checked is None or (checked.records, checked.loaded, checked.rejected) == (
            report.records,
            report.loaded,
            report.rejected,
        ), document.name


def check(source: Path, mapping: Path) -> etl.CheckReport | None:
    """None where there is nothing to check."""
    try:
        return etl.check(source, mapping=mapping, settings=INLINE)
    except SourceError as error:
        assert_said_well(str(error), source.name)
        return None


def assert_said_well(problem: str, name: str) -> None:
    assert len(problem) < 1500, name
    assert "Traceback" not in problem, name
    assert "defect" not in problem, name


@pytest.mark.timeout(60)
@pytest.mark.parametrize("group", range(GROUPS))
def test_a_mapping_is_inferred_of_what_can_be_read(group: int, tmp_path: Path) -> None:
    source = tmp_path / "spoilt.xml"
    everything: list[Hostile | HandMade] = [*MUTATED[::9], *HAND_MADE]
    for document in islice(everything, group, None, GROUPS):
        source.write_bytes(document.data)
        try:
            text = etl.infer(source)
        except SourceError as error:
            assert_said_well(str(error), document.name)
        else:
            assert "tables:" in text, document.name


@pytest.mark.timeout(30)
@pytest.mark.parametrize("document", HAND_MADE, ids=[document.name for document in HAND_MADE])
def test_what_attacks_a_parser_costs_one_record(document: HandMade, tmp_path: Path, mapping: Path) -> None:
    source = tmp_path / "attack.xml"
    source.write_bytes(document.data)
    report, problem = load(source, mapping)
    assert report.rows is not None
    assert tuple(row["id"] for row in report.rows["item"]) == document.loaded, (report.rejects, problem)
    assert tuple(reject.reason for reject in report.rejects) == document.reasons, report.rejects
    assert (document.problem in problem) if document.problem else not problem, problem
    assert "root:" not in str(report.rows)


def some_commands() -> Iterator[tuple[str, Hostile | HandMade]]:
    """A few of every kind, by the real command."""
    yield from (("load", document) for document in MUTATED[7::97])
    yield from (("check", document) for document in MUTATED[31::120])
    wanted = ("very deep", "billion laughs", "gzip bomb", "junk")
    yield from (("load", document) for document in HAND_MADE if document.name in wanted)


COMMANDS = list(some_commands())


@pytest.mark.parametrize(("verb", "document"), COMMANDS, ids=[f"{verb} {document.name}" for verb, document in COMMANDS])
def test_the_command_says_it_in_a_sentence_and_stays_small(
    verb: str, document: Hostile | HandMade, tmp_path: Path, mapping: Path
) -> None:
    source = tmp_path / "document.xml"
    source.write_bytes(document.data)
    target = ["--to", "sqlite:///out.db", "-q"] if verb == "load" else []
    result = command(verb, source, "--map", mapping, *target, cwd=tmp_path)
    assert result.code in (0, 1, 3), result.err
    assert "Traceback" not in result.out + result.err
    assert "defect in etl" not in result.out + result.err
    assert sentences(result) <= 2, result.err
    assert result.peak_memory < 250 * 2**20
    if verb == "load":
        loaded = ids_in(tmp_path / "out.db")
        assert set(document.intact if isinstance(document, Hostile) else document.loaded) <= loaded


def sentences(result: Result) -> int:
    """How many a quiet run needs; lines are broken anywhere, and names hold dots without a space behind them."""
    return len(re.findall(r"[.)]\s+(?=[A-Z])", " ".join(result.err.split()))) + bool(result.err.strip())


def ids_in(database: Path) -> set[int]:
    with sqlite3.connect(database) as connection:
        tables = {row[0] for row in connection.execute("SELECT name FROM sqlite_master")}
        found = {row[0] for row in connection.execute("SELECT id FROM item")} if "item" in tables else set()
    connection.close()
    return found


def test_postgresql_takes_what_is_good_of_them(postgres_url: str, tmp_path: Path, mapping: Path) -> None:
    chosen = [document for document in MUTATED if document.name.startswith(("text spoilt", "noise", "recoded"))][::9]
    for number, document in enumerate(chosen):
        source = tmp_path / f"{number}.xml"
        source.write_bytes(document.data)
        try:
            report = etl.load(source, mapping=mapping, target=postgres_url, settings=INLINE)
        except SourceError as error:
            report = error.report
        with psycopg.connect(postgres_url) as connection:
            rows = connection.execute(
                "SELECT id FROM item WHERE record_id / 1099511627776 = %s", [number + 1]
            ).fetchall()
        assert document.intact <= {row[0] for row in rows}, document.name
        assert len(rows) == report.loaded, document.name
