"""Profiles of documents, made the slow and plain way, for tests of what is made of them."""

from __future__ import annotations

from lxml import etree

from etl.inference.design import infer_mapping
from etl.inference.profile import ElementProfile, Profile
from etl.mapping.model import FromPath, Mapping
from etl.mapping.reader import parse_mapping


def profile_of(*documents: str | bytes, whole: bool = True) -> Profile:
    """The profile of whole documents."""
    profile = Profile(documents=len(documents), whole=whole)
    for document in documents:
        data = document.encode() if isinstance(document, str) else document
        parser = etree.XMLParser(remove_comments=True, remove_pis=True, resolve_entities="internal")  # type: ignore[arg-type]
        root = etree.fromstring(data, parser)
        profile.bytes += len(data)
        profile.root_bytes[str(root.tag)] = profile.root_bytes.get(str(root.tag), 0) + len(data)
        for element in root.iter():
            for prefix, namespace in element.nsmap.items():
                profile.prefixes.setdefault(namespace, prefix or "")
        _add([root], 0, profile.roots)
    return profile


def _add(siblings: list[etree._Element], depth: int, kinds: dict[str, ElementProfile]) -> None:
    """Take in the children of one element, or a root."""
    by_tag: dict[str, list[etree._Element]] = {}
    for element in siblings:
        by_tag.setdefault(str(element.tag), []).append(element)
    for tag, elements in by_tag.items():
        kind = kinds.setdefault(tag, ElementProfile(tag, depth))
        kind.parents += 1
        kind.most = max(kind.most, len(elements))
        for element in elements:
            _add_element(kind, element)


def _add_element(kind: ElementProfile, element: etree._Element) -> None:
    kind.count += 1
    own = "".join([element.text or "", *(child.tail or "" for child in element)]).strip(" \t\r\n")
    if len(element):
        kind.mixed += bool(own)
    else:
        kind.leaves += 1
        kind.text.add([own])
    for name, value in element.items():
        values = kind.attributes.get(str(name))
        if values is None:
            values = kind.attributes[str(name)] = type(kind.text)()
        values.add([str(value).strip(" \t\r\n")])
        kind.text.nil += str(name).endswith("}nil")
    _add(list(element), kind.depth + 1, kind.children)


def mapping_of(*documents: str, whole: bool = True) -> Mapping:
    """The mapping that is inferred from whole documents."""
    return parse_mapping(infer_mapping(profile_of(*documents, whole=whole), "documents").text, "inferred")


def columns_of(mapping: Mapping, table: str) -> dict[str, str]:
    """The paths of a table's own columns by name."""
    return {
        column.name: column.source.path.text
        for column in mapping.table(table).columns
        if isinstance(column.source, FromPath)
    }


def each_of(mapping: Mapping) -> dict[str, list[str]]:
    """The paths of every table's elements."""
    return {table.name: [path.text for path in table.records or table.each] for table in mapping.tables}
