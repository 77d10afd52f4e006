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


def search(
    factors: Sequence[Factor], start: float, least_gain: float, measure: Callable[[Factor, Choice, float], float]
) -> Choice:
    """The choice with the highest rate that was found.

    Each factor in turn is walked up from its start, to the first value that gains nothing; where the first one up
    gains nothing, down likewise. What gains is kept while the next factors are turned. `start`: the rate with every
    factor as it is; `least_gain`: the share by which a rate must exceed the best one so far to be better. `measure`
    gets the factor, the choice to try and the rate that it has to exceed; it returns its rate, 0 where it is unusable.
    Where it raises OutOfTime, the search ends with what it has.
    """
    best: dict[str, int] = {}
    rate = start
    try:
        for factor in factors:
            for walk in factor.walks():
                for value in walk:
                    choice, to_exceed = {**best, factor.name: value}, rate * (1 + least_gain)
                    if not factor.matters(choice):
                        continue
                    found = measure(factor, choice, to_exceed)
                    if found <= to_exceed:
                        break
                    best, rate = choice, found
                if factor.name in best:
                    break
    except OutOfTime:
        pass
    return best
