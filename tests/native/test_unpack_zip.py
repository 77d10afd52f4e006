"""Members of a zip that are checked and unpacked together, `_zip`: the same members as one by one in Python."""

from __future__ import annotations

import io
import shutil
import struct
import subprocess
import tracemalloc
import zipfile
import zlib
from array import array
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from etl import native
from etl.errors import SourceError
from etl.extract import zip_directory, zip_window
from etl.extract.member import SMALL_BYTES, ArchiveLimits, SmallMembers
from etl.extract.raw_file import RawFile
from etl.extract.zip_directory import Entries, Entry, check_directory, find_directory
from etl.extract.zip_members import zip_members
from tests.native.members_seen import Seen, members_seen

pytestmark = pytest.mark.skipif(
    bool(native.unavailable() or native.problem("_zip")), reason=native.unavailable() or native.problem("_zip")
)

RELAXED = settings(deadline=None, max_examples=800)
LIMITS = ArchiveLimits(250, 10**12)


def members(data: bytes, together: int | None = None) -> tuple[list[Seen], str]:
    """All members, and the error behind them; without `together` read by Python alone."""
    if together is None:
        with pytest.MonkeyPatch.context() as patch:
            patch.setenv(native.SWITCH, "0")
            return members_seen(lambda: zip_members(RawFile(io.BytesIO(data), "dump.zip"), LIMITS))
    return members_seen(lambda: zip_members(RawFile(io.BytesIO(data), "dump.zip"), LIMITS, together))


def check_same(data: bytes, together: int = 1 << 16, ahead: int = 1 << 20) -> tuple[list[Seen], str]:
    """The members; `ahead`: so many bytes are read at once."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(zip_window, "_AHEAD_BYTES", ahead)
        patch.setattr(zip_window, "_APART_BYTES", min(ahead, zip_window._APART_BYTES))
        expected = members(data)
        assert members(data, together) == expected
    return expected


def unpacked(data: bytes) -> int:
    """How many members are unpacked together."""
    found = zip_members(RawFile(io.BytesIO(data), "dump.zip"), LIMITS, 1 << 16)
    return sum(len(member.sizes) for member in found if isinstance(member, SmallMembers))


@dataclass(frozen=True)
class Made:
    """An entry of a zip, as it is written; None: as it should be."""

    name: bytes = b"a.xml"
    content: bytes = b"<a/>"
    method: int = 8
    level: int = 6
    flags: int = 0
    system: int = 3
    mode: int = 0o100644
    extra: bytes = b""
    own_extra: bytes = b""
    """Of the member's own header."""
    comment: bytes = b""
    own_signature: bytes = b"PK\3\4"
    disk: int = 0
    behind: bytes = b""
    """Between the content and what comes next: sizes and checksum, or anything."""
    packed: bytes | None = None
    checksum: int | None = None
    size: int | None = None
    compressed: int | None = None
    shift: int = 0
    """So far from where it stands the directory says that it does."""
    big: int = 0
    """For size, compressed size and offset (1, 2, 4) whether they stand in an extra field."""


def deflated(content: bytes, level: int) -> bytes:
    packer = zlib.compressobj(level, zlib.DEFLATED, -15)
    return packer.compress(content) + packer.flush()


def zipped(
    entries: list[Made], before: bytes = b"", comment: bytes = b"", count: int | None = None, big_end: bool = False
) -> bytes:
    """A zip of these, behind anything."""
    data, directory = b"", b""
    for made in entries:
        packed = made.packed
        if packed is None:
            packed = deflated(made.content, made.level) if made.method == 8 else made.content
        checksum = zlib.crc32(made.content) if made.checksum is None else made.checksum
        numbers = [
            len(made.content) if made.size is None else made.size,
            len(packed) if made.compressed is None else made.compressed,
            max(0, len(data) + made.shift),
        ]
        wide = b"".join(struct.pack("<Q", number) for place, number in enumerate(numbers) if made.big & 1 << place)
        extra = (struct.pack("<HH", 1, len(wide)) + wide if wide else b"") + made.extra
        size, compressed, offset = (
            0xFFFFFFFF if made.big & 1 << place else number for place, number in enumerate(numbers)
        )
        head = struct.pack("<HHHHHLLL", 20, made.flags, made.method, 0, 33, checksum, compressed, size)
        data += made.own_signature + head + struct.pack("<HH", len(made.name), len(made.own_extra))
        data += made.name + made.own_extra + packed + made.behind
        directory += b"PK\1\2" + bytes([20, made.system]) + head
        lengths = len(made.name), len(extra), len(made.comment)
        directory += struct.pack("<HHHHHLL", *lengths, made.disk, 0, made.mode << 16, offset)
        directory += made.name + extra + made.comment
    number = len(entries) if count is None else count
    end = b""
    if big_end:
        record = struct.pack("<4sQ2H2L4Q", b"PK\6\6", 44, 45, 45, 0, 0, number, number, len(directory), len(data))
        end = record + struct.pack("<4sLQL", b"PK\6\7", 0, len(before) + len(data) + len(directory), 1)
    end += struct.pack("<4s4HLLH", b"PK\5\6", 0, 0, number, number, len(directory), len(data), len(comment)) + comment
    return before + data + directory + end


def unicode_path(name: bytes, better: bytes) -> bytes:
    """The extra field that has a name in UTF-8."""
    return struct.pack("<HHBL", 0x7075, 5 + len(better), 1, zlib.crc32(name)) + better


CONTENTS = st.sampled_from(
    [
        b"",
        b"x",
        b"<a/>",
        b"<a>" + b"x" * 3000 + b"</a>",
        bytes(range(256)) * 9,
        Random(1).randbytes(700),
        b"\xef\xbb\xbf<a/>",
    ]
)
NAMES = st.sampled_from(
    [
        *(
            *[b"a.xml", b"folder/b.xml"] * 6,
            b"",
            b"folder/",
            "é.xml".encode(),
            "é.xml".encode("cp437"),
            b"\xff.xml",
            b"a\nb",
        ),
        *(b"n" * 300, b"a\0b", b"/abs.xml", b"..\\x.xml", "日本".encode(), b"\x7f", "é/".encode()),
    ]
)
ODD: dict[str, Sequence[object]] = {
    "method": [0, 1, 9, 12, 14, 93, 95, 99],
    "flags": [1, 2, 4, 6, 8, 1 << 5, 1 << 6, 1 << 11, 1 << 11 | 8, 1 << 13, 1 << 4, 0xFFFF],
    "system": [0, 3, 10, 19],
    "mode": [0, 0o644, 0o100644, 0o40755, 0o120777, 0o010644, 0o060644, 0o140777],
    "extra": [
        *(
            b"x",
            struct.pack("<HH", 99, 2) + b"ab",
            struct.pack("<HH", 1, 8) + bytes(8),
            unicode_path(b"a.xml", b"u.xml"),
        ),
        *(
            unicode_path("é.xml".encode("cp437"), "é.xml".encode()),
            unicode_path(b"\xff.xml", b"better.xml"),
            bytes(5000),
        ),
    ],
    "own_extra": [b"x" * 9, b"PK\3\4" * 50, bytes(70), bytes(5000)],
    "comment": [b"c", b"PK\1\2" * 20, bytes(3000)],
    "own_signature": [b"PK\3\5", b"\0\0\0\0", b"PK\1\2"],
    "disk": [1, 0xFFFF],
    "behind": [b"PK\7\10" + bytes(12), b"anything", bytes(100)],
    "checksum": [0, 1, 0xFFFFFFFF],
    "size": [0, 3, 4, 5, SMALL_BYTES, SMALL_BYTES + 1, 1 << 31, 0xFFFFFFFF],
    "compressed": [0, 1, 5, 20, SMALL_BYTES + 1, 0xFFFFFFFF],
    "packed": [
        *(b"", b"\3\0", b"\3\0more", b"\7\0", deflated(b"<a/>", 9) + b"more", deflated(b"<a/>", 9)[:-1], b"<a/>" * 2),
        *(deflated(b"<a/>", 0), deflated(b"<a/>", 6) * 2, b"\xff" * 40, zlib.compress(b"<a/>")),
    ],
    "shift": [1, -1, 7, -40, 1000],
    "big": [1, 2, 3, 4, 7],
}


@st.composite
def entries(draw: st.DrawFn) -> Made:
    """Entries of which most have nothing unusual about them, and some have one thing or two."""
    made = Made(draw(NAMES), draw(CONTENTS), draw(st.sampled_from([8, 8, 8, 0])), draw(st.integers(0, 9)))
    odd = draw(st.lists(st.sampled_from([*ODD]), max_size=draw(st.sampled_from([0, 1, 1, 2])), unique=True))
    changes = {field: draw(st.sampled_from(ODD[field])) for field in odd}
    return replace(made, **changes)  # type: ignore[arg-type]


TOGETHER = st.sampled_from([1 << 16, 1 << 16, 0, 1, 600])
AHEAD = st.sampled_from([1 << 20, 1 << 20, 1, 64, 700])


@RELAXED
@given(
    st.lists(entries(), max_size=6),
    st.sampled_from([b"", b"", b"#!/bin/sh\n", bytes(2000), b"PK\3\4" * 10]),
    st.sampled_from([b"", b"", b"comment", b"PK\5\6" + bytes(18)]),
    st.sampled_from([None, None, None, 0, 1, 2]),
    st.booleans(),
    TOGETHER,
    AHEAD,
)
def test_entries_of_every_form(
    made: list[Made], before: bytes, comment: bytes, count: int | None, big_end: bool, together: int, ahead: int
) -> None:
    check_same(zipped(made, before, comment, count, big_end), together, ahead)


@pytest.mark.parametrize("field", ODD)
def test_a_thing_that_is_odd_among_others_that_are_not(field: str) -> None:
    for odd in ODD[field]:
        for name in (b"a.xml", "é.xml".encode(), "é.xml".encode("cp437"), b"\xff.xml"):
            for flags in (0, 1 << 11):
                made = Made(name=name, flags=flags)
                strange = replace(made, **{field: odd})  # type: ignore[arg-type]
                check_same(zipped([made, strange, made, replace(strange, method=0), made]))
                check_same(zipped([made, strange, made], b"before"))


def usual(count: int = 12) -> list[Made]:
    """Members as usual programs write them."""
    contents = [b"", b"<a/>", b"<a>" + b"text " * 200 + b"</a>", Random(2).randbytes(500)]
    return [
        Made(
            [b"a.xml", b"folder/b.xml", "é.xml".encode()][number % 3],
            contents[number % 4],
            [8, 0][number % 5 == 4],
            number % 10,
            [0, 0, 1 << 11][number % 3] | [0, 8][number % 2],
            behind=[b"", b"PK\7\10" + bytes(12)][number % 2],
            own_extra=[b"", b"UT\5\0\3" + bytes(4)][number % 2],
        )
        for number in range(count)
    ]


def test_members_of_usual_zips_are_unpacked_together() -> None:
    for data in (zipped(usual()), zipped(usual(), b"#!/bin/sh\n", b"comment", big_end=True)):
        assert unpacked(data) == 12
        seen, problem = check_same(data)
        assert [content for *_, content in seen] == [made.content for made in usual()]
        assert [name for name, *_ in seen] == [made.name.decode() for made in usual()]
        assert problem == ""


def test_those_of_zipfile() -> None:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        for level in range(10):
            archive.writestr(f"{level}.xml", b"<a>" + b"x%d" % level * 999 + b"</a>", zipfile.ZIP_DEFLATED, level)
            archive.writestr(f"ü{level}.xml", b"<a/>", zipfile.ZIP_STORED)
        with archive.open("big.xml", "w", force_zip64=True) as member:
            member.write(b"<a/>")
        archive.writestr("folder/", b"")
        archive.writestr("b.xml", b"<b/>", zipfile.ZIP_BZIP2)
        archive.writestr("c.xml", b"<c/>")
    seen, problem = check_same(file.getvalue())
    assert (len(seen), problem) == (24, "")
    assert unpacked(file.getvalue()) >= 21


@pytest.mark.skipif(shutil.which("zip") is None, reason="there is no zip program")
@pytest.mark.parametrize("options", [[], ["-0"], ["-fd"], ["-fz"], ["-e", "-P", "x"], ["-y"], ["-Z", "bzip2"]])
def test_those_of_info_zip(options: list[str], tmp_path: Path) -> None:
    (tmp_path / "folder").mkdir()
    for name in ("a.xml", "é.xml", "folder/b.xml"):
        (tmp_path / name).write_bytes(b"<a>" + name.encode() * 99 + b"</a>")
    (tmp_path / "empty.xml").touch()
    (tmp_path / "link.xml").symlink_to("a.xml")
    command = ["zip", "-q", "-r", *options, "made.zip", "a.xml", "é.xml", "folder", "empty.xml", "link.xml"]
    subprocess.run(command, cwd=tmp_path, check=True)
    seen, problem = check_same((tmp_path / "made.zip").read_bytes())
    assert (len(seen), problem) == (6, "")


def test_cut_off_anywhere() -> None:
    data = zipped(usual(5), comment=b"c" * 5)
    for end in range(len(data)):
        check_same(data[:end])


@pytest.mark.parametrize("ahead", [1, 40, 500, 1 << 20])
@pytest.mark.parametrize("together", [0, 1, 500, 1 << 20])
def test_whatever_is_read_at_once(together: int, ahead: int) -> None:
    seen, problem = check_same(zipped(usual(30)), together, ahead)
    assert (len(seen), problem) == (30, "")


@pytest.mark.parametrize("kind", ["anywhere", "in the directory", "in one of its numbers"])
def test_bytes_that_were_changed(kind: str) -> None:
    random = Random(kind)
    data = zipped(usual(6))
    directory = data.index(b"PK\1\2")
    entries = [at for at in range(directory, len(data)) if data.startswith(b"PK\1\2", at)]
    for _ in range(1500):
        spoilt = bytearray(data)
        for _ in range(random.randint(1, 3)):
            match kind:
                case "anywhere":
                    at = random.randrange(len(data))
                case "in the directory":
                    at = random.randrange(directory, len(data))
                case _:
                    at = random.choice(entries) + random.randrange(4, 46)
            spoilt[at] = random.choice([0, 1, 8, 255, random.randrange(256)])
        check_same(bytes(spoilt))


def test_what_is_left_over_behind_the_content_is_not_passed_over() -> None:
    # So long that Python takes it in pieces, and for another frame.
    content = Random(3).randbytes(100_000)
    for rest in (b"more", deflated(b"more", 6), deflated(b"", 6)):
        made = Made(content=content, packed=deflated(content, 6) + rest)
        check_same(zipped([Made(), made, Made()]))


def test_members_that_overlap_are_refused_either_way() -> None:
    made = Made(content=b"<a>" + b"x" * 300 + b"</a>")
    second = replace(made, shift=-len(zipped([made])) // 3)
    assert "overlap" in check_same(zipped([made, second, made]))[1]


def problem_of(data: bytes, compiled: bool, total: int, ahead: int = 1 << 20) -> str:
    """What is wrong with a directory, where all members may make so many bytes; "" where nothing is."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv(native.SWITCH, "1" if compiled else "0")
        patch.setattr(zip_window, "_AHEAD_BYTES", ahead)
        patch.setattr(zip_window, "_APART_BYTES", ahead)
        raw = RawFile(io.BytesIO(data), "dump.zip")
        try:
            check_directory(raw, find_directory(raw), ArchiveLimits(250, total))
        except SourceError as error:
            return str(error)
    return ""


NUMBERS = {20: 4, 24: 4, 28: 2, 30: 2, 32: 2, 34: 2, 42: 4}
"""Of an entry that say where its member stands, what that makes, and where the next entry is: place, and bytes."""


def test_directories_are_checked_as_python_checks_them() -> None:
    random = Random(5)
    seen = set()
    for _ in range(4000):
        made = [replace(one, big=random.choice([0, 0, 0, 1, 2, 4, 7])) for one in usual(random.randint(1, 8))]
        data = bytearray(zipped(made, random.choice([b"", b"before"]), big_end=random.random() < 0.1))
        entries = [at for at in range(len(data)) if data.startswith(b"PK\1\2", at)]
        for _ in range(random.choice([0, 1, 1, 2])):
            at, size = random.choice([*NUMBERS.items()])
            at += random.choice(entries)
            before = int.from_bytes(data[at : at + size], "little")
            near = before + random.choice([-40, -1, 1, 2, 30, 200])
            number = random.choice([near, near, near, 0, 2 ** (8 * size) - 1, 2 ** (8 * size) - 2])
            data[at : at + size] = (number % 2 ** (8 * size)).to_bytes(size, "little")
        if random.random() < 0.1:
            del data[random.choice(entries) :][: random.randint(1, 60)]
        total = random.choice([10**12, sum(len(one.content) for one in made) + random.choice([-1, 0, 5000])])
        ahead = random.choice([1, 60, 200, 1 << 20])
        problem = problem_of(bytes(data), False, total, ahead)
        assert problem_of(bytes(data), True, total, ahead) == problem
        seen |= {word for word in ("overlap", "beyond", "no sense", "archive_bytes") if word in problem}
        seen |= set() if problem else {""}
    assert len(seen) == 5


@pytest.mark.parametrize("ahead", [1, 300, 1 << 20])
def test_places_are_compared_across_what_is_gone_over_at_once(ahead: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(zip_directory, "_MOST", 3)
    made = [Made(content=b"x" * 50, method=0, disk=0xFFFF if number % 5 == 4 else 0) for number in range(20)]
    size = len(zipped(made[:1])) - 46 - 5 - 22
    total = sum(len(one.content) for one in made)
    assert problem_of(zipped(made), True, total, ahead) == ""
    for place in range(len(made)):
        spoilt = [*made]
        spoilt[place] = replace(made[place], size=51)
        assert "archive_bytes" in problem_of(zipped(spoilt), True, total, ahead)
        if place:
            spoilt[place] = replace(made[place], shift=-1)
            assert "overlap" in problem_of(zipped(spoilt), True, total, ahead)
            # One that stands in the place of the other, and the other way round, is not in order, but right.
            spoilt[place] = replace(made[place], shift=-size)
            spoilt[place - 1] = replace(made[place - 1], shift=size)
            assert problem_of(zipped(spoilt), True, total, ahead) == ""
        spoilt = [*made]
        spoilt[place] = replace(made[place], compressed=1 << 20)
        assert f"member {place + 1} lies beyond" in problem_of(zipped(spoilt), True, total, ahead)


def test_usual_entries_are_not_checked_one_by_one(monkeypatch: pytest.MonkeyPatch) -> None:
    data = zipped([*usual(500), Made(disk=0xFFFF), *usual(500)])
    read: list[int] = []
    one_by_one = Entries.read

    def seen(entries: Entries) -> tuple[Entry, int] | None:
        read.append(entries.at)
        return one_by_one(entries)

    monkeypatch.setattr(Entries, "read", seen)
    assert problem_of(data, True, 10**12) == ""
    assert len(read) == 2
    read.clear()
    # Behind two that are not usual, the compiled code is not asked at once.
    assert problem_of(zipped([Made(), *[Made(disk=0xFFFF)] * 2, *usual(500)]), True, 10**12) == ""
    assert 3 < len(read) < 30
    read.clear()
    assert problem_of(data, False, 10**12) == ""
    assert len(read) == 1001


def test_a_member_that_is_not_small_comes_alone() -> None:
    for size in (SMALL_BYTES - 1, SMALL_BYTES, SMALL_BYTES + 1):
        for method in (0, 8):
            data = zipped([Made(content=b"x" * size, method=method)])
            assert check_same(data) == ([("a.xml", size, "", b"x" * size)], "")
            assert unpacked(data) == (size <= SMALL_BYTES)


def test_a_small_member_that_takes_much_when_compressed_does_not_come_into_memory() -> None:
    packed = Random(4).randbytes(30 << 20)
    data = zipped([Made(), Made(size=10, checksum=1, packed=packed), Made()])
    tracemalloc.start()
    try:
        seen, problem = members(data, 1 << 16)
        most = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert (len(seen), problem) == (3, "")
    assert most < 10 << 20


def test_a_place_that_is_not_in_the_directory_is_refused() -> None:
    from etl.native import _zip

    assert _zip.unpack(b"x" * 60, 60, b"", 0, 0, 5, 5, 5)[3] == 60
    with pytest.raises(ValueError, match="place"):
        _zip.unpack(b"x" * 60, 61, b"", 0, 0, 5, 5, 5)
    assert _zip.places(b"x" * 60, 60, 0, 5, 0, 5) == (array("Q"), array("Q"), True, 0, 60)
    with pytest.raises(ValueError, match="place"):
        _zip.places(b"x" * 60, 61, 0, 5, 0, 5)


def test_places_with_the_largest_numbers_and_none() -> None:
    from etl.native import _zip

    data = zipped(usual(4))
    directory = data[data.index(b"PK\1\2") : -22]
    begins, ends, in_order, total, behind = usually = _zip.places(directory, 0, 0, 2**64 - 1, 0, 2**64 - 1)
    assert (len(begins), in_order, behind) == (4, True, len(directory))
    assert total == sum(len(one.content) for one in usual(4))
    assert _zip.places(directory, 0, 0, ends[3], 0, 4) == usually
    assert _zip.places(directory, 0, 0, ends[3], 1, 4)[2] is False
    for most, limit in ((3, ends[3]), (4, ends[3] - 1)):
        assert _zip.places(directory, 0, 0, limit, 0, most)[:2] == (begins[:3], ends[:3])
    for shift in (2**64 - 1, 2**64 - ends[0], 1 << 63):
        found = _zip.places(directory, 0, shift, 2**64 - 1, 0, 4)
        assert [*found[0]] == ([begin + shift for begin in begins] if shift == 1 << 63 else [])
    for numbers in ((0, 0, 0, 4), (0, 2**64 - 1, 0, 0), (1, 0, 0, 4)):
        assert _zip.places(directory, 0, *numbers) == (array("Q"), array("Q"), True, 0, 0)
    for big in (1, 2, 4):
        wide = zipped([Made(), Made(big=big)])
        entries = wide[wide.index(b"PK\1\2") : -22]
        assert len(_zip.places(entries, 0, 0, 2**64 - 1, 0, 4)[0]) == 1
    for numbers in ((-1, 0, 0, 0), (0, 2**64, 0, 0), (0, 0, 2**64, 0), (0, 0, 0, -1)):
        with pytest.raises(OverflowError):
            _zip.places(directory, 0, *numbers)


def test_the_largest_numbers_and_none() -> None:
    from etl.native import _zip

    data = zipped(usual(4))
    directory = data[data.index(b"PK\1\2") : -22]
    usually = _zip.unpack(directory, 0, data, 0, 0, 100, 1 << 20, SMALL_BYTES)
    assert len(usually[0]) == 4
    assert _zip.unpack(directory, 0, data, 2**64 - 1, 2**64 - 1, 1, 0, SMALL_BYTES)[0] == usually[0][:1]
    for numbers in ((0, 1 << 20, SMALL_BYTES), (100, 0, 0), (100, 1 << 20, 0)):
        assert _zip.unpack(directory, 0, data, 0, 0, *numbers)[0] in ([], usually[0][:1])
    assert _zip.unpack(directory, 0, data, 1 << 40, 0, 100, 1 << 20, SMALL_BYTES)[0] == []
    with pytest.raises(MemoryError):
        _zip.unpack(directory, 0, data, 0, 0, 2**63, 0, 0)
    for beyond in ((2**64, 0, 0, 0), (0, 2**64, 0, 0), (0, 0, -1, 0), (0, 0, 0, 2**64)):
        with pytest.raises(OverflowError):
            _zip.unpack(directory, 0, data, *beyond, 2**32)
