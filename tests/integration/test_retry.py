"""etl retry: stored rejects are loaded again, each deleted in the transaction that loads it; on both databases."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

import etl
from env_prep.postgres_proxy import Proxy
from tests.proxies import BreaksAt
from tests.reject_place import MENDED, Place, dump, wait_for

KILLED = 256 - 9
"""What is left of a death by SIGKILL in the exit code that `command` gives."""


@pytest.fixture
def place(tmp_path: Path, target_url: str) -> Place:
    return Place(tmp_path, target_url)


@pytest.fixture
def sqlite_place(tmp_path: Path) -> Place:
    return Place(tmp_path, f"sqlite:///{tmp_path / 'target.db'}")


def test_a_mended_mapping_loads_the_rejects_as_if_they_had_never_been_any(place: Place) -> None:
    place.load()
    stored = "SELECT byte_offset, line, record, raw, length, skeleton FROM etl_reject ORDER BY byte_offset"
    before = place.rows(stored)

    again = place.retry()
    assert (again.selected, again.loaded, again.rejected, again.exit_code) == (3, 0, 3, 3)
    assert [(group.reason, group.count) for group in again.rejects] == [("bad_value", 3)]
    assert place.rows(stored) == before

    mended = place.retry("mended.yaml")
    assert (mended.selected, mended.loaded, mended.left, mended.exit_code) == (3, 3, 0, 0)
    assert mended.tables == {"item": 3, "part": 6}
    assert place.content() == place.mended_content()
    assert place.rejects() == {}
    (status,) = place.sources()
    assert (status.state, status.loaded, status.rejected) == ("finished", 9, 0)
    assert place.retry().selected == 0


def test_killed_in_the_middle_it_goes_on_and_nothing_is_twice(place: Place) -> None:
    place.load()
    settings = ["insert.batch_records=1", "split.bytes=1", "insert.threads=1", "workers.kind=inline"]
    retry = ["--map", "mended.yaml", *(flag for setting in settings for flag in ("--set", setting))]
    assert place.command("retry", *retry, env={"ETL_FAULT": "in_retry:2"}).code == KILLED
    assert place.rejects() == {"bad_value": 2}
    assert place.command("retry", *retry, env={"ETL_FAULT": "after_commit:1"}).code == KILLED
    assert place.rejects() == {"bad_value": 1}
    (status,) = place.sources()
    assert (status.loaded, status.rejected) == (8, 1)
    last = place.command("retry", *retry)
    assert last.code == 0
    assert "Loaded 1 of 1 reject" in last.err
    assert place.content() == place.mended_content()


def test_while_a_load_has_the_source_it_says_who(place: Place) -> None:
    with place.stopped_load() as process:
        with pytest.raises(etl.EtlError, match=rf"in the hands of .*process {process}"):
            place.retry()
        (status,) = place.sources()
        assert (status.state, status.records) == ("loading", 6)
        assert f"process {process}" in status.holder
    (status,) = place.sources()
    assert (status.state, status.holder) == ("interrupted", "")
    # Rejects of a source that is not finished can be retried, too; the load then goes on with the rest.
    assert place.retry("mended.yaml").exit_code == 0
    assert place.load(split={"bytes": 1}).skipped == 6
    assert place.retry("mended.yaml").exit_code == 0
    assert place.content() == place.mended_content()


@pytest.mark.parametrize("point", ["before_claim", "before_commit"])
def test_one_that_was_only_slow_loads_nothing_that_another_has_loaded(
    tmp_path: Path, postgres_url: str, point: str
) -> None:
    """The server gives its lock up, as it does for a machine that does not answer; its transaction stays open."""
    place = Place(tmp_path, postgres_url)
    place.load()
    lock = "SELECT pid FROM pg_locks WHERE locktype = 'advisory' AND objsubid = 2"
    with place.running("retry", "--map", "mended.yaml", env={"ETL_FAULT": f"{point}:1:stop"}) as slow:
        slow.wait_stopped()
        place.run(f"SELECT pg_terminate_backend(pid, 10000) FROM ({lock}) AS holding")
        with place.running("retry", "--map", "mended.yaml") as other:
            if point == "before_claim":
                assert other.wait() == 0, other.output
            else:
                # It takes the source over once that transaction has ended: by then there is nothing left.
                wait_for(lambda: place.rows("SELECT count(*) FROM pg_locks WHERE NOT granted") == [(1,)])
            slow.go_on()
            assert slow.wait() == (1 if point == "before_claim" else 0), slow.output
            assert other.wait() == 0, other.output
        assert ("taken source 1 over" in slow.output) == (point == "before_claim")
        assert ("Loaded 3 of 3" in other.output) == (point == "before_claim")
    assert place.content() == place.mended_content()
    (status,) = place.sources()
    assert (status.loaded, status.rejected) == (9, 0)


def test_connections_that_are_lost_anywhere_are_made_anew(tmp_path: Path, postgres_url: str) -> None:
    place = Place(tmp_path, postgres_url)
    place.load()
    taking_over, checking, preparing, reading, claiming = (
        [b"pg_advisory_xact_lock", b"FOR UPDATE", b"SET epoch"],
        [b"relkind"],
        [b"pg_opclass", b"keys_to_come"],
        [b"count(*)", b"LIMIT", b">= (", b"etl_skeleton"],
        [b"FOR SHARE", b"DELETE FROM etl_reject"],
    )
    network = BreaksAt(*taking_over, *checking, *preparing, *reading, *claiming)
    with Proxy(postgres_url, network) as proxy:
        through = Place(tmp_path, proxy.url)
        report = through.retry("mended.yaml", retry={"first_wait": "1ms"})
    assert network.left == []
    assert (report.loaded, report.left) == (3, 0)
    assert place.content() == place.mended_content()


def test_the_first_ctrl_c_commits_what_is_in_hand_and_the_same_command_loads_the_rest(place: Place) -> None:
    number = 400
    items = "".join(f'<item id="x{each}"><name>a</name></item>' for each in range(number))
    place.write("items.xml", f"<items><group name='g'>{items}</group></items>")
    place.load()
    few = ["workers.kind=inline", "insert.threads=1", "insert.batch_records=1", "queue.max_records=2"]
    retry = ["--map", "mended.yaml", *(f"--set={setting}" for setting in few)]
    with place.running("retry", *retry, env={"ETL_FAULT": "after_commit:2:stop"}) as command:
        command.wait_stopped()
        command.go_on()
        wait_for(lambda: len(place.rows("SELECT * FROM item")) > 2)
        command.interrupt()
        assert command.wait() == 4, command.output
        assert "Stopping: what is in hand is being committed" in command.output
    loaded = len(place.rows("SELECT * FROM item"))
    assert 2 < loaded < number
    assert place.rejects() == {"bad_value": number - loaded}
    rest = place.retry("mended.yaml")
    assert (rest.exit_code, rest.loaded) == (0, number - loaded)
    assert place.rows("SELECT count(DISTINCT id) FROM item") == [(number,)]


def test_sqlite_is_one_plain_file_afterwards(sqlite_place: Place) -> None:
    place = sqlite_place
    place.load()
    place.retry()
    place.retry("mended.yaml")
    assert place.database_files() == ["target.db"]
    # The second byte of the version of the file's format: 2 would be a write-ahead log.
    assert (place.folder / "target.db").read_bytes()[18] == 1


def test_what_the_database_refuses_is_a_reject_again_and_loads_when_that_is_mended(place: Place) -> None:
    place.write("items.xml", dump(mended=True))
    item = 'CREATE TABLE item (id integer PRIMARY KEY, name text, "group" text, number bigint, CHECK (id <> {}))'
    part = "CREATE TABLE part (item_id integer NOT NULL, seq integer NOT NULL, text text, PRIMARY KEY (item_id, seq))"
    place.run(item.format(5), part)
    assert place.load().rejected == 1
    again = place.retry()
    assert (again.loaded, again.rejected) == (0, 1)
    assert place.rejects() == {"check_failed": 1}
    (status,) = place.sources()
    assert (status.loaded, status.rejected) == (8, 1)
    assert len(place.rows("SELECT * FROM part")) == 16
    place.run("DROP TABLE item", item.format(0))
    assert place.retry().exit_code == 0
    assert place.rows("SELECT id FROM item") == [(5,)]
    assert len(place.rows("SELECT * FROM part")) == 18


def test_only_the_chosen_ones_are_retried(sqlite_place: Place) -> None:
    place = sqlite_place
    place.write("other.xml", dump().replace('id="1"', ""))
    for source in ("items.xml", "other.xml"):
        place.load(source)
        place.run("DELETE FROM item", "DELETE FROM part")
    report = place.retry("mended.yaml", source="2", reason="bad_value")
    assert (report.exit_code, report.selected, report.loaded) == (0, 3, 3)
    left = [(group.reason, group.examples[0].label) for group in etl.rejects(place.url).groups]
    assert left == [
        ("bad_value", str(place.folder / "items.xml")),
        ("missing_value", str(place.folder / "other.xml")),
    ]
    with pytest.raises(etl.SettingsError, match="has no source none"):
        place.retry(source="none.xml")


def test_each_source_goes_by_the_mapping_it_was_loaded_by(sqlite_place: Place) -> None:
    place = sqlite_place
    other = (
        MENDED.replace("  item:", "  thing:").replace("  part:", "  piece:").replace("parent: item", "parent: thing")
    )
    place.write("other.yaml", other)
    place.write("other.xml", dump().replace('id="1"', ""))
    place.load()
    assert place.load("other.xml", "other.yaml").rejected == 1
    place.write("items.yaml", MENDED)
    result = place.command("retry")
    assert result.code == 3
    assert "items.yaml has changed since" in result.err
    assert "  3 x bad_value in item.id" in result.err
    assert "  1 x missing_value in thing.id" in result.err
    assert place.retry("items.yaml", source="1").exit_code == 0


@pytest.mark.parametrize(
    ("before", "after", "error"),
    [
        ("  part:", "  pieces:", "no table pieces"),
        ("type: integer", "type: text", "do not fit"),
        ("version: 1", "version: 9", "version"),
    ],
)
def test_a_mapping_that_does_not_fit_is_refused_and_nothing_changes(
    sqlite_place: Place, before: str, after: str, error: str
) -> None:
    place = sqlite_place
    place.load()
    place.write("other.yaml", MENDED.replace(before, after))
    with pytest.raises(etl.EtlError, match=error):
        place.retry("other.yaml")
    assert place.rejects() == {"bad_value": 3}
    assert place.rows("SELECT count(*) FROM item") == [(6,)]
    assert place.rows("SELECT count(*) FROM sqlite_master WHERE name = 'pieces'") == [(0,)]


@pytest.mark.parametrize("each", ["/items/item", "/items/group/item/part", "//group", "/items/group[@name='x']/item"])
def test_what_is_no_record_of_the_mapping_is_left_as_it_is(sqlite_place: Place, each: str) -> None:
    place = sqlite_place
    place.load()
    place.write("other.yaml", MENDED.replace("/items/group/item", each))
    report = place.retry("other.yaml")
    assert (report.left, report.loaded, report.rejected, report.exit_code) == (3, 0, 0, 3)
    assert "takes no such records where they stand: <item> (3)" in report.notices[0]
    assert place.rejects() == {"bad_value": 3}


def test_records_too_large_to_be_kept_are_read_from_their_source_again(sqlite_place: Place) -> None:
    place = sqlite_place
    large = "<!-- " + "y" * (1 << 20) + " -->"
    text = dump().replace('id="x2">', f'id="x2">{large}').replace('id="x7">', f'id="x7">{large}')
    source = place.write("items.xml", text)
    place.load()
    assert place.rows("SELECT count(*) FROM etl_reject WHERE raw IS NULL") == [(2,)]
    report = place.retry("mended.yaml", split={"max_record_bytes": "1MiB"})
    assert (report.loaded, place.rejects()) == (1, {"too_large": 2})
    source.write_text(" " + text)
    report = place.retry("mended.yaml")
    assert (report.left, report.exit_code) == (2, 3)
    assert "their source is gone or has changed" in report.notices[0]
    # One that has only grown holds what it held, where it held it.
    source.write_text(text + " ")
    assert place.retry("mended.yaml").exit_code == 0
    assert place.content() == place.mended_content()


def test_the_command_reports_as_json_or_quietly(sqlite_place: Place) -> None:
    sqlite_place.load()
    quiet = sqlite_place.command("retry", "-q")
    told = f"3 records rejected again: `etl rejects --to {sqlite_place.url}` tells which.\n"
    assert (quiet.code, quiet.out, quiet.err) == (3, "", told)
    result = sqlite_place.command("retry", "--map", "mended.yaml", "--json")
    assert (result.code, json.loads(result.out)["loaded"], result.report["exit_code"]) == (0, 3, 0)
