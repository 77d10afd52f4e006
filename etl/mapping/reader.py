"""Reads a mapping file: YAML text in, a checked `Mapping` out.

Three steps: the YAML (`yaml_text`), its shape (`spec`), its meaning (`build`). Each reports everything it finds at
once, as lines ``FILE:LINE: sentence`` of one MappingError; the next one begins where nothing is wrong. What a mapping
may say is in `etl docs mapping`.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from etl.errors import MappingError
from etl.mapping.build import build_tables
from etl.mapping.model import Mapping
from etl.mapping.spec import Problem, check_shape
from etl.mapping.yaml_text import parse_yaml


def read_mapping(file: Path) -> Mapping:
    """The mapping in `file`; raises MappingError with every problem found."""
    try:
        text = file.read_text("utf-8-sig")
    except OSError as error:
        raise MappingError(f"Cannot read the mapping file {file}: {error.strerror}.") from error
    except UnicodeDecodeError as error:
        raise MappingError(f"Cannot read the mapping file {file}: byte {error.start} is not UTF-8.") from error
    return parse_mapping(text, str(file))


def parse_mapping(text: str, label: str) -> Mapping:
    """The mapping in `text`; `label` is the file's name in messages, and Python functions are looked for beside it.

    Raises MappingError with every problem found.
    """
    document = parse_yaml(text)
    if document.problems:
        raise _error(document.problems, label)
    spec, problems = check_shape(document)
    if spec is None:
        raise _error(problems, label)
    tables, problems = build_tables(spec, document, str(Path(label).absolute().parent))
    if problems:
        raise _error(problems, label)
    return Mapping(tables=tables, label=label, text=text)


def _error(problems: Sequence[Problem], label: str) -> MappingError:
    lines = [
        f"{label}:{line}: {sentence}{'' if sentence.endswith('?') else '.'}" for line, sentence in sorted(set(problems))
    ]
    return MappingError("\n".join(lines))
