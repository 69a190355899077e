"""Pages under /charity/staff: the registry and all gifts, for the operator."""

from __future__ import annotations

from http import HTTPStatus
from typing import Annotated, Any, Final
from uuid import UUID

from litestar import Request, Response, get, post
from litestar.di import NamedDependency
from litestar.params import FromPath, QueryParameter
from sqlalchemy.ext.asyncio import AsyncSession

from charity import campaign_form, causes, drafts, overview, registry, standing
from charity.models import Charity
from charity.staff_routes import csv_answer
from charity.words import STATUSES
from marketplace.clock import now
from marketplace.errors import MarketplaceError, NotFound
from marketplace.identity.domain import Principal, Role
from marketplace.web import console
from marketplace.web.access import access
from marketplace.web.console import Console
from marketplace.web.filled import Filled
from marketplace.web.i18n import lazy as _l
from marketplace.web.nav import NavEntry
from marketplace.web.page import Html, Page

HOME: Final = "/charity/staff"
AT: Final = "/staff/charities/{slug:str}"
ROWS: Final = 50
STAFF = access(roles=[Role.OPERATOR], page=True)
AnyRequest = Request[Any, Any, Any]


@get("/staff", opt=STAFF, include_in_schema=False)
async def show_registry(
    page: NamedDependency[Page], session: NamedDependency[AsyncSession]
) -> Html:
    """Charities, drafts and campaigns."""
    page.active = "charity-staff"
    today = (await now(session)).date()
    return page.render(
        "charity/staff/registry.html",
        charities=[causes.charity_view(each, today) for each in await registry.charities(session)],
        drafts=[drafts.written(each) for each in await drafts.drafts(session)],
        campaigns=await causes.everything(session, page.locale),
    )


@get("/staff/register", opt=STAFF, include_in_schema=False)
async def ask_charity(page: NamedDependency[Page], session: NamedDependency[AsyncSession]) -> Html:
    """The form of a new charity."""
    return await _register_form(page, session, Filled({}))


async def _register_form(page: Page, session: AsyncSession, form: Filled) -> Html:
    page.active = "charity-staff"
    return page.render(
        "charity/staff/register.html",
        status_code=_status(form),
        form=form,
        members=[(each.slug, each.name) for each in await console.members(session)],
    )


def _status(form: Filled) -> HTTPStatus:
    return HTTPStatus.UNPROCESSABLE_ENTITY if form.problems else HTTPStatus.OK


@post("/staff/register", opt=STAFF, include_in_schema=False, status_code=303)
async def register(
    request: AnyRequest,
    page: NamedDependency[Page],
    principal: NamedDependency[Principal],
    session: NamedDependency[AsyncSession],
) -> Html:
    """Write a charity down; it cannot receive yet."""
    form = Filled(await request.form())
    new = campaign_form.read_charity(form)
    if not form.problems:
        try:
            async with session.begin_nested():
                await registry.register(session, new, actor=principal.actor)
        except NotFound:
            form.wrong("member", _l("There is no such member."))
        except MarketplaceError as error:
            campaign_form.note(form, error, "slug")
    if form.problems:
        return await _register_form(page, session, form)
    notice = _l("Registered. It can receive once its documents are verified.")
    return page.redirect(f"{HOME}/charities/{new.slug}", notice=notice)


@get(AT, opt=STAFF, include_in_schema=False)
async def show_charity(
    slug: FromPath[str], page: NamedDependency[Page], session: NamedDependency[AsyncSession]
) -> Html:
    """A charity: what is known of it, verifying and suspending it, what it collects for."""
    return await _charity_page(page, session, await registry.find(session, slug), Filled({}))


async def _charity_page(page: Page, session: AsyncSession, charity: Charity, form: Filled) -> Html:
    page.active = "charity-staff"
    today = (await now(session)).date()
    return page.render(
        "charity/staff/charity.html",
        status_code=_status(form),
        charity=causes.charity_view(charity, today),
        state=charity.state.value,
        iban=charity.iban,
        today=today.isoformat(),
        form=form,
        drafts=[drafts.written(each) for each in await drafts.drafts(session, charity.id)],
        campaigns=await causes.everything(session, page.locale, charity.id),
    )


@post(f"{AT}/verify", opt=STAFF, include_in_schema=False, status_code=303)
async def verify(
    *,
    request: AnyRequest,
    slug: FromPath[str],
    page: NamedDependency[Page],
    principal: NamedDependency[Principal],
    session: NamedDependency[AsyncSession],
) -> Html:
    """Somebody has looked at its documents."""
    charity = await registry.find(session, slug)
    form = Filled(await request.form())
    on = campaign_form.day_of(form, "verified_on")
    due = campaign_form.day_of(form, "review_due_on")
    if not form["document"].strip():
        form.wrong("document", _l("Fill this in."))
    if not form.problems:
        try:
            await registry.verify(
                session,
                slug,
                document=form["document"][:500],
                verified_on=on,
                review_due_on=due,
                actor=principal.actor,
            )
        except MarketplaceError as error:
            campaign_form.note(form, error, "document")
    if form.problems:
        return await _charity_page(page, session, charity, form)
    return page.redirect(f"{HOME}/charities/{slug}", notice=_l("Verified: it can receive."))


@post(f"{AT}/suspend", opt=STAFF, include_in_schema=False, status_code=303)
async def suspend(
    *,
    request: AnyRequest,
    slug: FromPath[str],
    page: NamedDependency[Page],
    principal: NamedDependency[Principal],
    session: NamedDependency[AsyncSession],
) -> Html:
    """It receives nothing until it is verified again."""
    charity = await registry.find(session, slug)
    form = Filled(await request.form())
    if not form["reason"].strip():
        form.wrong("reason", _l("Say why; people who want to give read it."))
        return await _charity_page(page, session, charity, form)
    await registry.suspend(session, slug, reason=form["reason"][:500], actor=principal.actor)
    notice = _l("Suspended: it receives nothing until it is verified again.")
    return page.redirect(f"{HOME}/charities/{slug}", notice=notice, tone="warning")


@get("/staff/gifts", opt=STAFF, include_in_schema=False)
async def show_gifts(
    page: NamedDependency[Page],
    session: NamedDependency[AsyncSession],
    campaign: Annotated[str, QueryParameter(max_length=100)] = "",
    after: Annotated[UUID | None, QueryParameter()] = None,
) -> Html:
    """Everybody's gifts; who asked to stay unnamed is not named."""
    page.active = "charity-staff"
    found = await overview.gifts(session, campaign=campaign, after=after, limit=ROWS + 1)
    return page.render(
        "charity/staff/gifts.html",
        gifts=found[:ROWS],
        following=found[ROWS - 1].id if len(found) > ROWS else None,
        chosen=campaign,
        campaigns=[
            (each.slug, each.title) for each in await causes.everything(session, page.locale)
        ],
        statuses={key: (page._(words), tone) for key, (words, tone) in STATUSES.items()},
    )


@get("/staff/gifts.csv", opt=STAFF, include_in_schema=False)
async def export_gifts(
    session: NamedDependency[AsyncSession],
    campaign: Annotated[str, QueryParameter(max_length=100)] = "",
) -> Response[str]:
    """The same as a file."""
    found = await overview.gifts(session, campaign=campaign, limit=overview.MOST_EXPORTED)
    return csv_answer(overview.as_csv(found))


@get("/partner", opt=access(roles=console.CONSOLE_ROLES, page=True), include_in_schema=False)
async def show_own(
    page: NamedDependency[Page],
    console: NamedDependency[Console],
    session: NamedDependency[AsyncSession],
) -> Html:
    """What a member that is a charity collects for, and what a member matches."""
    charity = await standing.own_charity(session, console.member_id)
    own = [] if charity is None else await causes.everything(session, page.locale, charity.id)
    written = [] if charity is None else await drafts.drafts(session, charity.id)
    today = (await now(session)).date()
    return page.render(
        "charity/staff/own.html",
        charity=None if charity is None else causes.charity_view(charity, today),
        campaigns=own,
        drafts=[drafts.written(each) for each in written],
        matched=await causes.matched_by(session, console.member_id, page.locale),
    )


ROUTES = [
    show_registry,
    ask_charity,
    register,
    show_charity,
    verify,
    suspend,
    show_gifts,
    export_gifts,
    show_own,
]
NAV: Final = (
    NavEntry(
        key="charity-staff",
        label=_l("Charities"),
        path=HOME,
        roles=frozenset({Role.OPERATOR}),
        order=45,
    ),
    NavEntry(
        key="console-charity",
        label=_l("Charity"),
        path="/charity/partner",
        roles=console.CONSOLE_ROLES,
        order=45,
        symbol="gift",
        console=True,
    ),
)
