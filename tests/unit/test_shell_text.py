"""What a shell makes of the names in advised commands."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from etl.shell_text import for_shell


@pytest.mark.parametrize("name", ["my dump.xml", "it's.xml", '"quoted".xml', "a`b`$HOME*?.xml", "ä; ls.xml", "", "-"])
def test_a_shell_takes_it_for_one_word(name: str) -> None:
    done = subprocess.run(["sh", "-c", f"printf %s {for_shell(name)}"], stdout=subprocess.PIPE, check=True)
    assert done.stdout.decode() == name


@pytest.mark.parametrize("name", ["dumps/posts-2024.xml.gz", "sqlite:///posts.db", "postgresql://me@host:5432/db"])
def test_plain_names_stay_as_they_are(name: str) -> None:
    assert for_shell(name) == name
    assert for_shell(Path("dumps") / "a.xml") == "dumps/a.xml"


def test_a_name_is_no_option() -> None:
    assert for_shell("-v.xml") == "./-v.xml"
