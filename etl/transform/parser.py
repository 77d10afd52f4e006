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
TOO_DEEP = "too_deep"
TEXT_TOO_LONG = "text_too_long"
TOO_MANY_ATTRIBUTES = "too_many_attributes"

PLAIN_DEPTH = 256
PLAIN_TEXT_BYTES = 10**7
"""What libxml2 takes without asking: elements nested in each other, and bytes of a text, a comment or the like."""

MESSAGE_LENGTH = 300
"""Characters kept of the parser's message: it quotes names, which may have 50,000."""

_UNDEFINED = frozenset({etree.ErrorTypes.ERR_UNDECLARED_ENTITY, etree.ErrorTypes.WAR_UNDECLARED_ENTITY})


class ParseFailure(Exception):
    """Why bytes did not parse, or are not to be.

    `reason` is a reason code (malformed, undefined_entity, entity_limit, too_deep ...), `line` where the parser
    noticed, counted from 0 at the payload's first byte.
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
    huge: bool = False
    """They are beyond what libxml2 takes without asking."""


class DocumentParser:
    """Parses payloads under their skeletons."""

    def __init__(self) -> None:
        self._plain = _parser(declarations=False)
        self._declaring = _parser(declarations=True)

    def parse(self, skeleton: Skeleton, payload: bytes, *, huge: bool = False) -> Parsed:
        """Parse `payload` in its skeleton; raises ParseFailure.

        Where it is deeper, or a text longer, than libxml2 takes without asking, that needs `huge`.
        """
        document = b"".join((skeleton.subset, skeleton.open_tags, payload, skeleton.close_tags))
        try:
            root = etree.fromstring(document, self._parser(declarations=bool(skeleton.subset), huge=huge))
        except etree.XMLSyntaxError as error:
            if _code(error) == etree.ErrorTypes.ERR_NO_MEMORY:
                raise MemoryError from None
            before = skeleton.subset.count(b"\n") + skeleton.open_tags.count(b"\n") + 1
            raise _failure(error, before) from None
        if not skeleton.depth:
            return Parsed((), [root], huge)
        ancestors = [root]
        while len(ancestors) < skeleton.depth:
            ancestors.append(ancestors[-1][0])
        return Parsed(tuple(ancestors), list(ancestors[-1]), huge)

    def parse_one(self, skeleton: Skeleton, record: bytes) -> Parsed:
        """Parse the bytes of one record; raises ParseFailure, also where they turn out to be none or several."""
        try:
            parsed = self.parse(skeleton, record)
        except ParseFailure as failure:
            # Of a comment or a CDATA section that is too long libxml2 says only that it is not finished.
            if failure.reason not in (TOO_DEEP, TEXT_TOO_LONG) and len(record) <= PLAIN_TEXT_BYTES:
                raise
            parsed = self.parse(skeleton, record, huge=True)
        if len(parsed.records) != 1:
            raise ParseFailure(MALFORMED, f"{len(parsed.records)} elements where one record was expected", 0)
        return parsed

    def _parser(self, *, declarations: bool, huge: bool) -> etree.XMLParser:
        if huge:
            return _parser(declarations=declarations, huge=True)
        return self._declaring if declarations else self._plain


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


_LIMIT_REASONS = (
    (
        "depth in document",
        TOO_DEEP,
        "More than 2,048 elements are nested in each other, more than limits.depth can allow",
    ),
    ("amplification", ENTITY_LIMIT, "What its document type declares makes more than 1 MB and 5 times the input"),
    ("entity nesting", ENTITY_LIMIT, "Entities are nested too deep in each other"),
)
"""By what libxml2's message says of the limit that was met (they share one code): the reason, and words for a user."""


def _failure(error: etree.XMLSyntaxError, lines_before: int) -> ParseFailure:
    line = max(0, (error.position[0] or 0) - lines_before)
    message = str(error.msg).rsplit(", line ", 1)[0].strip()[:MESSAGE_LENGTH]
    code = _code(error)
    if code in _UNDEFINED:
        return ParseFailure(UNDEFINED_ENTITY, f"{message}; --dtd FILE gives its meaning", line)
    if code == etree.ErrorTypes.ERR_ENTITY_LOOP:
        return ParseFailure(ENTITY_LIMIT, message, line)
    if code == etree.ErrorTypes.ERR_RESOURCE_LIMIT:
        for words, reason, sentence in _LIMIT_REASONS:
            if words in message:
                return ParseFailure(reason, sentence, line)
        return ParseFailure(TEXT_TOO_LONG, message, line)
    return ParseFailure(MALFORMED, message, line)


def _code(error: etree.XMLSyntaxError) -> int:
    return int(error.code)  # type: ignore[attr-defined]  # missing in the stubs
