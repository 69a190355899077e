"""Alembic environment of one history: the core's or a plugin's (`marketplace.schema.History`)."""

from __future__ import annotations

from alembic import context

history = context.config.attributes["history"]
table_names = {table.name for table in history.metadata.sorted_tables}


def include_name(name: str | None, kind: str, _: object) -> bool:
    """Compare only the tables that this history owns."""
    return kind != "table" or name in table_names


context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=history.metadata,
    version_table=history.version_table,
    include_name=include_name,
    compare_type=True,
)
with context.begin_transaction():
    context.run_migrations()
