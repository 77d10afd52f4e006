"""When rejects are too many, and what is said then."""

from __future__ import annotations

import pytest

from etl.loading.error_limit import ErrorLimit
from etl.options import build_settings


def limit(most: object, after: int = 100) -> ErrorLimit:
    return ErrorLimit(build_settings({"errors": {"max": most, "after": after}}).errors)


@pytest.mark.parametrize(
    ("most", "rejected", "records", "too_many"),
    [
        ("unlimited", 1000, 1000, False),
        (5, 5, 5, False),
        (5, 6, 6, True),
        (0, 0, 1000, False),
        (0, 1, 1, True),
        ("10%", 99, 99, False),  # not counted before `after`
        ("10%", 10, 100, False),
        ("10%", 11, 100, True),
        ("0%", 1, 100, True),
        ("100%", 1000, 1000, False),
    ],
)
def test_too_many_are_more_than_the_number_or_the_share(
    most: object, rejected: int, records: int, too_many: bool
) -> None:
    assert bool(limit(most).exceeded(rejected, records)) is too_many


def test_the_sentence_has_both_numbers_and_the_setting() -> None:
    said = "1,234 of 10,000 records were rejected, more than errors.max (10%) allows."
    assert limit("10%").exceeded(1234, 10_000) == said
    assert "errors.max (500)" in limit(500).exceeded(1234, 10_000)
