"""Whether documents are what a schema describes: the profiles of both go in; sentences, or a refusal, come out.

Documents never have all that a schema allows, but what they have it should declare. Elements count, each path of them
once. What the schema leaves open, and what lies in elements that stay whole, is not looked at.
"""

from __future__ import annotations

from collections.abc import Sequence

from etl.errors import SettingsError
from etl.inference.profile import ElementProfile, Profile
from etl.inference.xsd_profile import Node, SchemaProfile, shown
from etl.mapping.paths import local_name

_SHOWN = 3


def differences(documents: Profile, schema: SchemaProfile, file: str) -> list[str]:
    """What the documents have that the schema does not declare, and the other way round where that is most of it.

    Raises SettingsError where a root has elements in it, and none of them is declared there.
    """
    fit = _Fit(frozenset(schema.open))
    for root in schema.roots:
        seen = documents.roots.get(root.profile.tag)
        if seen is None:
            continue
        before = fit.declared, len(fit.undeclared)
        fit.compare(seen, root)
        if fit.declared == before[0] and len(fit.undeclared) > before[1]:
            raise SettingsError(_of_another_kind(documents.labels[seen.tag], seen, root, file))
    warnings = []
    if fit.undeclared:
        warnings.append(
            f"It does not declare {few(fit.undeclared)}, which the documents have: no table takes that. It may be the"
            " schema of another version, or of other documents"
        )
    if len(fit.missing) > fit.declared:
        warnings.append(
            f"The documents, as far as they were looked at, have {fit.declared:,} of"
            f" {fit.declared + len(fit.missing):,} elements that it declares, and not {few(fit.missing)}"
        )
    return warnings


def few(names: Sequence[str]) -> str:
    """The first of them, and how many others there are."""
    more = f" and {len(names) - _SHOWN:,} more" if len(names) > _SHOWN else ""
    return ", ".join(names[:_SHOWN]) + more


class _Fit:
    """What was found in the documents and in the schema, as paths that a person reads."""

    def __init__(self, left_open: frozenset[str]) -> None:
        self.declared = 0
        """Elements of the documents, below the roots, that the schema declares."""
        self.undeclared: list[str] = []
        """Others of them; not what is in these."""
        self.missing: list[str] = []
        """What the schema declares in an element that the documents have, and they do not."""
        self._left_open = left_open

    def compare(self, seen: ElementProfile, node: Node) -> None:
        if node.profile.cut:
            return
        for tag, child in seen.children.items():
            if tag in node.children:
                self.declared += 1
                self.compare(child, node.children[tag])
            elif shown(node.path) not in self._left_open:
                self.undeclared.append(shown((*node.path, tag)))
        self.missing += [shown((*node.path, tag)) for tag in node.children if tag not in seen.children]


def _of_another_kind(label: str, seen: ElementProfile, root: Node, file: str) -> str:
    has, declares = list(seen.children), list(root.children)
    local = {local_name(tag) for tag in has}
    if local.intersection(map(local_name, declares)):
        kind = "they differ in their namespaces: is it the schema of this version?"
    else:
        kind = "is it the schema of this document?"
    return (
        f"{label} has in its root element {root.profile.tag} none of the elements that the schema {file} declares"
        f" there: it has {few(has)}, declared is {few(declares) or 'none'}; {kind}"
    )
