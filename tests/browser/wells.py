"""A cause that the tests of charity in a browser share: it is there once, whoever asks first."""

from __future__ import annotations

from datetime import timedelta

from charity import campaigns, matching, registry
from charity.domain import Surplus
from marketplace.clock import now
from marketplace.coalition.domain import ContractRole
from tests.browser.life import Life
from tests.charity.conftest import IBAN, OPERATOR, RATE_MICROS


async def collect(life: Life) -> None:
    """A verified charity collects, and a member matches."""
    await life.coalition.add_member("aqua", role=ContractRole.ACCEPTOR)
    new = registry.NewCharity(
        slug="aqua",
        member="aqua",
        legal_name="Fondazione Acqua",
        country="IT",
        number="00743110157",
        iban=IBAN,
    )
    wells = campaigns.NewCampaign(
        slug="wells",
        charity="aqua",
        currency="EUR",
        rate_micros=RATE_MICROS,
        goal_micros=100_000_000,
        surplus=Surplus.NEXT_CAMPAIGN,
        texts={"en": campaigns.Text(title="Ten wells", story="Ten villages.\n\nTen wells.")},
        designation="Pumps",
        milestones=[campaigns.Step(amount_micros=10_000_000, words={"en": "The first well"})],
    )
    match = matching.NewMatch(campaign="wells", member="alpha", ratio_bps=5_000, cap_points=300)
    async with life.runtime.database.begin() as session:
        await registry.register(session, new, actor="test")
        today = (await now(session)).date()
        await registry.verify(
            session,
            "aqua",
            document="register extract",
            verified_on=today,
            review_due_on=today + timedelta(days=365),
            actor="test",
        )
        await campaigns.start(session, OPERATOR, wells)
        await session.run_sync(matching.start, match, "test")
