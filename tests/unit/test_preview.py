"""The first rows of tables, as a person sees them."""

from __future__ import annotations

from rich.cells import cell_len

from etl.preview import preview


def test_narrow_rows_are_a_table_with_numbers_on_the_right() -> None:
    rows = [
        {"id": 7, "name": "Aphex Twin", "score": 1.5, "note": None, "gone": None},
        {"id": 1234, "name": "", "score": None, "note": "x\n y", "gone": None},
    ]
    assert list(preview({"artist": rows}, {"artist": 1000}, 80)) == [
        "",
        "artist: 2 of 1,000 rows",
        "    id  name        score  note  gone",
        "     7  Aphex Twin    1.5  NULL  NULL",
        "  1234  ''           NULL  x y   NULL",
    ]


def test_wide_rows_are_blocks_that_end_with_what_is_not_there() -> None:
    row = {"id": 1, "title": "Stockholm", "notes": "n" * 300, "raw": b"\x00\xff"}
    absent = dict.fromkeys(("country", "master_id", "data_quality", "released", "x"))
    assert list(preview({"release": [row | absent]}, {"release": 1}, 60)) == [
        "",
        "release: 1 of 1 row",
        "  row 1",
        "    id            1",
        "    title         Stockholm",
        "    notes         " + "n" * 24 + "… (300 characters)",
        "    raw           \\x00ff",
        "    NULL          country, master_id, data_quality,",
        "                  released, x",
    ]


def test_no_line_is_wider_than_asked_for_whatever_the_script() -> None:
    kanji = {f"列{number}": "漢字" * number for number in range(1, 40)}
    narrow = [{"literal": "亜", "meaning": "Asia"}, {"literal": "a", "meaning": "b"}]
    lines = list(preview({"kanji": [kanji, kanji], "narrow": narrow}, {"kanji": 2, "narrow": 2}, 72))
    assert max(map(cell_len, lines)) <= 72
    assert lines[-3:] == ["  literal  meaning", "  亜       Asia", "  a        b"]


def test_tables_without_rows_are_left_out() -> None:
    assert list(preview({"a": [], "b": [{"x": "y"}]}, {"a": 0, "b": 1}, 80)) == ["", "b: 1 of 1 row", "  x", "  y"]
