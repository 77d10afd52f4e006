"""No document makes us read a file or speak to a network, whether it is loaded, checked or surveyed."""

from __future__ import annotations

import os
import socket
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

import etl
from etl.errors import MappingError, SourceError

CANARY = "canary-7f3a"

MAPPING = """\
version: 1
tables:
  item: {each: /items/item, columns: {id: "@id", all: {path: ., type: text}, xml: {path: ., type: xml}}}
"""

ATTACKS = {
    "external DTD": "<!DOCTYPE items SYSTEM '{url}'>{items}",
    "public DTD": "<!DOCTYPE items PUBLIC '-//W3C//DTD XHTML 1.0 Strict//EN' '{url}'>{items}",
    "external DTD beside entities": "<!DOCTYPE items SYSTEM '{url}' [<!ENTITY a 'b'>]>{items}",
    "external entity": "<!DOCTYPE items [<!ENTITY leak SYSTEM '{url}'>]>{items}",
    "public entity": "<!DOCTYPE items [<!ENTITY leak PUBLIC 'x' '{url}'>]>{items}",
    "parameter entity": "<!DOCTYPE items [<!ENTITY % p SYSTEM '{url}'> %p; <!ENTITY leak 'x'>]>{items}",
    "parameter entity in an entity": (
        "<!DOCTYPE items [<!ENTITY % p SYSTEM '{url}'><!ENTITY % q '<!ENTITY leak SYSTEM &#39;{url}&#39;>'> %p; %q;]>"
        "{items}"
    ),
    "default attribute": ("<!DOCTYPE items [<!ENTITY leak SYSTEM '{url}'><!ATTLIST item k CDATA '&leak;'>]>{items}"),
    "unparsed entity": "<!DOCTYPE items [<!NOTATION n SYSTEM '{url}'><!ENTITY leak SYSTEM '{url}' NDATA n>]>{items}",
    "XInclude": "<items xmlns:i='http://www.w3.org/2001/XInclude'>{item1}<item id='2'><i:include href='{url}'/>"
    "<i:include href='{url}' parse='text'/></item><i:include href='{url}'/></items>",
    "style sheet": "<?xml-stylesheet type='text/xsl' href='{url}'?>{items}",
    "schema": "<items xmlns:s='http://www.w3.org/2001/XMLSchema-instance' s:noNamespaceSchemaLocation='{url}' "
    "s:schemaLocation='urn:x {url}'>{item1}</items>",
    "model": "<?xml-model href='{url}'?>{items}",
    "base and link": "<items xml:base='{url}' xmlns:l='http://www.w3.org/1999/xlink'>{item1}"
    "<item id='2' l:href='{url}' l:show='embed' l:actuate='onLoad'/></items>",
}

ITEM = "<item id='1'>one</item>"
ITEMS = f"<items>{ITEM}<item id='2'>&leak;</item><item id='3' k='&leak;'/></items>"

_watched: list[str] = []


def _audit(event: str, arguments: tuple[object, ...]) -> None:
    if event in ("socket.connect", "socket.getaddrinfo") or (event == "open" and CANARY in str(arguments[0])):
        _watched.append(f"{event} {arguments[0]}")


@pytest.fixture(scope="module", autouse=True)
def _hear_what_python_opens() -> None:
    sys.addaudithook(_audit)


@pytest.fixture
def listener() -> Iterator[socket.socket]:
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.setblocking(False)
        yield server


def uses(source: Path, mapping: Path) -> dict[str, Callable[[], object]]:
    inline = etl.Settings.model_validate({"workers": {"kind": "inline"}})

    def loaded() -> object:
        report = etl.load(source, mapping=mapping, target="memory://", settings=inline)
        assert report.rows is not None
        # A default that leaks spoils all records of a document: they are rejects, as in any parser.
        assert report.loaded or {reject.reason for reject in report.rejects} == {"undefined_entity"}
        return report.rows, report.rejects

    return {
        "load": loaded,
        "check": lambda: etl.check(source, mapping=mapping, show=10, settings=inline),
        "infer": lambda: etl.infer(source),
    }


@pytest.mark.timeout(20)  # whoever opens the pipe waits for ever
@pytest.mark.parametrize("attack", ATTACKS)
def test_a_document_reaches_nothing(attack: str, tmp_path: Path, listener: socket.socket) -> None:
    secret, pipe = tmp_path / f"{CANARY}.txt", tmp_path / f"{CANARY}.fifo"
    secret.write_text(f"{CANARY}<!ENTITY leak '{CANARY}'>")
    os.mkfifo(pipe)
    mapping, source = tmp_path / "m.yaml", tmp_path / "d.xml"
    mapping.write_text(MAPPING)
    port = listener.getsockname()[1]
    urls = [
        secret.as_uri(),
        str(secret),
        secret.name,
        pipe.as_uri(),
        f"http://127.0.0.1:{port}/x",
        f"ftp://127.0.0.1:{port}/x",
    ]
    _watched.clear()
    for url in urls:
        source.write_text(ATTACKS[attack].format(url=url, items=ITEMS, item1=ITEM))
        for use in uses(source, mapping).values():
            try:
                said = str(use())
            except SourceError as error:
                said = str(error)
            assert CANARY not in said.replace(url, "")
    assert _watched == []
    with pytest.raises(BlockingIOError):
        listener.accept()


@pytest.mark.parametrize(
    "expression",
    ["document('{url}')", "doc('{url}')", "unparsed-text('{url}')", "exsl:document('{url}')", "id(document('{url}'))"],
)
def test_an_expression_of_a_mapping_cannot_read_files_either(expression: str, tmp_path: Path) -> None:
    secret = tmp_path / f"{CANARY}.xml"
    secret.write_text(f"<a>{CANARY}</a>")
    source, mapping = tmp_path / "d.xml", tmp_path / "m.yaml"
    source.write_text(f"<items>{ITEM}</items>")
    path = expression.format(url=secret.as_uri())
    mapping.write_text(
        "version: 1\nnamespaces: {exsl: 'http://exslt.org/common'}\ntables:\n"
        f'  item: {{each: /items/item, columns: {{x: {{path: "{path}"}}}}}}\n'
    )
    with pytest.raises(MappingError):
        etl.load(source, mapping=mapping, target="memory://")
