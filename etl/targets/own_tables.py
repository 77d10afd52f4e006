"""The tables that loads keep for themselves in a database: their names, and the one that targets see to."""

from __future__ import annotations

import sqlalchemy as sa

OWN_TABLES = ("etl_source", "etl_document", "etl_split", "etl_reject", "etl_skeleton", "etl_table")


def own_table(schema: str | None) -> sa.Table:
    """The tables that loads created, and whether their keys are still to be built, so that a later run knows."""
    return sa.Table(
        "etl_table",
        sa.MetaData(schema=schema),
        sa.Column("table_schema", sa.Text, primary_key=True),
        sa.Column("table_name", sa.Text, primary_key=True),
        sa.Column("created_at", sa.Text, nullable=False, server_default=sa.text("CURRENT_TIMESTAMP")),
        sa.Column("keys_to_come", sa.Boolean, nullable=False, server_default=sa.true()),
    )
