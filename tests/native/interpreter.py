"""Follows a `Program` over lxml elements: what the compiled scanner does, slowly and in few lines.

Record elements go in; out comes what `DataMapper` gives for them, so that the two can be compared: values by column,
parents, what was noticed. `xsi:nil` is the caller's affair (`DataMapper.empty_nil_elements`).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from etl.native.program import ColumnLayout, Program
from etl.native.program_codes import (
    ETL_ANY,
    ETL_EDGE_CHOICE,
    ETL_EDGE_NODE,
    ETL_FROM_AROUND,
    ETL_FROM_LINK,
    ETL_FROM_SLOT,
    ETL_KEEP_ALL,
    ETL_KEEP_ENTRY,
    ETL_KEEP_KEY,
    ETL_KEEP_LAST,
    ETL_KEEP_VALUE,
    ETL_MANY_PAIRS,
    ETL_NONE,
    ETL_OP_EQUAL,
    ETL_OP_EXISTS,
    ETL_OP_STORE,
    ETL_WHERE_AND,
    ETL_WHERE_AROUND,
    ETL_WHERE_BIT,
    ETL_WHERE_LINK_BIT,
    ETL_WHERE_NOT,
)
from etl.native.program_rows import AroundText
from etl.transform.elements import NIL, NULL, own_text, read_string, read_text, string_value
from etl.transform.name_tests import shown_attribute


class Declined(Exception):
    """The record is not the scanner's."""


@dataclass
class Value:
    """`etl_value`."""

    value: Any = None
    several: bool = False
    mixed: bool = False


@dataclass
class Row:
    """A row of `etl_raw_rows`."""

    parent: int
    place: int
    slots: list[Value]
    links: list[int]
    bits: int = 0


@dataclass
class Found:
    """What `etl_assemble` makes of raw rows, before values are converted."""

    tables: list[list[list[Any]]]
    """Rows by table: raw values of the columns that have a path."""
    parents: list[list[int]]
    several: set[tuple[int, int, int]]
    """(table, slot, record)"""
    mixed: set[tuple[int, int]]
    """(table, slot)"""
    unseen: set[str] = field(default_factory=set)


class Interpreter:
    """Follows one program."""

    def __init__(self, program: Program) -> None:
        self.program = program
        self.edges = {edge[:3]: edge[3:] for edge in program.edges}
        self.attributes = {one[:3]: one[3:] for one in program.attributes}
        assert len(self.edges) == len(program.edges)
        assert len(self.attributes) == len(program.attributes)
        self.tables = {begin[1]: begin[0] for begin in program.begins}
        """By register."""
        self.uris = {text: number for number, text in enumerate(program.uris)}
        self.locals = {text: number for number, text in enumerate(program.locals)}
        self.rows: list[list[Row]] = [[] for _ in program.tables]
        self.unseen: set[str] = set()

    def run(self, records: Sequence[Any], ancestors: Sequence[Any], root: int = 0) -> Found:
        for record, element in enumerate(records):
            self.record = record
            self.registers = [ETL_NONE] * self.program.registers
            child = self._target(root, element, [0] * self.program.nodes[root][8])
            if child is None or child == ETL_NONE:
                raise Declined
            self._element(child, element)
        found = self._assembled(self._around(ancestors))
        found.unseen = self.unseen - self.program.known
        return found

    # --- one pass over the elements ---

    def _element(self, node: int, element: Any) -> None:
        program = self.program
        begins, begin_count, *ops, counters, open_, reports_attributes = program.nodes[node]
        for table, reg, parent, place, first, count in program.begins[begins : begins + begin_count]:
            links = [self.registers[link] for link in program.links[first : first + count]]
            owner = self.record if parent == ETL_NONE else self.registers[parent]
            self.registers[reg] = len(self.rows[table])
            slots = [Value() for _ in range(program.tables[table][0])]
            self.rows[table].append(Row(owner, place, slots, links))
        self._do(ops[0:2], None, None, mixed=False)
        for name, value in element.items():
            uri, local = self._name(name)
            wanted = self.attributes.get((node, uri, local))
            if wanted is not None:
                self._do(wanted, value, value, mixed=False)
            elif reports_attributes:
                self.unseen.add(f"{program.node_paths[node]}/{shown_attribute(name)}")
        counts = [0] * counters
        for child in element:
            target = self._target(node, child, counts)
            if target is None:
                if open_:
                    name = child.tag.rpartition("}")[2]
                    self.unseen.update(f"{path}/{name}" for path in program.open_paths[node])
            elif target != ETL_NONE:
                self._element(target, child)
        if ops[3]:
            self._do(ops[2:4], read_string(element), string_value(element), mixed=len(element) > 0)
        if ops[5]:
            self._do(ops[4:6], read_text(element), own_text(element), mixed=False)

    def _name(self, name: str) -> tuple[int, int]:
        uri, _, local = name[1:].rpartition("}") if name[0] == "{" else ("", "", name)
        return self.uris.get(uri, ETL_ANY), self.locals.get(local, ETL_ANY)

    def _target(self, node: int, child: Any, counts: list[int]) -> int | None:
        """A node; ETL_NONE: a choice says nobody's; None: nothing speaks of it."""
        uri, local = self._name(child.tag)
        for key in ((uri, local), (ETL_ANY, local), (uri, ETL_ANY), (ETL_ANY, ETL_ANY)):
            if (node, *key) in self.edges:
                kind, target = self.edges[node, *key]
                if kind == ETL_EDGE_NODE:
                    return target
                if kind == ETL_EDGE_CHOICE:
                    return self._chosen(target, child, counts)
                raise Declined
        return None

    def _chosen(self, choice: int, child: Any, counts: list[int]) -> int:
        program = self.program
        first, count, outcome = program.choices[choice]
        bits = 0
        for number, (tests, test_count, position, counter) in enumerate(program.predicates[first : first + count]):
            held = all(
                child.get(f"{{{program.uris[uri]}}}{program.locals[local]}" if uri else program.locals[local])
                == program.literals[literal]
                for uri, local, literal in program.tests[tests : tests + test_count]
            )
            if held and position:
                counts[counter] += 1
                held = counts[counter] == position
            bits |= held << number
        return program.outcomes[outcome + bits]

    def _do(self, ops: Sequence[int], value: Any, text: Any, *, mixed: bool) -> None:
        first, count = ops
        for kind, keep, simple, bit, reg, slot, literal in self.program.ops[first : first + count]:
            row = self.rows[self.tables[reg]][self.registers[reg]]
            if kind == ETL_OP_STORE:
                self._store(row.slots[slot], value, keep, simple=bool(simple), mixed=mixed)
            elif kind == ETL_OP_EXISTS or (text == self.program.literals[literal]) is (kind == ETL_OP_EQUAL):
                row.bits |= 1 << bit

    def _store(self, slot: Value, value: Any, keep: int, *, simple: bool, mixed: bool) -> None:
        if keep == ETL_KEEP_ALL:
            slot.value = [*(slot.value or []), value]
        elif keep in (ETL_KEEP_ENTRY, ETL_KEEP_KEY, ETL_KEEP_VALUE):
            slot.value = [*(slot.value or []), (keep, value)]
            mixed = False
        elif slot.value is None or keep == ETL_KEEP_LAST:
            slot.value = value
        else:
            slot.several = True
            mixed = mixed and not simple
        slot.mixed |= mixed

    # --- tables of the rows ---

    def _around(self, ancestors: Sequence[Any]) -> tuple[list[Any], int]:
        def get(up: int, name: str) -> Any:
            return ancestors[-up].get(name) if up <= len(ancestors) else None

        # None of the mappings here has a value of the document.
        texts = [get(text.up, text.name) for text in self.program.around if isinstance(text, AroundText)]
        bits = 0
        for number, bit in enumerate(self.program.around_bits):
            value = get(bit.up, bit.name)
            held = value is not None and (bit.literal is None or (value == bit.literal) is bit.equal)
            bits |= held << number
        return texts, bits

    def _assembled(self, around: tuple[list[Any], int]) -> Found:
        found = Found([], [], set(), set())
        orders: list[list[int]] = []
        records: list[list[int]] = []
        for number, layout in enumerate(self.program.layouts):
            rows = self.rows[number]
            parent = self.program.tables[number][3]
            kept = [at for at, row in enumerate(rows) if self._holds(number, row, around[1])]
            if parent == ETL_NONE:
                owners = {at: rows[at].parent for at in kept}
            else:
                places = {at: place for place, at in enumerate(orders[parent])}
                owners = {at: places[rows[at].parent] for at in kept if rows[at].parent in places}
                kept = sorted(owners, key=lambda at: (owners[at], rows[at].place))
            orders.append(kept)
            found.parents.append([owners[at] for at in kept])
            records.append([owners[at] if parent == ETL_NONE else records[parent][owners[at]] for at in kept])
            columns = [column for column in layout if column.rule is not None]
            table: list[list[Any]] = []
            for record, at in zip(records[-1], kept, strict=True):
                values = [self._value(column, rows[at], around[0]) for column in columns]
                table.append([_raw(column, value) for column, value in zip(columns, values, strict=True)])
                found.several.update((number, slot, record) for slot, value in enumerate(values) if value.several)
                found.mixed.update((number, slot) for slot, value in enumerate(values) if value.mixed)
            found.tables.append(table)
        return found

    def _value(self, column: ColumnLayout, row: Row, texts: list[Any]) -> Value:
        if column.source == ETL_FROM_SLOT:
            return row.slots[column.index]
        if column.source == ETL_FROM_LINK:
            return self.rows[column.table][row.links[column.link]].slots[column.index]
        assert column.source == ETL_FROM_AROUND
        assert column.rule is not None
        text = texts[column.index]
        return Value([text] if column.rule.many and text is not None else text)

    def _holds(self, table: int, row: Row, around_bits: int) -> bool:
        first, count = self.program.tables[table][4:6]
        stack: list[bool] = []
        for kind, operand, link, of in self.program.where[first : first + count]:
            if kind == ETL_WHERE_BIT:
                stack.append(bool(row.bits >> operand & 1))
            elif kind == ETL_WHERE_LINK_BIT:
                stack.append(bool(self.rows[of][row.links[link]].bits >> operand & 1))
            elif kind == ETL_WHERE_AROUND:
                stack.append(bool(around_bits >> operand & 1))
            elif kind == ETL_WHERE_NOT:
                stack.append(not stack.pop())
            else:
                right, left = stack.pop(), stack.pop()
                stack.append((left and right) if kind == ETL_WHERE_AND else (left or right))
        assert len(stack) in ((1,) if count else (0,))
        return stack.pop() if stack else True


def _raw(column: ColumnLayout, value: Value) -> Any:
    if value.value is None:
        return NULL
    if column.rule is None or column.rule.many != ETL_MANY_PAIRS:
        return value.value
    pairs: list[tuple[list[str], list[str]]] = []
    for keep, text in value.value:
        if keep == ETL_KEEP_ENTRY:
            pairs.append(([], []))
        else:
            pairs[-1][keep == ETL_KEEP_VALUE].append(text)
    return [(keys[0] if keys and keys[0] != NIL else "", values) for keys, values in pairs]
