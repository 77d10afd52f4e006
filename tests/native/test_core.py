"""The C core by itself: compiled without a warning and run, also with sanitizers, and for arm64 in an emulator.

Each `smoke_*.c` here is a program that says "ok", each `fuzz_*.c` what libFuzzer calls with bytes; the first line names
the files that it needs, of the core or of what goes with a library.
"""

from __future__ import annotations

import re
import shutil
import struct
import subprocess
import zlib
from pathlib import Path

import pytest

HERE = Path(__file__).parent
NATIVE = HERE.parents[1] / "etl" / "native"
CORE = NATIVE / "core"
LIBRARIES: dict[str, list[str]] = {"core": [], "zlib": ["-lz"]}
"""What is linked, by the folder that the first line of a program names."""

PROGRAMS = sorted(HERE.glob("smoke_*.c"))
FUZZERS = sorted(HERE.glob("fuzz_*.c"))
WORDS = [
    "<e>",
    "</e>",
    "<p:f>",
    "</p:f>",
    "<!--",
    "-->",
    "<![CDATA[",
    "]]>",
    "<?",
    "?>",
    "xmlns",
    "/>",
    "&amp;",
    "&#xA;",
    "&#",
    "xml version='1.0'",
    "encoding='utf-8'",
    "standalone='no'",
    "path=",
    "ustar",
    "PK\\x01\\x02",
    "PK\\x03\\x04",
]
STRICT = ["-std=c11", "-O2", "-Wall", "-Wextra", "-Wconversion", "-Werror"]
SANITIZERS = ["-g", "-fsanitize=address,undefined", "-fno-sanitize-recover=all"]
EMULATOR = shutil.which("qemu-aarch64") or shutil.which("qemu-aarch64-static")


def tar_piece(name: bytes, size: int, kind: bytes, prefix: bytes = b"") -> bytes:
    """A header as `fuzz_tar.c` spreads it."""
    fields = name.ljust(8, b"\0") + b"%011o\0" % size + kind + b"ustar\00000" + prefix.ljust(8, b"\0")
    return fields.ljust(40, b"\0")


def zip_input(*members: tuple[bytes, bytes, bool]) -> bytes:
    """A directory and a file as `fuzz_zip.c` takes them apart, of names, contents, and whether each is packed."""
    directory = file = b""
    for name, content, is_packed in members:
        packer = zlib.compressobj(9, zlib.DEFLATED, -15)
        packed = packer.compress(content) + packer.flush() if is_packed else content
        head = struct.pack(
            "<4H3L2H", 0, 8 * is_packed, 0, 33, zlib.crc32(content), len(packed), len(content), len(name), 0
        )
        directory += b"PK\1\2\x14\3\x14\0" + head + struct.pack("<3H2L", 0, 0, 0, 0o100644 << 16, len(file)) + name
        file += b"PK\3\4\x14\0" + head + name + packed
    directory += bytes(-len(directory) % 16)
    return bytes([len(directory) // 16, 0]) + directory + file


SEEDS = {
    "fuzz_tar": [
        b"\1" + tar_piece(b"a.xml", 30, b"0") + b"<a/>".ljust(39) + b"\1" + tar_piece(b"b.xml", 0, b"\0", b"folder"),
        b"\1" + tar_piece(b"x", 15, b"x") + b"15 path=long/b\n".ljust(39, b"\0") + b"\1" + tar_piece(b"b.xml", 0, b"0"),
        b"\1" + tar_piece(b"l", 20, b"L") + b"long/b.xml".ljust(39, b"\0") + b"\1" + tar_piece(b"b", 0, b"0"),
        b"\7" + tar_piece(b"a.xml", 0, b"0") * 3 + tar_piece(b"k", 9, b"K") + bytes(40),
    ],
    "fuzz_zip": [
        zip_input((b"a.xml", b"<a/>", False), (b"b.xml", b"<b>" + b"b" * 90 + b"</b>", True)),
        zip_input((b"\xc3\xa9.xml", b"", True), (b"c.xml", b"", False)),
    ],
    "fuzz_documents": [
        b"<?xml version='1.0' encoding=\"utf-8\" standalone='no' ?>\n<!-- --><r a='>'>x</r>\0<s>x</s>\n",
        b"\xef\xbb\xbf<r>/</r>\0<r xmlns='u'></r>\0<?p?><r></r>",
    ],
}
"""For those that mutations alone would bring nowhere."""


def compiled(program: Path, compiler: str, folder: Path, *flags: str) -> Path:
    """The program for a machine; skips where there is no such compiler, or no library for the flags."""
    if shutil.which(compiler) is None:
        pytest.skip(f"there is no {compiler}")
    empty = folder / "empty.c"
    main = "LLVMFuzzerTestOneInput(const unsigned char *a, unsigned long b) { (void)a; (void)b;"
    empty.write_text(f"int {main if program in FUZZERS else 'main(void) {'} return 0; }}\n")
    first = program.read_text("utf-8").splitlines()[0]
    (part,) = re.findall(r"(\w+):", first)
    libraries = LIBRARIES[part]
    if subprocess.run([compiler, *flags, empty, *libraries, "-o", folder / "empty"], capture_output=True).returncode:
        pytest.skip(f"{compiler} cannot link with {' '.join([*flags, *libraries])}")
    sources = [program, *(NATIVE / part / name for name in re.findall(r"\w+\.c", first))]
    command = [compiler, *STRICT, *flags, f"-I{NATIVE / part}", *sources, *libraries, "-o", folder / "program"]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return folder / "program"


def says_ok(*command: str | Path) -> None:
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.stdout == "ok\n", done.stdout + done.stderr
    assert done.returncode == 0


@pytest.mark.parametrize("program", PROGRAMS, ids=lambda path: path.stem)
@pytest.mark.parametrize("compiler", ["gcc", "clang"])
@pytest.mark.parametrize("flags", [[], SANITIZERS], ids=["plain", "sanitized"])
def test_on_this_machine(program: Path, compiler: str, flags: list[str], tmp_path: Path) -> None:
    says_ok(compiled(program, compiler, tmp_path, *flags))


@pytest.mark.skipif(EMULATOR is None, reason="there is no qemu-aarch64")
@pytest.mark.parametrize("program", PROGRAMS, ids=lambda path: path.stem)
def test_on_arm64(program: Path, tmp_path: Path) -> None:
    says_ok(str(EMULATOR), compiled(program, "aarch64-linux-gnu-gcc", tmp_path, "-static"))


@pytest.mark.parametrize("program", FUZZERS, ids=lambda path: path.stem)
def test_on_any_bytes(program: Path, tmp_path: Path) -> None:
    fuzzer = compiled(program, "clang", tmp_path, *SANITIZERS, "-fsanitize=fuzzer")
    words = tmp_path / "words"
    words.write_text("".join(f'"{word}"\n' for word in WORDS))
    corpus = tmp_path / "corpus"
    corpus.mkdir()
    for number, seed in enumerate(SEEDS.get(program.stem, ())):
        (corpus / str(number)).write_bytes(seed)
    command: list[str | Path] = [
        fuzzer,
        corpus,
        "-runs=100000",
        "-max_len=400",
        f"-dict={words}",
        f"-artifact_prefix={tmp_path}/",
    ]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
