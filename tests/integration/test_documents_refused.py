"""Records of small documents that a database refuses or has, or that a schema finds invalid: each at its place."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

import etl
from etl.options import build_settings
from etl.report import LoadReport
from tests.acceptance.contents import query
from tests.packing import pack

MAPPING = """\
version: 1
tables:
  item:
    each: /items/item
    key: id
    columns:
      id:     {path: "@id", type: bigint}
      name:   name
      of:     {meta: source}
      line:   {meta: line}
      offset: {meta: offset}
      record: {meta: record}
  part:
    parent: item
    each: part
    columns: {text: .}
"""
_GOOD = "transform: {map: {bad: good}}"
MENDED = MAPPING.replace("name:   name\n", f"name:   {{path: name, default: none, {_GOOD}}}\n")
MENDED = MENDED.replace("{text: .}", f"{{text: {{path: ., {_GOOD}}}}}")

TABLES = (
    "CREATE TABLE item (id bigint NOT NULL PRIMARY KEY, name text CHECK (name IS NOT NULL AND name <> 'bad'),"
    ' "of" text, line bigint, "offset" bigint, record bigint)',
    "CREATE TABLE part (item_id bigint NOT NULL REFERENCES item (id), seq integer NOT NULL,"
    " text text CHECK (text <> 'bad'), PRIMARY KEY (item_id, seq))",
)
SCHEMA = """\
<xs:schema xmlns:xs="http://www.w3.org/2001/XMLSchema">
  <xs:element name="items"><xs:complexType><xs:sequence>
    <xs:element ref="item" minOccurs="0" maxOccurs="unbounded"/>
  </xs:sequence></xs:complexType></xs:element>
  <xs:element name="item"><xs:complexType>
    <xs:sequence>
      <xs:element name="name" type="xs:string"/>
      <xs:element name="part" minOccurs="0" maxOccurs="9"><xs:simpleType>
        <xs:restriction base="xs:string"><xs:enumeration value="a"/><xs:enumeration value="b"/></xs:restriction>
      </xs:simpleType></xs:element>
    </xs:sequence>
    <xs:attribute name="id" type="xs:int"/>
  </xs:complexType></xs:element>
</xs:schema>
"""
COUNT = 120

Row = tuple[Any, ...]


@dataclass(frozen=True)
class Item:
    """A record, as it is written."""

    id: int
    name: str | None = "a name"
    parts: tuple[str, ...] = ("a", "b")

    @property
    def xml(self) -> str:
        name = "" if self.name is None else f"<name>{self.name}</name>"
        return f'<item id="{self.id}">{name}{"".join(f"<part>{part}</part>" for part in self.parts)}</item>\n'

    def mended(self) -> Item:
        """As `MENDED` reads it."""
        name = {"bad": "good", None: "none"}.get(self.name, self.name)
        return Item(self.id, name, tuple("good" if part == "bad" else part for part in self.parts))


Documents = Mapping[str, Sequence[Item]]


def plain(count: int = COUNT) -> dict[str, list[Item]]:
    return {f"{number:03}.xml": [Item(number * 10 + place) for place in (1, 2, 3)] for number in range(count)}


def dirty() -> dict[str, list[Item]]:
    """With records that `TABLES` refuse, the first and the last ones, several of a document, and neighbours."""
    documents = plain()
    documents["000.xml"][0] = Item(1, "bad")
    documents["010.xml"][1] = Item(102, None)
    documents["011.xml"][0] = Item(111, parts=("a", "bad"))
    documents["050.xml"] = [Item(501, "bad"), Item(502, "bad"), Item(503, None)]
    documents["060.xml"][2] = Item(11, "taken")
    documents["061.xml"] = [Item(611), Item(611, "the same"), Item(612)]
    documents["119.xml"][2] = Item(1193, parts=("bad",))
    return documents


def apart(documents: Documents) -> dict[str, Item]:
    """Each record as a document of its own, by name."""
    return {
        f"{name.removesuffix('.xml')}-{number}.xml": item
        for name, items in documents.items()
        for number, item in enumerate(items)
    }


def records(documents: Documents, base: str, *, roots: bool = False) -> list[tuple[Item, Row]]:
    """Each record in order, and where it is: document, line, offset, number."""
    if roots:
        return [(item, (f"{base}/{name}", 1, 0, 1)) for name, item in apart(documents).items()]
    found = []
    for name, items in documents.items():
        offset = len("<items>\n")
        for number, item in enumerate(items, 1):
            found.append((item, (f"{base}/{name}", number + 1, offset, number)))
            offset += len(item.xml)
    return found


@dataclass(frozen=True)
class Place:
    folder: Path
    url: str
    roots: bool
    """Each record is a document as a whole."""

    def pack(self, kind: str, documents: Documents) -> Path:
        if self.roots:
            return pack(kind, self.folder, {name: item.xml.encode() for name, item in apart(documents).items()})
        texts = {name: f"<items>\n{''.join(item.xml for item in items)}</items>\n" for name, items in documents.items()}
        return pack(kind, self.folder, {name: text.encode() for name, text in texts.items()})

    def load(self, source: Path, mapping: str = MAPPING, **sections: Any) -> LoadReport:
        file = self.folder / "items.yaml"
        file.write_text(self.mapped(mapping))
        limit = sections.pop("limit", None)
        how = {"workers": {"kind": "inline"}, "insert": {"threads": 1}, "errors": {"max": "unlimited"}, **sections}
        return etl.load(source, mapping=file, target=self.url, settings=build_settings(how), limit=limit)

    def mapped(self, mapping: str) -> str:
        """The mapping, for records that are roots where they are."""
        return mapping.replace("/items/item", "/item") if self.roots else mapping

    def records(self, documents: Documents, source: Path) -> list[tuple[Item, Row]]:
        return records(documents, str(source), roots=self.roots)

    def create_tables(self) -> None:
        engine = sa.create_engine(self.url.replace("postgresql://", "postgresql+psycopg://"))
        with engine.begin() as connection:
            for statement in TABLES:
                connection.execute(sa.text(statement))
        engine.dispose()

    def items(self) -> list[Row]:
        return query(self.url, 'SELECT id, name, "of", line, "offset", record FROM item ORDER BY id')

    def parts(self) -> list[Row]:
        return query(self.url, "SELECT item_id, seq, text FROM part ORDER BY 1, 2")

    def rejects(self) -> list[Row]:
        return query(
            self.url,
            "SELECT d.label, r.line, r.byte_offset, r.record, r.reason FROM etl_reject r LEFT JOIN etl_document d"
            " ON d.source = r.source AND d.document = r.document ORDER BY 1, 2",
        )


@pytest.fixture(params=[False, True], ids=["below roots", "roots"])
def place(request: pytest.FixtureRequest, tmp_path: Path, target_url: str) -> Place:
    return Place(tmp_path, target_url, request.param)


def expected_rows(items: Sequence[tuple[Item, Row]]) -> tuple[list[Row], list[Row]]:
    own = sorted((item.id, item.name, *where) for item, where in items)
    return own, sorted((item.id, seq, part) for item, _ in items for seq, part in enumerate(item.parts, 1))


def refused(item: Item, seen: set[int]) -> str:
    """Why `TABLES` refuse it, "" where they do not."""
    if item.name in (None, "bad") or "bad" in item.parts:
        return "check_failed"
    return "duplicate_key" if item.id in seen else ""


HOW: dict[str, dict[str, Any]] = {
    "together": {},
    "few at once": {"split": {"bytes": 700}, "insert": {"threads": 1, "batch_records": 20}},
    "one by one": {"split": {"bytes": 1}, "insert": {"threads": 1, "batch_records": 5}},
    "processes": {"workers": {"kind": "process", "count": 1}},
}


def outcome(found: Sequence[tuple[Item, Row]]) -> tuple[list[tuple[Item, Row]], list[Row]]:
    """What `TABLES` take of it, and the rejects."""
    seen: set[int] = set()
    good, bad = [], []
    for item, where in found:
        if reason := refused(item, seen):
            bad.append((*where, reason))
        else:
            seen.add(item.id)
            good.append((item, where))
    return good, bad


@pytest.mark.parametrize(
    ("kind", "how"),
    [("docs", "together"), ("docs.tar.gz", "few at once"), ("docs.zip", "one by one"), ("docs", "processes")],
)
def test_what_the_database_refuses_is_a_reject_at_its_place(place: Place, kind: str, how: str) -> None:
    place.create_tables()
    source = place.pack(kind, dirty())
    report = place.load(source, **HOW[how])
    good, bad = outcome(place.records(dirty(), source))
    assert place.rejects() == bad
    assert (place.items(), place.parts()) == expected_rows(good)
    assert (report.loaded, report.rejected, report.exit_code) == (len(good), len(bad), 3)
    again = place.load(source, **HOW[how])
    assert (again.state, again.exit_code) == ("nothing to do", 3)


@pytest.mark.parametrize("kind", ["docs.zip"])
def test_a_load_that_was_stopped_among_them_goes_on(place: Place, kind: str) -> None:
    place.create_tables()
    source = place.pack(kind, dirty())
    how = HOW["few at once"]
    for limit in (2, 30, 120, 31, 1):  # each counts from where the last one ended
        place.load(source, limit=limit, **how)
    report = place.load(source, **how)
    good, bad = outcome(place.records(dirty(), source))
    assert place.rejects() == bad
    assert (place.items(), place.parts()) == expected_rows(good)
    assert (report.state, report.records, report.exit_code) == ("finished", len(good) + len(bad), 3)


@pytest.mark.parametrize("kind", ["docs", "docs.zip"])
def test_a_retry_by_a_mended_mapping_loads_them(place: Place, kind: str) -> None:
    place.create_tables()
    source = place.pack(kind, dirty())
    place.load(source)
    mended = place.folder / "mended.yaml"
    mended.write_text(place.mapped(MENDED))
    report = etl.retry(place.url, mapping=mended)
    good, bad = outcome([(item.mended(), where) for item, where in place.records(dirty(), source)])
    assert [row[-1] for row in bad] == ["duplicate_key"] * 2
    assert place.rejects() == bad
    assert (place.items(), place.parts()) == expected_rows(good)
    assert (report.rejected, report.left, report.exit_code) == (len(bad), 0, 3)
    assert [(one.records, one.rejected) for one in etl.status(place.url)] == [(3 * COUNT, len(bad))]


def newer() -> dict[str, list[Item]]:
    """Documents as of a later day: old keys with other content, old ones as they were, new ones, and some twice."""
    documents = plain()
    documents["005.xml"] = [Item(51, "changed", ("c",)), Item(52, "changed", ()), Item(53)]
    documents["100.xml"] = [Item(1001, "changed"), Item(5001, "new"), Item(5002, "new", ())]
    documents["110.xml"] = [Item(5003, "new"), Item(5001, "again", ("d",)), Item(51, "once more")]
    documents["111.xml"] = [Item(5003, "again", ())]
    return documents


@pytest.mark.parametrize("how", ["together", "few at once"])
@pytest.mark.parametrize("kinds", [("docs.zip", "docs")])
@pytest.mark.parametrize("write", ["upsert", "skip"])
def test_newer_documents_meet_those_of_before(place: Place, write: str, kinds: tuple[str, str], how: str) -> None:
    old = place.pack(kinds[0], plain())
    place.load(old)
    there = {item.id: (item, where) for item, where in place.records(plain(), old)}
    source = place.pack(kinds[1], newer())
    report = place.load(source, write=write, **HOW[how])
    left_out = 0
    for item, where in place.records(newer(), source):
        if write == "upsert" or item.id not in there:
            there[item.id] = item, where
        else:
            left_out += 1
    assert (place.items(), place.parts()) == expected_rows(list(there.values()))
    assert (report.records, report.discarded, report.exit_code) == (report.loaded + left_out, left_out, 0)
    assert place.load(source, write=write).state == "nothing to do"


@pytest.mark.parametrize(("kind", "how"), [("docs", "few at once"), ("docs.tar.gz", "processes")])
@pytest.mark.usefixtures("both_ways")
def test_what_a_schema_finds_invalid_is_a_reject_at_its_place(place: Place, kind: str, how: str) -> None:
    schema = place.folder / "items.xsd"
    schema.write_text(SCHEMA)
    documents = dirty()
    documents["061.xml"] = documents["060.xml"] = []
    source = place.pack(kind, documents)
    validating = HOW[how] | {"input": {"validate": str(schema)}}
    place.load(source, limit=100, **validating)
    report = place.load(source, **validating)
    found = place.records(documents, source)
    bad = [(*where, "invalid") for item, where in found if item.name is None or "bad" in item.parts]
    assert place.rejects() == bad
    assert (place.items(), place.parts()) == expected_rows([one for one in found if (*one[1], "invalid") not in bad])
    assert (report.state, report.records, report.exit_code) == ("finished", len(found), 3)
