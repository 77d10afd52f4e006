"""Arguments and options of `etl.commands` that several commands share, or whose help is long: names, bounds, help."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

Sources = Annotated[
    list[str],
    typer.Argument(
        metavar="SOURCE",
        show_default=False,
        help="XML files, plain or compressed (gzip, bzip2, xz, zstd), archives of them (zip, tar), all told by "
        "content, directories or patterns of them, or `-` for standard input.",
    ),
]
OptionalSources = Annotated[
    list[str] | None,
    typer.Argument(metavar="[SOURCE]", show_default=False, help="As for `etl load`. Needed unless there is --xsd."),
]
MapFile = Annotated[
    Path | None,
    typer.Option(
        "--map",
        metavar="FILE",
        help="The mapping: which elements become rows of which tables. Without it `STEM.mapping.yaml`, in this folder "
        "or beside the source; STEM is the source's name without `.xml` and suffixes of compression and archives "
        "(`etl` for several sources). Without that, too, it is inferred from a sample (`etl infer`).",
    ),
]
SettingsFile = Annotated[
    Path | None, typer.Option("--settings", metavar="FILE", rich_help_panel="Settings", help="Settings, as YAML.")
]
Overrides = Annotated[
    list[str] | None,
    typer.Option(
        "--set",
        metavar="NAME=VALUE",
        rich_help_panel="Settings",
        help="One setting, as in `queue.max_bytes=32MiB`; may be repeated, and wins over the file.",
    ),
]
Quiet = Annotated[
    bool,
    typer.Option("--quiet", "-q", metavar="", rich_help_panel="Output", help="Say nothing unless something is wrong."),
]
Verbose = Annotated[
    bool,
    typer.Option("--verbose", "-v", metavar="", rich_help_panel="Output", help="Say more; where an error arose, too."),
]
Again = Annotated[
    bool,
    typer.Option(
        "--again",
        metavar="",
        help="Load what was loaded before anew: the tables are emptied first. Only where no rows of other sources, or "
        "of anybody else, are in them. With `--write upsert` nothing is emptied.",
    ),
]
Write = Annotated[
    str | None,
    typer.Option(
        "--write",
        metavar="MODE",
        rich_help_panel="Settings",
        show_default=False,
        help="Of a record whose key is in the table already: `append` rejects it (the default), `upsert` puts it in "
        "the place of that one, `skip` leaves it out.",
    ),
]
Target = Annotated[
    str | None,
    typer.Option(
        "--to",
        metavar="URL",
        show_default=False,
        help="The database: `sqlite:///FILE` or `postgresql://USER@HOST/DB` (what the URL leaves out comes from "
        "the PG* variables and ~/.pgpass). Without it the setting `target`, then ETL_TARGET, then "
        "`sqlite:///STEM.db` in this folder (`etl.db` for several sources).",
    ),
]
Dtd = Annotated[
    Path | None,
    typer.Option(
        "--dtd",
        metavar="FILE",
        rich_help_panel="Input",
        help="A DTD whose entities hold in every document, as in `dblp.dtd`. No DTD that a document names is ever "
        "opened or fetched.",
    ),
]
Repair = Annotated[
    bool,
    typer.Option(
        "--repair",
        metavar="",
        rich_help_panel="Input",
        help="Mend what no parser accepts: control characters, NULs, invalid UTF-8, bare ampersands, entities of HTML. "
        "Each kind of mend is counted; clean bytes stay as they are.",
    ),
]
Validate = Annotated[
    Path | None,
    typer.Option(
        "--validate",
        metavar="FILE",
        rich_help_panel="Input",
        help="An XML Schema: a record that is not valid by it is a reject, with the schema's reason.",
    ),
]
Workers = Annotated[
    int | None,
    typer.Option(
        min=1, max=256, metavar="N", rich_help_panel="Settings", help="Parser workers. Default: one for each core."
    ),
]
Metrics = Annotated[
    Path | None,
    typer.Option(
        "--metrics",
        metavar="FILE",
        rich_help_panel="Output",
        help="Append numbers of the running load to FILE: each second a line of JSON (stages' times, queue, latency of "
        "transactions, what limits now), and in the end the report.",
    ),
]
