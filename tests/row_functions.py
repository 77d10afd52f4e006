"""Functions that mappings of the tests name as transforms."""

from __future__ import annotations

import sys
from decimal import Decimal
from typing import Any

Row = dict[str, Any]
calls: list[object] = []


def shorten(text: str) -> str | None:
    """NULL for a minus, else the text up to the first blank; fails for `bad`."""
    calls.append(text)
    if text == "bad":
        raise ValueError("no good")
    return None if text == "-" else text.partition(" ")[0]


class Mute(Exception):
    """An exception that cannot be written."""

    def __str__(self) -> str:
        raise KeyError("no words")


def raises(name: str) -> object:
    """Raises what the column says."""
    raise eval(name)


def returns(expression: str) -> object:
    """What the column says."""
    return eval(expression)


def number(text: str) -> object:
    return Decimal(text) * 2


def odd(text: str) -> object:
    """What a column cannot take: `list`, a control character; or it leaves."""
    return sys.exit("over") if text == "exit" else [text] if text == "list" else "\x02"


def chosen(row: Row) -> Row | None:
    """Drops rows whose n is even, fails where it is 7, doubles it otherwise."""
    if row["n"] is None or row["n"] % 2 == 0:
        return None
    if row["n"] == 7:
        raise KeyError("seven")
    return {**row, "n": row["n"] * 2}


def seen(row: Row) -> Row:
    calls.append(dict(row))
    return row


def changed(row: Row) -> object:
    """What the column `give` says."""
    return eval(row["give"], {"row": row, "Decimal": Decimal})
