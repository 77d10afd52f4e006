"""What `etl load` is beside others, and beside what was aimed at, in sentences: ratios of medians, and memory.

Goals stand where there are some, by the kind of dump and the database. Nothing fails by them.
"""

from __future__ import annotations

from collections.abc import Iterator

from performance_tuning.benchmarks.peers.loaders import ADBC, OURS, READY, USUAL, Loader
from performance_tuning.benchmarks.peers.taken import Comparison

_AT_MOST = {("nested", "postgres"): 1.25, ("nested", "sqlite"): 1.3, ("flat", "sqlite"): 1.3}
"""Times as long as ready rows."""
_FASTER = {(ADBC.name, "nested", "postgres"): 2.5, (USUAL.name, "nested", "postgres"): 15.0}
"""Times as fast as another loader."""
_MEMORY = 250
"""MB, whatever the size of the dump."""


def goal_lines(comparison: Comparison) -> Iterator[str]:
    """Sentences about one dump and database."""
    place = comparison.dump.kind, comparison.database
    ours = comparison.of(OURS)
    ratio = 1 / comparison.times_ours(comparison.of(READY))
    yield f"{OURS.name} takes {ratio:.2f} times as long as {READY.name}{_goal('at most', _AT_MOST.get(place))}."
    for other in (ADBC, USUAL):
        yield _beside(comparison, other, _FASTER.get((other.name, *place)))
    memory = max(run.peak_memory for run in ours.runs) / 1e6
    yield f"It has {memory:.0f} MB of memory at its peak{_goal('under', _MEMORY)}."


def _beside(comparison: Comparison, other: Loader, goal: float | None) -> str:
    times = comparison.times_ours(comparison.of(other))
    return f"It is {times:.2f} times as fast as {other.name}{_goal('at least', goal)}."


def _goal(how: str, goal: float | None) -> str:
    return "" if goal is None else f" (goal: {how} {goal:g})"
