"""Settings: what is accepted, and the sentence for what is not."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from etl.errors import SettingsError
from etl.options import Settings, build_settings, default_worker_count, parse_duration, parse_size, read_settings


@pytest.mark.parametrize(
    ("text", "size"),
    [("65536", 65536), ("64KiB", 65536), ("8MB", 8_000_000), ("8 mb", 8_000_000), ("1.5GiB", 3 << 29), ("3B", 3)],
)
def test_sizes_have_units(text: str, size: int) -> None:
    assert parse_size(text) == size


@pytest.mark.parametrize(
    ("text", "seconds"), [("0.2", 0.2), ("200ms", 0.2), ("5s", 5), ("2min", 120), ("2m", 120), ("1h", 3600)]
)
def test_durations_have_units(text: str, seconds: float) -> None:
    assert parse_duration(text) == pytest.approx(seconds)


def test_nothing_set_is_the_defaults() -> None:
    assert read_settings() == Settings()


def test_overrides_win_over_the_file_and_later_ones_over_earlier(tmp_path: Path) -> None:
    file = tmp_path / "settings.yaml"
    file.write_text("queue: {max_bytes: 1MiB, max_records: 70000}\nworkers:\n  count: 3\nsplit:\n")
    settings = read_settings(file, ["queue.max_bytes=2MiB", "workers.count=4", "workers.count=5"])
    assert settings.queue.max_bytes == 2 << 20
    assert settings.queue.max_records == 70000
    assert settings.workers.count == 5
    assert settings.split == Settings().split


def test_special_words_mean_the_program_decides() -> None:
    settings = read_settings(
        None,
        ["workers.count=auto", "workers.kind=auto", "insert.method=auto", "queue.max_records=unlimited", "insert="],
    )
    assert settings == Settings()


@pytest.mark.parametrize(
    ("count", "expected"),
    [
        ("3", (3, 3)),
        ("{min: 1, max: 4}", (1, 4)),
        ("{min: 2, max: 2}", (2, 2)),
        ("auto", (default_worker_count(), default_worker_count())),
    ],
)
def test_workers_are_a_number_or_a_range(count: str, expected: tuple[int, int]) -> None:
    assert read_settings(None, [f"workers.count={count}"]).workers.least_and_most() == expected


def test_both_ends_of_a_range_can_be_set_one_by_one(tmp_path: Path) -> None:
    file = tmp_path / "settings.yaml"
    file.write_text("workers:\n  count:\n    min: 1\n    max: 2\n")
    assert read_settings(file, ["workers.count.max=8"]).workers.least_and_most() == (1, 8)


@pytest.mark.parametrize(
    ("overrides", "bounded"),
    [
        (["insert.batch_bytes=auto"], False),
        (["insert.batch_bytes=auto", "insert.batch_records=50000"], True),
        (["insert.batch_bytes=8MiB"], True),
    ],
)
def test_where_bytes_are_found_by_the_load_records_bound_only_if_written(overrides: list[str], bounded: bool) -> None:
    assert (read_settings(None, overrides).insert.batch_records == 50_000) == bounded


def test_the_ledgers_schema_is_called_schema() -> None:
    assert read_settings(None, ["ledger.schema=loads"]).ledger.database_schema == "loads"


def test_a_transaction_has_no_more_records_than_the_queue() -> None:
    assert read_settings(None, ["queue.max_records=500"]).insert.batch_records == 500


def test_an_address_with_signs_of_yaml_in_it_is_taken_as_it_stands() -> None:
    url = "postgresql://me:a:b@host/db?sslmode=require"
    assert read_settings(None, [f"target={url}"]).target == url


@pytest.mark.parametrize(
    ("override", "words"),
    [
        ("queue.max_bytes=lots", ["queue.max_bytes should be a number with one of the units", "MiB", "found 'lots'"]),
        ("queue.max_bytes=", ["queue.max_bytes should be a whole number, found nothing"]),
        ("queue.max_bytes=0", ["queue.max_bytes should be at least 1"]),
        ("split.bytes=2GiB", ["split.bytes should be at most 1073741824"]),
        ("workers.count=zero", ["workers.count should be a whole number, or auto, found 'zero'"]),
        ("workers.count=1.5", ["whole number", "1.5"]),
        ("workers.count=true", ["whole number", "true"]),
        ("workers.count=[1, 4]", ["workers.count should be a whole number, or auto, found ['1', '4']"]),
        ("workers.count=257", ["workers.count should be at most 256, or auto"]),
        ("workers.count={min: 1}", ["workers.count.max should be there as well, found {'min': '1'}"]),
        ("workers.count={min: 0, max: 4}", ["workers.count.min should be at least 1, found '0'"]),
        ("workers.count={min: 4, max: 1}", ["workers.count should have a min that is at most its max"]),
        ("workers.count={min: 1, max: x}", ["workers.count.max should be a whole number, found 'x'"]),
        ("workers.count={least: 1}", ["no setting 'workers.count.least'; allowed: min, max"]),
        ("workers.kind=magic", ["workers.kind should be 'thread', 'process' or 'inline', or auto", "magic"]),
        ("queue.max_records=0", ["queue.max_records should be at least 1, or unlimited"]),
        ("insert.max_wait=12:30", ["insert.max_wait", "units", "12:30"]),
        ("insert.max_wait=-1", ["insert.max_wait", "-1"]),
        ("keys=no", ["keys should be 'after' or 'before', found 'no'"]),
        ("queue=7", ["queue should be a group of settings"]),
        ("cue.max_bytes=7", ["no setting 'cue'", "allowed: target, workers, queue"]),
        ("queue.max_bites=7", ["no setting 'queue.max_bites'", "allowed: max_records, max_bytes"]),
        ("ledger.database_schema=x", ["no setting 'ledger.database_schema'", "allowed: schema"]),
        ("queue.max_bytes", ["--set queue.max_bytes", "expected NAME=VALUE"]),
        ("queue=[", ["--set queue=[", "YAML"]),
        ("queue={max_bytes: 1, max_bytes: 2}", ["max_bytes stands here twice"]),
        ("target=a\0b", ["--set", "not allowed"]),
    ],
)
def test_what_cannot_be_used_is_named(override: str, words: list[str]) -> None:
    with pytest.raises(SettingsError) as caught:
        read_settings(None, [override])
    message = str(caught.value)
    assert all(word in message for word in words), message
    assert "\n" not in message
    assert caught.value.exit_code == 2


def test_every_bad_setting_is_named_at_once() -> None:
    with pytest.raises(SettingsError, match=r"workers\.count .*; queue\.max_bytes "):
        read_settings(None, ["queue.max_bytes=x", "workers.count=x"])


def test_a_value_is_not_a_group() -> None:
    with pytest.raises(SettingsError, match="queue is a single value, not a group"):
        read_settings(None, ["queue=3", "queue.max_bytes=3"])


@pytest.mark.parametrize("text", ["{a: 'postgresql://me:s3cret@host/db'}", "[postgresql://me:s3cret@host/db"])
def test_a_password_is_never_in_the_message(text: str) -> None:
    with pytest.raises(SettingsError) as caught:
        read_settings(None, [f"target={text}"])
    assert "s3cret" not in str(caught.value)
    assert "host" in str(caught.value)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("queue:\n  max_bytes: 1\nqueue:\n  max_bytes: 2\n", ["line 3", "queue stands here twice"]),
        ("queue:\n  - [\n", ["line 3", "YAML"]),
        ("- 1\n", ["expected settings by name"]),
        ("queue: {max_bytes: lots}", ["queue.max_bytes"]),
    ],
)
def test_a_bad_file_is_named_with_the_line(tmp_path: Path, text: str, words: list[str]) -> None:
    file = tmp_path / "mine.yaml"
    file.write_text(text)
    with pytest.raises(SettingsError) as caught:
        read_settings(file)
    assert all(word in str(caught.value) for word in ["mine.yaml", *words]), caught.value


def test_a_file_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match=r"none\.yaml: No such file"):
        read_settings(tmp_path / "none.yaml")
    (tmp_path / "latin.yaml").write_bytes(b"target: \xe4\n")
    with pytest.raises(SettingsError, match=r"latin\.yaml is not UTF-8 text \(byte 8\)"):
        read_settings(tmp_path / "latin.yaml")


def test_an_empty_file_sets_nothing(tmp_path: Path) -> None:
    (tmp_path / "empty.yaml").write_text("# nothing yet\n")
    assert read_settings(tmp_path / "empty.yaml") == Settings()


def test_values_of_python_are_checked_too() -> None:
    assert build_settings({"insert": {"max_wait": 0.5}}).insert.max_wait == 0.5
    with pytest.raises(SettingsError, match=r"insert\.max_wait should be at least 0, found nan"):
        build_settings({"insert": {"max_wait": float("nan")}})


def test_workers_are_counted_by_the_cores_this_process_may_use() -> None:
    allowed = os.sched_getaffinity(0)
    assert default_worker_count() == len(allowed)
    os.sched_setaffinity(0, {min(allowed)})
    try:
        assert default_worker_count() == 1
    finally:
        os.sched_setaffinity(0, allowed)
