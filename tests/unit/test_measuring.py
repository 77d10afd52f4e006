"""What the numbers of a running load are taken with."""

from __future__ import annotations

import random
import time

import pytest

from etl.measuring import Durations, StateClock
from etl.metrics import Percentiles, StageTimes, together


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """What `time.monotonic` tells: its only element."""
    now = [100.0]
    monkeypatch.setattr(time, "monotonic", lambda: now[0])
    return now


def test_a_clock_counts_every_state_also_the_present_one(clock: list[float]) -> None:
    states = StateClock("reading")
    clock[0] += 2
    states.enter("writing")
    clock[0] += 3
    assert states.seconds() == {"reading": 2, "writing": 3}
    states.enter("reading")
    clock[0] += 5
    states.enter(None)
    clock[0] += 100
    assert states.seconds() == {"reading": 7, "writing": 3}


def test_a_clock_counts_how_many_are_in_a_state(clock: list[float]) -> None:
    states = StateClock("free", 4)
    clock[0] += 1
    states.enter("free", 1)
    clock[0] += 10
    assert states.seconds()["free"] == 14
    assert states.seconds()["never"] == 0


def test_percentiles_are_right_to_one_percent() -> None:
    chance = random.Random(1)
    seconds = sorted(chance.lognormvariate(-4, 2) for _ in range(10_000))
    durations = Durations()
    for each in seconds:
        durations.add(each)
    found = durations.percentiles()
    assert (found.count, found.most) == (10_000, seconds[-1])
    for share, value in ((0.5, found.p50), (0.95, found.p95), (0.99, found.p99)):
        assert value == pytest.approx(seconds[int(share * 10_000) - 1], rel=0.0101)


def test_percentiles_of_few_durations() -> None:
    durations = Durations()
    assert durations.percentiles() == Percentiles(0, 0.0, 0.0, 0.0, 0.0)
    durations.add(0.0)
    assert durations.percentiles() == Percentiles(1, 0.0, 0.0, 0.0, 0.0)
    durations.add(2.0)
    found = durations.percentiles()
    assert (found.count, found.most) == (2, 2.0)
    assert found.p50 < 1e-8
    assert found.p99 == pytest.approx(2.0, rel=0.0101)


def test_shares_and_sums_of_stages() -> None:
    first, second = StageTimes(1.0, 2.0, 3.0), StageTimes(10.0, 20.0, 30.0)
    assert together([first, second]) == StageTimes(11.0, 22.0, 33.0)
    assert first.share(first.idle) == 0.5
    assert StageTimes(0.0, 0.0, 0.0).share(0.0) == 0.0
