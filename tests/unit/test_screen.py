"""Lines as a terminal shows them."""

from __future__ import annotations

import io

import pytest

from etl.screen import print_lines
from etl.shell_text import for_shell


@pytest.mark.parametrize(
    "name", ["my dumps/all the posts of the year.xml", "it's a dump.xml", "dumps/posts-of-the-whole-long-year-2024.xml"]
)
@pytest.mark.parametrize("columns", ["24", "40", "60"])
def test_a_name_to_copy_is_never_cut_by_the_end_of_a_line(
    monkeypatch: pytest.MonkeyPatch, name: str, columns: str
) -> None:
    for variable, value in {"FORCE_COLOR": "1", "NO_COLOR": "1", "COLUMNS": columns, "TERM": "xterm"}.items():
        monkeypatch.setenv(variable, value)
    screen = io.StringIO()
    advice = f"  To change that, edit it; `etl check SOURCE --map {for_shell(name)}` shows the effect."
    print_lines(screen, [advice])
    shown = screen.getvalue()
    assert f"{for_shell(name)}`" in shown
    assert len(shown.splitlines()) > 1
    assert "\N{NO-BREAK SPACE}" not in shown


def test_other_words_are_wrapped_as_ever(monkeypatch: pytest.MonkeyPatch) -> None:
    for variable, value in {"FORCE_COLOR": "1", "NO_COLOR": "1", "COLUMNS": "30", "TERM": "xterm"}.items():
        monkeypatch.setenv(variable, value)
    screen = io.StringIO()
    print_lines(screen, ["  The server's words, the loader's words, and nobody's else: one line is too short."])
    assert all(len(line) <= 50 for line in screen.getvalue().splitlines())
