"""What the tests of running processes stand on."""

from __future__ import annotations

import signal
import subprocess
import sys

import pytest

from tests.listening import line_with, rest

TALKS = "import sys; sys.stderr.write('first\\nsecond\\nthird\\n'); print('out')"


def talking(code: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", code],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def test_lines_that_come_together_are_all_there() -> None:
    process = talking(TALKS)
    assert line_with(process.stderr, "first") == "first\n"
    assert rest(process) == ("out\n", "second\nthird\n")
    assert process.returncode == 0


def test_a_line_that_never_comes_fails_with_those_that_did() -> None:
    process = talking(TALKS)
    with pytest.raises(AssertionError, match=r"ended without 'fourth': .*third"):
        line_with(process.stderr, "fourth")
    rest(process)


def test_who_does_not_end_is_killed() -> None:
    process = talking("import time; time.sleep(100)")
    with pytest.raises(subprocess.TimeoutExpired):
        rest(process, 0.01)
    assert process.wait() == -signal.SIGKILL
