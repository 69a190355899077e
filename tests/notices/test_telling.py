"""People are told things: once, in the transaction of what happened, as they wish."""

from __future__ import annotations

from typing import Any

import pytest
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import Session

from marketplace.identity.models import Person
from marketplace.notices import service
from marketplace.notices.domain import Category, Email, Preference
from marketplace.notices.service import Telling
from tests.factories import Coalition
from tests.notices.conftest import mails, notices

GIFT = {"sender": "Bob", "offer": "Mug", "path": "/rewards/1"}


async def tell(coalition: Coalition, once_key: str = "gift:1", **whom: Any) -> int:
    async with coalition.runtime.database.begin() as session:
        return await service.notify(
            session, kind="gift_received", once_key=once_key, context=GIFT, **whom
        )


async def test_a_notice_is_in_the_inbox_and_its_mail_is_due(
    coalition: Coalition, ann: Person
) -> None:
    assert await tell(coalition, participant_id=coalition.participants["ann"]) == 1
    [notice] = await notices(coalition)
    [mail] = await mails(coalition)
    assert (notice.person_id, notice.context, notice.in_app) == (ann.id, GIFT, True)
    assert (mail.person_id, mail.id, mail.kind) == (ann.id, notice.id, "gift_received")
    assert mail.due_at is not None


async def test_the_same_occasion_is_told_once(coalition: Coalition, ann: Person) -> None:
    assert await tell(coalition, person_id=ann.id) == 1
    assert await tell(coalition, person_id=ann.id) == 0
    assert await tell(coalition, "gift:2", person_id=ann.id) == 1
    assert len(await mails(coalition)) == 2


async def test_a_participant_who_cannot_sign_in_is_told_nothing(
    coalition: Coalition, ann: Person
) -> None:
    assert await tell(coalition, participant_id=coalition.participants["bob"]) == 0


async def test_what_is_undone_tells_nobody(coalition: Coalition, ann: Person) -> None:
    async with AsyncSession(coalition.runtime.database.engine) as session:
        assert await service.notify(
            session, kind="gift_received", once_key="g", context=GIFT, person_id=ann.id
        )
        await session.rollback()
    assert await notices(coalition) == []


async def test_a_person_gets_a_category_as_they_wish(coalition: Coalition, ann: Person) -> None:
    async with coalition.runtime.database.begin() as session:
        wish = Preference(category=Category.GIFTS, in_app=False, email=Email.DAILY)
        await service.set_preferences(session, ann.id, [wish])
        chosen = await service.preferences(session, ann.id)
    assert wish in chosen
    assert [each.category for each in chosen] == [each for each in Category if each != "account"]
    await tell(coalition, person_id=ann.id)
    [notice] = await notices(coalition)
    assert (notice.in_app, notice.email) == (False, Email.DAILY)
    assert await mails(coalition) == []


async def test_many_are_told_in_one_statement_also_from_a_synchronous_task(
    coalition: Coalition, ann: Person
) -> None:
    context = {"title": "Seat", "points": 500, "path": "/catalog/seat"}
    tellings = [Telling(once_key=f"wish:{n}", context=context, person_id=ann.id) for n in (1, 2)]
    with Session(coalition.runtime.database.sync_engine) as plain, plain.begin():
        assert service.notify_many_sync(plain, "wish_affordable", tellings) == 2
    async with coalition.runtime.database.begin() as session:
        assert await service.notify_many(session, "wish_affordable", tellings) == 0


@pytest.mark.parametrize(
    "context",
    [
        {},
        {**GIFT, "more": "x"},
        {**GIFT, "sender": 3},
        {**GIFT, "path": "https://elsewhere.example"},
        {**GIFT, "path": "//elsewhere.example"},
    ],
)
async def test_a_context_that_does_not_fit_its_kind_is_refused(
    context: dict[str, Any], coalition: Coalition, ann: Person
) -> None:
    async with coalition.runtime.database.begin() as session:
        with pytest.raises(ValueError, match="gift_received"):
            await service.notify(
                session, kind="gift_received", once_key="x", context=context, person_id=ann.id
            )
