"""What stands before a document's first record and goes onto every row of it: columns with `scope: document`.

In: the elements that the splitter meets outside of records. Out: `Skeleton.header`, a document of its own with those
that paths ask for and what they stand in; an empty element, the last in the last open one, stands where the first
record begins, so that what was still open there is told from what was complete. Behind the first record only values
that were not found are looked for: MappingError where one of them comes too late. Runs on the splitter's thread.
"""

from __future__ import annotations

from dataclasses import dataclass

from lxml import etree

from etl.errors import MappingError, SourceError
from etl.extract.markup import ElementScan
from etl.extract.outline import Child, HeaderPath, Outline, has_attribute, matches
from etl.extract.window import Window
from etl.mapping.model import FromPath, Mapping
from etl.mapping.paths import ValuePath

MAX_HEADER_BYTES = 1 << 18
"""Of what is kept: it goes with every split, and those have as many bytes by default."""

_UNDEFINED = frozenset({etree.ErrorTypes.ERR_UNDECLARED_ENTITY, etree.ErrorTypes.WAR_UNDECLARED_ENTITY})
_FIRST_RECORD = b'<first-record xmlns="urn:etl"/>'


def header_paths(mapping: Mapping) -> tuple[HeaderPath, ...]:
    """The paths of columns with `scope: document`; of those that lead to the same the first."""
    found: dict[object, HeaderPath] = {}
    for table in mapping.tables:
        for column in table.columns:
            source = column.source
            if isinstance(source, FromPath) and source.scope == "document" and isinstance(source.path, ValuePath):
                path = source.path
                place = f"{mapping.label}:{column.line}: tables.{table.name}.columns.{column.name}.path"
                one = HeaderPath(path.steps, path.attribute, path.text, place)
                found.setdefault((one.steps, one.attribute), one)
    return tuple(found.values())


@dataclass(slots=True)
class _Open:
    """An element that stands open, with what paths ask for in it."""

    depth: int
    """Elements around it."""
    name: bytes
    start: int
    at: int
    """Where its start tag begins in what is kept."""
    taken: bool
    """A path wants all of it."""
    whole: bytes | None
    """All of it, where it ends soon enough."""


class HeaderReader:
    """Keeps what paths ask for until the first record, then looks out for what comes too late. For one document."""

    def __init__(self, window: Window, outline: Outline, label: str) -> None:
        self._window = window
        self._outline = outline
        self._label = label
        self._kept = bytearray()
        self._open: list[_Open] = []
        self._before = True
        """The first record is still to come."""
        # As the records are parsed later, or what is told to be sound here would fail there.
        self._parser = etree.XMLParser(
            attribute_defaults=True,
            resolve_entities="internal",  # type: ignore[arg-type]  # the stubs know only bool
            no_network=True,
            load_dtd=False,
            remove_comments=True,
            remove_pis=True,
        )

    def meet(self, child: Child, scan: ElementScan, start: int, tag: bytes) -> None:
        """The element at `start`, which is no record and which paths ask for; `scan` is the search for its end.

        Raises SourceError where it is too long to be kept, MappingError where it comes too late.
        """
        if not self._before:
            self._check_late(child, start, tag)
            return
        taken = any(path.attribute is None for path in child.ended)
        whole = self._whole(scan, start) if taken else None
        if child.action == "skip":
            if taken and whole is None:
                self._check_short(start)
                return
            self._keep(start, whole or _emptied(tag))
        else:
            if not tag.endswith(b"/>"):
                depth = len(self._outline.open)
                self._open.append(_Open(depth, child.rule.name, start, len(self._kept), taken, whole))
            self._keep(start, tag)

    def closed(self) -> None:
        """An element has ended: its end tag was met, before any record in it if it is one that was kept."""
        if not self._before or not self._open or self._open[-1].depth < len(self._outline.open):
            return
        ended = self._open.pop()
        if not ended.taken:
            self._keep(ended.start, b"</%b>" % ended.name)
            return
        if ended.whole is None:
            raise self._too_long(ended.start)
        del self._kept[ended.at :]
        self._keep(ended.start, ended.whole)

    def first_record(self, start: int) -> bool:
        """The first record begins at `start`; False where nothing is left to be looked for.

        Raises SourceError where what was kept is ill-formed.
        """
        if self._before:
            self._before = False
            outline = self._outline
            missing = outline.wanted
            outline.header = self._document()
            if outline.header:
                root = self._parsed(outline.header, start)
                opened = _without_mark(root)
                missing = tuple(path for path in missing if not _leads(path, root, opened))
            outline.look_for(missing)
        return bool(self._outline.wanted)

    def _document(self) -> bytes:
        if not self._kept:
            return b""
        ends = (b"</%b>" % element.name for element in reversed(self._open))
        return b"".join((self._kept, _FIRST_RECORD, *ends))

    def _parsed(self, header: bytes, start: int) -> etree._Element:
        try:
            return etree.fromstring(self._outline.subset + header, self._parser)
        except etree.XMLSyntaxError as error:
            why = str(error.msg).rsplit(", line ", 1)[0]
            if error.code in _UNDEFINED:  # type: ignore[attr-defined]  # missing in the stubs
                why += "; --dtd FILE gives its meaning"
            raise SourceError(
                f"{self._label}: columns with `scope: document` take what stands before the first record (byte {start},"
                f" line {self._window.line(start)}), but that is not well-formed: {why}."
            ) from None

    # --- before the first record ---

    def _keep(self, start: int, data: bytes) -> None:
        self._kept += data
        if len(self._kept) > MAX_HEADER_BYTES:
            raise self._too_long(start)

    def _whole(self, scan: ElementScan, start: int) -> bytes | None:
        """All of the element; None where it is longer than what is kept, or the document ends in it."""
        end = scan.find_end(self._window, start + MAX_HEADER_BYTES + 1, start)
        if end is None or end - start > MAX_HEADER_BYTES:
            return None
        return self._window.bytes_between(start, end)

    def _check_short(self, start: int) -> None:
        if self._window.end - start > MAX_HEADER_BYTES:
            raise self._too_long(start)

    def _too_long(self, start: int) -> SourceError:
        names = ", ".join(path.text for path in self._outline.wanted)
        return SourceError(
            f"{self._label}: what columns with `scope: document` take ({names}) is longer than {MAX_HEADER_BYTES} "
            f"bytes, the most that can go onto every row, with the element that begins at byte {start}."
        )

    # --- behind it ---

    def _check_late(self, child: Child, start: int, tag: bytes) -> None:
        for path in child.ended:
            element = None if path.attribute is None else self._outline.parsed(tag)
            if path.attribute is None or (element is not None and has_attribute(element, path.attribute)):
                raise MappingError(
                    f"{path.place}: {path.text!r} has `scope: document`, but in {self._label} it stands behind the "
                    f"first record only, at byte {start} (line {self._window.line(start)}): a value for every row has"
                    " to stand before all of them. Leave the column out, or make a table of its own of what stands"
                    " there."
                )


def _emptied(tag: bytes) -> bytes:
    return tag if tag.endswith(b"/>") else tag[:-1] + b"/>"


def _without_mark(root: etree._Element) -> set[etree._Element]:
    """Take out what stands for the first record; the elements that it stood in."""
    opened = [root]
    while len(opened[-1]):
        opened.append(opened[-1][-1])
    mark = opened.pop()
    opened[-1].remove(mark)
    return set(opened)


def _leads(path: HeaderPath, root: etree._Element, opened: set[etree._Element]) -> bool:
    """Whether there is a value."""
    found = [element for element in (root,) if matches(path.steps[0], element)]
    for step in path.steps[1:]:
        found = [child for element in found for child in element if matches(step, child)]
    if path.attribute is not None:
        return any(has_attribute(element, path.attribute) for element in found)
    return any(element not in opened for element in found)
