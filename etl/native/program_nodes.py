"""The tree of nodes that elements are followed by: what all tables want of an element, side by side.

A node holds the places of every walk (`program_rows`) that is possible at its elements, as `etl.transform.compile`
has them one by one; so parents, children and conditions are found in one pass. In go the rows of the tables and the
paths of the records; out come the arrays of `core/program.h`, numbers that refer to each other. Pure.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from etl.mapping.paths import NameTest, Step
from etl.native.program_codes import (
    ETL_ANY,
    ETL_EDGE_CHOICE,
    ETL_EDGE_DECLINE,
    ETL_EDGE_NODE,
    ETL_KEEP_FIRST,
    ETL_MAX_PREDICATES,
    ETL_NONE,
    ETL_OP_EXISTS,
)
from etl.native.program_rows import Goal, MappingRows, NotNative, Op, Walk

NODES_LIMIT = 100_000
ITEMS_LIMIT = 1_000_000
"""More nodes below a root, or paths followed from one to the next, mean that wildcards and predicates multiply. Up to
there it takes a second or two and some 100 MB, once."""

Item = tuple[Goal, int]
"""A goal, and how many of its path's steps are done."""
_WrittenOp = tuple[int, int, int, int, int, int, int]
"""`etl_op`."""
_NameTest = tuple[str | None, str | None]
"""A namespace and a local name; None: any."""
_Found = tuple[int, int]
"""A place of a node, and an item of it."""


@dataclass(frozen=True, slots=True)
class Place:
    """How far the goals of one row's walk have come at an element."""

    register: int
    walk: Walk
    items: tuple[Item, ...]
    path: str = field(compare=False)
    plain: bool
    """The walk came here by steps without predicates."""

    @property
    def ended(self) -> list[Goal]:
        return [goal for goal, done in self.items if done == len(goal.steps)]

    @property
    def open(self) -> bool:
        """Some path goes further down."""
        return any(done < len(goal.steps) for goal, done in self.items)

    @property
    def takes_all(self) -> bool:
        """A column has all the text below the element."""
        return any(goal.stores and goal.leaf == "string" for goal in self.ended)

    @property
    def simple(self) -> bool:
        """The lxml path gives a bare slot to the element: one string value, and nothing else, is wanted of it."""
        ended = self.ended
        stored = [goal for goal in ended if goal.stores]
        return (
            self.plain
            and not self.open
            and not any(goal.table is not None or goal.enters for goal in ended)
            and [goal.leaf for goal in stored] == ["string"]
            and all(goal.op is not None and goal.op.keep == ETL_KEEP_FIRST for goal in stored)
        )


@dataclass(slots=True, eq=False)
class _Node:
    number: int
    parent: _Node | None
    places: list[Place]
    hidden: dict[int, int] = field(default_factory=dict)
    """Registers of rows that begin here and stand for ancestors, by hidden table."""
    begins: list[tuple[int, int, int, int, int, int]] = field(default_factory=list)
    tested: set[tuple[str, str]] = field(default_factory=set)
    """Attributes that a predicate looks at."""
    counters: dict[Step, int] = field(default_factory=dict)
    children: dict[tuple[Place, ...], _Node] = field(default_factory=dict)


class _Numbers:
    """Numbers for texts, in the order in which they come."""

    def __init__(self, *first: str) -> None:
        self.numbers = {text: number for number, text in enumerate(first)}

    def __call__(self, text: str) -> int:
        return self.numbers.setdefault(text, len(self.numbers))


@dataclass(slots=True)
class Arrays:
    """The arrays of `etl_program` that say what elements lead to; ranges are a first place and a count."""

    nodes: list[tuple[int, ...]] = field(default_factory=list)
    edges: list[tuple[int, int, int, int, int]] = field(default_factory=list)
    attributes: list[tuple[int, int, int, int, int]] = field(default_factory=list)
    ops: list[_WrittenOp] = field(default_factory=list)
    begins: list[tuple[int, int, int, int, int, int]] = field(default_factory=list)
    links: list[int] = field(default_factory=list)
    choices: list[tuple[int, int, int]] = field(default_factory=list)
    predicates: list[tuple[int, int, int, int]] = field(default_factory=list)
    tests: list[tuple[int, int, int]] = field(default_factory=list)
    outcomes: list[int] = field(default_factory=list)
    registers: int = 0
    node_paths: list[str] = field(default_factory=list)
    open_paths: list[tuple[str, ...]] = field(default_factory=list)


class Tree:
    """Roots, one for the record paths of each of `sets`, and the nodes below them.

    Raises NotNative where there are too many nodes, or predicates side by side; never of parts of a set of which it
    raises nothing.
    """

    def __init__(self, rows: MappingRows, sets: Sequence[Iterable[Goal]]) -> None:
        self.arrays = Arrays()
        self.uris = _Numbers("")
        self.locals = _Numbers()
        self.literals = _Numbers()
        self._rows = rows
        self._followed = 0
        self._limits = NODES_LIMIT * len(sets), ITEMS_LIMIT * len(sets)
        walk = Walk([], "", quiet=True)
        # What the same paths lead to is the same below each root.
        children: dict[tuple[Place, ...], _Node] = {}
        self._nodes = [
            _Node(
                number,
                None,
                [Place(ETL_NONE, walk, tuple((goal, 0) for goal in records), "", plain=True)],
                children=children,
            )
            for number, records in enumerate(sets)
        ]
        waiting = deque(self._nodes)
        while waiting:
            made = len(self._nodes)
            self._follow(waiting.popleft())
            waiting.extend(self._nodes[made:])
        for node in self._nodes:
            self._write_node(node)

    # --- what children lead to ---

    def _follow(self, node: _Node) -> None:
        """The edges of a node."""
        by_test: dict[_NameTest, list[_Found]] = {}
        for number, place in enumerate(node.places):
            for index, (goal, done) in enumerate(place.items):
                if done < len(goal.steps):
                    test = goal.steps[done].element
                    by_test.setdefault((test.namespace, test.name), []).append((number, index))
        uris = dict.fromkeys(uri for uri, _ in by_test if uri is not None)
        locals_ = dict.fromkeys(local for _, local in by_test if local is not None)
        present: dict[_NameTest, list[_Found]] = {}
        names = [(None, None), *((uri, None) for uri in uris), *((None, local) for local in locals_)]
        for uri, local in [*names, *((uri, local) for uri in uris for local in locals_)]:
            tests = dict.fromkeys([(uri, local), (None, local), (uri, None), (None, None)])
            found = sorted(one for test in tests for one in by_test.get(test, ()))
            # What is looked for after it is found says the same, or there is nothing to be found.
            others = (present[test] for test in tests if test in present)
            if found != next(others, []):
                present[uri, local] = found
                items = [(number, *node.places[number].items[index]) for number, index in found]
                self._add_edge(node, uri, local, items)

    def _add_edge(self, node: _Node, uri: str | None, local: str | None, found: list[tuple[int, Goal, int]]) -> None:
        steps = dict.fromkeys(step for _, goal, done in found if _has_predicate(step := goal.steps[done]))
        kind, target = ETL_EDGE_CHOICE, ETL_NONE
        if not steps:
            kind, target = ETL_EDGE_NODE, self._target(node, self._arrived(node, local, found, set()), set())
            if target == ETL_NONE:
                kind = ETL_EDGE_DECLINE
        elif len(steps) > ETL_MAX_PREDICATES:
            where = node.places[found[0][0]].path or "the records"
            raise NotNative(
                f"paths: more than {ETL_MAX_PREDICATES} different predicates for one element (below {where})"
                if node.parent is not None
                else f"each: more than {ETL_MAX_PREDICATES} different predicates for one element"
            )
        else:
            target = self._choice(node, local, found, list(steps))
        self.arrays.edges.append(
            (
                node.number,
                ETL_ANY if uri is None else self.uris(uri),
                ETL_ANY if local is None else self.locals(local),
                kind,
                target,
            )
        )

    def _choice(self, node: _Node, local: str | None, found: list[tuple[int, Goal, int]], steps: list[Step]) -> int:
        arrays = self.arrays
        predicates = [self._predicate(node, step) for step in steps]
        tested = {_name(test.attribute) for step in steps for test in step.tests}
        impossible = [
            1 << one | 1 << other
            for one, step in enumerate(steps)
            for other in range(one, len(steps))
            if _contradict(step, steps[other])
        ]
        outcomes = []
        for bits in range(1 << len(steps)):
            if any(bits & both == both for both in impossible):
                outcomes.append(ETL_NONE)
                continue
            failed = {step for number, step in enumerate(steps) if not bits >> number & 1}
            outcomes.append(self._target(node, self._arrived(node, local, found, failed), tested))
        arrays.choices.append((len(arrays.predicates), len(predicates), len(arrays.outcomes)))
        arrays.predicates += predicates
        arrays.outcomes += outcomes
        return len(arrays.choices) - 1

    def _predicate(self, node: _Node, step: Step) -> tuple[int, int, int, int]:
        first = len(self.arrays.tests)
        for test in step.tests:
            uri, local = _name(test.attribute)
            self.arrays.tests.append((self.uris(uri), self.locals(local), self.literals(test.value)))
        counter = 0 if step.position is None else node.counters.setdefault(step, len(node.counters))
        return first, len(step.tests), step.position or 0, counter

    def _arrived(
        self, node: _Node, local: str | None, found: list[tuple[int, Goal, int]], failed: set[Step]
    ) -> tuple[Place, ...]:
        """Where the places of a node have come at a child, if all steps hold but those that failed."""
        self._followed += len(found)
        if self._followed > self._limits[1]:
            raise NotNative("paths: wildcards and predicates combine in too many ways")
        held: dict[int, list[Item]] = {}
        chosen: set[int] = set()
        for number, goal, done in found:
            step = goal.steps[done]
            if _has_predicate(step):
                chosen.add(number)
            if step not in failed:
                held.setdefault(number, []).append((goal, done + 1))
        name = "*" if local is None else local
        return tuple(
            Place(at.register, at.walk, tuple(items), f"{at.path}/{name}", plain=number not in chosen)
            for number, items in held.items()
            for at in (node.places[number],)
        )

    def _target(self, node: _Node, places: tuple[Place, ...], tested: set[tuple[str, str]]) -> int:
        """The node of an element at which these places have arrived; ETL_NONE where it is nobody's or declined."""
        if not places or any(goal.declined for place in places for goal in place.ended):
            return ETL_NONE
        child = node.children.get(places)
        if child is None:
            if len(self._nodes) >= self._limits[0]:
                raise NotNative("paths: wildcards and predicates combine in too many ways")
            child = _Node(len(self._nodes), node, list(places))
            self._begin_rows(child)
            self._nodes.append(child)
            node.children[places] = child
        child.tested |= tested
        return child.number

    # --- rows that begin ---

    def _begin_rows(self, node: _Node) -> None:
        arrived = [(place, *item) for place in node.places for item in place.items if item[0].table is not None]
        begun: set[int] = set()
        for place, goal, done in arrived:
            table = goal.table
            if table is None or done < len(goal.steps) or (place.register == ETL_NONE and table in begun):
                continue
            begun.add(table)
            self._begin_row(node, table, place.register, goal.place)
        for _, goal, done in arrived:
            for up, hidden in sorted(self._rows.ahead[goal.table or 0]):
                if up == len(goal.steps) - done and hidden not in node.hidden:
                    node.hidden[hidden] = self._begin_row(node, hidden, ETL_NONE, 0)

    def _begin_row(self, node: _Node, table: int, parent: int, place: int) -> int:
        rows = self._rows.tables[table]
        register = self.arrays.registers
        self.arrays.registers += 1
        first = len(self.arrays.links)
        for up, hidden in rows.links.items():
            ancestor = node
            for _ in range(up):
                assert ancestor.parent is not None, "ancestors above the record have no rows"
                ancestor = ancestor.parent
            self.arrays.links.append(ancestor.hidden[hidden])
        node.begins.append((table, register, parent, place, first, len(rows.links)))
        node.places += [
            Place(register, walk, tuple((goal, 0) for goal in walk.goals), walk.path, plain=False)
            for walk in rows.walks
            if walk.goals or not walk.quiet
        ]
        return register

    # --- what an element itself gives ---

    def _write_node(self, node: _Node) -> None:
        arrays = self.arrays
        begins = len(arrays.begins)
        arrays.begins += node.begins
        exists: list[_WrittenOp] = []
        strings: list[_WrittenOp] = []
        texts: list[_WrittenOp] = []
        attributes: dict[tuple[str, str], list[_WrittenOp]] = {name: [] for name in sorted(node.tested)}
        for place in node.places:
            simple = place.simple
            for goal in place.ended:
                if goal.attribute is not None:
                    named = attributes.setdefault(_name(goal.attribute), [])
                    if goal.op is not None:
                        named.append(self._op(goal.op, place.register, simple=False))
                elif goal.op is not None:
                    where = texts if goal.leaf == "text" else exists if goal.leaf == "element" else strings
                    where.append(self._op(goal.op, place.register, simple=simple and goal.stores))
        loud = [place for place in node.places if not place.walk.quiet]
        open_ = [place for place in loud if place.open]
        # What stands below an element of which only attributes are wanted, `etl.transform.unseen` finds.
        others = [place for place in loud if not place.simple]
        reports_children = bool(open_) or (bool(others) and not any(place.takes_all for place in others))
        arrays.nodes.append(
            (
                begins,
                len(node.begins),
                *self._written(exists),
                *self._written(strings),
                *self._written(texts),
                len(node.counters),
                int(reports_children),
                int(bool(loud)),
            )
        )
        for (uri, local), named in attributes.items():
            arrays.attributes.append((node.number, self.uris(uri), self.locals(local), *self._written(named)))
        own = (loud or node.places)[0].path
        arrays.node_paths.append(own)
        arrays.open_paths.append(tuple(dict.fromkeys(place.path for place in open_)) or (own,))

    def _op(self, op: Op, register: int, *, simple: bool) -> _WrittenOp:
        literal = self.literals(op.literal) if op.kind > ETL_OP_EXISTS else 0
        return op.kind, op.keep, int(simple), op.bit, register, op.slot, literal

    def _written(self, ops: Sequence[_WrittenOp]) -> tuple[int, int]:
        first = len(self.arrays.ops)
        self.arrays.ops.extend(ops)
        return first, len(ops)


def _has_predicate(step: Step) -> bool:
    return bool(step.tests) or step.position is not None


def _contradict(one: Step, other: Step) -> bool:
    """No element holds both; of a step with itself, none holds it."""
    if one.element == other.element and one.tests == other.tests and one.position != other.position:
        return None not in (one.position, other.position)
    values = {test.attribute: test.value for test in one.tests}
    return any(values.get(test.attribute, test.value) != test.value for test in (*one.tests, *other.tests))


def _name(attribute: NameTest) -> tuple[str, str]:
    return attribute.namespace or "", attribute.name or ""
