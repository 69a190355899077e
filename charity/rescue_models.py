"""Tables of points that are given before they expire."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.orm import Mapped, mapped_column

from charity.domain import PlanStatus
from charity.models import CharityBase
from marketplace.models import text_enum, utc_timestamp


class Rescue(CharityBase):
    """A participant's wish that points of theirs are given before they expire, until it is
    stopped."""

    __tablename__ = "charity_rescue"
    __table_args__ = (
        sa.CheckConstraint("notice_days between 2 and 30", name="notice_is_in_time"),
        sa.Index(
            "uq_charity_rescue_wallet_id",
            "wallet_id",
            unique=True,
            postgresql_where="stopped_at is null",
        ),
        sa.Index("ix_charity_rescue_participant_id", "participant_id"),
    )

    id: Mapped[UUID] = mapped_column(primary_key=True)
    wallet_id: Mapped[UUID]
    """A participant's own; never a firm's pool."""
    participant_id: Mapped[UUID]
    person_id: Mapped[UUID]
    campaign_id: Mapped[UUID] = mapped_column(sa.ForeignKey("charity_campaign.id"))
    fallback: Mapped[bool]
    """Whether the charity's general fund gets them where the campaign is closed by then."""
    notice_days: Mapped[int] = mapped_column(sa.SmallInteger)
    """Days between the notice and the gift."""
    anonymous: Mapped[bool]
    locale: Mapped[str]
    made_at: Mapped[datetime] = mapped_column(utc_timestamp())
    stopped_at: Mapped[datetime | None] = mapped_column(utc_timestamp())
    stopped_why: Mapped[str] = mapped_column(server_default="")


class RescuePlan(CharityBase):
    """A gift of points that expire, as it was announced: which points, how many, when."""

    __tablename__ = "charity_rescue_plan"
    __table_args__ = (
        sa.CheckConstraint("points > 0", name="points_are_positive"),
        sa.CheckConstraint("give_at < until", name="is_given_before_they_expire"),
        sa.Index("ix_charity_rescue_plan_rescue_id", "rescue_id", "give_at"),
        sa.Index("ix_charity_rescue_plan_due", "try_at", postgresql_where="status = 'announced'"),
        sa.Index("uq_charity_rescue_plan_burn_id", "burn_id", unique=True),
    )

    id: Mapped[UUID] = mapped_column(primary_key=True)
    rescue_id: Mapped[UUID] = mapped_column(sa.ForeignKey("charity_rescue.id"))
    lot_ids: Mapped[list[int]] = mapped_column(ARRAY(sa.BigInteger))
    """The lots whose points were announced; no other's are given."""
    points: Mapped[int] = mapped_column(sa.BigInteger)
    """Announced; fewer are given where some were spent meanwhile, never more."""
    until: Mapped[datetime] = mapped_column(utc_timestamp())
    """When the first of them expire."""
    last_until: Mapped[datetime] = mapped_column(utc_timestamp())
    """When the last of them expire: after that nothing can be given."""
    give_at: Mapped[datetime] = mapped_column(utc_timestamp())
    announced_at: Mapped[datetime] = mapped_column(utc_timestamp())
    status: Mapped[PlanStatus] = mapped_column(text_enum(PlanStatus, "charity_plan_status"))
    try_at: Mapped[datetime] = mapped_column(utc_timestamp())
    attempt: Mapped[int] = mapped_column(server_default="0")
    burn_id: Mapped[UUID | None] = mapped_column(sa.ForeignKey("charity_gift.burn_id"))
    """The gift of the last attempt."""
    reason: Mapped[str] = mapped_column(server_default="")
    """Code of why the last attempt was refused."""
