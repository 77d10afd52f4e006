"""How long a thread could have run and no processor was free for it, as the kernel counts it (Linux)."""

from __future__ import annotations

from pathlib import Path


def run_delay(task: int | str) -> float:
    """Seconds so far; 0 where the kernel does not tell. `task`: a process's id, for its main thread; or `thread-self`.

    Raises ProcessLookupError.
    """
    try:
        return int(Path(f"/proc/{task}/schedstat").read_text("ascii").split()[1]) / 1e9
    except FileNotFoundError:
        return 0.0
