"""DBLP: letters that only its DTD knows, by `etl load --dtd`, into both databases: what lxml reads with that DTD."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from lxml import etree

import etl
from etl.mapping.reader import read_mapping
from etl.native import unavailable
from tests.acceptance.contents import checksums, count, select
from tests.command import etl as etl_command

pytestmark = [pytest.mark.real_data, pytest.mark.timeout(120)]

MAPPING = """\
version: 1
tables:
  article: {each: /dblp/article, key: key, columns: &record {key: "@key", title: title, journal: journal}}
  article_author: {parent: article, each: author, columns: &author {name: .}}
  book: {each: /dblp/book, key: key, columns: *record}
  book_author: {parent: book, each: author, columns: *author}
  mastersthesis: {each: /dblp/mastersthesis, key: key, columns: *record}
  mastersthesis_author: {parent: mastersthesis, each: author, columns: *author}
  www: {each: /dblp/www, key: key, columns: *record}
  www_author: {parent: www, each: author, columns: *author}
"""
KINDS = ("article", "book", "mastersthesis", "www")


@pytest.fixture
def dump(real_data: Path) -> Path:
    return real_data / "dblp" / "dblp_demo.xml"


def read_by_lxml(dump: Path) -> etree._Element:
    """The document as its author meant it, with the DTD beside it."""
    return etree.parse(str(dump), etree.XMLParser(load_dtd=True, resolve_entities=True, no_network=True)).getroot()


@pytest.mark.usefixtures("both_ways")
def test_every_character_is_there(dump: Path, target_url: str, tmp_path: Path) -> None:
    mapping = tmp_path / "dblp.yaml"
    mapping.write_text(MAPPING)
    dtd = dump.with_name("dblp.dtd")
    settings = etl.Settings.model_validate({"input": {"dtd": dtd}})
    report = etl.load(dump, mapping=mapping, target=target_url, settings=settings)
    assert (report.exit_code, report.rejected, report.native.declined) == (0, 0, {})
    root = read_by_lxml(dump)
    for kind in KINDS:
        records, authors = [], []
        for record in root.findall(kind):
            records.append((record.get("key"), *(_value(record.find(name)) for name in ("title", "journal"))))
            for place, author in enumerate(record.findall("author"), 1):
                authors.append((record.get("key"), place, _value(author)))
        order = ["key"]
        assert sorted(select(target_url, kind, ["key", "title", "journal"], order)) == sorted(records)
        found = select(target_url, f"{kind}_author", [f"{kind}_key", "seq", "name"], [f"{kind}_key", "seq"])
        assert sorted(found) == sorted(authors)
        assert any("ü" in str(name) for _, _, name in authors) or kind != "article"


def _value(element: etree._Element | None) -> str | None:
    return None if element is None else "".join(map(str, element.itertext())).strip(" \t\r\n")


def test_by_the_command_alone(dump: Path, postgres_url: str, tmp_path: Path, real_data: Path) -> None:
    dtd = dump.with_name("dblp.dtd")
    result = etl_command("load", dump, "--dtd", dtd, "--json", cwd=tmp_path)
    assert result.code == 0, result.err
    assert result.report["rejected"] == 0
    assert unavailable() or result.report["native"]["declined"] == {}
    expected = json.loads((real_data / "expected_counts.json").read_text("utf-8"))["dblp/dblp_demo.xml"]
    (mapping,) = tmp_path.glob("*.mapping.yaml")
    sqlite = f"sqlite:///{tmp_path / 'dblp_demo.db'}"
    settings = etl.Settings.model_validate({"input": {"dtd": dtd}})
    assert etl.load(dump, mapping=mapping, target=postgres_url, settings=settings).exit_code == 0
    for url in (sqlite, postgres_url):
        assert {f"/dblp/{kind}": count(url, kind) for kind in KINDS}.items() <= expected.items()
    read = read_mapping(mapping)
    assert checksums(sqlite, read) == checksums(postgres_url, read)


def test_without_the_dtd_its_name_is_told_and_a_retry_loads_the_rest(dump: Path, tmp_path: Path) -> None:
    dtd = dump.with_name("dblp.dtd")
    result = etl_command("load", dump, cwd=tmp_path)
    assert result.code == 3
    assert f"--dtd {dtd} takes it" in result.err
    again = etl_command("retry", "--to", "sqlite:///dblp_demo.db", "--dtd", dtd, cwd=tmp_path)
    assert again.code == 0, again.err
    whole = tmp_path / "whole"
    whole.mkdir()
    (mapping,) = tmp_path.glob("*.mapping.yaml")
    assert etl_command("load", dump, "--dtd", dtd, "--map", mapping, cwd=whole).code == 0
    read = read_mapping(mapping)
    urls = [f"sqlite:///{folder / 'dblp_demo.db'}" for folder in (tmp_path, whole)]
    assert checksums(urls[0], read) == checksums(urls[1], read)
