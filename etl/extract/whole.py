"""A small document that is in memory, and that is a record as a whole: the usual case where documents are many.

In: its bytes. Out: the record, found by a look at its two ends, or None: then the splitter reads it as any other.
"""

from __future__ import annotations

import re
from array import array

from etl.extract.markup import INSIDE_TAG, NAME
from etl.extract.outline import Outline
from etl.messages import NOTHING_OPEN, Run

_BEGINNING = re.compile(
    rb"(?:[ \t\r\n]++|<\?.*?\?>|<!--.*?-->)*+(<(" + NAME + rb")" + INSIDE_TAG + rb">)",
    re.DOTALL,
)


def whole_record(content: bytes, outline: Outline, max_bytes: int) -> Run | None:
    """The root element of a document, if it is a record by `outline` (in which nothing is open) and ends the document.

    Where another element of its name ends inside, or a comment says so, it is left to the splitter.
    """
    beginning = _BEGINNING.match(content)
    if beginning is None:
        return None
    tag, name = beginning[1], beginning[2]
    start = beginning.start(1)
    end_tag = b"</" + name + b">"
    at = content.find(end_tag, start)
    end = at + len(end_tag)
    if at < 0 or content[end:].strip(b" \t\r\n") or end - start > max_bytes:
        return None
    if tag.endswith(b"/>") or outline.child(name, tag).action != "record":
        return None
    line = content.count(b"\n", 0, start) + 1
    return Run(NOTHING_OPEN, content[start:end], start, line, 1, array("I", (0, end - start)))
