"""What a mapping says about how dates and times are written: whether a strptime form or a time zone is usable.

A form or the name of a zone goes in, a sentence about what is wrong with it comes out.
"""

from __future__ import annotations

import difflib
import re
from datetime import datetime, timedelta, timezone
from zoneinfo import available_timezones

from etl.mapping.moments import zone_of

_SAMPLE = datetime(2021, 11, 23, 13, 47, 58, 123456, tzinfo=timezone(timedelta(hours=5, minutes=30)))
"""A moment of which no part is what strptime assumes for a part that is missing."""
_NO_DAY = datetime.strptime("", "").date()
_OFFSET = re.compile(r"[+-](?:0[0-9]|1[0-5]):[0-5][0-9]")


def format_problem(form: str, type_name: str) -> str | None:
    """Why `form` does not give a value of date, time, timestamp or timestamptz; None where it does."""
    directives = re.findall(r"%(.)", form, re.DOTALL)
    if "Z" in directives:
        return "%Z reads few names of zones: write the name as text, as in '%H:%M GMT', or use %z for offsets"
    if "z" in directives and type_name == "timestamp":
        return "%z is an offset from UTC, which timestamp cannot keep: use timestamptz"
    try:
        written = _SAMPLE.strftime(form)
        parsed = datetime.strptime(written, form)
    except (ValueError, re.error) as error:
        reason = str(error).partition(" in format")[0] if "directive" in str(error) else str(error)
        return f"not a form that Python's strptime reads: {reason}"
    if type_name != "time" and parsed.year != _SAMPLE.year:
        return f"gives no year, which {type_name} needs (%Y)"
    if parsed.hour == _SAMPLE.hour % 12:
        return "%I (hours to 12) needs %p (AM or PM)"
    if type_name == "time" and parsed.hour != _SAMPLE.hour:
        return "gives no hour, which time needs (%H)"
    if type_name == "time" and parsed.date() != _NO_DAY:
        return "gives a day, which time cannot keep: use timestamp"
    if parsed.strftime(form) != written:
        return "a week or a day of the week says no date without the rest of it (as %G-W%V-%u)"
    return None


def timezone_problem(name: str) -> str | None:
    """Why `name` is no time zone; None where it is one: an IANA name or an offset from UTC."""
    try:
        if name.startswith(("+", "-")) and not _OFFSET.fullmatch(name):
            raise ValueError(name)
        zone_of(name)
    except (ValueError, OSError, KeyError):  # a folder of the database, or a path out of it, is an OSError
        known = available_timezones()
        if not known:
            return "this machine has no time zone database: pip install tzdata, or write an offset like +01:00"
        by_case = {zone.lower(): zone for zone in known}
        close = difflib.get_close_matches(name.lower(), by_case, n=1)
        hint = f"; did you mean {by_case[close[0]]!r}?" if close else ""
        return f"{name!r} is no time zone: a name like Europe/Berlin, or an offset like +01:00{hint}"
    return None
