"""A short run of the fuzzer, with what this machine has; `python -m tests.fuzz.build FOLDER` runs longer."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.fuzz.build import guided, run_guided, run_unguided, unguided, write_inputs


@pytest.mark.timeout(300)
def test_guided_by_coverage(tmp_path: Path) -> None:
    write_inputs(tmp_path)
    program = guided(tmp_path)
    if program is None:
        pytest.skip("there is no clang with libFuzzer and its sanitizers")
    run_guided(program, tmp_path, seconds=15)


@pytest.mark.timeout(300)
def test_random_mutations(tmp_path: Path) -> None:
    files = write_inputs(tmp_path)
    program = unguided(tmp_path)
    if program is None:
        pytest.skip("there is no C compiler with AddressSanitizer")
    run_unguided(program, files, tries=3_000)
