"""What a source became rows by, beside the structure of its mapping: conversions, a DTD, a schema that validates.

In: what a load goes by, and what etl_source has of the load before. Out: the text that etl_source keeps of it, in one
column since none of it decides which rows there are; and what there is to say where it is another than before. Runs
where sources are registered.
"""

from __future__ import annotations

from collections.abc import Iterator

from etl.errors import TargetError
from etl.loading.mapping_digest import conversion_digest
from etl.loading.source_rows import SourceRow, moment
from etl.mapping.model import Mapping, Reading

_DTD, _SCHEMA = "+dtd:", "+schema:"
_OF_VALUES = "defaults, nulls, strip, transforms, formats, timezone, on_error"
"""What of a mapping only decides what becomes of a value."""
_ANEW = "--again loads all of it anew, where only this source filled its tables"


def kept(mapping: Mapping) -> str:
    """The digest of its conversions, and its reading, for `etl_source.conversion_digest`."""
    reading = mapping.reading
    dtd = f"{_DTD}{reading.dtd}" if reading.dtd else ""
    return conversion_digest(mapping) + dtd + (f"{_SCHEMA}{reading.schema}" if reading.schema else "")


def changed(row: SourceRow, records: int, mapping: Mapping) -> tuple[str, ...]:
    """What to know where a load by `mapping` meets a source of which there are so many records.

    Raises TargetError where it would go on, and has forgotten what it began with.
    """
    if row.conversion_digest == kept(mapping) or not records:
        return ()
    rest, _, schema = row.conversion_digest.partition(_SCHEMA)
    conversions, _, dtd = rest.partition(_DTD)
    same = conversions == conversion_digest(mapping)
    if row.state == "finished":
        return (*_values_stay(row, mapping, same=same), *_too_late(row, Reading(dtd, schema), mapping.reading))
    _check_forgotten(row, Reading(dtd, schema), mapping.reading)
    return (*_values_mixed(row, records, mapping, same=same), *_mixed(row, records, dtd, schema, mapping.reading))


def _values_stay(row: SourceRow, mapping: Mapping, *, same: bool) -> Iterator[str]:
    if not same:
        yield (
            f"{row.label} was loaded (on {moment(row.started_at)}) when {mapping.label} made other values of the same"
            f" columns ({_OF_VALUES}): its rows stay as they are. To load it by what the mapping says now, use"
            " --again, where only this source filled its tables, or load into another database."
        )


def _values_mixed(row: SourceRow, records: int, mapping: Mapping, *, same: bool) -> Iterator[str]:
    if not same:
        yield (
            f"{mapping.label} makes other values of the same columns ({_OF_VALUES}) than when {row.label} began to be"
            f" loaded: its {records:,} records of before stay as they were, and the rest goes by what the mapping says"
            " now."
        )


def _too_late(row: SourceRow, before: Reading, now: Reading) -> Iterator[str]:
    """What to say of a source that is finished: nobody reads it by what is given now."""
    if now.dtd and before.dtd != now.dtd:
        how = "with another --dtd" if before.dtd else "without --dtd"
        yield (
            f"{row.label} was loaded {how} (on {moment(row.started_at)}): its rows stay as they are."
            f" `etl retry --dtd FILE` loads what was rejected for entities that were undefined; {_ANEW}."
        )
    if now.schema and before.schema != now.schema:
        how = "validated by another schema" if before.schema else "not validated"
        yield (
            f"{row.label} was {how} when it was loaded (on {moment(row.started_at)}): its rows stay as they are, and"
            f" are not validated now. {_ANEW}."
        )


def _mixed(row: SourceRow, records: int, dtd: str, schema: str, now: Reading) -> Iterator[str]:
    """What to say of a source that is not; `dtd` and `schema` are those it began with."""
    if dtd != now.dtd:
        how = "with another --dtd" if dtd else "without --dtd"
        yield (
            f"{row.label} began to be loaded {how}: its {records:,} records of before stay as they were read, and the"
            " rest is read with this one. `etl retry --dtd FILE` loads what was rejected for entities that were"
            " undefined."
        )
    if schema != now.schema:
        how = "validated by another schema" if schema else "not validated"
        yield (
            f"{row.label} was {how} when it began to be loaded: its {records:,} records of before stay as they are, and"
            " the rest is validated by this one (--validate)."
        )


def _check_forgotten(row: SourceRow, before: Reading, now: Reading) -> None:
    """Raise TargetError: half of a source with what the other half lacks is a mistake that nobody sees later."""
    forgotten = []
    if before.dtd and not now.dtd:
        forgotten.append("a DTD (--dtd), whose entities and attribute defaults the rest would lack")
    if before.schema and not now.schema:
        forgotten.append("a schema (--validate), by which nothing of the rest would be validated")
    if forgotten:
        raise TargetError(
            f"{row.label} (source {row.number}) began to be loaded with {' and with '.join(forgotten)}. Give the same"
            f" again, or a mended one, and it goes on; {_ANEW}."
        )
