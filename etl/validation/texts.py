"""The documents of a schema as workers get them: with the declarations of records where a validator finds them.

libxml2 validates a tree by the global declaration of its root. Records are validated inside of *wrappers*, elements of
a namespace of our own. A record that is declared globally needs no more than that. For one that is declared locally, in
the type of its parent, the document that has the declaration gets a copy of it in a named group, so that namespace,
defaults and prefixes are those of the original; the wrapper refers to the group.

In: a schema as `xmlschema` has it. Out: texts by name, which refer to each other by these names and to nothing else.
Runs on the caller's thread.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any
from xml.sax.saxutils import quoteattr

from lxml import etree

from etl.record_schema import LAX, MAIN_TEXT, SKIP, STRICT, WRAPPERS

if TYPE_CHECKING:
    from xmlschema.validators import XsdElement

_XSD = "http://www.w3.org/2001/XMLSchema"
_XS = f"{{{_XSD}}}"
_REFERENCES = (f"{_XS}include", f"{_XS}redefine", f"{_XS}import")
_CONSTRAINTS = (f"{_XS}key", f"{_XS}unique", f"{_XS}keyref")
_ANY = (
    '<xs:element name="{name}"><xs:complexType><xs:sequence>'
    '<xs:any namespace="##any" processContents="{name}" minOccurs="0" maxOccurs="unbounded"/>'
    "</xs:sequence></xs:complexType></xs:element>"
)


class SchemaTexts:
    """The documents of one schema."""

    def __init__(self, schema: Any) -> None:
        self._documents: list[_Document] = []
        self._by_schema: dict[int, _Document] = {}
        self._places: dict[int, tuple[_Document, int]] = {}
        """By the identity of an element of the library's trees: its document, and its place there."""
        self._groups: dict[int, str] = {}
        self._wrappers: list[str] = []
        self.main = self._add(schema)
        for document in self._documents:  # grows meanwhile
            for other in document.references():
                self._add(other)

    def _add(self, schema: Any) -> _Document:
        document = self._by_schema.get(id(schema))
        if document is None:
            document = _Document(schema, f"{len(self._documents) + 1}.xsd")
            self._documents.append(document)
            self._by_schema[id(schema)] = document
            for place, element in enumerate(schema.source.root.iter()):
                self._places[id(element)] = document, place
        return document

    def is_local(self, declaration: XsdElement) -> bool:
        """Whether the declaration stands in a type or a group."""
        return declaration.parent is not None and declaration.ref is None

    def wrapper(self, declarations: Sequence[XsdElement]) -> str:
        """A wrapper that takes elements by these local declarations."""
        name = f"records-{len(self._wrappers) + 1}"
        groups = "".join(self._group(declaration) for declaration in declarations)
        self._wrappers.append(
            f'<xs:element name="{name}"><xs:complexType>'
            f'<xs:choice minOccurs="0" maxOccurs="unbounded">{groups}</xs:choice></xs:complexType></xs:element>'
        )
        return name

    def _group(self, declaration: XsdElement) -> str:
        """A reference to the group with a copy of the declaration, which is made where it is not there yet."""
        document, place = self._places[id(declaration.elem)]
        name = self._groups.get(id(declaration.elem))
        if name is None:
            name = self._groups[id(declaration.elem)] = f"etl-record-{len(self._groups) + 1}"
            document.add_group(name, place)
        namespace = document.schema.target_namespace
        if not namespace:
            return f'<xs:group ref="{name}"/>'
        return f'<xs:group xmlns:of={quoteattr(namespace)} ref="of:{name}"/>'

    def texts(self) -> dict[str, bytes]:
        """All documents, with the one that declares the wrappers."""
        names = {id(document.schema): document.name for document in self._documents}
        texts = {document.name: document.text(names) for document in self._documents}
        texts[MAIN_TEXT] = "".join(self._main_text()).encode()
        return texts

    def _main_text(self) -> Iterator[str]:
        yield f'<xs:schema xmlns:xs="{_XSD}" targetNamespace="{WRAPPERS}">'
        imported = set()
        for document in self._documents:
            namespace = document.schema.target_namespace
            if namespace not in imported:
                imported.add(namespace)
                of = f" namespace={quoteattr(namespace)}" if namespace else ""
                yield f'<xs:import{of} schemaLocation="{document.name}"/>'
        yield from (_ANY.format(name=name) for name in (LAX, STRICT, SKIP))
        yield from self._wrappers
        yield "</xs:schema>"


class _Document:
    """One document of a schema, parsed again by lxml, which keeps its prefixes."""

    def __init__(self, schema: Any, name: str) -> None:
        self.schema = schema
        self.name = name
        parser = etree.XMLParser(resolve_entities=False, no_network=True, load_dtd=False, huge_tree=True)
        with schema.source.open() as file:
            self._root = etree.fromstring(file.read(), parser)
        # As the library: of another version of XML Schema, so not there.
        pruned: list[Any] = [one for one in self._root.iterdescendants("*") if not schema.version_check(one)]
        for element in pruned:
            element.getparent().remove(element)
        self._elements = list(self._root.iter("*"))
        self._groups: list[bytes] = []

    def add_group(self, name: str, place: int) -> None:
        """A group with a copy of the element declaration at that place."""
        # Written with the declarations of all prefixes it may use, wherever they stood.
        copy = etree.fromstring(etree.tostring(self._elements[place], with_tail=False))
        for attribute in ("minOccurs", "maxOccurs"):
            copy.attrib.pop(attribute, "")
        _rename_constraints(copy, name)
        group = f'<xs:group xmlns:xs="{_XSD}" name="{name}"><xs:sequence>'.encode()
        self._groups.append(group + etree.tostring(copy) + b"</xs:sequence></xs:group>")

    def text(self, names: Mapping[int, str]) -> bytes:
        """Its text; `names` are those of all documents, by the identities of their schemas."""
        for element in list(self._root.iterchildren(*_REFERENCES)):
            other = self._referred(element)
            if other is None:
                self._root.remove(element)
            else:
                element.set("schemaLocation", names[id(other)])
        text = etree.tostring(self._root, encoding="utf-8", with_tail=False)
        if not self._groups:
            return text
        end = text.rindex(b"</")
        return b"".join((text[:end], *self._groups, text[end:]))

    def references(self) -> Iterator[Any]:
        """The schemas that it includes and imports."""
        for element in self._root.iterchildren(*_REFERENCES):
            other = self._referred(element)
            if other is not None:
                yield other

    def _referred(self, element: Any) -> Any:
        """The schema that an inclusion or an import leads to; None where it is this one itself, or not needed."""
        if element.tag == f"{_XS}import":
            # As the library: a namespace has one schema, whoever imports it first.
            return next(iter(self.schema.maps.namespaces.get(element.get("namespace", "").strip(), ())), None)
        return self.schema.includes.get(element.get("schemaLocation"))


def _rename_constraints(copy: Any, group: str) -> None:
    """Their names are global, so those of the copy must be others. A reference to a key outside of it is dropped."""
    renamed = {}
    constraints = list(copy.iter(*_CONSTRAINTS))
    for constraint in constraints:
        name = constraint.get("name")
        renamed[name] = f"{name}-{group}"
        constraint.set("name", renamed[name])
    for constraint in constraints:
        if constraint.tag == f"{_XS}keyref":
            prefix, colon, name = constraint.get("refer", "").rpartition(":")
            if name in renamed:
                constraint.set("refer", prefix + colon + renamed[name])
            else:
                constraint.getparent().remove(constraint)
