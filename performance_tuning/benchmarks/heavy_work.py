"""A table's `transform` that costs as much processor time as its mapping says: for `benchmark_overlap`."""

from __future__ import annotations


def work(row: dict[str, object]) -> dict[str, object]:
    """The row with a checksum of its `id`, taken `rounds` times: plain Python, the same for the same row each time."""
    checksum, rounds = row["id"], row["rounds"]
    assert isinstance(checksum, int)
    assert isinstance(rounds, int)
    for number in range(rounds):
        checksum = (checksum * 31 + number) & 0x7FFFFFFF
    return {**row, "checksum": checksum}
