"""plugins: activation, members, settings, closures"""

from __future__ import annotations

from datetime import datetime

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql
from sqlalchemy.dialects.postgresql import ENUM

revision = "core_0004_plugins"
down_revision = "core_0003"
branch_labels = None
depends_on = None

CLOSURE_CAUSE = ENUM(
    "operator",
    "not_active",
    "not_enabled",
    "sandbox",
    "breaker",
    name="closure_cause",
    create_type=False,
)


def upgrade() -> None:
    """Column offer.closed; tables plugin_closure, plugin_activation, plugin_member, _setting."""
    CLOSURE_CAUSE.create(op.get_bind())
    op.add_column("offer", sa.Column("closed", postgresql.JSONB(), nullable=True))
    _closure()
    _activation()
    _member()
    _setting()


def _moment(name: str) -> sa.Column[datetime]:
    return sa.Column(
        name,
        sa.DateTime(timezone=True),
        server_default=sa.text("statement_timestamp()"),
        nullable=False,
    )


def _closure() -> None:
    op.create_table(
        "plugin_closure",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("plugin", sa.String(), nullable=False),
        sa.Column("member_id", sa.Uuid(), nullable=True),
        sa.Column("cause", CLOSURE_CAUSE, nullable=False),
        sa.Column("words", sa.String(), nullable=False),
        sa.Column("actor", sa.String(), nullable=False),
        _moment("closed_at"),
        sa.ForeignKeyConstraint(
            ["member_id"], ["member.id"], name=op.f("fk_plugin_closure_member_id")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_plugin_closure")),
        sa.UniqueConstraint(
            "plugin",
            "member_id",
            "cause",
            name=op.f("uq_plugin_closure_plugin_member_id_cause"),
            postgresql_nulls_not_distinct=True,
        ),
    )


def _activation() -> None:
    op.create_table(
        "plugin_activation",
        sa.Column("plugin", sa.String(), nullable=False),
        sa.Column("distribution", sa.String(), nullable=False),
        sa.Column("version", sa.String(), nullable=False),
        sa.Column("digest", sa.String(), nullable=False),
        sa.Column("report", postgresql.JSONB(), nullable=True),
        sa.Column("reason", sa.String(), nullable=True),
        sa.Column("actor", sa.String(), nullable=False),
        _moment("activated_at"),
        sa.CheckConstraint(
            "report is not null or reason is not null",
            name=op.f("ck_plugin_activation_has_grounds"),
        ),
        sa.PrimaryKeyConstraint("plugin", name=op.f("pk_plugin_activation")),
    )


def _member() -> None:
    op.create_table(
        "plugin_member",
        sa.Column("plugin", sa.String(), nullable=False),
        sa.Column("member_id", sa.Uuid(), nullable=False),
        sa.Column("enabled", sa.Boolean(), server_default=sa.false(), nullable=False),
        sa.Column("sandbox", sa.Boolean(), server_default=sa.false(), nullable=False),
        _moment("changed_at"),
        sa.ForeignKeyConstraint(
            ["member_id"], ["member.id"], name=op.f("fk_plugin_member_member_id")
        ),
        sa.PrimaryKeyConstraint("plugin", "member_id", name=op.f("pk_plugin_member")),
    )


def _setting() -> None:
    op.create_table(
        "plugin_setting",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("plugin", sa.String(), nullable=False),
        sa.Column("member_id", sa.Uuid(), nullable=True),
        sa.Column("sandbox", sa.Boolean(), server_default=sa.false(), nullable=False),
        sa.Column("plain", postgresql.JSONB(), nullable=False),
        sa.Column("secrets", postgresql.JSONB(), nullable=False),
        sa.Column("actor", sa.String(), nullable=False),
        _moment("changed_at"),
        sa.CheckConstraint(
            "member_id is not null or not sandbox", name=op.f("ck_plugin_setting_house_has_one_set")
        ),
        sa.ForeignKeyConstraint(
            ["member_id"], ["member.id"], name=op.f("fk_plugin_setting_member_id")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_plugin_setting")),
        sa.UniqueConstraint(
            "plugin",
            "member_id",
            "sandbox",
            name=op.f("uq_plugin_setting_plugin_member_id_sandbox"),
            postgresql_nulls_not_distinct=True,
        ),
    )


def downgrade() -> None:
    raise NotImplementedError("the ledger is append-only: restore a backup instead")
