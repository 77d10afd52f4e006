"""Validates records by an XML Schema before they are mapped: splits go in, and are mapped without what is invalid.

A record is valid if its element is, by the declaration that the schema has for it at its place. What stands around it,
how many there are and in which order, and what refers from one record to another (ID, key, keyref) is not looked at.
libxml2 does it, for all records of a run at once, without Python's global lock; only where one is invalid, one by one.
What is not well-formed, or beyond the limits, is left to whoever maps it. Runs in a worker; a validator belongs to one
thread.
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import lru_cache, partial
from typing import Any

from lxml import etree

from etl.mapping.paths import XSI_NAMESPACE, local_name
from etl.messages import Bounds, MappedBatch, RejectedRecord, Run, Skeleton, Split
from etl.packs import packed_counts, unpacked_split
from etl.positions import RecordPositions
from etl.record_schema import MAIN_TEXT, SKIP, WRAPPERS, Declared, RecordSchema
from etl.transform.leaving_out import in_places, without
from etl.transform.limits import RecordLimits, has_longer
from etl.transform.parser import MESSAGE_LENGTH, DocumentParser, Parsed, ParseFailure

_SKELETONS = 500
"""Whose places in the schema are remembered."""

_WRAPPER = f"{{{WRAPPERS}}}"
_PREFIX = "etl.wrappers"
_XSI_TYPE = f"{{{XSI_NAMESPACE}}}type"

_BEGINNING = re.compile(r"Element '[^']*'(?:: |, )(?:\[facet '[^']*'\] )?")
"""Of libxml2's messages; the way to the element stands before it here, and says the same."""

_STEP = re.compile(r"/([^/\[@]+)(?:\[(\d+)\])?")
"""Of libxml2's paths: a name as it is written, or a star for any, and which of those siblings."""


def validated(
    schema: RecordSchema, bounds: Bounds, run_split: Callable[[Split], MappedBatch]
) -> Callable[[Split], MappedBatch]:
    """What maps the valid records of a split by `run_split`, and has the others as rejects."""
    validator = RecordValidator(schema, bounds)

    def run(split: Split) -> MappedBatch:
        began = time.perf_counter()
        rejects = validator.rejects(RecordPositions(split))
        took = time.perf_counter() - began
        if rejects:
            rest, kept = without(unpacked_split(split), rejects)
            batch = in_places(run_split(rest), kept)
            batch = replace(batch, counts=packed_counts(split, batch.counts))
        else:
            batch = run_split(split)
        return replace(batch, busy=batch.busy + took)

    return run


def compile_schema(schema: RecordSchema) -> etree.XMLSchema:
    """libxml2's form of the schema. Raises etree.XMLSchemaParseError."""
    parser = etree.XMLParser(resolve_entities=False, no_network=True, load_dtd=False, huge_tree=True)
    parser.resolvers.add(_Texts(schema))
    return etree.XMLSchema(etree.fromstring(schema.texts[MAIN_TEXT], parser, base_url=MAIN_TEXT))


class _Texts(etree.Resolver):
    """The documents of a schema by their names; nothing else is ever opened."""

    def __init__(self, schema: RecordSchema) -> None:
        self._texts = schema.texts

    def resolve(self, system_url: str | None, public_id: str | None, context: Any) -> Any:  # type: ignore[override]
        return self.resolve_string(self._texts.get(system_url or "", b"<none/>"), context, base_url=system_url)


@dataclass(frozen=True, slots=True)
class _Around:
    """What is known of a skeleton."""

    wrapping: Skeleton
    """An element with all namespaces that are declared there, and nothing else."""
    declared: Declared | None
    """What is declared there; None where the skeleton's elements are not."""
    parent: str
    """Local name of the innermost element; "" where the record is the root."""


class RecordValidator:
    """Finds the records that are invalid."""

    def __init__(self, schema: RecordSchema, bounds: Bounds) -> None:
        self._label = schema.label
        self._places = schema.places
        self._schema = compile_schema(schema)
        self._limits = RecordLimits(bounds)
        self._parser = DocumentParser()
        self._around = lru_cache(_SKELETONS)(self._looked_around)

    def rejects(self, positions: RecordPositions) -> dict[int, RejectedRecord]:
        """The records of a split that are invalid, by their places."""
        found: dict[int, RejectedRecord] = {}
        for first, (_, run) in zip(positions.starts, positions.runs, strict=True):
            around = self._around(run.skeleton)
            if around is None or self._all_valid(run, around):
                continue
            for place in range(first, first + run.records):
                fault = self._fault(around, positions.raw(place))
                if fault:
                    found[place] = positions.reject(place, "invalid", fault)
        return found

    def _looked_around(self, skeleton: Skeleton) -> _Around | None:
        """None where the skeleton is not well-formed, and nor is then what stands in it."""
        try:
            ancestors = self._parser.parse(skeleton, b"").ancestors if skeleton.depth else ()
        except ParseFailure:
            return None
        declared: Declared | None = self._places[0]
        for element in ancestors:
            declared = self._below(declared, element.tag)
            prefix, _, name = element.get(_XSI_TYPE, "").strip().rpartition(":")
            if declared is not None and name:
                namespace = element.nsmap.get(prefix or None)
                number = declared.types.get(f"{{{namespace}}}{name}" if namespace else name)
                declared = declared if number is None else self._places[number]
        namespaces = {**(ancestors[-1].nsmap if ancestors else {}), _PREFIX: WRAPPERS}
        wrapper = etree.Element(f"{_WRAPPER}records", nsmap=namespaces)
        tag = etree.tostring(wrapper, encoding="utf-8").removesuffix(b"/>") + b">"
        closing = f"</{_PREFIX}:records>".encode()
        parent = local_name(ancestors[-1].tag) if ancestors else ""
        return _Around(Skeleton(skeleton.subset, tag, closing, 1), declared, parent)

    def _below(self, declared: Declared | None, tag: str) -> Declared | None:
        """What is declared of child elements of that name."""
        if declared is None:
            return None
        number = declared.children.get(tag, declared.other)
        return None if number is None else self._places[number]

    def _wrapper(self, around: _Around, tag: str) -> str:
        """The wrapper of such records; "" where there is none."""
        declared = self._below(around.declared, tag)
        return declared.wrapper if declared is not None else ""

    def _all_valid(self, run: Run, around: _Around) -> bool:
        """Whether nothing is wrong with any record of the run, as far as that can be told at once."""
        if self._limits.suspects(around.wrapping, run.payload, partial(has_longer, (run,))):
            return False
        try:
            parsed = self._parser.parse(around.wrapping, run.payload)
        except ParseFailure:
            return False
        wrappers = {self._wrapper(around, tag) for tag in {record.tag for record in parsed.records}}
        if len(parsed.records) != run.records or len(wrappers) > 1:
            return False
        return self._is_valid(parsed, wrappers.pop())

    def _is_valid(self, parsed: Parsed, wrapper: str) -> bool:
        if wrapper in ("", SKIP):
            return wrapper == SKIP
        (around,) = parsed.ancestors
        around.tag = _WRAPPER + wrapper
        return self._schema.validate(around)

    def _fault(self, around: _Around, raw: bytes) -> str:
        """What is invalid of one record, in a sentence; "" where nothing is, or where it cannot be read."""
        try:
            self._limits.check_bytes(around.wrapping, raw)
            parsed = self._parser.parse_one(around.wrapping, raw)
        except ParseFailure:
            return ""
        (record,) = parsed.records
        wrapper = self._wrapper(around, record.tag)
        if not wrapper:
            where = f"inside of <{around.parent}>" if around.parent else "as a root"
            return f"{self._label} declares no element <{local_name(record.tag)}> {where}."[:MESSAGE_LENGTH]
        return "" if self._is_valid(parsed, wrapper) else self._told(record)

    def _told(self, record: Any) -> str:
        """The first of libxml2's reasons, and where in the record it is."""
        log: Any = self._schema.error_log  # the stubs do not know that it is a list
        first = log[0]
        text = " ".join(_BEGINNING.sub("", first.message, count=1).split())
        return f"{_way(record, first.path or '')}: {text}"[:MESSAGE_LENGTH]


def _way(record: Any, path: str) -> str:
    """The element at libxml2's `path`, by the names from the record on."""
    element = record.getparent()
    names = []
    for name, place in _STEP.findall(path)[1:]:
        siblings = [child for child in element if name in ("*", _written(child))]
        element = siblings[int(place or 1) - 1]
        same = list(element.getparent().iterchildren(element.tag))
        names.append(local_name(element.tag) + (f"[{same.index(element) + 1}]" if len(same) > 1 else ""))
    return "/".join(names) or local_name(record.tag)


def _written(element: Any) -> str:
    name = local_name(element.tag)
    return f"{element.prefix}:{name}" if element.prefix else name
