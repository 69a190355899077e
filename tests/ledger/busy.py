"""A small ledger in which everything that can happen has happened."""

from __future__ import annotations

import asyncio
from uuid import UUID

from marketplace.clock import now
from marketplace.coalition.domain import Breakage, ContractRole, Funding
from marketplace.host import PluginHost
from marketplace.ledger.models import Exposure
from tests.factories import Coalition, days
from tests.ledger.driver import Driver


async def make_busy(coalition: Coalition) -> dict[str, UUID]:
    """Every event of the ledger, funded both ways; returns burns by what became of them."""
    await coalition.add_member(
        "gamma", role=ContractRole.BOTH, funding=Funding.ISSUANCE, breakage=Breakage.SHARED
    )
    # Costs more than the points bring, so the operator pays in addition.
    await coalition.add_offer(
        "lamp", acceptor="tickets", stock=9, points=300, cost_micros=4_000_001, limit_per_wallet=4
    )
    async with coalition.runtime.database.begin() as session:
        session.add(Exposure(member_id=coalition.members["alpha"], used_micros=0))
        start = await now(session)
    soon = start + days(10)
    await coalition.issue("ann", 900, issuer="gamma", reference="G1", expires_at=soon)
    await coalition.issue("ann", 1_500, issuer="alpha", reference="A1")
    await coalition.issue("ann", 700, issuer="beta", reference="B1")
    await coalition.issue("bob", 2_000, issuer="gamma", reference="G2", expires_at=soon)
    await coalition.issue("bob", 501, issuer="gamma", reference="G3", expires_at=soon + days(90))
    await coalition.issue("bob", 500, issuer="alpha", reference="A2")
    burns: dict[str, UUID] = {}
    async with Driver.start(coalition) as drive:
        burns["captured"] = await drive.burn("ann", "card")
        await drive.capture("ann", burns["captured"])
        await drive.refund("ann", burns["captured"], 70)
        await drive.refund("ann", burns["captured"], 63)
        burns["voided"] = await drive.burn("ann", "lamp", 2)
        await drive.void("ann", burns["voided"])
        burns["held"] = await drive.burn("ann", "card")
        burns["lamp"] = await drive.burn("ann", "lamp")
        burns["pooled"] = await drive.burn("bob", "card")
        await drive.capture("bob", burns["pooled"])
        burns["refunded"] = await drive.burn("bob", "lamp")
        await drive.capture("bob", burns["refunded"])
        refused = await drive.ask("bob", "card", 100)
        assert refused.error is not None
        await drive.later(days(20))
        assert await drive.expire() == 1
        # Its lot has expired meanwhile, so the points live on for the days of grace.
        await drive.refund("bob", burns["refunded"])
    await asyncio.to_thread(_owe, coalition)
    return burns


def _owe(coalition: Coalition) -> None:
    """What the shop owes others outside burns, and a contra."""
    runtime = coalition.runtime
    host = PluginHost("till", lambda: runtime.database, lambda: runtime.vault)
    beta, shop, tickets = (coalition.members[name] for name in ("beta", "shop", "tickets"))
    booked: list[tuple[str, UUID, int, str | None]] = [
        ("T1", tickets, 12_500_000, None),
        ("T2", beta, 3_000_001, None),
        ("T3", tickets, -12_500_000, "T1"),
        ("T4", tickets, 7, None),
    ]
    with host.transaction() as session:
        for reference, creditor, amount_micros, undoes in booked:
            host.owe(
                session,
                debtor_id=shop,
                creditor_id=creditor,
                amount_micros=amount_micros,
                currency="EUR",
                reference=reference,
                reason="voucher",
                undoes=undoes,
            )
