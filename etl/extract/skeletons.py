"""A skeleton taken apart: its start tags, and whether what stands in it would be a record of a mapping.

Used where stored rejects are read: by `etl.reject_document` and `etl.retry_feed`.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from etl.extract.markup import INSIDE_TAG, NAME
from etl.extract.outline import Outline
from etl.mapping.paths import RecordPath
from etl.messages import Skeleton

_START_TAG = re.compile(rb"<(" + NAME + rb")" + INSIDE_TAG + rb">")
_NAME = re.compile(rb"<(" + NAME + rb")")


def start_tags(skeleton: Skeleton) -> list[bytes]:
    """The start tags, outermost first; fewer than the skeleton is deep where some are ill-formed."""
    return [found[0] for found in _START_TAG.finditer(skeleton.open_tags)]


def element_name(tag: bytes) -> bytes:
    """The literal name in a start tag."""
    found = _NAME.match(tag)
    return found[1] if found else b""


class RecordTest:
    """Tells records from other elements, as the splitter would where it met them in their document."""

    def __init__(self, paths: Sequence[RecordPath]) -> None:
        self._paths = paths
        self._skeleton: Skeleton | None = None
        self._outline: Outline | None = None

    def is_record(self, skeleton: Skeleton, raw: bytes) -> bool:
        """Whether the element that `raw` begins with is a record there; what begins with no element may be one."""
        if skeleton != self._skeleton:
            self._skeleton, self._outline = skeleton, self._descended(skeleton)
        if self._outline is None:
            return False
        name = element_name(raw)
        if not name:
            return True
        tag = _START_TAG.match(raw)
        return self._outline.child(name, tag[0] if tag else b"<" + name + b">").action == "record"

    def _descended(self, skeleton: Skeleton) -> Outline | None:
        """The outline at the skeleton's depth; None where its elements are not on the way to any record."""
        outline = Outline(self._paths)
        outline.subset = skeleton.subset
        for tag in start_tags(skeleton):
            child = outline.child(element_name(tag), tag)
            if child.action != "descend":
                return None
            outline.push(child, tag, 0)
        return outline
