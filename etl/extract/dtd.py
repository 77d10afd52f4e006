"""A DTD that the user names, and parameter entities: declarations as they are written go in, flat ones come out.

Flat are general entities with their replacement texts, and attributes with a default or a type that counts, each
declared once, without parameter entities, conditional sections and names of files: what an internal subset may hold,
and all that a record needs. Expat follows the parameter entities, within its bound on what they may make; nothing but
the bytes given is ever opened. Runs on the thread that calls.
"""

from __future__ import annotations

import errno
import os
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from xml.parsers import expat

from etl.entities import Entities
from etl.errors import SettingsError
from etl.fingerprints import digest_of
from etl.messages import Bounds

MAX_DTD_BYTES = 1 << 20
"""More than any known DTD has. What it declares goes with every split, and bounds what entities can be made of."""

MAX_DEFAULTS = 1000
"""Attributes that a DTD gives to each element of one name. Known ones give ten; libxml2 takes the square of it."""

MAX_NAME_LENGTH = 1000
"""Characters of an entity's or an attribute's name; where one has 50,000, libxml2 reads no declaration at all."""

_BOUNDED_SINCE = (2, 4, 1)
"""From this version on Expat bounds what entities make."""

_REMEMBERED = 16
"""Internal subsets whose declarations are kept flat."""

_PREDEFINED = frozenset({"amp", "lt", "gt", "quot", "apos"})
_GIVEN = "given"
_ESCAPES = str.maketrans({"&": "&#38;", '"': "&#34;", "%": "&#37;", "\r": "&#13;"})
_VALUE_ESCAPES = str.maketrans(
    {"&": "&#38;", '"': "&#34;", "%": "&#37;", "<": "&#60;", "\t": "&#9;", "\n": "&#10;", "\r": "&#13;"}
)


class IllFormed(Exception):
    """Declarations cannot be read."""

    def __init__(self, what: str, line: int) -> None:
        super().__init__(what, line)
        self.what = what
        """As the end of a sentence."""
        self.line = line


@dataclass(frozen=True, slots=True)
class Flat:
    """What declarations come to."""

    declarations: bytes
    elsewhere: frozenset[bytes]
    """Entities that stand for another file."""
    unread: tuple[str, ...]
    """Files that parameter entities name; what they declare is missing."""
    lines: dict[bytes, int] = field(compare=False)
    """By general entity, where it is declared."""


class Dtd:
    """A DTD whose declarations hold in every document, below those of its own internal subset."""

    def __init__(self, data: bytes) -> None:
        """`data`: a file's bytes, in any encoding that it declares. Raises IllFormed."""
        self._data = data
        self.alone = flatten(b"", data)
        """Where documents declare nothing."""

        self._below: dict[bytes, Flat | None] = {}

    @property
    def digest(self) -> str:
        """Of what it declares, however it is written."""
        return digest_of([self.alone.declarations, *sorted(self.alone.elsewhere)])

    def below(self, internal: bytes) -> Flat | None:
        """With an internal subset, whose declarations come first; None where that is ill-formed."""
        if not internal.strip():
            return self.alone
        if internal not in self._below:
            # Many documents begin alike, or each in its own way.
            if len(self._below) >= _REMEMBERED:
                self._below.clear()
            try:
                self._below[internal] = flatten(internal, self._data)
            except IllFormed:
                self._below[internal] = None
        return self._below[internal]


def read_dtd(file: Path) -> Dtd:
    """The DTD in a file; raises SettingsError where there is none that can be used."""
    data = _bytes_of(file)
    try:
        dtd = Dtd(data)
    except IllFormed as error:
        raise SettingsError(
            f"The DTD {file}, line {error.line}: {error.what}. Expected are declarations of a DTD, such as"
            ' <!ENTITY auml "&#228;">.'
        ) from None
    entities = Entities(dtd.alone.declarations)
    for name in entities.names:
        # More than any record may make: it could never be referred to.
        if entities.size(name) > Bounds.entity_bytes:
            raise SettingsError(
                f"The DTD {file}, line {dtd.alone.lines[name]}: the entity {name.decode()[:60]} makes more than"
                f" {Bounds.entity_bytes:,} bytes. That is an attack, or a mistake: take it out."
            )
    return dtd


def _bytes_of(file: Path) -> bytes:
    try:
        if file.is_fifo():
            raise ValueError("it is a pipe, of which nobody knows when something comes")
        with file.open("rb") as stream:
            data = stream.read(MAX_DTD_BYTES + 1)
    except (OSError, ValueError) as error:
        reason = os.strerror(error.errno) if isinstance(error, OSError) and error.errno else str(error)
        missing = isinstance(error, OSError) and error.errno == errno.ENOENT
        raise SettingsError(
            f"There is no DTD {file} (--dtd, setting input.dtd)."
            if missing
            else f"The DTD {file} cannot be read: {reason}."
        ) from error
    if len(data) > MAX_DTD_BYTES:
        raise SettingsError(
            f"The DTD {file} has more than {MAX_DTD_BYTES:,} bytes: is it one? A file of its entities alone will do."
        )
    if not data.strip():
        raise SettingsError(f"The DTD {file} is empty.")
    return data


def flatten(internal: bytes, external: bytes | None = None) -> Flat:
    """What an internal subset (UTF-8, what stands between its brackets) and, below it, a DTD declare.

    Raises IllFormed.
    """
    if expat.version_info < _BOUNDED_SINCE:
        raise IllFormed(f"Python's Expat ({expat.EXPAT_VERSION}) is too old to read a DTD safely", 1)
    declared = _Declared()
    parser = expat.ParserCreate("utf-8")
    parser.SetParamEntityParsing(expat.XML_PARAM_ENTITY_PARSING_ALWAYS)
    declared.listen(parser, external)
    system = f' SYSTEM "{_GIVEN}"'.encode() if external is not None else b""
    try:
        parser.Parse(b"<!DOCTYPE r" + system + b" [" + internal + b"]><r/>", True)
    except expat.ExpatError as error:
        raise IllFormed(expat.ErrorString(error.code), error.lineno) from None
    except (LookupError, ValueError):  # of a codec
        raise IllFormed("it is in an encoding that Expat does not know; store it as UTF-8", 1) from None
    return declared.flat()


class _Declared:
    """Hears of declarations, in their order."""

    def __init__(self) -> None:
        self._entities: dict[str, str | None] = {}
        self._attributes: dict[tuple[str, str], tuple[str, str | None, bool]] = {}
        self._lines: dict[bytes, int] = {}
        self._defaults: Counter[str] = Counter()
        self._unread: list[str] = []
        self._size = 0

    def listen(self, parser: expat.XMLParserType, external: bytes | None) -> None:
        """Hear what `parser` reads; `external` is what it gets for the file that it asks for first."""
        parser.EntityDeclHandler = self._entity(parser)
        parser.AttlistDeclHandler = self._attribute(parser)
        given = [] if external is None else [external]

        def open_nothing(context: str | None, _base: str | None, system: str | None, public: str | None) -> int:
            inner = parser.ExternalEntityParserCreate(context)
            inner.EntityDeclHandler = self._entity(inner)
            inner.AttlistDeclHandler = self._attribute(inner)
            if not given:
                self._unread.append(system or public or "")
            # Without a file that Expat believes to have read, it would pass over all that follows.
            inner.Parse(given.pop() if given else b"", True)
            return 1

        parser.ExternalEntityRefHandler = open_nothing

    def _entity(self, parser: expat.XMLParserType) -> Callable[..., None]:
        def declared(name: str, is_parameter: bool, value: str | None, *_: Any) -> None:
            self._count(name, value or "", parser.CurrentLineNumber)
            _check_name(name, parser.CurrentLineNumber)
            if not is_parameter and name not in _PREDEFINED:
                self._entities.setdefault(name, value)
                self._lines.setdefault(name.encode(), parser.CurrentLineNumber)

        return declared

    def _attribute(self, parser: expat.XMLParserType) -> Callable[..., None]:
        def declared(element: str, name: str, kind: str, default: str | None, required: bool) -> None:
            line = parser.CurrentLineNumber
            self._count(element, default or "", line)
            _check_name(max(element, name, key=len), line)
            self._attributes.setdefault((element, name), (kind, default, bool(required)))
            self._defaults[element] += default is not None
            if self._defaults[element] > MAX_DEFAULTS:
                raise IllFormed(f"it gives more than {MAX_DEFAULTS:,} attributes to each element {element}", line)

        return declared

    def _count(self, name: str, value: str, line: int) -> None:
        self._size += len(name) + len(value)
        if self._size > 2 * MAX_DTD_BYTES:
            raise IllFormed(f"what it declares makes more than {2 * MAX_DTD_BYTES:,} bytes", line)

    def flat(self) -> Flat:
        made = [f'<!ENTITY {name} "{value.translate(_ESCAPES)}">' for name, value in self._entities.items() if value]
        made += [f'<!ENTITY {name} "">' for name, value in self._entities.items() if value == ""]
        made += [
            _attribute_list(element, name, *what)
            for (element, name), what in self._attributes.items()
            # Others say nothing about values.
            if what[0] != "CDATA" or what[1] is not None
        ]
        declarations = "".join(made).encode()
        if len(declarations) > 2 * MAX_DTD_BYTES:
            raise IllFormed(f"what it declares takes more than {2 * MAX_DTD_BYTES:,} bytes", 1)
        elsewhere = frozenset(name.encode() for name, value in self._entities.items() if value is None)
        return Flat(declarations, elsewhere, tuple(self._unread), self._lines)


def _check_name(name: str, line: int) -> None:
    if len(name) > MAX_NAME_LENGTH:
        raise IllFormed(f"a name that begins with {name[:20]} has more than {MAX_NAME_LENGTH:,} characters", line)


def _attribute_list(element: str, name: str, kind: str, default: str | None, required: bool) -> str:
    kind = kind.replace("NOTATION(", "NOTATION (")
    if default is None:
        value = "#REQUIRED" if required else "#IMPLIED"
    else:
        value = ("#FIXED " if required else "") + f'"{default.translate(_VALUE_ESCAPES)}"'
    return f"<!ATTLIST {element} {name} {kind} {value}>"
