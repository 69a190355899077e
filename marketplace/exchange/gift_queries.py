"""SQL of gifts: colleagues one may give to, gifts in force, whether a reward was looked at."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

import msgspec
import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import aliased

from marketplace.coalition.models import Participant
from marketplace.exchange.domain import BurnStatus
from marketplace.exchange.models import Burn, BurnGift, Offer
from marketplace.fulfilment.domain import REVEALED
from marketplace.identity.models import AuditEntry, Person
from marketplace.ledger.models import Wallet


class GiftRow(msgspec.Struct, frozen=True):
    """A gift with the names of what it is about."""

    id: UUID
    burn_id: UUID
    offer_id: UUID
    offer: str
    """Name of the offer."""
    quantity: int
    status: BurnStatus
    giver_id: UUID
    giver: str
    colleague_id: UUID
    colleague: str
    message: str
    given_at: datetime
    accepted_at: datetime | None


def _signs_in() -> sa.ColumnElement[bool]:
    """Only who can sign in can reveal what is given to them."""
    return sa.exists().where(Person.participant_id == Participant.id, Person.disabled_at.is_(None))


def _colleagues_of(participant_id: UUID) -> sa.Select[UUID, str]:
    firm = sa.select(Participant.firm_id).where(Participant.id == participant_id)
    return sa.select(Participant.id, Participant.name).where(
        Participant.firm_id == firm.scalar_subquery(),
        Participant.id != participant_id,
        _signs_in(),
    )


async def find_colleagues(
    session: AsyncSession, participant_id: UUID, text: str, *, limit: int
) -> Sequence[tuple[UUID, str]]:
    """(id, name) of people of the same firm whose name holds `text`, or whose e-mail it is."""
    name = sa.func.lower(Participant.name)
    query = (
        _colleagues_of(participant_id)
        .where(
            sa.or_(
                name.contains(text.lower(), autoescape=True),
                sa.func.lower(Participant.email) == text.lower(),
            )
        )
        .order_by(name, Participant.id)
        .limit(limit)
    )
    return [(row[0], row[1]) for row in await session.execute(query)]


async def colleague(
    session: AsyncSession, participant_id: UUID, colleague_id: UUID
) -> tuple[UUID, str] | None:
    """(id, name) of a person of the same firm; None for anybody else."""
    query = _colleagues_of(participant_id).where(Participant.id == colleague_id)
    row = (await session.execute(query)).first()
    return None if row is None else (row[0], row[1])


async def lock_own_burn(session: AsyncSession, participant_id: UUID, burn_id: UUID) -> Burn | None:
    """A burn of the participant's wallet, locked: giving and revealing take turns."""
    wallets = sa.select(Wallet.id).where(Wallet.participant_id == participant_id)
    return await session.scalar(
        sa.select(Burn)
        .where(
            Burn.id == burn_id,
            Burn.wallet_id.in_(wallets),
            Burn.status != BurnStatus.REJECTED,
        )
        .with_for_update(of=Burn)
        .execution_options(populate_existing=True)
    )


async def lock_gift_of(session: AsyncSession, burn_id: UUID) -> BurnGift | None:
    """The gift in force of a burn, locked; the burn is locked before it."""
    return await session.scalar(
        sa.select(BurnGift)
        .where(BurnGift.burn_id == burn_id, BurnGift.undone_at.is_(None))
        .with_for_update()
        .execution_options(populate_existing=True)
    )


async def lock_received(
    session: AsyncSession, participant_id: UUID, gift_id: UUID
) -> BurnGift | None:
    """A gift in force to this participant, locked."""
    return await session.scalar(
        sa.select(BurnGift)
        .where(
            BurnGift.id == gift_id,
            BurnGift.to_participant_id == participant_id,
            BurnGift.undone_at.is_(None),
        )
        .with_for_update()
        .execution_options(populate_existing=True)
    )


async def first_revealed_at(session: AsyncSession, burn_id: UUID) -> datetime | None:
    """When what the burn delivered was first shown to anybody; None: never yet."""
    return await session.scalar(
        sa.select(sa.func.min(AuditEntry.at)).where(
            AuditEntry.subject_kind == "burn",
            AuditEntry.subject_id == str(burn_id),
            AuditEntry.action == REVEALED,
        )
    )


async def gifts(
    session: AsyncSession,
    *,
    from_participant_id: UUID | None = None,
    to_participant_id: UUID | None = None,
    burn_id: UUID | None = None,
    limit: int,
) -> list[GiftRow]:
    """Gifts in force by giver, by colleague or of a burn; newest first."""
    giver, other = aliased(Participant), aliased(Participant)
    query = (
        sa.select(
            BurnGift.id,
            BurnGift.burn_id,
            Burn.offer_id,
            Offer.name,
            Burn.quantity,
            Burn.status,
            giver.id,
            giver.name,
            other.id,
            other.name,
            BurnGift.message,
            BurnGift.given_at,
            BurnGift.accepted_at,
        )
        .join(Burn, sa.and_(Burn.id == BurnGift.burn_id, Burn.wallet_id == BurnGift.wallet_id))
        .join(Offer, Offer.id == Burn.offer_id)
        .join(giver, giver.id == BurnGift.from_participant_id)
        .join(other, other.id == BurnGift.to_participant_id)
        .where(BurnGift.undone_at.is_(None))
        .order_by(BurnGift.id.desc())
        .limit(limit)
    )
    for column, value in (
        (BurnGift.from_participant_id, from_participant_id),
        (BurnGift.to_participant_id, to_participant_id),
        (BurnGift.burn_id, burn_id),
    ):
        if value is not None:
            query = query.where(column == value)
    rows: Sequence[Any] = (await session.execute(query)).all()
    return [GiftRow(*row) for row in rows]
