"""A pipe is read for a sample first, and then from its beginning: nothing of it may be lost or come twice."""

from __future__ import annotations

import gzip
import io
import os
import threading
from pathlib import Path

import pytest

from etl.errors import SourceError
from etl.extract.kept_stream import KeptStream
from etl.extract.source import Source, expand, open_source

DOCUMENT = b"<r>" + b"".join(b"<a>%d</a>" % number for number in range(200_000)) + b"</r>"


@pytest.fixture
def piped(tmp_path: Path) -> Source:
    """The document, compressed, as a pipe gives it."""
    return _fed(tmp_path / "pipe", gzip.compress(DOCUMENT, 1))


def _fed(path: Path, content: bytes) -> Source:
    os.mkfifo(path)

    def feed() -> None:
        with path.open("wb", buffering=0) as pipe:
            pipe.write(content)

    threading.Thread(target=feed, daemon=True).start()
    (source,) = expand([str(path)])
    return source.kept()


def _keep_no_more(source: Source) -> None:
    assert source.stream is not None
    source.stream.keep_no_more()


@pytest.mark.parametrize("chunks", [0, 1, 2, 1000])
def test_the_last_reading_has_everything_however_much_a_sample_took(piped: Source, chunks: int) -> None:
    with open_source(piped) as reader:
        sample = b"".join(chunk for chunk, _ in zip(reader, range(chunks), strict=False))
    assert DOCUMENT.startswith(sample)
    _keep_no_more(piped)
    with open_source(piped) as reader:
        assert b"".join(reader) == DOCUMENT


def test_a_sample_may_be_read_again_and_again(piped: Source) -> None:
    for _ in range(3):
        with open_source(piped) as reader:
            assert next(reader).startswith(b"<r><a>0</a>")
    _keep_no_more(piped)
    with open_source(piped) as reader:
        assert b"".join(reader) == DOCUMENT


def test_what_was_given_up_while_it_waited_loses_nothing(tmp_path: Path) -> None:
    ours, theirs = os.pipe()
    stream = KeptStream(lambda: open(ours, "rb", buffering=0))  # noqa: SIM115
    early, late = stream.open(), []
    waiting = threading.Thread(target=lambda: late.append(early.read(100)))
    waiting.start()
    stream.keep_no_more()
    with stream.open() as last:
        os.write(theirs, b"one")
        waiting.join(30)
        assert last.read(100) == b"one"
        os.write(theirs, b"two")
        os.close(theirs)
        assert last.read(100) == b"two"
        assert last.read(100) == b""
    assert late == [b"one"]
    assert early.read(100) == b""


def test_the_last_reading_keeps_nothing_and_closes_the_stream() -> None:
    file = io.BytesIO(b"abcdef")
    stream = KeptStream(lambda: file)
    assert stream.open().read(2) == b"ab"
    stream.keep_no_more()
    with stream.open() as last:
        assert [last.read(2) for _ in range(4)] == [b"ab", b"cd", b"ef", b""]
        assert not stream._blocks
    assert file.closed


def test_a_file_needs_nothing_kept(tmp_path: Path) -> None:
    (tmp_path / "a.xml").write_bytes(b"<a/>")
    (source,) = expand([str(tmp_path / "a.xml")])
    assert source.kept() is source


def test_a_pipe_that_is_gone_is_named(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    (source,) = expand([str(tmp_path / "pipe")])
    (tmp_path / "pipe").unlink()
    with pytest.raises(SourceError, match="There is no file"):
        open_source(source.kept())


def test_who_waits_for_a_silent_stream_is_woken() -> None:
    ours, theirs = os.pipe()
    stream = KeptStream(lambda: open(ours, "rb", buffering=0))  # noqa: SIM115
    stream.keep_no_more()
    raised: list[SourceError] = []

    def wait() -> None:
        with pytest.raises(SourceError) as error:
            reading.read(100)
        raised.append(error.value)

    with stream.open_ahead() as reading:
        os.write(theirs, b"one")
        assert reading.read(100) == b"one"
        assert reading.tell() == 3
        waiting = threading.Thread(target=wait)
        waiting.start()
        stream.stop()
        waiting.join(30)
    assert raised
    os.close(theirs)


def test_ahead_everything_comes_and_then_what_went_wrong() -> None:
    class Fails(io.BytesIO):
        def read(self, size: int | None = -1, /) -> bytes:
            block = super().read(size)
            if not block:
                raise OSError(5, "Input/output error")
            return block

    stream = KeptStream(lambda: Fails(DOCUMENT))
    with stream.open_ahead() as reading:
        read = b""
        while len(read) < len(DOCUMENT):
            read += reading.read(100)
        with pytest.raises(OSError, match="Input/output error"):
            reading.read(100)
    assert read == DOCUMENT
