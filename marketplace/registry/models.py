"""Tables of the registry: which plugins are active, who has enabled them, with which settings."""

from __future__ import annotations

from datetime import datetime
from typing import Any
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column

from marketplace.models import Base, utc_timestamp


class PluginActivation(Base):
    """The one version of a plugin, to the byte, that the operator lets deliver."""

    __tablename__ = "plugin_activation"
    __table_args__ = (
        sa.CheckConstraint("report is not null or reason is not null", name="has_grounds"),
    )

    plugin: Mapped[str] = mapped_column(primary_key=True)
    distribution: Mapped[str]
    version: Mapped[str]
    digest: Mapped[str]
    """SHA-256 of its files (`marketplace.certify.target.digest`)."""
    report: Mapped[dict[str, Any] | None] = mapped_column(JSONB(none_as_null=True))
    """The signed report that passed; null where the operator activated it without one."""
    reason: Mapped[str | None]
    """Why it was activated without a report."""
    actor: Mapped[str]
    activated_at: Mapped[datetime] = mapped_column(
        utc_timestamp(), server_default=sa.func.statement_timestamp()
    )


class PluginMember(Base):
    """What a plugin is to one member; no row: nothing yet."""

    __tablename__ = "plugin_member"

    plugin: Mapped[str] = mapped_column(primary_key=True)
    member_id: Mapped[UUID] = mapped_column(sa.ForeignKey("member.id"), primary_key=True)
    enabled: Mapped[bool] = mapped_column(server_default=sa.false())
    sandbox: Mapped[bool] = mapped_column(server_default=sa.false())
    """Only trial orders reach it."""
    changed_at: Mapped[datetime] = mapped_column(
        utc_timestamp(), server_default=sa.func.statement_timestamp()
    )


class PluginSetting(Base):
    """One set of settings of a plugin: the house's, a member's, or a member's for trial orders."""

    __tablename__ = "plugin_setting"
    __table_args__ = (
        sa.UniqueConstraint("plugin", "member_id", "sandbox", postgresql_nulls_not_distinct=True),
        sa.CheckConstraint("member_id is not null or not sandbox", name="house_has_one_set"),
    )

    id: Mapped[UUID] = mapped_column(primary_key=True)
    plugin: Mapped[str]
    member_id: Mapped[UUID | None] = mapped_column(sa.ForeignKey("member.id"))
    """Null: the house's."""
    sandbox: Mapped[bool] = mapped_column(server_default=sa.false())
    plain: Mapped[dict[str, Any]] = mapped_column(JSONB)
    """Values by field, secrets excepted."""
    secrets: Mapped[dict[str, str]] = mapped_column(JSONB)
    """Encrypted values by field."""
    actor: Mapped[str]
    changed_at: Mapped[datetime] = mapped_column(
        utc_timestamp(), server_default=sa.func.statement_timestamp()
    )
