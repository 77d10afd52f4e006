"""Whether the compiled scanner maps: a mapping goes in, a mapper or the reason why not comes out.

Imports nothing compiled unless it is there. Runs in a worker; what it tells of a mapping, anywhere.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from etl.mapping.model import Mapping, PythonFunction
from etl.messages import Bounds, RowFormat
from etl.native import unavailable
from etl.native.families import native_families

if TYPE_CHECKING:
    from etl.native.mapper import NativeMapper
    from etl.transform.assemble import Assembler


def native_mapper(
    mapping: Mapping, row_format: RowFormat, bounds: Bounds, assembler: Assembler
) -> tuple[NativeMapper | None, str]:
    """The mapper, or None and why every split is left to lxml ("" where nothing compiled is used at all)."""
    if unavailable():
        return None, ""
    families = native_families(mapping)
    if not families.native:
        return None, families.reasons[0]
    from etl.native.mapper import NativeMapper

    return NativeMapper(mapping, row_format, bounds, assembler), ""


def slower_tables(mapping: Mapping) -> dict[str, str]:
    """By name the tables that the scanner leaves to lxml, and why."""
    reasons = native_families(mapping).reasons
    return {table.name: reason for table, reason in zip(mapping.tables, reasons, strict=True) if reason}


def maps_in_threads(mapping: Mapping) -> bool:
    """Whether mapping needs the GIL for hardly anything, so that threads share the work as well as processes do."""
    return (
        not unavailable()
        and not slower_tables(mapping)
        and not any(
            isinstance(transform, PythonFunction)
            for table in mapping.tables
            for column in table.columns
            for transform in column.transforms
        )
    )
