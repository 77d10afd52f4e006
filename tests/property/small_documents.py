"""Small documents of every form, with what a load makes of each.

`small_documents()` is the Hypothesis strategy: a list of documents, some of which hold the same. A load by `MAPPING`
finds in each the records `ids` and as many `rejects`, or skips it, wherever it stands and however it is read.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from hypothesis import strategies as st

MAPPING = """\
version: 1
namespaces: {n: "urn:n"}
tables:
  item:
    each: /items/item
    columns:
      id:     {path: "@id", type: integer, required: true}
      name:   name
      kind:   {path: "@kind"}
      lot:    ../@lot
      of:     {meta: source}
      line:   {meta: line}
      offset: {meta: offset}
      record: {meta: record}
  part:
    parent: item
    each: part
    columns: {text: .}
  invoice:
    each: /invoice
    columns:
      id:     {path: "@number", type: integer, required: true}
      name:   customer
      of:     {meta: source}
      line:   {meta: line}
      offset: {meta: offset}
      record: {meta: record}
  invoice_line:
    parent: invoice
    each: line
    columns: {text: .}
  entry:
    each: /n:feed/n:entry
    columns:
      id:     {path: "@id", type: integer, required: true}
      name:   n:title
      of:     {meta: source}
      line:   {meta: line}
      offset: {meta: offset}
      record: {meta: record}
"""
RECORDS = ("item", "invoice", "entry")
CHILDREN = {"part": "item", "invoice_line": "invoice"}

_BIG = 70_000
_APART = 4
"""Fillers between one document and the next."""
_PER_DOCUMENT = 100
"""Records of one document have ids from its number times this on."""


@dataclass(frozen=True)
class SmallDocument:
    """A file, and what is to become of it."""

    name: str
    content: bytes
    ids: tuple[int, ...] = ()
    """Of the records that load, in order."""
    rejects: int = 0
    skipped: str = ""
    """Why it is no document at all."""
    whole: bool = True
    """A load of this file alone comes to its end."""


_Make = Callable[[int, int], SmallDocument]
_FORMS: dict[str, _Make] = {}


def _form(make: _Make) -> _Make:
    _FORMS[make.__name__.strip("_")] = make
    return make


def small_documents(most: int = 12) -> st.SearchStrategy[list[SmallDocument]]:
    """Documents in the order of their names; the same content may stand in several. Often all of them are records as a
    whole, or nearly.
    """
    roots = [form for form in _FORMS if form.startswith("root")]
    form = st.one_of(st.sampled_from([*_FORMS]), st.sampled_from(roots))
    some, only = (
        st.lists(st.tuples(which, st.integers(1, 3), st.booleans()), min_size=1, max_size=most)
        for which in (form, st.sampled_from(roots))
    )
    return st.one_of(some, only).map(_build)


def every_form() -> list[SmallDocument]:
    """One of each, and the first again."""
    return _build([*((form, 2, False) for form in _FORMS), (next(iter(_FORMS)), 2, True)])


def _build(chosen: Sequence[tuple[str, int, bool]]) -> list[SmallDocument]:
    built: list[SmallDocument] = []
    for place, (form, records, again) in enumerate(chosen):
        made = built[place // 2] if again and built else _FORMS[form](place + 1, records)
        suffix = made.name.rpartition(".")[2]
        built.append(SmallDocument(f"{place * _APART:03}-{form}.{suffix}", made.content, *_rest(made)))
    return built


def _rest(made: SmallDocument) -> tuple[tuple[int, ...], int, str, bool]:
    return made.ids, made.rejects, made.skipped, made.whole


def without_twins(documents: Sequence[SmallDocument]) -> list[SmallDocument]:
    """Of those that hold the same the first; what is no document stays, however often it is there."""
    first: dict[bytes, SmallDocument] = {}
    for document in documents:
        first.setdefault(document.content, document)
    return [document for document in documents if document.skipped or first[document.content] is document]


def fillers(number: int, *, roots: bool) -> list[SmallDocument]:
    """So many plain documents, named between and behind the others; `roots`: each is a record as a whole."""
    make = _root if roots else _plain
    made = [make(9000 + place, 1) for place in range(number)]
    return [SmallDocument(f"{place:03}.xml", one.content, one.ids) for place, one in enumerate(made)]


def _ids(number: int, records: int) -> tuple[int, ...]:
    return tuple(number * _PER_DOCUMENT + place for place in range(1, records + 1))


def _item(identity: object, text: str = "a name") -> str:
    return f'<item id="{identity}" kind="&lt;k>"><name>{text}</name><part>a&#10;b</part><part> </part></item>'


def _text(number: int, records: int, line_end: str = "\n") -> str:
    items = "".join(f"  {_item(identity)}{line_end}" for identity in _ids(number, records))
    return f'<items lot="l{number}">{line_end}{items}</items>{line_end}'


def _items(number: int, records: int) -> bytes:
    return _text(number, records).encode()


def _loads(content: bytes, number: int, records: int, name: str = ".xml") -> SmallDocument:
    return SmallDocument(name, content, _ids(number, records))


@_form
def _plain(number: int, records: int) -> SmallDocument:
    return _loads(_items(number, records), number, records)


@_form
def _root(number: int, records: int) -> SmallDocument:
    lines = "<line>é</line>\n" * records
    return _loads(f'<invoice number="{number}01"><customer>Ada</customer>{lines}</invoice>'.encode(), number, 1)


@_form
def _root_surrounded(number: int, records: int) -> SmallDocument:
    before = "<?xml version='1.0'?>\r\n<!-- <invoice> -->\n" * (records == 1) + "\n<?pi?><!---->" * records
    text = (
        f'{before}<invoice number="{number}01"\n><customer><![CDATA[</invoice>]]></customer></invoice\t>\r\n<!-- -->\n'
    )
    return _loads(text.encode(), number, 1)


@_form
def _root_marked(number: int, records: int) -> SmallDocument:
    return _loads(b"\xef\xbb\xbf" + _root(number, records).content, number, 1)


@_form
def _root_latin1(number: int, records: int) -> SmallDocument:
    declared = '<?xml version="1.0" encoding="ISO-8859-1"?>' + _root(number, records).content.decode()
    return _loads(declared.encode("latin-1"), number, 1)


@_form
def _root_big(number: int, records: int) -> SmallDocument:
    return _loads(_root(number, records).content.replace(b"Ada", b"A" * _BIG), number, 1)


@_form
def _root_entity(number: int, records: int) -> SmallDocument:
    subset = f'<!DOCTYPE invoice [<!ENTITY co "Acme {number}"><!ATTLIST invoice number CDATA "{number}01">]>'
    text = _root(number, records).content.decode().replace("Ada", "&co;").replace(f' number="{number}01"', "")
    return _loads((subset + text).encode(), number, 1)


@_form
def _root_undefined_entity(number: int, records: int) -> SmallDocument:
    return SmallDocument(".xml", _root(number, records).content.replace(b"Ada", b"&nobody;"), rejects=1)


@_form
def _root_broken_inside(number: int, records: int) -> SmallDocument:
    return SmallDocument(".xml", _root(number, records).content.replace(b"Ada", b"A & a"), rejects=1)


@_form
def _root_cut_off(number: int, records: int) -> SmallDocument:
    return SmallDocument(".xml", _root(number, records).content[:-3], rejects=1, whole=False)


@_form
def _root_followed(number: int, records: int) -> SmallDocument:
    content = _root(number, records).content + b"\n<!-- -->\n" * records + b"more"
    return SmallDocument(".xml", content, _ids(number, 1), 1, whole=False)


@_form
def _root_followed_by_another(number: int, records: int) -> SmallDocument:
    return SmallDocument(".xml", _root(number, records).content * 2, _ids(number, 1), 1, whole=False)


@_form
def _root_rejected(number: int, _records: int) -> SmallDocument:
    return SmallDocument(".xml", b'\n<invoice number="n%d"><line>x</line></invoice>' % number, (), rejects=1)


@_form
def _one_rejected(number: int, records: int) -> SmallDocument:
    bad = _item(f"x{number}", "bad") + "\n</items>"
    return SmallDocument(".xml", _items(number, records).replace(b"</items>", bad.encode()), _ids(number, records), 1)


@_form
def _broken(number: int, records: int) -> SmallDocument:
    broken = _text(number, records).replace("</items>", "</wrong>")
    return SmallDocument(".xml", broken.encode(), _ids(number, records), 1, whole=False)


@_form
def _cut_off(number: int, records: int) -> SmallDocument:
    content = _items(number, records + 1).removesuffix(b"</part></item>\n</items>\n")
    return SmallDocument(".xml", content, _ids(number, records), 1, whole=False)


@_form
def _broken_inside(number: int, records: int) -> SmallDocument:
    inside = _text(number, records).replace("</items>", '<item id="5"><name>a & b</name></item>\n</items>')
    return SmallDocument(".xml", inside.encode(), _ids(number, records), 1)


@_form
def _two_roots(number: int, records: int) -> SmallDocument:
    return SmallDocument(".xml", _items(number, records) + b"<items/>\n", _ids(number, records), 1, whole=False)


@_form
def _empty(_number: int, _records: int) -> SmallDocument:
    return SmallDocument(".xml", b"", skipped="empty", whole=False)


@_form
def _note(number: int, _records: int) -> SmallDocument:
    return SmallDocument(".note", b"Note %d, no XML." % number, skipped="not XML", whole=False)


@_form
def _no_xml_for_all_its_name(number: int, _records: int) -> SmallDocument:
    return SmallDocument(".xml", b"Note %d, no XML." % number, rejects=1, whole=False)


@_form
def _without_records(number: int, _records: int) -> SmallDocument:
    return SmallDocument(".xml", b"<items lot='%d'/>" % number)


@_form
def _of_another_kind(number: int, _records: int) -> SmallDocument:
    return SmallDocument(".xml", b"<other><items><item id='%d'/></items></other>" % number)


@_form
def _marked(number: int, records: int) -> SmallDocument:
    return _loads(b"\xef\xbb\xbf" + _items(number, records), number, records)


@_form
def _utf16(number: int, records: int) -> SmallDocument:
    declared = '<?xml version="1.0" encoding="UTF-16"?>' + _text(number, records).replace("a name", "né 😀")
    return _loads(declared.encode("utf-16"), number, records)


@_form
def _latin1(number: int, records: int) -> SmallDocument:
    declared = '<?xml version="1.0" encoding="ISO-8859-1"?>\n' + _text(number, records).replace("a name", "né")
    return _loads(declared.encode("latin-1"), number, records)


@_form
def _line_ends(number: int, records: int) -> SmallDocument:
    return _loads(_text(number, records, "\r\n").encode(), number, records)


@_form
def _surrounded(number: int, records: int) -> SmallDocument:
    around = "<?xml version='1.0'?><!-- <items> -->\n<?pi <item/> ?>\n{}<!-- &no; -->\n<?pi ?>\n"
    inside = _text(number, records).replace("</items>", "<!-- <item id='1'/> --><other><item/></other>\n</items>")
    return _loads(around.format(inside).encode(), number, records)


@_form
def _namespace(number: int, records: int) -> SmallDocument:
    entries = "".join(
        f'<a:entry id="{identity}"><a:title>t</a:title></a:entry>\n' for identity in _ids(number, records)
    )
    return _loads(f'<feed xmlns="urn:n" xmlns:a="urn:n">{entries}</feed>'.encode(), number, records)


@_form
def _entity(number: int, records: int) -> SmallDocument:
    subset = f'<!DOCTYPE items [\n<!ENTITY co "Acme &#38;amp; {number}">\n<!ATTLIST item kind CDATA "usual">]>\n'
    text = _text(number, records).replace("a name", "&co;").replace(' kind="&lt;k>"', "")
    return _loads((subset + text).encode(), number, records)


@_form
def _undefined_entity(number: int, records: int) -> SmallDocument:
    text = _text(number, records).replace("</items>", f"{_item(5, '&nobody;')}</items>")
    return SmallDocument(".xml", text.encode(), _ids(number, records), 1)


@_form
def _document_type(number: int, records: int) -> SmallDocument:
    return _loads(b'<!DOCTYPE items SYSTEM "http://example.org/i.dtd">' + _items(number, records), number, records)


@_form
def _big(number: int, records: int) -> SmallDocument:
    return _loads(_text(number, records).replace("a name", "n" * _BIG, 1).encode(), number, records)


@_form
def _cdata(number: int, records: int) -> SmallDocument:
    return _loads(_text(number, records).replace("a name", "<![CDATA[</item>]]>").encode(), number, records)
