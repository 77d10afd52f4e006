"""An XML Schema, read from files: a path goes in, the library's schema object comes out, or a sentence about why not.

Nothing is fetched: what a schema names elsewhere than in files is left out, and told. Files that it names are read
where `etl.inference.xsd_files` allows it. `xmlschema` is imported by the first call, not with this module, since only
who has a schema should wait for it.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote, urlsplit

from lxml import etree

from etl.errors import SettingsError
from etl.inference.xsd_files import REMOTE, SchemaFiles
from etl.inference.xsd_size import check_size

if TYPE_CHECKING:
    from xmlschema import XMLSchema10

_XS = "{http://www.w3.org/2001/XMLSchema}"
_INCLUSIONS = {f"{_XS}include", f"{_XS}redefine", f"{_XS}override"}
_MIN_VERSION = "{http://www.w3.org/2007/XMLSchema-versioning}minVersion"
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
        why = "which is not fetched" if REMOTE.match(self.location) else "which is not there"
        return f"{self.file}, line {self.line}, names {named}, {why if self.location else 'without a file to read'}"


def read_schema(path: Path) -> tuple[XMLSchema10, list[Missing]]:
    """The schema in a file, with all that it imports and includes from other files; and what of that is not there.

    Raises SettingsError where it is no schema, or is one that leads to other places or beyond all bounds, and where
    what is not there is needed.
    """
    from xmlschema import XMLSchema10, XMLSchema11, XMLSchemaParseError
    from xmlschema.locations import FALLBACK_LOCATIONS, LOCATIONS

    files = SchemaFiles(path)
    root, missing = _look_through(files)
    newest = root.get(_MIN_VERSION, "1.0") >= "1.1"
    first = None
    url, opener = files.first.as_uri(), files.opener()
    for version in [XMLSchema11] if newest else [XMLSchema10, XMLSchema11]:
        try:
            with warnings.catch_warnings(), readable(path):
                # What it warns of is what `missing` tells, with lines.
                warnings.simplefilter("ignore")
                schema: Any = version(url, allow="local", defuse="always", opener=opener)
        except XMLSchemaParseError as error:
            first = first or error
        else:
            needed = [one for one in missing if not one.namespace or one.namespace not in schema.maps.namespaces]
            return schema, needed
    assert first is not None, "one of the versions was tried"
    # The library has schemas of its own for these.
    unread = [one for one in missing if one.namespace not in {**LOCATIONS, **FALLBACK_LOCATIONS}]
    raise SettingsError(_sentence(files, first, unread)) from first


@contextmanager
def readable(path: Path) -> Iterator[None]:
    """What `xmlschema` raises within, while the schema in that file is looked at, is a SettingsError; but not what it
    has to say of an invalid one."""
    from xmlschema import XMLSchemaException, XMLSchemaParseError

    try:
        yield
    except XMLSchemaParseError:
        raise
    except (XMLSchemaException, SyntaxError, OSError, RecursionError) as error:
        raise SettingsError(_refused(path, error)) from error


def _look_through(files: SchemaFiles) -> tuple[Any, list[Missing]]:
    """The root of the schema, and what it or a schema it names leads to in vain."""
    missing: list[Missing] = []
    waiting, roots = [files.first], dict[Path, Any]()
    while waiting and len(roots) < _MOST_FILES:
        file = waiting.pop(0)
        root = roots[file] = _parsed(files, file)
        for element in root.iterchildren(f"{_XS}import", *_INCLUSIONS):
            location = (element.get("schemaLocation") or "").strip()
            target = files.target(location, file)
            if target is not None:
                files.check_inside(target, f"{files.shown(file)}, line {element.sourceline}, names {location}")
                if target not in roots and target not in waiting:
                    waiting.append(target)
            elif location or element.tag not in _INCLUSIONS:
                namespace = (element.get("namespace") or "").strip()
                missing.append(Missing(files.shown(file), element.sourceline, namespace, location))
    check_size(roots.values(), str(files.shown(files.first)))
    return roots[files.first], missing


def _parsed(files: SchemaFiles, file: Path) -> Any:
    parser = etree.XMLParser(resolve_entities=False, no_network=True, load_dtd=False)
    path = files.shown(file)
    try:
        root = etree.fromstring(files.contents(file), parser)
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
    if "block access" in str(error):
        return (
            f"The schema {path} is not read: it, or one it names, includes one from an address, and nothing is fetched."
            " Save that beside it, and write its file name as schemaLocation."
        )
    if isinstance(error, RecursionError) or "depth" in str(error):
        return f"The schema {path} cannot be read: it is nested too deeply."
    return f"The schema {path} cannot be read: {_first_line(str(error))}."


def _sentence(files: SchemaFiles, error: Any, missing: list[Missing]) -> str:
    sentence = f"The schema is not valid: {_place(files, error)}: {_first_line(error.message)}."
    if missing:
        more = f" and {len(missing) - _SHOWN:,} more" if len(missing) > _SHOWN else ""
        sentence += (
            f" It may be for what is not read: {'; '.join(map(str, missing[:_SHOWN]))}{more}. Save such schemas beside"
            " it, and write their file names as schemaLocation."
        )
    return sentence


def _place(files: SchemaFiles, error: Any) -> str:
    """File and line of the component that is wrong; `xmlschema` knows only the way to it."""
    url = error.schema_url
    is_file = isinstance(url, str) and url.startswith("file:")
    file = Path(unquote(urlsplit(url).path)) if is_file else files.first
    way = error.path
    if way:
        try:
            found: Any = _parsed(files, file).xpath(way, namespaces={"xs": _XS[1:-1], "xsd": _XS[1:-1]})
        except (etree.XPathError, SettingsError):
            return str(files.shown(file))
        if found:
            return f"{files.shown(file)}, line {found[0].sourceline}"
    return str(files.shown(file))


def _first_line(message: str) -> str:
    return " ".join(message.strip().partition("\n")[0].split()).rstrip(".:")
