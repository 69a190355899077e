"""Settlements as the outside reads them."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from settlement import history
from settlement.clearing import caps, repository
from settlement.clearing.books import balances
from settlement.clearing.domain import AccountKind
from settlement.clearing.models import PayAccount, SentFile, Settlement, SettlementLeg
from settlement.clearing.schemas import (
    AccountView,
    Caps,
    CapView,
    EventView,
    FileView,
    FlowView,
    LegView,
    Matrix,
    MemberView,
    PositionView,
    PrefundView,
    SettlementDetail,
    SettlementView,
)


async def members(session: AsyncSession, ids: Collection[UUID]) -> dict[UUID, MemberView]:
    """Members by id; one that is not there any more keeps its id."""
    found = await repository.names(session, ids)
    return {
        each: MemberView(
            each,
            found[each].slug if each in found else str(each),
            found[each].name if each in found else str(each),
        )
        for each in ids
    }


async def settlement_view(session: AsyncSession, row: Settlement) -> SettlementView:
    """One settlement."""
    origin = row.origin_id and await repository.find(session, row.origin_id)
    return SettlementView(
        id=row.id,
        reference=row.reference,
        kind=row.kind,
        mode=row.mode,
        status=row.status,
        due_on=row.due_on,
        made_at=row.made_at,
        made_by=row.made_by,
        recorded_by=row.recorded_by,
        approved_by=row.approved_by,
        origin=origin.reference if origin else None,
        windows=await repository.windows_of(session, row.id),
        trouble=row.trouble,
    )


async def detail(session: AsyncSession, row: Settlement) -> SettlementDetail:
    """A settlement with positions, legs and history."""
    positions = await repository.positions(session, row.id)
    known = await members(session, {each.member_id for each in positions})
    return SettlementDetail(
        settlement=await settlement_view(session, row),
        positions=[
            PositionView(
                currency=each.currency,
                party=each.party,
                member=known[each.member_id],
                debit_micros=each.debit_micros,
                credit_micros=each.credit_micros,
                fee_micros=each.fee_micros,
                net_micros=each.net_micros,
            )
            for each in positions
        ],
        legs=await leg_views(session, await repository.legs(session, row.id)),
        history=await events(session, history.Subject.SETTLEMENT, row.id),
    )


async def leg_views(session: AsyncSession, legs: Iterable[SettlementLeg]) -> list[LegView]:
    """Legs, in the order given."""
    rows = list(legs)
    ids = {row.member_id for row in rows} | {row.counterparty_id for row in rows}
    known = await members(session, {each for each in ids if each is not None})
    return [
        LegView(
            id=row.id,
            reference=row.reference,
            member=known[row.member_id],
            counterparty=None if row.counterparty_id is None else known[row.counterparty_id],
            currency=row.currency,
            direction=row.direction,
            net_micros=row.net_micros,
            amount_minor=row.amount_minor,
            remainder_micros=row.remainder_micros,
            status=row.status,
            rail=row.rail,
            rail_reference=row.rail_reference,
            due_on=row.due_on,
            booked_on=row.booked_on,
            replaces=row.replaces_id,
            reason=row.reason,
        )
        for row in rows
    ]


async def matrix(session: AsyncSession, row: Settlement) -> Matrix:
    """The gross matrix of a settlement."""
    flows = await repository.flows(session, row.id)
    parties = [party for flow in flows for party in (flow.payer, flow.payee)]
    known = await members(session, {party.member_id for party in parties})
    return Matrix(
        row.reference,
        [
            FlowView(
                currency=flow.currency,
                payer_party=flow.payer.kind,
                payer=known[flow.payer.member_id],
                payee_party=flow.payee.kind,
                payee=known[flow.payee.member_id],
                what=flow.what,
                amount_micros=flow.amount_micros,
            )
            for flow in flows
        ],
    )


async def events(
    session: AsyncSession, subject: history.Subject, subject_id: UUID
) -> list[EventView]:
    """What became of something, oldest first."""
    return [
        EventView(each.before, each.after, each.actor, each.note, each.at)
        for each in await history.history(session, subject, subject_id)
    ]


def file_view(row: SentFile) -> FileView:
    """A file, without its content."""
    return FileView(
        id=row.id,
        name=row.name,
        media_type=row.media_type,
        sha256=row.sha256,
        size_bytes=len(row.content),
        rail=row.rail,
        legs=row.references,
        made_at=row.made_at,
    )


async def account_views(session: AsyncSession, rows: Iterable[PayAccount]) -> list[AccountView]:
    """Accounts, in the order given."""
    found = list(rows)
    known = await members(session, {row.member_id for row in found})
    return [
        AccountView(
            id=row.id,
            member=known[row.member_id],
            currency=row.currency,
            rail=row.rail,
            account=row.account,
            status=row.status,
            made_by=row.made_by,
            made_at=row.made_at,
            approved_by=row.approved_by,
        )
        for row in found
    ]


async def cap_views(session: AsyncSession) -> Caps:
    """Capped members, and what members have paid ahead."""
    uses = await caps.uses(session)
    ahead = await balances(session, account=AccountKind.PREFUND)
    known = await members(
        session, {each.member_id for each in uses} | {each.owner for each in ahead}
    )
    return Caps(
        caps=[
            CapView(
                member=known[each.member_id],
                currency=each.currency,
                used_micros=each.used_micros,
                cap_micros=each.cap_micros,
                alarming=each.alarming,
            )
            for each in uses
        ],
        prefunds=[
            PrefundView(known[each.owner], each.currency, each.balance_micros) for each in ahead
        ],
    )
