"""SQL: a wallet's transfers with everything that explains them, by page or by period."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime
from enum import StrEnum
from typing import Any, Final
from uuid import UUID

import msgspec
import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncSession

from marketplace.coalition.models import Member
from marketplace.exchange.models import Burn, BurnResolution, Offer, Refund
from marketplace.ledger.by_wallet import points_transfers
from marketplace.ledger.domain import Account, DrawKind, TransferCode
from marketplace.ledger.lots import FINITE_EXPIRY
from marketplace.ledger.models import Draw, Lot, Transfer


class Topic(StrEnum):
    """What a reader may narrow the history to."""

    EARNED = "earned"
    BURNT = "burnt"
    RETURNED = "returned"
    EXPIRED = "expired"


CODES: Final = {
    Topic.EARNED: (TransferCode.ISSUE,),
    Topic.BURNT: (TransferCode.HOLD, TransferCode.CAPTURE),
    Topic.RETURNED: (TransferCode.VOID, TransferCode.REFUND),
    Topic.EXPIRED: (TransferCode.EXPIRE,),
}


class LotPart(msgspec.Struct, frozen=True):
    """Points of one lot that a line moved."""

    issuer: str
    reference: str
    points: int
    expires_at: datetime | None


class StoryLine(msgspec.Struct, frozen=True, kw_only=True):
    """One transfer of a wallet, told whole."""

    id: int
    code: TransferCode
    effective_at: datetime
    available: int
    """What it adds to the points that can be burnt."""
    held: int
    issuer: str | None
    """Name of the issuer, where the line is about points of one."""
    reference: str | None
    """The issuer's reference of the lot, for an issue or expiry."""
    expires_at: datetime | None
    """Of that lot; None: never."""
    burn_id: UUID | None
    offer: str | None
    """Its name; pages put the title of its face in its place."""
    offer_id: UUID | None
    quantity: int | None
    reason: str | None
    """Of a void or a refund."""
    parts: tuple[LotPart, ...] = ()
    """Lots the points were taken from (hold) or went back to (void, refund)."""


def _effect(found: type[Transfer], account: Account) -> sa.ColumnElement[int]:
    """What a transfer adds to one of the wallet's accounts."""
    return found.amount * (
        sa.cast(found.credit_account == account, sa.Integer)
        - sa.cast(found.debit_account == account, sa.Integer)
    )


def _lines(found: type[Transfer], wallet_id: UUID) -> sa.Select[Any]:
    redeemer = sa.case(
        (found.credit_account == Account.ISSUER_REDEEMED, found.credit_owner),
        (found.debit_account == Account.ISSUER_REDEEMED, found.debit_owner),
    )
    is_void = found.code == TransferCode.VOID
    same_burn = (Burn.wallet_id == wallet_id, Burn.id == found.burn_id)
    voided = (BurnResolution.burn_id == found.burn_id, BurnResolution.wallet_id == wallet_id)
    refunded = (
        Refund.burn_id == found.burn_id,
        Refund.wallet_id == wallet_id,
        Refund.effective_at == found.effective_at,
        found.code == TransferCode.REFUND,
    )
    return (
        sa.select(
            found.id,
            found.code,
            found.effective_at,
            _effect(found, Account.WALLET_AVAILABLE),
            _effect(found, Account.WALLET_HELD),
            Member.name,
            Lot.reference,
            FINITE_EXPIRY,
            found.burn_id,
            Offer.name,
            Burn.offer_id,
            Burn.quantity,
            sa.func.coalesce(Refund.reason, BurnResolution.reason),
        )
        .outerjoin(Burn, sa.and_(*same_burn))
        .outerjoin(Offer, Offer.id == Burn.offer_id)
        .outerjoin(Lot, sa.and_(Lot.wallet_id == wallet_id, Lot.id == found.lot_id))
        .outerjoin(Member, Member.id == sa.func.coalesce(Lot.issuer_id, redeemer))
        .outerjoin(BurnResolution, sa.and_(is_void, *voided))
        .outerjoin(Refund, sa.and_(*refunded))
    )


async def page_of_story(
    session: AsyncSession,
    wallet_id: UUID,
    *,
    topic: Topic | None,
    before: int | None,
    limit: int,
) -> list[StoryLine]:
    """Lines of a wallet, newest first, those older than transfer `before`."""
    codes = () if topic is None else CODES[topic]
    found = points_transfers(wallet_id, before=before, codes=codes, limit=limit)
    query = _lines(found, wallet_id).order_by(found.id.desc()).limit(limit)
    return await _told(session, wallet_id, query)


async def story_of_period(
    session: AsyncSession, wallet_id: UUID, start: datetime, stop: datetime, *, limit: int
) -> list[StoryLine]:
    """Lines of a wallet from `start` until before `stop`, oldest first."""
    found = points_transfers(wallet_id)
    query = (
        _lines(found, wallet_id)
        .where(found.effective_at >= start, found.effective_at < stop)
        .order_by(found.effective_at, found.id)
        .limit(limit)
    )
    return await _told(session, wallet_id, query)


async def balance_before(
    session: AsyncSession, wallet_id: UUID, moment: datetime
) -> tuple[int, int]:
    """(available, held) of a wallet just before a moment, by its transfers."""
    found = points_transfers(wallet_id)
    query = sa.select(
        sa.func.coalesce(sa.func.sum(_effect(found, Account.WALLET_AVAILABLE)), 0),
        sa.func.coalesce(sa.func.sum(_effect(found, Account.WALLET_HELD)), 0),
    ).where(found.effective_at < moment)
    available, held = (await session.execute(query)).one()
    return int(available), int(held)


async def _told(session: AsyncSession, wallet_id: UUID, query: sa.Select[Any]) -> list[StoryLine]:
    rows: Sequence[Any] = (await session.execute(query)).all()
    fields = StoryLine.__struct_fields__[:-1]
    lines = [StoryLine(**dict(zip(fields, row, strict=True))) for row in rows]
    burns = {line.burn_id for line in lines if line.burn_id is not None}
    parts = await _parts(session, wallet_id, burns)
    return [msgspec.structs.replace(line, parts=_parts_of(line, parts)) for line in lines]


Key = tuple[UUID, DrawKind, datetime]


async def _parts(
    session: AsyncSession, wallet_id: UUID, burn_ids: Iterable[UUID]
) -> dict[Key, list[LotPart]]:
    """Draws and restores of burns, by burn, kind and moment."""
    same_lot = sa.and_(Lot.wallet_id == wallet_id, Lot.id == Draw.lot_id)
    query = (
        sa.select(
            Draw.burn_id,
            Draw.kind,
            Draw.effective_at,
            Member.name,
            Lot.reference,
            Draw.points,
            FINITE_EXPIRY,
        )
        .join(Lot, same_lot)
        .join(Member, Member.id == Lot.issuer_id)
        .where(Draw.burn_id.in_(list(burn_ids)), Draw.wallet_id == wallet_id)
        .order_by(Draw.burn_id, Draw.position, Draw.id)
    )
    found: dict[Key, list[LotPart]] = {}
    for burn_id, kind, at, issuer, reference, points, expires_at in await session.execute(query):
        part = LotPart(issuer, reference, points, expires_at)
        found.setdefault((burn_id, kind, at), []).append(part)
    return found


def _parts_of(line: StoryLine, parts: dict[Key, list[LotPart]]) -> tuple[LotPart, ...]:
    if line.burn_id is None or line.code is TransferCode.CAPTURE:
        return ()
    kind = DrawKind.DRAW if line.code is TransferCode.HOLD else DrawKind.RESTORE
    found = parts.get((line.burn_id, kind, line.effective_at), [])
    # A refund has a line for each issuer whose points came back.
    return tuple(each for each in found if line.issuer in (None, each.issuer))
