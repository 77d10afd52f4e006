"""What encoding a document is in (XML 1.0, appendix F), and the document as UTF-8.

In: chunks of the decompressed document. Out: chunks of UTF-8 without byte order mark, whose declaration names no
other encoding. A document that is UTF-8 already passes through untouched, also where it is not valid UTF-8: what is
wrong then is a matter of the record it stands in. For the same reason an undecodable byte of another encoding becomes
the byte FF, which no UTF-8 text has. Runs on the reading thread.
"""

from __future__ import annotations

import codecs
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from etl.errors import SourceError

HEAD_BYTES = 4096
"""Looked at to find the encoding: more than any XML declaration has."""

_MARKS = (
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF32_LE, "utf-32-le"),
    (codecs.BOM_UTF32_BE, "utf-32-be"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
)
"""Those of UTF-32 first: one of them begins like that of UTF-16."""

_PATTERNS = (
    (re.compile(rb"<\0\0\0"), "utf-32-le"),
    (re.compile(rb"\0\0\0<\0"), "utf-32-be"),
    (re.compile(rb"<\0[^\0]\0"), "utf-16-le"),
    (re.compile(rb"\0<\0[^\0]"), "utf-16-be"),
)
"""How documents without a mark begin in the encodings that no ASCII text can be read in."""

_EBCDIC = "<?xml".encode("cp037")
_DECLARATION = re.compile(rb"(?:[\0-\x20]|\xef\xbb\xbf)*+<\?xml\s[^>]*?\?>")
"""Also behind what may not stand before it, but can be mended."""
_ENCODING = re.compile(rb"""\s+encoding\s*=\s*(?:"([^"]*)"|'([^']*)')""")

_ALIASES = {
    "iso-10646-ucs-2": "utf-16",
    "ucs-2": "utf-16",
    "iso-10646-ucs-4": "utf-32",
    "ucs-4": "utf-32",
    "x-sjis": "cp932",
    "x-euc-jp": "euc_jp",
}
"""Names that documents use and Python does not know."""

_NOT_FOR_DOCUMENTS = {"idna", "punycode", "undefined", "unicode-escape", "raw-unicode-escape"}
_UNDECODABLE = "etl.undecodable"

_NAME_LENGTH = 40
"""Characters of an encoding's name that a message quotes: there is none so long."""


def _replace_undecodable(error: UnicodeError) -> tuple[str | bytes, int]:
    """An error handler for both ways: what cannot be decoded is kept as a surrogate, which is then encoded as FF."""
    if isinstance(error, UnicodeDecodeError):
        return "\udcff", error.end
    if isinstance(error, UnicodeEncodeError):
        return b"\xff" * (error.end - error.start), error.end
    raise error


codecs.register_error(_UNDECODABLE, _replace_undecodable)


@dataclass(frozen=True, slots=True)
class Encoding:
    """How a document is encoded."""

    codec: str
    """Python's name of it."""
    mark: int
    """Bytes of the byte order mark."""
    misleading: bool
    """Whether the declaration may name an encoding that the document, once transcoded, is not in."""


def detect(head: bytes, label: str) -> Encoding:
    """The encoding of the document that begins with `head`.

    The byte order mark decides, then how the first bytes look, then the declaration; UTF-8 where there is none of
    them. Raises SourceError where the declaration names an encoding that is not known.
    """
    for mark, codec in _MARKS:
        if head.startswith(mark):
            return Encoding(codec, len(mark), True)
    for pattern, codec in _PATTERNS:
        if pattern.match(head):
            return Encoding(codec, 0, True)
    if head.startswith(_EBCDIC):
        name = _declared(head.decode("cp037").encode(), label)
        return Encoding("cp037" if name == "utf-8" else name, 0, True)
    name = _declared(head, label)
    if name.startswith(("utf-16", "utf-32")):
        # Written by a program that then saved it as something else: it would not be readable as ASCII otherwise.
        return Encoding("utf-8", 0, True)
    return Encoding(name, 0, name != "utf-8")


def _declared(head: bytes, label: str) -> str:
    """Python's name of the encoding that the declaration names; ``utf-8`` where it names none."""
    declaration = _DECLARATION.match(head)
    found = _ENCODING.search(declaration[0]) if declaration is not None else None
    if found is None:
        return "utf-8"
    name = (found[1] or found[2] or b"").decode("ascii", "backslashreplace")
    try:
        codec = codecs.lookup(_ALIASES.get(name.lower(), name))
    except (LookupError, ValueError):
        codec = None
    # The attribute is how Python itself tells text encodings from others like hex.
    if codec is None or codec.name in _NOT_FOR_DOCUMENTS or not getattr(codec, "_is_text_encoding", True):
        raise SourceError(
            f"{label} declares the encoding {name[:_NAME_LENGTH]!r}, which is not known here; "
            "convert it to UTF-8 first."
        )
    return codec.name


def to_utf8(chunks: Iterable[bytes], label: str) -> Iterator[bytes]:
    """The document in `chunks` as UTF-8, chunk by chunk. Raises SourceError as `detect` does."""
    head, chunks = _gather(iter(chunks))
    encoding = detect(head, label)
    decoded = _decoded(head[encoding.mark :], chunks, encoding.codec)
    if encoding.misleading:
        head, decoded = _gather(decoded)
        yield _without_encoding(head)
    yield from decoded


def _gather(chunks: Iterator[bytes]) -> tuple[bytes, Iterator[bytes]]:
    """As many chunks as it takes to see the whole declaration, and the others."""
    head = b""
    while len(head) < HEAD_BYTES:
        try:
            chunk = next(chunks, None)
        except SourceError as error:  # what came before it is good
            return head, _failing(error)
        if chunk is None:
            break
        head += chunk
    return head, chunks


def _failing(error: SourceError) -> Iterator[bytes]:
    yield b""
    raise error


def _without_encoding(head: bytes) -> bytes:
    declaration = _DECLARATION.match(head)
    if declaration is None:
        return head
    return _ENCODING.sub(b"", declaration[0], count=1) + head[declaration.end() :]


def _decoded(head: bytes, chunks: Iterator[bytes], codec: str) -> Iterator[bytes]:
    if codec == "utf-8":
        yield head
        yield from chunks
        return
    decoder = codecs.getincrementaldecoder(codec)(_UNDECODABLE)
    yield decoder.decode(head).encode("utf-8", _UNDECODABLE)
    for chunk in chunks:
        yield decoder.decode(chunk).encode("utf-8", _UNDECODABLE)
    yield decoder.decode(b"", final=True).encode("utf-8", _UNDECODABLE)
