"""The lexical rules of bytes: hexadecimal or base64 text to what PostgreSQL prints for a bytea, ``\\x`` and digits."""

from __future__ import annotations

import binascii
import re

from etl.mapping.conversion import BAD_VALUE, ConversionError, Rule, shown
from etl.mapping.paths import XML_WHITE_SPACE

_HEX_FORM = re.compile(r"(?:\\x)?((?:[0-9a-fA-F]{2})*)")
_WHITE_SPACE = str.maketrans("", "", XML_WHITE_SPACE)


def _hex(text: str) -> str:
    match = _HEX_FORM.fullmatch(text.translate(_WHITE_SPACE))
    if match is None:
        raise ConversionError(BAD_VALUE, f"{shown(text)} is not hexadecimal: pairs of the digits 0 to 9 and a to f")
    return "\\x" + match[1].lower()


def _base64(text: str) -> str:
    try:
        return "\\x" + binascii.a2b_base64(text.translate(_WHITE_SPACE).encode(), strict_mode=True).hex()
    except binascii.Error:
        raise ConversionError(
            BAD_VALUE, f"{shown(text)} is not base64: A to Z, a to z, 0 to 9, + and /, filled up with = to fours"
        ) from None


def _bytes(canonical: str) -> bytes:
    return bytes.fromhex(canonical[2:])


BYTES_RULES = {"hex": Rule(convert=_hex, python=_bytes), "base64": Rule(convert=_base64, python=_bytes)}
"""By what the mapping calls the encoding."""
