"""Documents that contain what fools splitters, with what is in them according to lxml.

`documents()` is the Hypothesis strategy. A document's `paths` are the absolute `each` of its record types,
`records()` what lxml finds there, and `mapping()` a mapping file that loads them: for every record type a table with
attributes, the first `title`, all the text, and a child table of all its `title` children.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from hypothesis import strategies as st
from lxml import etree

PARSER_OPTIONS = {"resolve_entities": "internal", "no_network": True, "load_dtd": False, "attribute_defaults": True}

_LAYOUTS = (
    ("/root/rec",),
    ("/root/rec", "/root/row"),
    ("/root/group/rec", "/root/row"),
    ("/root/group/rec", "/root/group/sub/row"),
    ("//rec",),
    ("//row", "//rec"),
    ("//{*}rec",),
    ("/root/rec", "/root/n:rec"),
    ("/root/{*}rec",),
    ("/*/rec",),
    ("/root/*",),
    ("/root/group[@kind='a']/rec",),
    ("/root/rec[@kind='a']", "/root/group/row[@id='1']"),
    ("/root",),
)
_NAMES = ("rec", "row", "group", "sub", "meta", "title", "title", "recs", "re", "n:rec", "n:title", "rec-x", "r.é")
_PARENTS = {
    "": ("rec", "rec", "row", "group", "group", "n:rec", "meta"),
    "group": ("rec", "row", "sub"),
    "sub": ("row",),
}
"""Children that are likely in the root element and below, so that the layouts find records."""
_TEXTS = ("x", "é", "€", "😀", " ", "\n", "\r\n", "\t", ">", "]]", "/>", "-->", "?>", '"', "'", "&amp;", "&lt;rec>")
_REFERENCES = ("&#60;", "&#x1F600;", "&quot;", "&e;")
_VALUES = (
    "1",
    "a",
    "é",
    ">",
    "/>",
    "&lt;",
    "&lt;rec>",
    "&#10;",
    "&quot;",
    "&amp;",
    "=",
    " ",
    "\n",
    "xmlns",
    "-->",
    "]]>",
)
_SPECIALS = (
    "<!-- <rec> </rec> -->",
    "<!---->",
    "<!-- > </root> <group kind='a'> -->",
    "<?pi <rec/> ?>",
    "<?pi?>",
    "<?rec </rec>?>",
    "<!-- \n é & -->",
)
_CDATA = (
    "<![CDATA[</rec>]]>",
    "<![CDATA[<rec>]] ]]]>",
    "<![CDATA[ <row/> & \n]]>",
    "<![CDATA[]]>",
    "<![CDATA[<!-- ]]>",
)
_DOCTYPE = """<!DOCTYPE root PUBLIC "-//none//EN" "none]>.dtd" [
<!-- ]> <!ENTITY no "no"> -->
<!ELEMENT root ANY><?pi ]> ?>
<!ENTITY e "ent > &#38;amp; 'x'">
<!ATTLIST rec kind CDATA "a" other (x|y) #IMPLIED>
]  >"""
_PROLOGS = (
    "",
    '<?xml version="1.0"?>\n',
    "<?xml version='1.0' encoding='UTF-8' standalone='no'?>",
    "\n<!-- <root> -->\n",
)
_EPILOGS = ("", "\n", "<!-- end --> <?end?>\n\n")


@dataclass(frozen=True)
class Document:
    """A well-formed document."""

    data: bytes
    paths: tuple[str, ...]
    """Absolute paths of the records; no record can hold another, except of its own name."""
    namespaces: dict[str, str]
    """Of the prefixes in `paths`."""
    prefix: str
    """What names without prefix need in paths: ``d:`` where the document has a default namespace, else nothing."""

    def tree(self) -> etree._Element:
        return etree.fromstring(self.data, parser())

    def records(self) -> list[str]:
        """Canonical form of every record, in document order."""
        return [canonical(element) for _, element in self.record_elements()]

    def record_elements(self) -> list[tuple[int, etree._Element]]:
        """Every record with the place of its path in `paths`, in document order."""
        root = self.tree()
        matching = {element: n for n, path in enumerate(self.paths) for element in self._select(root, path)}
        records: dict[etree._Element, int] = {}
        for element in root.iter(etree.Element):
            if element in matching and not any(ancestor in records for ancestor in element.iterancestors()):
                records[element] = matching[element]
        return [(place, element) for element, place in records.items()]

    def _select(self, root: etree._Element, path: str) -> list[etree._Element]:
        xpath = re.sub(r"\{\*\}(\w+)", r"*[local-name()='\1']", path)
        found = root.getroottree().xpath(xpath, namespaces=self.namespaces)
        assert isinstance(found, list)
        return [element for element in found if isinstance(element, etree._Element)]

    def mapping(self) -> str:
        """A mapping file for all record types."""
        lines = ["version: 1", "namespaces: {" + ", ".join(f'{p}: "{uri}"' for p, uri in self.namespaces.items()) + "}"]
        lines.append("tables:")
        for number, path in enumerate(self.paths):
            lines += [
                f"  t{number}:",
                f'    each: "{path}"',
                "    columns:",
                '      id: "@id"',
                '      kind: "@kind"',
                f"      title: {self.prefix}title",
                '      content: {path: "."}',
                f"  t{number}_title:",
                f"    parent: t{number}",
                f"    each: {self.prefix}title",
                "    columns:",
                '      id: "@id"',
                '      content: {path: "."}',
            ]
        return "\n".join(lines) + "\n"


def parser() -> etree.XMLParser:
    """A parser that reads generated documents as a worker would."""
    return etree.XMLParser(**PARSER_OPTIONS)  # type: ignore[arg-type]


def canonical(element: etree._Element) -> str:
    """Everything a mapping could see of an element: names, attributes, texts, children, in order.

    Not C14N: libxml2 makes up an ``xmlns=""`` in documents with a default namespace and a comment before the root.
    """
    children = "".join(f"{canonical(child)}{child.tail!r}" for child in element)
    return f"<{element.tag} {sorted(element.items())} {element.text!r} {children}>"


@st.composite
def documents(draw: st.DrawFn) -> Document:
    """A well-formed document, and where its records are."""
    layout = draw(st.sampled_from(_LAYOUTS))
    prefix = draw(st.sampled_from(["", "", "d:"]))
    has_doctype = draw(st.booleans())
    prolog = draw(st.sampled_from(_PROLOGS))
    if has_doctype:
        prolog += draw(st.sampled_from([_DOCTYPE, "<!-- <!DOCTYPE x> -->" + _DOCTYPE + "\n"]))
    namespaces = ' xmlns:n="urn:n"' + (' xmlns="urn:d"' if prefix else "")
    body = "".join(draw(st.lists(_nodes(_PARENTS[""], depth=4), min_size=4, max_size=14)))
    text = f"{prolog}<root{namespaces}{draw(_attributes())}>{body}</root>{draw(st.sampled_from(_EPILOGS))}"
    if not has_doctype:
        text = text.replace("&e;", "&amp;")
    return Document(
        data=text.encode(),
        paths=tuple(_with_prefix(path, prefix) for path in layout),
        namespaces={"n": "urn:n", "d": "urn:d"},
        prefix=prefix,
    )


def _with_prefix(path: str, prefix: str) -> str:
    """`path` with the prefix before names that have none."""
    return re.sub(r"(?<=/)(?=[a-z]+(?:[/\[]|\Z))", prefix, path)


def _nodes(names: tuple[str, ...], depth: int) -> st.SearchStrategy[str]:
    """Source text of one node: an element (of one of `names`) two times out of three."""
    element = _elements(names, depth)
    return st.one_of(element, element, element, element, _texts(), st.sampled_from(_SPECIALS + _CDATA))


@st.composite
def _elements(draw: st.DrawFn, names: tuple[str, ...], depth: int) -> str:
    name = draw(st.sampled_from(names))
    tag = name + draw(_attributes())
    inner = _nodes(_PARENTS.get(name, _NAMES), depth - 1) if depth else _texts()
    nodes = draw(st.lists(inner, max_size=5 if depth else 1))
    if not nodes and draw(st.booleans()):
        return f"<{tag}/>"
    return f"<{tag}>{''.join(nodes)}</{name}{draw(st.sampled_from(['', '', ' ', chr(10)]))}>"


def _texts() -> st.SearchStrategy[str]:
    pieces = st.lists(st.sampled_from(_TEXTS + _REFERENCES), max_size=6)
    # Text may follow text, and "]]>" is not allowed in it.
    return pieces.map(lambda texts: "".join(texts).replace("]]", "]] "))


@st.composite
def _attributes(draw: st.DrawFn) -> str:
    """Source text of a tag's attributes, with the white space before and behind them."""
    names = draw(st.lists(st.sampled_from(["kind", "id", "other", "n:a", "rec", "xmlns:o"]), max_size=3, unique=True))
    written = []
    for name in names:
        value = draw(_values()) if name != "xmlns:o" else "urn:o"
        quote = draw(st.sampled_from(["'", '"']))
        if quote == '"' or "'" in value:
            quote, value = '"', value.replace('"', "&quot;")
        space = draw(st.sampled_from([" ", "\n", "  "]))
        written.append(f"{space}{name}{draw(st.sampled_from(['=', ' = ']))}{quote}{value}{quote}")
    return "".join(written) + draw(st.sampled_from(["", "", " "]))


def _values() -> st.SearchStrategy[str]:
    return st.one_of(
        st.sampled_from(["a", "1"]),
        st.lists(st.sampled_from([*_VALUES, "'", '"', "&e;"]), max_size=4).map("".join),
    )
