"""Gifts as whoever owned their points sees them: how each stands, its way to the bank, the year."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import UTC, date, datetime
from uuid import UUID

import msgspec
import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncSession

from charity import campaigns, receipts
from charity.domain import Donor, GiftStatus, Origin
from charity.errors import UnknownCause
from charity.models import Campaign, Charity, Gift, Receipt, Share
from marketplace.api import BurnStep
from marketplace.clock import now
from marketplace.fulfilment.tracing import BurnTraces
from marketplace.identity.domain import Principal

MOST = 100
"""Gifts shown at once; the yearly summary has all."""
FAILED = "rejected"
"""A stage of the way, in words of `BurnStep.stage`: that money is not with the charity."""


class Owner(msgspec.Struct, frozen=True):
    """Whose gifts: a participant's, or those from a firm's pool."""

    participant_id: UUID | None
    firm_id: UUID | None

    @property
    def mine(self) -> sa.ColumnElement[bool]:
        found = []
        if self.participant_id is not None:
            found.append(Gift.participant_id == self.participant_id)
        if self.firm_id is not None:
            found.append(Gift.firm_id == self.firm_id)
        return sa.or_(sa.false(), *found)


def owner_of(principal: Principal) -> Owner:
    """Whose gifts the caller may see: their own, and the pool's of the firm they manage."""
    return Owner(principal.participant_id, principal.firm_id)


class GiftView(msgspec.Struct, frozen=True, kw_only=True):
    """One gift. Points and money without what was refunded, or taken back after a dispute; micros
    of `currency`."""

    id: UUID
    """Of the burn."""
    campaign: str
    title: str
    charity: str
    """Legal name."""
    donor: Donor
    origin: Origin
    status: GiftStatus
    reason: str
    """Why it did not come."""
    points: int
    refunded_points: int
    taken_back_points: int
    """Whose money the charity gave back, because an issuer disputed them with right."""
    taken_back_micros: int
    money_micros: int
    rate_micros: int
    """Of one point."""
    matched_points: int
    matched_micros: int
    currency: str
    anonymous: bool
    dedication: str
    made_at: datetime
    captured_at: datetime | None
    cancel_until: datetime | None
    """It can be taken back until then; None: it cannot."""
    receipts: list[str]
    """Numbers, as printed; the last one counts."""
    receipt_id: UUID | None
    """Of the one that counts."""
    way: list[BurnStep]
    """Where its money went after the capture."""

    @property
    def unpaid_points(self) -> int:
        """Points whose payment did not arrive and was not made anew, without those of them that
        were refunded or taken back since."""
        anew = {each.replaces for each in self.way}
        failed = [each for each in self.way if each.stage == FAILED and each.reference not in anew]
        missing = (
            each.points - each.undone_points if each.points else self.points for each in failed
        )
        return min(self.points, sum(missing))

    @property
    def payment_failed(self) -> bool:
        """Whether the last payment that some of it was part of did not arrive."""
        return self.unpaid_points > 0


class Sum(msgspec.Struct, frozen=True, kw_only=True):
    """Gifts of a year in one currency."""

    currency: str
    gifts: int
    points: int
    money_micros: int
    matched_points: int
    matched_micros: int
    refunded_points: int
    unpaid_points: int
    """Of `points`: those whose payment failed and was not made again yet."""
    unpaid_micros: int
    taken_back_points: int
    """Beside `points`: those whose money the charity gave back after disputes that were upheld."""
    taken_back_micros: int


ADDED = (
    "points",
    "money_micros",
    "matched_points",
    "matched_micros",
    "refunded_points",
    "unpaid_points",
    "taken_back_points",
    "taken_back_micros",
)
"""Figures of a `Sum` that are those of its gifts, added."""


class Year(msgspec.Struct, frozen=True, kw_only=True):
    """What was captured in a calendar year (UTC)."""

    year: int
    donor: Donor
    sums: list[Sum]
    gifts: list[GiftView]


async def gifts_of(
    session: AsyncSession,
    owner: Owner,
    language: str,
    *,
    only: UUID | None = None,
    traces: BurnTraces | None = None,
) -> list[GiftView]:
    """Gifts, newest first; with `traces` their way too."""
    query = sa.select(Gift).where(owner.mine, Gift.status != GiftStatus.ASKED)
    if only is not None:
        query = query.where(Gift.burn_id == only)
    found = await session.scalars(query.order_by(Gift.made_at.desc(), Gift.burn_id).limit(MOST))
    return await _views(session, list(found), language, traces)


async def year_of(
    session: AsyncSession,
    owner: Owner,
    donor: Donor,
    year: int,
    language: str,
    traces: BurnTraces | None = None,
) -> Year:
    """What a donor of record gave in a year; UnknownCause where the caller is none such."""
    whose = owner.participant_id if donor is Donor.PERSON else owner.firm_id
    if whose is None or not 2000 <= year <= 9998:
        raise UnknownCause("There is no such summary of yours.")
    begins, ends = datetime(year, 1, 1, tzinfo=UTC), datetime(year + 1, 1, 1, tzinfo=UTC)
    query = sa.select(Gift).where(
        owner.mine,
        Gift.donor == donor,
        Gift.status == GiftStatus.CAPTURED,
        Gift.captured_at >= begins,
        Gift.captured_at < ends,
    )
    found = await session.scalars(query.order_by(Gift.captured_at, Gift.burn_id))
    views = await _views(session, list(found), language, traces)
    return Year(year=year, donor=donor, sums=_sums(views), gifts=views)


def _sums(views: Sequence[GiftView]) -> list[Sum]:
    found: dict[str, Counter[str]] = {}
    for each in views:
        sums = found.setdefault(each.currency, Counter())
        sums["gifts"] += 1
        for name in ADDED:
            sums[name] += getattr(each, name)
        sums["unpaid_micros"] += each.unpaid_points * each.rate_micros
    return [
        Sum(
            currency=currency,
            gifts=sums["gifts"],
            unpaid_micros=sums["unpaid_micros"],
            **{name: sums[name] for name in ADDED},
        )
        for currency, sums in sorted(found.items())
    ]


async def _views(
    session: AsyncSession, gifts: Sequence[Gift], language: str, traces: BurnTraces | None
) -> list[GiftView]:
    ids = [gift.burn_id for gift in gifts]
    causes = await _causes(session, {gift.campaign_id for gift in gifts})
    texts = await campaigns.texts_of(session, [each for each, _ in causes.values()], language)
    matched = await _matched(session, ids)
    numbered = await _receipts(session, ids)
    ways = await _ways(gifts, causes, traces) if traces is not None else {}
    moment = await now(session)
    return [
        _view(
            gift,
            *causes[gift.campaign_id],
            texts[gift.campaign_id].title,
            matched.get(gift.burn_id, 0),
            numbered.get(gift.burn_id, []),
            ways.get(gift.burn_id, []),
            moment,
        )
        for gift in gifts
    ]


async def _causes(session: AsyncSession, ids: set[UUID]) -> Mapping[UUID, tuple[Campaign, Charity]]:
    query = (
        sa.select(Campaign, Charity)
        .join(Charity, Charity.id == Campaign.charity_id)
        .where(Campaign.id.in_(ids))
    )
    return {row[0].id: (row[0], row[1]) for row in await session.execute(query)}


async def _matched(session: AsyncSession, ids: Sequence[UUID]) -> Mapping[UUID, int]:
    query = (
        sa.select(Share.burn_id, sa.func.sum(Share.kept_points))
        .where(Share.burn_id.in_(ids))
        .group_by(Share.burn_id)
    )
    return {row[0]: int(row[1]) for row in await session.execute(query)}


async def _receipts(session: AsyncSession, ids: Sequence[UUID]) -> Mapping[UUID, list[Receipt]]:
    query = sa.select(Receipt).where(Receipt.burn_id.in_(ids)).order_by(Receipt.version)
    found: dict[UUID, list[Receipt]] = {}
    for receipt in await session.scalars(query):
        found.setdefault(receipt.burn_id, []).append(receipt)
    return found


async def _ways(
    gifts: Sequence[Gift], causes: Mapping[UUID, tuple[Campaign, Charity]], traces: BurnTraces
) -> dict[UUID, list[BurnStep]]:
    by_payee: dict[UUID, list[UUID]] = {}
    for gift in gifts:
        if gift.status is GiftStatus.CAPTURED:
            by_payee.setdefault(causes[gift.campaign_id][1].member_id, []).append(gift.burn_id)
    ways: dict[UUID, list[BurnStep]] = {}
    for payee_id, burn_ids in by_payee.items():
        ways |= await traces.of(burn_ids, payee_id)
    return ways


def _view(
    gift: Gift,
    campaign: Campaign,
    charity: Charity,
    title: str,
    matched_points: int,
    numbered: Sequence[Receipt],
    way: list[BurnStep],
    moment: datetime,
) -> GiftView:
    left = gift.points - gift.refunded_points
    may_cancel = gift.status is GiftStatus.HELD and moment < gift.grace_until
    return GiftView(
        id=gift.burn_id,
        campaign=campaign.slug,
        title=title,
        charity=charity.legal_name,
        donor=gift.donor,
        origin=gift.origin,
        status=gift.status,
        reason=gift.reason,
        points=gift.kept_points,
        refunded_points=gift.refunded_points,
        taken_back_points=gift.taken_back_points,
        taken_back_micros=gift.taken_back_micros,
        money_micros=left * campaign.rate_micros - gift.taken_back_micros,
        rate_micros=campaign.rate_micros,
        matched_points=matched_points,
        matched_micros=matched_points * campaign.rate_micros,
        currency=campaign.currency,
        anonymous=gift.anonymous,
        dedication=gift.dedication,
        made_at=gift.made_at,
        captured_at=gift.captured_at,
        cancel_until=gift.grace_until if may_cancel else None,
        receipts=[receipts.code_of(charity, each) for each in numbered],
        receipt_id=numbered[-1].id if numbered else None,
        way=way,
    )


class ReceiptView(msgspec.Struct, frozen=True, kw_only=True):
    """A receipt as it was issued."""

    id: UUID
    code: str
    """Number as printed: charity, year, number."""
    corrects: str | None
    """Number of the receipt that it corrects."""
    corrected_by: str | None
    issued_on: date
    gift: UUID
    facts: receipts.Facts


async def receipt_of(session: AsyncSession, owner: Owner, receipt_id: UUID) -> ReceiptView:
    """A receipt of the caller's; UnknownCause where there is none."""
    query = (
        sa.select(Receipt, Charity)
        .join(Gift, Gift.burn_id == Receipt.burn_id)
        .join(Charity, Charity.id == Receipt.charity_id)
        .where(Receipt.id == receipt_id, owner.mine)
    )
    found = (await session.execute(query)).first()
    if found is None:
        raise UnknownCause("There is no such receipt of yours.")
    receipt, charity = found
    others = {
        each.id: each for each in (await _receipts(session, [receipt.burn_id]))[receipt.burn_id]
    }
    later = next((each for each in others.values() if each.corrects_id == receipt.id), None)
    before = others.get(receipt.corrects_id) if receipt.corrects_id else None
    return ReceiptView(
        id=receipt.id,
        code=receipts.code_of(charity, receipt),
        corrects=receipts.code_of(charity, before) if before else None,
        corrected_by=receipts.code_of(charity, later) if later else None,
        issued_on=receipt.issued_at.date(),
        gift=receipt.burn_id,
        facts=receipts.facts_of(receipt),
    )
