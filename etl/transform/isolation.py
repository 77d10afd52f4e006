"""Puts each record alone among its ancestors, so that an XPath cannot see what depends on where a source was cut.

The records of a parsed payload are taken out of their parent; each comes back in turn, and leaves again when it is
mapped. What stays around a record is its ancestors, without texts. Runs in a worker.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from etl.transform.elements import Element


class Isolation:
    """Records that stand alone when their turn has come."""

    def __init__(self, parent: Element | None, records: Sequence[Element]) -> None:
        """Take `records` out of `parent`; without one there is a single record, the document's root."""
        self._parent = parent
        if parent is not None:
            for record in records:
                record.tail = None
                parent.remove(record)
            parent.text = None

    def each(self, records: Sequence[Element]) -> Iterator[Element]:
        """The records one by one; an element is valid until the next is asked for."""
        for record in records:
            if self._parent is None:
                yield record
            else:
                self._parent.append(record)
                yield record
                self._parent.remove(record)
