"""What the values of a column say about its type, and whether they are unique."""

from __future__ import annotations

from collections.abc import Sequence
from uuid import UUID

import pytest

from etl.inference.kinds import MIN_VALUES
from etl.inference.uniqueness import MAX_HASHES, Uniqueness
from etl.inference.values import EXAMPLE_LENGTH, MAX_EXAMPLES, ValueProfile
from etl.mapping.types import rule_for


def profile(values: Sequence[str | None], batch: int = 37) -> ValueProfile:
    found = ValueProfile()
    for at in range(0, len(values), batch):
        found.add(values[at : at + batch])
    return found


def repeated(*values: str) -> list[str]:
    return [values[number % len(values)] for number in range(2 * MIN_VALUES)]


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        (["true", "False", "TRUE"], "boolean"),
        (["0", "1"], "bigint"),
        (["1", "-7", "9223372036854775807"], "bigint"),
        (["1", "9223372036854775808"], "text"),
        (["1", "+7"], "text"),
        (["1", "007"], "text"),
        (["-0"], "text"),
        (["1234567890", "2234567890"], "text"),
        (["1234567890", "223456789"], "bigint"),
        (["1.50", "22.00", "-0.75"], "numeric(15,2)"),
        (["1.5", "2.25", "7"], "double"),
        (["1.0", "2.25"], "double"),
        (["1.10", "1.9"], "numeric"),
        ([".5", "1.25"], "double"),
        (["1.1234567890123456", "2.5"], "numeric"),
        (["12345678901234.56", "1.25"], "numeric"),
        (["1.0e5", "2.5E-3", "1e-5", "1E+5", ".5e1", "7"], "double"),
        (["1E5", "2.5E3"], "text"),
        (["1.2345678901234567e5"], "text"),
        (["1e999"], "text"),
        (["1,5"], "text"),
        (["2024-02-29", "2023-01-01"], "date"),
        (["2023-02-29"], "text"),
        (["01/02/2023"], "text"),
        (["10:11:12", "23:59:59.5"], "time"),
        (["2023-01-01T10:11:12", "2023-01-01 10:11:12.123"], "timestamp"),
        (["2023-01-01T10:11:12Z", "2023-01-01T10:11:12+01:00"], "timestamptz"),
        (["2023-01-01T10:11:12Z", "2023-01-01T10:11:12"], "text"),
        (["2023-01-01", "2023-01-01T10:11:12"], "text"),
        (["6ba7b810-9dad-11d1-80b4-00c04fd430c8"], "uuid"),
        (["6ba7b8109dad11d180b400c04fd430c8"], "text"),
        (["٣", "4"], "text"),
        (["A1", "B2"], "text"),
    ],
)
def test_types(values: list[str], expected: str) -> None:
    guess = profile(repeated(*values)).guess()
    assert str(guess.type) == expected
    assert guess.why or expected == "text"
    rule = rule_for(guess.type, True)
    for value in values:
        rule.convert(value)


def test_one_counter_example_is_enough_wherever_it_comes() -> None:
    for place in (0, 50, 999):
        values: list[str | None] = [str(number) for number in range(1000)]
        values[place] = "unknown"
        assert profile(values).guess().type.name == "text"


@pytest.mark.parametrize("batch", [1, 37, 100_000])
@pytest.mark.parametrize(
    ("values", "why"),
    [
        ([*["0.01", "0.02"] * 90, "n/a", "0.03", "?"], "text because of 'n/a' behind 180 decimal numbers"),
        ([*["1", " ", "2"] * 50, *["1.5"] * 50, "-", "x"], "text because of '-' behind 150 decimal numbers"),
        ([*["2024-02-29"] * 100, "2024-02-30"], "text because of '2024-02-30' behind 100 dates"),
        ([*["007"] * 100, "x" * 50], f"text because of '{'x' * 30}…' behind 100 codes of digits"),
        ([*["007"] * 200], "digits, some with leading zeros or too many: a code"),
        ([*["1"] * 99, "n/a", *["1"] * 99], ""),
        (["n/a", *["1"] * 200], ""),
        (["some", "words"] * 100, ""),
    ],
)
def test_what_made_it_text_is_said(values: list[str | None], why: str, batch: int) -> None:
    assert (profile(values, batch).guess().type.name, profile(values, batch).guess().why) == ("text", why)


def test_small_integers_are_sure_only_from_many_that_repeat() -> None:
    assert str(profile([str(number % 50) for number in range(1000)]).guess().type) == "integer"
    assert str(profile([str(number % 50) for number in range(999)]).guess().type) == "bigint"
    assert str(profile([str(number) for number in range(1000)]).guess().type) == "bigint"
    assert str(profile([str(number % 50 + 9990) for number in range(1000)]).guess().type) == "bigint"


def test_too_few_values_are_text() -> None:
    few = profile(["5"] * (MIN_VALUES - 1) + [""] * 50)
    assert (few.count, few.empty) == (149, 50)
    assert few.guess().type.name == "text"
    assert few.guess().why == "only 99 values seen"
    assert profile(["5"] * MIN_VALUES + [None] * 50).guess().type.name == "bigint"
    assert profile([]).guess().why == "no value seen"
    assert profile(["", None, " "]).guess().why == "always empty"


def test_values_are_stripped_and_counted() -> None:
    found = profile([" a ", "a\n", None, "\t", "", "bcd"])
    assert (found.count, found.empty, found.longest, found.examples) == (6, 3, 3, ["a", "bcd"])


def test_examples_are_the_first_different_ones_and_short() -> None:
    values: list[str | None] = ["", "x" * 500, "x" * 500, "b", "a", "b", *map(str, range(9))]
    for batch in (1, 4, 100):
        examples = profile(values, batch).examples
        assert examples == ["x" * EXAMPLE_LENGTH + "…", "b", "a", "0", "1"]
        assert len(examples) == MAX_EXAMPLES


@pytest.mark.parametrize(
    ("values", "unique"),
    [
        (["a", "b", "c"], True),
        (["a", "b", "a"], False),
        (["a", " a"], False),
        (["a", ""], True),
        (["a", "", None], False),
        (["x" * 300, "y"], False),
    ],
)
def test_unique(values: list[str | None], unique: bool) -> None:
    assert profile(values, batch=1).unique == profile(values).unique == unique


def test_uniqueness_has_bounded_memory_and_finds_duplicates_all_the_same() -> None:
    def numbers(begin: int, end: int) -> list[str]:
        return [str(UUID(int=number)) for number in range(begin, end)]

    seen = Uniqueness()
    for begin in range(0, 10 * MAX_HASHES, MAX_HASHES):
        assert seen.add(numbers(begin, begin + MAX_HASHES))
        assert len(seen) <= MAX_HASHES
    seen.shrink(100)
    assert 0 < len(seen) <= 100
    assert not seen.add(numbers(0, 10 * MAX_HASHES))
