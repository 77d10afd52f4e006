"""A mapping as the scanner wants it: a checked mapping goes in, the numbers and texts of `core/program.h` come out.

How that is done: `program_rows` says what rows want, `program_nodes` follows it all side by side, `program_columns`
makes columns of what was found, `families` says which tables are left to lxml. Nothing here reads a document, or calls
C. Pure; runs in a worker, when other record paths than before fit under what stands around records.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from etl.mapping.model import Mapping
from etl.messages import RowFormat
from etl.native.families import native_families
from etl.native.program_codes import ETL_NONE
from etl.native.program_columns import ColumnLayout, ColumnRule, ColumnType, layouts
from etl.native.program_nodes import Tree
from etl.native.program_rows import AroundBit, AroundColumn, AroundText, Goal, MappingRows
from etl.transform.records import fits

__all__ = [
    "AroundBit",
    "AroundColumn",
    "AroundText",
    "Candidates",
    "ColumnLayout",
    "ColumnRule",
    "ColumnType",
    "Program",
    "candidates",
    "compile_program",
]

Candidates = tuple[tuple[int, int], ...]
"""Record paths that fit under what stands around a record: table, and place among its paths."""


@dataclass(frozen=True, slots=True)
class Program:
    """`etl_program`, and what Python needs to feed it. Tuples are in the order of the C structs' fields."""

    uris: tuple[str, ...]
    locals: tuple[str, ...]
    literals: tuple[str, ...]
    nodes: tuple[tuple[int, ...], ...]
    """begins, exists, strings, texts (two numbers each: first, count), counters, open, reports_attributes."""
    edges: tuple[tuple[int, int, int, int, int], ...]
    """node, uri, local, kind, target."""
    attributes: tuple[tuple[int, int, int, int, int], ...]
    """node, uri, local, ops."""
    ops: tuple[tuple[int, int, int, int, int, int, int], ...]
    """kind, keep, simple, bit, reg, slot, literal."""
    begins: tuple[tuple[int, int, int, int, int, int], ...]
    """table, reg, parent, list, links."""
    links: tuple[int, ...]
    choices: tuple[tuple[int, int, int], ...]
    """predicates, first_outcome."""
    predicates: tuple[tuple[int, int, int, int], ...]
    """tests, position, counter."""
    tests: tuple[tuple[int, int, int], ...]
    """uri, local, literal."""
    outcomes: tuple[int, ...]
    where: tuple[tuple[int, int, int, int], ...]
    """kind, operand, link, table."""
    tables: tuple[tuple[int, int, int, int, int, int, int], ...]
    """slots, links, lists, parent, where, conditions. First the mapping's, empty where lxml does them."""
    registers: int
    node_paths: tuple[str, ...]
    """Of a node's elements, as notices show them; "*" where their name is any."""
    open_paths: tuple[tuple[str, ...], ...]
    """The same, where it is about children of theirs: each table that looks further down names them its own way."""
    known: frozenset[str]
    """Paths that are never unseen; `etl.transform.unseen` knows more of them, of what it has met."""
    around: tuple[AroundText | AroundColumn, ...]
    around_bits: tuple[AroundBit, ...]
    layouts: tuple[tuple[ColumnLayout, ...], ...]
    """By table of the mapping; empty for those of other families."""


def candidates(mapping: Mapping, ancestors: Sequence[Any]) -> Candidates:
    """The record paths that may lead to children of the last of these (lxml) elements, outermost first."""
    return tuple(
        (number, place)
        for number, table in enumerate(mapping.tables)
        for place, path in enumerate(table.records)
        if fits(path, ancestors)
    )


def compile_program(mapping: Mapping, row_format: RowFormat, sets: Sequence[Candidates]) -> Program:
    """The program for records of these paths; node n is the root for those where the n-th set fits.

    Records of tables that are not the scanner's are declined.
    """
    native = native_families(mapping).native
    rows = MappingRows(mapping, native)
    records = {
        (number, place): Goal(path.steps[-1:], table=number, declined=number not in native)
        for number, table in enumerate(mapping.tables)
        for place, path in enumerate(table.records)
    }
    tree = Tree(rows, [[records[path] for path in fitting] for fitting in sets])
    where: list[tuple[int, int, int, int]] = []
    tables: list[tuple[int, int, int, int, int, int, int]] = []
    for wanted in rows.tables:
        parent = ETL_NONE if wanted.parent is None else wanted.parent
        ends = len(where), len(wanted.where)
        tables.append((wanted.slots, len(wanted.links), wanted.lists, parent, *ends, int(bool(wanted.bits))))
        where += wanted.where
    arrays = tree.arrays
    return Program(
        uris=tuple(tree.uris.numbers),
        locals=tuple(tree.locals.numbers),
        literals=tuple(tree.literals.numbers),
        nodes=tuple(arrays.nodes),
        edges=tuple(arrays.edges),
        attributes=tuple(arrays.attributes),
        ops=tuple(arrays.ops),
        begins=tuple(arrays.begins),
        links=tuple(arrays.links),
        choices=tuple(arrays.choices),
        predicates=tuple(arrays.predicates),
        tests=tuple(arrays.tests),
        outcomes=tuple(arrays.outcomes),
        where=tuple(where),
        tables=tuple(tables),
        registers=arrays.registers,
        node_paths=tuple(arrays.node_paths),
        open_paths=tuple(arrays.open_paths),
        known=frozenset(rows.known),
        around=tuple(rows.around),
        around_bits=tuple(rows.around_bits),
        layouts=layouts(mapping, rows, native, row_format),
    )
