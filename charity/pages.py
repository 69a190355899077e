"""Pages under /charity: causes for everybody, giving and gifts for who owns the points."""

from __future__ import annotations

import secrets
from http import HTTPStatus
from pathlib import Path
from typing import Annotated, Any, Final
from uuid import UUID

import msgspec
from litestar import Request, get, post
from litestar.di import NamedDependency
from litestar.params import FromPath, QueryParameter, URLEncodedBody
from litestar.response import Response
from sqlalchemy.ext.asyncio import AsyncSession

from charity import campaign_pages, campaigns, causes, giving, paper, proof, schedules, staff_pages
from charity.domain import LONGEST_DEDICATION, Donor
from charity.errors import CampaignOver, CharityNotVerified, GiftFinal
from charity.giving import Wish
from charity.words import CANNOT, DONORS, REFUSALS, STAGES, STATUSES, STEPS, SURPLUS
from marketplace import api
from marketplace.coalition.models import Firm
from marketplace.errors import InvalidRequest
from marketplace.exchange.decide import MAX_AMOUNT
from marketplace.exchange.errors import BurnRejected
from marketplace.exchange.models import Offer
from marketplace.exchange.previewing import preview
from marketplace.identity.domain import Principal, Role
from marketplace.ledger.models import Wallet
from marketplace.runtime import Runtime
from marketplace.web.access import access
from marketplace.web.i18n import Lazy
from marketplace.web.i18n import lazy as _l
from marketplace.web.nav import NavEntry
from marketplace.web.page import Html, Page

HOME: Final = "/charity"
MINE: Final = f"{HOME}/mine"
SUGGESTED: Final = (100, 500, 1_000)
OPEN = access(public=True, page=True)
GIVERS = access(roles=[Role.PARTICIPANT, Role.FIRM_MANAGER], page=True)
Chosen = Annotated[str, QueryParameter(max_length=40)]
Points = Annotated[int, QueryParameter(ge=0, le=MAX_AMOUNT)]


class GiveForm(msgspec.Struct):
    """What the second tap sends. `key` was made with the form, so that a form gives once."""

    key: str = ""
    points: int = 0
    wallet: str = ""
    monthly: str = ""
    """The day of the month; empty: once."""
    anonymous: str = ""
    dedication: str = ""


@get("/", opt=OPEN, include_in_schema=False)
async def show_causes(page: NamedDependency[Page], session: NamedDependency[AsyncSession]) -> Html:
    """Every campaign, with how far it is."""
    page.active = "charity"
    found = await causes.shown(session, page.locale)
    return page.render("charity/causes.html", causes=found, cannot=CANNOT)


@get("/c/{slug:str}", opt=OPEN, include_in_schema=False)
async def show_cause(
    slug: FromPath[str], page: NamedDependency[Page], session: NamedDependency[AsyncSession]
) -> Html:
    """A campaign: story, figures that tie to the ledger, who matches, what was reached."""
    page.active = "charity"
    cause = await causes.one(session, slug, page.locale)
    may_give = page.principal is not None and bool(
        await session.run_sync(giving.wallets_of, page.principal)
    )
    return page.render(
        "charity/cause.html",
        cause=cause,
        surplus=page._(SURPLUS[cause.surplus]),
        may_give=may_give,
        exact=paper.exact,
    )


@get("/give/{slug:str}", opt=GIVERS, include_in_schema=False)
async def show_give(
    slug: FromPath[str],
    page: NamedDependency[Page],
    principal: NamedDependency[Principal],
    session: NamedDependency[AsyncSession],
    runtime: NamedDependency[Runtime],
    points: Points = 0,
    wallet: Chosen = "",
) -> Html:
    """What a gift will do: points before and after, which go, what is matched."""
    return await _give_page(page, principal, session, runtime, slug, points or SUGGESTED[0], wallet)


async def _give_page(
    page: Page,
    principal: Principal,
    session: AsyncSession,
    runtime: Runtime,
    slug: str,
    points: int,
    wallet: str,
    *,
    problem: Lazy | None = None,
    status: int = HTTPStatus.OK,
) -> Html:
    page.active = "charity"
    cause = await causes.one(session, slug, page.locale)
    wallets = await session.run_sync(giving.wallets_of, principal)
    if not wallets:
        raise InvalidRequest("You have no wallet to give from.")
    chosen = next((each for each in wallets if str(each.id) == wallet), wallets[0])
    who = principal
    if chosen.participant_id is None:
        who = msgspec.structs.replace(principal, standing=True, is_operator=True)
    campaign = await _offer_of(session, slug)
    seen, _ = await preview(
        session,
        who,
        runtime.eligibility_rules,
        wallet_id=chosen.id,
        offer_reference=campaign,
        quantity=points,
    )
    return page.render(
        "charity/give.html",
        status_code=status,
        cause=cause,
        seen=seen,
        points=points,
        wallets=[(str(each.id), await _wallet_name(session, page, each)) for each in wallets],
        wallet=str(chosen.id),
        from_pool=chosen.participant_id is None,
        suggested=SUGGESTED,
        key=secrets.token_urlsafe(18),
        why=page._(REFUSALS.get(seen.refusal.code, REFUSALS[""])) if seen.refusal else None,
        problem=problem,
        days=[(str(day), str(day)) for day in range(1, schedules.LAST_DAY + 1)],
        longest=LONGEST_DEDICATION,
        exact=paper.exact,
    )


async def _offer_of(session: AsyncSession, slug: str) -> str:
    campaign = await campaigns.find(session, slug)
    return (await session.get_one(Offer, campaign.offer_id)).reference


async def _wallet_name(session: AsyncSession, page: Page, wallet: Wallet) -> str:
    if wallet.firm_id is None:
        return page._(_l("My points"))
    firm = await session.get_one(Firm, wallet.firm_id)
    return page._(_l("The pool of %(firm)s", firm=firm.name))


@post("/give/{slug:str}", opt=GIVERS, include_in_schema=False, status_code=303)
async def give(
    slug: FromPath[str],
    data: URLEncodedBody[GiveForm],
    page: NamedDependency[Page],
    principal: NamedDependency[Principal],
    session: NamedDependency[AsyncSession],
    runtime: NamedDependency[Runtime],
    request: Request[Any, Any, Any],
) -> Html:
    """Give, once per form; with a day of the month every month from then on too."""
    wallet_id = giving.wallet_id_of(data.wallet)
    wish = Wish(
        campaign=slug,
        wallet_id=wallet_id,
        points=data.points,
        key=data.key,
        anonymous=bool(data.anonymous),
        dedication=data.dedication,
        locale=page.locale,
    )
    try:
        if data.monthly:
            return await _every_month(page, principal, session, data, wish)
        engine = request.app.state.burn_engine
        given = await giving.give(runtime.database, engine, principal, wish)
    except (CharityNotVerified, CampaignOver):
        closed = _l("It takes no gifts now. Nothing was given.")
        return page.redirect(f"{HOME}/c/{slug}", notice=closed, tone="warning")
    if isinstance(given.error, BurnRejected):
        refused = REFUSALS.get(given.error.code, REFUSALS[""])
        status = HTTPStatus.CONFLICT
        points = min(max(data.points, 1), MAX_AMOUNT)
        return await _give_page(
            page,
            principal,
            session,
            runtime,
            slug,
            points,
            data.wallet,
            problem=refused,
            status=status,
        )
    return page.redirect(MINE, notice=_l("Thank you. Your gift is on its way."))


async def _every_month(
    page: Page, principal: Principal, session: AsyncSession, data: GiveForm, wish: Wish
) -> Html:
    if not data.monthly.isdecimal() or not 1 <= int(data.monthly) <= schedules.LAST_DAY:
        raise InvalidRequest("The form is not as we gave it; open the page again.")
    asked = schedules.NewSchedule(
        campaign=wish.campaign,
        wallet_id=wish.wallet_id,
        points=wish.points,
        day=int(data.monthly),
        anonymous=wish.anonymous,
        locale=wish.locale,
    )
    made = await session.run_sync(schedules.set_up, principal, asked)
    said = _l(
        "You give every month, first on %(day)s. You can stop it here.", day=page.day(made.next_on)
    )
    return page.redirect(MINE, notice=said)


@get("/mine", opt=GIVERS, include_in_schema=False)
async def show_mine(
    page: NamedDependency[Page],
    principal: NamedDependency[Principal],
    session: NamedDependency[AsyncSession],
    runtime: NamedDependency[Runtime],
) -> Html:
    """One's gifts with their way, monthly gifts, receipts and years."""
    page.active = "giving"
    owner = proof.owner_of(principal)
    gifts = await proof.gifts_of(session, owner, page.locale, traces=runtime.burn_tracers)
    years = sorted({each.captured_at.year for each in gifts if each.captured_at}, reverse=True)
    return page.render(
        "charity/mine.html",
        gifts=gifts,
        monthly=await session.run_sync(schedules.views_of, principal),
        years=years,
        donors=_donors(page, owner),
        has_own=owner.participant_id is not None,
        has_firm=owner.firm_id is not None,
        statuses={key: (page._(words), tone) for key, (words, tone) in STATUSES.items()},
        refusals={key: page._(words) for key, words in REFUSALS.items()},
        exact=paper.exact,
        **_way_words(page),
    )


def _donors(page: Page, owner: proof.Owner) -> list[tuple[str, str]]:
    found = []
    if owner.participant_id is not None:
        found.append((Donor.PERSON.value, page._(DONORS[Donor.PERSON])))
    if owner.firm_id is not None:
        found.append((Donor.FIRM.value, page._(DONORS[Donor.FIRM])))
    return found


@post("/mine/{burn_id:uuid}/cancel", opt=GIVERS, include_in_schema=False, status_code=303)
async def cancel(
    burn_id: FromPath[UUID],
    page: NamedDependency[Page],
    principal: NamedDependency[Principal],
    runtime: NamedDependency[Runtime],
) -> Html:
    """Take a gift back while there is time."""
    try:
        async with runtime.database.begin() as session:
            await giving.take_back(session, principal, burn_id)
    except GiftFinal:
        late = _l("It is on its way to the charity and cannot be taken back any more.")
        return page.redirect(MINE, notice=late, tone="warning")
    await giving.wake(runtime, burn_id)
    return page.redirect(MINE, notice=_l("You took it back: the points return in a moment."))


@post("/monthly/{schedule_id:uuid}/stop", opt=GIVERS, include_in_schema=False, status_code=303)
async def stop_monthly(
    schedule_id: FromPath[UUID],
    page: NamedDependency[Page],
    principal: NamedDependency[Principal],
    session: NamedDependency[AsyncSession],
) -> Html:
    """Stop a monthly gift."""
    await session.run_sync(schedules.stop, principal, schedule_id)
    return page.redirect(MINE, notice=_l("It is stopped. Gifts that were made stay."))


@get("/receipts/{receipt_id:uuid}", opt=GIVERS, include_in_schema=False)
async def show_receipt(
    receipt_id: FromPath[UUID],
    page: NamedDependency[Page],
    principal: NamedDependency[Principal],
    session: NamedDependency[AsyncSession],
    runtime: NamedDependency[Runtime],
) -> Html:
    """A receipt as it was issued, in the reader's language, with how far its payment is now."""
    page.active = "giving"
    owner = proof.owner_of(principal)
    receipt = await proof.receipt_of(session, owner, receipt_id)
    (gift,) = await proof.gifts_of(
        session, owner, page.locale, only=receipt.gift, traces=runtime.burn_tracers
    )
    told = paper.tell(receipt, page.language)
    return page.render(
        "charity/receipt.html", receipt=receipt, told=told, gift=gift, **_way_words(page)
    )


def _way_words(page: Page) -> dict[str, Any]:
    """Words for the way of gifts."""
    return {
        "stages": {key: page._(words) for key, words in STAGES.items()},
        "steps": {key: page._(words) for key, words in STEPS.items()},
    }


@get("/receipts/{receipt_id:uuid}/paper", opt=GIVERS, include_in_schema=False)
async def show_receipt_paper(
    receipt_id: FromPath[UUID],
    page: NamedDependency[Page],
    principal: NamedDependency[Principal],
    session: NamedDependency[AsyncSession],
) -> Response[bytes]:
    """The same as PDF, in the language that the gift was made in."""
    receipt = await proof.receipt_of(session, proof.owner_of(principal), receipt_id)
    language = page.languages.get(receipt.facts.language) or page.language
    name = receipt.code.replace("/", "-")
    return Response(
        await paper.typeset(receipt, language),
        media_type="application/pdf",
        headers={"Content-Disposition": f'inline; filename="{name}.pdf"'},
    )


@get("/years/{donor:str}", opt=GIVERS, include_in_schema=False)
async def show_year(
    donor: FromPath[str],
    year: Annotated[int, QueryParameter(ge=2000, le=9998)],
    page: NamedDependency[Page],
    principal: NamedDependency[Principal],
    session: NamedDependency[AsyncSession],
    runtime: NamedDependency[Runtime],
) -> Html:
    """What a donor of record gave in a year, refunds and failed payments included."""
    page.active = "giving"
    whose = Donor.FIRM if donor == Donor.FIRM.value else Donor.PERSON
    found = await proof.year_of(
        session, proof.owner_of(principal), whose, year, page.locale, runtime.burn_tracers
    )
    return page.render(
        "charity/year.html",
        found=found,
        whose=page._(DONORS[whose]),
        exact=paper.exact,
        **_way_words(page),
    )


NAV = (
    NavEntry(
        key="charity",
        label=_l("Causes"),
        path=HOME,
        roles=frozenset({Role.PARTICIPANT, Role.FIRM_MANAGER}),
        strangers=True,
        order=40,
    ),
    NavEntry(
        key="giving",
        label=_l("My giving"),
        path=MINE,
        roles=frozenset({Role.PARTICIPANT, Role.FIRM_MANAGER}),
        order=40,
        in_menu=True,
    ),
)
FOLDER: Final = Path(__file__).parent
PAGES = api.Pages(
    routes=[
        show_causes,
        show_cause,
        show_give,
        give,
        show_mine,
        cancel,
        stop_monthly,
        show_receipt,
        show_receipt_paper,
        show_year,
        *staff_pages.ROUTES,
        *campaign_pages.ROUTES,
    ],
    nav=(*NAV, *staff_pages.NAV),
    templates=FOLDER / "templates",
    translations=FOLDER / "locale",
)
