"""Builds the fuzzer of the core, and runs it.

    python -m tests.fuzz.build FOLDER [--seconds 1800]

FOLDER gets `plans.inc`, the corpus and what was found. With clang and its libFuzzer the fuzzer is guided by coverage;
with any other compiler it mutates the seeds at random. Either way with AddressSanitizer and UndefinedBehaviorSanitizer.
"""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
from pathlib import Path

from etl.mapping.reader import read_mapping
from etl.native.program import compile_program
from tests.fuzz.c_source import plan_source
from tests.fuzz.seeds import seeds

HERE = Path(__file__).resolve().parent
CORE = HERE.parents[1] / "etl" / "native" / "core"

PLANS = (((0, 0),), ((3, 0),), ((4, 0),))
"""For each plan the record paths that fit everywhere: table, place of the path."""

_FLAGS = ["-std=c11", "-g", "-O1", "-fno-omit-frame-pointer", "-fno-sanitize-recover=all"]


def write_inputs(folder: Path) -> list[Path]:
    """`plans.inc` and the corpus; the files of the corpus."""
    mapping = read_mapping(HERE / "rich.mapping.yaml")
    sources = [plan_source(compile_program(mapping, "copy", [plan]), f"plan_{n}") for n, plan in enumerate(PLANS)]
    names = ", ".join(f"&plan_{number}" for number in range(len(PLANS)))
    table = f"enum {{ PLAN_COUNT = {len(PLANS)} }};\nstatic const etl_plan *const plans[] = {{{names}}};\n"
    (folder / "plans.inc").write_text("".join(sources) + table, "ascii")
    corpus = folder / "corpus"
    corpus.mkdir(exist_ok=True)
    files = []
    for number, seed in enumerate(seeds()):
        files.append(corpus / f"seed-{number:02}")
        files[-1].write_bytes(seed)
    return files


def build(folder: Path, compiler: str, sanitizers: str, *macros: str) -> Path | None:
    """The fuzzer, None where this compiler has not all it takes."""
    program = folder / f"fuzz_core-{Path(compiler).name}"
    command = [compiler, *_FLAGS, f"-fsanitize={sanitizers}", *macros, f"-I{CORE}", f"-I{folder}", "-o", str(program)]
    sources = [str(HERE / "fuzz_core.c"), *map(str, sorted(CORE.glob("*.c")))]
    probe = folder / "probe.c"
    probe.write_text("int LLVMFuzzerTestOneInput(const unsigned char *a, unsigned long b) { return a == 0 && b; }\n")
    main = [] if "fuzzer" in sanitizers else ["-Dprobe=1", "-shared", "-fPIC"]
    has_all = subprocess.run(
        [compiler, f"-fsanitize={sanitizers}", *main, "-o", str(folder / "probe"), str(probe)], capture_output=True
    )
    if has_all.returncode:
        return None
    subprocess.run([*command, *sources], check=True)
    return program


def guided(folder: Path) -> Path | None:
    """The fuzzer guided by coverage; None without clang and its libFuzzer."""
    clang = shutil.which("clang")
    return (clang and build(folder, clang, "fuzzer,address,undefined")) or None


def unguided(folder: Path) -> Path | None:
    """The one that mutates at random; None without a compiler that has sanitizers."""
    compiler = shutil.which("cc")
    return (compiler and build(folder, compiler, "address,undefined", "-DSTANDALONE")) or None


def run_guided(program: Path, folder: Path, seconds: int) -> None:
    """Raises CalledProcessError where something was found; the input is in `folder`."""
    found = f"-artifact_prefix={folder}/"
    limits = [f"-max_total_time={seconds}", "-max_len=4096", "-timeout=10", "-rss_limit_mb=2000"]
    words = f"-dict={HERE / 'xml.dict'}"
    subprocess.run([program, *limits, words, found, str(folder / "corpus")], check=True, env={**os.environ})


def run_unguided(program: Path, files: list[Path], tries: int) -> None:
    """`tries` mutations of each file. Raises CalledProcessError where something was found."""
    subprocess.run([program, str(tries), *files], check=True)


def main() -> None:
    parser = argparse.ArgumentParser(description="Fuzz the core of the scanner.")
    parser.add_argument("folder", type=Path)
    parser.add_argument("--seconds", type=int, default=1800)
    options = parser.parse_args()
    options.folder.mkdir(parents=True, exist_ok=True)
    files = write_inputs(options.folder)
    program = guided(options.folder)
    if program is not None:
        run_guided(program, options.folder, options.seconds)
        return
    plain = unguided(options.folder)
    if plain is None:
        raise SystemExit("There is no C compiler with AddressSanitizer here.")
    run_unguided(plain, files, 1_000_000)


if __name__ == "__main__":
    main()
