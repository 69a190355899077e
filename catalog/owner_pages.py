"""Pages: listings in the partner console, under `/catalog/partner`."""

from __future__ import annotations

import asyncio
import io
from http import HTTPStatus
from typing import Annotated, Any, Final

from litestar import Request, Response, get, post
from litestar.di import NamedDependency
from litestar.params import FromPath, QueryParameter
from sqlalchemy.ext.asyncio import AsyncSession

from catalog import editing, publishing, repository
from catalog.domain import LOCALES, ListingStatus, pick
from catalog.errors import BadListing, ListingChanged, ListingTaken, NotPublishable
from catalog.imports import import_catalog, reading
from catalog.imports.service import FORMATS
from catalog.listing_forms import choice_rows, fields_of, read_listing
from catalog.messages import DELIVERIES
from catalog.names import language_name
from catalog.owner_routes import MOST_BYTES, download
from catalog.owning import Owner, own_choices, own_listings, owned_listing
from catalog.schemas import PictureView
from catalog.specs import ListingSpec
from marketplace import api
from marketplace.identity.domain import Principal
from marketplace.web import pictures
from marketplace.web.access import access
from marketplace.web.console import CONSOLE_ROLES, Console
from marketplace.web.filled import Filled
from marketplace.web.i18n import Lazy
from marketplace.web.i18n import lazy as _l
from marketplace.web.page import Html, Page
from marketplace.web.paging import cut_page, decode_cursor
from marketplace.web.pictures import BadPicture
from marketplace.web.uploads import CHECK, sent_file

HERE: Final = "/catalog/partner/listings"
ROWS: Final = 50
IN_CONSOLE = access(roles=CONSOLE_ROLES, page=True)
SAID: Final[dict[tuple[type[Exception], str], Lazy]] = {
    (ListingTaken, "slug"): _l("There is a listing with this address already."),
    (BadListing, "choices"): _l("One of these offers is not yours, or in another listing."),
    (BadListing, "category"): _l("There is no such category any more."),
}

AnyRequest = Request[Any, Any, Any]


def owner_in(console: Console, principal: Principal) -> Owner:
    """The owner a page of the console is about."""
    return Owner(console.member_id, runs_all=principal.is_operator)


@get("/partner/listings", opt=IN_CONSOLE, include_in_schema=False)
async def show_listings(
    *,
    page: NamedDependency[Page],
    console: NamedDependency[Console],
    principal: NamedDependency[Principal],
    session: NamedDependency[AsyncSession],
    q: Annotated[str, QueryParameter(max_length=200)] = "",
    status: Annotated[str, QueryParameter(max_length=20)] = "",
    cursor: Annotated[str, QueryParameter(max_length=500)] = "",
) -> Html:
    """How the member's offers are shown."""
    wanted = ListingStatus(status) if status in set(ListingStatus) else None
    rows = await own_listings(
        session,
        owner_in(console, principal),
        words=q,
        status=wanted,
        after=decode_cursor(cursor or None, str),
        limit=ROWS + 1,
    )
    listings, following = cut_page(rows, ROWS, lambda each: each.slug)
    return page.render(
        "catalog/own_listings.html",
        listings=listings,
        following=following,
        q=q,
        chosen=wanted,
        locales=LOCALES,
    )


@get("/partner/listings/new", opt=IN_CONSOLE, include_in_schema=False)
async def show_new(
    page: NamedDependency[Page],
    console: NamedDependency[Console],
    principal: NamedDependency[Principal],
    session: NamedDependency[AsyncSession],
) -> Html:
    """The form of a new listing."""
    form = Filled({"default_locale": page.locale, "delivery": "instant"})
    return await _form(page, session, owner_in(console, principal), form, None)


@post("/partner/listings/new", opt=IN_CONSOLE, include_in_schema=False, status_code=303)
async def make_new(
    *,
    request: AnyRequest,
    page: NamedDependency[Page],
    console: NamedDependency[Console],
    principal: NamedDependency[Principal],
    session: NamedDependency[AsyncSession],
) -> Html:
    """Make a draft of it."""
    return await _save(request, page, session, console, principal, None)


@get("/partner/listings/{slug:str}", opt=IN_CONSOLE, include_in_schema=False)
async def show_listing(
    *,
    slug: FromPath[str],
    page: NamedDependency[Page],
    console: NamedDependency[Console],
    principal: NamedDependency[Principal],
    session: NamedDependency[AsyncSession],
) -> Html:
    """A listing to be edited."""
    owner = owner_in(console, principal)
    spec = await editing.owned_spec(session, owner, slug)
    return await _form(page, session, owner, fields_of(spec, editing.mark_of(spec)), spec)


@post("/partner/listings/{slug:str}", opt=IN_CONSOLE, include_in_schema=False, status_code=303)
async def save(
    *,
    request: AnyRequest,
    slug: FromPath[str],
    page: NamedDependency[Page],
    console: NamedDependency[Console],
    principal: NamedDependency[Principal],
    session: NamedDependency[AsyncSession],
) -> Html:
    """Store what was typed."""
    spec = await editing.owned_spec(session, owner_in(console, principal), slug)
    return await _save(request, page, session, console, principal, spec)


async def _save(
    request: AnyRequest,
    page: Page,
    session: AsyncSession,
    console: Console,
    principal: Principal,
    present: ListingSpec | None,
) -> Html:
    owner = owner_in(console, principal)
    form = Filled(await request.form())
    spec = read_listing(form, present, places=owner.runs_all)
    if spec is None:
        return await _form(page, session, owner, form, present)
    seen = None if present is None else form["seen"]
    try:
        async with session.begin_nested():
            await editing.save_listing(session, owner, spec, seen=seen, actor=principal.actor)
    except ListingChanged:
        form.typed["seen"] = editing.mark_of(present or spec)
        return await _form(page, session, owner, form, present, overtaken=True)
    except (ListingTaken, BadListing) as error:
        field = str(error.extra.get("field", ""))
        said = SAID.get((type(error), field), Lazy(error.detail))
        form.wrong("offer_0" if field == "choices" else field or "default_locale", said)
        return await _form(page, session, owner, form, present)
    if form["do"] == "preview":
        return page.redirect(f"/catalog/{spec.slug}/preview")
    return page.redirect(console.path(f"{HERE}/{spec.slug}"), notice=_l("Saved."))


async def _form(
    page: Page,
    session: AsyncSession,
    owner: Owner,
    form: Filled,
    present: ListingSpec | None,
    *,
    overtaken: bool = False,
    picture_problem: Lazy | str | None = None,
) -> Html:
    """The page with the form as it was typed."""
    shown: list[PictureView] = []
    if present is not None:
        listing = await owned_listing(session, owner, present.slug)
        shown = [
            PictureView(each.hash, each.width, each.height, tuple(each.widths))
            for each in await repository.pictures(session, listing.id)
        ]
    categories = await reading.category_specs(session)
    own = present.slug if present else None
    offers = [each for each in await own_choices(session, owner) if each.listing in (None, own)]
    named = {each.reference for each in offers}
    held = [each.offer for each in present.denominations] if present else []
    status = HTTPStatus.OK
    if overtaken or form.problems or picture_problem:
        status = HTTPStatus.CONFLICT if overtaken else HTTPStatus.UNPROCESSABLE_ENTITY
    return page.render(
        "catalog/own_listing.html",
        status_code=status,
        form=form,
        spec=present,
        pictures=shown,
        picture_problem=picture_problem,
        most_pictures=editing.MOST_PICTURES,
        overtaken=overtaken,
        places=owner.runs_all,
        locales=[(code, language_name(code, page.locale)) for code in LOCALES],
        categories=sorted(
            ((slug, pick(each.names, page.locale, slug)) for slug, each in categories.items()),
            key=lambda pair: pair[1],
        ),
        deliveries=[(each.value, page._(DELIVERIES[each])) for each in DELIVERIES],
        offers=[(each.reference, f"{each.name} ({each.reference})") for each in offers]
        + [(each, each) for each in held if each not in named],
        rows=choice_rows(form),
    )


@post(
    "/partner/listings/{slug:str}/publish", opt=IN_CONSOLE, include_in_schema=False, status_code=303
)
async def publish(
    *,
    slug: FromPath[str],
    page: NamedDependency[Page],
    console: NamedDependency[Console],
    principal: NamedDependency[Principal],
    session: NamedDependency[AsyncSession],
) -> Html:
    """Let people see it."""
    await owned_listing(session, owner_in(console, principal), slug)
    path = console.path(f"{HERE}/{slug}")
    try:
        await publishing.publish(session, slug, actor=principal.actor)
    except NotPublishable:
        return page.redirect(
            path,
            notice=_l("It needs a text and an offer before people can see it."),
            tone="warning",
        )
    return page.redirect(path, notice=_l("Published: people see it now."))


@post(
    "/partner/listings/{slug:str}/withdraw",
    opt=IN_CONSOLE,
    include_in_schema=False,
    status_code=303,
)
async def withdraw(
    *,
    slug: FromPath[str],
    page: NamedDependency[Page],
    console: NamedDependency[Console],
    principal: NamedDependency[Principal],
    session: NamedDependency[AsyncSession],
) -> Html:
    """Let nobody see it any more."""
    await owned_listing(session, owner_in(console, principal), slug)
    await publishing.withdraw(session, slug, actor=principal.actor)
    notice = _l("Withdrawn: people see it no more. Wishes for it are kept.")
    return page.redirect(console.path(f"{HERE}/{slug}"), notice=notice, tone="info")


@post(
    "/partner/listings/{slug:str}/pictures",
    opt=IN_CONSOLE,
    include_in_schema=False,
    status_code=303,
    request_max_body_size=pictures.MOST_BYTES + 1_000_000,
)
async def change_pictures(
    *,
    request: AnyRequest,
    slug: FromPath[str],
    page: NamedDependency[Page],
    console: NamedDependency[Console],
    principal: NamedDependency[Principal],
    session: NamedDependency[AsyncSession],
) -> Html:
    """Add a picture, make one the first, or take one off."""
    owner = owner_in(console, principal)
    spec = await editing.owned_spec(session, owner, slug)
    form = await request.form()
    path = f"{console.path(f'{HERE}/{slug}')}#pictures"
    for name, change in (("first", editing.first_picture), ("drop", editing.drop_picture)):
        if form.get(name):
            await change(session, owner, slug, str(form[name]), actor=principal.actor)
            return page.redirect(path, notice=_l("Saved."))
    problem: Lazy | str | None = None
    sent = await sent_file(form)
    try:
        await editing.check_room(session, owner, slug)
        if sent is None:
            problem = _l("Choose a picture.")
        else:
            encoded = await asyncio.to_thread(pictures.encode, sent.body)
            await publishing.add_picture(session, slug, encoded, actor=principal.actor)
    except BadListing:
        problem = _l("A listing has at most %(most)s pictures.", most=editing.MOST_PICTURES)
    except BadPicture as error:
        problem = error.detail
    if problem is not None:
        kept = fields_of(spec, editing.mark_of(spec))
        return await _form(page, session, owner, kept, spec, picture_problem=problem)
    return page.redirect(path, notice=_l("The picture is there."))


@get("/partner/bulk", opt=IN_CONSOLE, include_in_schema=False)
async def show_bulk(page: NamedDependency[Page], console: NamedDependency[Console]) -> Html:
    """Many listings at once, as a file."""
    return page.render("catalog/own_bulk.html", report=None, error=None, sent=None)


@post(
    "/partner/bulk",
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
    format_ = sent.name.rsplit(".", 1)[-1].lower() if sent else ""
    if sent is None or format_ not in FORMATS:
        error = _l("Choose a file.") if sent is None else _l("Its name must end in .csv or .json.")
        return page.render(
            "catalog/own_bulk.html", status_code=422, report=None, error=error, sent=None
        )
    report = await import_catalog(
        session,
        io.BytesIO(sent.body),
        format_,
        dry_run=form.get("do") == CHECK,
        actor=principal.actor,
        name=sent.name,
        owner=owner_in(console, principal),
    )
    if report.ok and not report.dry_run:
        counted = report.listings
        notice = _l(
            "Taken: %(new)s new, %(changed)s changed, %(unchanged)s as before.",
            new=counted.new,
            changed=counted.changed,
            unchanged=counted.unchanged,
        )
        return page.redirect(console.path(HERE), notice=notice)
    status = HTTPStatus.OK if report.ok else HTTPStatus.UNPROCESSABLE_ENTITY
    return page.render(
        "catalog/own_bulk.html", status_code=status, report=report, error=None, sent=sent.name
    )


@get("/partner/bulk/{name:str}", opt=IN_CONSOLE, include_in_schema=False)
async def get_file(
    name: FromPath[str],
    console: NamedDependency[Console],
    principal: NamedDependency[Principal],
    session: NamedDependency[AsyncSession],
) -> Response[str]:
    """`listings.csv` or `listings.json`, in the form that is uploaded."""
    return await download(session, owner_in(console, principal), name)


ROUTES: api.Routes = [
    show_listings,
    show_new,
    make_new,
    show_listing,
    save,
    publish,
    withdraw,
    change_pictures,
    show_bulk,
    take_bulk,
    get_file,
]
NAV: Final = (
    api.NavEntry(
        key="console-listings",
        label=_l("Listings"),
        path=HERE,
        roles=CONSOLE_ROLES,
        order=35,
        symbol="eye",
        console=True,
    ),
)
