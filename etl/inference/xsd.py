"""A mapping from an XML Schema: a file, and documents if there are any, go in; the text of a mapping file comes out.

The schema becomes a profile (`xsd_profile`), as documents do, and the same design makes tables of it. The root elements
of documents say which of the schema's elements are meant, and a sample of what is in them whether it is their schema.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from etl.errors import SettingsError
from etl.inference.design import WARNINGS_SHOWN, Inferred, passed_over
from etl.inference.namespaces import Namespaces
from etl.inference.profile import Profile
from etl.inference.records import find_records
from etl.inference.shapes import SMALL
from etl.inference.tables import design_tables
from etl.inference.write import write_mapping
from etl.inference.xsd_fit import differences, few
from etl.inference.xsd_keys import declare_keys
from etl.inference.xsd_profile import ANYTHING, RECURSIVE, TOO_DEEP, SchemaProfile, profile_of
from etl.inference.xsd_schema import Missing, read_schema, readable
from etl.mapping.paths import XSI_NAMESPACE

_XS = "{http://www.w3.org/2001/XMLSchema}"
_ROOTS_SHOWN = 10


def infer_from_schema(file: Path, look: Callable[[], Profile] | None = None) -> Inferred:
    """A mapping for what the schema in `file` allows, below the root elements of documents where there are any.

    `look` looks at a sample of these, once the schema is known to be one. A root that several small ones have is a
    record. Raises SettingsError where the schema is not usable, or not that of the documents.
    """
    schema, missing = read_schema(file)
    documents = Profile() if look is None else look()
    with readable(file):
        roots = [_declared(schema, file, name, documents) for name in documents.roots] or _roots(schema, file)
        seen = profile_of(roots)
        declare_keys(seen.roots)
    seen.profile.small_roots.update(name for name in documents.roots if _are_many_small(name, documents))
    differing = differences(documents, seen, str(file))
    seen.profile.prefixes.update(_prefixes(schema))
    namespaces = Namespaces(seen.profile)
    records, warnings = find_records(seen.profile)
    tables = design_tables(records, namespaces, seen.profile)
    warnings = [*differing, *passed_over(documents), *map(_not_read, missing), *_warnings(seen), *warnings]
    if len(roots) > 1 and look is None:
        warnings.append(
            f"It declares {len(roots):,} elements that may be roots: {few([root.local_name for root in roots])}. Name"
            " a document beside it for the tables of its root alone"
        )
    head = [
        f"From the schema {file}, below {few([f'/{root.local_name}' for root in roots])}.",
        "Edit it as you like (`etl docs mapping`). Comments: what the schema says; `required` is what a valid document",
        "always has.",
        *(f"Note: {warning}." for warning in warnings[:WARNINGS_SHOWN]),
    ]
    if len(warnings) > WARNINGS_SHOWN:
        head.append(f"Note: {len(warnings) - WARNINGS_SHOWN:,} more like these.")
    text = write_mapping(head, namespaces.prefixes, tables, "is declared")
    return Inferred(text, tuple(warnings))


# --- roots ---


def _are_many_small(root: str, documents: Profile) -> bool:
    number = documents.roots[root].count
    return number > 1 and documents.root_bytes[root] < SMALL * number


def _roots(schema: Any, file: Path) -> list[Any]:
    """Global elements of the schema that stand in no other one; all of them where each stands in another."""
    declared = [one for one in schema.elements.values() if one.schema.target_namespace == schema.target_namespace]
    found = [one for one in declared if not one.abstract]
    if not found:
        raise SettingsError(f"The schema {file} declares no element that could be the root of a document.")
    used = _used(schema)
    return [one for one in found if one.name not in used] or found


def _used(schema: Any) -> set[str]:
    """Names of global elements that others refer to, or that stand for one to which others refer."""
    components = [*schema.maps.elements.values(), *schema.maps.types.values(), *schema.maps.groups.values()]
    used: set[str] = set()
    for component in components:
        if (component.name or "").startswith(_XS):
            continue
        for inner in component.iter_components():
            ref = getattr(inner, "ref", None)
            if ref is not None and hasattr(ref, "substitution_group") and ref is not component:
                used.add(ref.name)
                used.update(one.name for one in ref.iter_substitutes())
    return used


def _declared(schema: Any, file: Path, name: str, documents: Profile) -> Any:
    found = schema.maps.elements.get(name)
    if found is None or name.startswith(_XS):
        known = few(list(schema.elements)[:_ROOTS_SHOWN]) or "none"
        raise SettingsError(
            f"{documents.labels[name]} has the root element {name}, which the schema {file} does not declare (it"
            f" declares {known}): is it the schema of this document?"
        )
    return found


# --- what there is to say ---


def _warnings(seen: SchemaProfile) -> list[str]:
    """One for each thing that could not be shown as tables."""
    sentences = {
        RECURSIVE: "{} may stand in elements of their own type, without end: the first inside another is kept as XML",
        ANYTHING: "The schema does not say what stands in {}: it is kept as XML",
        TOO_DEEP: "What is in {} lies beyond what a mapping shows: it is kept as XML",
    }
    warnings = [sentence.format(few(seen.cut[why])) for why, sentence in sentences.items() if why in seen.cut]
    if seen.open:
        warnings.append(
            f"Elements that the schema does not name (xs:any) may stand in {few(seen.open)}: no column takes them"
        )
    return warnings


def _not_read(missing: Missing) -> str:
    return f"{missing}: what it declares is in no table"


def _prefixes(schema: Any) -> dict[str, str]:
    """Namespace to the prefix that the schema, or one it imports, has for it."""
    found: dict[str, str] = {XSI_NAMESPACE: "xsi"}
    for one in [schema, *schema.maps.schemas]:
        for prefix, namespace in one.namespaces.items():
            if prefix and namespace and not namespace.startswith(_XS[1:-1]):
                found.setdefault(namespace, prefix)
    return found
