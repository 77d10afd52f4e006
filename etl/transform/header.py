"""What columns with `scope: document` have on every row: a skeleton's header goes in, raw values of columns come out.

`etl.extract.header` says what a header is; that it is well-formed was seen there. Read once for all records of a
document. Runs in a worker.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from etl.mapping.model import Column, FromPath
from etl.mapping.paths import ValuePath
from etl.messages import Skeleton
from etl.transform.compile import KEEP, column_reader
from etl.transform.elements import NULL, Element, empty_nil_elements, read_string, read_text, select
from etl.transform.name_tests import qualified
from etl.transform.parser import DocumentParser


@dataclass(frozen=True, slots=True)
class DocumentValue:
    """What a column has on every row."""

    raw: Any = NULL
    """As a raw row has it (`etl.transform.data_mapper`)."""
    several: bool = False
    """The column keeps the first value, and there were more."""
    mixed: bool = False
    """It is of an element with child elements."""


class Header:
    """What stood before the first record of a document."""

    def __init__(self, parser: DocumentParser, skeleton: Skeleton) -> None:
        """Raises ParseFailure where the header is not what the splitter kept."""
        self._document: Element | None = None
        """Holds the root element."""
        self._open: list[Element] = []
        """Elements that the first record stood in: more belongs to them than stands here."""
        self.nil = False
        """Some values are NIL."""
        if skeleton.header:
            self._read(
                parser.parse(Skeleton(skeleton.subset, b"<header>", b"</header>", 1), skeleton.header).ancestors[0]
            )

    def _read(self, document: Element) -> None:
        self._document = document
        inner = document[0]
        while len(inner):
            self._open.append(inner)
            inner = inner[-1]
        self._open[-1].remove(inner)
        for element in self._open:
            for child in element:
                self.nil |= child not in self._open and empty_nil_elements(child)

    def value(self, column: Column) -> DocumentValue:
        """Of a column with `scope: document`."""
        source = column.source
        assert isinstance(source, FromPath), "only those have a scope"
        assert isinstance(source.path, ValuePath), "an XPath has none"
        path = source.path
        if self._document is None:
            return DocumentValue()
        found = select(self._document, path)
        if path.attribute is not None:
            name = qualified(path.attribute)
            values = [text for element in found if (text := element.get(name)) is not None]
            return _kept(values, source, mixed=False)
        read = read_text if path.leaf == "text" else column_reader(column, source)
        whole = [element for element in found if element not in self._open]
        mixed = read is None and any(len(element) for element in whole)
        return _kept([(read or read_string)(element) for element in whole], source, mixed=mixed)


def _kept(values: list[Any], source: FromPath, *, mixed: bool) -> DocumentValue:
    if not values:
        return DocumentValue()
    keep = KEEP.get(source.many, "all")
    if keep == "all":
        return DocumentValue(values, mixed=mixed)
    last = keep == "last"
    return DocumentValue(values[-1 if last else 0], several=len(values) > 1 and not last, mixed=mixed)
