"""The registry of charities: who they are, whether they are verified, and closing what has lapsed.

A charity is a member of the coalition with a contract to accept points: captured gifts are
obligations to it like any other, and the clearing house pays them out (decision 32).
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date

import msgspec
import sqlalchemy as sa
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncSession

from charity.domain import (
    LONGEST_NAME,
    LONGEST_REASON,
    SLUG,
    Verification,
    check_iban,
    check_number,
    may_receive,
)
from charity.errors import CharityNotVerified, UnknownCause
from charity.models import Charity
from charity.notes import SYSTEM
from marketplace.clock import now
from marketplace.coalition.codes import COUNTRIES
from marketplace.coalition.domain import ContractRole
from marketplace.coalition.service import get_contract, get_member
from marketplace.errors import Conflict, InvalidRequest
from marketplace.exchange import closures
from marketplace.exchange.domain import Cause
from marketplace.identity.audit import audit
from marketplace.ids import uuid7
from marketplace.letters import require_shown


class NewCharity(msgspec.Struct, frozen=True, kw_only=True):
    """A charity to be registered."""

    slug: str
    member: str
    """Slug of the member that it is in the coalition."""
    legal_name: str
    country: str
    number: str
    iban: str


async def register(session: AsyncSession, new: NewCharity, *, actor: str) -> Charity:
    """Write a charity down; until it is verified it cannot receive.

    Raises NotFound (no such member), NoContract, InvalidRequest (the member accepts no points, no
    such country), BadNumber, Conflict (the slug or the member is a charity's already).
    """
    if new.country not in COUNTRIES:
        raise InvalidRequest(f"There is no country {new.country}.", field="country")
    legal_name = require_shown(new.legal_name, "legal_name", LONGEST_NAME)
    if not legal_name or not new.slug.strip():
        raise InvalidRequest("A charity has a slug and a legal name.", field="legal_name")
    member = await get_member(session, new.member)
    contract = await get_contract(session, member.id)
    if contract.role is ContractRole.ISSUER:
        raise InvalidRequest("The member's contract does not let it accept points.", field="member")
    number, checked = check_number(new.country, new.number)
    known = sa.select(Charity.id).where(
        sa.or_(Charity.slug == new.slug, Charity.member_id == member.id)
    )
    if await session.scalar(known.limit(1)):
        raise Conflict(f"{new.slug} or its member is registered already.")
    charity = Charity(
        id=uuid7(),
        slug=new.slug,
        member_id=member.id,
        legal_name=legal_name,
        country=new.country,
        number=number,
        number_checked=checked,
        iban=check_iban(new.iban),
        state=Verification.PENDING,
        document="",
        reason="",
    )
    try:
        async with session.begin_nested():
            session.add(charity)
    except IntegrityError as error:  # somebody registered it meanwhile
        raise Conflict(f"{new.slug} or its member is registered already.") from error
    details = msgspec.to_builtins(new) | {"number_checked": checked}
    await audit(session, actor, "charity.registered", SLUG, charity.id, **details)
    await bring_in_line(session, [charity], actor=actor)
    return charity


async def find(session: AsyncSession, slug: str, *, lock: bool = False) -> Charity:
    """The charity with this slug; UnknownCause where there is none."""
    query = sa.select(Charity).where(Charity.slug == slug)
    charity = await session.scalar(query.with_for_update() if lock else query)
    if charity is None:
        raise UnknownCause(f"There is no charity {slug!r}.")
    return charity


async def charities(session: AsyncSession) -> Sequence[Charity]:
    """Every charity by name."""
    return list(await session.scalars(sa.select(Charity).order_by(Charity.legal_name)))


async def verify(
    session: AsyncSession,
    slug: str,
    *,
    document: str,
    verified_on: date,
    review_due_on: date,
    actor: str,
) -> Charity:
    """Say that somebody looked at its documents: it may receive until the review is due.

    Raises UnknownCause, InvalidRequest (no document, dates that cannot be).
    """
    today = (await now(session)).date()
    document = require_shown(document, "document", LONGEST_REASON)
    if not document:
        raise InvalidRequest("Name the document that was looked at.", field="document")
    if verified_on > today or review_due_on <= max(verified_on, today):
        raise InvalidRequest(
            "It was verified today or before, and the review is due after today.",
            field="review_due_on",
        )
    charity = await find(session, slug, lock=True)
    charity.state, charity.reason = Verification.VERIFIED, ""
    charity.document, charity.verified_on = document, verified_on
    charity.review_due_on = review_due_on
    await session.flush()
    await audit(
        session,
        actor,
        "charity.verified",
        SLUG,
        charity.id,
        document=charity.document,
        verified_on=verified_on.isoformat(),
        review_due_on=review_due_on.isoformat(),
    )
    await bring_in_line(session, [charity], actor=actor)
    return charity


async def suspend(session: AsyncSession, slug: str, *, reason: str, actor: str) -> Charity:
    """Let a charity receive nothing until it is verified again.

    Raises UnknownCause, InvalidRequest (no reason), Conflict (it was never verified).
    """
    reason = require_shown(reason, "reason", LONGEST_REASON)
    if not reason:
        raise InvalidRequest("Say why; people who want to give read it.", field="reason")
    charity = await find(session, slug, lock=True)
    if charity.state is Verification.PENDING:
        raise Conflict("It is not verified yet, so it receives nothing anyhow.")
    charity.state, charity.reason = Verification.SUSPENDED, reason
    await session.flush()
    await audit(session, actor, "charity.suspended", SLUG, charity.id, reason=charity.reason)
    await bring_in_line(session, [charity], actor=actor)
    return charity


def why_not(charity: Charity, today: date) -> str | None:
    """Why a charity cannot receive on a day, in English; None where it can."""
    if may_receive(charity.state, charity.review_due_on, today):
        return None
    if charity.state is Verification.SUSPENDED:
        return f"{charity.legal_name} is suspended: {charity.reason}"
    if charity.state is Verification.PENDING:
        return f"{charity.legal_name} has not been verified yet."
    return f"The verification of {charity.legal_name} lapsed on {charity.review_due_on}."


def require_receiving(charity: Charity, today: date) -> None:
    """CharityNotVerified, with the words why, where it cannot receive."""
    words = why_not(charity, today)
    if words is not None:
        raise CharityNotVerified(words)


async def bring_in_line(
    session: AsyncSession, wanted: Sequence[Charity] | None = None, *, actor: str = SYSTEM
) -> int:
    """Close the offers of charities that cannot receive, and open those of others; how many
    changed. By the clock it does so for all: a verification lapses by itself.
    """
    today = (await now(session)).date()
    changed = 0
    for charity in await charities(session) if wanted is None else wanted:
        words, whose = why_not(charity, today), charity.member_id
        if words is None:
            changed += await closures.reopen(
                session, SLUG, Cause.PLUGIN, actor=actor, member_id=whose
            )
        else:
            changed += await closures.close(
                session, SLUG, Cause.PLUGIN, actor=actor, member_id=whose, words=words
            )
    return changed
