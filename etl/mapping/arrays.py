"""Lists of values as one text: what `many: array` sends, in PostgreSQL's form and as JSON."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Sequence

ArrayText = Callable[[Sequence[str | None]], str]
"""From the canonical texts of the elements, None for NULL, to the text of the array."""

# PostgreSQL quotes what could be taken for its own syntax; the word NULL in any case is that too.
_UNQUOTED = re.compile(r'(?!(?i:null)\Z)[^\s{},"\\]+', re.ASCII)


def postgres_array(elements: Sequence[str | None]) -> str:
    """``{a,"b c",NULL}``, as PostgreSQL prints and reads arrays of any type."""
    return "{" + ",".join(map(_postgres_element, elements)) + "}"


def _postgres_element(element: str | None) -> str:
    if element is None:
        return "NULL"
    if _UNQUOTED.fullmatch(element):
        return element
    return '"' + element.replace("\\", "\\\\").replace('"', '\\"') + '"'


def json_strings(elements: Sequence[str | None]) -> str:
    """``["a", null]``: a JSON array of strings."""
    return json.dumps(elements, ensure_ascii=False)


def json_tokens(elements: Sequence[str | None]) -> str:
    """``[1, null]``: a JSON array of elements whose canonical text is JSON itself."""
    return "[" + ", ".join("null" if element is None else element for element in elements) + "]"
