"""The C core by itself: compiled without a warning and run, also with sanitizers, and for arm64 in an emulator.

Each `smoke_*.c` here is a program that says "ok", each `fuzz_*.c` what libFuzzer calls with bytes; the first line names
the files of the core that it needs.
"""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

import pytest

HERE = Path(__file__).parent
CORE = HERE.parents[1] / "etl" / "native" / "core"
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
]
STRICT = ["-std=c11", "-O2", "-Wall", "-Wextra", "-Wconversion", "-Werror"]
SANITIZERS = ["-g", "-fsanitize=address,undefined", "-fno-sanitize-recover=all"]
EMULATOR = shutil.which("qemu-aarch64") or shutil.which("qemu-aarch64-static")


def compiled(program: Path, compiler: str, folder: Path, *flags: str) -> Path:
    """The program for a machine; skips where there is no such compiler, or no library for the flags."""
    if shutil.which(compiler) is None:
        pytest.skip(f"there is no {compiler}")
    empty = folder / "empty.c"
    main = "LLVMFuzzerTestOneInput(const unsigned char *a, unsigned long b) { (void)a; (void)b;"
    empty.write_text(f"int {main if program in FUZZERS else 'main(void) {'} return 0; }}\n")
    if subprocess.run([compiler, *flags, empty, "-o", folder / "empty"], capture_output=True).returncode:
        pytest.skip(f"{compiler} cannot link with {' '.join(flags)}")
    needed = re.findall(r"\w+\.c", program.read_text("utf-8").splitlines()[0])
    sources = [program, *(CORE / name for name in needed)]
    command = [compiler, *STRICT, *flags, f"-I{CORE}", *sources, "-o", folder / "program"]
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
    command: list[str | Path] = [
        fuzzer,
        "-runs=100000",
        "-max_len=400",
        f"-dict={words}",
        f"-artifact_prefix={tmp_path}/",
    ]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
