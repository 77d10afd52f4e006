"""Members of a tar that are walked over together, `_documents.walk_tar`: the same members as one by one in Python."""

from __future__ import annotations

import io
import shutil
import subprocess
import tarfile
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from etl import native
from etl.errors import SourceError
from etl.extract.member import SMALL_BYTES, SmallMembers
from etl.extract.raw_file import RawFile
from etl.extract.tar_feed import TarFeed
from etl.extract.tar_members import tar_members
from tests.native.members_seen import Seen, members_seen

pytestmark = pytest.mark.skipif(native.unavailable() != "", reason=native.unavailable())

RELAXED = settings(deadline=None, max_examples=400)
BLOCK = 512


def feed_of(data: bytes, chunk: int, seekable: bool, failing: bool = False) -> TarFeed:
    """The bytes as they come, from a file that can be skipped in or not; `failing`: decompression ends in an error."""

    def chunks(raw: RawFile) -> Iterator[bytes]:
        while block := raw.read(chunk):
            yield block
        if failing:
            raise SourceError("dump.tar cannot be decompressed beyond that.")

    raw = RawFile(io.BytesIO(data), "dump.tar")
    return TarFeed(chunks(raw), "dump.tar", raw if seekable else None)


def members(feed: TarFeed, together: int | None) -> tuple[list[Seen], str]:
    """All members, and the error behind them."""
    return members_seen(lambda: tar_members(feed, together))


def check_same(
    data: bytes, chunk: int = 1 << 20, together: int = 1 << 16, seekable: bool = True, failing: bool = False
) -> tuple[list[Seen], str]:
    expected = members(feed_of(data, chunk, seekable, failing), None)
    assert members(feed_of(data, chunk, seekable, failing), together) == expected
    return expected


def walked(data: bytes) -> int:
    """How many members are walked over together."""
    found = tar_members(feed_of(data, 1 << 20, False), 1 << 16)
    return sum(len(member.sizes) for member in found if isinstance(member, SmallMembers))


def summed(header: bytes, write: str = "%06o\0 ") -> bytes:
    """The header with a checksum that is right."""
    blank = header[:148] + b" " * 8 + header[156:]
    return blank[:148] + (write % sum(blank)).encode().ljust(8, b"\0")[:8] + blank[156:]


def header(name: bytes, size: bytes, kind: bytes = b"0", magic: bytes = b"ustar\00000", prefix: bytes = b"") -> bytes:
    fields = [
        *((name, 100), (b"0000644", 8), (b"0000000", 8), (b"0000000", 8), (size, 12), (b"00000000000", 12)),
        *((b"", 8), (kind, 1), (b"", 100), (magic, 8), (b"", 80), (prefix, 155), (b"", 12)),
    ]
    return summed(b"".join(field.ljust(width, b"\0")[:width] for field, width in fields))


def blocks(content: bytes) -> bytes:
    return content + bytes(-len(content) % BLOCK)


FIRST = header(b"first.xml", b"%011o" % 0)
"""Python reads the first header, to see what the file is."""


def pax(*records: bytes) -> bytes:
    made = b""
    for record in records:
        size = len(record) + 3
        while len(b"%d %s\n" % (size, record)) != size:
            size += 1
        made += b"%d %s\n" % (size, record)
    return made


NAMES = st.sampled_from(
    [
        *(
            "a.xml",
            "a.xml",
            "folder/b.xml",
            "é.xml",
            "n" * 100,
            "l" * 101 + ".xml",
            "x" * 150 + "/" + "y" * 90,
            "ü" * 90,
        ),
        *(
            "folder/",
            "a\nb.xml",
            "ends in space ",
            "d" * 300 + "/e.xml",
            "日本語/" * 60 + "f.xml",
            "\udcff.xml",
            " ",
            ".",
        ),
    ]
)
KINDS = st.sampled_from([tarfile.REGTYPE] * 8 + [tarfile.AREGTYPE, b"1", b"2", b"3", b"5", b"6", b"7", b"Z", b"S"])
TIMES = st.sampled_from([0, 1, 1.5, 1_700_000_000, 1_700_000_000.25, 2**34, -1, -1.5])
PAX_HEADERS = st.sampled_from(
    [
        *({}, {}, {}, {"atime": "1.5"}, {"path": "of pax.xml"}, {"path": ""}, {"size": "3"}, {"comment": "x" * 9000}),
        *({"GNU.sparse.name": "s.xml"}, {"GNU.sparse.major": "1"}, {"mtime": "7"}, {"hdrcharset": "BINARY"}, {"": "x"}),
    ]
)
SIZES = st.one_of(st.integers(0, 40), st.sampled_from([0, 511, 512, 513, 1024, 5000]))


@st.composite
def tars(draw: st.DrawFn) -> bytes:
    """Tars as Python's tarfile writes them, in each of its formats, with members of every kind."""
    kind = draw(st.sampled_from([tarfile.USTAR_FORMAT, tarfile.GNU_FORMAT, tarfile.PAX_FORMAT]))
    file = io.BytesIO()
    with tarfile.open(
        fileobj=file, mode="w", format=kind, pax_headers={"comment": "x"} if draw(st.integers(0, 9)) == 9 else {}
    ) as archive:
        for number in range(draw(st.integers(0, 7))):
            entry = tarfile.TarInfo(draw(NAMES))
            entry.type = draw(KINDS)
            entry.linkname = draw(st.sampled_from(["", "a.xml", "l" * 150])) if entry.type in (b"1", b"2") else ""
            entry.size = draw(SIZES) if entry.type not in b"123456" else 0
            entry.mtime = draw(TIMES)
            entry.pax_headers = dict(draw(PAX_HEADERS))
            try:
                archive.addfile(entry, io.BytesIO(bytes((number * 7 + 1) % 256 for _ in range(entry.size))))
            except (ValueError, UnicodeEncodeError):  # the format has no room for that
                continue
    return file.getvalue()


CHUNKS = st.one_of(st.sampled_from([1 << 20] * 3), st.integers(1, 3000))
TOGETHER = st.sampled_from([1 << 16, 1 << 16, 0, 1, 600])


@RELAXED
@given(tars(), CHUNKS, TOGETHER, st.booleans())
def test_tars_of_every_format(data: bytes, chunk: int, together: int, seekable: bool) -> None:
    check_same(data, chunk, together, seekable)


OCTAL = st.sampled_from(
    [
        *(
            b"0000000000%o",
            b"%o",
            b"%012o",
            b"%011o ",
            b"%o \0",
            b"%o  \0x",
            b" %o",
            b"%o\0junk",
            b"%oz",
            b"-%o",
            b"+%o",
        ),
        *(b"", b" ", b"8", b"9%o", b"1_%o", b"\t%o", b"%o\t", b"\x80\0\0\0\0\0\0\0\0\0\0\5", b"\xff" * 12, b"7" * 12),
    ]
)
CHECKSUMS = st.sampled_from(
    ["%06o\0 "] * 5 + ["%07o\0", "%08o", "%06o \0", "%o", " %06o\0", "%06oz", "%06o\0z", "%o\t"]
)
RECORDS = st.sampled_from(
    [
        *(
            b"path=p.xml",
            b"path=p.xml",
            b"path=",
            b"path=folder/",
            b"mtime=1.5",
            b"mtime=",
            b"size=2",
            b"size=x",
            b"size=",
        ),
        *(
            b"GNU.sparse.major=1",
            b"GNU.sparse.name=s.xml",
            b"GNU.sparse.",
            b"uid=1",
            b"=x",
            b"a=b=c",
            b"pathx=q",
            b"pat=q",
        ),
        *(
            b"comment=" + b"x" * 8300,
            b"path=" + b"x" * 70_000,
            b"no equals",
            b"path=\xff\xc3\xa9",
            b"path=a\nb",
            b"path=a\0b",
        ),
    ]
)
DAMAGED_RECORDS = st.sampled_from(
    [b"", b"\0", b"7 a=b\n", b"5 a=b\n", b"99 a=b\n", b"6 a=b", b" a=b\n", b"x", b"0 =\n", b"4 =\n"]
)
TYPES = st.sampled_from([b"0"] * 6 + [b"\0", b"7", b"x", b"L", b"K", b"g", b"V", b"X", b"1", b"5", b"S", b"D", b"Z"])


@st.composite
def described(draw: st.DrawFn) -> bytes:
    """Header and content of something that stands before a member, of every form."""
    kind = draw(st.sampled_from([b"x", b"x", b"x", b"L", b"L", b"K", b"g", b"X", b"V"]))
    if kind in b"LK":
        content = draw(
            st.sampled_from([b"", b"\0", b"long.xml", b"long.xml\0", b"a\0b", b"x" * 70_000, b"y" * 8193, b"l/"])
        )
    else:
        content = pax(*draw(st.lists(RECORDS, max_size=3))) + draw(st.one_of(st.just(b""), DAMAGED_RECORDS))
    content += draw(st.sampled_from([b"", b"", b"\0", b"\0\0x"]))
    return header(b"././@LongLink", b"%011o" % len(content), kind) + blocks(content)


@st.composite
def entries(draw: st.DrawFn) -> bytes:
    """A member whose header is written in one of many ways, with what describes it."""
    content = bytes(draw(SIZES))
    stated = draw(st.one_of(st.just(b"%011o"), st.just(b"%011o"), OCTAL))
    made = header(
        draw(st.sampled_from([b"a.xml", b"a.xml", b"folder/", b"", b"n" * 100, b"\xff.xml", b"a\0b", b"/"])),
        stated % len(content) if b"%" in stated else stated,
        draw(TYPES),
        draw(st.sampled_from([b"ustar\00000", b"ustar  \0", b"", b"ustar"])),
        draw(st.sampled_from([b"", b"", b"prefix", b"p" * 155, b"p/", b"\0hidden"])),
    )
    if draw(st.integers(0, 5)) == 5:
        at = draw(st.integers(0, BLOCK - 1))
        made = made[:at] + draw(st.binary(min_size=1, max_size=1)) + made[at + 1 :]
    made = summed(made, draw(CHECKSUMS))
    return b"".join(draw(st.lists(described(), max_size=2))) + made + blocks(content)


END = st.sampled_from([bytes(2 * BLOCK)] * 4 + [b"", bytes(BLOCK), bytes(3 * BLOCK), bytes(700), b"x" * BLOCK])


@settings(RELAXED, max_examples=1000)
@given(st.lists(st.one_of(entries(), END), max_size=6), END, CHUNKS, TOGETHER, st.booleans(), st.booleans())
def test_headers_of_every_form(
    pieces: list[bytes], end: bytes, chunk: int, together: int, seekable: bool, failing: bool
) -> None:
    check_same(b"".join([FIRST, *pieces, end]), chunk, together, seekable, failing)


@pytest.mark.parametrize("records", [(b"path=one.xml", b"path="), (b"path=", b"path=one.xml"), (b"path=a", b"path=b")])
def test_what_is_said_twice_counts_as_it_was_said_last(records: tuple[bytes, bytes]) -> None:
    first, second = map(pax, records)
    own = header(b"own.xml", b"%011o" % 1) + blocks(b"x")
    together = [header(b"p", b"%011o" % len(first + second), b"x") + blocks(first + second), own, bytes(1024)]
    apart = [header(b"p", b"%011o" % len(one), b"x") + blocks(one) for one in (first, second)]
    for pieces in (together, [*apart, own, bytes(1024)]):
        (_, (name, *_)), problem = check_same(b"".join([FIRST, *pieces]))
        assert (name, problem) == (records[1].partition(b"=")[2].decode() or "own.xml", "")


def usual(count: int = 12) -> bytes:
    """Members of every usual kind; what is in them is of many sizes."""
    file = io.BytesIO()
    with tarfile.open(fileobj=file, mode="w", format=tarfile.PAX_FORMAT) as archive:
        for number in range(count):
            entry = tarfile.TarInfo(["a.xml", "é" * 60, "folder/" + "n" * 120][number % 3])
            entry.mtime = [0, 1.5][number % 2]
            entry.size = number * 97
            archive.addfile(entry, io.BytesIO(b"%x" % number * entry.size))
        archive.addfile(tarfile.TarInfo("folder/"))
    return file.getvalue()


def test_members_of_usual_tars_are_walked_over() -> None:
    assert walked(usual()) == 11
    (*seen, _), problem = check_same(usual())
    assert [(size, problem) for _, size, _, _ in seen] == [(number * 97, "") for number in range(12)]


def test_cut_off_anywhere() -> None:
    data = usual(5)[: 9 * BLOCK]
    for end in range(0, len(data) + 1, 7):
        for chunk in (1 << 20, 1000):
            check_same(data[:end], chunk)
            check_same(data[:end], chunk, seekable=False, failing=True)


@pytest.mark.parametrize("chunk", [1, 100, 511, 512, 513, 1023, 5000])
def test_chunks_of_any_size(chunk: int) -> None:
    for together in (0, 1, 500, 1 << 20):
        _, problem = check_same(usual(), chunk, together, seekable=False)
        assert problem == ""


def mutated(data: bytes, random: Random, summed_again: bool) -> bytes:
    """Some bytes changed, in headers more often than not."""
    spoilt = bytearray(data)
    for _ in range(random.randint(1, 3)):
        at = random.randrange(len(spoilt) // BLOCK) * BLOCK
        where = random.choice(
            [random.randrange(BLOCK), random.choice([0, 99, 124, 130, 135, 148, 155, 156, 257, 345, 500])]
        )
        change = random.choice([b"\0", b" ", b"7", b"x", b"L", b"\x80", b"=", b"\n", bytes([random.randrange(256)])])
        spoilt[at + where : at + where + 1] = change
        if summed_again:
            spoilt[at : at + BLOCK] = summed(bytes(spoilt[at : at + BLOCK]))
    return bytes(spoilt[: random.choice([len(spoilt), len(spoilt), random.randrange(len(spoilt))])])


@pytest.mark.parametrize("summed_again", [False, True])
def test_bytes_that_were_changed(summed_again: bool) -> None:
    random = Random(summed_again)
    data = usual(6)
    for _ in range(1500):
        check_same(mutated(data, random, summed_again), random.choice([1 << 20, 1 << 20, 700]))


def test_a_member_that_is_not_small_comes_alone() -> None:
    for size in (SMALL_BYTES - 1, SMALL_BYTES, SMALL_BYTES + 1):
        content = b"x" * size
        data = FIRST + header(b"a.xml", b"%011o" % size) + blocks(content) + bytes(1024)
        assert check_same(data) == ([("first.xml", 0, "", b""), ("a.xml", size, "", content)], "")
        assert walked(data) == (size <= SMALL_BYTES)


def test_a_place_that_is_not_in_the_data_is_refused() -> None:
    from etl.native import _documents

    assert _documents.walk_tar(b"x" * 600, 600, 5, 5, 5)[3] == 600
    with pytest.raises(ValueError, match="place"):
        _documents.walk_tar(b"x" * 600, 601, 5, 5, 5)


def test_the_largest_numbers_and_none() -> None:
    from etl.native import _documents

    data, most = usual(3), 2**64 - 1
    usually = _documents.walk_tar(data, 0, 100, 1 << 20, SMALL_BYTES)
    assert _documents.walk_tar(data, 0, most, most, 2**32 - 1) == usually
    assert [_documents.walk_tar(data, 0, *none)[3] for none in ((0, most, 2**32 - 1), (most, 0, 2**32 - 1))] == [0, 0]
    names, text, sizes, _ = _documents.walk_tar(data, 0, most, most, 0)
    assert (names, text, list(sizes)) == ([b"a.xml"], b"", [0])


TAR = shutil.which("tar")


@pytest.mark.skipif(TAR is None, reason="there is no tar program")
@pytest.mark.parametrize("kind", ["v7", "oldgnu", "gnu", "ustar", "pax"])
def test_tars_of_gnu_tar(kind: str, tmp_path: Path) -> None:
    folder = tmp_path / "docs"
    (folder / ("d" * 90) / ("e" * 90)).mkdir(parents=True)
    for name in ("a.xml", "é.xml", "n" * 99 + ".xml", "d" * 90 + "/" + "e" * 90 + "/x.xml"):
        (folder / name).write_bytes(name.encode() * 9)
    (folder / "empty.xml").touch()
    (folder / "link.xml").symlink_to("a.xml")
    (folder / "again.xml").hardlink_to(folder / "a.xml")
    with (folder / "sparse.xml").open("wb") as sparse:
        sparse.truncate(100_000)
        sparse.seek(90_000)
        sparse.write(b"<r/>")
    options: Sequence[str] = ["--sparse"] if kind in ("gnu", "oldgnu", "pax") else []
    file = tmp_path / "docs.tar"
    # What has no room in the format is left out, with a complaint.
    subprocess.run([str(TAR), f"--format={kind}", *options, "-cf", file, "-C", tmp_path, "docs"], capture_output=True)
    data = file.read_bytes()
    checks: list[Callable[[], object]] = [
        lambda: check_same(data),
        lambda: check_same(data, 700, 1 << 16, False),
        lambda: check_same(data[:-9000]),
    ]
    for check in checks:
        check()
    seen, problem = check_same(data)
    assert problem == ""
    assert walked(data) >= (2 if kind == "v7" else 4)
    assert ("docs/a.xml", 45, "", b"a.xml" * 9) in seen or ("docs/again.xml", 45, "", b"a.xml" * 9) in seen
