"""Tables of charity. Members, wallets, burns and offers are named by their ids and references."""

from __future__ import annotations

from datetime import date, datetime
from typing import Any
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import ARRAY, JSONB
from sqlalchemy.ext.hybrid import hybrid_property
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

from charity.domain import Donor, GiftStatus, MatchMode, Origin, Surplus, Verification
from marketplace.api import plugin_metadata
from marketplace.models import INSERT_ONLY, text_enum, utc_timestamp

OPEN_GIFTS = "status in ('asked', 'held', 'given', 'cancelled')"


class CharityBase(DeclarativeBase):
    """Base of charity's tables: a history of its own, beside the core's."""

    metadata = plugin_metadata()


class Charity(CharityBase):
    """A legal entity that gifts are paid to: a member of the coalition that accepts points."""

    __tablename__ = "charity_charity"
    __table_args__ = (
        sa.CheckConstraint(
            "(state = 'pending') = (verified_on is null)", name="verified_has_a_date"
        ),
        sa.CheckConstraint("review_due_on > verified_on", name="review_comes_later"),
    )

    id: Mapped[UUID] = mapped_column(primary_key=True)
    slug: Mapped[str] = mapped_column(unique=True)
    member_id: Mapped[UUID] = mapped_column(unique=True)
    legal_name: Mapped[str]
    country: Mapped[str] = mapped_column(sa.CHAR(2))
    number: Mapped[str]
    """Its registration number."""
    number_checked: Mapped[bool]
    """Whether the form of the number was checked: we do not know every country's."""
    iban: Mapped[str]
    """The account that its documents name; what settlement pays to is approved there."""
    state: Mapped[Verification] = mapped_column(text_enum(Verification, "charity_verification"))
    verified_on: Mapped[date | None]
    document: Mapped[str] = mapped_column(server_default="")
    """What was looked at: a register extract, its date."""
    review_due_on: Mapped[date | None]
    reason: Mapped[str] = mapped_column(server_default="")
    """Why it is suspended."""


class Campaign(CharityBase):
    """What a charity collects for. Gifts to it are burns of one offer, of one point a unit."""

    __tablename__ = "charity_campaign"
    __table_args__ = (
        sa.CheckConstraint("goal_micros > 0", name="goal_is_positive"),
        sa.CheckConstraint("rate_micros > 0", name="rate_is_positive"),
        sa.CheckConstraint("ends_at > starts_at", name="ends_after_it_starts"),
        sa.CheckConstraint("grace_minutes between 0 and 10080", name="grace_is_a_week_at_most"),
        sa.Index("ix_charity_campaign_charity_id", "charity_id"),
        sa.Index(
            "ix_charity_campaign_surplus_waits", "charity_id", postgresql_where="surplus_waits"
        ),
    )

    id: Mapped[UUID] = mapped_column(primary_key=True)
    slug: Mapped[str] = mapped_column(unique=True)
    charity_id: Mapped[UUID] = mapped_column(sa.ForeignKey("charity_charity.id"))
    offer_id: Mapped[UUID] = mapped_column(unique=True)
    currency: Mapped[str] = mapped_column(sa.CHAR(3))
    rate_micros: Mapped[int] = mapped_column(sa.BigInteger)
    """What the charity gets for one point; never changes."""
    goal_micros: Mapped[int] = mapped_column(sa.BigInteger)
    starts_at: Mapped[datetime] = mapped_column(utc_timestamp())
    ends_at: Mapped[datetime | None] = mapped_column(utc_timestamp())
    surplus: Mapped[Surplus] = mapped_column(text_enum(Surplus, "charity_surplus"))
    grace_minutes: Mapped[int]
    designation: Mapped[str] = mapped_column(server_default="")
    """What the charity means to use it for; advisory, and called so."""
    default_locale: Mapped[str]
    reached_at: Mapped[datetime | None] = mapped_column(utc_timestamp())
    """When gifts and matches were seen to have come to the goal; givers were told then."""
    closed_at: Mapped[datetime | None] = mapped_column(utc_timestamp())
    closed_reason: Mapped[str] = mapped_column(server_default="")
    surplus_waits: Mapped[bool] = mapped_column(server_default=sa.false())
    """It has more than its goal, and there is no next campaign to pass it on to yet."""


class CampaignText(CharityBase):
    """Title and story in one language."""

    __tablename__ = "charity_campaign_text"

    campaign_id: Mapped[UUID] = mapped_column(
        sa.ForeignKey("charity_campaign.id"), primary_key=True
    )
    locale: Mapped[str] = mapped_column(primary_key=True)
    title: Mapped[str]
    story: Mapped[str]


class Milestone(CharityBase):
    """An amount on the way to the goal, and what it makes possible, by language."""

    __tablename__ = "charity_milestone"

    campaign_id: Mapped[UUID] = mapped_column(
        sa.ForeignKey("charity_campaign.id"), primary_key=True
    )
    amount_micros: Mapped[int] = mapped_column(sa.BigInteger, primary_key=True, autoincrement=False)
    words: Mapped[dict[str, str]] = mapped_column(JSONB)


class Match(CharityBase):
    """A member, or a firm, adds to each gift of a campaign, up to a cap."""

    __tablename__ = "charity_match"
    __table_args__ = (
        sa.CheckConstraint("used_points between 0 and cap_points", name="never_above_its_cap"),
        sa.CheckConstraint("ratio_bps > 0", name="ratio_is_positive"),
        sa.CheckConstraint("num_nonnulls(member_id, firm_id) = 1", name="is_of_one"),
        sa.CheckConstraint(
            "firm_id is null or (mode = 'prefunded' and fund_id is not null)",
            name="a_firm_pays_ahead",
        ),
        sa.Index("ix_charity_match_campaign_id", "campaign_id"),
        sa.Index("uq_charity_match_fund_id", "fund_id", unique=True),
    )

    id: Mapped[UUID] = mapped_column(primary_key=True)
    campaign_id: Mapped[UUID] = mapped_column(sa.ForeignKey("charity_campaign.id"))
    member_id: Mapped[UUID | None]
    firm_id: Mapped[UUID | None]
    """A firm that is no member: it pays ahead, in points of its pool."""
    ratio_bps: Mapped[int]
    cap_points: Mapped[int] = mapped_column(sa.BigInteger)
    used_points: Mapped[int] = mapped_column(sa.BigInteger, server_default="0")
    mode: Mapped[MatchMode] = mapped_column(text_enum(MatchMode, "charity_match_mode"))
    ended_at: Mapped[datetime | None] = mapped_column(utc_timestamp())
    booked: Mapped[int] = mapped_column(server_default="0")
    """Debts booked for a prefunded match; the last one stands, those before are undone."""
    booked_micros: Mapped[int] = mapped_column(sa.BigInteger, server_default="0")
    fund_id: Mapped[UUID | None] = mapped_column(sa.ForeignKey("charity_gift.burn_id"))
    """A firm's gift of the whole cap; what was not matched is refunded when it ends."""
    funded_at: Mapped[datetime | None] = mapped_column(utc_timestamp())
    """When that gift was captured; a firm's match adds nothing before."""
    undone_at: Mapped[datetime | None] = mapped_column(utc_timestamp())
    """When a dispute undid its whole debt: it owes nothing from then on."""


class Gift(CharityBase):
    """A burn that is a gift: who gave it, to what, and how far it is."""

    __tablename__ = "charity_gift"
    __table_args__ = (
        sa.CheckConstraint("points > 0", name="points_are_positive"),
        sa.CheckConstraint("refunded_points between 0 and points", name="refund_is_within"),
        sa.CheckConstraint(
            "taken_back_points between 0 and points - refunded_points", name="dispute_is_within"
        ),
        sa.CheckConstraint(
            "num_nonnulls(participant_id, firm_id) = 1", name="has_one_donor_of_record"
        ),
        sa.CheckConstraint(
            "(donor = 'person') = (participant_id is not null)", name="donor_owned_the_points"
        ),
        sa.UniqueConstraint("caller_id", "key"),
        sa.Index("ix_charity_gift_open", "burn_id", postgresql_where=OPEN_GIFTS),
        sa.Index("ix_charity_gift_campaign_id", "campaign_id", "status"),
        sa.Index("ix_charity_gift_participant_id", "participant_id", "made_at"),
        sa.Index("ix_charity_gift_firm_id", "firm_id", "made_at"),
    )

    burn_id: Mapped[UUID] = mapped_column(primary_key=True)
    wallet_id: Mapped[UUID]
    campaign_id: Mapped[UUID] = mapped_column(sa.ForeignKey("charity_campaign.id"))
    donor: Mapped[Donor] = mapped_column(text_enum(Donor, "charity_donor"))
    participant_id: Mapped[UUID | None]
    firm_id: Mapped[UUID | None]
    caller_id: Mapped[UUID]
    """Who asked; with `key` the idempotency key of the burn."""
    key: Mapped[str]
    origin: Mapped[Origin] = mapped_column(text_enum(Origin, "charity_origin"))
    points: Mapped[int] = mapped_column(sa.BigInteger)
    money_micros: Mapped[int] = mapped_column(sa.BigInteger)
    refunded_points: Mapped[int] = mapped_column(sa.BigInteger, server_default="0")
    taken_back_points: Mapped[int] = mapped_column(sa.BigInteger, server_default="0")
    """Whose money the charity gave back after disputes; refunded ones are not among them."""
    taken_back_micros: Mapped[int] = mapped_column(sa.BigInteger, server_default="0")
    status: Mapped[GiftStatus] = mapped_column(text_enum(GiftStatus, "charity_gift_status"))
    reason: Mapped[str] = mapped_column(server_default="")
    """Why it was refused or taken back."""
    anonymous: Mapped[bool]
    dedication: Mapped[str] = mapped_column(server_default="")
    locale: Mapped[str]
    """Of the receipt."""
    made_at: Mapped[datetime] = mapped_column(utc_timestamp())
    grace_until: Mapped[datetime] = mapped_column(utc_timestamp())
    captured_at: Mapped[datetime | None] = mapped_column(utc_timestamp())
    asked_at: Mapped[datetime] = mapped_column(
        utc_timestamp(), server_default=sa.func.statement_timestamp()
    )
    """Real time."""

    @hybrid_property
    def kept_points(self) -> int:
        """Points that the charity has the money of, once they are captured."""
        return self.points - self.refunded_points - self.taken_back_points


class UndoneGift(CharityBase):
    """What a gift captured of one lot, undone whole after a dispute that was upheld."""

    __tablename__ = "charity_undone_gift"
    __table_args__ = (
        sa.Index("ix_charity_undone_gift_burn_id", "burn_id"),
        {"info": INSERT_ONLY},
    )

    wallet_id: Mapped[UUID] = mapped_column(primary_key=True)
    line_id: Mapped[int] = mapped_column(sa.BigInteger, primary_key=True, autoincrement=False)
    """Of the obligation."""
    burn_id: Mapped[UUID] = mapped_column(sa.ForeignKey("charity_gift.burn_id"))
    heard_at: Mapped[datetime] = mapped_column(utc_timestamp())


class UndoneDebt(CharityBase):
    """A debt of a match, undone whole after a dispute that was upheld."""

    __tablename__ = "charity_undone_debt"
    __table_args__ = ({"info": INSERT_ONLY},)

    reference: Mapped[str] = mapped_column(primary_key=True)
    """As it was booked."""
    undone_at: Mapped[datetime] = mapped_column(utc_timestamp())
    heard_at: Mapped[datetime] = mapped_column(utc_timestamp())


class Share(CharityBase):
    """What a match adds to one gift."""

    __tablename__ = "charity_share"
    __table_args__ = (
        sa.CheckConstraint("points > 0", name="points_are_positive"),
        sa.CheckConstraint("returned_points between 0 and points", name="return_is_within"),
        sa.CheckConstraint(
            "taken_back_points between 0 and points - returned_points", name="dispute_is_within"
        ),
        sa.Index("ix_charity_share_match_id", "match_id"),
        sa.Index("ix_charity_share_untold", "burn_id", postgresql_where="untold"),
    )

    burn_id: Mapped[UUID] = mapped_column(sa.ForeignKey("charity_gift.burn_id"), primary_key=True)
    match_id: Mapped[UUID] = mapped_column(sa.ForeignKey("charity_match.id"), primary_key=True)
    points: Mapped[int] = mapped_column(sa.BigInteger)
    returned_points: Mapped[int] = mapped_column(sa.BigInteger, server_default="0")
    """Given back to the match; all of them where the gift never came."""
    booked: Mapped[int] = mapped_column(server_default="0")
    """Debts booked for it where it is billed; the last one stands."""
    booked_micros: Mapped[int] = mapped_column(sa.BigInteger, server_default="0")
    undone_at: Mapped[datetime | None] = mapped_column(utc_timestamp())
    """When a dispute undid its debt: it owes nothing from then on."""
    taken_back_points: Mapped[int] = mapped_column(sa.BigInteger, server_default="0")
    """Of those that were not returned: whose money the charity gave back after disputes. The cap
    is used by them all the same."""
    untold: Mapped[bool] = mapped_column(server_default=sa.false())
    """The gift's receipt does not know of `taken_back_points` yet."""

    @hybrid_property
    def kept_points(self) -> int:
        """Points that the charity has the money of, once the gift is captured."""
        return self.points - self.returned_points - self.taken_back_points


class Schedule(CharityBase):
    """A gift every month, until its giver stops it."""

    __tablename__ = "charity_schedule"
    __table_args__ = (
        sa.CheckConstraint("points > 0", name="points_are_positive"),
        sa.CheckConstraint("day between 1 and 31", name="day_is_in_some_month"),
        sa.Index("ix_charity_schedule_due", "next_on", postgresql_where="stopped_at is null"),
        sa.Index("ix_charity_schedule_wallet_id", "wallet_id"),
    )

    id: Mapped[UUID] = mapped_column(primary_key=True)
    wallet_id: Mapped[UUID]
    person_id: Mapped[UUID]
    campaign_id: Mapped[UUID] = mapped_column(sa.ForeignKey("charity_campaign.id"))
    points: Mapped[int] = mapped_column(sa.BigInteger)
    day: Mapped[int] = mapped_column(sa.SmallInteger)
    next_on: Mapped[date]
    anonymous: Mapped[bool]
    locale: Mapped[str]
    made_at: Mapped[datetime] = mapped_column(utc_timestamp())
    stopped_at: Mapped[datetime | None] = mapped_column(utc_timestamp())
    stopped_why: Mapped[str] = mapped_column(server_default="")
    last_refusal: Mapped[str] = mapped_column(server_default="")
    """Code of why the last month's gift could not be given; empty where it could."""


class ReceiptCounter(CharityBase):
    """The last number given in a year, by charity."""

    __tablename__ = "charity_receipt_counter"

    charity_id: Mapped[UUID] = mapped_column(sa.ForeignKey("charity_charity.id"), primary_key=True)
    year: Mapped[int] = mapped_column(sa.SmallInteger, primary_key=True, autoincrement=False)
    last: Mapped[int]


class Receipt(CharityBase):
    """What a donor of record was told of a gift. A correction is a new one that names the old."""

    __tablename__ = "charity_receipt"
    __table_args__ = (
        sa.UniqueConstraint("charity_id", "year", "number"),
        sa.UniqueConstraint("burn_id", "version"),
        sa.CheckConstraint(
            "(version = 1) = (corrects_id is null)", name="correction_names_the_old"
        ),
        {"info": INSERT_ONLY},
    )

    id: Mapped[UUID] = mapped_column(primary_key=True)
    charity_id: Mapped[UUID] = mapped_column(sa.ForeignKey("charity_charity.id"))
    year: Mapped[int] = mapped_column(sa.SmallInteger)
    number: Mapped[int]
    burn_id: Mapped[UUID] = mapped_column(sa.ForeignKey("charity_gift.burn_id"))
    version: Mapped[int] = mapped_column(sa.SmallInteger)
    corrects_id: Mapped[UUID | None] = mapped_column(sa.ForeignKey("charity_receipt.id"))
    facts: Mapped[dict[str, Any]] = mapped_column(JSONB)
    """`charity.receipts.Facts` as it was then."""
    issued_at: Mapped[datetime] = mapped_column(utc_timestamp())


class Draft(CharityBase):
    """A campaign that is being written; started, it becomes a campaign with the same id."""

    __tablename__ = "charity_draft"

    id: Mapped[UUID] = mapped_column(primary_key=True)
    slug: Mapped[str] = mapped_column(unique=True)
    charity_id: Mapped[UUID] = mapped_column(sa.ForeignKey("charity_charity.id"))
    document: Mapped[dict[str, Any]] = mapped_column(JSONB)
    """`charity.campaigns.NewCampaign` as it is so far."""
    made_by: Mapped[str]
    changed_at: Mapped[datetime] = mapped_column(utc_timestamp())


class Picture(CharityBase):
    """A picture, known by the SHA-256 of what was uploaded; re-encoded, never kept as it came."""

    __tablename__ = "charity_picture"

    hash: Mapped[str] = mapped_column(primary_key=True)
    width: Mapped[int]
    height: Mapped[int]
    widths: Mapped[list[int]] = mapped_column(ARRAY(sa.Integer))
    """Widths it is served in, ascending."""


class PictureFile(CharityBase):
    """A picture in one width, as WebP."""

    __tablename__ = "charity_picture_file"

    hash: Mapped[str] = mapped_column(
        sa.ForeignKey("charity_picture.hash", ondelete="CASCADE"), primary_key=True
    )
    width: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    body: Mapped[bytes]


class CampaignPicture(CharityBase):
    """The pictures of a campaign or its draft, in order; the first is on its card."""

    __tablename__ = "charity_campaign_picture"
    __table_args__ = (sa.Index("ix_charity_campaign_picture_hash", "hash"),)

    campaign_id: Mapped[UUID] = mapped_column(primary_key=True)
    """Of the campaign or the draft that it was."""
    hash: Mapped[str] = mapped_column(sa.ForeignKey("charity_picture.hash"), primary_key=True)
    position: Mapped[int] = mapped_column(sa.SmallInteger)
    alt: Mapped[dict[str, str]] = mapped_column(JSONB)
    """What is seen on it, by language."""


class FailedPayment(CharityBase):
    """A payment to a charity that did not arrive, as far as givers were told of it."""

    __tablename__ = "charity_failed_payment"
    __table_args__ = (sa.Index("ix_charity_failed_payment_charity_id", "charity_id"),)

    reference: Mapped[str] = mapped_column(primary_key=True)
    """As the clearing house names it."""
    charity_id: Mapped[UUID] = mapped_column(sa.ForeignKey("charity_charity.id"))
    told_at: Mapped[datetime] = mapped_column(utc_timestamp())
    paid_by: Mapped[str | None]
    """The payment that paid it anew; givers were told of that too."""


class SurplusMark(CharityBase):
    """Up to which receipt of a charity and year its campaigns' surplus was reckoned.

    Gifts and refunds that are booked each have a receipt, and numbers are committed in their order:
    what lies beyond the mark is all that changed since.
    """

    __tablename__ = "charity_surplus_mark"

    charity_id: Mapped[UUID] = mapped_column(sa.ForeignKey("charity_charity.id"), primary_key=True)
    year: Mapped[int] = mapped_column(sa.SmallInteger, primary_key=True, autoincrement=False)
    number: Mapped[int]


class SurplusMove(CharityBase):
    """Money beyond a campaign's goal that is designated elsewhere; a correction is a new row."""

    __tablename__ = "charity_surplus_move"
    __table_args__ = (
        sa.CheckConstraint("amount_micros <> 0", name="amount_is_not_zero"),
        sa.CheckConstraint("to_campaign_id <> campaign_id", name="goes_elsewhere"),
        sa.Index("ix_charity_surplus_move_campaign_id", "campaign_id"),
        sa.Index("ix_charity_surplus_move_to_campaign_id", "to_campaign_id"),
        {"info": INSERT_ONLY},
    )

    id: Mapped[UUID] = mapped_column(primary_key=True)
    campaign_id: Mapped[UUID] = mapped_column(sa.ForeignKey("charity_campaign.id"))
    """Where it was raised."""
    to_campaign_id: Mapped[UUID | None] = mapped_column(sa.ForeignKey("charity_campaign.id"))
    """None: the charity's general fund."""
    amount_micros: Mapped[int] = mapped_column(sa.BigInteger)
    """In the currency of both; below zero where a refund made the surplus smaller."""
    moved_at: Mapped[datetime] = mapped_column(utc_timestamp())
