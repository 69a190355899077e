"""Campaigns before they start: written by the operator or the charity's own member, then started.

And what can be changed of a campaign that runs: its words, never its promises.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Final
from uuid import UUID

import msgspec
import sqlalchemy as sa
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncSession

from charity import campaigns, pictures, registry
from charity.campaigns import NewCampaign, Text
from charity.domain import SLUG
from charity.errors import UnknownCause
from charity.models import Campaign, CampaignText, Draft
from marketplace.clock import now
from marketplace.errors import Conflict, InvalidRequest
from marketplace.identity.audit import audit
from marketplace.identity.domain import Principal
from marketplace.ids import uuid7

SLUGS: Final = re.compile(r"[a-z0-9][a-z0-9-]{0,62}")


async def save(
    session: AsyncSession, new: NewCampaign, *, actor: str, was: str | None = None
) -> Draft:
    """Keep a campaign as it is written so far; `was`: the slug of the draft that it replaces.

    Raises UnknownCause (no such charity or draft), InvalidRequest, Conflict (the slug is taken).
    """
    if not SLUGS.fullmatch(new.slug):
        raise InvalidRequest("A slug has lower case letters, digits and dashes.", field="slug")
    campaigns.check(new)
    charity = await registry.find(session, new.charity)
    draft = None if was is None else await find(session, was, lock=True)
    if draft is None or draft.slug != new.slug:
        await _check_free(session, new.slug)
    document, moment = msgspec.to_builtins(new), await now(session)
    if draft is None:
        draft = Draft(id=uuid7(), made_by=actor, charity_id=charity.id)
    elif draft.charity_id != charity.id:
        raise InvalidRequest("A draft stays with its charity.", field="charity")
    try:
        async with session.begin_nested():
            draft.slug, draft.document, draft.changed_at = new.slug, document, moment
            session.add(draft)
    except IntegrityError as error:  # somebody took the slug meanwhile
        raise _taken(new.slug) from error
    await audit(session, actor, "charity.drafted", SLUG, draft.id, **document)
    return draft


async def _check_free(session: AsyncSession, slug: str) -> None:
    for table in (Campaign, Draft):
        if await session.scalar(sa.select(table.id).where(table.slug == slug)):
            raise _taken(slug)


def _taken(slug: str) -> Conflict:
    return Conflict(f"There is a campaign {slug!r} already.", field="slug")


async def find(session: AsyncSession, slug: str, *, lock: bool = False) -> Draft:
    """The draft with this slug; UnknownCause where there is none."""
    query = sa.select(Draft).where(Draft.slug == slug)
    draft = await session.scalar(query.with_for_update() if lock else query)
    if draft is None:
        raise UnknownCause(f"There is no draft {slug!r}.")
    return draft


def written(draft: Draft) -> NewCampaign:
    """What a draft says."""
    return msgspec.convert(draft.document, NewCampaign)


async def drafts(session: AsyncSession, charity_id: UUID | None = None) -> Sequence[Draft]:
    """Every draft, or a charity's, newest first."""
    query = sa.select(Draft).order_by(Draft.changed_at.desc(), Draft.id)
    if charity_id is not None:
        query = query.where(Draft.charity_id == charity_id)
    return list(await session.scalars(query))


async def drop(session: AsyncSession, slug: str, *, actor: str) -> None:
    """Give a draft up, with its pictures. Raises UnknownCause."""
    draft = await find(session, slug, lock=True)
    await pictures.drop_all(session, draft.id)
    await session.delete(draft)
    await audit(session, actor, "charity.draft_dropped", SLUG, draft.id, slug=slug)


async def start(session: AsyncSession, principal: Principal, slug: str) -> Campaign:
    """Start the campaign that a draft is, now where its start is past. As `campaigns.start`."""
    draft = await find(session, slug, lock=True)
    new, moment = written(draft), await now(session)
    if new.starts_at is not None and new.starts_at < moment:
        new = msgspec.structs.replace(new, starts_at=None)
    await session.delete(draft)
    await session.flush()
    return await campaigns.start(session, principal, new, known_as=draft.id)


async def put_texts(
    session: AsyncSession, slug: str, texts: Mapping[str, Text], *, actor: str
) -> Campaign:
    """Let a campaign's words be these; its promises stay. What they were is in the audit trail.

    Raises UnknownCause, InvalidRequest (the default language's is missing, or one is too long).
    """
    campaign = await campaigns.find(session, slug, lock=True)
    campaigns.check_texts(texts)
    if campaign.default_locale not in texts:
        said = "The text in the default language stays."
        raise InvalidRequest(said, field=f"title_{campaign.default_locale}")
    known = {
        each.locale: each
        for each in await session.scalars(
            sa.select(CampaignText).where(CampaignText.campaign_id == campaign.id)
        )
    }
    before = {code: {"title": each.title, "story": each.story} for code, each in known.items()}
    for locale in set(known) - set(texts):
        await session.delete(known[locale])
    for locale, text in texts.items():
        row = known.get(locale)
        if row is None:
            row = CampaignText(campaign_id=campaign.id, locale=locale)
            session.add(row)
        row.title, row.story = text.title.strip(), text.story.strip()
    await session.flush()
    details = {"before": before, "after": msgspec.to_builtins(texts)}
    await audit(session, actor, "charity.texts_changed", SLUG, campaign.id, **details)
    return campaign
