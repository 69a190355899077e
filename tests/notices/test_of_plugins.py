"""A plugin tells people about their own orders, in words it declared, and reaches nobody else."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from datetime import datetime
from typing import Any
from uuid import uuid4

import pytest
import pytest_asyncio
from sqlalchemy.orm import Session

from marketplace.api import News, NoticeKind, Principal, lazy
from marketplace.exchange.engine import BurnEngine
from marketplace.host import PluginHost
from marketplace.identity.models import Person
from marketplace.notices import of_plugins
from marketplace.notices.domain import Category, Email, Preference
from marketplace.notices.service import set_preferences
from marketplace.notices.words import words_of
from marketplace.web.i18n import core_languages, speak
from tests.exchange.conftest import Ask
from tests.factories import Coalition
from tests.notices.conftest import mails, notices
from tests.notices.test_feed import about_rewards, burn

MOVED = NoticeKind(
    slug="moved",
    subject={"en": "Moved: %(event)s", "pl": "Nowy termin: %(event)s"},
    text={"en": "%(event)s begins %(begins)s. 100%% of it.", "pl": "Początek: %(begins)s."},
    action="See it",
    fields={"event": "text", "begins": "moment", "token": "id"},
    path="/seen/%(token)s",
)
BEGINS = datetime.fromisoformat("2027-05-04T09:00:00+02:00")


def news(about: str, occasion: str = "once", **values: Any) -> News:
    """Something that moved."""
    given = {"event": "Forum", "begins": BEGINS, "token": "x_1", **values}
    return News(about=about, occasion=occasion, values=given)


class Partner:
    """The plugin `giftfund`, which Ann ordered from."""

    def __init__(self, coalition: Coalition, slug: str = "giftfund") -> None:
        runtime = coalition.runtime
        self.host = PluginHost(slug, lambda: runtime.database, lambda: runtime.vault)

    async def do(self, work: Callable[[Session], Any]) -> Any:
        """In one transaction of the plugin's."""

        def inside() -> Any:
            with self.host.transaction() as session:
                return work(session)

        return await asyncio.to_thread(inside)

    async def tell(self, *told: News) -> int:
        """How many notices were made."""
        made: int = await self.do(lambda session: self.host.notify(session, MOVED, told))
        return made


@pytest_asyncio.fixture
async def burn_id(coalition: Coalition, engine: BurnEngine, ask: Ask, ann: Person) -> str:
    """Ann's order of the plugin `giftfund`."""
    return str(await burn(coalition, engine, ask))


@pytest.fixture
def partner(coalition: Coalition) -> Partner:
    """What the core lends it."""
    return Partner(coalition)


async def test_who_ordered_is_told_once_in_their_language(
    coalition: Coalition, ann: Person, burn_id: str, partner: Partner
) -> None:
    assert await partner.tell(news(burn_id, event="<b>Forum</b>\r\nBcc: all")) == 1
    assert await partner.tell(news(burn_id)) == 0
    assert await partner.tell(news(burn_id, "again")) == 1
    found, _ = about_rewards(await notices(coalition))
    assert (found.person_id, found.category, found.context["path"]) == (
        ann.id,
        "rewards",
        "/giftfund/seen/x_1",
    )
    assert len(about_rewards(await mails(coalition))) == 2
    with speak(core_languages()["pl"]):
        words = words_of(found.kind, found.context, found.created_at)
    assert words.subject == "Nowy termin: <b>Forum</b> Bcc: all"
    assert words.text.endswith("(UTC+02:00).")
    with speak(core_languages()["it"]):
        words = words_of(found.kind, found.context, found.created_at)
    assert words.text.endswith("100% of it.")


async def test_a_value_may_be_in_several_languages_too(
    coalition: Coalition, ann: Person, burn_id: str, partner: Partner
) -> None:
    names = {"de": "Das Forum", "pl": "Forum po polsku", "it": "x" * 600}
    assert await partner.tell(news(burn_id, event=names)) == 1
    assert await partner.tell(news(burn_id, "again", event={"de": "Das Forum"})) == 1
    found, other = sorted(about_rewards(await notices(coalition)), key=lambda each: each.id)
    assert set(found.context["values"]["event"]) == {"en", "pl", "it"}  # pages are in no German
    for code, of, subject in (
        ("pl", found, "Nowy termin: Forum po polsku"),
        ("ru", found, "Moved: Das Forum"),
        ("ru", other, "Moved: Das Forum"),
    ):
        with speak(core_languages()[code]):
            assert words_of(of.kind, of.context, of.created_at).subject == subject
    for wrong in ({}, {"pl": 7}, ["Forum"]):
        with pytest.raises(ValueError, match="event of moved is no text"):
            await partner.tell(news(burn_id, "wrong", event=wrong))


async def test_nobody_is_told_about_orders_of_another_plugin_or_of_none(
    coalition: Coalition, ann: Person, burn_id: str
) -> None:
    stranger = Partner(coalition, "vouchers")
    assert await stranger.tell(news(burn_id), news(str(uuid4())), news("no-order")) == 0
    assert about_rewards(await notices(coalition)) == []


async def test_who_subscribed_is_told_and_an_api_key_cannot(
    coalition: Coalition, ann: Person, partner: Partner
) -> None:
    key = Principal(credential_id=uuid4(), caller_id=uuid4(), actor="key:1")
    person = Principal(
        credential_id=uuid4(), caller_id=ann.id, actor="p", roles=frozenset({"participant"})
    )
    assert not await partner.do(lambda s: partner.host.subscribe(s, key, "wait-1"))
    assert await partner.do(lambda s: partner.host.subscribe(s, person, "wait-1"))
    assert await partner.tell(news("wait-1"), news("wait-2")) == 1
    assert await Partner(coalition, "vouchers").tell(news("wait-1")) == 0


async def test_what_a_person_does_not_want_is_not_told(
    coalition: Coalition, ann: Person, burn_id: str, partner: Partner
) -> None:
    async with coalition.runtime.database.begin() as session:
        wish = Preference(category=Category.REWARDS, in_app=False, email=Email.NONE)
        await set_preferences(session, ann.id, [wish])
    assert await partner.tell(news(burn_id)) == 0


async def test_a_plugin_that_talks_too_much_is_not_heard(
    coalition: Coalition, burn_id: str, partner: Partner
) -> None:
    most = of_plugins.MOST_A_DAY
    assert await partner.tell(*(news(burn_id, f"{n}") for n in range(most + 5))) == most
    assert await partner.tell(news(burn_id, "more")) == 0


async def test_a_notice_without_a_page_leads_to_the_reward(
    coalition: Coalition, burn_id: str, partner: Partner
) -> None:
    plain = NoticeKind(slug="gone", subject=lazy("Your wallet"), text="It is gone.", action="See")
    told = [News(about=burn_id, occasion="1")]
    assert await partner.do(lambda s: partner.host.notify(s, plain, told)) == 1
    [found] = about_rewards(await notices(coalition))
    assert found.context["path"] == f"/rewards/{burn_id}"
    assert found.context["words"]["subject"]["pl"] != "Your wallet"
    with pytest.raises(ValueError, match="is no order"):
        await partner.do(
            lambda s: partner.host.notify(s, plain, [News(about="wait-1", occasion="1")])
        )


@pytest.mark.parametrize(
    "wrong",
    [
        {"subject": "%(nothing)s"},
        {"subject": "50 % off"},
        {"subject": "x" * 121},
        {"text": ""},
        {"action": "Look at %(event)s"},
        {"slug": "Moved"},
        {"path": "//elsewhere.example/"},
        {"path": "/seen/%(event)s"},
    ],
)
def test_words_that_do_not_fit_fail_when_the_plugin_loads(wrong: dict[str, Any]) -> None:
    good = {name: getattr(MOVED, name) for name in MOVED.__struct_fields__}
    with pytest.raises(ValueError, match=r"slug|subject|text|action|path|%"):
        NoticeKind(**{**good, **wrong})


@pytest.mark.parametrize(
    "values",
    [{"begins": BEGINS.replace(tzinfo=None)}, {"event": 3}, {"token": "a/b"}, {"more": "x"}],
)
async def test_values_that_do_not_fit_are_refused(partner: Partner, values: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=r"of moved is|moved takes"):
        await partner.tell(news("wait-1", **values))
