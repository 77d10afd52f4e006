"""What a person reads at the end: every number of the report, what went wrong, and what to do next."""

from __future__ import annotations

from dataclasses import replace

from etl.metrics import LoadMetrics, Percentiles, StageTimes
from etl.quiet_summary import warn_of_load
from etl.report import UNSAVED, CheckReport, LoadReport, NativeReport, RejectReport, SourceReport
from etl.shell_text import for_shell
from etl.summary import summarize_check, summarize_load

METRICS = LoadMetrics(
    reading=StageTimes(busy=20.0, waiting=80.0, idle=0.0),
    mapping=StageTimes(busy=150.0, waiting=30.0, idle=20.0),
    writing=StageTimes(busy=30.0, waiting=160.0, idle=10.0),
    waited_for_workers=20.0,
    waited_for_room=60.0,
    waited_for_commits=0.0,
    insert=Percentiles(100, 1.9, 2.4, 2.6, 2.7),
    commit=Percentiles(100, 0.1, 0.2, 0.3, 0.4),
    most_workers=2,
    insert_threads=2,
    queue_mean_fill=0.75,
    queue_most_bytes=64 * 2**20,
)
SOURCE = SourceReport(
    label="dumps/releases.xml.gz",
    state="finished",
    records=1_234_567,
    loaded=1_234_567,
    rejected=0,
    discarded=0,
    skipped=0,
    source_bytes=500_000_000,
)
FINISHED = LoadReport(
    state="finished",
    target="postgresql://me:***@host/music",
    mapping="releases.mapping.yaml",
    sources=(SOURCE,),
    tables={"release": 1_234_567, "track": 22_222_222, "label": 7},
    rejects=(),
    key_problems=(),
    notices=(),
    records=1_234_567,
    loaded=1_234_567,
    rejected=0,
    discarded=0,
    skipped=0,
    seconds=100.0,
    phases={"loading": 90.0},
    source_bytes=500_000_000,
    peak_memory=123_456_789,
    metrics=METRICS,
    bottleneck="writing: the database itself is at its limit",
)


def test_a_finished_load_says_what_it_did() -> None:
    assert summarize_load(FINISHED) == [
        "Loaded 1,234,567 records into postgresql://me:***@host/music in 1 min 40 s.",
        "   1,234,567 rows  release",
        "  22,222,222 rows  track",
        "           7 rows  label",
        "  1,234,567 records read = 1,234,567 loaded + 0 rejected",
        "  740,740 records/min, 5.0 MB/s of XML, peak memory 123 MB",
        "  bottleneck: writing: the database itself is at its limit",
    ]


def test_more_is_said_where_more_is_asked_for() -> None:
    lines = summarize_load(FINISHED, verbose=True)
    assert "  dumps/releases.xml.gz: finished, 1,234,567 records" in lines
    assert "  loading 1 min 30 s" in lines
    stages = lines.index("  of 1 min 40 s  busy  waiting  idle")
    assert lines[stages + 1 : stages + 7] == [
        "  reading         20%      80%    0%",
        "  mapping         75%      15%   10%  2 workers",
        "  writing         15%      80%    5%  2 insert threads, 100 transactions",
        "  transaction  p50   1.9 s, p95   2.4 s, p99   2.6 s, most   2.7 s",
        "  its commit   p50  100 ms, p95  200 ms, p99  300 ms, most  400 ms",
        "  queue 75% full on average, 67 MB at most",
    ]


def test_rejects_come_with_reason_count_place_example_and_where_they_are() -> None:
    report = replace(
        FINISHED,
        loaded=1_234_557,
        rejected=10,
        rejects=(
            RejectReport("bad_value", "release", "year", 9, "'soon' is not an integer (line 12, byte 345, record 3)"),
            RejectReport("malformed", "", "", 1, "tag mismatch (line 99, byte 12345, record 30)"),
        ),
    )
    lines = summarize_load(report)
    assert "  1,234,567 records read = 1,234,557 loaded + 10 rejected" in lines
    place = lines.index("Rejected 10 records:")
    assert lines[place + 1 : place + 3] == [
        "  9 x bad_value in release.year, the first: 'soon' is not an integer (line 12, byte 345, record 3)",
        "  1 x malformed, the first: tag mismatch (line 99, byte 12345, record 30)",
    ]
    assert f"`etl rejects --to {for_shell(report.target)}`" in lines[-1]
    assert "`etl retry" in lines[-1]
    assert not any("etl_reject" in line for line in summarize_load(replace(report, target="memory://")))


def test_rejects_of_earlier_runs_are_told_from_this_runs() -> None:
    reject = RejectReport("bad_value", "release", "year", 3_261, "'soon' is not an integer")
    before = replace(SOURCE, state="finished before")
    again = replace(FINISHED, state="nothing to do", sources=(before,), rejects=(reject,), records=0, loaded=0)
    lines = summarize_load(again)
    assert lines[1:3] == [
        "Rejected 3,261 records (by earlier runs):",
        "  3,261 x bad_value in release.year, the first: 'soon' is not an integer",
    ]
    assert "etl_reject" in lines[-1]
    resumed = replace(FINISHED, rejects=(reject,), rejected=261)
    assert "Rejected 3,261 records (3,000 by earlier runs):" in summarize_load(resumed)


def test_a_stopped_load_says_how_to_go_on_and_what_was_there_already() -> None:
    report = replace(FINISHED, state="stopped", loaded=1_000_000, discarded=34_567, skipped=200_000)
    lines = summarize_load(report)
    assert lines[0].startswith("Stopped after 1 min 40 s.")
    assert (
        "  1,234,567 records read = 1,000,000 loaded + 0 rejected + 34,567 discarded "
        "+ 200,000 skipped (committed by an earlier run)" in lines
    )
    assert lines[-1] == "The same command goes on from here."


def test_a_load_with_too_many_rejects_says_why_it_stopped_and_what_to_do() -> None:
    reason = "1,234 of 10,000 records were rejected, more than errors.max (10%) allows."
    lines = summarize_load(replace(FINISHED, state="stopped", rejected=1_234, stop_reason=reason))
    assert lines[1] == f"  {reason}"
    assert "`etl rejects`" in lines[-1]
    assert "errors.max" in lines[-1]
    assert lines[-1].endswith("the same command goes on from here.")
    assert "upsert" not in lines[-1]
    twice = RejectReport("duplicate_key", "release", "", 1_234, "releases.xml.gz, line 9: key 1")
    lines = summarize_load(replace(FINISHED, state="stopped", rejected=1_234, stop_reason=reason, rejects=(twice,)))
    assert "--write upsert or skip" in lines[-1]


def test_what_has_no_identity_does_not_go_on() -> None:
    nameless = replace(SOURCE, label="standard input", state="stopped", resumable=False)
    anew = "begins standard input anew, and its rows are there again"
    for report in (
        replace(FINISHED, sources=(nameless,)),
        replace(FINISHED, sources=(nameless,), state="stopped"),
        replace(FINISHED, sources=(nameless,), state="stopped", stop_reason="Too many."),
    ):
        last = summarize_load(report)[-1]
        assert anew in last
        assert "goes on" not in last
        assert "--source-name" in last


def test_rejects_of_earlier_runs_are_in_the_exit_code() -> None:
    before = replace(SOURCE, rejected_before=1)
    assert FINISHED.exit_code == 0
    assert replace(FINISHED, sources=(before,)).exit_code == 3
    earlier = replace(before, state="finished before")
    assert replace(FINISHED, sources=(earlier, SOURCE)).exit_code == 3
    assert replace(FINISHED, state="nothing to do", sources=(earlier,)).exit_code == 3


def test_a_failed_load_says_what_is_committed() -> None:
    broken = replace(SOURCE, state="broken", problem="releases.xml.gz ends at line 7, byte 99, inside <release>.")
    lines = summarize_load(replace(FINISHED, state="failed", sources=(broken,)))
    assert lines[0].startswith("Failed after 1 min 40 s. What is counted here is committed in postgresql://")
    assert lines[1] == "  dumps/releases.xml.gz: broken, 1,234,567 records"
    # The error that follows tells the only problem; of several each stands here.
    assert broken.problem not in "".join(lines)
    lines = summarize_load(replace(FINISHED, state="failed", sources=(broken, replace(broken, problem="b.xml too."))))
    assert lines[2] == "    releases.xml.gz ends at line 7, byte 99, inside <release>."
    assert lines[4] == "    b.xml too."


def test_a_limited_load_says_how_to_get_the_rest() -> None:
    lines = summarize_load(replace(FINISHED, sources=(replace(SOURCE, state="stopped"),)))
    assert lines[0].startswith("Loaded 1,234,567 records")
    assert "without --limit" in lines[-1]


def test_a_load_with_nothing_to_do_says_so_and_shows_no_zeros() -> None:
    before = replace(SOURCE, state="finished before")
    report = replace(FINISHED, state="nothing to do", sources=(before,), tables={"release": 0}, seconds=0.1)
    assert summarize_load(report) == [
        "Nothing to do: an earlier run has loaded all of it into postgresql://me:***@host/music."
    ]


def test_every_one_of_several_sources_is_listed() -> None:
    other = replace(SOURCE, label="b.xml", state="finished before", records=1)
    lines = summarize_load(replace(FINISHED, sources=(SOURCE, other)))
    assert lines[1:3] == ["  dumps/releases.xml.gz: finished, 1,234,567 records", "  b.xml: finished before, 1 record"]


UNMATCHED = replace(SOURCE, label="dumps/votes.xml", records=0, loaded=0, unmatched=("/votes", "/site"))


def test_a_source_that_nothing_matches_is_named_with_what_it_holds() -> None:
    lines = summarize_load(replace(FINISHED, sources=(SOURCE, UNMATCHED)))
    assert lines[2:4] == [
        "  dumps/votes.xml: finished, 0 records",
        "    nothing matches the mapping; it has /votes, /site",
    ]
    assert lines[-1] == (
        "The mapping is for other documents than dumps/votes.xml: `etl infer dumps/votes.xml > FILE` writes one for it,"
        " and `etl load dumps/votes.xml --map FILE` with the same --to loads it."
    )
    both = summarize_load(replace(FINISHED, sources=(SOURCE, UNMATCHED, replace(UNMATCHED, label="tags.xml"))))[-1]
    assert "than dumps/votes.xml, tags.xml: `etl infer SOURCE > FILE` writes one for them" in both
    check = CheckReport("m", (SOURCE, UNMATCHED), {"a": 1}, (), (), 3, 3, 0, 0, 1.0, 10, {})
    assert summarize_check(check, 80)[2:4] == lines[2:4]
    assert summarize_check(check, 80)[-1] == lines[-1]


def test_of_very_many_sources_those_are_listed_of_which_there_is_something_to_say() -> None:
    many = [replace(SOURCE, label=f"{number}.xml", records=1) for number in range(1000)]
    many[500] = replace(many[500], state="broken", problem="500.xml ends in line 7.")
    many[900] = replace(UNMATCHED, label="900.xml")
    many[950] = replace(many[950], state="finished before")
    lines = summarize_load(replace(FINISHED, sources=tuple(many)))
    assert lines[1:6] == [
        "  500.xml: broken, 1 record",
        "    it ends in line 7.",
        "  900.xml: finished, 0 records",
        "    nothing matches the mapping; it has /votes, /site",
        "  0.xml: finished, 1 record",
    ]
    assert lines[22:25] == [
        "  17.xml: finished, 1 record",
        "  and 980 sources more: 979 finished, 1 finished before",
        "   1,234,567 rows  release",
    ]
    unmatched = tuple(replace(UNMATCHED, label=f"{number}.xml") for number in range(30))
    lines = summarize_load(replace(FINISHED, sources=unmatched))
    assert lines[41] == "  and 10 sources more: 10 without a record of the mapping"
    assert "0.xml, 1.xml, 2.xml, " in lines[-1]
    assert "11.xml and 18 more: `etl infer" in lines[-1]


def test_key_problems_and_notices_are_listed() -> None:
    lines = summarize_load(replace(FINISHED, key_problems=("release: 3 rows have the id 7.",), notices=("Look.",)))
    assert lines[-5:-1] == [
        "Keys that could not be built:",
        "  - release: 3 rows have the id 7.",
        "Worth a look:",
        "  - Look.",
    ]


def test_lines_to_copy_into_a_mapping_stand_as_they_are() -> None:
    lines = summarize_load(replace(FINISHED, notices=("Add this:\n      a: b\n      c: d", "Look.")))
    place = lines.index("Worth a look:")
    assert lines[place + 1 : place + 5] == ["  - Add this:", "      a: b", "      c: d", "  - Look."]


def test_what_a_mapping_could_change_comes_with_how_to_change_it() -> None:
    assert not any("mapping" in line for line in summarize_load(FINISHED))
    saved = summarize_load(replace(FINISHED, notices=("Look.",)))[-1]
    assert "edit releases.mapping.yaml; `etl check SOURCE --map releases.mapping.yaml`" in saved
    blank = summarize_load(replace(FINISHED, mapping="my releases.yaml", notices=("Look.",)))[-1]
    assert "edit my releases.yaml; `etl check SOURCE --map 'my releases.yaml'`" in blank
    assert "dropped" in saved
    unsaved = summarize_load(replace(FINISHED, mapping=UNSAVED, notices=("Look.",)))[-1]
    assert "etl infer SOURCE > FILE" in unsaved
    nothing_loaded = summarize_load(replace(FINISHED, notices=("Look.",), loaded=0))[-1]
    assert "dropped" not in nothing_loaded


def test_a_load_of_no_time_at_all_has_no_speed() -> None:
    assert "  0 records/min, 0.0 MB/s of XML, peak memory 123 MB" in summarize_load(replace(FINISHED, seconds=0.0))


def test_a_check_shows_counts_and_the_first_rows() -> None:
    report = CheckReport(
        mapping="releases.mapping.yaml",
        sources=(SOURCE,),
        tables={"release": 2},
        rejects=(RejectReport("bad_value", "release", "year", 1, "'soon' (line 2)"),),
        notices=("Columns whose path never matched: release.tilte.",),
        records=4,
        loaded=2,
        rejected=1,
        discarded=1,
        seconds=0.5,
        source_bytes=1234,
        first_rows={"release": [{"id": 1, "title": "a\nb", "note": None}]},
    )
    lines = summarize_check(report, 80)
    assert lines[:8] == [
        "Read 4 records, 1.2 kB of XML, in 0.5 s, mapped by releases.mapping.yaml. Nothing was written.",
        "  2 rows  release",
        "  4 records read = 2 loaded + 1 rejected + 1 discarded",
        "  read by compiled code: all tables",
        "Rejected 1 record:",
        "  1 x bad_value in release.year, the first: 'soon' (line 2)",
        "Worth a look:",
        "  - Columns whose path never matched: release.tilte.",
    ]
    assert lines[8].startswith("To change that, edit releases.mapping.yaml")
    assert "dropped" not in lines[8]
    assert lines[9:] == ["", "release: 1 of 2 rows", "  id  title  note", "   1  a b    NULL"]


# --- the slower path ---


def slower(native: NativeReport, *, verbose: bool = False) -> list[str]:
    """The lines that a load has only with this."""
    lines = summarize_load(replace(FINISHED, native=native), verbose=verbose)
    return [line for line in lines if line not in summarize_load(FINISHED, verbose=verbose)]


def test_where_nothing_is_compiled_one_line_says_how_to_get_it() -> None:
    reason = "the compiled reader was not built; install a C compiler"
    assert slower(NativeReport(unavailable=reason)) == [f"  this is the slower path: {reason}"]


def test_what_the_scanner_did_not_read_is_counted_with_the_most_frequent_reason() -> None:
    native = NativeReport(splits=1200, declined={"parameter entities": 2, "a tag without its end": 9})
    which = "  11 of 1,200 pieces took the slower path (`etl docs native`), most because of: a tag without its end"
    assert slower(native) == [which]
    assert slower(native, verbose=True) == [which, "    9: a tag without its end", "    2: parameter entities"]
    assert slower(replace(native, declined={"-- in a comment": 1}), verbose=True) == [
        "  1 of 1,200 pieces took the slower path (`etl docs native`) because of: -- in a comment"
    ]


def test_threads_that_the_scanner_left_with_most_pieces_are_told_of_processes() -> None:
    native = NativeReport(splits=10, declined={"-- in a comment": 6}, in_threads=True)
    assert slower(native)[1:] == ["    with --set workers.kind=process the cores would share it"]
    assert len(slower(replace(native, in_threads=False))) == 1
    assert len(slower(replace(native, splits=12))) == 1


def test_rows_that_took_the_slower_way_into_the_database_are_told_of() -> None:
    assert slower(NativeReport(writing="it was not compiled")) == [
        "  rows took the slower path into the database: it was not compiled"
    ]


def checked(native: NativeReport) -> list[str]:
    """What a check of two tables says of them."""
    report = CheckReport("m", (), {"a": 1, "b": 2}, (), (), 3, 3, 0, 0, 1.0, 10, {}, native)
    lines = [line.strip() for line in summarize_check(report, 80)]
    return [line for line in lines if line.startswith(("read by", "lxml reads", "2 of 3 pieces"))]


def test_a_check_says_which_tables_are_read_by_compiled_code() -> None:
    assert checked(NativeReport()) == ["read by compiled code: all tables"]
    assert checked(NativeReport(slower_tables={"b": "each: an XPath"})) == [
        "read by compiled code: a",
        "read by lxml, which is slower: b (each: an XPath)",
    ]
    reason = "a record of a table that is not the scanner's"
    assert checked(NativeReport(splits=3, declined={reason: 2}, slower_tables={"b": "each: an XPath"}))[2:] == [
        f"2 of 3 pieces took the slower path (`etl docs native`) because of: {reason}"
    ]
    assert checked(NativeReport(unavailable="ETL_NATIVE=0 turns it off")) == [
        "lxml reads all tables, which is slower: ETL_NATIVE=0 turns it off"
    ]


def test_quiet_tells_of_keys_and_of_a_stop_and_nothing_of_what_is_well() -> None:
    assert list(warn_of_load(FINISHED)) == []
    keys = ("The key of release (id) is not built.\n    SELECT 1", "The key of track (id) is not built.")
    assert list(warn_of_load(replace(FINISHED, key_problems=keys))) == [
        "The key of release (id) is not built. 1 key more could not be built."
    ]
    assert list(warn_of_load(replace(FINISHED, key_problems=keys[1:]))) == ["The key of track (id) is not built."]
    (stopped,) = warn_of_load(replace(FINISHED, state="stopped", stop_reason="Too many were rejected."))
    assert stopped.startswith("Stopped. Too many were rejected. ")


def test_quiet_tells_of_a_source_that_matches_nothing_unless_the_error_does() -> None:
    report = replace(FINISHED, sources=(SOURCE, replace(SOURCE, label="users.xml", unmatched=("/users",))))
    assert list(warn_of_load(report)) == ["1 document without a record of the mapping: users.xml"]
    assert list(warn_of_load(replace(report, state="failed"))) == []
