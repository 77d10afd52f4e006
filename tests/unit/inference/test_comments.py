"""What the comments of an inferred mapping say."""

from __future__ import annotations

from etl.inference.design import infer_mapping
from tests.profiles import profile_of
from tests.surveys import surveyed

XSI = "xmlns:xsi='http://www.w3.org/2001/XMLSchema-instance'"


def comments_of(*values: str) -> dict[str, str]:
    """The comments of the columns of records that hold such elements."""
    records = "".join(f"<rec>{value}</rec>" for value in values)
    text = infer_mapping(surveyed(f"<recs {XSI}>{records}</recs>".encode()), "x").text
    lines = [line.split("  # ") for line in text.splitlines() if line.startswith("      ")]
    return {line[0].split(":")[0].strip(): line[1] if len(line) > 1 else "" for line in lines}


def test_why_a_column_is_text_though_it_looks_like_numbers() -> None:
    values = [*(f"<price>0.{n:02}</price>" for n in range(1, 100)), "<price>.5</price>", "<price>n/a</price>"]
    assert comments_of(*values)["price"] == "text because of 'n/a' behind 100 decimal numbers: 0.01, 0.02, 0.03"


def test_types_have_no_counts_of_their_own() -> None:
    # The value of the last record counts, the record, which was cut off, does not.
    days = "".join(f"<rec><day>2024-01-{n % 28 + 1:02}</day><x/></rec>" for n in range(120))
    text = infer_mapping(surveyed(f"<recs>{days}<rec><day>2024-02-01</day>".encode()), "x").text
    assert "rec:  # 120 seen" in text
    assert "# dates: 2024-01-01, 2024-01-02, 2024-01-03\n" in text


def test_elements_that_are_nil_are_null_not_empty() -> None:
    nil, empty, full = "<a xsi:nil='true'/>", "<a/>", "<a>x</a>"
    assert comments_of(nil, full)["a"] == "NULL by xsi:nil in 50 %; x"
    assert comments_of(nil, full, empty, full)["a"] == "empty in 25 %, NULL by xsi:nil in 25 %; x"
    assert comments_of(nil, full, "", full)["a"] == "in 75 %, NULL by xsi:nil in 25 %; x"
    assert comments_of(nil, nil)["a"] == "always NULL by xsi:nil"
    assert comments_of(nil, "")["a"] == "always NULL by xsi:nil, in 50 %"
    assert comments_of(nil, empty)["a"] == "always empty, NULL by xsi:nil in 50 %"
    assert comments_of(empty, "")["a"] == "a flag, always empty, in 50 %"


def test_passages_that_were_passed_over_are_counted_in_words() -> None:
    profile = profile_of("<a><b c='1'/><b c='2'/></a>")
    profile.skipped, profile.first_problem = 1, "line 7: mismatched tag"
    text = infer_mapping(profile, "x").text
    assert "# Inferred from x: all of it, 1 passage passed over, 27 bytes." in text
    assert "# Note: 1 passage could not be read and was passed over: line 7: mismatched tag." in text
