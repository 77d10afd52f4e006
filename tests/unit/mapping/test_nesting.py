"""Records inside records, among very many paths. (Which paths are nested is in `test_reader`.)"""

from __future__ import annotations

from etl.mapping.nesting import Around, Record, nesting_problems
from etl.mapping.paths import parse_record_path


def record(path: str) -> Record:
    return parse_record_path(path, {}), f"table of {path}"


def test_few_of_many_paths_are_looked_at() -> None:
    plain = [record(f"/root/kind_{number}") for number in range(1000)]
    special = [record(path) for path in ("/root/*/x", "//kind_7", "//other", "/root/kind_7[@k='v']")]
    around = Around([*plain, *special])
    inner, _ = record("/root/kind_7/part")
    assert [path.text for path, _ in around.candidates(inner)] == [
        "/root/kind_7",
        "/root/kind_7[@k='v']",
        "//kind_7",
        "/root/*/x",
    ]


def test_what_is_nested_is_found_among_many() -> None:
    paths = [record(f"/root/kind_{number}") for number in range(2000)]
    found = list(nesting_problems([*paths, record("/root/kind_1500/part"), record("/*/*/*/x")]))
    assert [table for table, _ in found][:1] == ["table of /root/kind_1500/part"]
    assert [table for table, _ in found][1:] == ["table of /*/*/*/x"] * 2001
