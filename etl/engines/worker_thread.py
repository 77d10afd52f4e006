"""The threads of the engines: each serves one worker."""

from __future__ import annotations

import errno
import threading
from collections.abc import Callable


def start_worker_thread(number: int, work: Callable[[], object]) -> threading.Thread:
    """A thread that runs `work`, started. Raises OSError where the system starts no more, as it is with processes."""
    thread = threading.Thread(target=work, name=f"etl-worker-{number}", daemon=True)
    try:
        thread.start()
    except RuntimeError as error:
        raise OSError(errno.EAGAIN, str(error)) from error
    return thread
