"""Sentences about where and how a document is broken.

In: the place the splitter has come to. Out: SourceError, CutOff where the document ends too early, for it to raise.
Runs on the splitter's thread.
"""

from __future__ import annotations

from etl.errors import CutOff, SourceError
from etl.extract.outline import Outline
from etl.extract.window import Window

_SNIPPET_BYTES = 40


class Breakage:
    """Makes the errors of one document."""

    def __init__(self, label: str, window: Window, outline: Outline) -> None:
        self._label = label
        self._window = window
        self._outline = outline

    def expected(self) -> str:
        """What can only follow, where no other element does."""
        if self._outline.open:
            element = self._outline.open[-1]
            return f"</{shown(element.name)}> (opened at line {element.line})"
        return "the end of the document" if self._outline.root_seen else "the root element"

    def found(self, offset: int, keep: int, what: str) -> SourceError:
        """Outside of records stands something that cannot: ``what`` says about it ("stands ...", "begins ...")."""
        window = self._window
        while window.end - offset < _SNIPPET_BYTES and window.more(min(keep, offset), offset):
            pass
        snippet = bytes(window.buf[offset - window.base :][:_SNIPPET_BYTES])
        return SourceError(
            f"{self._label}: byte {offset}, line {window.line(offset)}: {shown(snippet)!r} {what}. "
            "The records before it are complete."
        )

    def end(self, where: str = "") -> SourceError:
        """The document ends too early; `where` says inside of what."""
        window = self._window
        where = where or f"where {self.expected()} should follow"
        at = f"at byte {window.end} (line {window.line(window.end)}) {where}"
        if window.error is None:
            return CutOff(f"{self._label} breaks off {at}. The records before it are complete.")
        return CutOff(f"{window.error} The document breaks off {at}.") if window.end else window.error


def shown(data: bytes) -> str:
    """Bytes of a document as text, whatever they are."""
    return data.decode("utf-8", "backslashreplace")
