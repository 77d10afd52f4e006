"""Says what this machine offers a load and what is missing: ``python3 env_prep/check_environment.py [URL]``.

Standard library only, so that it works before anything is installed; run through `bootstrap.py` it sees the project's
environment. URL is a PostgreSQL to try (default: what PGHOST and its like name, where they are set). Exit code 0 where
a load can run, 1 where something needed is missing.
"""

from __future__ import annotations

import os
import re
import shutil
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

PROJECT_FILE = Path(__file__).resolve().parent.parent / "pyproject.toml"
FREE_DISK = 1 << 30
"""Bytes free in this folder below which a load of any size is in danger."""


@dataclass(frozen=True)
class Finding:
    """One line: what was looked at, what was found, and whether a load can do without."""

    subject: str
    found: str
    missing: bool = False


def findings(postgres_url: str | None) -> Iterator[Finding]:
    """Everything looked at, in order."""
    python = f"{sys.version.split()[0]} at {sys.executable}"
    try:
        import tomllib
    except ImportError:
        yield Finding("Python", f"{python}; 3.11 or newer is needed", missing=True)
        return
    yield Finding("Python", python)
    for requirement in tomllib.loads(PROJECT_FILE.read_text("utf-8"))["project"]["dependencies"]:
        yield package(requirement)
    yield from _libxml2()
    yield _cores()
    yield _memory()
    yield _disk(Path.cwd())
    yield _embedded_postgres()
    if postgres_url is not None:
        yield _server(postgres_url)


def package(requirement: str) -> Finding:
    """What is installed for a requirement of the form ``name[extra]>=1.2``."""
    name, oldest = re.findall(r"^([\w-]+)(?:\[.*\])?(?:>=([\d.]+))?", requirement)[0]
    try:
        found = version(name)
    except PackageNotFoundError:
        return Finding(name, "not installed: run this by env_prep/bootstrap.py", missing=True)
    too_old = _numbers(found) < _numbers(oldest or "0")
    return Finding(name, f"{found}; {oldest} or newer is needed" if too_old else found, too_old)


def _numbers(text: str) -> list[int]:
    return [int(part) for part in re.findall(r"\d+", text)]


def _libxml2() -> Iterator[Finding]:
    try:
        from lxml import etree
    except ImportError:
        return
    compiled, running = (".".join(map(str, v)) for v in (etree.LIBXML_COMPILED_VERSION, etree.LIBXML_VERSION))
    yield Finding("libxml2", running if running == compiled else f"{running}, lxml was compiled for {compiled}")


def _cores() -> Finding:
    usable = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return Finding("cores", f"{usable} usable of {os.cpu_count()}")


def _memory() -> Finding:
    total = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    limit = _container_limit()
    return Finding("memory", f"{total / 1e9:.1f} GB" + (f", limited to {limit / 1e9:.1f} GB" if limit else ""))


def _container_limit() -> int | None:
    """Bytes that the control group (v2) of this process may use; None where there is no limit."""
    try:
        text = Path("/sys/fs/cgroup/memory.max").read_text("ascii").strip()
    except OSError:
        return None
    return int(text) if text.isdigit() else None


def _disk(folder: Path) -> Finding:
    free = shutil.disk_usage(folder).free
    return Finding("disk", f"{free / 1e9:.1f} GB free at {folder}", free < FREE_DISK)


def _embedded_postgres() -> Finding:
    try:
        return Finding("embedded-postgres", f"{version('embedded-postgres')} (a PostgreSQL for the tests)")
    except PackageNotFoundError:
        return Finding("embedded-postgres", "not installed; only the tests need it, or ETL_TEST_POSTGRES_URL")


def _server(url: str) -> Finding:
    try:
        import psycopg
    except ImportError:
        return Finding("PostgreSQL", "cannot be tried without psycopg", missing=True)
    try:
        with psycopg.connect(url, connect_timeout=5) as connection:
            number = connection.info.server_version
            place = f"{connection.info.host or 'a local socket'}:{connection.info.port}"
    except psycopg.Error as error:
        return Finding("PostgreSQL", f"not reachable: {str(error).splitlines()[0]}", missing=True)
    return Finding("PostgreSQL", f"{number // 10000}.{number % 10000} at {place}")


def main(arguments: list[str]) -> int:
    """Print the findings; the exit code."""
    named = arguments[0] if arguments else ("" if {"PGHOST", "PGSERVICE"} & os.environ.keys() else None)
    found = list(findings(named))
    width = max(len(finding.subject) for finding in found)
    for finding in found:
        print(f"{'MISSING' if finding.missing else 'ok':<7}  {finding.subject:<{width}}  {finding.found}")
    return 1 if any(finding.missing for finding in found) else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
