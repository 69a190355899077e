"""Liability for outstanding points, and the run-off of a member or of the whole programme."""

from __future__ import annotations

from collections.abc import Iterable
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from marketplace.clock import now
from marketplace.coalition.service import get_member
from marketplace.ledger.domain import ObligationKind
from marketplace.ledger.totals import Total, totals
from settlement.clearing.domain import AccountKind
from settlement.runoff import repository
from settlement.runoff.domain import Cover, History, Liability, Outstanding, RunOff, needed


async def liability(session: AsyncSession, issuer_id: UUID | None = None) -> Liability:
    """What outstanding points are worth, of one issuer or of all, by age and month of expiry."""
    history = await repository.history(session, issuer_id)
    bps = {each.issuer: each.breakage_bps for each in history}
    return Liability(
        await repository.outstanding(session, repository.BY_AGE, issuer_id, bps),
        await repository.outstanding(session, repository.BY_EXPIRY, issuer_id, bps),
        history,
    )


async def run_off(session: AsyncSession, slug: str) -> RunOff:
    """What is left of a member's points, what covers it, and its last figures.

    It stops issuing when its contract ends (import the contract with a `valid_to`); its points stay
    good until they expire. NotFound where there is no such member.
    """
    member = await get_member(session, slug)
    moment = await now(session)
    owed = await liability(session, member.id)
    issues, until = await repository.contract_ends(session, member.id, moment)
    redeemable_until, endless = await repository.last_expiry(session, member.id)
    nothing = History(issuer=slug, issued=0, redeemed=0, expired=0)
    return RunOff(
        member=slug,
        member_id=member.id,
        at=moment,
        issues_until=until,
        issues_now=issues,
        redeemable_until=None if endless else redeemable_until,
        never_expires_points=endless,
        history=owed.history[0] if owed.history else nothing,
        by_age=owed.by_age,
        by_expiry=owed.by_expiry,
        cover=await _cover(session, member.id, owed.by_expiry),
    )


async def _cover(
    session: AsyncSession, member_id: UUID, outstanding: Iterable[Outstanding]
) -> list[Cover]:
    rows = list(outstanding)
    pools = await repository.pools(session, member_id)
    prefunds = await repository.book_balances(session, AccountKind.PREFUND, member_id)
    dues = await repository.book_balances(session, AccountKind.MEMBER_DUE, member_id)
    windows = await repository.unsettled_windows(session)
    unsettled = net_of(member_id, await totals(session, windows, fresh=True))
    found = []
    for currency in sorted(
        {each.currency for each in rows} | {*pools, *prefunds, *dues, *unsettled}
    ):
        own = [each for each in rows if each.currency == currency]
        value = sum(each.value_micros for each in own)
        there = (
            pools.get(currency, 0),
            prefunds.get(currency, 0),
            dues.get(currency, 0),
            unsettled.get(currency, 0),
        )
        found.append(
            Cover(
                currency=currency,
                points=sum(each.points for each in own),
                value_micros=value,
                pool_micros=there[0],
                prefund_micros=there[1],
                due_micros=there[2],
                unsettled_micros=there[3],
                expected_breakage_micros=sum(each.expected_breakage_micros for each in own),
                needed_micros=needed(value, *there),
            )
        )
    return found


def net_of(member_id: UUID, found: Iterable[Total]) -> dict[str, int]:
    """What these totals come to for one member as issuer and acceptor, by currency; no fees."""
    nets: dict[str, int] = {}
    for each in found:
        micros = 0
        pays = each.kind == ObligationKind.ISSUANCE or (
            each.kind != ObligationKind.EXPIRY and each.funding != "issuance"
        )
        if each.issuer_id == member_id and pays:
            micros -= each.funded_micros
        if each.acceptor_id == member_id:
            micros += each.cost_micros
        nets[each.currency] = nets.get(each.currency, 0) + micros
    return nets
