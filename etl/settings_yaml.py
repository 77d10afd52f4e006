"""Settings as they are written: the YAML of a settings file, and of one value given by ``--set``."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml

from etl.errors import SettingsError, mask_password


class _Loader(yaml.SafeLoader):
    """YAML in which a plain scalar is text, or null where it says so: what it means is for the setting to say.

    (YAML itself would read ``12:30`` as 750 and ``no`` as false.) A name written twice is an error.
    """

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        keys = [key for key, _ in node.value if isinstance(key, yaml.ScalarNode)]
        for place, key in enumerate(keys):
            if any(key.value == earlier.value for earlier in keys[:place]):
                raise yaml.constructor.ConstructorError(None, None, f"{key.value} stands here twice", key.start_mark)
        return super().construct_mapping(node, deep)


_Loader.yaml_implicit_resolvers = {
    first: [resolver for resolver in resolvers if resolver[0].endswith(":null")]
    for first, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
}


def parse_yaml(text: str, where: str) -> object:
    """What the text says. Raises SettingsError, with `where` and the line."""
    try:
        return yaml.load(text, _Loader)
    except yaml.MarkedYAMLError as error:
        line = f", line {error.problem_mark.line + 1}" if error.problem_mark and "\n" in text else ""
        raise SettingsError(mask_password(f"{where}{line}: not usable as YAML: {error.problem}.")) from error
    except yaml.YAMLError as error:
        raise SettingsError(mask_password(f"{where}: not usable as YAML: {' '.join(str(error).split())}.")) from error


def read_yaml(file: Path) -> dict[str, Any]:
    """Settings by name. Raises SettingsError naming the file."""
    try:
        loaded = parse_yaml(file.read_text("utf-8"), str(file))
    except OSError as error:
        raise SettingsError(f"Cannot read the settings file {file}: {error.strerror}.") from error
    except UnicodeDecodeError as error:
        raise SettingsError(f"The settings file {file} is not UTF-8 text (byte {error.start}).") from error
    if loaded is None:
        return {}
    if not isinstance(loaded, dict):
        raise SettingsError(f"{file}: expected settings by name, as in `queue: {{max_bytes: 64MiB}}`.")
    return loaded
