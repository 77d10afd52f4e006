"""What the commands share: settings from options, and how whatever goes wrong becomes a sentence and an exit code.

Main thread.
"""

from __future__ import annotations

import json
import logging
import signal
import sys
import traceback
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from types import FrameType
from typing import NoReturn

import typer

from etl.errors import EXIT_FAILED, EXIT_STOPPED, EtlError, SettingsError, mask_password
from etl.options import Settings, read_settings
from etl.screen import console, show_error
from etl.streams import STANDARD_OUTPUT, write_no_more

logger = logging.getLogger("etl")

ABORTED = "Aborted. What was committed stays; the same command goes on from there."


@contextmanager
def clear_errors(
    *,
    verbose: bool = False,
    interrupted: str = ABORTED,
) -> Iterator[None]:
    """Turn whatever is raised inside into one sentence and an exit code; behind it no signal changes that any more."""
    # It raises KeyboardInterrupt: SIGTERM asks for what Ctrl-C asks for.
    _on_interrupts(signal.default_int_handler)
    try:
        yield
    except EtlError as error:
        _fail(str(error), error.exit_code, error, verbose=verbose)
    except KeyboardInterrupt as error:
        _on_interrupts(signal.SIG_IGN)
        _fail(interrupted, EXIT_STOPPED, error)
    except BrokenPipeError:
        raise typer.Exit(EXIT_FAILED) from None
    except OSError as error:
        if error.filename == STANDARD_OUTPUT:
            write_no_more(sys.stdout)  # or what waits to be written there is told once more
        _fail(refusal(error), EXIT_FAILED, error, verbose=verbose)
    except Exception as error:  # noqa: BLE001 - the last resort: a defect is a sentence too, its traceback by -v and --log
        what = " ".join(str(error).split())
        sentence = f"{type(error).__name__}: {what} (a defect in etl: please report it, with what -v prints)"
        _fail(sentence, EXIT_FAILED, error, verbose=verbose)
    finally:
        _on_interrupts(signal.SIG_IGN)


def refusal(error: OSError) -> str:
    """What the system refuses, in a sentence."""
    if error.filename == STANDARD_OUTPUT:
        return f"Cannot write to standard output: {error.strerror}."
    return f"The system refuses: {error}."


def _on_interrupts(action: Callable[[int, FrameType | None], None] | signal.Handlers) -> None:
    """What Ctrl-C and SIGTERM do from now on, unless whoever started the command wants them ignored."""
    for number in (signal.SIGINT, signal.SIGTERM):
        if signal.getsignal(number) is not signal.SIG_IGN:
            signal.signal(number, action)


def _fail(sentence: str, exit_code: int, error: BaseException, *, verbose: bool = False) -> NoReturn:
    logger.error("%s", sentence, exc_info=error)
    if verbose:
        text = mask_password("".join(traceback.format_exception(error)))
        console(sys.stderr).print(text, markup=False, soft_wrap=True)
    show_error(sentence)
    raise typer.Exit(exit_code)


def check_apart(outputs: Mapping[str, Path | None], used: Iterable[str | Path | None]) -> None:
    """Raise SettingsError where a file that an option has lines appended to is what the command reads or loads into."""
    others = [Path(other) for other in used if other is not None]
    for option, file in outputs.items():
        for other in others:
            with suppress(OSError):  # what is not there is no other's
                if file is not None and file.samefile(other):
                    raise SettingsError(f"{option} {file}: lines would be appended to {other}, which this load uses.")


def settings_of(
    file: Path | None,
    overrides: Sequence[str] | None,
    workers: int | None = None,
    write: str | None = None,
    *,
    dtd: Path | None = None,
    repair: bool = False,
    validate: Path | None = None,
) -> Settings:
    """The settings that a command's options ask for; raises SettingsError."""
    flags = {
        "workers.count": workers,
        "write": write,
        "input.dtd": None if dtd is None else str(dtd),
        "input.repair": repair or None,
        "input.validate": None if validate is None else str(validate),
    }
    # As JSON, which is YAML, too: a file may have any name.
    given = [f"{name}={json.dumps(value)}" for name, value in flags.items() if value is not None]
    return read_settings(file, [*(overrides or ()), *given])
