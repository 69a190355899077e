"""Tables of disputes, their lines, what settlements did with these, and adjustments."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, mapped_column

from marketplace.coalition.domain import DisputeDefault
from marketplace.models import INSERT_ONLY, text_enum, utc_timestamp
from settlement.base import SettlementBase
from settlement.disputes.domain import DisputeStatus, LineAction


class Dispute(SettlementBase):
    """A member disputes lines of one window."""

    __tablename__ = "settlement_dispute"
    __table_args__ = (
        sa.Index("ix_settlement_dispute_member_id", "member_id"),
        sa.Index("ix_settlement_dispute_window_id", "window_id"),
        sa.Index(
            "ix_settlement_dispute_to_decide", "decide_by", postgresql_where="status = 'open'"
        ),
    )

    id: Mapped[UUID] = mapped_column(primary_key=True)
    member_id: Mapped[UUID]
    window_id: Mapped[UUID]
    status: Mapped[DisputeStatus] = mapped_column(
        text_enum(DisputeStatus, "settlement_dispute_status")
    )
    reason: Mapped[str]
    opened_at: Mapped[datetime] = mapped_column(utc_timestamp())
    opened_by: Mapped[str]
    decide_by: Mapped[datetime] = mapped_column(utc_timestamp())
    """Decided by default where nobody has until then."""
    default: Mapped[DisputeDefault] = mapped_column(
        "default_outcome", text_enum(DisputeDefault, "settlement_dispute_default")
    )
    decided_at: Mapped[datetime | None] = mapped_column(utc_timestamp())
    decided_by: Mapped[str | None]
    note: Mapped[str] = mapped_column(server_default="")


class DisputeLine(SettlementBase):
    """A line under dispute. `holds` until the dispute is withdrawn: a line is disputed once."""

    __tablename__ = "settlement_dispute_line"
    __table_args__ = (
        sa.Index(
            "uq_settlement_dispute_line_once",
            "wallet_id",
            "line_id",
            unique=True,
            postgresql_where="holds",
        ),
    )

    dispute_id: Mapped[UUID] = mapped_column(
        sa.ForeignKey("settlement_dispute.id"), primary_key=True
    )
    wallet_id: Mapped[UUID] = mapped_column(primary_key=True)
    """Zeros for a debt."""
    line_id: Mapped[int] = mapped_column(sa.BigInteger, primary_key=True, autoincrement=False)
    window_id: Mapped[UUID]
    holds: Mapped[bool]


class DisputedLineSettled(SettlementBase):
    """What a settlement did with a disputed line. Counts as long as that is not aborted."""

    __tablename__ = "settlement_disputed_line"
    __table_args__ = (
        sa.Index("ix_settlement_disputed_line_line", "wallet_id", "line_id"),
        {"info": INSERT_ONLY},
    )

    settlement_id: Mapped[UUID] = mapped_column(
        sa.ForeignKey("settlement_settlement.id"), primary_key=True
    )
    wallet_id: Mapped[UUID] = mapped_column(primary_key=True)
    line_id: Mapped[int] = mapped_column(sa.BigInteger, primary_key=True, autoincrement=False)
    action: Mapped[LineAction] = mapped_column(text_enum(LineAction, "settlement_line_action"))


class ClockPass(SettlementBase):
    """One row: the last two passes of the clock over what disputes undid. Real times, for the clock
    goes by them; passes less than `SAME_PASS` apart are one."""

    __tablename__ = "settlement_clock_pass"
    __table_args__ = (sa.CheckConstraint("id = 1", name="clock_pass_is_one_row"),)

    id: Mapped[int] = mapped_column(sa.SmallInteger, primary_key=True, autoincrement=False)
    began_at: Mapped[datetime] = mapped_column(utc_timestamp())
    before_at: Mapped[datetime | None] = mapped_column(utc_timestamp())
    """When the one before it began: over by now."""


class Adjustment(SettlementBase):
    """One debt that undoes a part of a line; it names its origin and is never changed."""

    __tablename__ = "settlement_adjustment"
    __table_args__ = (
        sa.UniqueConstraint("wallet_id", "line_id", "part"),
        {"info": INSERT_ONLY},
    )

    id: Mapped[UUID] = mapped_column(primary_key=True)
    dispute_id: Mapped[UUID] = mapped_column(sa.ForeignKey("settlement_dispute.id"))
    wallet_id: Mapped[UUID]
    line_id: Mapped[int] = mapped_column(sa.BigInteger)
    """The line it undoes: its origin."""
    part: Mapped[str]
    debt_id: Mapped[int] = mapped_column(sa.BigInteger)
    """The `member_debt` that it is booked as, with the reference `adjustment:<id>`."""
    window_id: Mapped[UUID]
    """The window of that debt."""
