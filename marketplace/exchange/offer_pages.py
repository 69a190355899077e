"""Pages: the offers of a member in the partner console, under `/partner/offers`."""

from __future__ import annotations

import io
from http import HTTPStatus
from typing import Annotated, Any, Final
from uuid import UUID

from litestar import Request, Response, get, post
from litestar.di import NamedDependency
from litestar.params import FromPath, QueryParameter, URLEncodedBody
from msgspec import Struct
from sqlalchemy.ext.asyncio import AsyncSession

from marketplace.coalition.imports.service import import_own_offers
from marketplace.errors import MarketplaceError, NotFound
from marketplace.exchange import offer_queries, offering
from marketplace.exchange.domain import OfferStatus
from marketplace.exchange.errors import OfferChanged
from marketplace.exchange.offer_forms import RULE, fields_of, read_changes, read_draft
from marketplace.exchange.offer_queries import OwnOfferView
from marketplace.exchange.offer_routes import MOST_BYTES, check_names, download
from marketplace.exchange.offer_words import STATUS, beside, stand_of, step_words
from marketplace.exchange.tally import units_by_day
from marketplace.identity.domain import Principal
from marketplace.runtime import Runtime
from marketplace.web.access import access
from marketplace.web.charts import Chart, Series
from marketplace.web.console import CONSOLE_ROLES, Console
from marketplace.web.filled import Filled
from marketplace.web.formats import day
from marketplace.web.i18n import lazy as _l
from marketplace.web.i18n import speak
from marketplace.web.nav import NavEntry
from marketplace.web.page import Html, Page
from marketplace.web.paging import cut_page, decode_cursor
from marketplace.web.uploads import CHECK, sent_file

PATH: Final = "/partner/offers"
ROWS: Final = 50
IN_CONSOLE = access(roles=CONSOLE_ROLES, page=True)

AnyRequest = Request[Any, Any, Any]


class StatusForm(Struct):
    """What an offer is to be."""

    status: OfferStatus


async def _own(
    session: AsyncSession, principal: Principal, console: Console, offer_id: UUID
) -> OwnOfferView:
    """An offer of the member the console is about; NotFound for any other."""
    offer = await offer_queries.own_offer(session, principal, offer_id)
    if offer.acceptor != console.slug:
        raise NotFound(f"{console.name} has no offer {offer_id}.")
    return offer


@get(PATH, opt=IN_CONSOLE, include_in_schema=False)
async def show_offers(
    *,
    page: NamedDependency[Page],
    console: NamedDependency[Console],
    principal: NamedDependency[Principal],
    session: NamedDependency[AsyncSession],
    q: Annotated[str, QueryParameter(max_length=200)] = "",
    status: Annotated[str, QueryParameter(max_length=20)] = "",
    cursor: Annotated[str, QueryParameter(max_length=500)] = "",
) -> Html:
    """What the member sells, and how each offer stands."""
    wanted = OfferStatus(status) if status in set(OfferStatus) else None
    rows = await offer_queries.own_offers(
        session,
        principal,
        member_id=console.member_id,
        after=decode_cursor(cursor or None, str),
        limit=ROWS + 1,
        words=q,
        status=wanted,
    )
    offers, following = cut_page(rows, ROWS, lambda offer: offer.reference)
    with speak(page.language, page.now):
        stands = {offer.id: stand_of(offer, page.now) for offer in offers}
    return page.render(
        "exchange/offers.html",
        offers=offers,
        stands=stands,
        following=following,
        q=q,
        chosen=wanted,
        statuses=STATUS,
    )


@get(f"{PATH}/new", opt=IN_CONSOLE, include_in_schema=False)
async def show_new(
    page: NamedDependency[Page],
    console: NamedDependency[Console],
    runtime: NamedDependency[Runtime],
) -> Html:
    """The form of an offer to be made."""
    return _new(page, runtime, Filled({"currency": console.currency, "status": "announced"}))


def _new(page: Page, runtime: Runtime, form: Filled) -> Html:
    status = HTTPStatus.UNPROCESSABLE_ENTITY if form.problems else HTTPStatus.OK
    return page.render(
        "exchange/offer_new.html", status_code=status, form=form, **_choices(page, runtime, form)
    )


def _choices(page: Page, runtime: Runtime, form: Filled) -> dict[str, Any]:
    """What fields of the forms offer to choose from."""
    kinds = {slug: page._(kind.name) for slug, kind in runtime.reward_kinds.items()}
    for slug in filter(None, (form["kind"],)):
        kinds.setdefault(slug, slug)
    rules = {*runtime.eligibility_rules}
    rules |= {name.removeprefix(RULE) for name in form.typed if name.startswith(RULE)}
    return {
        "kinds": sorted(kinds.items()),
        "plugins": sorted(runtime.suppliers),
        "rules": sorted(rules),
        "rule_prefix": RULE,
    }


@post(f"{PATH}/new", opt=IN_CONSOLE, include_in_schema=False, status_code=303)
async def make_new(
    *,
    request: AnyRequest,
    page: NamedDependency[Page],
    console: NamedDependency[Console],
    principal: NamedDependency[Principal],
    runtime: NamedDependency[Runtime],
    session: NamedDependency[AsyncSession],
) -> Html:
    """Make the offer; what does not fit is said beside its field."""
    form = Filled(await request.form())
    draft = read_draft(form)
    if draft is None:
        return _new(page, runtime, form)
    try:
        check_names(runtime, draft.plugin, draft.eligibility)
        async with session.begin_nested():
            made = await offering.make_offer(session, principal, console.member_id, draft)
    except MarketplaceError as error:
        _say(form, error)
        return _new(page, runtime, form)
    path = console.path(f"{PATH}/{made.id}")
    return page.redirect(path, notice=_l("The offer is made."))


def _say(form: Filled, error: MarketplaceError) -> None:
    """Say an error beside its field; raise it again where it belongs to none."""
    found = beside(error)
    if found is None:
        raise error
    form.wrong(*found)


@get(f"{PATH}/{{offer_id:uuid}}", opt=IN_CONSOLE, include_in_schema=False)
async def show_offer(
    *,
    offer_id: FromPath[UUID],
    page: NamedDependency[Page],
    console: NamedDependency[Console],
    principal: NamedDependency[Principal],
    runtime: NamedDependency[Runtime],
    session: NamedDependency[AsyncSession],
) -> Html:
    """One offer: how it stands and sells, what may change, and what was changed."""
    offer = await _own(session, principal, console, offer_id)
    return await _offer(page, session, runtime, offer, fields_of(offer))


async def _offer(
    page: Page,
    session: AsyncSession,
    runtime: Runtime,
    offer: OwnOfferView,
    form: Filled,
    *,
    overtaken: bool = False,
) -> Html:
    """The page; `overtaken` where somebody else has changed the offer since the form was shown."""
    sold = await units_by_day(session, offer.id)
    steps = await offer_queries.history(session, offer)
    with speak(page.language, page.now):
        chart = Chart(
            title=page._("Units taken a day"),
            label=page._("Day"),
            labels=[day(each) for each in sold],
            series=[Series(page._("Units"), list(sold.values()))],
        )
        told = [(each, step_words(each, offer.currency)) for each in steps]
        stand = stand_of(offer, page.now)
    status = HTTPStatus.OK
    if form.problems or overtaken:
        status = HTTPStatus.CONFLICT if overtaken else HTTPStatus.UNPROCESSABLE_ENTITY
    return page.render(
        "exchange/offer.html",
        status_code=status,
        offer=offer,
        stand=stand,
        form=form,
        overtaken=overtaken,
        chart=chart,
        steps=told,
        **_choices(page, runtime, form),
    )


@post(f"{PATH}/{{offer_id:uuid}}", opt=IN_CONSOLE, include_in_schema=False, status_code=303)
async def amend(
    *,
    request: AnyRequest,
    offer_id: FromPath[UUID],
    page: NamedDependency[Page],
    console: NamedDependency[Console],
    principal: NamedDependency[Principal],
    runtime: NamedDependency[Runtime],
    session: NamedDependency[AsyncSession],
) -> Html:
    """Change what may change."""
    offer = await _own(session, principal, console, offer_id)
    form = Filled(await request.form())
    changes = read_changes(form)
    if form.problems:
        return await _offer(page, session, runtime, offer, form)
    seen = form["version"]
    version = int(seen) if seen.isdecimal() and len(seen) <= 18 else 0
    try:
        kept = set(offer.eligibility.rules)
        if set(changes.eligibility.rules) - kept:  # type: ignore[union-attr]
            check_names(runtime, None, changes.eligibility)
        async with session.begin_nested():
            await offering.amend_offer(session, principal, offer.id, changes, version=version)
    except OfferChanged:
        form.typed["version"] = str(offer.version)
        return await _offer(page, session, runtime, offer, form, overtaken=True)
    except MarketplaceError as error:
        _say(form, error)
        return await _offer(page, session, runtime, offer, form)
    return page.redirect(console.path(f"{PATH}/{offer_id}"), notice=_l("Saved."))


@get(f"{PATH}/{{offer_id:uuid}}/retire", opt=IN_CONSOLE, include_in_schema=False)
async def ask_retire(
    *,
    offer_id: FromPath[UUID],
    page: NamedDependency[Page],
    console: NamedDependency[Console],
    principal: NamedDependency[Principal],
    session: NamedDependency[AsyncSession],
) -> Html:
    """Whether the offer is really to go, for good."""
    offer = await _own(session, principal, console, offer_id)
    return page.render("exchange/offer_retire.html", offer=offer)


@post(f"{PATH}/{{offer_id:uuid}}/status", opt=IN_CONSOLE, include_in_schema=False, status_code=303)
async def change_status(
    *,
    offer_id: FromPath[UUID],
    data: URLEncodedBody[StatusForm],
    page: NamedDependency[Page],
    console: NamedDependency[Console],
    principal: NamedDependency[Principal],
    session: NamedDependency[AsyncSession],
) -> Html:
    """Put on sale, pause, retire."""
    await _own(session, principal, console, offer_id)
    offer = await offering.managed_offer(session, principal, offer_id, lock=True)
    await offering.set_status(session, offer, data.status, principal.actor)
    tone = "success" if data.status is OfferStatus.ON_SALE else "info"
    notice = _l("Now: %(status)s", status=STATUS[data.status])
    return page.redirect(console.path(f"{PATH}/{offer_id}"), notice=notice, tone=tone)  # type: ignore[arg-type]


@get(f"{PATH}/bulk", opt=IN_CONSOLE, include_in_schema=False)
async def show_bulk(page: NamedDependency[Page], console: NamedDependency[Console]) -> Html:
    """Many offers at once, as a file."""
    return page.render("exchange/offers_bulk.html", report=None, error=None, sent=None)


@post(
    f"{PATH}/bulk",
    opt=IN_CONSOLE,
    include_in_schema=False,
    status_code=303,
    request_max_body_size=MOST_BYTES,
)
async def take_bulk(
    *,
    request: AnyRequest,
    page: NamedDependency[Page],
    console: NamedDependency[Console],
    principal: NamedDependency[Principal],
    session: NamedDependency[AsyncSession],
) -> Html:
    """Check a file, or take it: all of it or nothing."""
    form = await request.form()
    sent = await sent_file(form)
    if sent is None:
        error = _l("Choose a file.")
        return page.render(
            "exchange/offers_bulk.html", status_code=422, report=None, error=error, sent=None
        )
    report = await import_own_offers(
        session,
        io.BytesIO(sent.body),
        owner_id=console.member_id,
        may_subsidise=principal.is_operator,
        dry_run=form.get("do") == CHECK,
        actor=principal.actor,
    )
    if report.ok and not report.dry_run:
        notice = _l(
            "Taken: %(new)s new, %(changed)s changed, %(unchanged)s as before.",
            new=report.new,
            changed=report.changed,
            unchanged=report.unchanged,
        )
        return page.redirect(console.path(PATH), notice=notice)
    status = HTTPStatus.OK if report.ok else HTTPStatus.UNPROCESSABLE_ENTITY
    return page.render(
        "exchange/offers_bulk.html", status_code=status, report=report, error=None, sent=sent.name
    )


@get(f"{PATH}/offers.csv", opt=access(roles=CONSOLE_ROLES, page=True), include_in_schema=False)
async def get_csv(
    console: NamedDependency[Console],
    principal: NamedDependency[Principal],
    session: NamedDependency[AsyncSession],
) -> Response[str]:
    """The member's offers in the form that is uploaded."""
    return await download(session, principal, console.member_id)


routes = [
    show_offers,
    show_new,
    make_new,
    show_bulk,
    take_bulk,
    get_csv,
    show_offer,
    amend,
    ask_retire,
    change_status,
]
nav = [
    NavEntry(
        key="console-offers",
        label=_l("Offers"),
        path=PATH,
        roles=CONSOLE_ROLES,
        order=30,
        symbol="gift",
        console=True,
    )
]
