"""A file that appears under its name when it is whole, and never in place of another. Any thread."""

from __future__ import annotations

import os
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO


@contextmanager
def new_file(file: Path) -> Iterator[BinaryIO]:
    """Write a file that is not there yet, whole or, where an error is raised, not at all; raises OSError."""
    if os.path.lexists(file):
        raise FileExistsError(17, "File exists", str(file))
    temporary = file.with_name(f".etl-{uuid.uuid4().hex}.tmp")
    try:
        with temporary.open("xb") as out:
            yield out
            out.flush()
            os.fsync(out.fileno())
        try:
            os.link(temporary, file)  # which, unlike a rename, never replaces a file
        except FileExistsError:
            raise
        except OSError:  # a file system without links
            if os.path.lexists(file):
                raise
            temporary.rename(file)
    finally:
        temporary.unlink(missing_ok=True)
