"""What a plugin may know of members, firms and people: names, and whose an order is."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
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


def firm_names(session: Session, references: Collection[str], member_id: UUID) -> Mapping[str, str]:
    """See `marketplace.api.Host.firm_names`."""
    firm_id = sa.func.coalesce(Participant.firm_id, Wallet.firm_id)
    customers = (
        sa.select(firm_id)
        .select_from(Burn)
        .join(Wallet, Wallet.id == Burn.wallet_id)
        .outerjoin(Participant, Participant.id == Wallet.participant_id)
        .where(Burn.acceptor_id == member_id, Burn.status != BurnStatus.REJECTED)
    )
    rows = session.execute(
        sa.select(Firm.reference, Firm.name).where(
            Firm.reference.in_(references),
            sa.or_(Firm.sponsor_id == member_id, Firm.id.in_(customers)),
        )
    )
    return {row.reference: row.name for row in rows}
