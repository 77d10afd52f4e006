"""Mends what no parser accepts (`--repair`): a filter between decoding and the splitter.

In: chunks of a document as UTF-8. Out: the same with forbidden characters taken out, what is no UTF-8 as U+FFFD, bare
ampersands as ``&amp;`` and HTML's entities as the characters they stand for; clean bytes as they are, and clean chunks
uncopied. Where it is cut into chunks changes nothing. Within CDATA, comments, processing instructions and the document
type an ampersand means itself and stays. Each kind of mend is counted. Runs on the reading thread.
"""

from __future__ import annotations

import functools
import html.entities
import re
from collections.abc import Iterable, Iterator

from etl.errors import SourceError
from etl.extract.clean import CLOSINGS, OPENINGS, Within, code_of, is_char, pass_clean, pass_one
from etl.extract.doctype import MAX_DOCTYPE_BYTES, parse_doctype
from etl.extract.mends import Kind, Mend
from etl.extract.repair import Repair, declared_entities
from etl.extract.window import line_counter

_MARK = "\ufeff".encode()
_LOST = "\ufffd".encode()

_LONGEST = 1000
"""Bytes that a reference has at most; what is longer names no entity that anybody has declared."""

_NAME = rb"[A-Za-z_:\x80-\xff][A-Za-z0-9_:.\-\x80-\xff]*+"
_REFERENCE = re.compile(rb"&(?:#(?:([0-9]++)|x([0-9a-fA-F]++))|(" + _NAME + rb"));")
_REFERENCE_BEGUN = re.compile(rb"&(?:#x?[0-9a-fA-F]*+|" + _NAME + rb")?\Z")
_NULS = re.compile(rb"\0+")
_CONTROLS = re.compile(rb"[\x01-\x08\x0b\x0c\x0e-\x1f]+")
_SPACE = re.compile(rb"[ \t\r\n]*+")
_DOCTYPE = b"<!DOCTYPE"
_BEGINNINGS = (*OPENINGS, _DOCTYPE)
_OF_XML = {"amp", "lt", "gt", "quot", "apos"}
_ESCAPED = str.maketrans(
    {"&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&quot;", "'": "&apos;", "\t": "&#9;", "\n": "&#10;"}
)


class Mender:
    """Mends one document, chunk by chunk."""

    def __init__(self, repair: Repair, *, in_content: bool = False) -> None:
        """`in_content`: what comes begins behind the start tag of the root element."""
        self._pass_clean = pass_clean()
        self._count_lines = line_counter()
        self._declared = repair.declared
        self._within: int = Within.TEXT
        self._in_prolog = not in_content
        self._doctype_end = 0
        """Offset in the document, while within the document type."""
        self._held = b""
        """Read, but what it is can only be told with what follows."""
        self._offset = 0
        self._line = 1
        """Of the first byte held, or to come."""
        self._mends: dict[Kind, list[int]] = {}
        """Number, and offset and line of the first."""

    @property
    def mends(self) -> tuple[Mend, ...]:
        """What was mended so far, in the order of the first of each kind; any thread may ask."""
        return tuple(Mend(kind, count, offset, line) for kind, (count, offset, line) in list(self._mends.items()))

    def mended(self, chunks: Iterable[bytes]) -> Iterator[bytes]:
        """The document in `chunks`, mended; what could be read before a SourceError comes out before it."""
        try:
            for chunk in chunks:
                yield self.mend(chunk)
        except SourceError:
            yield self.mend(b"", final=True)
            raise
        yield self.mend(b"", final=True)

    def mend(self, chunk: bytes, *, final: bool = False) -> bytes:
        """What can be said of the document with this chunk of it; `final`: no other follows."""
        text = self._held + chunk if self._held else chunk
        pieces: list[bytes] = []
        at = taken = 0
        while True:
            at = self._next(text, at)
            if at == len(text):
                break
            found = self._look(text, at, final=final)
            if found is None:
                break
            size, instead = found
            if instead is not None:
                pieces += text[taken:at], instead
                taken = at + size
            at += size
        self._held = text[at:]
        self._offset += at
        self._line += self._count_lines(text, 0, at)
        if not pieces:
            return text[:at]
        pieces.append(text[taken:at])
        return b"".join(pieces)

    def _next(self, text: bytes, at: int) -> int:
        """The place of the next byte to look at; the end of the text where there is none."""
        if self._within == Within.CHARACTERS:
            end = self._doctype_end - self._offset
            at += self._pass_clean(text[at:end], 0, self._within)[0]
            if at < end:
                return at
            self._within = Within.TEXT
        if not self._in_prolog:
            at, self._within = self._pass_clean(text, at, self._within)
            return at
        if self._within == Within.TEXT:
            found = _SPACE.match(text, at)
            return found.end() if found is not None else at
        return pass_one(text, at, self._within)

    def _look(self, text: bytes, at: int, *, final: bool) -> tuple[int, bytes | None] | None:
        """How many bytes from `at` on are dealt with, and what takes their place (None: they stay).

        None where more bytes are needed to tell.
        """
        byte = text[at]
        if byte >= 0x80:
            return self._character(text, at, final=final)
        run = _NULS.match(text, at) if byte == 0 else _CONTROLS.match(text, at)
        if run is not None:
            self._count("control_character" if byte else "nul", text, at, len(run[0]))
            return len(run[0]), b""
        if self._within != Within.TEXT:
            return self._closing(text, at, final=final)
        if byte == ord("<"):
            return self._opening(text, at, final=final)
        if self._in_prolog:
            self._in_prolog = False
            return 0, None
        return self._reference(text, at, final=final)

    def _character(self, text: bytes, at: int, *, final: bool) -> tuple[int, bytes | None] | None:
        """No ASCII."""
        try:
            character = text[at : at + 4].decode()[0]
        except UnicodeDecodeError as error:
            if error.start == 0:
                if error.reason == "unexpected end of data" and not final:
                    return None
                self._count("invalid_utf8", text, at)
                return error.end, _LOST
            character = text[at : at + error.start].decode()[0]
        if not is_char(ord(character)):
            self._count("control_character", text, at)
            return 3, b""
        if character == "\ufeff":
            self._count("byte_order_mark", text, at)
            return len(_MARK), b""
        self._in_prolog = False
        return 0, None

    def _opening(self, text: bytes, at: int, *, final: bool) -> tuple[int, bytes | None] | None:
        """A ``<`` in text, or at its end."""
        begins = text[at : at + len(_DOCTYPE)]
        for opening, within in OPENINGS.items():
            if begins.startswith(opening):
                self._within = within
                return len(opening), None
        if not final and any(len(begins) < len(whole) and whole.startswith(begins) for whole in _BEGINNINGS):
            return None
        if begins == _DOCTYPE and self._in_prolog:
            return self._document_type(text, at, final=final)
        self._in_prolog = False
        return 1, None

    def _document_type(self, text: bytes, at: int, *, final: bool) -> tuple[int, bytes | None] | None:
        doctype = parse_doctype(text[at : at + MAX_DOCTYPE_BYTES])
        if doctype is not None:
            # Those that parameter entities make stand in the subset alone.
            self._declared |= declared_entities(text[at : at + doctype.size] + doctype.subset) | doctype.elements
            self._within = Within.CHARACTERS
            self._doctype_end = self._offset + at + doctype.size
            return 0, None
        if not final and len(text) - at < MAX_DOCTYPE_BYTES:
            return None
        self._in_prolog = False
        return 1, None

    def _closing(self, text: bytes, at: int, *, final: bool) -> tuple[int, bytes | None] | None:
        """In the prolog the end of what hides markup, else what may begin it at the end of the text."""
        closing = CLOSINGS[Within(self._within)]
        if text.startswith(closing, at):
            self._within = Within.TEXT
            return len(closing), None
        return (1, None) if final else None

    def _reference(self, text: bytes, at: int, *, final: bool) -> tuple[int, bytes | None] | None:
        """An ampersand in text."""
        end = at + _LONGEST
        found = _REFERENCE.match(text, at, end)
        if found is None and not final and len(text) < end and _REFERENCE_BEGUN.match(text, at):
            return None
        if found is not None and found[3] is None:
            return self._number(text, found, final=final)
        if found is not None and found[3] not in self._declared and (instead := _html_entities().get(found[3])):
            self._count("html_entity", text, at)
            return len(found[0]), instead
        # One that is not known is told as undefined, by its name; words in other letters have no such names.
        if found is not None and (found[3].isascii() or found[3] in self._declared):
            return 1, None
        self._count("bare_ampersand", text, at)
        return 1, b"&amp;"

    def _number(self, text: bytes, found: re.Match[bytes], *, final: bool) -> tuple[int, bytes | None] | None:
        """A reference to a character by its number."""
        code = code_of(found)
        if is_char(code):
            return 1, None
        end = found.end()
        if 0xD800 <= code < 0xDC00:
            low = _REFERENCE.match(text, end, end + _LONGEST)
            begun = len(text) < end + _LONGEST and (end == len(text) or _REFERENCE_BEGUN.match(text, end))
            if low is None and begun and not final:
                return None
            if low is not None and low[3] is None and 0xDC00 <= code_of(low) < 0xE000:
                # Written by a program that took UTF-16 for characters: both together are one.
                self._count("character_reference", text, found.start())
                character = chr(0x10000 + (code - 0xD800) * 0x400 + code_of(low) - 0xDC00)
                return low.end() - found.start(), character.encode()
        self._count("character_reference", text, found.start())
        is_lost = 0xD800 <= code < 0xE000 or code > 0x10FFFF
        return len(found[0]), _LOST if is_lost else b""

    def _count(self, kind: Kind, text: bytes, at: int, number: int = 1) -> None:
        numbers = self._mends.get(kind)
        if numbers is None:
            self._mends[kind] = [number, self._offset + at, self._line + self._count_lines(text, 0, at)]
        else:
            numbers[0] += number


@functools.cache
def _html_entities() -> dict[bytes, bytes]:
    """What the entities of HTML stand for, as it is written in XML."""
    return {
        name[:-1].encode(): characters.translate(_ESCAPED).encode()
        for name, characters in html.entities.html5.items()
        if name.endswith(";") and name[:-1] not in _OF_XML
    }
