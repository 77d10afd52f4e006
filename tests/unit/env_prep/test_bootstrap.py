"""The decisions of the bootstrap; `tests/integration/test_bootstrap_runs.py` runs it."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from env_prep.bootstrap import command_environment, has_packages, is_current, mark, missing_in_this_python


@pytest.fixture
def project(tmp_path: Path) -> Path:
    (tmp_path / "pyproject.toml").write_text("[project]\nname = 'x'\n")
    (tmp_path / "setup.py").write_text("setup()\n")
    core = tmp_path / "etl" / "native" / "core"
    core.mkdir(parents=True)
    (core / "cut.c").write_text("int cut;\n")
    scripts = tmp_path / ".venv" / "bin"
    scripts.mkdir(parents=True)
    (scripts / "python").symlink_to(sys.executable)
    return tmp_path


def test_an_environment_made_to_its_end_is_current(project: Path) -> None:
    mark(project / ".venv", project)
    assert is_current(project / ".venv", project)


def test_one_that_was_interrupted_is_not(project: Path) -> None:
    assert not is_current(project / ".venv", project)
    assert not is_current(project / "nothing", project)


def test_one_made_from_other_requirements_is_not(project: Path) -> None:
    mark(project / ".venv", project)
    (project / "pyproject.toml").write_text("[project]\nname = 'y'\n")
    assert not is_current(project / ".venv", project)
    assert not has_packages(project / ".venv", project)


@pytest.mark.parametrize(
    "source", ["setup.py", "etl/native/core/cut.c", "etl/native/core/new.h", "etl/native/_new.pyx"]
)
def test_one_compiled_from_other_sources_lacks_only_that(project: Path, source: str) -> None:
    mark(project / ".venv", project)
    (project / source).write_text("changed\n")
    assert not is_current(project / ".venv", project)
    assert has_packages(project / ".venv", project)


def test_what_the_compiler_leaves_behind_changes_nothing(project: Path) -> None:
    mark(project / ".venv", project)
    (project / "etl" / "native" / "_cutter.so").write_bytes(b"")
    (project / "etl" / "native" / "__init__.py").write_text("")
    assert is_current(project / ".venv", project)


def test_one_that_was_moved_is_not(project: Path) -> None:
    mark(project / ".venv", project)
    (project / ".venv").rename(project / ".moved")
    assert not is_current(project / ".moved", project)


def test_one_whose_python_is_gone_is_not(project: Path) -> None:
    mark(project / ".venv", project)
    python = project / ".venv" / "bin" / "python"
    python.unlink()
    python.symlink_to(project / "removed" / "python3")
    assert not is_current(project / ".venv", project)


def test_an_old_python_is_told_what_is_needed() -> None:
    sentence = missing_in_this_python((3, 10), lambda _module: True)
    assert "3.11 or newer is needed" in sentence
    assert "is 3.10" in sentence
    assert not missing_in_this_python((3, 11), lambda _module: True)
    assert not missing_in_this_python((4, 0), lambda _module: True)


@pytest.mark.parametrize("absent", ["venv", "ensurepip"])
def test_a_python_without_venv_is_told_how_to_get_it(absent: str) -> None:
    assert "python3-venv" in missing_in_this_python((3, 12), lambda module: module != absent)


def test_a_command_sees_the_environment_as_if_activated(tmp_path: Path) -> None:
    inherited = {"PATH": "/usr/bin", "PYTHONHOME": "/other", "PIP_INDEX_URL": "https://example.org"}
    assert command_environment(tmp_path, inherited) == {
        "PATH": f"{tmp_path}/bin:/usr/bin",
        "VIRTUAL_ENV": str(tmp_path),
        "PIP_INDEX_URL": "https://example.org",
    }
