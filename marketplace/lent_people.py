"""What a plugin may know of members, firms and people: names, and whose an order is."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Final
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.orm import Session

from marketplace.coalition.models import Firm, Member, Participant
from marketplace.contract.host import MemberName
from marketplace.contract.registering import Who
from marketplace.errors import NotFound
from marketplace.exchange.domain import BurnStatus
from marketplace.exchange.models import Burn
from marketplace.identity.domain import Principal, Role
from marketplace.ledger.models import Wallet

MOST_FIRMS: Final = 1_000
"""Of which names are told at once, where nobody says of which."""
LATELY: Final = 20_000
"""Delivered orders that are looked at for their firms then."""


def who(session: Session, participant_id: UUID) -> Who | None:
    """See `marketplace.api.Host.who`."""
    row = session.execute(
        sa.select(Wallet.id, Participant.role, Firm.reference, Firm.country)
        .join(Participant, Participant.id == Wallet.participant_id)
        .join(Firm, Firm.id == Participant.firm_id)
        .where(Participant.id == participant_id)
    ).first()
    if row is None:
        return None
    return Who(
        wallet_id=row.id,
        participant_id=participant_id,
        role=row.role,
        firm_reference=row.reference,
        country=row.country,
    )


def manages(session: Session, slug: str, principal: Principal, reference: str) -> bool:
    """See `marketplace.api.Host.manages`; orders of the plugin `slug`."""
    if Role.FIRM_MANAGER not in principal.roles or principal.firm_id is None:
        return False
    try:
        burn_id = UUID(reference)
    except ValueError:
        return False
    firm_id = sa.func.coalesce(Participant.firm_id, Wallet.firm_id)
    found = session.scalar(
        sa.select(Burn.id)
        .join(Wallet, Wallet.id == Burn.wallet_id)
        .outerjoin(Participant, Participant.id == Wallet.participant_id)
        .where(
            Burn.id == burn_id,
            Burn.plugin == slug,
            Burn.status != BurnStatus.REJECTED,
            firm_id == principal.firm_id,
        )
    )
    return found is not None


def member_id(session: Session, slug: str) -> UUID:
    """See `marketplace.api.Host.member_id`."""
    found = session.scalar(sa.select(Member.id).where(Member.slug == slug))
    if found is None:
        raise NotFound(f"There is no member {slug!r}.")
    return found


def members(session: Session) -> Sequence[MemberName]:
    """See `marketplace.api.Host.members`."""
    rows = session.execute(sa.select(Member.id, Member.slug, Member.name).order_by(Member.slug))
    return [MemberName(id=row.id, slug=row.slug, name=row.name) for row in rows]


def firm_names(
    session: Session, references: Collection[str] | None, member_id: UUID
) -> Mapping[str, str]:
    """See `marketplace.api.Host.firm_names`."""
    firm_id = sa.func.coalesce(Participant.firm_id, Wallet.firm_id)
    ours = sa.and_(Burn.acceptor_id == member_id, Burn.status == BurnStatus.CAPTURED)
    query = sa.select(Firm.reference, Firm.name)
    known: sa.ColumnElement[bool]
    if references is None:
        lately = sa.select(Burn.wallet_id).where(ours).order_by(Burn.effective_at.desc())
        wallets = lately.limit(LATELY).subquery()
        customers = (
            sa.select(firm_id)
            .select_from(wallets)
            .join(Wallet, Wallet.id == wallets.c.wallet_id)
            .outerjoin(Participant, Participant.id == Wallet.participant_id)
        )
        known = Firm.id.in_(customers)
        query = query.order_by(Firm.name, Firm.reference).limit(MOST_FIRMS)
    else:
        known = sa.exists(
            sa.select(Burn.id)
            .join(Wallet, Wallet.id == Burn.wallet_id)
            .outerjoin(Participant, Participant.id == Wallet.participant_id)
            .where(ours, firm_id == Firm.id)
            .correlate(Firm)
        )
        query = query.where(Firm.reference.in_(references))
    rows = session.execute(query.where(sa.or_(Firm.sponsor_id == member_id, known)))
    return {row.reference: row.name for row in rows}
