"""Whatever a schema allows: the mapping made of it is one, and documents that are valid by it load without rejects."""

from __future__ import annotations

import random
import sqlite3
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from lxml import etree

import etl
from etl.inference.xsd import infer_from_schema
from etl.mapping.reader import parse_mapping

MANY = settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.too_slow])
XS = 'xmlns:xs="http://www.w3.org/2001/XMLSchema"'
VALUES = {
    "xs:string": ["", "a", " b  c ", "é"],
    "xs:int": ["0", "-5", "+7"],
    "xs:decimal": ["1.50", ".5", "3."],
    "xs:date": ["2024-02-29", "2024-02-29Z"],
    "xs:boolean": ["true", "0"],
    "xs:base64Binary": ["", "AA=="],
}
OCCURS = [(1, 1), (0, 1), (1, 3), (0, 3), (2, 2)]


class Grammar:
    """A schema drawn at random, and documents of it. Every element has a name of its own."""

    def __init__(self, seed: int) -> None:
        self._random = random.Random(seed)
        self._names = 0
        self._root = self._element(0)
        self.text = f"<xs:schema {XS}>{self._declared(self._root, '')}</xs:schema>"

    def document(self) -> str:
        return self._instance(self._root)

    def _element(self, depth: int) -> dict[str, Any]:
        self._names += 1
        draw = self._random.random()
        attributes = [
            (f"a{number}", self._random.choice(list(VALUES)), self._random.random() < 0.5)
            for number in range(self._random.choice([0, 0, 1, 2]))
        ]
        found: dict[str, Any] = {
            "name": f"e{self._names}",
            "attributes": attributes,
            "content": None,
            "mixed": False,
        }
        if depth < 4 and (depth == 0 or draw < 0.5):
            found["content"] = self._group(depth + 1)
            found["mixed"] = self._random.random() < 0.1
        else:
            found["type"] = self._random.choice(list(VALUES))
            found["nillable"] = self._random.random() < 0.1
        return found

    def _group(self, depth: int) -> tuple[str, list[tuple[object, tuple[int, int]]]]:
        kind = self._random.choice(["sequence", "sequence", "choice"])
        parts: list[tuple[object, tuple[int, int]]] = []
        for _ in range(self._random.choice([1, 2, 3])):
            nested = depth < 4 and self._random.random() < 0.2
            parts.append((self._group(depth + 1) if nested else self._element(depth), self._random.choice(OCCURS)))
        return kind, parts

    # --- the schema ---

    def _declared(self, element: dict[str, Any], occurs: str) -> str:
        attributes = "".join(
            f'<xs:attribute name="{name}" type="{kind}" use="{"required" if required else "optional"}"/>'
            for name, kind, required in element["attributes"]
        )
        nillable = ' nillable="true"' if element.get("nillable") else ""
        start = f'<xs:element name="{element["name"]}"{occurs}{nillable}'
        if element["content"] is None:
            if not attributes:
                return f'{start} type="{element["type"]}"/>'
            extended = f'<xs:extension base="{element["type"]}">{attributes}</xs:extension>'
            return (
                f"{start}><xs:complexType><xs:simpleContent>{extended}</xs:simpleContent></xs:complexType></xs:element>"
            )
        mixed = ' mixed="true"' if element["mixed"] else ""
        model = self._model(element["content"], "")
        return f"{start}><xs:complexType{mixed}>{model}{attributes}</xs:complexType></xs:element>"

    def _model(self, group: Any, occurs: str) -> str:
        kind, parts = group
        inner = ""
        for part, (least, most) in parts:
            times = f' minOccurs="{least}" maxOccurs="{"unbounded" if most == 3 else most}"'
            inner += self._declared(part, times) if isinstance(part, dict) else self._model(part, times)
        return f"<xs:{kind}{occurs}>{inner}</xs:{kind}>"

    # --- a document ---

    def _instance(self, element: dict[str, Any]) -> str:
        attributes = "".join(
            f' {name}="{self._random.choice(VALUES[kind])}"'
            for name, kind, required in element["attributes"]
            if required or self._random.random() < 0.5
        )
        name = element["name"]
        if element["content"] is not None:
            text = "some text" if element["mixed"] else ""
            return f"<{name}{attributes}>{text}{self._contents(element['content'])}</{name}>"
        if element.get("nillable") and self._random.random() < 0.5:
            return f'<{name} xmlns:i="http://www.w3.org/2001/XMLSchema-instance" i:nil="true"{attributes}/>'
        return f"<{name}{attributes}>{self._random.choice(VALUES[str(element['type'])])}</{name}>"

    def _contents(self, group: Any) -> str:
        kind, parts = group
        chosen = parts if kind == "sequence" else [self._random.choice(parts)]
        written = ""
        for part, (least, most) in chosen:
            for _ in range(self._random.randint(least, most)):
                written += self._instance(part) if isinstance(part, dict) else self._contents(part)
        return written


@MANY
@given(st.integers(0, 2**32))
def test_valid_documents_load(seed: int) -> None:
    grammar = Grammar(seed)
    with TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "a.xsd").write_text(grammar.text, "utf-8")
        validator = etree.XMLSchema(etree.parse(folder / "a.xsd"))
        inferred = infer_from_schema(folder / "a.xsd")
        text = inferred.text
        mapping = parse_mapping(text, "made")
        (folder / "a.yaml").write_text(text, "utf-8")
        for number in range(2):
            source = folder / f"{number}.xml"
            source.write_text(grammar.document(), "utf-8")
            validator.assertValid(etree.parse(source))
            report = etl.load(source, mapping=folder / "a.yaml", target=f"sqlite:///{folder}/{number}.db")
            assert report.rejected == 0, (source.read_text("utf-8"), text)
            if any("in no table" in warning for warning in inferred.warnings):
                continue
            _check_nothing_is_lost(source, folder / f"{number}.db", [table.name for table in mapping.tables])


def _check_nothing_is_lost(source: Path, database: Path, tables: list[str]) -> None:
    """Every text and attribute that says something is in some row."""
    connection = sqlite3.connect(database)
    rows = [row for table in tables for row in connection.execute(f'SELECT * FROM "{table}"')]
    connection.close()
    held = " ".join(str(value) for row in rows for value in row)
    root = etree.parse(source).getroot()
    for text in {*root.itertext(), *(value for element in root.iter() for value in element.attrib.values())}:
        if text.strip() in ("é", "some text"):
            assert text.strip() in held, (text, etree.tostring(root))
