"""Receipts: numbered without gaps per charity and year; corrections are new ones."""

from __future__ import annotations

from datetime import date, datetime
from uuid import UUID

import msgspec
import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from charity import telling
from charity.domain import Donor
from charity.models import (
    Campaign,
    Charity,
    Gift,
    Match,
    Receipt,
    ReceiptCounter,
    Share,
)
from charity.notes import now_of
from marketplace.coalition.models import Firm, Member, Participant
from marketplace.ids import uuid7


class Matcher(msgspec.Struct, frozen=True, kw_only=True):
    """Who added to a gift, and how much."""

    name: str
    points: int
    money_micros: int


class Facts(msgspec.Struct, frozen=True, kw_only=True):
    """What a receipt states; it is never changed."""

    charity: str
    """Legal name, with country and registration number."""
    country: str
    number: str
    number_checked: bool
    campaign: str
    """Title in the receipt's language."""
    designation: str
    donor: Donor
    donor_name: str
    """The donor of record: who owned the points."""
    language: str
    currency: str
    rate_micros: int
    points: int
    """Given, without what was refunded, or taken back after a dispute."""
    money_micros: int
    """That the charity has for them."""
    refunded_points: int
    taken_back_points: int = 0
    """Whose money the charity gave back, because a dispute about them was upheld."""
    taken_back_micros: int = 0
    matchers: list[Matcher]
    match_taken_back_points: int = 0
    """Of the match; in `matchers` they are left out."""
    match_taken_back_micros: int = 0
    dedication: str
    given_on: date
    captured_at: datetime

    @property
    def matched_micros(self) -> int:
        return sum(each.money_micros for each in self.matchers)


def issue(session: Session, gift: Gift, matched_points: int) -> Receipt:
    """The receipt of a captured gift, or the correction of the one before; the gift is locked.

    The number is taken in this transaction: one that fails gives it back, and whoever takes the
    next one waits for this one's end.
    """
    campaign = session.get_one(Campaign, gift.campaign_id)
    charity = session.get_one(Charity, campaign.charity_id)
    before = session.scalar(
        sa.select(Receipt)
        .where(Receipt.burn_id == gift.burn_id)
        .order_by(Receipt.version.desc())
        .limit(1)
    )
    now = now_of(session)
    facts = _facts(session, gift, campaign, charity)
    if sum(each.points for each in facts.matchers) != matched_points:
        raise RuntimeError(f"the match of gift {gift.burn_id} is not what its receipt says")
    receipt = Receipt(
        id=uuid7(),
        charity_id=charity.id,
        year=now.year,
        number=_next_number(session, charity.id, now.year),
        burn_id=gift.burn_id,
        version=1 if before is None else before.version + 1,
        corrects_id=None if before is None else before.id,
        facts=msgspec.to_builtins(facts),
        issued_at=now,
    )
    session.add(receipt)
    session.flush()
    said = facts if before is None else facts_of(before)
    telling.receipt_ready(
        session,
        gift,
        receipt,
        code_of(charity, receipt),
        taken_back_points=_more(before, facts.taken_back_points, said.taken_back_points),
        match_taken_back_points=_more(
            before, facts.match_taken_back_points, said.match_taken_back_points
        ),
    )
    return receipt


def _more(before: Receipt | None, now: int, said: int) -> int:
    """The points taken back, where the receipt before says fewer; else zero."""
    return now if before is None or now > said else 0


def _next_number(session: Session, charity_id: UUID, year: int) -> int:
    new = insert(ReceiptCounter).values(charity_id=charity_id, year=year, last=1)
    asked = new.on_conflict_do_update(
        index_elements=["charity_id", "year"], set_={"last": ReceiptCounter.last + 1}
    )
    number: int = session.execute(asked.returning(ReceiptCounter.last)).scalar_one()
    return number


def _facts(session: Session, gift: Gift, campaign: Campaign, charity: Charity) -> Facts:
    if gift.captured_at is None:
        raise RuntimeError(f"gift {gift.burn_id} is not captured")
    left = gift.points - gift.refunded_points
    match_back = _match_back(session, gift)
    return Facts(
        charity=charity.legal_name,
        country=charity.country,
        number=charity.number,
        number_checked=charity.number_checked,
        campaign=telling.title_of(session, campaign, gift.locale),
        designation=campaign.designation,
        donor=gift.donor,
        donor_name=_donor_name(session, gift),
        language=gift.locale,
        currency=campaign.currency,
        rate_micros=campaign.rate_micros,
        points=gift.kept_points,
        money_micros=left * campaign.rate_micros - gift.taken_back_micros,
        refunded_points=gift.refunded_points,
        taken_back_points=gift.taken_back_points,
        taken_back_micros=gift.taken_back_micros,
        matchers=_matchers(session, gift, campaign.rate_micros),
        match_taken_back_points=match_back,
        match_taken_back_micros=match_back * campaign.rate_micros,
        dedication=gift.dedication,
        given_on=gift.made_at.date(),
        captured_at=gift.captured_at,
    )


def _donor_name(session: Session, gift: Gift) -> str:
    if gift.firm_id is not None:
        return session.get_one(Firm, gift.firm_id).name
    return session.get_one(Participant, gift.participant_id).name


def _matchers(session: Session, gift: Gift, rate_micros: int) -> list[Matcher]:
    stays = Share.kept_points
    query = (
        sa.select(sa.func.coalesce(Member.name, Firm.name), stays)
        .select_from(Share)
        .join(Match, Match.id == Share.match_id)
        .outerjoin(Member, Member.id == Match.member_id)
        .outerjoin(Firm, Firm.id == Match.firm_id)
        .where(Share.burn_id == gift.burn_id, stays > 0)
        .order_by(Match.id)
    )
    return [
        Matcher(name=name, points=points, money_micros=points * rate_micros)
        for name, points in session.execute(query).all()
    ]


def _match_back(session: Session, gift: Gift) -> int:
    query = sa.select(sa.func.coalesce(sa.func.sum(Share.taken_back_points), 0))
    return int(session.scalar(query.where(Share.burn_id == gift.burn_id)) or 0)


def facts_of(receipt: Receipt) -> Facts:
    """What a receipt states."""
    return msgspec.convert(receipt.facts, Facts)


def code_of(charity: Charity, receipt: Receipt) -> str:
    """Its number as it is printed: `aqua/2026/000017`."""
    return f"{charity.slug}/{receipt.year}/{receipt.number:06d}"
