"""The lexical rules of numbers: texts to canonical texts of smallint, integer, bigint, numeric, real and double."""

from __future__ import annotations

import re
import struct
from collections.abc import Callable
from decimal import Decimal
from math import inf, isinf

from etl.mapping.conversion import BAD_VALUE, OUT_OF_RANGE, ConversionError, Rule, shown

INTEGERS = {"smallint": 2**15 - 1, "integer": 2**31 - 1, "bigint": 2**63 - 1}
"""The largest number of each type; the smallest is one further from zero."""

_INTEGER = re.compile(r"([+-]?)0*([0-9]+)")


def integer_rule(name: str) -> Rule:
    """The rule of smallint, integer or bigint."""
    # One digit less than the limit has is always in range.
    digits = len(str(INTEGERS[name])) - 1
    plain = rf"0|-?[1-9][0-9]{{0,{digits - 1}}}"
    return Rule(convert=_integer(name, INTEGERS[name]), python=int, plain=plain)


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


_NUMBER = re.compile(r"([+-]?)(?:([0-9]+)(?:\.([0-9]*))?|\.([0-9]+))(?:[eE]([+-]?[0-9]+))?")

NUMERIC_INTEGER_DIGITS = 131072
NUMERIC_FRACTION_DIGITS = 16383
"""What PostgreSQL's numeric holds without declared precision."""


DOUBLE_DIGITS = 15
"""Decimal digits that survive in a double."""


def numeric_rule(precision: int | None, scale: int | None) -> Rule:
    """The rule of numeric, with precision and scale or without."""
    if precision is None:
        plain = r"(?!-0(?:\.0+)?\x01)-?(?:0|[1-9][0-9]{0,999})(?:\.[0-9]{1,999})?"
        return Rule(convert=_numeric(None, None), python=str, plain=plain)
    scale = scale or 0
    whole = "0" if precision == scale else rf"(?:0|[1-9][0-9]{{0,{precision - scale - 1}}})"
    fraction = rf"\.[0-9]{{{scale}}}" if scale else ""
    plain = rf"(?!-[0.]+\x01)-?{whole}{fraction}"
    # SQLite makes a double of it anyway, but its own reading of decimals is a digit off at times.
    python: Callable[[str], object] = str if precision > DOUBLE_DIGITS else float if scale else int
    return Rule(convert=_numeric(precision, scale), python=python, plain=plain)


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


def floating_rule(name: str, *, finite: bool) -> Rule:
    """The rule of real or double; `finite` refuses NaN and the infinities."""
    return Rule(convert=_floating(name, finite), python=float)


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
