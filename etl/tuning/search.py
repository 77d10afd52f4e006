"""The search: one factor at a time, from where it begins, as long as a step gains. Pure.

In: factors, and a function that measures a choice. Out: the best choice.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

Choice = Mapping[str, int]
"""By factor, what is not as it was at the start."""


@dataclass(frozen=True, slots=True)
class Factor:
    """A setting that is turned."""

    name: str
    values: tuple[int, ...]
    """Ascending."""
    start: int
    """What it is before it is turned; one of them."""
    matters: Callable[[Choice], bool] = lambda _choice: True
    """Whether its value in a choice bounds anything; where it does not, others load the same, and it is not tried."""

    def walks(self) -> Iterator[tuple[int, ...]]:
        """The values above the start, going up, and those below it, going down."""
        place = self.values.index(self.start)
        yield self.values[place + 1 :]
        yield self.values[:place][::-1]


class OutOfTime(Exception):
    """There is no time left to measure anything."""


def search(factors: Sequence[Factor], least_gain: float, measure: Callable[[Factor, Choice, Choice], float]) -> Choice:
    """The fastest choice that was found.

    Each factor in turn is walked up from its start, to the first value that gains nothing; where the first one up
    gains nothing, down likewise. What gains is kept while the next factors are turned. `measure` gets the factor, the
    choice to try and the best one so far, and returns how many times as fast as that it is, 0 where it is unusable; it
    is better where that is above 1 + `least_gain`. Where it raises OutOfTime, the search ends with what it has.
    """
    best: dict[str, int] = {}
    try:
        for factor in factors:
            for walk in factor.walks():
                for value in walk:
                    choice = {**best, factor.name: value}
                    if not factor.matters(choice):
                        continue
                    if measure(factor, choice, best) <= 1 + least_gain:
                        break
                    best = choice
                if factor.name in best:
                    break
    except OutOfTime:
        pass
    return best
