"""Real dumps through mappings written by hand, into SQLite and PostgreSQL: every row, and the same in both."""

from __future__ import annotations

import functools
import gzip
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path

import psycopg
import pytest
from lxml import etree
from sqlalchemy.engine import make_url

import etl
from etl.mapping.model import Mapping
from etl.mapping.reader import read_mapping
from tests.acceptance.contents import checksums, count, query, select
from tests.acceptance.dumps import DUMPS, Dump, expected_rows
from tests.command import etl as etl_command

pytestmark = [pytest.mark.real_data, pytest.mark.timeout(300)]

BY_COMMAND = "discogs_releases"
"""This dump goes through the command instead of `etl.load`."""


@dataclass(frozen=True)
class Outcome:
    """What both ways of loading report."""

    url: str
    exit_code: int
    records: int
    loaded: int
    rejected: int
    tables: dict[str, int]


@dataclass(frozen=True)
class Loaded:
    """A dump in both databases."""

    dump: Dump
    mapping: Mapping
    outcomes: tuple[Outcome, ...]


Loads = Callable[[str], Loaded]


@pytest.fixture(scope="module")
def loads(real_data: Path, postgres_server: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Loads]:
    """Gives a dump loaded into both databases by its name; loads it once."""
    folder = tmp_path_factory.mktemp("real")
    name = f"etl_real_{uuid.uuid4().hex}"
    postgres = make_url(postgres_server).set(database=name).render_as_string(hide_password=False)

    @functools.cache
    def load(dump_name: str) -> Loaded:
        dump = next(dump for dump in DUMPS if dump.name == dump_name)
        urls = (f"sqlite:///{folder / dump.name}.db", postgres)
        outcomes = tuple(_load(dump, real_data, url, folder) for url in urls)
        return Loaded(dump, read_mapping(dump.mapping), outcomes)

    with psycopg.connect(postgres_server, autocommit=True) as connection:
        connection.execute(f'CREATE DATABASE "{name}"'.encode())
        yield load
        connection.execute(f'DROP DATABASE "{name}" WITH (FORCE)'.encode())


@pytest.fixture(params=[dump.name for dump in DUMPS])
def loaded(request: pytest.FixtureRequest, loads: Loads) -> Loaded:
    return loads(request.param)


def _load(dump: Dump, folder: Path, url: str, cwd: Path) -> Outcome:
    if dump.name == BY_COMMAND:
        result = etl_command("load", *dump.sources(folder), "--map", dump.mapping, "--to", url, "--json", cwd=cwd)
        assert result.code == 0, result.err
        values = result.report
        return Outcome(
            url, values["exit_code"], values["records"], values["loaded"], values["rejected"], values["tables"]
        )
    report = etl.load(dump.sources(folder), mapping=dump.mapping, target=url)
    return Outcome(url, report.exit_code, report.records, report.loaded, report.rejected, dict(report.tables))


def test_every_row_is_there(loaded: Loaded, real_data: Path) -> None:
    expected = expected_rows(loaded.dump, real_data)
    for outcome in loaded.outcomes:
        found = {tables: sum(count(outcome.url, *table.split(".")) for table in tables) for tables in expected}
        assert found == expected, outcome.url


def test_the_report_says_what_is_there(loaded: Loaded, real_data: Path) -> None:
    records = sum(
        rows for tables, rows in expected_rows(loaded.dump, real_data).items() if tables[0] in loaded.dump.records
    )
    for outcome in loaded.outcomes:
        assert outcome.exit_code == 0
        assert (outcome.records, outcome.loaded, outcome.rejected) == (records, records, 0)
        assert outcome.tables == {table.name: count(outcome.url, table.name) for table in loaded.mapping.tables}
        assert count(outcome.url, "etl_reject") == 0


def test_both_databases_hold_the_same(loaded: Loaded) -> None:
    sqlite, postgres = (checksums(outcome.url, loaded.mapping) for outcome in loaded.outcomes)
    assert sqlite == postgres


def test_a_second_run_finds_all_done_and_changes_nothing(loaded: Loaded, real_data: Path) -> None:
    for outcome in loaded.outcomes:
        before = _state(outcome.url, loaded.mapping)
        report = etl.load(loaded.dump.sources(real_data), mapping=loaded.dump.mapping, target=outcome.url)
        assert report.state == "nothing to do"
        assert {source.state for source in report.sources} == {"finished before"}
        assert len(report.sources) == len(loaded.dump.files)
        assert (report.exit_code, report.loaded, report.skipped) == (0, 0, outcome.records)
        assert _state(outcome.url, loaded.mapping) == before


def _state(url: str, mapping: Mapping) -> tuple[object, ...]:
    """Row counts and the whole ledger."""
    rows = {table.name: count(url, table.name) for table in mapping.tables}
    ledger = [sorted(map(repr, query(url, f"SELECT * FROM {name}"))) for name in ("etl_source", "etl_split")]
    return rows, ledger


def _document(file: Path) -> etree._Element:
    return etree.fromstring(gzip.decompress(file.read_bytes()))


def _text(element: etree._Element, path: str) -> str | None:
    found = element.find(path)
    return None if found is None else "".join(map(str, found.itertext())).strip(" \t\r\n")


def test_discogs_releases_hold_what_the_document_says(loads: Loads, real_data: Path) -> None:
    loaded = loads("discogs_releases")
    url = loaded.outcomes[1].url  # SQLite holds the same
    releases, tracks, sub_tracks, credited, descriptions = [], [], [], [], []
    for release in _document(loaded.dump.sources(real_data)[0]):
        number = int(release.get("id", ""))
        master = _text(release, "master_id")
        releases.append((number, _text(release, "title"), _text(release, "released"), master and int(master)))
        for format_number, form in enumerate(release.findall("formats/format"), 1):
            for n, description in enumerate(form.findall("descriptions/description"), 1):
                descriptions.append((number, format_number, n, description.text))
        for place, track in enumerate(release.findall("tracklist/track"), 1):
            tracks.append((number, place, _text(track, "position") or None, _text(track, "title")))
            for sub_place, sub_track in enumerate(track.findall("sub_tracks/track"), 1):
                sub_tracks.append((number, place, sub_place, _text(sub_track, "title")))
                people = [*sub_track.findall("artists/artist"), *sub_track.findall("extraartists/artist")]
                for n, person in enumerate(people, 1):
                    identity = (int(_text(person, "id") or ""), _text(person, "name"), _text(person, "role") or None)
                    credited.append((number, place, sub_place, n, *identity))

    key = ["release_id", "track_seq", "sub_track_seq", "seq"]
    assert select(url, "release", ["id", "title", "released", "master_id"], ["id"]) == sorted(releases)
    assert select(url, "track", ["release_id", "seq", "position", "title"], ["release_id", "seq"]) == sorted(tracks)
    assert select(
        url, "sub_track", ["release_id", "track_seq", "seq", "title"], ["release_id", "track_seq", "seq"]
    ) == sorted(sub_tracks)
    assert select(url, "sub_track_credit", [*key, "artist_id", "name", "role"], key) == sorted(credited)
    described = ["release_id", "release_format_seq", "seq", "description"]
    assert select(url, "release_format_description", described, described[:3]) == sorted(descriptions)


def test_openstreetmap_holds_what_the_document_says(loads: Loads, real_data: Path) -> None:
    loaded = loads("osm")
    url = loaded.outcomes[1].url  # SQLite holds the same
    root = _document(loaded.dump.sources(real_data)[0])
    nodes, tags, way_nodes, members = [], [], [], []
    for node in root.findall("node"):
        number = int(node.get("id", ""))
        place = (Decimal(node.get("lat", "")), Decimal(node.get("lon", "")))
        nodes.append((number, *place, node.get("timestamp"), node.get("user")))
        tags += [(number, n, tag.get("k"), tag.get("v")) for n, tag in enumerate(node.findall("tag"), 1)]
    for way in root.findall("way"):
        number = int(way.get("id", ""))
        way_nodes += [(number, n, int(nd.get("ref", ""))) for n, nd in enumerate(way.findall("nd"), 1)]
    for relation in root.findall("relation"):
        number = int(relation.get("id", ""))
        for n, member in enumerate(relation.findall("member"), 1):
            what = (member.get("type"), int(member.get("ref", "")), member.get("role") or None)
            members.append((number, n, *what))

    moment = """to_char("timestamp" AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS"Z"')"""
    assert query(url, f'SELECT id, lat, lon, {moment}, "user" FROM node ORDER BY id') == sorted(nodes)
    assert select(url, "node_tag", ["node_id", "seq", "k", "v"], ["node_id", "seq"]) == sorted(tags)
    assert select(url, "way_node", ["way_id", "seq", "node_id"], ["way_id", "seq"]) == sorted(way_nodes)
    columns = ["relation_id", "seq", "type", "ref", "role"]
    assert select(url, "relation_member", columns, ["relation_id", "seq"]) == sorted(members)
