"""An XML Schema, read from files: a path goes in, the library's schema object comes out, or a sentence about why not.

Nothing is fetched: what a schema names elsewhere than in files is left out, and told. `xmlschema` is imported by the
first call, not with this module, since only who has a schema should wait for it.
"""

from __future__ import annotations

import re
import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote, urlsplit

from lxml import etree

from etl.errors import SettingsError

if TYPE_CHECKING:
    from xmlschema import XMLSchema10

_XS = "{http://www.w3.org/2001/XMLSchema}"
_INCLUSIONS = {f"{_XS}include", f"{_XS}redefine", f"{_XS}override"}
_MIN_VERSION = "{http://www.w3.org/2007/XMLSchema-versioning}minVersion"
_REMOTE = re.compile(r"(?!file:)[A-Za-z][A-Za-z0-9+.\-]+:")
_MOST_FILES = 1000
"""Of one schema; `xmlschema` takes no more either."""
_SHOWN = 3


@dataclass(frozen=True, slots=True)
class Missing:
    """A schema that another one names and that is not read."""

    file: Path
    line: int
    namespace: str
    """Of an import; empty for what is included."""
    location: str
    """As it is written; empty where there is none."""

    def __str__(self) -> str:
        named = self.location or self.namespace
        why = "which is not fetched" if _REMOTE.match(self.location) else "which is not there"
        return f"{self.file}, line {self.line}, names {named}, {why if self.location else 'without a file to read'}"


def read_schema(path: Path) -> tuple[XMLSchema10, list[Missing]]:
    """The schema in a file, with all that it imports and includes from other files; and what of that is not there.

    Raises SettingsError where it is no schema, or where what is not there is needed.
    """
    from xmlschema import XMLSchema10, XMLSchema11, XMLSchemaException, XMLSchemaParseError
    from xmlschema.locations import FALLBACK_LOCATIONS, LOCATIONS

    root, missing = _look_through(path)
    newest = root.get(_MIN_VERSION, "1.0") >= "1.1"
    first = None
    for version in [XMLSchema11] if newest else [XMLSchema10, XMLSchema11]:
        try:
            with warnings.catch_warnings():
                # What it warns of is what `missing` tells, with lines.
                warnings.simplefilter("ignore")
                schema: Any = version(path.resolve().as_uri(), allow="local", defuse="always")
        except XMLSchemaParseError as error:
            first = first or error
        except (XMLSchemaException, SyntaxError, OSError, RecursionError) as error:
            raise SettingsError(_refused(path, error)) from error
        else:
            needed = [one for one in missing if not one.namespace or one.namespace not in schema.maps.namespaces]
            return schema, needed
    assert first is not None, "one of the versions was tried"
    # The library has schemas of its own for these.
    unread = [one for one in missing if one.namespace not in {**LOCATIONS, **FALLBACK_LOCATIONS}]
    raise SettingsError(_sentence(path, first, unread)) from first


def _look_through(path: Path) -> tuple[Any, list[Missing]]:
    """The root of the schema, and what it or a schema it names leads to in vain."""
    missing: list[Missing] = []
    waiting, seen = [path.resolve()], set[Path]()
    shown = {path.resolve(): path}
    first: Any = None
    while waiting and len(seen) < _MOST_FILES:
        file = waiting.pop(0)
        seen.add(file)
        root = _parsed(shown.get(file, file))
        first = root if first is None else first
        for element, target in _references(root, file):
            location = (element.get("schemaLocation") or "").strip()
            if target is not None and target.is_file():
                if target not in seen and target not in waiting:
                    waiting.append(target)
            elif location or element.tag not in _INCLUSIONS:
                place = shown.get(file, file)
                missing.append(Missing(place, element.sourceline, element.get("namespace") or "", location))
    return first, missing


def _references(root: Any, file: Path) -> Iterator[tuple[Any, Path | None]]:
    for element in root.iterchildren(f"{_XS}import", *_INCLUSIONS):
        location = (element.get("schemaLocation") or "").strip()
        if not location or _REMOTE.match(location):
            yield element, None
        else:
            part = unquote(urlsplit(location).path)
            yield element, (file.parent / part).resolve()


def _parsed(path: Path) -> Any:
    parser = etree.XMLParser(resolve_entities=False, no_network=True, load_dtd=False)
    try:
        root = etree.fromstring(path.read_bytes(), parser)
    except OSError as error:
        raise SettingsError(f"The schema {path} cannot be read: {error.strerror or error}.") from error
    except etree.XMLSyntaxError as error:
        raise SettingsError(f"The schema {path} is not well-formed: {str(error.msg).rstrip('.')}.") from error
    if root.tag != f"{_XS}schema":
        raise SettingsError(f"{path} is no XML Schema: its root element is {root.tag}, expected {_XS}schema.")
    return root


def _refused(path: Path, error: BaseException) -> str:
    if "forbidden" in str(error):
        return (
            f"The schema {path} is not read: it, or one it names, has a DOCTYPE with entities or an external DTD, which"
            " could lead anywhere. Take that out."
        )
    if isinstance(error, RecursionError):
        return f"The schema {path} cannot be read: it is nested too deeply."
    return f"The schema {path} cannot be read: {_first_line(str(error))}."


def _sentence(path: Path, error: Any, missing: list[Missing]) -> str:
    sentence = f"The schema is not valid: {_place(path, error)}: {_first_line(error.message)}."
    if missing:
        more = f" and {len(missing) - _SHOWN:,} more" if len(missing) > _SHOWN else ""
        sentence += (
            f" It may be for what is not read: {'; '.join(map(str, missing[:_SHOWN]))}{more}. Save such schemas beside"
            " it, and write their file names as schemaLocation."
        )
    return sentence


def _place(path: Path, error: Any) -> str:
    """File and line of the component that is wrong; `xmlschema` knows only the way to it."""
    url = error.schema_url
    file = Path(unquote(urlsplit(url).path)) if isinstance(url, str) and url.startswith("file:") else path
    shown = str(path if file == path.resolve() else file)
    way = error.path
    if way:
        try:
            found: Any = _parsed(file).xpath(way, namespaces={"xs": _XS[1:-1], "xsd": _XS[1:-1]})
        except (etree.XPathError, SettingsError):
            return shown
        if found:
            return f"{shown}, line {found[0].sourceline}"
    return shown


def _first_line(message: str) -> str:
    return " ".join(message.strip().partition("\n")[0].split()).rstrip(".:")
