"""What a process says while it runs, and the rest when it ends; both by the same buffers.

`subprocess.Popen.communicate` reads the file descriptors. Of lines that came together, those that `readline` has taken
into its buffer and not yet given are lost to it: who has read a line takes the rest by `rest`.
"""

from __future__ import annotations

import subprocess
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import IO, AnyStr

REST_SECONDS = 60.0
"""How long a process that was told to end may take, on however slow a machine."""


def line_with(stream: IO[AnyStr] | None, words: AnyStr) -> AnyStr:
    """The next line that holds `words`, waited for; the lines before it are dropped. The end of the stream fails."""
    assert stream is not None, "no pipe"
    read = []
    while line := stream.readline():
        if words in line:
            return line
        read.append(line)
    raise AssertionError(f"ended without {words!r}: {read}")


def rest(process: subprocess.Popen[AnyStr], seconds: float = REST_SECONDS) -> tuple[AnyStr, AnyStr]:
    """What is left of standard output and error, both pipes, until the process has ended. All pipes are closed."""
    assert process.stdout is not None, "no pipe"
    assert process.stderr is not None, "no pipe"
    if process.stdin is not None:
        process.stdin.close()
    with process.stdout, process.stderr, ThreadPoolExecutor(2, "test-listener") as readers:
        out, err = readers.submit(process.stdout.read), readers.submit(process.stderr.read)
        try:
            process.wait(seconds)
        finally:
            process.kill()  # or the readers wait for one that hangs
        return out.result(), err.result()


def is_stopped(process: subprocess.Popen[AnyStr]) -> bool:
    """Whether it stands still by SIGSTOP; that it has ended fails."""
    assert process.poll() is None, rest(process)
    return Path(f"/proc/{process.pid}/stat").read_text().rpartition(")")[2].split()[0] == "T"
