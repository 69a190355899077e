"""Ending mails: by the link in a mail, signed out, or by a mail program's own button."""

from __future__ import annotations

from typing import Final

from sqlalchemy.ext.asyncio import AsyncSession

from marketplace.errors import NotFound
from marketplace.identity.audit import audit
from marketplace.identity.models import Person
from marketplace.notices.addresses import StopMails
from marketplace.notices.domain import Category, Email, Preference
from marketplace.notices.service import preferences, set_preferences

ACTOR: Final = "system:unsubscribe-link"


async def address_hint(session: AsyncSession, stop: StopMails) -> str:
    """Whose mails a link ends, in a form that tells a stranger little: `a***@acme.example`."""
    person = await session.get(Person, stop.person_id)
    if person is None:
        raise NotFound
    name, _, host = person.email.partition("@")
    return f"{name[:1]}***@{host}"


async def stop_mails(session: AsyncSession, stop: StopMails, *, everything: bool) -> None:
    """End what the link ends, or all mails that are a choice. Again changes nothing."""
    if await session.get(Person, stop.person_id) is None:
        raise NotFound
    wanted = [
        Preference(category=each.category, in_app=each.in_app, email=Email.NONE)
        for each in await preferences(session, stop.person_id)
        if each.email is not Email.NONE and (everything or _ends(stop, each))
    ]
    if wanted:
        await set_preferences(session, stop.person_id, wanted)
        ended = [each.category.value for each in wanted]
        await audit(session, ACTOR, "notices.unsubscribed", "person", stop.person_id, ended=ended)


def _ends(stop: StopMails, preference: Preference) -> bool:
    if isinstance(stop.what, Category):
        return preference.category is stop.what
    return preference.email is stop.what
