"""A small document that is in memory, and that is a record as a whole: the usual case where documents are many.

In: its bytes. Out: the record, found by a look at its two ends, or None: then the splitter reads it as any other.
"""

from __future__ import annotations

import re
from array import array
from collections.abc import Callable

from etl import native
from etl.extract.markup import INSIDE_TAG, NAME
from etl.extract.outline import Outline
from etl.messages import NOTHING_OPEN, Run

_BEGINNING = re.compile(
    rb"(?:[ \t\r\n]++|<\?.*?\?>|<!--.*?-->)*+(<(" + NAME + rb")" + INSIDE_TAG + rb">)",
    re.DOTALL,
)


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


def whole_record(
    content: bytes, outline: Outline, max_bytes: int, find_root: Callable[[bytes], Root | None] = root_in_python
) -> Run | None:
    """The root element of a document, if it is a record by `outline` (in which nothing is open) and ends the document.

    Where another element of its name ends inside, or a comment says so, it is left to the splitter.
    """
    root = find_root(content)
    if root is None:
        return None
    start, name_end, tag_end, end, line = root
    size = end - start
    tag = content[start:tag_end]
    if size > max_bytes or tag.endswith(b"/>") or outline.child(content[start + 1 : name_end], tag).action != "record":
        return None
    spans = _NO_SPANS[:]
    spans[1] = size
    return Run(NOTHING_OPEN, content[start:end], start, line, 1, spans)
