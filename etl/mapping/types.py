"""The lexical rules of every type: which texts are a value of it, and what the database gets to see.

In goes the text of a value as the document has it, stripped; out comes its canonical text, the only form a database
sees, so that every database stores the same. It is what PostgreSQL prints for the value (timestamptz: in UTC, with
the offset written ``+00:00``, which SQLite's functions read too). Rules know ASCII digits only, and nothing is rounded
in silence: what a type cannot hold is an error. `etl docs types` shows the table.
"""

from __future__ import annotations

import re
import struct
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from decimal import Decimal
from functools import lru_cache
from math import inf, isinf

from etl.mapping.model import ColumnType

BAD_VALUE = "bad_value"
OUT_OF_RANGE = "out_of_range"
TOO_LONG = "too_long"

SHOWN_LENGTH = 60
"""Characters of a bad value that a message shows: enough to recognise it, short enough for a line of a log."""


class ConversionError(ValueError):
    """A text is not a value of the type; `reason` is a reason code of rejects."""

    def __init__(self, reason: str, message: str) -> None:
        super().__init__(reason, message)
        self.reason = reason
        self.message = message


@dataclass(frozen=True, slots=True)
class Rule:
    """The rule of one type (with its parameters)."""

    convert: Callable[[str], str]
    """Text to canonical text; raises ConversionError."""
    python: Callable[[str], object]
    """Canonical text to the value that a target without COPY gets."""
    plain: str | None = None
    """Pattern of texts that need no look at each one: they are canonical, or become so by `bulk`."""
    bulk: Callable[[str], str] | None = None
    """Makes a whole column of `plain` texts, each followed by the byte 1, canonical at once."""


def shown(text: str) -> str:
    """`text` as messages quote it."""
    return repr(text if len(text) <= SHOWN_LENGTH else text[:SHOWN_LENGTH] + "…")


@lru_cache(maxsize=256)
def rule_for(column_type: ColumnType, finite: bool = False) -> Rule:
    """The rule of a type; `finite` refuses NaN and the infinities, for targets that cannot store them."""
    name = column_type.name
    if name == "text":
        return Rule(convert=str, python=str)
    if name == "varchar":
        length = column_type.length or 1
        return Rule(convert=_varchar(length), python=str, plain=rf"[^\x01\x03]{{0,{length}}}")
    if name in _INTEGERS:
        # One digit less than the limit has is always in range.
        digits = len(str(_INTEGERS[name])) - 1
        plain = rf"0|-?[1-9][0-9]{{0,{digits - 1}}}"
        return Rule(convert=_integer(name, _INTEGERS[name]), python=int, plain=plain)
    if name == "numeric":
        return _numeric_rule(column_type.precision, column_type.scale)
    if name in ("real", "double"):
        return Rule(convert=_floating(name, finite), python=float)
    return _RULES[name]


# --- text -------------------------------------------------------------------------------------------------------------


def _varchar(length: int) -> Callable[[str], str]:
    def convert(text: str) -> str:
        if len(text) > length:
            raise ConversionError(
                TOO_LONG, f"{shown(text)} has {len(text)} characters, varchar({length}) allows {length}"
            )
        return text

    return convert


# --- boolean ----------------------------------------------------------------------------------------------------------

_TRUE = frozenset({"true", "t", "yes", "y", "on", "1"})
_FALSE = frozenset({"false", "f", "no", "n", "off", "0"})


def _boolean(text: str) -> str:
    lower = text.lower()
    if lower in _TRUE:
        return "true"
    if lower in _FALSE:
        return "false"
    raise ConversionError(BAD_VALUE, f"{shown(text)} is not a boolean: true/false, t/f, yes/no, y/n, on/off or 1/0")


# --- integers ---------------------------------------------------------------------------------------------------------

_INTEGERS = {"smallint": 2**15 - 1, "integer": 2**31 - 1, "bigint": 2**63 - 1}
_INTEGER = re.compile(r"([+-]?)0*([0-9]+)")


def _integer(name: str, largest: int) -> Callable[[str], str]:
    limit_digits = len(str(largest))

    def convert(text: str) -> str:
        match = _INTEGER.fullmatch(text)
        if match is None:
            raise ConversionError(BAD_VALUE, f"{shown(text)} is not an integer: digits with an optional sign")
        sign, digits = match.groups()
        # The length first: int() of very many digits is slow, and refused by Python above 4300.
        number = int(sign + digits) if len(digits) <= limit_digits else None
        if number is None or not -largest - 1 <= number <= largest:
            raise ConversionError(
                OUT_OF_RANGE, f"{shown(text)} is out of the range of {name}: {-largest - 1} to {largest}"
            )
        return str(number)

    return convert


# --- numeric ----------------------------------------------------------------------------------------------------------

_NUMBER = re.compile(r"([+-]?)(?:([0-9]+)(?:\.([0-9]*))?|\.([0-9]+))(?:[eE]([+-]?[0-9]+))?")

NUMERIC_INTEGER_DIGITS = 131072
NUMERIC_FRACTION_DIGITS = 16383
"""What PostgreSQL's numeric holds without declared precision."""


def _numeric_rule(precision: int | None, scale: int | None) -> Rule:
    if precision is None:
        plain = r"(?!-0(?:\.0+)?\x01)-?(?:0|[1-9][0-9]{0,999})(?:\.[0-9]{1,999})?"
        return Rule(convert=_numeric(None, None), python=str, plain=plain)
    scale = scale or 0
    whole = "0" if precision == scale else rf"(?:0|[1-9][0-9]{{0,{precision - scale - 1}}})"
    fraction = rf"\.[0-9]{{{scale}}}" if scale else ""
    plain = rf"(?!-[0.]+\x01)-?{whole}{fraction}"
    return Rule(convert=_numeric(precision, scale), python=str, plain=plain)


def _numeric(precision: int | None, scale: int | None) -> Callable[[str], str]:
    whole_limit = NUMERIC_INTEGER_DIGITS if precision is None else precision - (scale or 0)
    fraction_limit = NUMERIC_FRACTION_DIGITS if scale is None else scale
    name = "numeric" if precision is None else f"numeric({precision},{scale})"

    def convert(text: str) -> str:
        match = _NUMBER.fullmatch(text)
        if match is None:
            raise ConversionError(
                BAD_VALUE, f"{shown(text)} is not a number: digits with an optional sign, decimal point and exponent"
            )
        sign, whole, after_point, only_fraction, exponent = match.groups()
        shifted = _shift(whole or "", after_point or only_fraction or "", exponent or "0")
        if shifted is None:
            raise ConversionError(OUT_OF_RANGE, f"{shown(text)} is out of the range of {name}")
        whole, fraction = shifted
        if len(whole) > whole_limit:
            raise ConversionError(
                OUT_OF_RANGE, f"{shown(text)} has {len(whole)} digits before the point, {name} holds {whole_limit}"
            )
        if len(fraction) > fraction_limit:
            if fraction[fraction_limit:].strip("0"):
                raise ConversionError(
                    OUT_OF_RANGE,
                    f"{shown(text)} has {len(fraction.rstrip('0'))} decimal places, {name} holds {fraction_limit}",
                )
            fraction = fraction[:fraction_limit]
        if scale is not None:
            fraction = fraction.ljust(scale, "0")
        negative = sign == "-" and (whole + fraction).strip("0")
        return f"{'-' if negative else ''}{whole or '0'}{'.' if fraction else ''}{fraction}"

    return convert


def _shift(whole: str, fraction: str, exponent: str) -> tuple[str, str] | None:
    """The digits before (without leading zeros) and behind the point once the exponent is applied; None: too many."""
    # An exponent of a few characters could ask for gigabytes of zeros.
    if len(exponent) > 8 or abs(int(exponent)) > 2 * NUMERIC_INTEGER_DIGITS:
        return None if (whole + fraction).strip("0") else ("", "")
    by = int(exponent)
    if by > 0:
        moved = fraction[:by].ljust(by, "0")
        whole, fraction = whole + moved, fraction[by:]
    elif by < 0:
        padded = whole.rjust(-by, "0")
        whole, fraction = padded[:by], padded[by:] + fraction
    return whole.lstrip("0"), fraction


# --- real, double -----------------------------------------------------------------------------------------------------

_SPECIAL = {
    "nan": "NaN",
    "inf": "Infinity",
    "+inf": "Infinity",
    "infinity": "Infinity",
    "+infinity": "Infinity",
    "-inf": "-Infinity",
    "-infinity": "-Infinity",
}
_FLOAT = struct.Struct("<f")


def _floating(name: str, finite: bool) -> Callable[[str], str]:
    single = name == "real"
    digits = 6 if single else 15

    def convert(text: str) -> str:
        special = _SPECIAL.get(text.lower())
        if special is not None:
            if finite:
                raise ConversionError(
                    OUT_OF_RANGE, f"{shown(text)} cannot be stored: this target has finite numbers only"
                )
            return special
        match = _NUMBER.fullmatch(text)
        if match is None:
            raise ConversionError(
                BAD_VALUE,
                f"{shown(text)} is not a number: digits with an optional sign, decimal point and exponent, or INF, NaN",
            )
        number = _single(float(text)) if single else float(text)
        vanished = number == 0.0 and any(group and group.strip("0") for group in match.groups()[1:4])
        if isinf(number) or vanished:
            raise ConversionError(OUT_OF_RANGE, f"{shown(text)} is out of the range of {name}")
        return _shortest(number, digits, single)

    return convert


def _single(number: float) -> float:
    """`number` rounded to single precision, infinite where that has no such number."""
    try:
        return float(_FLOAT.unpack(_FLOAT.pack(number))[0])
    except OverflowError:
        return inf


def _shortest(number: float, digits: int, single: bool) -> str:
    """The shortest digits that read back as `number`, with an exponent from `digits` digits on, as PostgreSQL does."""
    text = repr(number)
    if single:
        text = next(text for n in range(1, 10) if _single(float(text := f"{number:.{n}g}")) == number)
    exact = Decimal(text).normalize()
    exponent = exact.adjusted()
    if -5 < exponent < digits or not number:
        return f"{exact:f}"
    sign, significant, _ = exact.as_tuple()
    first, *others = map(str, significant)
    fraction = "." + "".join(others) if others else ""
    return f"{'-' if sign else ''}{first}{fraction}e{'-' if exponent < 0 else '+'}{abs(exponent):02d}"


# --- date and time ----------------------------------------------------------------------------------------------------

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


# --- uuid -------------------------------------------------------------------------------------------------------------

_UUID = re.compile(
    r"\{?([0-9a-f]{8})-?([0-9a-f]{4})-?([0-9a-f]{4})-?([0-9a-f]{4})-?([0-9a-f]{12})\}?", re.IGNORECASE | re.ASCII
)


def _uuid(text: str) -> str:
    match = _UUID.fullmatch(text)
    if match is None or text.startswith("{") != text.endswith("}") or text.count("-") not in (0, 4):
        raise ConversionError(
            BAD_VALUE,
            f"{shown(text)} is not a UUID: 32 hexadecimal digits, with hyphens (8-4-4-4-12) and braces or without",
        )
    return "-".join(match.groups()).lower()


_RULES = {
    "boolean": Rule(convert=_boolean, python="true".__eq__),
    "date": Rule(convert=_date, python=str, plain=_PLAIN_DATE),
    "time": Rule(convert=_time, python=str, plain=_PLAIN_TIME, bulk=lambda column: _TRAILING_ZEROS.sub(r"\1", column)),
    "timestamp": Rule(convert=_timestamp, python=str, plain=rf"{_PLAIN_DATE}[T ]{_PLAIN_TIME}", bulk=_plain_timestamps),
    "timestamptz": Rule(
        convert=_timestamptz, python=str, plain=rf"{_PLAIN_DATE}[T ]{_PLAIN_TIME}Z", bulk=_plain_timestamps
    ),
    "uuid": Rule(
        convert=_uuid,
        python=str,
        plain=r"[0-9a-fA-F]{8}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{12}",
        bulk=str.lower,
    ),
}

TYPE_NAMES = ("text", "varchar", *_INTEGERS, "numeric", "real", "double", *_RULES)
"""Every type of the mapping language."""
