"""Runs a command in the project's own environment, which is made first where it is missing or out of date.

    python3 env_prep/bootstrap.py COMMAND [ARGUMENT...]

In: nothing but Python 3.11 or newer with `venv`; packages come from where pip is configured to look. Out: `.venv`
beside `pyproject.toml`, with the package (editable) and what its tests and benchmarks need; then COMMAND takes this
process's place, so that its exit code and every signal are its own. Standard library only, and in words that an older
Python still reads, so that it can say what is missing.
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import os
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from importlib.util import find_spec
from pathlib import Path

PROJECT = Path(__file__).resolve().parent.parent
OLDEST_PYTHON = (3, 11)


def main(arguments: list[str]) -> int:
    """Exit code where COMMAND could not be run; otherwise it never returns."""
    if not arguments or arguments[0] in ("-h", "--help"):
        print((__doc__ or "").strip())
        return 0 if arguments else 2
    problem = missing_in_this_python(sys.version_info[:2], lambda module: find_spec(module) is not None)
    if problem:
        return _fail(problem)
    environment = PROJECT / ".venv"
    try:
        with _alone(PROJECT):
            if not is_current(environment, PROJECT):
                _make(environment, PROJECT)
    except subprocess.CalledProcessError as error:
        return _fail(f"{environment} could not be made: `{' '.join(error.cmd)}` failed, as it says above.")
    except OSError as error:
        return _fail(f"{environment} could not be made: {error}.")
    except KeyboardInterrupt:
        return _fail(f"Interrupted; the next run makes {environment} anew.", 130)
    return _become(arguments, environment)


def missing_in_this_python(version: tuple[int, ...], has_module: Callable[[str], bool]) -> str:
    """A sentence about what this Python lacks, "" where it will do."""
    if version < OLDEST_PYTHON:
        needed, found = (".".join(map(str, numbers)) for numbers in (OLDEST_PYTHON, version))
        return f"Python {needed} or newer is needed and {sys.executable} is {found}; start this file with a newer one."
    if not has_module("venv") or not has_module("ensurepip"):
        return f"{sys.executable} has no venv with pip; on Debian and Ubuntu `apt-get install python3-venv` brings it."
    return ""


def is_current(environment: Path, project: Path) -> bool:
    """Whether `environment` was made to its end, here, from the present `pyproject.toml`."""
    try:
        made_from = _marker(environment).read_text("utf-8")
    except OSError:
        return False
    # A link to a Python that has been removed does not exist.
    return made_from == _recipe(environment, project) and (environment / "bin" / "python").exists()


def mark(environment: Path, project: Path) -> None:
    """Say what `environment` was made from; done last, so that a half-made one is not current."""
    _marker(environment).write_text(_recipe(environment, project), "utf-8")


def _marker(environment: Path) -> Path:
    return environment / "made-from"


def _recipe(environment: Path, project: Path) -> str:
    # The path counts, since the scripts of an environment name it: a moved one is broken.
    return f"{hashlib.sha256((project / 'pyproject.toml').read_bytes()).hexdigest()} {environment}\n"


def _make(environment: Path, project: Path) -> None:
    print(f"Making {environment} (once; it takes about a minute) ...", file=sys.stderr, flush=True)
    _run(sys.executable, "-m", "venv", "--clear", str(environment))
    python = str(environment / "bin" / "python")
    _run(python, "-m", "pip", "install", "-qq", "--disable-pip-version-check", "--editable", f"{project}[test,bench]")
    mark(environment, project)


def _run(*command: str) -> None:
    # Standard output belongs to COMMAND. A user's `pip install --user` by default would fail in an environment.
    subprocess.run(
        command, check=True, stdin=subprocess.DEVNULL, stdout=sys.stderr, env={**os.environ, "PIP_USER": "0"}
    )


@contextlib.contextmanager
def _alone(project: Path) -> Iterator[None]:
    """Hold the project against another bootstrap; the lock is on the folder itself and leaves nothing behind."""
    folder = os.open(project, os.O_RDONLY)
    try:
        try:
            fcntl.flock(folder, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            print("Waiting for another bootstrap of this project ...", file=sys.stderr, flush=True)
            fcntl.flock(folder, fcntl.LOCK_EX)
        yield
    finally:
        os.close(folder)


def _become(command: list[str], environment: Path) -> int:
    variables = command_environment(environment, os.environ)
    try:
        os.execvpe(command[0], command, variables)
    except OSError as error:
        return _fail(f"{command[0]}: {error.strerror}.", 127)


def command_environment(environment: Path, inherited: Mapping[str, str]) -> dict[str, str]:
    """The variables COMMAND gets: as if the environment were activated."""
    variables = {name: value for name, value in inherited.items() if name != "PYTHONHOME"}
    path = inherited.get("PATH", os.defpath)
    return {**variables, "VIRTUAL_ENV": str(environment), "PATH": f"{environment / 'bin'}{os.pathsep}{path}"}


def _fail(sentence: str, exit_code: int = 1) -> int:
    print(sentence, file=sys.stderr)
    return exit_code


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
