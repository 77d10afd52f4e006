"""Archives as they are: the files in a zip or a tar, those that are broken or of an evil mind among them."""

from __future__ import annotations

import bz2
import gzip
import io
import itertools
import lzma
import os
import re
import struct
import subprocess
import tarfile
import tracemalloc
import zipfile
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import zstandard

from etl.errors import EtlError, SourceError
from etl.extract.kept_stream import KeptStream
from etl.extract.member import shown_name, shown_names
from etl.extract.members import ArchiveLimits, Member, archive_kind, is_zip, open_members

LIMITS = ArchiveLimits(ratio=250, total_bytes=10**12)
LARGE = b"".join(b"<row id='%d'>%x</row>" % (number, zlib.crc32(b"%d" % number)) for number in range(60_000))
"""More than what is handed on at once."""

FILES = {"a.xml": b"<a/>", "folder/empty.xml": b"", "large.xml": LARGE, "z.xml": b"<z>" + b"z" * 5000 + b"</z>"}


def tar(files: dict[str, bytes] = FILES, kind: int = tarfile.GNU_FORMAT) -> bytes:
    file = io.BytesIO()
    with tarfile.open(fileobj=file, mode="w", format=kind) as archive:
        for name, content in files.items():
            entry = tarfile.TarInfo(name)
            entry.size = len(content)
            archive.addfile(entry, io.BytesIO(content))
    return file.getvalue()


def tar_of(*entries: tarfile.TarInfo, kind: int = tarfile.GNU_FORMAT) -> bytes:
    """A tar of headers alone, without what they say that follows."""
    file = io.BytesIO()
    with tarfile.open(fileobj=file, mode="w", format=kind) as archive:
        for entry in entries:
            archive.addfile(entry)
    return file.getvalue()


def zipped(files: dict[str, bytes] = FILES, method: int = zipfile.ZIP_DEFLATED) -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", method) as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return file.getvalue()


def members(data: bytes, limits: ArchiveLimits = LIMITS) -> list[tuple[Member, bytes]]:
    """The members, with what each holds."""
    found = open_members(io.BytesIO(data), "dump", limits)
    assert found is not None
    return [(member, b"" if member.skipped else member.read()) for member in found]


def contents(data: bytes, limits: ArchiveLimits = LIMITS) -> dict[str, bytes]:
    return {member.name: content for member, content in members(data, limits)}


def skipped(data: bytes) -> dict[str, str]:
    return {member.name: member.skipped for member, _ in members(data)}


def first_member(data: bytes, limits: ArchiveLimits = LIMITS) -> Member:
    return next(iter(open_members(io.BytesIO(data), "dump", limits) or ()))


def blocks_until_error(member: Member) -> tuple[bytes, str]:
    """What comes out of a member that is not whole."""
    good: list[bytes] = []
    try:
        good.extend(member.blocks())
    except SourceError as error:
        return b"".join(good), str(error)
    return b"".join(good), ""


def until_error(data: bytes, limits: ArchiveLimits = LIMITS) -> tuple[dict[str, bytes], str]:
    """All that comes out in blocks, by member, and the error after it."""
    good: dict[str, bytes] = {}
    try:
        for member in open_members(io.BytesIO(data), "dump", limits) or ():
            good[member.name] = b""
            for block in () if member.skipped else member.blocks():
                assert len(block) < 40 << 20
                good[member.name] += block
    except SourceError as error:
        return good, str(error)
    return good, ""


COMPRESSORS: dict[str, Callable[[bytes], bytes]] = {
    "plain": lambda data: data,
    "gzip": gzip.compress,
    "bzip2": bz2.compress,
    "xz": lambda data: lzma.compress(data, preset=0),
    "zstd": zstandard.ZstdCompressor().compress,
}
TARS = {"gnu": tarfile.GNU_FORMAT, "ustar": tarfile.USTAR_FORMAT, "pax": tarfile.PAX_FORMAT}


@pytest.mark.parametrize("kind", TARS)
@pytest.mark.parametrize("compressor", COMPRESSORS)
def test_a_tar_of_every_format(compressor: str, kind: str) -> None:
    data = COMPRESSORS[compressor](tar(kind=TARS[kind]))
    assert contents(data) == FILES
    assert until_error(data) == (FILES, "")


@pytest.mark.parametrize("method", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
def test_a_zip_of_every_method(method: int) -> None:
    data = zipped(method=method)
    assert contents(data) == FILES
    assert until_error(data) == (FILES, "")
    assert [(member.name, member.size) for member, _ in members(data)] == [
        (name, len(content)) for name, content in FILES.items()
    ]


def by_method(method: int, packed: bytes, content: bytes, flags: int = 0, name: bytes = b"a.xml") -> bytes:
    """A zip of one member, with its content compressed elsewhere."""
    checksum = zlib.crc32(content)
    sizes = struct.pack("<LLLHH", checksum, len(packed), len(content), len(name), 0)
    local = b"PK\3\4" + struct.pack("<HHHHH", 63, flags, method, 0, 33) + sizes + name + packed
    entry = b"PK\1\2" + struct.pack("<HHHHHH", 63, 63, flags, method, 0, 33) + sizes + bytes(14) + name
    return local + entry + b"PK\5\6" + struct.pack("<HHHHLLH", 0, 0, 1, 1, len(entry), len(local), 0)


@pytest.mark.parametrize(
    ("method", "packed"),
    [
        (93, zstandard.ZstdCompressor().compress(LARGE)),
        (93, zstandard.ZstdCompressor().compress(LARGE[:70_000]) + zstandard.ZstdCompressor().compress(LARGE[70_000:])),
        (95, lzma.compress(LARGE, preset=0)),
    ],
    ids=["zstd", "zstd-frames", "xz"],
)
def test_a_zip_of_newer_methods(method: int, packed: bytes) -> None:
    assert contents(by_method(method, packed, LARGE)) == {"a.xml": LARGE}


@pytest.mark.parametrize("command", [["zip", "-q"], ["zip", "-q", "-fd"], ["zip", "-q", "-fz-"], ["tar", "cf"]])
def test_what_other_programs_write(tmp_path: Path, command: list[str]) -> None:
    (tmp_path / "ä.xml").write_bytes(LARGE)
    (tmp_path / "b.xml").write_bytes(b"<b/>")
    subprocess.run([*command, "archive", "ä.xml", "b.xml"], cwd=tmp_path, check=True)
    file = next(tmp_path.glob("archive*"))
    assert contents(file.read_bytes()) == {"ä.xml": LARGE, "b.xml": b"<b/>"}


def test_a_zip_that_a_pipe_wrote_has_sizes_behind_its_members() -> None:
    class Pipe(io.RawIOBase):
        written = b""

        def writable(self) -> bool:
            return True

        def write(self, data: object, /) -> int:
            piece = bytes(data)  # type: ignore[call-overload]
            self.written += piece
            return len(piece)

    pipe = Pipe()
    with zipfile.ZipFile(pipe, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in FILES.items():
            archive.writestr(name, content)
    assert contents(pipe.written) == FILES


def test_a_zip_with_large_numbers() -> None:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        for number in range(70_000):  # more than 65,535, so the end of the directory has a larger record before it
            archive.writestr(f"{number}.xml", b"<r/>")
        with archive.open("forced.xml", "w", force_zip64=True) as member:
            member.write(b"<forced/>")
    found = contents(b"#!/bin/sh\nunpack me\n" + file.getvalue())
    assert len(found) == 70_001
    assert found["forced.xml"] == b"<forced/>"


def _with_wide_numbers(data: bytes) -> bytes:
    """The same zip of one member with its numbers in the field for those beyond 32 bits."""
    at = data.index(b"PK\1\2")
    compressed, size = struct.unpack_from("<LL", data, at + 20)
    (offset,) = struct.unpack_from("<L", data, at + 42)
    extra = struct.pack("<HHQQQ", 1, 24, size, compressed, offset)
    entry = bytearray(data[at : data.index(b"PK\5\6")])
    entry[20:28] = b"\xff" * 8
    entry[42:46] = b"\xff" * 4
    entry[30:32] = struct.pack("<H", len(extra))
    entry += extra
    return data[:at] + entry + b"PK\5\6" + struct.pack("<HHHHLLH", 0, 0, 1, 1, len(entry), at, 0)


def test_a_zip_whose_numbers_are_beyond_32_bits() -> None:
    data = zipped({"a.xml": LARGE})
    assert contents(_with_wide_numbers(data)) == {"a.xml": LARGE}


def test_what_stands_before_and_behind_a_zip() -> None:
    data = zipped({"a.xml": b"<a/>"})
    assert contents(b"MZ" + bytes(1000) + data) == {"a.xml": b"<a/>"}
    assert contents(data[:-2] + struct.pack("<H", 30) + b"a comment PK\5\6 as it may be, ..") == {"a.xml": b"<a/>"}
    assert open_members(io.BytesIO(b"MZ" + bytes(1000)), "dump", LIMITS) is None


def test_names_of_a_zip() -> None:
    content = b"<a/>"
    packed = zlib.compress(content)[2:-4]
    for name, flags, meant in [
        (b"\x81.xml", 0, "ü.xml"),
        ("ü.xml".encode(), 0, "ü.xml"),
        ("ü.xml".encode(), 1 << 11, "ü.xml"),
        (b"\xff.xml", 1 << 11, "\\xff.xml"),
        (b"../../etc/passwd", 0, "../../etc/passwd"),
        (b"/etc/passwd", 0, "/etc/passwd"),
        (b"a\n\x1b[2Jb.xml", 0, "a\\n\\x1b[2Jb.xml"),
        ("a\u202elmx.exe".encode(), 1 << 11, "a\\u202elmx.exe"),
    ]:
        assert contents(by_method(8, packed, content, flags, name)) == {meant: content}


def test_a_zip_has_its_name_in_an_extra_field() -> None:
    name, better = b"\x81.xml", "ȕ.xml".encode()
    extra = struct.pack("<HHBL", 0x7075, 5 + len(better), 1, zlib.crc32(name)) + better
    data = by_method(0, b"<a/>", b"<a/>", name=name)
    at = data.index(b"PK\1\2")
    entry = bytearray(data[at : data.index(b"PK\5\6")])
    entry[30:32] = struct.pack("<H", len(extra))
    entry += extra
    data = data[:at] + entry + b"PK\5\6" + struct.pack("<HHHHLLH", 0, 0, 1, 1, len(entry), at, 0)
    assert contents(data) == {"ȕ.xml": b"<a/>"}


def test_names_that_climb_are_read_and_nothing_is_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    inside = tmp_path / "inside"
    inside.mkdir()
    monkeypatch.chdir(inside)
    climbing = {"../out.xml": b"<a/>", "/tmp/../../out.xml": b"<b/>"}
    for data in (tar(climbing), zipped(climbing)):
        assert contents(data) == climbing
    assert [*tmp_path.iterdir()] == [inside]
    assert [*inside.iterdir()] == []


def test_a_zip_keeps_the_order_of_its_directory() -> None:
    data = zipped({"a.xml": b"<a/>", "b.xml": LARGE, "c.xml": b"<c/>"})
    at, end = data.index(b"PK\1\2"), data.index(b"PK\5\6")
    size = 46 + len("a.xml")
    entries = [data[place : place + size] for place in range(at, end, size)]
    turned = data[:at] + b"".join(reversed(entries)) + data[end:]
    assert list(contents(turned).items()) == [("c.xml", b"<c/>"), ("b.xml", LARGE), ("a.xml", b"<a/>")]


def test_long_names_of_a_tar() -> None:
    files = {f"{'folder/' * 30}{'ä' * 200}{number}.xml": b"<a/>" * number for number in range(3)}
    files["b.xml"] = b"<b/>"
    for kind in (tarfile.GNU_FORMAT, tarfile.PAX_FORMAT):
        assert contents(tar(files, kind)) == files
    halved = {f"{'folder/' * 15}a.xml": b"<a/>"}
    assert contents(tar(halved, tarfile.USTAR_FORMAT)) == halved


def test_names_of_a_tar_are_for_display() -> None:
    entry = tarfile.TarInfo("a\n\udcff.xml")
    assert contents(tar_of(entry)) == {"a\\n\\xff.xml": b""}


def test_what_is_said_of_all_members_of_a_tar() -> None:
    file = io.BytesIO()
    with tarfile.open(fileobj=file, mode="w", format=tarfile.PAX_FORMAT, pax_headers={"mtime": "12.5"}) as archive:
        archive.addfile(tarfile.TarInfo("a.xml"))
        later = tarfile.TarInfo("b.xml")
        later.mtime = 13.5  # pax has fractions
        archive.addfile(later)
    assert [member.stamp for member, _ in members(file.getvalue())] == [b"12.5", b"13.5"]


def described_by(kind: bytes, content: bytes) -> bytes:
    """What stands before a member's header and says more of it, or of all."""
    header = tarfile.TarInfo("pax")
    header.type, header.size = kind, len(content)
    return header.tobuf(tarfile.USTAR_FORMAT) + content + bytes(-len(content) % 512)


def record(key: str, size: int) -> bytes:
    """A property of that many bytes, of which the value is a's."""
    begin = b"%d %s=" % (size, key.encode())
    return begin + b"a" * (size - len(begin) - 1) + b"\n"


@pytest.mark.parametrize("kind", [b"x", b"g"])
@pytest.mark.parametrize("key", ["k{}", "GNU.sparse.k{}"])
def test_properties_that_say_nothing_here_take_no_memory(kind: bytes, key: str) -> None:
    many = (described_by(kind, record(key.format(number), (1 << 20) - 512)) for number in range(100))
    packer = zlib.compressobj(1, wbits=31)
    data = b"".join([*map(packer.compress, many), packer.compress(tar({"a.xml": b"<a/>"})), packer.flush()])
    found = open_members(io.BytesIO(data), "dump", LIMITS)
    tracemalloc.start()
    assert [member.name for member in found or ()] == ["a.xml"]
    _, most = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert most < 30 << 20


@pytest.mark.parametrize(
    ("kind", "content", "what"),
    [
        (b"x", record("path", 70_000), "path takes 69988 bytes"),
        (b"g", record("mtime", 70_000), "mtime takes 69987 bytes"),
        (b"L", b"a" * 70_000, "name takes 70000 bytes"),
    ],
)
def test_a_property_that_is_too_long_is_damage(kind: bytes, content: bytes, what: str) -> None:
    assert until_error(described_by(kind, content) + tar()) == (
        {},
        f"dump is damaged: at byte 0 a member's header makes no sense (its {what}, more than the 65536 that are read).",
    )


def test_stamps_tell_a_changed_content() -> None:
    def stamps(data: bytes) -> list[bytes]:
        return [member.stamp for member, _ in members(data)]

    old, new = tarfile.TarInfo("a.xml"), tarfile.TarInfo("a.xml")
    new.mtime = 1_700_000_000
    assert stamps(tar_of(old)) != stamps(tar_of(new)) == stamps(tar_of(new))
    assert stamps(zipped({"a.xml": b"<a/>"})) != stamps(zipped({"a.xml": b"<b/>"}))
    assert stamps(zipped({"a.xml": b"<a/>"})) == stamps(zipped({"b.xml": b"<a/>"}, zipfile.ZIP_STORED))


def test_a_tar_of_old_unix() -> None:
    data = bytearray(tar({"a.xml": b"<a/>", "b.xml": b"<b/>"}, tarfile.USTAR_FORMAT))
    for at in (0, 1024):
        data[at + 257 : at + 345] = bytes(88)
        data[at + 156] = 0
        data[at + 148 : at + 156] = b" " * 8
        data[at + 148 : at + 156] = b"%06o\0 " % sum(data[at : at + 512])
    assert contents(bytes(data)) == {"a.xml": b"<a/>", "b.xml": b"<b/>"}


def test_a_tar_whose_checksum_takes_bytes_for_signed() -> None:
    data = bytearray(tar({"ä.xml": b"<a/>"}, tarfile.GNU_FORMAT))
    data[148:156] = b" " * 8
    data[148:156] = b"%06o\0 " % sum(byte - 256 * (byte > 127) for byte in data[:512])
    assert contents(bytes(data)) == {"ä.xml": b"<a/>"}


def test_a_tar_whose_sizes_are_binary() -> None:
    data = bytearray(tar({"a.xml": LARGE, "b.xml": b"<b/>"}))
    data[124:136] = b"\x80" + len(LARGE).to_bytes(11, "big")
    data[148:156] = b" " * 8
    data[148:156] = b"%06o\0 " % sum(data[:512])
    assert contents(bytes(data)) == {"a.xml": LARGE, "b.xml": b"<b/>"}


def test_tars_one_behind_the_other_are_one() -> None:
    both = tar({"a.xml": b"<a/>"}) + tar({"b.xml": b"<b/>"})
    assert contents(both) == {"a.xml": b"<a/>", "b.xml": b"<b/>"}
    assert contents(gzip.compress(both)) == {"a.xml": b"<a/>", "b.xml": b"<b/>"}


def test_what_is_no_file_is_skipped_in_a_tar() -> None:
    entries = {"x": ""}
    made = [tarfile.TarInfo("x")]
    for letter, why in {
        tarfile.SYMTYPE: "link",
        tarfile.LNKTYPE: "link",
        tarfile.CHRTYPE: "device",
        tarfile.BLKTYPE: "device",
        tarfile.FIFOTYPE: "named pipe",
        tarfile.DIRTYPE: "folder",
    }.items():
        entry = tarfile.TarInfo(f"{letter!r}")
        entry.type = letter
        entry.linkname = "/etc/passwd"
        entry.size = 700  # of a hard link, say: it is not there
        made.append(entry)
        entries[entry.name + "/" * (letter == tarfile.DIRTYPE)] = why
    odd = tarfile.TarInfo("odd")
    odd.type = b"Q"
    made.append(odd)
    entries["odd"] = "of an unknown kind (Q)"
    assert skipped(tar_of(*made)) == entries


@pytest.mark.parametrize("kind", ["gnu", "pax"])
def test_sparse_files_are_skipped(tmp_path: Path, kind: str) -> None:
    with (tmp_path / "holes.xml").open("wb") as file:
        for place in range(40):  # more pieces than fit into one header
            file.seek(place << 20)
            file.write(b"<a/>")
    (tmp_path / "z.xml").write_bytes(b"<z/>")
    subprocess.run(
        ["tar", "cSf", "a.tar", f"--format={kind}", "holes.xml", "z.xml"], cwd=tmp_path, check=True, capture_output=True
    )
    data = (tmp_path / "a.tar").read_bytes()
    if len(data) > 10 << 20:
        pytest.skip("this file system keeps no holes")
    assert skipped(data) == {"holes.xml": "sparse file", "z.xml": ""}
    assert contents(data)["z.xml"] == b"<z/>"


def test_what_is_no_file_is_skipped_in_a_zip() -> None:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        archive.mkdir("folder")
        for name, mode in {"link": 0o120777, "device": 0o020666, "pipe": 0o010666, "file": 0o100666}.items():
            entry = zipfile.ZipInfo(name)
            entry.create_system = 3
            entry.external_attr = mode << 16
            archive.writestr(entry, b"/etc/passwd")
    assert skipped(file.getvalue()) == {
        "folder/": "folder",
        "link": "link",
        "device": "device",
        "pipe": "named pipe",
        "file": "",
    }


def test_encrypted_members_are_skipped(tmp_path: Path) -> None:
    (tmp_path / "secret.xml").write_bytes(b"<a/>")
    (tmp_path / "open.xml").write_bytes(b"<b/>")
    subprocess.run(["zip", "-q", "-P", "word", "a.zip", "secret.xml"], cwd=tmp_path, check=True)
    subprocess.run(["zip", "-q", "a.zip", "open.xml"], cwd=tmp_path, check=True)
    data = (tmp_path / "a.zip").read_bytes()
    assert skipped(data) == {"secret.xml": "encrypted", "open.xml": ""}
    secret = first_member(data)
    with pytest.raises(SourceError, match=r"^secret\.xml in dump cannot be read: encrypted\.$"):
        secret.read()


def test_methods_that_are_not_read_are_skipped() -> None:
    assert skipped(by_method(9, b"xxxx", b"<a/>")) == {"a.xml": "compressed in a way that is not read here (method 9)"}


def test_an_archive_inside_is_a_member_like_others() -> None:
    inner = zipped({"a.xml": b"<a/>"})
    for data in (tar({"inner.zip": inner}), zipped({"inner.zip": inner}, zipfile.ZIP_STORED)):
        ((_, content),) = members(data)
        assert archive_kind(content) == "zip"
        assert is_zip(content)
    assert archive_kind(tar()) == "tar"
    assert archive_kind(gzip.compress(tar())) == archive_kind(b"<a/>") == archive_kind(b"") == ""


@pytest.mark.parametrize("size", [1024, 10240])
def test_an_archive_of_nothing(size: int) -> None:
    assert members(bytes(size)) == []
    assert members(gzip.compress(bytes(size))) == []
    assert members(zipped({})) == []


@pytest.mark.parametrize(
    "data",
    [b"", b"<r/>", b"<r>" + b"x" * 100_000, gzip.compress(LARGE), bytes(20_480), bytes(1000), b"x" * 512, b"PK"],
    ids=["empty", "small", "large", "gzip", "zeros", "few-zeros", "block", "letters"],
)
def test_no_archive(data: bytes) -> None:
    file = io.BytesIO(data)
    assert open_members(file, "dump", LIMITS) is None
    assert file.read() == data


def test_a_broken_file_is_no_archive_and_left_to_who_reads_it() -> None:
    file = io.BytesIO(gzip.compress(LARGE)[:400])
    assert open_members(file, "dump", LIMITS) is None


def test_archives_that_are_not_read() -> None:
    for data, words in [
        (b"7z\xbc\xaf\x27\x1c" + bytes(600), r"^dump is a 7z archive, .*7z x -so FILE \| etl load -\)\.$"),
        (b"Rar!\x1a\x07\x01\0" + bytes(600), r"^dump is a rar archive, .*unrar p -inul FILE"),
        (gzip.compress(zipped()), r"^dump is a zip archive, compressed once more by gzip: decompress it first\.$"),
    ]:
        with pytest.raises(SourceError, match=words):
            open_members(io.BytesIO(data), "dump", LIMITS)


@pytest.mark.parametrize("kept", [False, True])
@pytest.mark.parametrize("kind", ["tar", "tar.gz", "zip"])
def test_only_a_zip_has_to_be_a_file(tmp_path: Path, kind: str, kept: bool) -> None:
    (tmp_path / "dump").write_bytes({"tar": tar(), "tar.gz": gzip.compress(tar()), "zip": zipped()}[kind])
    with subprocess.Popen(["cat", tmp_path / "dump"], stdout=subprocess.PIPE, bufsize=0) as process:
        pipe = process.stdout
        assert pipe is not None
        file = KeptStream(lambda: pipe).open() if kept else pipe  # type: ignore[arg-type, return-value]
        if kind == "zip":
            with pytest.raises(
                SourceError, match=r"^standard input is a zip .* comes through a pipe.*file first.*-p FILE MEMBER"
            ):
                open_members(file, "standard input", LIMITS)  # type: ignore[arg-type]
            return
        found = open_members(file, "standard input", LIMITS)  # type: ignore[arg-type]
        assert found is not None
        assert {member.name: member.read() for member in found} == FILES


def test_members_that_are_not_wanted_are_skipped_over(tmp_path: Path) -> None:
    for data in (tar(), zipped(), gzip.compress(tar())):
        (tmp_path / "dump").write_bytes(data)
        with (tmp_path / "dump").open("rb", buffering=0) as file:
            found = open_members(file, "dump", LIMITS)
            assert found is not None
            assert [(member.name, member.size) for member in found] == [(name, len(FILES[name])) for name in FILES]
        with (tmp_path / "dump").open("rb", buffering=0) as file:
            for member in open_members(file, "dump", LIMITS) or ():
                if member.name == "large.xml":
                    assert LARGE.startswith(next(member.blocks()))  # and no more of it
                if member.name == "z.xml":
                    assert member.read() == FILES["z.xml"]


def test_a_large_member_of_a_tar_is_not_read_to_be_skipped(tmp_path: Path) -> None:
    with tarfile.open(tmp_path / "dump", "w") as archive:
        (tmp_path / "holes").touch()
        os.truncate(tmp_path / "holes", 100 << 30)
        header = archive.gettarinfo(tmp_path / "holes")
        archive.addfile(header)
    with (tmp_path / "dump").open("r+b") as dump:
        dump.seek(len(header.tobuf()) + (100 << 30))
        dump.write(tar({"z.xml": b"<z/>"}))
    with (tmp_path / "dump").open("rb", buffering=0) as file:
        assert [(member.size, member.name) for member in open_members(file, "dump", LIMITS) or ()] == [
            (100 << 30, header.name),
            (4, "z.xml"),
        ]


@pytest.mark.parametrize("cut", [3, 511, 512, 516, 1100, 1536, 1700, 500_000])
def test_a_tar_that_is_cut_off_gives_all_there_is(cut: int) -> None:
    data = tar()[:cut]
    good, message = until_error(data)
    if cut < 512:
        assert (good, message) == ({}, "")  # whatever it is, it is no tar
        return
    assert message.startswith(f"dump is cut off: it ends at byte {cut}, ")
    assert b"".join(good.values()) == b"".join(FILES[name] for name in good)[: len(b"".join(good.values()))]
    content = {512: 0, 516: 4, 1100: 4, 1536: 4, 1700: 4}.get(cut, cut - 2044)
    assert len(b"".join(good.values())) == content
    with pytest.raises(SourceError, match="cut off"):
        members(data)


@pytest.mark.parametrize("kind", [b"x", b"g", b"L"])
def test_a_tar_that_is_cut_off_within_what_describes_a_member(kind: bytes) -> None:
    data = tar({"a.xml": b"<a/>"})[:1024] + described_by(kind, record("path", 30))[:523]
    assert until_error(data) == ({"a.xml": b"<a/>"}, "dump is cut off: it ends at byte 1547, within a member's header.")
    packed = gzip.compress(data)[:-5]
    assert until_error(packed)[1] == f"dump is cut off: its gzip data ends too early, at byte {len(packed)}."


def test_a_limit_that_is_reached_within_what_describes_a_member_is_told() -> None:
    data = b"".join(described_by(b"x", record("k", 1 << 20)) for _ in range(3)) + tar()
    _, message = until_error(data, ArchiveLimits(250, 1 << 20))
    assert re.match(r"dump holds \d+ bytes or more, .* limits\.archive_bytes allows \(1048576\)", message)


def test_a_tar_without_its_end_may_be_cut_off() -> None:
    good, message = until_error(tar({"a.xml": b"<a/>"})[:1024])
    assert good == {"a.xml": b"<a/>"}
    assert message == (
        "dump is cut off: it ends at byte 1024, and nothing says that this is the end (a tar ends with two blocks of "
        "zeros). If it is whole all the same, add them: head -c 1024 /dev/zero >> FILE."
    )


def test_a_compressed_tar_whose_tar_is_cut_off() -> None:
    good, message = until_error(gzip.compress(tar()[:1700]))
    assert list(good) == ["a.xml", "folder/empty.xml"]
    assert message == "dump is cut off: it ends at byte 1700 of the decompressed tar, within a member's header."


@pytest.mark.parametrize("compressor", ["gzip", "xz", "zstd", "bzip2"])
def test_a_compressed_tar_that_is_cut_off_gives_all_there_is(compressor: str) -> None:
    data = COMPRESSORS[compressor](tar({**FILES, "last.xml": LARGE[::-1]}))
    data = data[: len(data) * 3 // 4]
    good, message = until_error(data)
    assert {**good, "last.xml": b""} == {**FILES, "last.xml": b""}
    assert LARGE[::-1].startswith(good["last.xml"])
    assert good["last.xml"] or compressor == "bzip2"  # whose blocks are large
    assert message == f"dump is cut off: its {compressor} data ends too early, at byte {len(data)}."
    with pytest.raises(SourceError, match="cut off"):
        members(data)


def test_a_tar_that_is_damaged() -> None:
    data = bytearray(tar())
    data[1024 + 20] ^= 1
    assert until_error(bytes(data)) == (
        {"a.xml": b"<a/>"},
        "dump is damaged: at byte 1024 something else stands where a member's header should.",
    )
    assert "something else stands" in until_error(tar() + b"<garbage/>" * 100)[1]


@pytest.mark.parametrize("method", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
def test_a_member_of_a_zip_that_is_damaged_half_way_leaves_the_others(method: int) -> None:
    data = bytearray(zipped({"a.xml": LARGE, "z.xml": b"<z/>"}, method))
    half = data.index(b"PK\3\4", 4) // 2
    data[half : half + 8] = bytes(byte ^ 0x55 for byte in data[half : half + 8])
    first, last = list(open_members(io.BytesIO(data), "dump", LIMITS) or ())
    with pytest.raises(SourceError, match=r"^a\.xml in dump is damaged, near byte \d+ of the archive: .*\.$"):
        first.read()
    good, message = blocks_until_error(first)
    assert message.startswith("a.xml in dump is damaged")
    assert good[:100_000] == LARGE[: min(100_000, len(good))]
    assert len(good) > 100_000 or method == zipfile.ZIP_BZIP2
    assert last.read() == b"<z/>"


@pytest.mark.parametrize(
    ("size", "why"), [(3, "more than the 3 bytes"), (5, "4 of the 5 bytes"), (1 << 31, "4 of the")]
)
@pytest.mark.parametrize("method", [0, 8])
def test_a_member_of_a_zip_that_is_not_as_long_as_promised(method: int, size: int, why: str) -> None:
    packed = b"<a/>" if method == 0 else zlib.compress(b"<a/>")[2:-4]
    data = bytearray(by_method(method, packed, b"<a/>"))
    at = data.index(b"PK\1\2") + 24
    data[at : at + 4] = struct.pack("<L", size)
    for read in (lambda member: member.read(), lambda member: list(member.blocks())):
        member = first_member(bytes(data), ArchiveLimits(10**9, 10**12))
        with pytest.raises(SourceError, match=f"^a.xml in dump is damaged.*{why}"):
            read(member)


def test_a_member_of_a_zip_with_another_checksum() -> None:
    data = bytearray(by_method(0, b"<a/>", b"<a/>"))
    data[data.index(b"<a/>") + 1] = ord("b")
    assert until_error(bytes(data)) == (
        {"a.xml": b"<b/>"},
        "a.xml in dump is damaged, near byte 0 of the archive: "
        "its checksum (CRC-32) is not the one that the directory says.",
    )


def test_a_zip_without_its_end() -> None:
    for data in (zipped()[:-30], zipped()[:5000]):
        with pytest.raises(
            SourceError, match=r"^dump is cut off or damaged: the directory .* is not there\. .*zip -FF"
        ):
            open_members(io.BytesIO(data), "dump", LIMITS)


def test_a_zip_in_several_parts() -> None:
    data = bytearray(zipped())
    data[-18:-16] = b"\2\0"
    data[:4] = b"\x8a\x11\x93\xf0"  # the last part begins with anything
    with pytest.raises(SourceError, match=r"^dump is one part of a zip archive in several: join them first"):
        open_members(io.BytesIO(data), "dump", LIMITS)


def test_members_of_a_zip_that_overlap() -> None:
    packed = zlib.compress(LARGE)[2:-4]
    data = by_method(8, packed, LARGE)
    at, end = data.index(b"PK\1\2"), data.index(b"PK\5\6")
    entry = data[at:end]
    bomb = data[:end] + entry * 99 + b"PK\5\6" + struct.pack("<HHHHLLH", 0, 0, 100, 100, 100 * len(entry), at, 0)
    with pytest.raises(SourceError, match=r"^dump is not read: members of it overlap, .*unpack it first\.$"):
        next(open_members(io.BytesIO(bomb), "dump", LIMITS) or iter(()))


ZEROS = 1 << 30


@pytest.fixture(scope="module")
def many_zeros() -> Callable[[str], bytes]:
    """1 GB of zeros in a zip or a compressed tar, a megabyte or less."""

    def make(kind: str) -> bytes:
        head = tarfile.TarInfo("zeros.xml")
        head.size = ZEROS
        if kind == "zip":
            file = io.BytesIO()
            archive = zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED, compresslevel=6)
            with archive, archive.open("zeros.xml", "w") as member:
                for _ in range(1 << 10):
                    member.write(bytes(1 << 20))
            return file.getvalue()
        new: dict[str, Callable[[], Any]] = {
            "gz": lambda: zlib.compressobj(6, wbits=31),
            "zst": zstandard.ZstdCompressor().compressobj,
        }
        compressor = new[kind]()
        pieces = [compressor.compress(head.tobuf()), *(compressor.compress(bytes(1 << 20)) for _ in range(1 << 10))]
        return b"".join([*pieces, compressor.flush()])

    return make


@pytest.mark.parametrize("kind", ["zip", "gz", "zst"])
def test_a_bomb(many_zeros: Callable[[str], bytes], kind: str) -> None:
    bomb = many_zeros(kind)
    words = r"^(zeros\.xml in )?dump is not read: \d+ compressed bytes make \d+ bytes or more.*limits\.archive_ratio"
    content, message = blocks_until_error(first_member(bomb))
    assert re.match(words, message)
    assert len(content) < 300 << 20
    member = first_member(bomb)
    with pytest.raises(SourceError, match=words):
        member.read()
    trusted = first_member(bomb, ArchiveLimits(10**6, 10**12))
    assert sum(len(block) for block in itertools.islice(trusted.blocks(), 400)) > 300 << 20


@pytest.mark.parametrize("data", [tar(), gzip.compress(tar()), zipped()], ids=["tar", "gz", "zip"])
def test_an_archive_that_holds_too_much(data: bytes) -> None:
    assert until_error(data, ArchiveLimits(250, 10**8)) == (FILES, "")
    with pytest.raises(
        SourceError, match=r"^dump holds \d+ bytes or more, .* limits\.archive_bytes allows \(1000000\)"
    ):
        members(data, ArchiveLimits(250, 10**6))


def test_a_member_of_a_tar_is_read_once() -> None:
    first = first_member(tar())
    assert first.read() == b"<a/>"
    with pytest.raises(EtlError):
        first.read()


@pytest.mark.parametrize("odd", [b"", b"\n", b"\0", b"a\0b", b"\xff", "é".encode(), "\u202e".encode(), b"\x7f", b"\\"])
def test_names_are_shown_together_as_one_by_one(odd: bytes) -> None:
    for names in ([odd], [b"a.xml", odd], [odd, b"b.xml"], [odd, odd], [b"a b.xml", b"~"], []):
        assert shown_names(names) == [shown_name(name) for name in names]
