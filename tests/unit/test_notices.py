"""What is said at the end about a mapping: what it left out, and the lines that would take it."""

from __future__ import annotations

from etl.loading.result_thread import Tally
from etl.mapping.model import Mapping
from etl.mapping.reader import parse_mapping
from etl.messages import Committed
from etl.notices import sentences
from tests.splits import mapping_of, rows_of, run_records

RECORD = (
    b"<release id='1' x='2'><title lang='en'>T</title><styles><style>a</style><style>b</style></styles>"
    b"<note/><b:m xmlns:b='urn:b'>1</b:m><track n='1' len='3'><pos>A</pos></track>"
    b"<video src='s'><title>V</title></video></release>"
)
TABLES = """
  release:
    each: /root/release
    columns: {id: "@id", title: title}
  track:
    parent: release
    each: track
    columns: {n: "@n"}
"""


def tally_of(mapping: Mapping, *records: bytes) -> Tally:
    batch = run_records(mapping, *records)
    tally = Tally(rows=[0] * len(mapping.tables))
    tally.add(Committed(len(records), len(records), 0, 0, (), 0, 0, 0.0, 0.0, (), (batch.notices,), (), 0))
    return tally


def said(tables: str, *records: bytes) -> list[str]:
    mapping = mapping_of(tables)
    return list(sentences(mapping, tally_of(mapping, *records), (), whole=True))


def test_what_nobody_takes_and_the_lines_that_would() -> None:
    assert said(TABLES, RECORD) == [
        "Elements and attributes that no column and no table takes: release/@x, release/m, release/note, "
        "release/styles, release/title/@lang, release/track/@len, release/track/pos, release/video.",
        "Columns of release (test.mapping.yaml:4) that would take some of it:\n"
        '      x: "@x"\n'
        "      note: note\n"
        "      style: {path: styles/style, many: array}\n"
        '      lang: "title/@lang"\n'
        '      src: "video/@src"\n'
        "      video_title: video/title\n"
        '      m: "{*}m"',
        'Columns of track (test.mapping.yaml:7) that would take some of it:\n      len: "@len"\n      pos: pos',
    ]


def test_the_lines_work() -> None:
    lines = [line for sentence in said(TABLES, RECORD) for line in sentence.split("\n")[1:]]
    columns = {
        "release": [line for line in lines if "len" not in line and "pos" not in line],
        "track": [line for line in lines if "len" in line or "pos" in line],
    }
    text = "version: 1\ntables:\n" + "".join(
        f"  {name}:\n    {place}\n    columns:\n" + "\n".join(columns[name]) + "\n"
        for name, place in (("release", "each: /root/release"), ("track", "{parent: release, each: track}"))
    )
    text = text.replace("{parent: release, each: track}", "parent: release\n    each: track")
    mapping = parse_mapping(text, "m")
    batch = run_records(mapping, RECORD)
    assert rows_of(batch, 0)[0][1:] == ("2", "", '["a", "b"]', "en", "s", "V", "1")
    assert rows_of(batch, 1)[0][2:] == ("3", "A")
    assert not {path for path in batch.notices.unseen if path not in ("release/@id", "release/track/@n")}


def test_names_that_are_taken() -> None:
    tables = "  r: {each: /root/r, columns: {x: a, a_x: b, '2': c}}"
    *_, additions = said(tables, b"<r X='1'><a X='2'/><b/><c/></r>")
    assert additions.split("\n")[1:] == ['      x_2: "@X"', '      a_x_2: "a/@X"']


def test_names_that_yaml_would_take_for_something_else() -> None:
    *_, additions = said("  r: {each: /root/r, columns: {x: x}}", b"<r true='1'><x/><null/></r>")
    assert additions.split("\n")[1:] == ['      "true": "@true"', '      "null": "null"']


def test_an_element_that_is_empty_in_one_place() -> None:
    *_, additions = said("  r: {each: /root/r, columns: {x: x}}", b"<r><x/><a/></r>", b"<r><x/><a><b/></a></r>")
    assert additions.split("\n")[1:] == ["      b: a/b"]


def test_a_misspelt_path() -> None:
    never, unseen, additions = said("  r: {each: /root/r, columns: {a: a, t: tilte}}", b"<r><a/><title/></r>")
    assert never == "Columns whose path never matched, in test.mapping.yaml: r.t (line 3: tilte)."
    assert unseen == "Elements that no column and no table takes: r/title."
    assert additions == "Columns of r (test.mapping.yaml:3) that would take some of it:\n      title: title"


def test_columns_that_a_function_fills_have_matched() -> None:
    text = (
        "  r: {each: /root/r, transform: {python: 'tests.row_functions:changed'}, "
        "columns: {give: '@give', made: '@made', misspelt: '@x'}}"
    )
    record = b"<r give=\"{'made': 'm'}\"/>"
    assert said(text, record) == [
        "Columns whose path never matched, in test.mapping.yaml: r.misspelt (line 3: @x).",
    ]


def test_names_that_databases_keep() -> None:
    *_, additions = said("  r: {each: /root/r, columns: {x: x}}", b"<r><x/><xmin>1</xmin></r>")
    assert additions.split("\n")[1:] == ["      xmin_: xmin"]


def test_several_speaks_of_the_line() -> None:
    assert said("  r: {each: /root/r, columns: {a: a}}", b"<r><a/><a/></r>") == [
        "r.a met more than one value once and kept one; `many: array` (line 3) or a child table keeps all."
    ]


def test_nothing_to_say() -> None:
    assert said("  r: {each: /root/r, columns: {a: a}}", b"<r><a/></r>") == []
    mapping = mapping_of("  r: {each: /root/r, columns: {a: a}}")
    assert sentences(mapping, Tally(rows=[0]), (), whole=True) == ()
