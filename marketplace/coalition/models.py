"""Tables of the coalition. Written by imports and the operator, read by everyone."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column

from marketplace.coalition.domain import (
    Breakage,
    ContractRole,
    DisputeDefault,
    Funding,
    Netting,
)
from marketplace.models import INSERT_ONLY, Base, text_enum, utc_timestamp


class Member(Base):
    """A company in the coalition. Exactly one member is the operator."""

    __tablename__ = "member"
    __table_args__ = (
        sa.Index(
            "uq_member_one_operator", "is_operator", unique=True, postgresql_where="is_operator"
        ),
    )

    id: Mapped[UUID] = mapped_column(primary_key=True)
    slug: Mapped[str] = mapped_column(unique=True)
    """Its reference in files and on pages: lower case, digits and dashes."""
    name: Mapped[str]
    country: Mapped[str] = mapped_column(sa.CHAR(2))
    is_operator: Mapped[bool] = mapped_column(server_default=sa.false())
    created_at: Mapped[datetime] = mapped_column(utc_timestamp(), server_default=sa.func.now())


class Contract(Base):
    """A member's dated terms. At any moment at most one contract of a member is in force.

    Changed terms are a new row with the same reference and the next version, from a date on; the
    version before ends there. Lots keep the version they were issued under.
    """

    __tablename__ = "contract"
    __table_args__ = (
        sa.CheckConstraint("price_micros > 0", name="price_is_positive"),
        sa.CheckConstraint("fee_bps between 0 and 10000", name="fee_is_a_share"),
        sa.CheckConstraint("exposure_cap_micros >= 0", name="cap_is_not_negative"),
        sa.CheckConstraint("valid_to > valid_from", name="ends_after_it_starts"),
        sa.CheckConstraint(
            "(pooled_bps is null) = (funding in ('redemption', 'issuance'))",
            name="only_mixed_is_pooled_in_part",
        ),
        sa.CheckConstraint(
            "pooled_bps between 1 and 9999 and price_micros::numeric * pooled_bps >= 10000",
            name="pooled_share_is_a_micro_at_least",
        ),
        sa.CheckConstraint("cap_alert_bps between 1 and 10000", name="alert_is_a_share"),
        sa.CheckConstraint("dispute_days between 0 and 3650", name="dispute_days_are_few"),
        sa.UniqueConstraint("reference", "version"),
        sa.Index("ix_contract_member_id_valid_from", "member_id", "valid_from"),
    )

    id: Mapped[UUID] = mapped_column(primary_key=True)
    reference: Mapped[str]
    version: Mapped[int] = mapped_column(server_default="1")
    """Counts the dated changes of the contract with this reference, from 1."""
    member_id: Mapped[UUID] = mapped_column(sa.ForeignKey("member.id"))
    role: Mapped[ContractRole] = mapped_column(text_enum(ContractRole, "contract_role"))
    funding: Mapped[Funding] = mapped_column(text_enum(Funding, "funding"))
    currency: Mapped[str] = mapped_column(sa.CHAR(3))
    price_micros: Mapped[int] = mapped_column(sa.BigInteger)
    """What the issuer pays for one of its points, in micros of `currency`."""
    pooled_bps: Mapped[int | None]
    """Share of the price, in basis points, that is paid at issuance; null unless mixed."""
    fee_bps: Mapped[int] = mapped_column(server_default="0")
    """The operator's fee in basis points of what is settled (charged by settlement)."""
    breakage: Mapped[Breakage] = mapped_column(text_enum(Breakage, "breakage"))
    exposure_cap_micros: Mapped[int | None] = mapped_column(sa.BigInteger)
    """Most the issuer may owe for held and unsettled burns; null is no cap."""
    cap_alert_bps: Mapped[int] = mapped_column(server_default="8000")
    """Share of the cap, in basis points, from which finance and the member are alerted."""
    dispute_days: Mapped[int] = mapped_column(server_default="30")
    """How long after a window closes its lines can be disputed by this member."""
    dispute_default: Mapped[DisputeDefault] = mapped_column(
        text_enum(DisputeDefault, "dispute_default"), server_default="rejected"
    )
    netting: Mapped[Netting] = mapped_column(
        text_enum(Netting, "netting"), server_default="multilateral"
    )
    points_valid_days: Mapped[int | None]
    """Life of its points where an issuance names no expiry; null is for ever."""
    valid_from: Mapped[datetime] = mapped_column(utc_timestamp())
    valid_to: Mapped[datetime | None] = mapped_column(utc_timestamp())
    """Exclusive; null is open-ended."""


class Firm(Base):
    """A customer company whose people earn points."""

    __tablename__ = "firm"

    id: Mapped[UUID] = mapped_column(primary_key=True)
    reference: Mapped[str] = mapped_column(unique=True)
    name: Mapped[str]
    country: Mapped[str] = mapped_column(sa.CHAR(2))
    sponsor_id: Mapped[UUID | None] = mapped_column(sa.ForeignKey("member.id"))
    """The member that looks after the firm: its API keys may read and burn the firm's wallets."""


class CodeName(Base):
    """What a code that people read is called in their languages: a role in a firm, a tag."""

    __tablename__ = "code_name"

    id: Mapped[UUID] = mapped_column(primary_key=True)
    code: Mapped[str] = mapped_column(unique=True)
    """What it is and the code itself: `role:technician`, `tag:instant`."""
    names: Mapped[dict[str, str]] = mapped_column(JSONB)
    """Names by language code."""
    version: Mapped[int] = mapped_column(sa.BigInteger, server_default="1")
    """Counts its changes."""


class Participant(Base):
    """A person of a firm; owns one wallet."""

    __tablename__ = "participant"
    __table_args__ = (sa.Index("ix_participant_firm_id", "firm_id"),)

    id: Mapped[UUID] = mapped_column(primary_key=True)
    reference: Mapped[str] = mapped_column(unique=True)
    firm_id: Mapped[UUID] = mapped_column(sa.ForeignKey("firm.id"))
    name: Mapped[str]
    email: Mapped[str | None]
    role: Mapped[str]
    """Role in the firm (buyer, manager, technician ...): offers may be limited to roles."""
    locale: Mapped[str]
    """BCP 47 language tag."""


class CarriedExposure(Base):
    """What counts against an issuer's cap beside what is held and what is in unsettled windows.

    Whoever settles windows writes it: for what a settled window leaves unpaid, and with the
    opposite sign once that is paid after all.
    """

    __tablename__ = "carried_exposure"
    __table_args__ = (
        sa.CheckConstraint("micros <> 0", name="micros_are_something"),
        sa.Index("ix_carried_exposure_member_id", "member_id"),
        {"info": INSERT_ONLY},
    )

    origin: Mapped[str] = mapped_column(primary_key=True)
    """What is not paid, in the words of whoever settles: a line, a payment."""
    cause_id: Mapped[UUID] = mapped_column(primary_key=True)
    """What made it count, or count no more: a settlement, a payment."""
    member_id: Mapped[UUID]
    currency: Mapped[str] = mapped_column(sa.CHAR(3))
    micros: Mapped[int] = mapped_column(sa.BigInteger)
    posted_at: Mapped[datetime] = mapped_column(
        utc_timestamp(), server_default=sa.func.statement_timestamp()
    )
