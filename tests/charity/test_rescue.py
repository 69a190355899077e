"""Points that would expire: announced in time, given before they do, and never against a wish."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import Any

import pytest
import sqlalchemy as sa
from click.testing import CliRunner

from charity import closing, giving, rescues, rescuing
from charity.domain import GiftStatus, Origin, PlanStatus
from charity.errors import UnknownCause
from charity.models import Gift
from charity.rescue_models import Rescue, RescuePlan
from marketplace.cli import main
from marketplace.clock import now
from marketplace.identity.domain import Role
from marketplace.identity.models import Person
from marketplace.ledger.models import Draw, Lot
from marketplace.notices.models import Mail, Notice
from tests.charity.conftest import OPERATOR, Cause
from tests.conftest import SECRET_KEY


class Rescues:
    """Steps of whoever wants that nothing of theirs is lost."""

    def __init__(self, cause: Cause) -> None:
        self.cause = cause
        self.database = cause.runtime.database

    async def points(self, points: int, days: int, who: str = "ann") -> int:
        """Points that expire in so many days; the id of their lot."""
        async with self.database.begin() as session:
            expires_at = await now(session) + timedelta(days=days)
        await self.cause.coalition.issue(who, points, expires_at=expires_at)
        async with self.database.begin() as session:
            found = await session.scalar(sa.select(Lot.id).order_by(Lot.id.desc()).limit(1))
            assert found is not None
            return found

    async def ask(self, **more: Any) -> None:
        ann = await self.cause.person("ann")
        new = rescues.NewRescue(**{"campaign": "wells", **more})
        async with self.database.begin() as session:
            await session.run_sync(rescues.set_up, ann, new)

    async def stop(self) -> None:
        ann = await self.cause.person("ann")
        async with self.database.begin() as session:
            await session.run_sync(rescues.stop, ann)

    async def run(self) -> rescuing.Done:
        """The clock's work, and the worker's on what it gave."""
        done = await rescuing.run(self.database, {}, lambda count: None)
        for gift in await self.gifts():
            if gift.status in (GiftStatus.ASKED, GiftStatus.HELD):
                pair = (str(gift.burn_id), str(gift.wallet_id))
                await asyncio.to_thread(self.cause.work.fulfil, "charity", [pair], False)
        await self.cause.follow()
        return done

    async def pass_days(self, days: float) -> rescuing.Done:
        await self.cause.travel(timedelta(days=days))
        return await self.run()

    async def gifts(self) -> list[Gift]:
        async with self.database.begin() as session:
            return list(await session.scalars(sa.select(Gift).order_by(Gift.made_at)))

    async def plans(self) -> list[RescuePlan]:
        async with self.database.begin() as session:
            query = sa.select(RescuePlan).order_by(RescuePlan.announced_at)
            return list(await session.scalars(query))

    async def drawn(self) -> dict[int, int]:
        """Points that gifts took, by lot."""
        query = (
            sa.select(Draw.lot_id, sa.func.sum(Draw.points))
            .where(Draw.burn_id.in_(sa.select(Gift.burn_id).where(Gift.status == "captured")))
            .group_by(Draw.lot_id)
        )
        async with self.database.begin() as session:
            return {row[0]: int(row[1]) for row in await session.execute(query)}

    async def told(self) -> list[tuple[str, dict[str, Any]]]:
        """What Ann was told of charity, in order."""
        query = sa.select(Notice).where(Notice.kind != "points_issued").order_by(Notice.id)
        async with self.database.begin() as session:
            return [(each.kind, each.context) for each in await session.scalars(query)]


@pytest.fixture
def rescue(cause: Cause) -> Rescues:
    return Rescues(cause)


async def test_points_are_announced_and_then_given_and_no_others(rescue: Rescues) -> None:
    first = await rescue.points(300, 20)
    second = await rescue.points(50, 22)
    later = await rescue.points(77, 60)
    await rescue.ask(notice_days=7)
    assert (await rescue.run()).announced == 0  # twelve days too soon
    assert (await rescue.pass_days(12.5)).announced == 1
    assert (await rescue.run()).announced == 0
    (plan,) = await rescue.plans()
    assert (plan.points, set(plan.lot_ids)) == (350, {first, second})
    ((kind, context),) = await rescue.told()
    assert (kind, context["points"], context["campaign"]) == ("expiring_planned", 350, "Wells")
    assert context["day"] == plan.give_at.date().isoformat()
    async with rescue.database.begin() as session:
        assert await session.scalar(sa.select(sa.func.count()).select_from(Mail)) == 1
    await rescue.pass_days(6)
    assert await rescue.gifts() == []
    await rescue.pass_days(0.6)
    (gift,) = await rescue.gifts()
    assert (gift.points, gift.origin, gift.status) == (350, Origin.EXPIRING, GiftStatus.CAPTURED)
    assert await rescue.drawn() == {first: 300, second: 50}
    await rescue.pass_days(0.1)
    assert [each.status for each in await rescue.plans()] == [PlanStatus.GIVEN]
    kinds = [kind for kind, _ in await rescue.told()]
    assert kinds == ["expiring_planned", "donation_made", "donation_receipt"]
    assert later not in plan.lot_ids
    assert await rescue.cause.findings() == []


async def test_nothing_is_given_after_it_was_stopped(rescue: Rescues) -> None:
    await rescue.points(300, 9)
    await rescue.ask()
    assert (await rescue.pass_days(1.5)).announced == 1
    await rescue.stop()
    await rescue.stop()
    await rescue.pass_days(7)
    assert await rescue.gifts() == []
    assert [each.status for each in await rescue.plans()] == [PlanStatus.STOPPED]


async def test_stopped_between_holding_and_promising_the_points_go_back(rescue: Rescues) -> None:
    await rescue.points(300, 9)
    await rescue.ask()
    await rescue.pass_days(1.5)
    await rescue.cause.travel(timedelta(days=6.6))
    assert (await rescuing.run(rescue.database, {}, lambda count: None)).made == 1
    assert [each.status for each in await rescue.gifts()] == [GiftStatus.HELD]
    await rescue.stop()
    await rescue.run()
    (gift,) = await rescue.gifts()
    assert (gift.status, gift.reason) == (GiftStatus.VOIDED, giving.CANCELLED)
    assert await rescue.cause.balance() == (10_300, 0)
    assert await rescue.cause.findings() == []


async def test_what_was_spent_meanwhile_is_not_given(rescue: Rescues) -> None:
    await rescue.points(300, 9)
    await rescue.ask()
    await rescue.pass_days(1.5)
    await rescue.cause.done(120)  # of the points that expire first
    await rescue.pass_days(6.6)
    assert [each.points for each in await rescue.gifts()] == [120, 180]
    await rescue.cause.done(1)
    assert await rescue.cause.findings() == []


async def test_points_that_were_all_spent_leave_nothing_to_give(rescue: Rescues) -> None:
    await rescue.points(300, 9)
    await rescue.ask()
    await rescue.pass_days(1.5)
    await rescue.cause.done(300)
    await rescue.pass_days(6.6)
    assert len(await rescue.gifts()) == 1
    assert [each.status for each in await rescue.plans()] == [PlanStatus.NOTHING]


async def test_points_that_nobody_was_told_of_never_go_instead(rescue: Rescues) -> None:
    """Somebody burns between the look and the hold: the draws show it, and it is tried again."""
    lot = await rescue.points(300, 9)
    await rescue.ask()
    await rescue.pass_days(1.5)
    await rescue.cause.travel(timedelta(days=6.6))
    (plan,) = await rescue.plans()
    async with rescue.database.begin() as session:
        asked = await session.run_sync(rescues.next_step, plan.id)
    assert asked is not None
    await rescue.cause.done(200)
    given = await giving.give(rescue.database, rescue.cause.engine, *asked)
    assert given.error is None  # 100 of the lot, and 200 of points that do not expire
    await rescue.run()
    assert (await rescue.cause.gift(given.burn_id)).reason == rescues.OTHER_POINTS
    for _ in range(3):
        await rescue.pass_days(0.03)
    captured = [each.points for each in await rescue.gifts() if each.status == "captured"]
    assert captured == [200, 100]
    assert await rescue.drawn() == {lot: 300}
    assert [each.status for each in await rescue.plans()] == [PlanStatus.GIVEN]
    assert await rescue.cause.findings() == []


async def test_a_process_that_died_after_writing_it_down_gives_it_once(rescue: Rescues) -> None:
    await rescue.points(300, 9)
    await rescue.ask()
    await rescue.pass_days(1.5)
    await rescue.cause.travel(timedelta(days=6.6))
    (plan,) = await rescue.plans()
    async with rescue.database.begin() as session:
        assert await session.run_sync(rescues.next_step, plan.id) is not None
    await rescue.pass_days(0.01)
    await asyncio.gather(*(rescuing.run(rescue.database, {}, lambda count: None) for _ in range(3)))
    await rescue.pass_days(0.03)
    (gift,) = await rescue.gifts()
    assert (gift.points, gift.status) == (300, GiftStatus.CAPTURED)
    assert [each.status for each in await rescue.plans()] == [PlanStatus.GIVEN]


async def test_a_closed_campaign_leaves_them_to_the_charitys_general_fund(rescue: Rescues) -> None:
    async with rescue.database.begin() as session:
        moment = await now(session)
    await rescue.cause.start("dams", ends_at=moment + timedelta(days=4))
    await rescue.points(300, 9)
    await rescue.ask(campaign="dams")
    await rescue.pass_days(1.5)
    await rescue.pass_days(6.6)
    (gift,) = await rescue.gifts()
    wells = await rescue.cause.raised("wells")
    assert (gift.points, wells.points) == (300, 300)


async def test_without_a_general_fund_the_giver_hears_that_it_could_not_be(
    rescue: Rescues,
) -> None:
    await rescue.points(300, 9)
    await rescue.ask(fallback=False)
    await rescue.pass_days(1.5)
    async with rescue.database.begin() as session:
        await closing.close(session, OPERATOR, "wells", reason="The wells are dug.")
    await rescue.pass_days(6.6)
    await rescue.pass_days(1)
    assert await rescue.gifts() == []
    assert [each.status for each in await rescue.plans()] == [PlanStatus.MISSED]
    assert (await rescue.told())[-1] == (
        "expiring_missed",
        {"campaign": "Wells", "points": 300, "reason": "campaign_over"},
    )


async def test_points_that_expire_too_soon_for_a_notice_are_left_alone(rescue: Rescues) -> None:
    await rescue.points(300, 2)
    await rescue.ask()
    assert (await rescue.run()).announced == 0
    await rescue.pass_days(1.5)
    assert await rescue.gifts() == []


async def test_a_new_wish_takes_the_place_of_the_old_and_a_pool_has_none(rescue: Rescues) -> None:
    await rescue.ask(notice_days=7)
    await rescue.ask(notice_days=3, anonymous=True)
    async with rescue.database.begin() as session:
        found = list(await session.scalars(sa.select(Rescue).order_by(Rescue.id)))
    assert [each.stopped_why for each in found] == ["changed", ""]
    await rescue.cause.pool()
    manager = await rescue.cause.person("acme", Role.FIRM_MANAGER)
    with pytest.raises(UnknownCause):
        async with rescue.database.begin() as session:
            await session.run_sync(rescues.set_up, manager, rescues.NewRescue(campaign="wells"))


async def test_whoever_can_no_longer_sign_in_gives_nothing(rescue: Rescues) -> None:
    await rescue.points(300, 9)
    await rescue.ask()
    ann = await rescue.cause.person("ann")
    async with rescue.database.begin() as session:
        person = await session.get_one(Person, ann.caller_id)
        person.disabled_at = await now(session)
    await rescue.pass_days(1.5)
    assert await rescue.plans() == []
    async with rescue.database.begin() as session:
        (found,) = await session.scalars(sa.select(Rescue))
    assert found.stopped_why == "giver_gone"


async def test_the_command_does_what_the_clock_does(rescue: Rescues, database_url: str) -> None:
    await rescue.points(300, 9)
    await rescue.ask()
    environment = {"MARKETPLACE_DATABASE_URL": database_url, "MARKETPLACE_SECRET_KEYS": SECRET_KEY}
    runner = CliRunner(env=environment)
    said = []
    for days in (1.5, 6.6):
        await rescue.cause.travel(timedelta(days=days))
        done = await asyncio.to_thread(runner.invoke, main, ["charity", "expiring"])
        assert done.exit_code == 0, done.output
        said.append(done.output.strip())
    assert said == ["1 announced, 0 of 0 due given", "0 announced, 1 of 1 due given"]
