"""Decompression by content, also of files that are cut off or damaged."""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
import random
import subprocess
import tarfile
import zipfile
from collections.abc import Callable

import pytest
import zstandard

from etl.errors import SourceError
from etl.extract.decompress import decompress

# Text that compresses somewhat, but differs everywhere.
TEXT = " ".join(f"{random.Random(number).getrandbits(64):x}" for number in range(40_000)).encode()

COMPRESSORS: dict[str, Callable[[bytes], bytes]] = {
    "gzip": gzip.compress,
    "bzip2": lambda data: bz2.compress(data, 1),
    "xz": lzma.compress,
    "lzma": lambda data: lzma.compress(data, format=lzma.FORMAT_ALONE),
    "zstd": zstandard.ZstdCompressor().compress,
}
STREAMING = [name for name in COMPRESSORS if name != "lzma"]


def read_all(data: bytes, block_bytes: int = 1 << 16) -> tuple[bytes, str]:
    """What is decompressed, and the error at its end."""
    file = io.BytesIO(data)
    content = b""
    try:
        for chunk in decompress(lambda: file.read(block_bytes), "dump.gz"):
            content += chunk
    except SourceError as error:
        return content, str(error)
    return content, ""


@pytest.mark.parametrize("block_bytes", [1 << 10, 1 << 20])
@pytest.mark.parametrize("name", COMPRESSORS)
def test_every_format(name: str, block_bytes: int) -> None:
    assert read_all(COMPRESSORS[name](TEXT), block_bytes) == (TEXT, "")


@pytest.mark.parametrize("block_bytes", [1, 7, 1 << 20])
@pytest.mark.parametrize("name", STREAMING)
def test_several_streams_are_one_file(name: str, block_bytes: int) -> None:
    compress = COMPRESSORS[name]
    parts = [b"<r>", b"", b"x" * 1000, b"</r>"]
    assert read_all(b"".join(compress(part) for part in parts), block_bytes) == (b"".join(parts), "")


@pytest.mark.parametrize("block_bytes", [1, 1 << 20])
def test_padding_between_and_behind_streams(block_bytes: int) -> None:
    data = gzip.compress(b"<r>") + bytes(513) + gzip.compress(b"</r>") + bytes(1000)
    assert read_all(data, block_bytes) == (b"<r></r>", "")


def test_skippable_frames_and_long_windows_of_zstd() -> None:
    skippable = b"\x50\x2a\x4d\x18\x04\0\0\0abcd"
    parameters = zstandard.ZstdCompressionParameters(window_log=31)
    frame = zstandard.ZstdCompressor(compression_params=parameters).compressobj().compress(b"")
    compressor = zstandard.ZstdCompressor(compression_params=parameters).compressobj()
    frame = compressor.compress(b"<r/>") + compressor.flush()
    assert read_all(skippable + frame + skippable) == (b"<r/>", "")


@pytest.mark.parametrize("name", COMPRESSORS)
def test_a_file_that_is_cut_off_gives_all_there_is(name: str) -> None:
    data = COMPRESSORS[name](TEXT)
    content, message = read_all(data[: len(data) // 2])
    assert TEXT.startswith(content)
    assert len(content) > len(TEXT) // 4
    kind = "xz" if name == "lzma" else name
    assert message == f"dump.gz is cut off: its {kind} data ends too early, at byte {len(data) // 2}."


@pytest.mark.parametrize("name", ["gzip", "bzip2", "zstd", "xz"])
def test_a_damaged_file_gives_what_comes_before(name: str) -> None:
    data = bytearray(COMPRESSORS[name](TEXT) * 2)
    half = len(data) // 2
    data[half + 20 : half + 60] = bytes(range(40))
    content, message = read_all(bytes(data))
    assert content.startswith(TEXT)
    assert message.startswith(f"dump.gz is damaged: its {name} data cannot be decompressed near byte ")


PROGRAMS = {
    "gzip": ["gzip", "-c"],
    "gzip -1": ["gzip", "-1", "-c"],
    "bzip2": ["bzip2", "-1", "-c"],
    "xz": ["xz", "-0", "-c"],
    "zstd": ["zstd", "-q", "-c"],
}
HELD_BACK = {"gzip": 1 << 9, "gzip -1": 1 << 9, "bzip2": 100_000, "xz": 1 << 9, "zstd": 1 << 17}
"""Of what a format can only give in blocks, less than one is missing: 100 kB in bzip2 -1, 128 KiB in zstd."""


@pytest.fixture(scope="module", params=PROGRAMS)
def packed(request: pytest.FixtureRequest) -> tuple[str, bytes]:
    done = subprocess.run(PROGRAMS[request.param], input=TEXT, stdout=subprocess.PIPE, check=True)
    return request.param, done.stdout


def test_a_file_of_a_program_cut_off_anywhere(packed: tuple[str, bytes]) -> None:
    program, data = packed
    places = random.Random(1).sample(range(20, len(data)), 60)
    contents = {cut: read_all(data[:cut]) for cut in sorted([*places, *range(len(data) - 12, len(data))])}
    for cut, (content, message) in contents.items():
        assert TEXT.startswith(content)
        assert message == f"dump.gz is cut off: its {program.split()[0]} data ends too early, at byte {cut}."
    # Evenly compressed text: what came out is what stands before the cut, but for a block.
    least = {cut: len(TEXT) * cut // len(data) - HELD_BACK[program] - len(TEXT) // 50 for cut in contents}
    assert {cut: len(content) for cut, (content, _) in contents.items() if len(content) < least[cut]} == {}


def test_a_later_stream_cut_off_anywhere(packed: tuple[str, bytes]) -> None:
    program, data = packed
    for cut in [1, 2, 3, 4, 5, 6, 7, 10, 18, len(data) // 2, len(data) - 1]:
        content, message = read_all(data + data + data[:cut])
        assert (TEXT * 3).startswith(content)
        assert len(content) >= 2 * len(TEXT)
        assert message == (
            f"dump.gz is cut off: its {program.split()[0]} data ends too early, at byte {2 * len(data) + cut}."
        )


def test_a_short_beginning_is_not_lost_with_the_error() -> None:
    data = gzip.compress(b"<r>short") + gzip.compress(TEXT)[:-200]
    assert read_all(gzip.compress(b"<r>short")[:-4])[0] == b"<r>short"
    assert read_all(data)[0].startswith(b"<r>short" + TEXT[:1000])


@pytest.mark.parametrize("name", ["bzip2", "xz", "zstd"])
def test_memory_stays_flat_whatever_data_grows(name: str) -> None:
    file = io.BytesIO(COMPRESSORS[name](bytes(100 << 20)))
    sizes = [len(chunk) for chunk in decompress(lambda: file.read(1 << 20), "dump")]
    assert sum(sizes) == 100 << 20
    assert max(sizes) < 40 << 20


def test_what_follows_the_compressed_data() -> None:
    data = gzip.compress(b"<r/>")
    assert read_all(data + b"garbage") == (
        b"<r/>",
        f"dump.gz is damaged: behind its gzip data, at byte {len(data)}, something else follows.",
    )


def test_memory_stays_flat_where_data_grows_a_thousandfold() -> None:
    file = io.BytesIO(gzip.compress(bytes(200 << 20)))
    sizes = [len(chunk) for chunk in decompress(lambda: file.read(1 << 20), "dump.gz")]
    assert sum(sizes) == 200 << 20
    assert max(sizes) < 16 << 20


def test_nothing_is_held_back_while_input_is_waited_for() -> None:
    compressor = zstandard.ZstdCompressor().compressobj()
    first = compressor.compress(b"<r>" + TEXT[:1000]) + compressor.flush(zstandard.COMPRESSOBJ_FLUSH_BLOCK)
    blocks = iter([first + bytes(0)])

    def read() -> bytes:
        block = next(blocks, None)
        assert block is not None, "waited for more than it needs"
        return block

    assert next(decompress(read, "dump.zst")) == b"<r>" + TEXT[:1000]


def _zip() -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr("a.xml", "<r/>")
    return file.getvalue()


def _tar() -> bytes:
    file = io.BytesIO()
    with tarfile.open(fileobj=file, mode="w") as archive:
        archive.addfile(tarfile.TarInfo("a.xml"))
    return file.getvalue()


def _one(kind: str) -> str:
    return f"dump.gz is a {kind} archive where one document is expected: load it from a file of its own, or unpack it."


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (_zip(), _one("zip")),
        (gzip.compress(_zip()), _one("zip")),
        (_tar(), _one("tar")),
        (gzip.compress(_tar()), _one("tar")),
        (
            b"7z\xbc\xaf\x27\x1c" + bytes(300),
            "dump.gz is a 7z archive, which is not read here: unpack it first, "
            "or pipe one file (7z x -so FILE | etl load -).",
        ),
    ],
    ids=["zip", "zip.gz", "tar", "tar.gz", "7z"],
)
def test_archives_are_refused(data: bytes, message: str) -> None:
    assert read_all(data) == (b"", message)


@pytest.mark.parametrize("data", [b"", b"<r/>", b"\x1f", b"BZ", b"x" * 300])
def test_anything_else_passes(data: bytes) -> None:
    assert read_all(data) == (data, "")
