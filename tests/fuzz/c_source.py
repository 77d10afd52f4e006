"""Writes the scanner's programs as C: a mapping goes in, an initialised `etl_plan` comes out, so that a fuzzer needs no
Python while it runs. The structures are those of `etl/native/core`."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from etl.native.program import ColumnLayout, ColumnRule, Program


def plan_source(program: Program, name: str) -> str:
    """C source of ``static const etl_plan NAME``, and of what it refers to."""
    return _Writer(name).plan(program)


class _Writer:
    def __init__(self, name: str) -> None:
        self._name = name
        self._lines: list[str] = []

    def plan(self, program: Program) -> str:
        layouts = [self._layout(number, layout) for number, layout in enumerate(program.layouts)]
        fields = {
            "uris": self._texts("uris", program.uris),
            "uri_count": str(len(program.uris)),
            "locals": self._texts("locals", program.locals),
            "local_count": str(len(program.locals)),
            "literals": self._texts("literals", program.literals),
            "nodes": self._array("etl_node", "nodes", [_node(node) for node in program.nodes]),
            "node_count": str(len(program.nodes)),
            "edges": self._array("etl_edge", "edges", map(_numbers, program.edges)),
            "edge_count": str(len(program.edges)),
            "attributes": self._array(
                "etl_attribute",
                "attributes",
                [f"{{{n}u, {u}u, {a}u, {{{f}, {c}}}}}" for n, u, a, f, c in program.attributes],
            ),
            "attribute_count": str(len(program.attributes)),
            "ops": self._array("etl_op", "ops", map(_numbers, program.ops)),
            "begins": self._array(
                "etl_begin",
                "begins",
                [f"{{{t}u, {r}u, {p}u, {at}u, {{{f}, {c}}}}}" for t, r, p, at, f, c in program.begins],
            ),
            "links": self._array("uint32_t", "links", [f"{link}u" for link in program.links]),
            "choices": self._array(
                "etl_choice", "choices", [f"{{{{{f}, {c}}}, {outcome}}}" for f, c, outcome in program.choices]
            ),
            "predicates": self._array(
                "etl_predicate", "predicates", [f"{{{{{f}, {c}}}, {p}, {k}}}" for f, c, p, k in program.predicates]
            ),
            "tests": self._array("etl_attribute_test", "tests", map(_numbers, program.tests)),
            "outcomes": self._array("uint32_t", "outcomes", [f"{outcome}u" for outcome in program.outcomes]),
            "where": self._array("etl_where", "where", map(_numbers, program.where)),
            "tables": self._array(
                "etl_table",
                "tables",
                [f"{{{s}, {k}, {n}, {p}u, {{{f}, {c}}}, {b}}}" for s, k, n, p, f, c, b in program.tables],
            ),
            "table_count": str(len(program.tables)),
            "register_count": str(program.registers),
        }
        self._lines.append(f"static const etl_program {self._name}_program = {_designated(fields)};")
        self._array("etl_layout", "layouts", layouts)
        self._lines.append(
            f"static const etl_plan {self._name} = "
            f"{{&{self._name}_program, {self._name}_layouts, {len(program.layouts)}}};"
        )
        return "\n".join(self._lines) + "\n"

    def _array(self, kind: str, field: str, values: Iterable[str]) -> str:
        name = f"{self._name}_{field}"
        # An array of no elements is no C.
        self._lines.append(f"static const {kind} {name}[] = {{{', '.join(values) or '0'}}};")
        return name

    def _texts(self, field: str, texts: Sequence[str]) -> str:
        return self._array("etl_text", field, [_text(text) for text in texts])

    def _layout(self, number: int, layout: Sequence[ColumnLayout]) -> str:
        columns = [self._column(f"{number}_{place}", column) for place, column in enumerate(layout)]
        return f"{{{self._array('etl_column', f'columns_{number}', columns)}, {len(layout)}}}"

    def _column(self, place: str, column: ColumnLayout) -> str:
        fields = {
            "from": str(column.source),
            "index": f"{column.index}u",
            "link": f"{column.link}u",
            "table": f"{column.table}u",
            "python": str(column.python),
        }
        if column.constant is not None:
            fields["constant"] = _text(column.constant)
        if column.rule is not None:
            fields["rule"] = self._rule(place, column.rule)
        return _designated(fields)

    def _rule(self, place: str, rule: ColumnRule) -> str:
        texts: list[str] = []
        steps: list[str] = []
        for kind, values in rule.steps:
            steps.append(f"{{{kind}, {{{len(texts)}, {2 * len(values)}}}}}")
            texts += [text for pair in values for text in pair]
        kept = rule.type
        return _designated(
            {
                "type": f"{{{kept.name}, {kept.length}, {kept.precision}, {kept.scale}, {int(kept.utc)}}}",
                "many": str(rule.many),
                "strip": str(int(rule.strip)),
                "asks": str(int(rule.asks)),
                "required": str(int(rule.required)),
                "has_fallback": str(int(rule.fallback is not None)),
                "fallback": _text(rule.fallback or ""),
                "separator": _text(rule.separator),
                "steps": self._array("etl_step", f"steps_{place}", steps),
                "step_count": str(len(steps)),
                "nulls": self._texts(f"nulls_{place}", rule.nulls),
                "null_count": str(len(rule.nulls)),
                "texts": self._texts(f"texts_{place}", texts),
            }
        )


def _designated(fields: dict[str, str]) -> str:
    return "{" + ", ".join(f".{name} = {value}" for name, value in fields.items()) + "}"


def _numbers(values: Iterable[int]) -> str:
    return "{" + ", ".join(f"{value}u" for value in values) + "}"


def _node(node: Sequence[int]) -> str:
    ranges = ", ".join(f"{{{node[place]}, {node[place + 1]}}}" for place in range(0, 8, 2))
    return f"{{{ranges}, {', '.join(map(str, node[8:]))}}}"


def _text(text: str) -> str:
    encoded = text.encode()
    return '{(const uint8_t *)"' + "".join(f"\\x{byte:02x}" for byte in encoded) + f'", {len(encoded)}}}'
