"""Work that is interrupted when a tune is to end."""

from __future__ import annotations

import math
import threading
import time

import pytest

from etl.errors import TargetError
from etl.tuning.search import OutOfTime
from etl.tuning.until import Until


@pytest.mark.parametrize(("ends", "stopped", "reason"), [(0.0, False, OutOfTime), (math.inf, True, KeyboardInterrupt)])
def test_work_is_interrupted_until_it_ends_and_the_reason_is_raised(
    ends: float, stopped: bool, reason: type[BaseException]
) -> None:
    stopping, told, heard = threading.Event(), list[BaseException](), threading.Event()
    if stopped:
        stopping.set()

    def interrupt(error: BaseException) -> None:
        told.append(error)
        if len(told) == 2:  # the first one came between two statements
            heard.set()

    def work() -> None:
        with Until(ends, stopping).interrupting(interrupt):
            assert heard.wait(60)
            raise TargetError("The statement was cancelled.")

    with pytest.raises(reason):
        work()
    assert {type(error) for error in told} == {reason}


def test_what_fails_in_time_is_told_as_it_is() -> None:
    until = Until(time.monotonic() + 3600, threading.Event())
    until.check()
    with pytest.raises(TargetError, match="No place"), until.interrupting(print):
        raise TargetError("No place.")
