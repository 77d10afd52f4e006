"""`scope: document`: however a document is cut, and whoever reads it, what lxml sees before its first record."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from unittest import mock
from xml.sax.saxutils import quoteattr

import pytest
from hypothesis import HealthCheck, assume, event, given, settings
from hypothesis import strategies as st
from lxml import etree

import etl
from etl.errors import MappingError
from etl.extract.header import header_paths
from etl.extract.splitter import Splitter
from etl.mapping.model import Mapping
from etl.mapping.reader import parse_mapping
from etl.options import build_settings

NAMES = ("a", "h", "g", "rec", "n:h", "n:rec")
EACH = ("/r/rec", "/r/g/rec", "//rec", "/*/g/rec", "/r/*/n:rec", "/r/rec, /r/g/rec", "/r/g[@k='1']/rec")
PATHS = (
    *("/r/h", "/r/a/h", "/r/*", "/*/*/h", "/r/n:h", "/r/{*}h/text()", "/r/g/h", "/r/h/@k", "/r/@k", "/r/g/@k"),
    *("/*/@n:k", "/r/h[@k='1']", "/r/*[@k='1']/@n:k", "/r/a[@k='1']/h/text()", "/r/n:*", "/r/g/g"),
)
PLACES = {"n": "urn:n"}
NIL = "{http://www.w3.org/2001/XMLSchema-instance}nil"
OPENING = 'xmlns:n="urn:n" xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance"'
DOCTYPES = ("", "<!DOCTYPE r [<!ENTITY e 'E&#233;'>]>")
TEXTS = ("x", " ", "&#228;", "<![CDATA[<h>]]>", "<!-- <rec> -->", "<?p <h>?>", "&lt;")

SOME = settings(
    max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much]
)


@st.composite
def elements(draw: st.DrawFn, depth: int) -> str:
    name = draw(st.sampled_from(NAMES))
    attributes = [f" {key}={quoteattr(draw(st.sampled_from('12')))}" for key in ("k", "n:k") if draw(st.booleans())]
    if draw(st.integers(0, 9)) == 0:
        attributes.append(' xsi:nil="true"')
    contents: list[str] = []
    for _ in range(draw(st.integers(0, 5 if depth < 2 else 2)) if depth < 4 else 0):
        inner = draw(st.integers(0, 2)) > 0
        contents.append(draw(elements(depth=depth + 1)) if inner else draw(st.sampled_from(TEXTS)))
    tag = "".join((name, *attributes))
    return f"<{tag}>{''.join(contents)}</{name}>" if contents else f"<{tag}/>"


@st.composite
def documents(draw: st.DrawFn) -> str:
    """With some records, as a rule."""
    attributes = "".join(f" {key}='1'" for key in ("k", "n:k") if draw(st.booleans()))
    before, after = (st.lists(st.one_of(elements(depth=1), st.sampled_from(TEXTS)), max_size=most) for most in (4, 3))
    records = draw(st.sampled_from(("<rec/><rec><h/></rec>", "<g k='1'><rec/></g>", "<a><n:rec><a/>x</n:rec></a>")))
    return f"<r{attributes} {OPENING}>{''.join((*draw(before), records, *draw(after)))}</r>"


def mapping_of(each: str, path: str) -> Mapping:
    column = f'path: "{path}", scope: document, strip: false'
    columns = f"""\
      f: {{{column}}}
      l: {{{column}, many: last}}
      j: {{{column}, many: json}}
      c: {{path: "{path}", scope: document, many: count}}
"""
    paths = ", ".join(map(json.dumps, each.split(", ")))
    return parse_mapping(
        f"version: 1\nnamespaces: {{n: 'urn:n'}}\ntables:\n  t:\n    each: [{paths}]\n"
        f'    columns:\n{columns}  kid:\n    parent: t\n    each: "*"\n    columns:\n{columns}',
        "m.yaml",
    )


@dataclass(frozen=True)
class Seen:
    """What lxml sees in the whole document."""

    records: int
    kids: int
    values: list[str | None]
    """Found before the first record."""
    late: bool
    """Nothing was, but stands behind its beginning, in no record."""


def seen(document: str, each: str, path: str) -> Seen:
    root = etree.fromstring(document.encode(), etree.XMLParser(remove_comments=True, remove_pis=True))
    records = _records(root, each)
    if not records:
        return Seen(0, 0, [], late=False)
    kids = sum(len(record) for record in records if record.get(NIL) != "true")
    order = {element: place for place, element in enumerate(root.iter())}
    first, around = order[records[0]], set(records[0].iterancestors())
    inside = {element for record in records for element in record.iter()}
    before = [element for element in root.iter() if order[element] < first]
    after = [element for element in root.iter() if order[element] > first and element not in inside]
    late = not _found(root, path, before, around) and bool(_found(root, path, after, set()))
    for element in before:
        if element.get(NIL) == "true" and element not in around:
            element[:] = []
            element.text = None
    return Seen(len(records), kids, _found(root, path, before, around), late)


def _records(root: Any, each: str) -> list[Any]:
    """Those in others belong to those."""
    found = {element for path in each.split(", ") for element in root.xpath(path, namespaces=PLACES)}
    outermost = [one for one in found if found.isdisjoint(one.iterancestors())]
    return sorted(outermost, key=list(root.iter()).index)


def _found(root: Any, path: str, among: list[Any], around: set[Any]) -> list[str | None]:
    """The values of what the path leads to among these elements; of those `around` records attributes alone."""
    steps, _, leaf = path.rpartition("/")
    steps = steps if leaf[0] == "@" or leaf == "text()" else path
    elements = root.xpath(steps.replace("{*}h", "*[local-name()='h']"), namespaces=PLACES)
    here = [element for element in elements if element in set(among)]
    if leaf[0] == "@":
        name = leaf[1:].replace("n:", "{urn:n}")
        return [text for element in here if (text := element.get(name)) is not None]
    texts = "text()" if leaf == "text()" else ".//text()"
    return [
        None if element.get(NIL) == "true" else "".join(element.xpath(texts))
        for element in here
        if element not in around
    ]


@contextmanager
def reader(kind: str) -> Iterator[None]:
    with mock.patch.dict("os.environ", {"ETL_NATIVE": "0"} if kind == "lxml" else {}):
        yield


@pytest.mark.parametrize("kind", ["scanner", "lxml"])
@SOME
@given(
    document=documents(),
    doctype=st.sampled_from(DOCTYPES),
    each=st.sampled_from(EACH),
    path=st.sampled_from(PATHS),
    split_bytes=st.one_of(st.integers(1, 60), st.just(1 << 18)),
)
def test_every_cut_has_what_stands_before_the_first_record(
    kind: str, document: str, doctype: str, each: str, path: str, split_bytes: int
) -> None:
    try:
        mapping = mapping_of(each, path)
    except MappingError:
        assume(False)  # it can only lead into records, or around them
    expected = seen(doctype + document, each, path)
    assume(expected.records)
    chosen = build_settings({"workers": {"kind": "inline"}, "split": {"bytes": split_bytes}})
    with tempfile.TemporaryDirectory() as folder, reader(kind):
        source = Path(folder) / "document.xml"
        source.write_text(doctype + document, "utf-8")
        if expected.late:
            event("late")
            with pytest.raises(MappingError, match="behind the first record only"):
                etl.load(source, mapping=mapping, target="memory://", settings=chosen)
            return
        report = etl.load(source, mapping=mapping, target="memory://", settings=chosen)
    event("found" if expected.values else "none")
    values = expected.values
    row = {
        "f": values[0] if values else None,
        "l": values[-1] if values else None,
        "j": json.dumps(values, ensure_ascii=False) if values else None,
        "c": len(values),
    }
    assert report.rows is not None
    assert report.rejected == 0
    for table, count in (("t", expected.records), ("kid", expected.kids)):
        rows = [{name: one[name] for name in row} for one in report.rows[table]]
        assert rows == [row] * count


@SOME
@given(document=documents(), each=st.sampled_from(EACH), path=st.sampled_from(PATHS), data=st.data())
def test_chunks_do_not_matter(document: str, each: str, path: str, data: st.DataObject) -> None:
    try:
        mapping = mapping_of(each, path)
    except MappingError:
        assume(False)
    raw = document.encode()
    size = data.draw(st.integers(1, 50))

    def headers(chunk: int) -> list[bytes] | str:
        splitter = Splitter(mapping.tables[0].records, 10, 10**6, header=header_paths(mapping))
        chunks = (raw[at : at + chunk] for at in range(0, len(raw), chunk))
        try:
            return [run.skeleton.header for part in splitter.split(chunks, 1, "d.xml") for run in part.runs]
        except MappingError as error:
            return str(error)

    with mock.patch("etl.extract.window.MIN_READ", 1):
        cut = headers(size)
    assert cut == headers(len(raw))
    assert isinstance(cut, str) or len(set(cut)) <= 1
