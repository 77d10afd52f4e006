"""strptime forms and time zones of a mapping: which are usable, and why the others are not."""

from __future__ import annotations

import pytest

from etl.mapping.moment_forms import format_problem, timezone_problem


@pytest.mark.parametrize(
    ("form", "type_name"),
    [
        ("%Y", "date"),
        ("%Y-%m-%d", "date"),
        ("%d.%m.%y", "date"),
        ("%G-W%V-%u", "date"),
        ("%Y-%j", "date"),
        ("%a, %d %b %Y", "date"),
        ("%Y-%m-%dT%H:%M:%S", "date"),  # for days written as their midnight
        ("%H%M", "time"),
        ("%I:%M %p", "time"),
        ("%d/%m/%Y", "timestamp"),
        ("%Y%m%d%H%M%S%f", "timestamp"),
        ("%a, %d %b %Y %H:%M:%S GMT", "timestamptz"),
        ("%Y-%m-%d %H:%M%z", "timestamptz"),
        ("%Y-%m-%d%z", "date"),
        ("%H:%M:%S%z", "time"),
        ("100%% %Y", "date"),
        ("%%Z %Y", "date"),
    ],
)
def test_forms_that_work(form: str, type_name: str) -> None:
    assert format_problem(form, type_name) is None


@pytest.mark.parametrize(
    ("form", "type_name", "expected"),
    [
        ("%d.%m.", "date", "gives no year, which date needs (%Y)"),
        ("", "date", "gives no year"),
        ("%H:%M", "timestamp", "gives no year, which timestamp needs"),
        ("%M:%S", "time", "gives no hour, which time needs (%H)"),
        ("%Y-%m-%d %H:%M", "time", "gives a day, which time cannot keep"),
        ("%Y-%m-%d %I:%M", "timestamp", "%I (hours to 12) needs %p"),
        ("%Y-%m-%dT%H:%M%z", "timestamp", "use timestamptz"),
        ("%Y-%m-%d %Z", "timestamptz", "%Z reads few names of zones"),
        ("%Q", "date", "'Q' is a bad directive"),
        ("%Y-%", "date", "not a form that Python's strptime reads"),
        ("%Y %Y", "date", "not a form that Python's strptime reads"),
        ("%-d.%m.%Y", "date", "bad directive"),
        ("%Y-%W", "date", "a week or a day of the week says no date"),
        ("%Y %u", "timestamp", "a week or a day of the week says no date"),
    ],
)
def test_forms_that_do_not(form: str, type_name: str, expected: str) -> None:
    assert expected in str(format_problem(form, type_name))


@pytest.mark.parametrize(
    "name", ["UTC", "Europe/Berlin", "America/Argentina/Buenos_Aires", "+00:00", "-09:30", "+15:59"]
)
def test_zones(name: str) -> None:
    assert timezone_problem(name) is None


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("europe/berlin ", "did you mean 'Europe/Berlin'?"),
        ("Berlin", "is no time zone: a name like Europe/Berlin, or an offset like +01:00"),
        ("Europe", "is no time zone"),
        ("../etc/passwd", "is no time zone"),
        ("/etc/passwd", "is no time zone"),
        ("", "is no time zone"),
        ("+1:00", "is no time zone"),
        ("+01", "is no time zone"),
        ("+16:00", "is no time zone"),
        ("Mitteleuropäische Zeit", "is no time zone"),
    ],
)
def test_what_is_no_zone(name: str, expected: str) -> None:
    assert expected in str(timezone_problem(name))
