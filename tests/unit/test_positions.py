"""Where a record of a split stands in its document."""

from __future__ import annotations

from array import array

from etl.messages import RAW_LIMIT, Part, Split
from etl.positions import RecordPlace, RecordPositions
from tests.splits import make_run


def test_positions_over_parts_and_runs() -> None:
    first = make_run([b"<a/>", b"<b>\n</b>"], between=b"\n", offset=10, line=2, first_record=1)
    empty = make_run([], offset=30)
    second = make_run([b"<c/>"], offset=5, line=1, first_record=9)
    parts = Part(4, 10, 30, 2, (first, empty)), Part(5, 0, 10, 1, (second,))
    split = Split(1, parts, 0, 3)
    positions = RecordPositions(split)
    assert list(positions) == [
        RecordPlace(part=parts[0], number=1, offset=10, line=2),
        RecordPlace(part=parts[0], number=2, offset=15, line=3),
        RecordPlace(part=parts[1], number=9, offset=5, line=1),
    ]
    assert [positions.raw(place) for place in range(3)] == [b"<a/>", b"<b>\n</b>", b"<c/>"]
    assert [positions.line(place) for place in range(3)] == [2, 3, 1]
    reject = positions.reject(1, "bad_value", "message", "t", "c")
    assert (reject.source, reject.offset, reject.line, reject.record) == (4, 15, 3, 2)
    assert (reject.raw, reject.length, reject.table, reject.column) == (b"<b>\n</b>", 8, "t", "c")


def test_raw_is_kept_up_to_its_limit() -> None:
    run = make_run([b"x" * RAW_LIMIT, b"x" * (RAW_LIMIT + 1)])
    positions = RecordPositions(Split(1, (Part(1, 0, 1, 2, (run,)),), 0, 2))
    assert positions.reject(0, "r", "m").raw == b"x" * RAW_LIMIT
    assert positions.reject(1, "r", "m").raw is None
    assert positions.reject(1, "r", "m").length == RAW_LIMIT + 1


def test_no_records() -> None:
    run = make_run([])
    assert run.spans == array("I")
    assert list(RecordPositions(Split(1, (Part(1, 0, 0, 0, (run,)),), 0, 0))) == []
