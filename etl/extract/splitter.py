"""Cuts a document into splits: whole records as bytes, with what stands open around them.

In: chunks of one document, UTF-8, from `etl.extract.source`. Out: the parts (tiles) of that document, in order, each
with its records. Runs on the thread that iterates it. The tiles depend on the document and the settings alone, never
on how the chunks are cut; memory holds one tile and one record.

Outside of records every tag is checked against the elements that are open. An element that neither is a record nor
can hold one is streamed past. Where an element ends is told in `etl.extract.markup`.

A record longer than `max_record_bytes` is a reject: `malformed` up to the next record where it turns out not to be
closed (see `etl.extract.unclosed`), else `too_large`, streamed past to its end however far that is. If the document
ends inside a record although the end tags of the open elements are there, that record is not closed either. In every
other case the document is cut off or broken: what was complete is handed out first, then SourceError says where
and how.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from etl.errors import MappingError, SourceError
from etl.extract.breakage import Breakage, shown
from etl.extract.doctype import MAX_DOCTYPE_BYTES, parse_doctype, subset_of
from etl.extract.header import HeaderReader
from etl.extract.markup import MAX_TAG_BYTES, NAME, ElementScan, element_rule
from etl.extract.outline import Child, HeaderPath, Outline
from etl.extract.plain import plain_elements
from etl.extract.records import RecordCutter
from etl.extract.tile import Tile
from etl.extract.whole import WholeDocuments
from etl.extract.window import Window
from etl.mapping.paths import RecordPath
from etl.messages import Document, Part, RejectedRecord

if TYPE_CHECKING:
    from etl.extract.bunch import Bunch
    from etl.extract.dtd import Dtd

MALFORMED, MISSING_VALUE = "malformed", "missing_value"
"""Reason codes of rejects."""

MAX_OPEN_ELEMENTS = 2048
MAX_OPEN_BYTES = 4 << 20
"""Elements open around a record, and bytes of their start tags: they go with every split, and no parser takes more."""

MAX_REFERENCE_BYTES = 1 << 10
"""An entity reference between records is seen whole up to this length, however chunks are cut."""

_NOT_SPACE = re.compile(rb"[^ \t\r\n]")
_START = re.compile(rb"<(" + NAME + rb")")
_END = re.compile(rb"</(" + NAME + rb")\s*>")
_REFERENCE = re.compile(rb"&([^;&<\s#]+);")
_COMMENT_MARK, _CDATA_MARK, _DOCTYPE_MARK = b"<!--", b"<![CDATA[", b"<!DOCTYPE"


class Splitter:
    """Cuts documents with records at the given paths; keeps nothing between two documents."""

    def __init__(
        self,
        records: Sequence[RecordPath],
        split_bytes: int,
        max_record_bytes: int,
        split_records: int | None = None,
        header: Sequence[HeaderPath] = (),
        dtd: Dtd | None = None,
    ) -> None:
        """A part is cut as soon as its records have `split_bytes` bytes, or are `split_records`.

        Records up to `max_record_bytes` are whole. What paths of `header` lead to before the first record goes with
        every skeleton. What `dtd` declares holds in every document.
        """
        self.split_records = split_records
        self._records = tuple(records)
        self._header = tuple(header)
        self._split_bytes = split_bytes
        self._max_record_bytes = max_record_bytes
        self._dtd = dtd
        # What else would go with a record is not to be seen at the document's two ends.
        plain = not header and dtd is None
        self._whole = WholeDocuments(self._records, max_record_bytes, split_bytes, split_records) if plain else None

    def split(
        self,
        chunks: Iterable[bytes],
        source: int,
        label: str,
        cut_at: Sequence[int] = (),
        limit: int | None = None,
    ) -> Iterator[Part]:
        """The parts of the document in `chunks`.

        `source` and `label` name the document in parts and in messages. `cut_at` holds, in order, ends of parts of an
        earlier run, at which parts must end again. After `limit` records it stops, with the part that holds the last
        of them (`last` is False).

        Raises SourceError where the document or its source is broken, after the part with the last complete record;
        MappingError where a value of `header` stands behind the first record only.
        """
        tile = Tile(source, label, self._split_bytes, self.split_records, cut_at, limit)
        outline = Outline(self._records, self._header)
        return _Pass(Window(chunks), tile, outline, label, self._max_record_bytes, self._dtd).parts()

    def are_records(self, bunch: Bunch) -> list[bool]:
        """Of each document of a bunch, whether it is a record as a whole."""
        if self._whole is None:
            return [False] * len(bunch.sizes)
        names, most = [False, *self._whole.are_records(bunch.names)], self._max_record_bytes
        return [names[root] and size <= most for root, size in zip(bunch.roots, bunch.sizes, strict=True)]

    def split_whole(self, content: bytes, source: int, document: Document, position: int) -> list[Part]:
        """The parts of a small document, one of a collection, all of it; from where it is broken the rest is a reject.

        So is all of one in which a value of `header` stands too late: the others are not to suffer from that.
        """
        run = self._whole.run(content) if self._whole is not None else None
        if run is not None:
            return [Part(source, 0, len(content), run.records, (run,), (), True, frozenset(), position, document)]
        parts: list[Part] = []
        try:
            for part in self.split([content], source, document.label):
                parts += [in_document(part, document, position)]
        except MappingError as error:
            whole = broken_rest(content, 0, 0, source, document, str(error), MISSING_VALUE)
            return [whole._replace(position=position)]
        except SourceError as error:
            start, records = (parts[-1].end if parts else 0), sum(part.records for part in parts)
            rest = broken_rest(content, start, records, source, document, str(error))
            parts.append(rest._replace(position=position))
        return parts


def in_document(part: Part, document: Document, position: int) -> Part:
    """The part of one document of a collection."""
    rejects = tuple(replace(reject, document=document.number) for reject in part.rejects)
    return part._replace(document=document, position=position, rejects=rejects)


def broken_rest(
    content: bytes, start: int, records: int, source: int, document: Document, why: str, reason: str = MALFORMED
) -> Part:
    """What is left of a document from `start` on, behind so many records that could be read of it: a reject."""
    reject = RejectedRecord(
        source=source,
        offset=start,
        line=content.count(b"\n", 0, start) + 1,
        record=records + 1,
        reason=reason,
        message=why,
        raw=content[start:],
        length=len(content) - start,
        document=document.number,
    )
    return Part(source, start, len(content), 1, (), (reject,), last=True, document=document)


class _Pass:
    """One document on its way through the splitter."""

    def __init__(
        self, window: Window, tile: Tile, outline: Outline, label: str, max_record_bytes: int, dtd: Dtd | None
    ) -> None:
        self._window = window
        self._tile = tile
        self._outline = outline
        self._label = label
        self._breakage = Breakage(label, window, outline)
        self._plain = plain_elements(window, tile, outline, max_record_bytes)
        self._records = RecordCutter(window, tile, outline, self._breakage, self._plain, max_record_bytes)
        self._header = HeaderReader(window, outline, label) if outline.wanted else None
        """None as well where it has nothing to do any more."""
        self._dtd = dtd
        self._entities: frozenset[bytes] = frozenset()
        self._doctype_seen = False
        self._at = 0
        """Offset up to which the document is dealt with."""

    def parts(self) -> Iterator[Part]:
        tile, window = self._tile, self._window
        try:
            while not tile.finished and self._next_markup():
                self._markup()
                if tile.full:
                    yield tile.cut(window)
            if not tile.finished:
                self._check_end()
        except SourceError as error:
            if tile.records:
                yield tile.cut(window)
            raise error from None
        if not tile.finished:
            yield tile.cut_last(window)

    def _next_markup(self) -> bool:
        """Go on to the next ``<``; False at the end of the document."""
        window = self._window
        while True:
            found = window.buf.find(b"<", self._at - window.base)
            if found >= 0:
                self._pass_text(window.base + found)
                return True
            # A reference may have been read in part.
            ampersand = window.buf.rfind(b"&", max(self._at - window.base, len(window.buf) - MAX_REFERENCE_BYTES))
            self._pass_text(window.base + ampersand if ampersand >= 0 else window.end)
            if not window.more(self._keep(), window.end):
                self._pass_text(window.end)
                return False

    def _pass_text(self, end: int) -> None:
        """Go on to `end`; up to there it is text between elements."""
        window = self._window
        start, stop = self._at - window.base, end - window.base
        self._at = end
        if not self._outline.open:
            found = _NOT_SPACE.search(window.buf, start, stop)
            if found is not None:
                raise self._found(window.base + found.start(), "stands outside of the root element")
        elif window.buf.find(b"&", start, stop) >= 0:
            # In a tree of the whole run, what a reference stands for could look like a record.
            self._tile.close_run(window)
            text = bytes(window.buf[start:stop]) if self._entities else b""
            for reference in _REFERENCE.finditer(text):
                if reference[1] in self._entities:
                    what = "stands for elements or another file, which cannot be followed here; expand it first"
                    raise self._found(window.base + start + reference.start(), what)

    def _keep(self) -> int:
        """From where on the window must hold what it has."""
        return self._tile.keep(self._window, self._at)

    def _has(self, count: int) -> bool:
        """Whether the document has `count` more bytes; they are in the window then."""
        window = self._window
        while window.end - self._at < count:
            if not window.more(self._keep(), self._at):
                return False
        return True

    def _markup(self) -> None:
        """Deal with what the ``<`` at this point begins."""
        start, self._at = self._at, self._plain.begin(self._at)
        if self._at > start:
            return
        complete = self._has(len(_CDATA_MARK))
        window = self._window
        at = self._at - window.base
        head = bytes(window.buf[at : at + len(_CDATA_MARK)])
        if not complete and any(mark.startswith(head) for mark in (_COMMENT_MARK, _CDATA_MARK, _DOCTYPE_MARK)):
            raise self._breakage.end()
        if head.startswith(b"</"):
            self._end_tag()
        elif head.startswith(_COMMENT_MARK):
            self._pass_special(len(_COMMENT_MARK), b"-->", "a comment")
        elif head.startswith(b"<?"):
            self._pass_special(2, b"?>", "a processing instruction")
        elif head == _CDATA_MARK and self._outline.open:
            self._pass_special(len(_CDATA_MARK), b"]]>", "a CDATA section")
        elif head == _DOCTYPE_MARK and not self._doctype_seen and not self._outline.root_seen:
            self._doctype()
        else:
            self._start_tag()

    def _pass_special(self, opening: int, terminator: bytes, what: str) -> None:
        window, start = self._window, self._at
        line = window.line(start)
        self._at += opening
        while (found := window.buf.find(terminator, self._at - window.base)) < 0:
            self._at = max(self._at, window.end - len(terminator) + 1)
            if not window.more(self._keep(), self._at):
                raise self._breakage.end(f"inside {what} that begins at byte {start} (line {line})")
        self._at = window.base + found + len(terminator)

    def _doctype(self) -> None:
        window, start = self._window, self._at
        while True:
            doctype = parse_doctype(window.bytes_between(start, min(window.end, start + MAX_DOCTYPE_BYTES)), self._dtd)
            if doctype is not None:
                break
            if window.end - start >= MAX_DOCTYPE_BYTES:
                what = "begins a document type declaration that is ill-formed, or longer than"
                raise self._found(start, f"{what} {MAX_DOCTYPE_BYTES} bytes")
            if not window.more(start, start):
                raise self._breakage.end("inside the document type declaration, or that is ill-formed")
        self._doctype_seen = True
        self._outline.subset = doctype.subset
        self._entities = doctype.elements
        self._at = start + doctype.size

    def _end_tag(self) -> None:
        window, outline = self._window, self._outline
        while window.buf.find(b">", self._at - window.base) < 0 and window.end - self._at < MAX_TAG_BYTES:
            if not window.more(self._keep(), self._at):
                raise self._breakage.end()
        tag = _END.match(window.buf, self._at - window.base)
        if tag is not None and tag[1] != outline.parent and self._records.is_record(tag[1]):
            end = window.base + tag.end()
            self._tile.reject(
                window,
                self._at,
                end,
                outline.skeleton,
                line=window.line(self._at),
                reason="malformed",
                message="An end tag without its record.",
            )
            self._at = end
            return
        if tag is None or not outline.open or tag[1] != outline.open[-1].name:
            raise self._found(self._at, f"stands where {self._breakage.expected()} was expected")
        self._tile.close_run(window)
        outline.pop()
        if self._header is not None:
            self._header.closed()
        self._at = window.base + tag.end()

    def _start_tag(self) -> None:
        window, outline = self._window, self._outline
        start = self._at
        while (found := _START.match(window.buf, start - window.base)) is not None and found.end() == len(window.buf):
            if window.end - start > MAX_TAG_BYTES or not window.more(self._keep(), start):
                raise self._breakage.end()
        if found is None:
            raise self._found(start, "is no markup (a plain < must be written &lt;)")
        if self._outline.root_seen and not outline.open:
            raise self._found(start, "stands behind the end of the root element")
        name = found[1]
        if not outline.root_seen and not self._doctype_seen and self._dtd is not None:
            outline.subset, self._entities = subset_of(name, self._dtd)
        outline.root_seen = True
        scan = ElementScan(element_rule(name), start)
        tag_end = scan.find_tag_end(window, start + MAX_TAG_BYTES, self._keep())
        tag = window.bytes_between(start, min(tag_end or window.end, start + MAX_TAG_BYTES))
        child = outline.child(name, tag)
        if child.action == "record":
            if self._header is not None and not self._header.first_record(start):
                self._header = None
            self._at = self._records.take(child, scan, start)
            return
        self._tile.close_run(window)
        if self._header is not None and child.asked:
            self._header.meet(child, scan, start, tag)
        if child.action == "descend":
            self._descend(child, tag, tag_end)
        else:
            self._skip(child, scan)

    def _descend(self, child: Child, tag: bytes, tag_end: int | None) -> None:
        if tag_end is None or len(tag) == MAX_TAG_BYTES:
            if self._window.end - self._at < MAX_TAG_BYTES:
                raise self._breakage.end()
            raise self._found(self._at, f"begins a start tag longer than {MAX_TAG_BYTES} bytes")
        if not tag.endswith(b">"):
            raise self._found(self._at, "begins a start tag without its end")
        if not tag.endswith(b"/>"):
            outline = self._outline
            if len(outline.open) == MAX_OPEN_ELEMENTS or len(outline.skeleton.open_tags) + len(tag) > MAX_OPEN_BYTES:
                what = f"begins an element inside of {len(outline.open)} others, deeper than records can be found"
                raise self._found(self._at, what)
            outline.push(child, tag, self._window.line(self._at))
        self._at = tag_end

    def _skip(self, child: Child, scan: ElementScan) -> None:
        window, start = self._window, self._at
        line = window.line(start)
        if not child.ended:
            self._tile.passed(child.path)
        end = scan.find_end(window, None, None)
        if end is None:
            name = shown(child.rule.name)
            raise self._breakage.end(f"inside <{name}>, which begins at byte {start} (line {line}) and is not closed")
        self._at = end
        # Of what is wanted nothing is passed over.
        if child.by_name and not child.ended and self._outline.open:
            self._at = self._plain.skip(child.rule, end)

    def _check_end(self) -> None:
        if self._outline.open or self._window.error is not None:
            raise self._breakage.end()
        if not self._outline.root_seen:
            raise SourceError(f"{self._label} holds no XML element.")

    def _found(self, offset: int, what: str) -> SourceError:
        return self._breakage.found(offset, self._keep(), what)
