"""The log of a run: what the loggers below ``etl`` get, with times, appended to a file; no password is in it."""

from __future__ import annotations

import logging
import sys
from pathlib import Path

from etl.errors import SettingsError, mask_password


def log_to(file: Path) -> None:
    """Send what the package logs to `file` too; raises SettingsError where it cannot be written."""
    try:
        handler = _LogFile(file, encoding="utf-8", errors="backslashreplace")
    except OSError as error:
        raise SettingsError(f"Cannot write the log {file}: {error.strerror}.") from error
    handler.setFormatter(_MaskingFormatter("%(asctime)s %(levelname)s %(threadName)s: %(message)s"))
    logger = logging.getLogger("etl")
    logger.addHandler(handler)
    logger.setLevel(logging.INFO)


class _LogFile(logging.FileHandler):
    """Ends, with one sentence, when it cannot be written to any more: what is logged goes on."""

    def handleError(self, record: logging.LogRecord) -> None:  # noqa: N802 - the standard library's name
        logging.getLogger("etl").removeHandler(self)
        error = sys.exc_info()[1]
        reason = error.strerror if isinstance(error, OSError) and error.strerror else error
        sys.stderr.write(f"The log {self.baseFilename} ends here: {reason}. All else goes on.\n")


class _MaskingFormatter(logging.Formatter):
    def format(self, record: logging.LogRecord) -> str:
        return mask_password(super().format(record))
