"""The bootstrap in a fresh copy of the project: what the README's two commands begin with."""

from __future__ import annotations

import fcntl
import os
import re
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.listening import line_with, rest

# The first of them installs and compiles, beside whatever else runs.
pytestmark = pytest.mark.timeout(300)

PROJECT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module")
def clone(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The project as a clone has it, without dependencies: who runs this test has installed them the same way."""
    folder = tmp_path_factory.mktemp("clone") / "a project"
    folder.mkdir()
    for name in ("etl", "env_prep"):
        shutil.copytree(PROJECT / name, folder / name, ignore=shutil.ignore_patterns("__pycache__", "*.so"))
    for name in ("LICENSE", "README.md", "setup.py"):
        shutil.copy(PROJECT / name, folder)
    settings = (PROJECT / "pyproject.toml").read_text("utf-8")
    bare = re.sub(r"^dependencies = \[.*?^\]", "dependencies = []", settings, flags=re.MULTILINE | re.DOTALL)
    bare = re.sub(r"^test = \[.*?^\]", 'test = ["Cython", "setuptools>=77"]', bare, flags=re.MULTILINE | re.DOTALL)
    bare = re.sub(r"^bench = \[.*?^\]", "bench = []", bare, flags=re.MULTILINE | re.DOTALL)
    (folder / "pyproject.toml").write_text(bare, "utf-8")
    first = run(folder, "true")
    if "setuptools" in first.stderr and first.returncode == 1:
        pytest.skip("no package index within reach")
    assert first.returncode == 0, first.stderr
    assert "Making" in first.stderr
    return folder


def run(folder: Path, *command: str) -> subprocess.CompletedProcess[str]:
    """`bootstrap.py COMMAND` in another folder than the project's."""
    return subprocess.run(
        [sys.executable, str(folder / "env_prep" / "bootstrap.py"), *command],
        cwd=folder.parent,
        capture_output=True,
        text=True,
        timeout=250,
    )


def test_a_command_runs_in_the_environment_and_its_exit_code_is_passed_on(clone: Path) -> None:
    done = run(clone, "python", "-c", "import etl, sys; print(sys.prefix, etl.__file__); sys.exit(7)")
    assert done.returncode == 7
    assert done.stdout == f"{clone}/.venv {clone}/etl/__init__.py\n"
    assert done.stderr == ""  # it was made already


def test_a_command_is_what_signals_end(clone: Path) -> None:
    done = run(clone, "python", "-c", "import os, signal; os.kill(os.getpid(), signal.SIGTERM)")
    assert done.returncode == -signal.SIGTERM


def test_a_command_that_is_not_there_is_named(clone: Path) -> None:
    done = run(clone, "no-such-command")
    assert done.returncode == 127
    assert done.stderr == "no-such-command: No such file or directory.\n"


def test_without_a_command_it_says_how_it_is_used(clone: Path) -> None:
    done = run(clone)
    assert done.returncode == 2
    assert "bootstrap.py COMMAND" in done.stdout


def test_two_at_once_wait_for_each_other(clone: Path) -> None:
    folder = os.open(clone, os.O_RDONLY)
    fcntl.flock(folder, fcntl.LOCK_EX)
    with subprocess.Popen(
        [sys.executable, str(clone / "env_prep" / "bootstrap.py"), "echo", "done"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        line_with(process.stderr, "Waiting")
        assert process.poll() is None
        os.close(folder)
        out, _err = rest(process)
    assert out == "done\n"


@pytest.mark.skipif(shutil.which("cc") is None, reason="there is no C compiler")
def test_the_modules_are_compiled_and_again_when_their_sources_change(clone: Path) -> None:
    look = ("python", "-c", "from etl.native import _cutter; print('compiled')")
    assert run(clone, *look).stdout == "compiled\n"
    source = clone / "etl" / "native" / "core" / "cut.c"
    source.write_text(source.read_text("utf-8") + "\n/* changed */\n", "utf-8")
    done = run(clone, *look)
    assert done.stdout == "compiled\n"
    assert done.stderr.startswith("Compiling etl/native again ...\n")
    assert run(clone, *look).stderr == ""


def test_other_settings_make_it_again_and_a_failure_is_one_sentence_at_the_end(clone: Path) -> None:
    (clone / "pyproject.toml").write_text("not TOML", "utf-8")
    done = run(clone, "echo", "done")
    assert done.returncode == 1
    assert done.stdout == ""
    assert "Making" in done.stderr
    assert done.stderr.splitlines()[-1].startswith(f"{clone}/.venv could not be made: ")
