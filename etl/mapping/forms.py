"""What a mapping says of the dates and times of a column: strptime forms, and the time zone of those without one."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta, timezone, tzinfo
from functools import lru_cache
from zoneinfo import ZoneInfo

Parse = Callable[[str], datetime | None]
"""From a text to its moment, without time zone where the form has none; None where no form fits."""

_DIRECTIVE = re.compile(r"%(.?)", re.DOTALL)
_ALLOWED = frozenset("YymdBbAajUWGVuwHIpMSfz%")
_OF_A_YEAR = frozenset("YyG")
_OF_A_DAY = _OF_A_YEAR | frozenset("mdBbAajUWVuw")
_OF_A_CLOCK = frozenset("HIpMSf")
_SAMPLES = (datetime(2001, 11, 24, 16, 35, 46, 789012, tzinfo=UTC), datetime(1987, 5, 1, 9, 2, 3, 4, tzinfo=UTC))

_OFFSET = re.compile(r"([+-])([0-9]{2}):([0-9]{2})")


def check_form(type_name: str, form: str) -> None:
    """Raises ValueError where a strptime form cannot give every value of the type as the document has it."""
    directives = set(_DIRECTIVE.findall(form))
    unknown = sorted(directives - _ALLOWED)
    if unknown:
        raise ValueError(
            f"{form!r}: %{unknown[0]} cannot be used here; those of strptime that can: %{' %'.join(sorted(_ALLOWED))}"
        )
    if type_name == "time":
        if directives & (_OF_A_DAY | {"z"}) or not directives & {"H", "I"}:
            raise ValueError(f"{form!r}: a time has an hour (%H, or %I with %p), and neither a day nor an offset")
    elif not directives & _OF_A_YEAR:
        raise ValueError(f"{form!r} has no year: %Y (four digits) or %y (two)")
    if "z" in directives and type_name != "timestamptz":
        raise ValueError(f"{form!r}: {type_name} cannot keep the offset %z; use timestamptz")
    if ("I" in directives) != ("p" in directives):
        raise ValueError(f"{form!r}: %I and %p say the hour together; %H does alone")
    for sample in _SAMPLES:
        text = sample.strftime(form)
        try:
            lost = datetime.strptime(text, form).replace(tzinfo=UTC).strftime(form) != text
        except ValueError as error:
            raise ValueError(f"{form!r}: {error}") from None
        if lost:
            raise ValueError(f"{form!r} does not say the day: a week needs its year and the day in it")


def forms_parser(forms: Sequence[str]) -> Parse:
    """Tries each form in turn. Digits are ASCII's, names of months and days those of the process's locale."""

    def parse(text: str) -> datetime | None:
        if not text.isascii() and any(character.isdigit() for character in text if not character.isascii()):
            return None
        for form in forms:
            try:
                return datetime.strptime(text, form)
            except ValueError:
                continue
        return None

    return parse


@lru_cache(maxsize=64)
def zone_of(name: str) -> tzinfo:
    """The zone of an IANA name or an offset like ``+01:00``. Raises ValueError where there is none."""
    if name == "UTC":
        return UTC
    match = _OFFSET.fullmatch(name)
    if match and int(match[2]) < 16 and int(match[3]) < 60:
        offset = timedelta(hours=int(match[2]), minutes=int(match[3]))
        return timezone(-offset if match[1] == "-" else offset)
    try:
        return ZoneInfo(name)
    except (KeyError, ValueError, OSError):
        raise ValueError(
            f"there is no time zone {name!r}: an IANA name like Europe/Paris (as this machine knows it), or an offset"
            " like +01:00"
        ) from None
