"""Offers are closed and opened behind the engine's back; nobody burns on a shut one."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Sequence
from uuid import UUID

import sqlalchemy as sa

from marketplace.contract.proving import Check
from marketplace.exchange import closures
from marketplace.exchange.domain import Cause, OfferStatus
from marketplace.exchange.engine import BurnEngine
from marketplace.exchange.models import Offer
from marketplace.identity.models import AuditEntry
from marketplace.ledger.checks.references import CLOSURES
from marketplace.ledger.verify import verify
from marketplace.runtime import Runtime
from tests.exchange.conftest import Ask, code
from tests.factories import Coalition

AGREES = (Check("closures", "", CLOSURES),)


async def shut(
    runtime: Runtime,
    cause: Cause,
    *,
    plugin: str = "giftfund",
    member_id: UUID | None = None,
    words: str = "",
) -> int:
    """Close in a transaction of its own."""
    async with runtime.database.begin() as session:
        return await closures.close(
            session, plugin, cause, actor="cli:test", member_id=member_id, words=words
        )


async def open_up(
    runtime: Runtime, cause: Cause, *, plugin: str = "giftfund", member_id: UUID | None = None
) -> int:
    """Reopen in a transaction of its own."""
    async with runtime.database.begin() as session:
        return await closures.reopen(session, plugin, cause, actor="cli:test", member_id=member_id)


async def agree(runtime: Runtime) -> bool:
    """Whether every offer says what its closures say."""
    async with runtime.database.begin() as session:
        return await verify(session, checks=AGREES) == []


async def test_a_closed_offer_is_refused_with_the_words_until_it_is_reopened(
    runtime: Runtime, coalition: Coalition, engine: BurnEngine, ask: Ask
) -> None:
    await coalition.issue("ann", 10_000)
    assert code(await engine.submit(ask("ann"))) == "held"
    assert await shut(runtime, Cause.OPERATOR, words="Stocktaking until noon.") == 1
    refused = ask("ann")
    answer = await engine.submit(refused)
    assert code(answer) == "plugin_closed"
    assert answer.error is not None
    assert answer.error.status == 409
    assert answer.error.detail.endswith("Stocktaking until noon.")
    assert await open_up(runtime, Cause.OPERATOR) == 1
    # Its key is burnt with the refusal; a new one goes through.
    assert code(await engine.submit(refused)) == "plugin_closed"
    assert code(await engine.submit(ask("ann"))) == "held"


async def test_one_acceptors_offers_are_closed_alone(
    runtime: Runtime, coalition: Coalition, engine: BurnEngine, ask: Ask
) -> None:
    await coalition.issue("ann", 10_000)
    await coalition.add_offer("seat", acceptor="tickets")
    await coalition.add_offer("other", acceptor="shop", plugin="fake")
    shop = coalition.members["shop"]
    assert await shut(runtime, Cause.NOT_ENABLED, member_id=shop) == 1
    assert code(await engine.submit(ask("ann", "card"))) == "plugin_closed"
    assert code(await engine.submit(ask("ann", "seat"))) == "held"
    assert code(await engine.submit(ask("ann", "other"))) == "held"


async def test_of_several_causes_the_first_is_told_and_all_must_go(
    runtime: Runtime, coalition: Coalition, engine: BurnEngine, ask: Ask
) -> None:
    await coalition.issue("ann", 10_000)
    shop = coalition.members["shop"]
    await shut(runtime, Cause.BREAKER)
    assert await shut(runtime, Cause.SANDBOX, member_id=shop) == 1
    # A weaker cause changes nothing, nor does the same once more.
    assert await shut(runtime, Cause.BREAKER, member_id=shop) == 0
    assert await shut(runtime, Cause.SANDBOX, member_id=shop) == 0
    answer = await engine.submit(ask("ann"))
    assert answer.error is not None
    assert "trying out" in answer.error.detail
    assert await open_up(runtime, Cause.SANDBOX, member_id=shop) == 1
    answer = await engine.submit(ask("ann"))
    assert answer.error is not None
    assert "in trouble" in answer.error.detail
    assert await open_up(runtime, Cause.BREAKER) == 0
    assert await open_up(runtime, Cause.BREAKER, member_id=shop) == 1
    assert code(await engine.submit(ask("ann"))) == "held"


async def test_what_the_offer_itself_says_goes_first(
    runtime: Runtime, coalition: Coalition, engine: BurnEngine, ask: Ask
) -> None:
    await coalition.add_offer("gone", acceptor="shop", status=OfferStatus.RETIRED)
    await coalition.add_offer("none", acceptor="shop", stock=0)
    await shut(runtime, Cause.BREAKER)
    assert code(await engine.submit(ask("ann", "gone"))) == "offer_not_on_sale"
    assert code(await engine.submit(ask("ann", "none"))) == "plugin_closed"
    assert code(await engine.submit(ask("ann", "card"))) == "plugin_closed"  # nor has ann points


async def test_who_closed_and_reopened_is_in_the_audit_trail(
    runtime: Runtime, coalition: Coalition
) -> None:
    shop = coalition.members["shop"]
    await shut(runtime, Cause.OPERATOR, member_id=shop, words="On holiday.")
    await shut(runtime, Cause.OPERATOR, member_id=shop, words="On holiday.")
    await open_up(runtime, Cause.OPERATOR, member_id=shop)
    async with runtime.database.begin() as session:
        entries = (
            await session.scalars(
                sa.select(AuditEntry)
                .where(AuditEntry.subject_kind == "plugin", AuditEntry.actor == "cli:test")
                .order_by(AuditEntry.id)
            )
        ).all()
    assert [each.action for each in entries] == ["plugin.closed", "plugin.reopened"]
    assert entries[0].details == {
        "cause": "operator",
        "member_id": str(shop),
        "words": "On holiday.",
        "offers": 1,
    }


async def test_many_close_and_reopen_at_once_and_offers_agree_with_the_closures(
    runtime: Runtime, coalition: Coalition
) -> None:
    members: Sequence[UUID | None] = [None, *(coalition.members[m] for m in ("shop", "tickets"))]
    for number in range(8):
        await coalition.add_offer(f"offer-{number}", acceptor=("shop", "tickets")[number % 2])
    dice = random.Random(7)  # noqa: S311 - a repeatable mess

    async def somebody() -> None:
        for _ in range(6):
            change = dice.choice((shut, open_up))
            await change(runtime, dice.choice(list(Cause)), member_id=dice.choice(members))

    async def importer() -> None:
        """Adds an offer while others close: it takes its closures as it comes."""
        for number in range(6):
            async with runtime.database.begin() as session:
                row = await session.get_one(Offer, coalition.offers["card"])
                copied = {
                    each.key: getattr(row, each.key)
                    for each in sa.inspect(Offer).columns
                    if each.key not in ("id", "reference", "closed", "version")
                }
                new_id = UUID(int=number + 1)
                session.add(Offer(id=new_id, reference=f"new-{number}", **copied))
                await session.flush()
                await asyncio.sleep(0)
                await closures.lock(session, "giftfund")
                await closures.settle(session, "giftfund")

    await asyncio.gather(*(somebody() for _ in range(6)), importer())
    assert await agree(runtime)
    for cause in Cause:
        for member_id in members:
            await open_up(runtime, cause, member_id=member_id)
    assert await agree(runtime)
    async with runtime.database.begin() as session:
        assert (
            await session.scalars(sa.select(Offer).where(Offer.closed.is_not(None)))
        ).all() == []


async def test_burns_and_a_closure_at_once_leave_no_burn_after_it(
    runtime: Runtime,
    coalition: Coalition,
    engine: BurnEngine,
    second_engine: BurnEngine,
    ask: Ask,
) -> None:
    await coalition.issue("ann", 100_000)
    await coalition.issue("bob", 100_000)
    both = [(engine, "ann"), (second_engine, "bob")]
    before = [at.submit(ask(who)) for at, who in both * 10]
    closing = asyncio.create_task(shut(runtime, Cause.BREAKER))
    answers = await asyncio.gather(*before)
    await closing
    assert {code(answer) for answer in answers} <= {"held", "plugin_closed"}
    after = await asyncio.gather(*(at.submit(ask(who)) for at, who in both * 3))
    assert [code(answer) for answer in after] == ["plugin_closed"] * 6


async def test_verify_names_an_offer_that_does_not_agree(
    runtime: Runtime, coalition: Coalition
) -> None:
    await shut(runtime, Cause.BREAKER)
    assert await agree(runtime)
    async with runtime.database.begin() as session:
        await session.execute(sa.update(Offer).values(closed=None))
    async with runtime.database.begin() as session:
        (finding,) = await verify(session)
    assert finding.check == "offer_closures"
    assert "card" in finding.examples[0].subject
