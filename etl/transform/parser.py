"""Parses the XML of a split: a skeleton and the bytes of records go in, record elements or the reason why not come out.

Nothing outside the given bytes is ever read: no external DTD, no entity from a file or the network, whatever the
document declares. An entity that is not declared in the document itself is an error, never dropped. One parser
belongs to one thread.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from lxml import etree

from etl.messages import Skeleton

MALFORMED = "malformed"
UNDEFINED_ENTITY = "undefined_entity"
ENTITY_LIMIT = "entity_limit"

MESSAGE_LENGTH = 300
"""Characters kept of the parser's message: it quotes names, which may have 50,000."""

_UNDEFINED = frozenset({etree.ErrorTypes.ERR_UNDECLARED_ENTITY, etree.ErrorTypes.WAR_UNDECLARED_ENTITY})


class ParseFailure(Exception):
    """Why bytes did not parse.

    `reason` is a reason code (malformed, undefined_entity, entity_limit), `line` where the parser noticed, counted
    from 0 at the payload's first byte.
    """

    def __init__(self, reason: str, message: str, line: int) -> None:
        super().__init__(reason, message, line)
        self.reason = reason
        self.message = message
        self.line = line


@dataclass(frozen=True, slots=True)
class Parsed:
    """A parsed payload."""

    ancestors: tuple[Any, ...]
    """The skeleton's elements, outermost first."""
    records: list[Any]
    """The elements at the skeleton's depth."""


class DocumentParser:
    """Parses payloads under their skeletons."""

    def __init__(self) -> None:
        self._plain = _parser(declarations=False)
        self._declaring = _parser(declarations=True)

    def parse(self, skeleton: Skeleton, payload: bytes) -> Parsed:
        """Parse `payload` in its skeleton; raises ParseFailure."""
        document = b"".join((skeleton.subset, skeleton.open_tags, payload, skeleton.close_tags))
        try:
            root = self._tree(document, declarations=bool(skeleton.subset))
        except etree.XMLSyntaxError as error:
            before = skeleton.subset.count(b"\n") + skeleton.open_tags.count(b"\n") + 1
            raise _failure(error, skeleton, before) from None
        if not skeleton.depth:
            return Parsed((), [root])
        ancestors = [root]
        while len(ancestors) < skeleton.depth:
            ancestors.append(ancestors[-1][0])
        return Parsed(tuple(ancestors), list(ancestors[-1]))

    def parse_one(self, skeleton: Skeleton, record: bytes) -> Parsed:
        """Parse the bytes of one record; raises ParseFailure, also where they turn out to be none or several."""
        parsed = self.parse(skeleton, record)
        if len(parsed.records) != 1:
            raise ParseFailure(MALFORMED, f"{len(parsed.records)} elements where one record was expected", 0)
        return parsed

    def _tree(self, document: bytes, *, declarations: bool) -> Any:
        try:
            return etree.fromstring(document, self._declaring if declarations else self._plain)
        except etree.XMLSyntaxError as error:
            if _code(error) != etree.ErrorTypes.ERR_RESOURCE_LIMIT:
                raise
        # Deeper than 256 elements or a text above 10 MB: with these limits off, the one on entities still holds.
        return etree.fromstring(document, _parser(declarations=declarations, huge=True))


class _NothingElse(etree.Resolver):
    """Whatever a document refers to is empty: a second bar, behind the splitter's, which drops external names."""

    def resolve(self, system_url: str | None, public_id: str | None, context: Any) -> Any:  # type: ignore[override]
        # After `resolve_empty` libxml2 would look for itself.
        return self.resolve_string("<!---->", context, base_url=None)


def _parser(*, declarations: bool, huge: bool = False) -> etree.XMLParser:
    parser = etree.XMLParser(
        resolve_entities="internal",  # type: ignore[arg-type]  # the stubs know bool only
        no_network=True,
        load_dtd=False,
        # XML 1.0, 5.1: every processor supplies the defaults that the internal subset declares.
        attribute_defaults=declarations,
        huge_tree=huge,
        # Faster without, but libxml2 then takes the DOCTYPE as a wish to read the external DTD.
        collect_ids=declarations,
        # They are no part of an element's string value, and nobody wants them as children.
        remove_comments=True,
        remove_pis=True,
    )
    parser.resolvers.add(_NothingElse())
    return parser


def _failure(error: etree.XMLSyntaxError, skeleton: Skeleton, lines_before: int) -> ParseFailure:
    line = max(0, (error.position[0] or 0) - lines_before)
    message = str(error.msg).rsplit(", line ", 1)[0].strip()[:MESSAGE_LENGTH]
    code = _code(error)
    if code in _UNDEFINED:
        return ParseFailure(UNDEFINED_ENTITY, message, line)
    expanded = b"<!ENTITY" in skeleton.subset and code == etree.ErrorTypes.ERR_RESOURCE_LIMIT
    if expanded or code == etree.ErrorTypes.ERR_ENTITY_LOOP:
        return ParseFailure(ENTITY_LIMIT, message, line)
    return ParseFailure(MALFORMED, message, line)


def _code(error: etree.XMLSyntaxError) -> int:
    return int(error.code)  # type: ignore[attr-defined]  # missing in the stubs
