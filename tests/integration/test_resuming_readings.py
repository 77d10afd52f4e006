"""A load that goes on with another DTD or schema than it began with: mixing is told, forgetting is refused."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

import etl
from etl.errors import TargetError
from etl.options import build_settings
from etl.report import LoadReport
from tests.acceptance.contents import query

RECORDS = 600
XS = 'xmlns:xs="http://www.w3.org/2001/XMLSchema"'
SCHEMA = f"""<xs:schema {XS}><xs:element name="items"><xs:complexType><xs:sequence>
<xs:element name="item" maxOccurs="unbounded"><xs:complexType><xs:sequence><xs:element name="name" type="xs:string"/>
</xs:sequence><xs:attribute name="id" type="xs:int"/><xs:attribute name="kind"/></xs:complexType></xs:element>
</xs:sequence></xs:complexType></xs:element></xs:schema>"""
MAPPING = (
    "version: 1\ntables: {item: {each: /items/item, key: id, columns: {id: {path: '@id', type: bigint}, name: name}}}"
)

Load = Callable[..., LoadReport]


@pytest.fixture
def load(tmp_path: Path, target_url: str) -> Load:
    """Loads the document, or so many records of it, by these files."""
    items = "".join(f"<item id='{number}'><name>&company;</name></item>" for number in range(RECORDS))
    (tmp_path / "items.xml").write_text(f"<items>{items}</items>")
    (tmp_path / "one.dtd").write_text("<!ENTITY company 'One'>")
    (tmp_path / "same.dtd").write_text('<!-- the same -->\n<!ENTITY company  "One" >')
    (tmp_path / "two.dtd").write_text("<!ENTITY company 'Two'>")
    (tmp_path / "one.xsd").write_text(SCHEMA)
    (tmp_path / "two.xsd").write_text(SCHEMA.replace("xs:string", "xs:token"))
    (tmp_path / "map.yaml").write_text(MAPPING)

    def run(*files: str, limit: int | None = None, again: bool = False) -> LoadReport:
        kinds = {"dtd": "dtd", "xsd": "validate"}
        given = {kinds[name.partition(".")[2]]: str(tmp_path / name) for name in files}
        settings = build_settings({"input": given, "split": {"bytes": 1024}, "errors": {"max": "unlimited"}})
        source, mapping = tmp_path / "items.xml", tmp_path / "map.yaml"
        return etl.load(source, mapping=mapping, target=target_url, settings=settings, limit=limit, again=again)

    return run


@pytest.mark.parametrize(
    ("first", "then"),
    [(["one.dtd"], ["one.dtd"]), (["one.dtd"], ["same.dtd"]), (["one.dtd", "one.xsd"], ["one.dtd", "one.xsd"])],
)
def test_nothing_is_said_where_it_is_the_same(load: Load, first: list[str], then: list[str]) -> None:
    load(*first, limit=200)
    report = load(*then)
    assert (report.state, report.notices) == ("finished", ())
    assert load(*then).notices == ()


@pytest.mark.parametrize(
    ("first", "then", "said"),
    [
        ([], ["one.dtd"], "items.xml began to be loaded without --dtd: its 200 records of before stay as they were"),
        (["one.dtd"], ["two.dtd"], "items.xml began to be loaded with another --dtd: its 200 records of before stay"),
        (
            ["one.dtd"],
            ["one.dtd", "one.xsd"],
            "items.xml was not validated when it began to be loaded: its 200 records",
        ),
        (["one.dtd", "one.xsd"], ["one.dtd", "two.xsd"], "was validated by another schema when it began to be loaded"),
    ],
)
def test_what_is_mixed_is_told_once(load: Load, first: list[str], then: list[str], said: str) -> None:
    load(*first, limit=200)
    report = load(*then, limit=200)
    (notice,) = (notice for notice in report.notices if "of before" in notice)
    assert said in notice
    assert not [notice for notice in load(*then).notices if "of before" in notice]


@pytest.mark.parametrize(
    ("first", "then", "said"),
    [
        (
            ["one.dtd"],
            [],
            "began to be loaded with a DTD (--dtd), whose entities and attribute defaults the rest would",
        ),
        (["one.dtd", "one.xsd"], ["one.dtd"], "began to be loaded with a schema (--validate), by which nothing of the"),
        (["one.dtd", "one.xsd"], [], "the rest would lack and with a schema (--validate)"),
    ],
)
def test_what_is_forgotten_is_refused_and_nothing_is_changed(
    load: Load, target_url: str, first: list[str], then: list[str], said: str
) -> None:
    load(*first, limit=200)
    with pytest.raises(TargetError) as refused:
        load(*then)
    assert said in str(refused.value)
    assert query(target_url, "SELECT count(*) FROM item") == [(200,)]
    assert load(*first).notices == ()
    assert query(target_url, "SELECT name, count(*) FROM item GROUP BY name") == [("One", RECORDS)]


def test_all_of_it_may_be_loaded_anew_without(load: Load, target_url: str) -> None:
    load("one.dtd", "one.xsd", limit=200)
    assert load(again=True).rejected == RECORDS
    assert not [notice for notice in load("one.dtd").notices if "of before" in notice]
    assert query(target_url, "SELECT count(*) FROM item") == [(0,)]


def test_what_is_finished_needs_neither_and_says_what_comes_too_late(load: Load) -> None:
    load("one.dtd", "one.xsd")
    assert (load().state, load().notices) == ("nothing to do", ())
    dtd, schema = load("two.dtd", "two.xsd").notices
    assert "items.xml was loaded with another --dtd (on 2" in dtd
    assert "items.xml was validated by another schema when it was loaded (on 2" in schema
    assert "--again loads all of it anew" in dtd
    assert "--again loads all of it anew" in schema
