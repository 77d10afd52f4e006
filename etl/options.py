"""Every setting, with its unit, its default and the reason for the number; checked as a whole, once.

A settings file is YAML of exactly this shape; ``--set queue.max_bytes=32MiB`` overrides one value of it. Sizes are
bytes (``65536``, ``"64KiB"``, ``"8MB"``), times are seconds (``0.2``, ``"200ms"``).
"""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any, Literal, get_args

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Discriminator,
    Field,
    PlainValidator,
    Tag,
    ValidationError,
    ValidationInfo,
    field_validator,
    model_validator,
)
from pydantic.fields import FieldInfo

from etl.errors import SettingsError, mask_password
from etl.messages import Bounds
from etl.settings_yaml import parse_yaml, read_yaml

_SIZE_UNITS = {
    "": 1,
    "B": 1,
    "kB": 10**3,
    "MB": 10**6,
    "GB": 10**9,
    "KiB": 2**10,
    "MiB": 2**20,
    "GiB": 2**30,
}
_TIME_UNITS = {"": 1.0, "ms": 1e-3, "s": 1.0, "m": 60.0, "min": 60.0, "h": 3600.0}
_ERROR_LIMIT = re.compile(r"\s*([0-9]+(?:\.[0-9]+)?)\s*(%?)\s*\Z")
_QUANTITY = re.compile(r"\s*([0-9]+(?:\.[0-9]+)?)\s*([A-Za-z]*)\s*\Z")


def parse_size(value: object) -> object:
    """Bytes from ``8388608``, ``"8MiB"`` or ``"8 MB"``; raises ValueError naming the accepted units."""
    return round(_quantity(value, _SIZE_UNITS)) if isinstance(value, str) else value


def parse_duration(value: object) -> object:
    """Seconds from ``0.2``, ``"200ms"``, ``"5s"``, ``"2min"``; raises ValueError naming the accepted units."""
    return _quantity(value, _TIME_UNITS) if isinstance(value, str) else value


def _quantity(text: str, units: Mapping[str, float]) -> float:
    match = _QUANTITY.match(text)
    factor = {unit.lower(): factor for unit, factor in units.items()}.get(match[2].lower()) if match else None
    if match is None or factor is None:
        raise ValueError(f"should be a number with one of the units {', '.join(unit for unit in units if unit)}")
    return float(match[1]) * factor


def _unlimited(value: object) -> object:
    return None if value == "unlimited" else value


def _auto(value: object) -> object:
    return None if value == "auto" else value


class Share(float):
    """A share of a whole, 0 to 1; written in percent."""

    def __str__(self) -> str:
        return f"{self * 100:g}%"


def parse_error_limit(value: object) -> int | Share | None:
    """Rejects from ``500`` or ``"500"``, a share from ``"10%"``; raises ValueError."""
    if value is None or isinstance(value, Share):
        return value
    match = _ERROR_LIMIT.match(str(value))
    if match is None or (match[2] and float(match[1]) > 100) or not (match[2] or match[1].isdecimal()):
        raise ValueError("should be a whole number or a share up to 100%, such as 10%")
    return Share(float(match[1]) / 100) if match[2] else int(match[1])


Write = Literal["append", "upsert", "skip"]

Size = Annotated[int, BeforeValidator(parse_size)]
Duration = Annotated[float, BeforeValidator(parse_duration)]
Auto = BeforeValidator(_auto)
Unlimited = BeforeValidator(_unlimited)


class _Section(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, strict=False)

    @model_validator(mode="before")
    @classmethod
    def _nothing_written_is_all_defaults(cls, values: object) -> object:
        return {} if values is None else values


WorkerCount = Annotated[int, Field(ge=1, le=256)]


class WorkerRange(_Section):
    """Workers come and go: as many as it takes to keep the database busy, and no more."""

    min: WorkerCount
    max: WorkerCount

    @model_validator(mode="after")
    def _ordered(self) -> WorkerRange:
        if self.min > self.max:
            raise ValueError("should have a min that is at most its max")
        return self


_NUMBER, _GROUP = "a number", "a group"
"""The forms of a setting that has two, as pydantic names them where an error is."""


def _form(value: object) -> str:
    return _GROUP if isinstance(value, dict | BaseModel) else _NUMBER


class Workers(_Section):
    """Parsing and mapping."""

    count: Annotated[
        Annotated[Annotated[WorkerCount, Tag(_NUMBER)] | Annotated[WorkerRange, Tag(_GROUP)], Discriminator(_form)]
        | None,
        Auto,
    ] = None
    """Parser workers. auto: one for each core this process may use, since parsing is pure computation."""
    kind: Annotated[Literal["thread", "process", "inline"] | None, Auto] = None
    """auto: process, because mapping holds Python's global lock; inline with one core or a small source."""
    prefetch: Annotated[int, Field(ge=1, le=64)] = 2
    """Splits a worker has in hand: one to work on and one ready, so that it never waits for the hand-over."""

    def least_and_most(self) -> tuple[int, int]:
        """Workers there are at once."""
        if isinstance(self.count, WorkerRange):
            return self.count.min, self.count.max
        count = self.count or default_worker_count()
        return count, count


class Queue(_Section):
    """What may be in memory between the source and the commit."""

    max_records: Annotated[Annotated[int, Field(ge=1)] | None, Unlimited] = None
    """Records; unlimited by default, since bytes are what memory is made of."""
    max_bytes: Annotated[Size, Field(ge=1)] = 96 * 2**20
    """Bytes of splits and rows not committed yet: a batch in each of two insert threads' hands and as much to come as
    one of them; with the program itself it stays below 250 MB of memory."""


class Insert(_Section):
    """Writing to the database."""

    threads: Annotated[Annotated[int, Field(ge=1, le=64)] | None, Auto] = None
    """Connections that write. auto: 2 on PostgreSQL (one sends while the other's commit is answered), 1 on SQLite.
    On PostgreSQL as many build keys."""
    batch_records: Annotated[int, Field(ge=1)] = 50_000
    """Records in a transaction at most; with `batch_bytes: auto` only where it is written."""
    batch_bytes: Annotated[Annotated[Size, Field(ge=1)] | None, Auto] = 8 * 2**20
    """Bytes of rows in a transaction at most; 8 to 16 MiB amortise the commit, more only costs memory. auto: as many as
    the time that commits take asks for."""
    max_wait: Annotated[Duration, Field(ge=0, le=3600)] = 0.5
    """Seconds a started batch waits for more: soon enough for a few records, and longer than a fast mapping takes to
    fill one."""
    method: Annotated[Literal["copy", "executemany"] | None, Auto] = None
    """auto: copy where the database has it."""

    @model_validator(mode="after")
    def _bytes_alone_decide(self) -> Insert:
        if self.batch_bytes is None and "batch_records" not in self.model_fields_set:
            object.__setattr__(self, "batch_records", sys.maxsize)
        return self


class Splitting(_Section):
    """Cutting the source."""

    bytes: Annotated[Size, Field(ge=1, le=2**30)] = 256 * 2**10
    """Bytes of a split, about: its tree stays in the processor's cache, yet it holds some records."""
    max_record_bytes: Annotated[Size, Field(ge=64, le=2**31)] = 64 * 2**20
    """A larger record is a reject (`too_large`), streamed past; its tree would take about 9 times as much memory."""


class Input(_Section):
    """What is done to documents that cannot be read as they are."""

    dtd: Annotated[Path | None, Field()] = None
    """A file whose entities and attribute defaults hold where a document declares none of its own by that name."""
    repair: bool = False
    """Mend bytes and ampersands that no parser accepts; what is clean stays as it is."""
    validate_by: Annotated[Path | None, Field(alias="validate")] = None
    """An XML Schema by which each record is validated; invalid ones are rejects."""


class LedgerSettings(_Section):
    """Where the ledger's tables (etl_source, etl_document, etl_split, etl_skeleton, etl_reject, etl_table) are."""

    database_schema: Annotated[str | None, Field(alias="schema", min_length=1)] = None
    """A schema of its own for the ledger, where the default one may not be written to."""


class Errors(_Section):
    """How many rejects a load takes before it stops (exit code 4): so many are the mapping's fault, or the dump's."""

    max: Annotated[int | Share | None, PlainValidator(parse_error_limit), Unlimited] = Share(0.1)
    """A number of rejects, or a share of the records read by this run (``10%``)."""
    after: Annotated[int, Field(ge=0)] = 10_000
    """Records read before a share counts: the first few say little about the rest."""


class Retry(_Section):
    """What is transient (a lost connection, a deadlock, a lock) is tried again, waiting longer each time."""

    attempts: Annotated[int, Field(ge=0, le=1000)] = 8
    """Times in a row that one batch is tried again: with the waits below about 25 s, as a server's restart takes."""
    first_wait: Annotated[Duration, Field(ge=0, le=3600)] = 0.1
    """Seconds before the first; each further wait is twice as long, and up to a quarter shorter at random."""
    max_wait: Annotated[Duration, Field(ge=0, le=3600)] = 30.0
    """Seconds a wait grows to."""


class Limits(_Section):
    """What a record may ask of the machine; beyond it is a reject, and the others load."""

    depth: Annotated[int, Field(ge=1, le=2048)] = Bounds.depth
    """Elements nested in each other, from the root: dumps have tens; libxml2 itself ends at 2048."""
    attributes: Annotated[int, Field(ge=1, le=10**6)] = Bounds.attributes
    """Attributes of one element."""
    text_bytes: Annotated[Size, Field(ge=1)] = Bounds.text_bytes
    """Bytes (UTF-8) of one text or attribute value: as many as the largest record has."""
    entity_bytes: Annotated[Size, Field(ge=0, le=Bounds.entity_bytes)] = Bounds.entity_bytes
    """Bytes that the entities of one record may make. libxml2 itself takes no more than 1 MB and 5 times the input."""

    archive_ratio: Annotated[int, Field(ge=1)] = 250
    """Bytes that one byte of an archive's member may make, once it has made 100 MB: XML makes 5 to 50."""
    archive_bytes: Annotated[Size, Field(ge=1)] = 10**12
    """Bytes that an archive may make in all."""

    def bounds(self) -> Bounds:
        """The same, for workers, which need no settings otherwise."""
        return Bounds(self.depth, self.attributes, self.text_bytes, self.entity_bytes)


class Settings(_Section):
    """All settings of a load."""

    target: str | None = None
    """Database URL; without it ETL_TARGET, else a SQLite file named after the source."""
    workers: Workers = Workers()
    queue: Queue = Queue()
    insert: Insert = Insert()
    split: Splitting = Splitting()
    write: Write = "append"
    """What becomes of a record whose key is in the table: append: nothing looks for it, which is the fastest."""
    keys: Literal["after", "before"] = "after"
    """Keys and indexes of the tables a load creates: built after the last row (much faster), or from the start."""
    errors: Errors = Errors()
    retry: Retry = Retry()
    limits: Limits = Limits()
    input: Input = Input()
    ledger: LedgerSettings = LedgerSettings()

    @field_validator("keys")
    @classmethod
    def _keys_to_look_for_records_by(cls, keys: str, others: ValidationInfo) -> str:
        write = others.data.get("write", "append")
        if keys == "after" and write != "append":
            raise ValueError(f"should be before with `write: {write}`, which looks for records by their keys")
        return keys

    @model_validator(mode="after")
    def _consistent(self) -> Settings:
        if self.write != "append":
            object.__setattr__(self, "keys", "before")
        if self.queue.max_records is not None and self.insert.batch_records > self.queue.max_records:
            object.__setattr__(self, "insert", self.insert.model_copy(update={"batch_records": self.queue.max_records}))
        return self


def default_worker_count() -> int:
    """Cores this process may run on (the affinity mask, which containers set), at least 1."""
    if hasattr(os, "sched_getaffinity"):
        return max(1, len(os.sched_getaffinity(0)))
    return max(1, os.cpu_count() or 1)


def read_settings(file: Path | None = None, overrides: Sequence[str] = ()) -> Settings:
    """Settings from a YAML file and ``name.name=value`` overrides, which win.

    Raises SettingsError naming file and setting, with what is allowed there.
    """
    values: dict[str, Any] = {}
    where = "Settings"
    if file is not None:
        where = str(file)
        values = read_yaml(file)
    for override in overrides:
        name, equals, text = override.partition("=")
        if not equals:
            raise SettingsError(f"--set {override}: expected NAME=VALUE, as in queue.max_bytes=32MiB.")
        _assign(values, name.strip().split("."), parse_yaml(text, f"--set {override}"), override)
    return build_settings(values, where)


def build_settings(values: Mapping[str, Any], where: str = "Settings") -> Settings:
    """Checked settings from nested values; raises SettingsError naming every bad one."""
    try:
        return Settings.model_validate(values)
    except ValidationError as error:
        raise SettingsError(mask_password(f"{where}: {_explain(error)}")) from error


def _assign(values: dict[str, Any], names: list[str], value: object, override: str) -> None:
    for place, name in enumerate(names[:-1]):
        inner = values.get(name)
        if inner is None:
            inner = values[name] = {}
        if not isinstance(inner, dict):
            raise SettingsError(f"--set {override}: {'.'.join(names[: place + 1])} is a single value, not a group.")
        values = inner
    values[names[-1]] = value


def _explain(error: ValidationError) -> str:
    problems = []
    for item in error.errors(include_url=False):
        names = [str(part) for part in item["loc"] if part not in (_NUMBER, _GROUP)]
        name = ".".join(names)
        if item["type"] == "extra_forbidden":
            problems.append(f"there is no setting '{name}'; allowed: {', '.join(_fields(names[:-1]))}")
            continue
        words = _PLAIN_WORDS.get(item["type"])
        message = words.format(**item.get("ctx", {})) if words else item["msg"].removeprefix("Value error, ")
        word = special_word(names)
        found = "nothing" if item["input"] is None else repr(item["input"])
        problems.append(f"{name} {message}{f', or {word}' if word else ''}, found {found}")
    return "; ".join(problems) + ". `etl docs settings` explains them."


_PLAIN_WORDS = {
    "int_parsing": "should be a whole number",
    "int_type": "should be a whole number",
    "int_from_float": "should be a whole number",
    "float_type": "should be a number",
    "string_type": "should be text",
    "literal_error": "should be {expected}",
    "model_type": "should be a group of settings",
    "missing": "should be there as well",
    "greater_than_equal": "should be at least {ge}",
    "less_than_equal": "should be at most {le}",
}
"""pydantic's messages speak to programmers; these types of error are what a settings file can bring about."""


def _fields(path: Sequence[str]) -> dict[str, FieldInfo]:
    """The settings of the group at `path`, by the name a user writes."""
    model: type[BaseModel] = Settings
    for name in path:
        annotation = {info.alias or key: info for key, info in model.model_fields.items()}[name].annotation
        for group in _groups(annotation):
            model = group
    return {info.alias or key: info for key, info in model.model_fields.items()}


def _groups(annotation: object) -> Iterator[type[BaseModel]]:
    """The groups of settings among the forms a value may have."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield annotation
    for form in get_args(annotation):
        yield from _groups(form)


def special_word(path: Sequence[str]) -> str:
    """What None is written as at that place: ``auto``, ``unlimited``; empty where it has no word."""
    info = _fields(path[:-1]).get(path[-1]) if path else None
    metadata = info.metadata if info else []
    return "auto" if Auto in metadata else "unlimited" if Unlimited in metadata else ""
