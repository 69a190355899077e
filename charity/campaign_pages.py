"""Pages under /charity/staff/campaigns: drafts, campaigns, their pictures and matches.

The operator sees all of them. A charity's own member writes drafts, words and pictures of its own;
starting, closing and matching are the operator's.
"""

from __future__ import annotations

import asyncio
from http import HTTPStatus
from typing import Annotated, Any, Final
from uuid import UUID

import msgspec
from litestar import Request, get, post
from litestar.di import NamedDependency
from litestar.params import FromPath, QueryParameter
from sqlalchemy.ext.asyncio import AsyncSession

from charity import (
    campaign_form,
    campaigns,
    causes,
    closing,
    drafts,
    matching,
    pictures,
    registry,
    standing,
)
from charity.campaigns import NewCampaign, Text
from charity.domain import GRACE_MINUTES, LOCALES, MatchMode
from charity.errors import UnknownCause
from charity.standing import Cared
from charity.words import MATCH_MODES, SURPLUS
from marketplace.errors import MarketplaceError
from marketplace.identity.domain import Principal, Role
from marketplace.web import console
from marketplace.web.access import access
from marketplace.web.filled import Filled
from marketplace.web.i18n import Lazy
from marketplace.web.i18n import lazy as _l
from marketplace.web.page import Html, Page
from marketplace.web.pictures import MOST_BYTES, BadPicture, encode
from marketplace.web.uploads import sent_file

HOME: Final = "/charity/staff/campaigns"
AT: Final = "/staff/campaigns/{slug:str}"
WRITERS = access(roles=[Role.OPERATOR, Role.PARTNER], page=True)
STAFF = access(roles=[Role.OPERATOR], page=True)
NAMES: Final = {"en": "English", "ru": "Русский", "pl": "Polski", "it": "Italiano"}
AnyRequest = Request[Any, Any, Any]


class Forms(msgspec.Struct, frozen=True, kw_only=True):
    """The forms of a campaign's page as they were typed."""

    whole: Filled | None = None
    """Of the draft, or of the words of a campaign; None: as it is kept."""
    match: Filled = msgspec.field(default_factory=lambda: Filled({"percent": "100"}))
    close: Filled = msgspec.field(default_factory=lambda: Filled({}))
    alt: Filled = msgspec.field(default_factory=lambda: Filled({}))

    @property
    def wrong(self) -> bool:
        whole = self.whole.problems if self.whole else {}
        return bool(whole or self.match.problems or self.close.problems or self.alt.problems)


@get("/staff/campaigns/new", opt=WRITERS, include_in_schema=False)
async def ask_campaign(
    page: NamedDependency[Page],
    principal: NamedDependency[Principal],
    session: NamedDependency[AsyncSession],
    charity: Annotated[str, QueryParameter(max_length=100)],
) -> Html:
    """The form of a new campaign of a charity."""
    standing.require_own(principal, await registry.find(session, charity))
    empty = {"default_locale": page.locale, "grace_minutes": str(GRACE_MINUTES), "currency": "EUR"}
    return await _new_form(page, session, charity, Filled(empty))


async def _new_form(page: Page, session: AsyncSession, charity: str, form: Filled) -> Html:
    page.active = _active(page)
    found = await registry.find(session, charity)
    return page.render(
        "charity/staff/new.html",
        status_code=HTTPStatus.UNPROCESSABLE_ENTITY if form.problems else HTTPStatus.OK,
        charity=found,
        form=form,
        **_choices(page),
    )


def _active(page: Page) -> str:
    runs_all = page.principal is not None and standing.runs_all(page.principal)
    return "charity-staff" if runs_all else "partner"


def _choices(page: Page) -> dict[str, Any]:
    return {
        "locales": [(code, NAMES[code]) for code in LOCALES],
        "surpluses": [(each.value, page._(words), None) for each, words in SURPLUS.items()],
        "steps": range(campaign_form.STEPS),
        "modes": [(each.value, page._(MATCH_MODES[each])) for each in MatchMode],
    }


@post("/staff/campaigns/new", opt=WRITERS, include_in_schema=False, status_code=303)
async def draft_campaign(
    request: AnyRequest,
    page: NamedDependency[Page],
    principal: NamedDependency[Principal],
    session: NamedDependency[AsyncSession],
    charity: Annotated[str, QueryParameter(max_length=100)],
) -> Html:
    """Keep a draft of it."""
    standing.require_own(principal, await registry.find(session, charity))
    form = Filled(await request.form())
    made = await _save(session, principal, form, charity, None)
    if made is None:
        return await _new_form(page, session, charity, form)
    return page.redirect(f"{HOME}/{made.slug}", notice=_l("The draft is kept."))


async def _save(
    session: AsyncSession, principal: Principal, form: Filled, charity: str, was: str | None
) -> NewCampaign | None:
    """What was saved; None where something is wrong, which the form says."""
    new = campaign_form.read_campaign(form, charity)
    if new is not None:
        try:
            async with session.begin_nested():
                await drafts.save(session, new, actor=principal.actor, was=was)
        except MarketplaceError as error:
            campaign_form.note(form, error, "slug")
    return None if form.problems else new


@get(AT, opt=WRITERS, include_in_schema=False)
async def show_campaign(
    slug: FromPath[str],
    page: NamedDependency[Page],
    principal: NamedDependency[Principal],
    session: NamedDependency[AsyncSession],
) -> Html:
    """A draft to be written, or a campaign to be looked after."""
    return await _page(page, session, principal, slug, Forms())


async def _page(
    page: Page, session: AsyncSession, principal: Principal, slug: str, forms: Forms
) -> Html:
    page.active = _active(page)
    found = await standing.cared_for(session, principal, slug)
    if found.draft is not None:
        new = drafts.written(found.draft)
        default, whole = new.default_locale, campaign_form.fields_of(new)
        more: dict[str, Any] = {"new": new, "cause": None}
    else:
        cause = await causes.one(session, slug, page.locale)
        whole = Filled(campaign_form.texts_typed(await _texts(session, found)))
        default = found.campaign.default_locale if found.campaign else LOCALES[0]
        more = {"new": None, "cause": cause, "surplus": page._(SURPLUS[cause.surplus])}
    return page.render(
        "charity/staff/campaign.html",
        status_code=HTTPStatus.UNPROCESSABLE_ENTITY if forms.wrong else HTTPStatus.OK,
        slug=slug,
        charity=found.charity,
        form=forms.whole or whole,
        forms=forms,
        default_locale=default,
        pictures=(await pictures.of(session, {found.id: default}, page.locale))[found.id],
        most_pictures=pictures.MOST,
        runs_all=standing.runs_all(principal),
        members=[(each.slug, each.name) for each in await console.members(session)],
        **more,
        **_choices(page),
    )


async def _texts(session: AsyncSession, found: Cared) -> dict[str, Text]:
    if found.campaign is None:
        return {}
    rows = await campaigns.all_texts(session, found.campaign.id)
    return {each.locale: Text(title=each.title, story=each.story) for each in rows}


@post(AT, opt=WRITERS, include_in_schema=False, status_code=303)
async def save_campaign(
    *,
    request: AnyRequest,
    slug: FromPath[str],
    page: NamedDependency[Page],
    principal: NamedDependency[Principal],
    session: NamedDependency[AsyncSession],
) -> Html:
    """Keep what was typed: all of a draft, the words of a campaign."""
    found = await standing.cared_for(session, principal, slug, lock=True)
    form = Filled(await request.form())
    kept = slug
    if found.campaign is None:
        made = await _save(session, principal, form, found.charity.slug, slug)
        kept = made.slug if made else slug
    else:
        texts = campaign_form.read_texts(form, found.campaign.default_locale)
        if not form.problems:
            await drafts.put_texts(session, slug, texts, actor=principal.actor)
    if form.problems:
        return await _page(page, session, principal, slug, Forms(whole=form))
    return page.redirect(f"{HOME}/{kept}", notice=_l("Saved."))


@post(
    f"{AT}/pictures",
    opt=WRITERS,
    include_in_schema=False,
    status_code=303,
    request_max_body_size=MOST_BYTES + 1_000_000,
)
async def change_pictures(
    *,
    request: AnyRequest,
    slug: FromPath[str],
    page: NamedDependency[Page],
    principal: NamedDependency[Principal],
    session: NamedDependency[AsyncSession],
) -> Html:
    """Add a picture with words, make one the first, or take one off."""
    found = await standing.cared_for(session, principal, slug, lock=True)
    sent_form = await request.form()
    path = f"{HOME}/{slug}#pictures"
    for name, change in (("first", pictures.put_first), ("drop", pictures.drop)):
        if sent_form.get(name):
            await change(session, found.id, str(sent_form[name]), actor=principal.actor)
            return page.redirect(path, notice=_l("Saved."))
    form, sent = Filled(sent_form), await sent_file(sent_form)
    alt = {code: form[f"alt_{code}"] for code in LOCALES}
    if sent is None:
        form.wrong("file", _l("Choose a picture."))
    if not any(text.strip() for text in alt.values()):
        form.wrong(f"alt_{LOCALES[0]}", _l("Say what is seen, for those who cannot see it."))
    if sent is not None and not form.problems:
        try:
            encoded = await asyncio.to_thread(encode, sent.body)
            await pictures.add(session, found.id, encoded, alt, actor=principal.actor)
        except BadPicture as error:
            form.wrong("file", Lazy(error.detail))
        except MarketplaceError as error:
            form.wrong("file", Lazy(error.detail))
    if form.problems:
        return await _page(page, session, principal, slug, Forms(alt=form))
    return page.redirect(path, notice=_l("The picture is there."))


@post(f"{AT}/start", opt=STAFF, include_in_schema=False, status_code=303)
async def start_campaign(
    slug: FromPath[str],
    page: NamedDependency[Page],
    principal: NamedDependency[Principal],
    session: NamedDependency[AsyncSession],
) -> Html:
    """What it promises never changes from now on."""
    try:
        async with session.begin_nested():
            await drafts.start(session, principal, slug)
    except UnknownCause:
        raise
    except MarketplaceError as error:
        # What it promises cannot be any more: its last day is past, its charity accepts no points.
        said = Lazy(error.detail or error.title)
        return page.redirect(f"{HOME}/{slug}", notice=said, tone="warning")
    return page.redirect(f"{HOME}/{slug}", notice=_l("Started: people can give to it."))


@post(f"{AT}/drop", opt=WRITERS, include_in_schema=False, status_code=303)
async def drop_draft(
    slug: FromPath[str],
    page: NamedDependency[Page],
    principal: NamedDependency[Principal],
    session: NamedDependency[AsyncSession],
) -> Html:
    """Give a draft up."""
    await standing.cared_for(session, principal, slug, lock=True)
    await drafts.drop(session, slug, actor=principal.actor)
    home = "/charity/staff" if standing.runs_all(principal) else "/charity/partner"
    return page.redirect(home, notice=_l("The draft is gone."))


@post(f"{AT}/close", opt=STAFF, include_in_schema=False, status_code=303)
async def close_campaign(
    *,
    request: AnyRequest,
    slug: FromPath[str],
    page: NamedDependency[Page],
    principal: NamedDependency[Principal],
    session: NamedDependency[AsyncSession],
) -> Html:
    """Close it early; its matches end, its surplus goes where it said."""
    form = Filled(await request.form())
    if not form["reason"].strip():
        form.wrong("reason", _l("Say why; givers read it."))
        return await _page(page, session, principal, slug, Forms(close=form))
    await closing.close(session, principal, slug, reason=form["reason"][:500])
    return page.redirect(f"{HOME}/{slug}", notice=_l("Closed. Gifts that were made stay."))


@post(f"{AT}/matches", opt=STAFF, include_in_schema=False, status_code=303)
async def start_match(
    *,
    request: AnyRequest,
    slug: FromPath[str],
    page: NamedDependency[Page],
    principal: NamedDependency[Principal],
    session: NamedDependency[AsyncSession],
) -> Html:
    """A member pledges to add to gifts."""
    form = Filled(await request.form())
    new = campaign_form.read_match(form, slug)
    if new is not None:
        try:
            async with session.begin_nested():
                await session.run_sync(matching.start, new, principal.actor)
        except MarketplaceError as error:
            campaign_form.note(form, error, "percent")
    if form.problems:
        return await _page(page, session, principal, slug, Forms(match=form))
    return page.redirect(f"{HOME}/{slug}#matches", notice=_l("The match is in force."))


@post("/staff/matches/{match_id:uuid}/end", opt=STAFF, include_in_schema=False, status_code=303)
async def end_match(
    request: AnyRequest,
    match_id: FromPath[UUID],
    page: NamedDependency[Page],
    principal: NamedDependency[Principal],
    session: NamedDependency[AsyncSession],
) -> Html:
    """End a match; what a prefunded one did not give comes back."""
    match = await session.run_sync(matching.end, match_id, principal.actor)
    campaign = await campaigns.by_id(session, match.campaign_id)
    return page.redirect(f"{HOME}/{campaign.slug}#matches", notice=_l("The match has ended."))


ROUTES = [
    ask_campaign,
    draft_campaign,
    show_campaign,
    save_campaign,
    change_pictures,
    start_campaign,
    drop_draft,
    close_campaign,
    start_match,
    end_match,
]
