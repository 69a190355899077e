"""Rewards, refunds and points tell their people by themselves, whatever ends the burn."""

from __future__ import annotations

from datetime import timedelta
from typing import Any
from uuid import UUID

from marketplace.clock import travel_to
from marketplace.exchange import gifts
from marketplace.exchange.cancelling import cancel
from marketplace.exchange.engine import BurnEngine
from marketplace.exchange.refunds import RefundRequest, refund
from marketplace.exchange.resolution import Delivery, VoidRequest, capture, void
from marketplace.identity.domain import Principal, Role
from marketplace.identity.models import Person
from marketplace.identity.repository import person_principal
from marketplace.ledger.domain import Issuance
from marketplace.ledger.issuing import issue
from marketplace.notices.domain import Email
from tests.exchange.conftest import Ask
from tests.factories import LONG_AGO, Coalition, make_person
from tests.notices.conftest import mails, notices

GRACE = timedelta(days=30)


async def burn(coalition: Coalition, engine: BurnEngine, ask: Ask, who: str = "ann") -> UUID:
    await coalition.issue(who, 1_000)
    answer = await engine.submit(ask(who))
    assert answer.held is not None
    return answer.held.id


def about_rewards(found: Any) -> list[Any]:
    return [each for each in found if each.kind != "points_issued"]


async def deliver(coalition: Coalition, burn_id: UUID, who: str = "ann") -> None:
    async with coalition.runtime.database.begin() as session:
        delivery = Delivery(burn_id, coalition.wallets[who], "giftfund", f"order-{burn_id}")
        await capture(session, [delivery], vault=coalition.runtime.vault)


async def give_up(coalition: Coalition, burn_id: UUID, reason: str) -> None:
    async with coalition.runtime.database.begin() as session:
        asked = VoidRequest(burn_id, coalition.wallets["ann"], reason)
        await void(session, [asked], grace=GRACE)


async def test_a_delivered_reward_is_told_once_and_mailed(
    coalition: Coalition, engine: BurnEngine, ask: Ask, ann: Person
) -> None:
    burn_id = await burn(coalition, engine, ask)
    await deliver(coalition, burn_id)
    await deliver(coalition, burn_id)
    [notice] = about_rewards(await notices(coalition))
    assert notice.kind == "reward_delivered"
    told = {"offer": "Card", "points": 1_000, "burn": str(burn_id)}
    assert notice.context == {**told, "offer_id": str(coalition.offers["card"])}
    [mail] = about_rewards(await mails(coalition))
    assert (mail.person_id, mail.id) == (ann.id, notice.id)


async def test_a_voided_burn_says_why(
    coalition: Coalition, engine: BurnEngine, ask: Ask, ann: Person
) -> None:
    await give_up(coalition, await burn(coalition, engine, ask), "out of codes")
    [notice] = about_rewards(await notices(coalition))
    assert (notice.kind, notice.context["reason"]) == ("burn_voided", "out of codes")


async def test_what_a_person_cancels_is_noted_not_mailed(
    coalition: Coalition, engine: BurnEngine, ask: Ask, ann: Person, operator: Principal
) -> None:
    burn_id = await burn(coalition, engine, ask)
    async with coalition.runtime.database.begin() as session:
        await cancel(session, operator, burn_id, grace=GRACE)
    [notice] = about_rewards(await notices(coalition))
    assert (notice.kind, notice.in_app) == ("burn_cancelled", True)
    assert about_rewards(await mails(coalition)) == []


async def test_each_part_of_a_refund_is_told(
    coalition: Coalition, engine: BurnEngine, ask: Ask, ann: Person, operator: Principal
) -> None:
    burn_id = await burn(coalition, engine, ask)
    await deliver(coalition, burn_id)
    for key in ("a", "b", "b"):
        asked = RefundRequest(burn_id, coalition.wallets["ann"], 100, "broken", key, b"x")
        async with coalition.runtime.database.begin() as session:
            await refund(session, operator, asked, grace=GRACE)
    refunds = [each for each in await notices(coalition) if each.kind == "refund"]
    assert [each.context["points"] for each in refunds] == [100, 100]


async def test_points_of_one_file_are_one_notice_for_the_digest(
    coalition: Coalition, ann: Person
) -> None:
    items = [
        Issuance(reference=f"I-{n}", wallet_id=coalition.wallets["ann"], points=n + 1)
        for n in range(3)
    ]
    for _ in range(2):
        async with coalition.runtime.database.begin() as session:
            await issue(session, coalition.members["alpha"], items)
    [notice] = await notices(coalition)
    assert notice.context == {"points": 6, "issuer": "Alpha"}
    assert (notice.in_app, notice.email) == (True, Email.DAILY)


async def test_everybody_who_signs_in_as_the_participant_is_told(
    coalition: Coalition, ann: Person
) -> None:
    await make_person(coalition, Role.PARTICIPANT)
    await make_person(coalition, Role.OPERATOR)
    await coalition.issue("ann", 10)
    await coalition.issue("bob", 10)
    assert len(await notices(coalition)) == 2


async def test_what_is_imported_from_long_ago_is_filed_as_read(
    coalition: Coalition, engine: BurnEngine, ask: Ask, ann: Person
) -> None:
    async with coalition.runtime.database.begin() as session:
        await travel_to(session, LONG_AGO + timedelta(days=400), allowed=True)
    burn_id = await burn(coalition, engine, ask)
    await deliver(coalition, burn_id)
    [notice] = about_rewards(await notices(coalition))
    assert notice.read_at is not None
    assert await mails(coalition) == []


async def test_a_person_who_is_shut_out_is_told_nothing(coalition: Coalition, ann: Person) -> None:
    async with coalition.runtime.database.begin() as session:
        (await session.get_one(Person, ann.id)).disabled_at = LONG_AGO
    await coalition.issue("ann", 10)
    assert await notices(coalition) == []


async def give(coalition: Coalition, burn_id: UUID) -> None:
    """Ann gives her burn to Bob."""
    person = await make_person(coalition, Role.PARTICIPANT, email="giver@acme.example")
    async with coalition.runtime.database.begin() as session:
        principal = person_principal(person.id, person)
        assert principal is not None
        await gifts.give(session, principal, burn_id, coalition.participants["bob"], "")


async def told(coalition: Coalition, person: Person) -> list[tuple[str, dict[str, Any]]]:
    """What a person was told of rewards and gifts: (kind, context without the ids)."""
    found = about_rewards(await notices(coalition))
    return [
        (each.kind, {k: v for k, v in each.context.items() if k not in ("offer_id", "burn")})
        for each in found
        if each.person_id == person.id and each.kind != "gift_received"
    ]


async def test_a_gift_that_comes_is_told_to_both_once(
    coalition: Coalition, engine: BurnEngine, ask: Ask, ann: Person
) -> None:
    bob = await make_person(coalition, Role.PARTICIPANT, of="bob")
    burn_id = await burn(coalition, engine, ask)
    other = await burn(coalition, engine, ask)
    await give(coalition, burn_id)
    for _ in range(2):
        await deliver(coalition, burn_id)
    await deliver(coalition, other)
    assert await told(coalition, bob) == [("gift_ready", {"offer": "Card", "sender": "Ann"})]
    assert await told(coalition, ann) == [
        ("gift_delivered", {"offer": "Card", "points": 1_000, "colleague": "Bob"}),
        ("reward_delivered", {"offer": "Card", "points": 1_000}),
    ]


async def test_a_gift_that_does_not_come_is_told_to_both(
    coalition: Coalition, engine: BurnEngine, ask: Ask, ann: Person
) -> None:
    bob = await make_person(coalition, Role.PARTICIPANT, of="bob")
    burn_id = await burn(coalition, engine, ask)
    await give(coalition, burn_id)
    for _ in range(2):
        await give_up(coalition, burn_id, "out of codes")
    why = {"offer": "Card", "reason": "out of codes"}
    assert await told(coalition, bob) == [("gift_failed", {**why, "sender": "Ann"})]
    assert await told(coalition, ann) == [("burn_voided", {**why, "points": 1_000})]


async def test_a_gift_that_was_taken_back_is_the_givers_alone(
    coalition: Coalition, engine: BurnEngine, ask: Ask, ann: Person
) -> None:
    bob = await make_person(coalition, Role.PARTICIPANT, of="bob")
    burn_id = await burn(coalition, engine, ask)
    await give(coalition, burn_id)
    async with coalition.runtime.database.begin() as session:
        principal = person_principal(ann.id, ann)
        assert principal is not None
        await gifts.undo(session, principal, burn_id)
    await deliver(coalition, burn_id)
    assert await told(coalition, bob) == []
    assert [kind for kind, _ in await told(coalition, ann)] == ["reward_delivered"]
