"""Reading ahead: chunks, position, errors, and being stopped while either side waits."""

from __future__ import annotations

import gzip
import io
import os
import random
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from etl.errors import SourceError
from etl.extract.reader import SourceReader
from etl.extract.source import expand, open_source


def reader_of(path: Path) -> SourceReader:
    return open_source(expand([str(path)])[0])


def reading_threads() -> list[str]:
    return [thread.name for thread in threading.enumerate() if thread.name.startswith("etl-read-")]


def test_a_plain_file_in_chunks_of_a_mebibyte(tmp_path: Path) -> None:
    content = b"<r>" + b"x" * (3 << 20) + b"</r>"
    (tmp_path / "a.xml").write_bytes(content)
    with reader_of(tmp_path / "a.xml") as reader:
        assert reader.position == 0
        chunks = list(reader)
        assert reader.position == len(content)
        assert list(reader) == []
    assert b"".join(chunks) == content
    assert [len(chunk) for chunk in chunks] == [1 << 20, 1 << 20, 1 << 20, 7]
    assert reading_threads() == []


def test_position_counts_compressed_bytes(tmp_path: Path) -> None:
    text = "".join(f"<e>{number * 7919 % 100_003}</e>" for number in range(800_000))
    (tmp_path / "a.xml").write_bytes(gzip.compress(f"<r>{text}</r>".encode()))
    size = (tmp_path / "a.xml").stat().st_size
    with reader_of(tmp_path / "a.xml") as reader:
        seen = [reader.position for _ in reader]
    assert seen == sorted(seen)
    assert seen[-1] == size
    assert 0 < seen[0] < size


@pytest.mark.parametrize("compressed", [False, True])
def test_a_file_that_is_changed_while_it_is_read_is_broken(compressed: bool, tmp_path: Path) -> None:
    path = tmp_path / "a.xml"
    # More than is read ahead, also when it is compressed.
    content = b"<r>" + random.Random(1).randbytes(8 << 20).hex().encode() + b"</r>"
    path.write_bytes(gzip.compress(content, 1) if compressed else content)
    with reader_of(path) as reader:
        next(reader)
        with path.open("r+b") as file:
            file.seek(-1, os.SEEK_END)
            last = file.read()
            file.seek(-1, os.SEEK_END)
            file.write(last)
        os.utime(path, ns=(0, 0))  # the clock of a file system may be too coarse to show it
        with pytest.raises(SourceError, match=r"a\.xml was changed while it was read: what was loaded of it may be"):
            list(reader)


def test_a_file_that_is_replaced_while_it_is_read_is_read_as_it_was(tmp_path: Path) -> None:
    path = tmp_path / "a.xml"
    content = b"<r>" + b"x" * (16 << 20) + b"</r>"
    path.write_bytes(content)
    with reader_of(path) as reader:
        (tmp_path / "b.xml").write_bytes(b"<other/>")
        (tmp_path / "b.xml").rename(path)
        assert b"".join(reader) == content


def test_compressed_and_transcoded(tmp_path: Path) -> None:
    document = '<?xml version="1.0" encoding="latin1"?><r>é</r>'
    (tmp_path / "a.xml").write_bytes(gzip.compress(document.encode("latin-1")))
    with reader_of(tmp_path / "a.xml") as reader:
        assert b"".join(reader) == '<?xml version="1.0"?><r>é</r>'.encode()


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "is empty."),
        (gzip.compress(b"", mtime=0), "is empty."),
        (b"\xef\xbb\xbf", "is empty."),
        (b" \n" * 5000, "holds nothing but white space."),
        (b'  {"a": 1}', "is not XML: it begins with '{\"a\": 1}'."),
        (b"id;name\n1;\xff", "is not XML: it begins with 'id;name\\n1;\\\\xff'."),
        (gzip.compress(b"\0\x01\x02" * 1000, mtime=0), "is not XML: it begins with "),
        (b"\x7fELF\x02", "is not XML: it begins with '\\x7fELF\\x02'."),
    ],
)
def test_what_is_not_xml(tmp_path: Path, content: bytes, message: str) -> None:
    path = tmp_path / "a.xml"
    path.write_bytes(content)
    with reader_of(path) as reader, pytest.raises(SourceError) as raised:
        list(reader)
    assert str(raised.value).startswith(f"{path} {message}")
    assert len(str(raised.value)) < len(str(path)) + 200


def test_an_error_comes_after_what_could_be_read(tmp_path: Path) -> None:
    data = gzip.compress(b"<r>" + os.urandom(3 << 20))
    (tmp_path / "a.gz").write_bytes(data[: len(data) // 2])
    chunks: list[bytes] = []
    with reader_of(tmp_path / "a.gz") as reader:
        for _ in range(2):
            with pytest.raises(SourceError, match="is cut off"):
                chunks.extend(reader)
    assert sum(len(chunk) for chunk in chunks) > 1 << 20


def test_read_ahead_is_bounded() -> None:
    file = io.BytesIO(b"<r>" + bytes(64 << 20))
    consumed = ahead = 0
    with SourceReader(file, "a.xml", interruptible=True) as reader:
        for chunk in reader:
            consumed += len(chunk)
            time.sleep(0.002)
            if not file.closed:
                ahead = max(ahead, file.tell() - consumed)
    # The queue, and a chunk in the thread's hands.
    assert 0 < ahead <= 5 << 20


def test_stopping_wakes_who_waits_for_a_chunk(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    writer = os.open(tmp_path / "pipe", os.O_RDWR)
    reader = reader_of(tmp_path / "pipe")
    raised: list[BaseException] = []

    def consume() -> None:
        try:
            next(reader)
        except SourceError as error:
            raised.append(error)

    consumer = threading.Thread(target=consume)
    consumer.start()
    reader.stop()
    consumer.join(timeout=30)
    assert not consumer.is_alive()
    assert str(raised[0]) == f"Reading {tmp_path / 'pipe'} was stopped."
    reader.close()
    # The thread still waits for the pipe; it must not keep anyone from ending.
    (name,) = reading_threads()
    thread = next(thread for thread in threading.enumerate() if thread.name == name)
    assert thread.daemon
    os.close(writer)
    thread.join(timeout=30)
    assert reading_threads() == []


def test_a_slow_pipe_is_handed_on_as_it_comes(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    writer = os.open(tmp_path / "pipe", os.O_RDWR)
    with reader_of(tmp_path / "pipe") as reader:
        os.write(writer, b"<r>" + b" " * 5000)
        assert next(reader) == b"<r>" + b" " * 5000
        os.write(writer, b"<e/>")
        assert next(reader) == b"<e/>"
        os.close(writer)
        assert list(reader) == []
    assert reader.position == 5007


PROGRAM = """
import sys
from etl.extract.source import expand, open_source
with open_source(expand(["-"])[0]) as reader:
    print(len(next(reader)), flush=True)
"""


def test_standard_input_does_not_hold_up_the_end_of_the_program() -> None:
    program = subprocess.Popen([sys.executable, "-c", PROGRAM], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    assert program.stdin is not None
    assert program.stdout is not None
    with program:
        program.stdin.write(b"<r>" + b" " * 5000)
        program.stdin.flush()
        assert program.stdout.readline() == b"5003\n"
        assert program.wait(timeout=60) == 0
