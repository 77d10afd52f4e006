"""What nothing in a mapping takes, as the scanner and a close look at some records tell it.

The scanner names every element and attribute that it has no use for, once in its life. Which columns would take them is
found by `etl.transform.unseen`, in the trees of those records and of the first ones. Runs in a worker.
"""

from __future__ import annotations

from collections.abc import Iterator

from etl.mapping.model import Mapping
from etl.mapping.paths import XML_NAMESPACE
from etl.native._scanner import Scanner
from etl.native.program import Program
from etl.positions import RecordPositions
from etl.transform.compile import compile_mapping
from etl.transform.elements import empty_nil_elements
from etl.transform.parser import DocumentParser, ParseFailure
from etl.transform.records import RecordTables
from etl.transform.unseen import ABOUT_THE_DOCUMENT, FIRST, CloseLook, told

_BYTES = 8 * 2**20
"""Of records that are parsed for a close look, in the life of a worker."""

_EACH = 4096
"""What one look costs beside the record's bytes, in bytes as well."""


class Look:
    """Looks closely at the first records of each table, and at those with something new."""

    def __init__(self, mapping: Mapping, parser: DocumentParser) -> None:
        compiled = compile_mapping(mapping)
        self._plans = compiled.plans
        self._known = compiled.known
        self._mentions = compiled.mentions
        self._parser = parser
        self._close = CloseLook(self._plans)
        self._left = _BYTES
        self._firsts = {number: FIRST for number, table in enumerate(mapping.tables) if table.parent is None}
        """Records still to be looked at in any case, by record table."""

    def told(
        self, scanner: Scanner, program: Program, positions: RecordPositions
    ) -> tuple[frozenset[str], dict[tuple[int, str], bool]]:
        """Of a split just scanned: `Notices.unseen` and `additions`."""
        places = set(self._first_places(scanner))
        unseen: set[str] = set()
        for node, is_attribute, namespace, name, record in scanner.unseen():
            if is_attribute and f"{{{namespace}}}{name}" in ABOUT_THE_DOCUMENT:
                continue
            shown = _shown(namespace, name, is_attribute=is_attribute)
            above = (program.node_paths[node],) if is_attribute else program.open_paths[node]
            paths = {f"{path}/{shown}" for path in above} - program.known
            if paths:
                unseen |= paths
                places.add(record)
        self._close.begin()
        for place in sorted(places):
            self._look_at(positions, place)
        return told((unseen | self._close.unseen) - program.known - self._known, self._close.additions, self._mentions)

    def _first_places(self, scanner: Scanner) -> Iterator[int]:
        for number, wanted in list(self._firsts.items()):
            found = scanner.first_records(number, wanted)
            yield from found
            self._firsts[number] -= len(found)
            if not self._firsts[number]:
                del self._firsts[number]

    def _look_at(self, positions: RecordPositions, place: int) -> None:
        if self._left <= 0:
            return
        skeleton, record = positions.skeleton(place), positions.raw(place)
        self._left -= _EACH + len(record)
        try:
            parsed = self._parser.parse(skeleton, record)
        except ParseFailure:  # deeper than libxml2 takes without asking: not worth asking here
            return
        for element in parsed.records:
            if b":nil" in record:
                empty_nil_elements(element)
            for plan in RecordTables(self._plans, parsed.ancestors).plans(element):
                self._close.look_at(plan, element)


def _shown(namespace: str, name: str, *, is_attribute: bool) -> str:
    """As `etl.transform.unseen` shows it."""
    if not is_attribute:
        return name
    return f"@xml:{name}" if namespace == XML_NAMESPACE else f"@{name}"
