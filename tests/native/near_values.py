"""Texts that are values of a type, or nearly: made of likely pieces, then changed by a character or two.

Each type has a few shapes; a shape is a row of pieces, each one of some texts, or a number: up to so many digits.
"""

from __future__ import annotations

from collections.abc import Sequence

from hypothesis import strategies as st

Piece = Sequence[str] | int
Shape = tuple[Piece, ...]

_SIGN = ("", "", "", "-", "-", "+")
_ZEROS = ("", "", "", "0", "00", "000000000000000000000000")
_EXPONENT = (
    *("", "", "", "e0", "E1", "e-1", "e+2", "e5", "e-7", "E15", "e+21", "e-30", "e37", "e38", "e-37", "e-45", "e0001"),
    *("e300", "e308", "e-308", "e-320", "e9999", "e-9999", "e12345", "e99999999999", "e", "e+", "e1.5"),
)
_POINT = ("", ".", ".", ".")
_BOUNDS = tuple(
    str(number)
    for bits in (15, 31, 63, 64)
    for number in (2**bits - 2, 2**bits - 1, 2**bits, 2**bits + 1, 10 * 2**bits)
)
_INTEGERS: tuple[Shape, ...] = ((_SIGN, _ZEROS, 21), (_SIGN, _ZEROS, _BOUNDS))
_NUMBERS: tuple[Shape, ...] = (
    (_SIGN, _ZEROS, 4, _POINT, 4, _ZEROS, ("", "", "", "e1", "E-2")),
    (_SIGN, _ZEROS, 20, _POINT, _ZEROS, 20, _ZEROS, _EXPONENT),
    (("NaN", "nan", "INF", "-INF", "+Infinity", "infinity", "0", "-0", "-0.0", "9.999995", "0.000099999950"),),
    (_SIGN, ("1", "9", "123456", "999999", "1234567", "123456789012345", "1234567890123456"), _EXPONENT),
)
_YEAR = ("2020", "2021", "2000", "1900", "2100", "0000", "0001", "9999", "1970", "0004", "2400")
_MONTH = ("01", "02", "02", "03", "04", "06", "07", "09", "11", "12", "12", "00", "13")
_DAY = ("01", "15", "28", "29", "30", "31", "00", "32", "1")
_DATE: Shape = (_YEAR, ("-",), _MONTH, ("-",), _DAY)
_HOUR = ("00", "01", "09", "12", "23", "23", "24", "24", "25")
_SIXTY = ("00", "00", "00", "01", "30", "59", "60")
_FRACTION = ("", "", ".0", ".000", ".5", ".123", ".120", ".123456", ".1234560", ".1234567", ".000000", ".0000001", ".")
_TIME: Shape = (_HOUR, (":",), _SIXTY, (":",), _SIXTY, _FRACTION)
_OFFSET = (
    *("", "Z", "Z", "z", "+00:00", "-00:00", "+0000", "+00", "+01:00", "-05:30", "+0530", "-08", "+14:00", "+15:59"),
    *("-15:59", "+16:00", "-15:60", "+1", "+1:00", "+01:", "+0:100", "+01:0", " +01:00", "+01:000", "+010"),
)
_TIMESTAMP: Shape = (*_DATE, ("T", "T", " ", "t", ""), *_TIME)
_HEX = (*"0123456789abcdefABCDEF", "g", "0a", "deadBEEF")
_FOUR = ("0000", "12ab", "DEAD", "9f9F", "ffff", "00-0", "123")
_EIGHT = ("00000000", "deadBEEF", "12345678", "ABCDEF00", "1234567")
_HYPHEN = ("-", "-", "-", "-", "-", "-", "-", "")
_WORDS = ("true", "false", "t", "f", "yes", "no", "y", "n", "on", "off", "1", "0", "", "tru", "of", "null", "yesno")

SHAPES: dict[str, tuple[Shape, ...]] = {
    "text": ((("", "a", "ä€", " ", "\U0001f600"), 5),),
    "varchar": ((("", "a", "ä", "€€", "\U0001f600"), ("", "b", "éé", "\u0301"), ("", "cc", "字字字"), 3),),
    "boolean": ((_WORDS,), ((*_WORDS, *(word.upper() for word in _WORDS), *(word.title() for word in _WORDS)),)),
    "smallint": _INTEGERS,
    "integer": _INTEGERS,
    "bigint": _INTEGERS,
    "numeric": _NUMBERS,
    "real": _NUMBERS,
    "double": _NUMBERS,
    "date": (_DATE,),
    "time": (_TIME,),
    "timestamp": (_TIMESTAMP, (*_TIMESTAMP, _OFFSET)),
    "timestamptz": ((*_TIMESTAMP, _OFFSET),),
    "uuid": (
        (("", "", "{"), _EIGHT, *(_HYPHEN, _FOUR) * 3, _HYPHEN, _EIGHT, _FOUR, ("", "", "}")),
        (("", "{"), _EIGHT, _FOUR, _FOUR, _FOUR, _EIGHT, _FOUR, ("", "}")),
    ),
}
"""By type."""

MUTATIONS = (
    *(*"0123456789+-.:eEtTzZ {}\n\tIiKaA,_", "", "", "", "00", "__"),
    *("\u017f", "\u0663", "\u3000", "\x00", "\u2212", "\U0001d7d8"),
)
"""What a character may be replaced by, or what stands before it then."""


def near_values(type_name: str) -> st.SearchStrategy[str]:
    """Values of a type, many of them not quite."""
    whole = st.one_of(*(st.tuples(*map(_piece, shape)).map("".join) for shape in SHAPES[type_name]))
    return whole | st.builds(mutated, whole, st.integers(0, 60), st.integers(0, 1), st.sampled_from(MUTATIONS))


def mutated(text: str, at: int, replaced: int, by: str) -> str:
    """`text` with another text before, or instead of, its character `at`."""
    at %= len(text) + 1
    return text[:at] + by + text[at + replaced :]


def _piece(piece: Piece) -> st.SearchStrategy[str]:
    return st.text("0123456789", max_size=piece) if isinstance(piece, int) else st.sampled_from(piece)
