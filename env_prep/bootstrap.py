"""Runs a command in the project's own environment, which is made first where it is missing or out of date.

    python3 env_prep/bootstrap.py COMMAND [ARGUMENT...]

In: nothing but Python 3.11 or newer with `venv`; packages come from where pip is configured to look. Out: `.venv`
beside `pyproject.toml`, with the package (editable, its modules compiled in place) and what its tests and benchmarks
need; then COMMAND takes this process's place, so that its exit code and every signal are its own. Where only the
sources of `etl/native` have changed, only they are compiled again. Standard library only, and in words that an older
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
            if not has_packages(environment, PROJECT):
                _make(environment, PROJECT)
            elif not is_current(environment, PROJECT):
                _compile(environment, PROJECT)
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
    """Whether it was made to its end, here, from the present `pyproject.toml` and sources of `etl/native`."""
    return has_packages(environment, project) and _made_from(environment) == _recipe(environment, project)


def has_packages(environment: Path, project: Path) -> bool:
    """Whether it was made here from the present `pyproject.toml`, whatever was compiled since."""
    # A link to a Python that has been removed does not exist.
    same = _made_from(environment)[:1] == _recipe(environment, project)[:1]
    return same and (environment / "bin" / "python").exists()


def mark(environment: Path, project: Path) -> None:
    """Say what `environment` was made from; done last, so that a half-made one is not current."""
    _marker(environment).write_text("\n".join(_recipe(environment, project)), "utf-8")


def _marker(environment: Path) -> Path:
    return environment / "made-from"


def _made_from(environment: Path) -> list[str]:
    try:
        return _marker(environment).read_text("utf-8").splitlines()
    except OSError:
        return []


def _recipe(environment: Path, project: Path) -> list[str]:
    """What the packages are made from, and what the compiled modules are."""
    # The path counts, since the scripts of an environment name it: a moved one is broken.
    native = project / "etl" / "native"
    sources = [*native.glob("*.pyx"), *native.glob("*.pxd"), *native.glob("*/*.[ch]")]
    return [
        f"{_digest(project / 'pyproject.toml')} {environment}",
        _digest(project / "setup.py", *sorted(sources)),
    ]


def _digest(*files: Path) -> str:
    each = (f"{file.name} {hashlib.sha256(file.read_bytes()).hexdigest()}" for file in files)
    return hashlib.sha256("\n".join(each).encode()).hexdigest()


def _make(environment: Path, project: Path) -> None:
    print(f"Making {environment} (once; it takes about a minute) ...", file=sys.stderr, flush=True)
    _run(sys.executable, "-m", "venv", "--clear", str(environment))
    python = str(environment / "bin" / "python")
    _run(python, "-m", "pip", "install", "-qq", "--disable-pip-version-check", "--editable", f"{project}[test,bench]")
    mark(environment, project)


def _compile(environment: Path, project: Path) -> None:
    print("Compiling etl/native again ...", file=sys.stderr, flush=True)
    # By times alone, sources that are older than what was compiled would be taken for it.
    _run(str(environment / "bin" / "python"), "setup.py", "-q", "build_ext", "--inplace", "--force", folder=project)
    mark(environment, project)


def _run(*command: str, folder: Path | None = None) -> None:
    # Standard output belongs to COMMAND. A user's `pip install --user` by default would fail in an environment.
    variables = {**os.environ, "PIP_USER": "0"}
    subprocess.run(command, check=True, stdin=subprocess.DEVNULL, stdout=sys.stderr, env=variables, cwd=folder)


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
