"""The lexical rules of dates and times: texts to canonical texts of date, time, timestamp and timestamptz."""

from __future__ import annotations

import re
from datetime import date, datetime, timedelta

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
    return _day_and_clock(text, match, timedelta())


def _timestamptz(text: str) -> str:
    match = _TIMESTAMP_FORM.fullmatch(text)
    if match is None:
        raise ConversionError(BAD_VALUE, f"{shown(text)} is not {_TIMESTAMP_EXPECTED}, with Z or an offset like +01:00")
    return _day_and_clock(text, match, _offset(text, match[8])) + "+00:00"


def _day_and_clock(text: str, match: re.Match[str], offset: timedelta) -> str:
    day = _calendar_date(text, match[1], match[2], match[3])
    clock = _clock(text, match[4], match[5], match[6], match[7])
    if not offset and not clock.startswith("24"):
        return f"{match[1]}-{match[2]}-{match[3]} {clock}"
    hours = timedelta(hours=int(match[4]), minutes=int(match[5]), seconds=int(match[6]))
    try:
        moment = datetime(day.year, day.month, day.day) + hours - offset
    except OverflowError:
        raise ConversionError(OUT_OF_RANGE, f"{shown(text)} is outside the years 0001 to 9999 in UTC") from None
    return f"{moment.date().isoformat()} {moment:%H:%M:%S}{clock[8:]}"


def _offset(text: str, offset: str | None) -> timedelta:
    if offset is None or offset == "Z":
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
        convert=_timestamptz, python=str, plain=rf"{_PLAIN_DATE}[T ]{_PLAIN_TIME}Z", bulk=_plain_timestamps
    ),
}
