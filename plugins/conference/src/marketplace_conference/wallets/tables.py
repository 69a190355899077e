"""Tables of passes: what each shows, and where copies of it are."""

from __future__ import annotations

import sqlalchemy as sa

from marketplace_conference.models import MOMENT, metadata

shown = sa.Table(
    "conference_pass",
    metadata,
    sa.Column("ticket_id", sa.BigInteger, sa.ForeignKey("conference_ticket.id"), primary_key=True),
    sa.Column("face", sa.Text, nullable=False),
    sa.Column("version", sa.BigInteger, nullable=False, server_default="0"),
    sa.Column("changed_at", MOMENT, nullable=False),
    sa.Column("language", sa.Text),
    sa.Index("ix_conference_pass_version", "version"),
    comment="A ticket that was given to a wallet: a digest of what its pass shows, since when.",
)

copy = sa.Table(
    "conference_pass_copy",
    metadata,
    sa.Column("id", sa.BigInteger, sa.Identity(), primary_key=True),
    sa.Column(
        "ticket_id", sa.BigInteger, sa.ForeignKey("conference_pass.ticket_id"), nullable=False
    ),
    sa.Column("wallet", sa.Text, nullable=False),
    sa.Column("device", sa.Text, nullable=False, server_default=""),
    sa.Column("push_token", sa.LargeBinary),
    sa.Column("told", sa.Text, nullable=False, server_default=""),
    sa.Column("attempts", sa.Integer, nullable=False, server_default="0"),
    sa.Column("due_at", MOMENT, nullable=False),
    sa.Column("made_at", MOMENT, nullable=False),
    sa.UniqueConstraint("ticket_id", "wallet", "device"),
    sa.CheckConstraint("wallet in ('apple', 'google')", name="wallet_is_known"),
    sa.CheckConstraint(
        "(wallet = 'apple') = (push_token is not null)", name="only_apple_is_pushed"
    ),
    sa.Index("ix_conference_pass_copy_device", "device", postgresql_where="wallet = 'apple'"),
    sa.Index("ix_conference_pass_copy_due_at", "wallet", "due_at"),
    comment="Where a pass is: a phone that registered it, or Google; what it was told of last.",
)
