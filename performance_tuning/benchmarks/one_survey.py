"""One look at a whole document, in a process of its own: `survey` as inference has it, or libxml2 alone.

    python -m performance_tuning.benchmarks.one_survey survey|libxml2 FILE

libxml2 alone is lxml's `iterparse`, each element cleared when it ends, with nothing asked of any. The last line printed
is what `harness` takes for the wall time: without the start of Python.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from time import perf_counter

from lxml import etree

from etl.extract.source import expand, open_source
from etl.inference.openable import openables
from etl.inference.survey import survey


def survey_file(path: str) -> None:
    """Everything in the file, into a profile."""
    survey(openables(expand([path])), sample_bytes=None, on_bytes=lambda _: None)


class _Chunks:
    """The document as iterparse takes it; decompressed by the same thread as for a survey."""

    def __init__(self, chunks: Iterator[bytes]) -> None:
        self._chunks = chunks

    def read(self, _size: int) -> bytes:
        return next(self._chunks, b"")


def parse_file(path: str) -> None:
    """Everything in the file, through the parser."""
    (source,) = expand([path])
    with open_source(source) as reader:
        for _event, element in etree.iterparse(_Chunks(reader), huge_tree=True, load_dtd=False, no_network=True):
            element.clear()


WAYS: dict[str, Callable[[str], None]] = {"survey": survey_file, "libxml2": parse_file}


def document_bytes(path: Path) -> int:
    """Size of the document, decompressed."""
    (source,) = expand([str(path)])
    with open_source(source) as reader:
        return sum(map(len, reader))


if __name__ == "__main__":
    begin = perf_counter()
    WAYS[sys.argv[1]](sys.argv[2])
    print(json.dumps({"seconds": perf_counter() - begin}))
