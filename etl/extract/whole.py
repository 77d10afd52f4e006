"""A small document that is in memory, and that is a record as a whole, or whose records are all children of its root:
the usual cases where documents are many.

In: its bytes. Out: its records, found by a look at its two ends and what stands between them, or None: then the
splitter reads it as any other. Runs on the splitter's thread.
"""

from __future__ import annotations

import re
from array import array
from collections.abc import Callable, Iterable, Sequence

from etl import native
from etl.extract.markup import INSIDE_TAG, MAX_TAG_BYTES, NAME
from etl.extract.outline import Child, Outline
from etl.extract.plain import PlainRecords
from etl.mapping.paths import RecordPath
from etl.messages import NOTHING_OPEN, Run, Skeleton

_BEGINNING = re.compile(
    rb"(?:[ \t\r\n]++|<\?.*?\?>|<!--.*?-->)*+(<(" + NAME + rb")" + INSIDE_TAG + rb">)",
    re.DOTALL,
)


_ELEMENT = re.compile(rb"[^<&]*+(<(" + NAME + rb")" + INSIDE_TAG + rb">)")
_NO_SPANS = array("I", (0, 0))

Root = tuple[int, int, int, int, int]
"""Of a document's root element: where its start tag begins, its name ends, the start tag ends, the element ends; and
the line where it begins."""


def root_in_python(content: bytes) -> Root | None:
    """The root element of a whole document, if it ends the document and no other element of its name ends inside.

    None as well where its start tag is ill-formed or a document type stands before it. The reference for
    `etl.native._cutter.root`.
    """
    beginning = _BEGINNING.match(content)
    if beginning is None:
        return None
    start, tag_end = beginning.span(1)
    end_tag = b"</" + beginning[2] + b">"
    at = content.find(end_tag, tag_end)
    end = at + len(end_tag)
    if at < 0 or content[end:].strip(b" \t\r\n"):
        return None
    return start, beginning.end(2), tag_end, end, content.count(b"\n", 0, start) + 1


def root_finder() -> Callable[[bytes], Root | None]:
    """The fast one where it is there."""
    if native.unavailable():
        return root_in_python
    from etl.native import _cutter

    return _cutter.root


class WholeDocuments:
    """Takes documents of which nothing but the records at some paths is wanted. Belongs to one thread."""

    def __init__(
        self, records: Sequence[RecordPath], max_record_bytes: int, split_bytes: int, split_records: int | None
    ) -> None:
        """As for `Splitter`."""
        self._outline = Outline(records)
        self._max_record_bytes = max_record_bytes
        self._split_bytes = split_bytes
        self._split_records = split_records
        self._find_root = root_finder()
        self._plain = PlainRecords.if_compiled(max_record_bytes)
        self._around = NOTHING_OPEN

    def run(self, content: bytes) -> Run | None:
        """All records of a document, one at least, where the splitter would make them one run, and pass over nothing.

        Where another element of the root's name ends inside, or a comment says so, it is left to the splitter.
        """
        root = self._find_root(content)
        if root is None:
            return None
        start, name_end, tag_end, end, line = root
        tag, name = content[start:tag_end], content[start + 1 : name_end]
        child = self._outline.child(name, tag)
        if child.action == "skip" or tag.endswith(b"/>"):
            return None
        if child.action == "record":
            spans = _NO_SPANS[:]
            spans[1] = end - start
            whole = end - start <= self._max_record_bytes
            return Run(NOTHING_OPEN, content[start:end], start, line, 1, spans) if whole else None
        if self._plain is None or len(content) >= min(self._split_bytes, MAX_TAG_BYTES):
            return None
        found = self._plain.take(content, tag_end, end - len(name) - 3, self._names(child, content, tag, tag_end))
        if found is None or len(found[1]) >= 2 * (self._split_records or len(content)):
            return None
        first, spans = found
        if tag != self._around.open_tags:
            self._around = Skeleton(b"", tag, b"</" + name + b">", 1)
        line += content.count(b"\n", start, first)
        return Run(self._around, content[first : first + spans[-1]], first, line, 1, spans)

    def are_records(self, roots: Iterable[bytes]) -> list[bool]:
        """Of root elements of these names, behind which namespaces may be declared, whether each is a record."""
        outline = self._outline
        return [
            not outline.tests and outline.child(root.split(None, 1)[0], b"<" + root + b">").action == "record"
            for root in roots
        ]

    def _names(self, root: Child, content: bytes, tag: bytes, tag_end: int) -> Sequence[bytes]:
        """Literal names of the records, as far as they are known."""
        if not root.place.plain_names:
            found = _ELEMENT.match(content, tag_end)
            if found is not None:
                # To be told, the outline has to be where the record is.
                self._outline.push(root, tag, 1)
                self._outline.child(found[2], found[1])
                self._outline.pop()
        return root.place.plain_names
