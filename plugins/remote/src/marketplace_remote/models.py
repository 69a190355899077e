"""Tables: the callbacks that were acted on, so that none is acted on twice."""

from __future__ import annotations

import sqlalchemy as sa

from marketplace.api import plugin_metadata

metadata = plugin_metadata()

seen = sa.Table(
    "remote_seen",
    metadata,
    sa.Column("member_id", sa.Uuid, primary_key=True),
    sa.Column("message_id", sa.Text, primary_key=True),
    sa.Column(
        "seen_at",
        sa.DateTime(timezone=True),
        server_default=sa.func.statement_timestamp(),
        nullable=False,
        index=True,
    ),
)
