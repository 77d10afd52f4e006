"""The lexical rules of dates and times: texts to canonical texts of date, time, timestamp and timestamptz."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta, timezone, tzinfo
from functools import lru_cache
from zoneinfo import ZoneInfo

from etl.mapping.conversion import BAD_VALUE, OUT_OF_RANGE, ConversionError, Rule, shown

_DATE = r"([0-9]{4})-([0-9]{2})-([0-9]{2})"
_TIME = r"([0-9]{2}):([0-9]{2}):([0-9]{2})(?:\.([0-9]+))?"
_OFFSET = r"(Z|[+-][0-9]{2}(?::?[0-9]{2})?)"
_DATE_FORM = re.compile(_DATE)
_TIME_FORM = re.compile(_TIME)
_TIMESTAMP_FORM = re.compile(rf"{_DATE}[T ]{_TIME}{_OFFSET}?")

# 29 February is left to the calendar.
_PLAIN_DATE = (
    r"(?!0000)[0-9]{4}-(?:(?:0[13578]|1[02])-(?:0[1-9]|[12][0-9]|3[01])"
    r"|(?:0[469]|11)-(?:0[1-9]|[12][0-9]|30)|02-(?:0[1-9]|1[0-9]|2[0-8]))"
)
_PLAIN_TIME = r"(?:[01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9](?:\.[0-9]{1,6})?"
_TRAILING_ZEROS = re.compile(r"(?:\.0+|(\.[0-9]*[1-9])0+)(?=[+\x01])")

_DATE_EXPECTED = "a date: YYYY-MM-DD"
_TIME_EXPECTED = "a time: hh:mm:ss, with a fraction or without"
_TIMESTAMP_EXPECTED = "a timestamp: YYYY-MM-DD, T or a blank, hh:mm:ss, with a fraction or without"
_NO_DAY = date(1900, 1, 1)
"""What strptime gives where the form has no day."""
_OUTSIDE = "{} is outside the years 0001 to 9999 in UTC"


def _date(text: str) -> str:
    match = _DATE_FORM.fullmatch(text)
    if match is None:
        raise ConversionError(BAD_VALUE, f"{shown(text)} is not {_DATE_EXPECTED}")
    _calendar_date(text, match[1], match[2], match[3])
    return text


def _calendar_date(text: str, year: str, month: str, day: str) -> date:
    try:
        return date(int(year), int(month), int(day))
    except ValueError:
        raise ConversionError(
            OUT_OF_RANGE, f"{shown(text)} is not a day of the calendar (years 0001 to 9999)"
        ) from None


def _time(text: str) -> str:
    match = _TIME_FORM.fullmatch(text)
    if match is None:
        raise ConversionError(BAD_VALUE, f"{shown(text)} is not {_TIME_EXPECTED}")
    return _clock(text, *match.groups())


def _clock(text: str, hour: str, minute: str, second: str, fraction: str | None) -> str:
    digits = (fraction or "").rstrip("0")
    midnight = hour == "24" and minute == second == "00" and not digits
    if not midnight and (hour > "23" or minute > "59" or second > "59"):
        raise ConversionError(
            OUT_OF_RANGE, f"{shown(text)} is not a time of day (00:00:00 to 24:00:00, no leap seconds)"
        )
    if len(digits) > 6:
        raise ConversionError(OUT_OF_RANGE, f"{shown(text)} has {len(digits)} digits of a second, 6 can be stored")
    return f"{hour}:{minute}:{second}{'.' if digits else ''}{digits}"


def _timestamp(text: str) -> str:
    match = _TIMESTAMP_FORM.fullmatch(text)
    if match is None:
        raise ConversionError(BAD_VALUE, f"{shown(text)} is not {_TIMESTAMP_EXPECTED}")
    if match[8]:
        raise ConversionError(
            BAD_VALUE, f"{shown(text)} has an offset from UTC, which timestamp cannot keep: use timestamptz"
        )
    return _day_and_clock(text, match, None)


def _timestamptz(zone: tzinfo) -> Callable[[str], str]:
    def convert(text: str) -> str:
        match = _TIMESTAMP_FORM.fullmatch(text)
        if match is None:
            raise ConversionError(
                BAD_VALUE, f"{shown(text)} is not {_TIMESTAMP_EXPECTED}, with Z or an offset like +01:00"
            )
        between = _offset(text, match[8]) if match[8] else zone
        return _day_and_clock(text, match, None if between is UTC else between) + "+00:00"

    return convert


def _day_and_clock(text: str, match: re.Match[str], between: timedelta | tzinfo | None) -> str:
    """The day and time of `match`; in UTC, where `between` says what lies between the two."""
    day = _calendar_date(text, match[1], match[2], match[3])
    clock = _clock(text, match[4], match[5], match[6], match[7])
    if not between and not clock.startswith("24"):
        return f"{match[1]}-{match[2]}-{match[3]} {clock}"
    hours = timedelta(hours=int(match[4]), minutes=int(match[5]), seconds=int(match[6]))
    try:
        moment = datetime(day.year, day.month, day.day) + hours
        if isinstance(between, tzinfo):
            moment = moment.replace(tzinfo=between).astimezone(UTC)
        elif between:
            moment -= between
    except OverflowError:
        raise ConversionError(OUT_OF_RANGE, _OUTSIDE.format(shown(text))) from None
    return f"{moment.date().isoformat()} {moment:%H:%M:%S}{clock[8:]}"


def _offset(text: str, offset: str) -> timedelta:
    if offset == "Z":
        return timedelta()
    hours, minutes = int(offset[1:3]), int(offset[-2:]) if len(offset) > 3 else 0
    if hours > 15 or minutes > 59:
        raise ConversionError(OUT_OF_RANGE, f"{shown(text)} has an offset from UTC of more than 15:59 hours")
    return timedelta(hours=hours, minutes=minutes) * (-1 if offset[0] == "-" else 1)


def _plain_timestamps(column: str) -> str:
    column = column.replace("T", " ").replace("Z", "+00:00")
    return _TRAILING_ZEROS.sub(r"\1", column) if "." in column else column


MOMENT_RULES = {
    "date": Rule(convert=_date, python=str, plain=_PLAIN_DATE),
    "time": Rule(convert=_time, python=str, plain=_PLAIN_TIME, bulk=lambda column: _TRAILING_ZEROS.sub(r"\1", column)),
    "timestamp": Rule(convert=_timestamp, python=str, plain=rf"{_PLAIN_DATE}[T ]{_PLAIN_TIME}", bulk=_plain_timestamps),
    "timestamptz": Rule(
        convert=_timestamptz(UTC), python=str, plain=rf"{_PLAIN_DATE}[T ]{_PLAIN_TIME}Z", bulk=_plain_timestamps
    ),
}


@lru_cache(maxsize=64)
def zone_of(name: str) -> tzinfo:
    """The zone of an IANA name, or of an offset like ``+01:00``. Raises KeyError, ValueError or OSError for others."""
    if name == "UTC":
        return UTC
    if name[:1] in ("+", "-"):
        offset = timedelta(hours=int(name[1:3]), minutes=int(name[4:6]))
        return timezone(-offset if name[0] == "-" else offset)
    return ZoneInfo(name)


def moment_rule(name: str, forms: Sequence[str], zone_name: str) -> Rule:
    """The rule of date, time, timestamp or timestamptz with a column's (usable) strptime forms and time zone."""
    rule, zone = MOMENT_RULES[name], zone_of(zone_name)
    if name == "timestamptz" and zone is not UTC:
        rule = replace(rule, convert=_timestamptz(zone))
    return replace(rule, convert=_with_forms(rule.convert, name, forms, zone)) if forms else rule


def _with_forms(own: Callable[[str], str], name: str, forms: Sequence[str], zone: tzinfo) -> Callable[[str], str]:
    known = f"nor {'any of the forms' if len(forms) > 1 else 'of the form'} {', '.join(forms)}"

    def convert(text: str) -> str:
        try:
            return own(text)
        except ConversionError as error:
            moment = _parsed(text, forms)
            if moment is None:
                raise ConversionError(
                    error.reason, error.message if error.reason != BAD_VALUE else f"{error.message}; {known}"
                ) from None
        return _of_form(text, name, moment, zone)

    return convert


def _parsed(text: str, forms: Sequence[str]) -> datetime | None:
    """By the first form that fits; without time zone where that has none."""
    # strptime takes digits of any script.
    if not text.isascii() and any(character.isdigit() and not character.isascii() for character in text):
        return None
    for form in forms:
        try:
            return datetime.strptime(text, form)
        except ValueError:
            continue
    return None


def _of_form(text: str, name: str, moment: datetime, zone: tzinfo) -> str:
    if name == "date":
        if moment.time() != datetime.min.time():
            raise ConversionError(BAD_VALUE, f"{shown(text)} has a time of day, which date cannot keep: use timestamp")
        return moment.date().isoformat()
    if name == "time" and moment.date() != _NO_DAY:
        raise ConversionError(BAD_VALUE, f"{shown(text)} has a day, which time cannot keep: use timestamp")
    if name == "timestamptz":
        try:
            moment = (moment if moment.tzinfo else moment.replace(tzinfo=zone)).astimezone(UTC).replace(tzinfo=None)
        except OverflowError:
            raise ConversionError(OUT_OF_RANGE, _OUTSIDE.format(shown(text))) from None
    canonical = moment.time().isoformat() if name == "time" else moment.isoformat(" ")
    if "." in canonical:
        canonical = canonical.rstrip("0")
    return canonical + "+00:00" if name == "timestamptz" else canonical
