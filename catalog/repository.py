"""SQL of the catalog; that of the shelf is in `loading.py`, of words in `words.py`."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession

from catalog.models import (
    Choice,
    Denomination,
    Listing,
    ListingPicture,
    ListingText,
    Picture,
    PictureFile,
    PriceChange,
    TakenBy,
    Wish,
)
from marketplace.clock import NOW
from marketplace.coalition.models import Firm, Participant
from marketplace.exchange.domain import BurnStatus
from marketplace.exchange.models import Burn, Offer
from marketplace.ledger.by_wallet import points_transfers
from marketplace.ledger.domain import TransferCode
from marketplace.ledger.models import Lot, Wallet

RECENT_BURNS = 200
"""Burns of a participant that suggestions look back at."""


async def participant(session: AsyncSession, participant_id: UUID) -> Any | None:
    """A participant with wallet, firm, role, country and locale; None where there is none."""
    return (
        await session.execute(
            sa.select(
                Wallet.id.label("wallet_id"),
                Participant.firm_id,
                Participant.role,
                Participant.locale,
                Firm.country,
            )
            .join(Wallet, Wallet.participant_id == Participant.id)
            .join(Firm, Firm.id == Participant.firm_id)
            .where(Participant.id == participant_id)
        )
    ).first()


async def balances(session: AsyncSession, wallet_id: UUID) -> dict[str, int]:
    """Points of a wallet that can be burnt now, by the currency they settle in."""
    rows = await session.execute(
        sa.select(Lot.currency, sa.func.sum(Lot.remaining))
        .where(Lot.wallet_id == wallet_id, Lot.open, Lot.expires_at > NOW)
        .group_by(Lot.currency)
    )
    return {currency: int(points) for currency, points in rows}


async def full_text(session: AsyncSession, listing_id: UUID) -> Mapping[str, Any]:
    """Title, summary, body and terms of a listing by locale."""
    rows = await session.scalars(sa.select(ListingText).where(ListingText.listing_id == listing_id))
    return {row.locale: row for row in rows}


async def pictures(session: AsyncSession, listing_id: UUID) -> Sequence[Picture]:
    """The pictures of a listing in order."""
    rows = await session.scalars(
        sa.select(Picture)
        .join(ListingPicture, ListingPicture.hash == Picture.hash)
        .where(ListingPicture.listing_id == listing_id)
        .order_by(ListingPicture.position)
    )
    return rows.all()


async def picture_file(session: AsyncSession, digest: str, width: int) -> bytes | None:
    """A picture in one width, as WebP."""
    return await session.scalar(
        sa.select(PictureFile.body).where(PictureFile.hash == digest, PictureFile.width == width)
    )


async def prices_to_come(session: AsyncSession, references: Iterable[str]) -> Sequence[PriceChange]:
    """Announced changes of the points of these offers, soonest first."""
    rows = await session.scalars(
        sa.select(PriceChange)
        .where(
            PriceChange.offer_reference.in_(list(references)),
            PriceChange.points.is_not(None),
            PriceChange.applied_at.is_(None),
            PriceChange.cancelled_at.is_(None),
        )
        .order_by(PriceChange.at)
    )
    return rows.all()


async def wished(session: AsyncSession, participant_id: UUID) -> dict[UUID, Wish]:
    """The wishes of a participant by listing, newest first."""
    rows = await session.scalars(
        sa.select(Wish)
        .where(Wish.participant_id == participant_id)
        .order_by(Wish.made_at.desc(), Wish.listing_id)
    )
    return {row.listing_id: row for row in rows}


async def add_wish(session: AsyncSession, participant_id: UUID, listing_id: UUID) -> None:
    """Wish for a listing; nothing where it is wished for already."""
    await session.execute(
        insert(Wish)
        .values(participant_id=participant_id, listing_id=listing_id)
        .on_conflict_do_nothing()
    )


async def drop_wish(session: AsyncSession, participant_id: UUID, listing_id: UUID) -> None:
    """No longer wish for a listing."""
    await session.execute(
        sa.delete(Wish).where(Wish.participant_id == participant_id, Wish.listing_id == listing_id)
    )


async def wants_suggestions(session: AsyncSession, participant_id: UUID) -> bool:
    """Whether a participant has left suggestions on."""
    chosen = await session.scalar(
        sa.select(Choice.for_you).where(Choice.participant_id == participant_id)
    )
    return chosen is not False


async def want_suggestions(session: AsyncSession, participant_id: UUID, on: bool) -> None:
    """Switch suggestions on or off."""
    statement = insert(Choice).values(participant_id=participant_id, for_you=on)
    await session.execute(
        statement.on_conflict_do_update(
            index_elements=["participant_id"], set_={"for_you": statement.excluded.for_you}
        )
    )


async def offers_taken(session: AsyncSession, wallet_id: UUID) -> Sequence[UUID]:
    """Offers of the last burns of a wallet that were not given back, newest first."""
    # Burns are found by the transfers that held their points.
    held = points_transfers(wallet_id, codes=(TransferCode.HOLD,), limit=RECENT_BURNS)
    holds = sa.select(held.burn_id, held.id).order_by(held.id.desc()).limit(RECENT_BURNS).subquery()
    rows = await session.scalars(
        sa.select(Burn.offer_id)
        .join(holds, sa.and_(Burn.id == holds.c.burn_id, Burn.wallet_id == wallet_id))
        .where(
            Burn.status.in_((BurnStatus.HELD, BurnStatus.CAPTURED)),
            Burn.refunded_points < Burn.points,
        )
        .order_by(holds.c.id.desc())
    )
    return list(dict.fromkeys(rows))


async def taken_by(session: AsyncSession, grouping: str, member: str) -> dict[UUID, int]:
    """People of a firm or role by what they took lately."""
    rows = await session.execute(
        sa.select(TakenBy.listing_id, TakenBy.people).where(
            TakenBy.grouping == grouping, TakenBy.member == member
        )
    )
    return {listing_id: people for listing_id, people in rows}  # noqa: C416 - typed rows


async def listing(session: AsyncSession, slug: str) -> Listing | None:
    """A listing by its slug, whatever its status."""
    return await session.scalar(sa.select(Listing).where(Listing.slug == slug))


async def listing_by_token(session: AsyncSession, token: str) -> Listing | None:
    """A listing by the token of its preview."""
    return await session.scalar(sa.select(Listing).where(Listing.preview_token == token))


async def owners(session: AsyncSession, listing_id: UUID) -> set[UUID]:
    """The members that are paid for the offers of a listing."""
    rows = await session.scalars(
        sa.select(Offer.acceptor_id)
        .join(Denomination, Denomination.offer_reference == Offer.reference)
        .where(Denomination.listing_id == listing_id)
    )
    return set(rows)
