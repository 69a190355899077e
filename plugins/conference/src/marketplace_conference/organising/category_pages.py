"""The page of one category of a draft: its places, its limits, its price."""

from __future__ import annotations

from typing import Annotated, Any

from litestar import get, post
from litestar.di import NamedDependency
from litestar.params import FromPath, QueryParameter, URLEncodedBody

from marketplace.api import (
    Console,
    Host,
    Html,
    MarketplaceError,
    Page,
    Principal,
    Routes,
    lazy,
)
from marketplace_conference import events
from marketplace_conference.errors import EventExists, EventOff, PartTaken, UnknownCategory
from marketplace_conference.organising import drafts, publishing
from marketplace_conference.organising.category_forms import (
    category_fields,
    pools,
    read_category,
)
from marketplace_conference.organising.draft_pages import (
    SAVED,
    called_off,
    document,
    edit_path,
)
from marketplace_conference.organising.forms import Form, money_field, other_languages
from marketplace_conference.organising.pages import IN_CONSOLE
from marketplace_conference.schemas import NewCategory, NewEvent

Sku = Annotated[str, QueryParameter(max_length=64, pattern=r"^[A-Za-z0-9._-]*$")]
FIELDS = {"reference": "sku", "sku": "sku", "points": "points", "cost": "cost", "currency": "cost"}


def make_pages(host: Host) -> Routes:
    """The pages over a host."""

    @get(
        "/partner/events/{slug:str}/edit/category",
        opt=IN_CONSOLE,
        include_in_schema=False,
        sync_to_thread=True,
    )
    def ask_category(
        slug: FromPath[str],
        page: NamedDependency[Page],
        console: NamedDependency[Console],
        principal: NamedDependency[Principal],
        sku: Sku = "",
        check: Annotated[str, QueryParameter(max_length=3)] = "",
    ) -> Html:
        """A category, or where `sku` is empty a new one; with `check` its price is looked at."""
        of = document(host, console, slug)
        present = next((each for each in of.categories if each.sku == sku), None)
        form = Form(category_fields(of, present))
        if check and present is not None:
            _look_at_price(host, console, of, present, form, principal.actor)
        return _page(host, page, console, of, sku, form)

    @post(
        "/partner/events/{slug:str}/edit/category",
        opt=IN_CONSOLE,
        include_in_schema=False,
        status_code=303,
        sync_to_thread=True,
    )
    def save_category(
        slug: FromPath[str],
        data: URLEncodedBody[dict[str, Any]],
        page: NamedDependency[Page],
        console: NamedDependency[Console],
        principal: NamedDependency[Principal],
        sku: Sku = "",
    ) -> Html:
        """As typed, once its price can be one; or it is taken out, which nobody has a place of."""
        form = Form(data)
        of = document(host, console, slug)
        try:
            if form["do"] == "out":
                drafts.take_out_category(host, slug, console.member_id, sku, actor=principal.actor)
                return page.redirect(edit_path(console, slug), notice=lazy("Taken out."))
            saved = _save(host, console, of, sku, form, principal.actor)
        except EventOff:
            return called_off(page, console, slug)
        except PartTaken:
            words = lazy("It stays: somebody has, or had, something of it, or it is on offer.")
            return page.redirect(edit_path(console, slug), notice=words, tone="warning")
        if not saved:
            return _page(host, page, console, of, sku, form)
        return page.redirect(edit_path(console, slug), notice=SAVED)

    return [ask_category, save_category]


def _save(host: Host, console: Console, of: NewEvent, sku: str, form: Form, actor: str) -> bool:
    """Put the event with the category as typed; False where the form says what is wrong."""
    priced = bool(_offers(host, console, sku))
    known = {each.sku for each in of.categories}
    wanted = read_category(form, of, sku, priced=priced)
    if wanted is not None:
        (mine,) = (each for each in wanted.categories if each.sku == sku or each.sku not in known)
        _look_at_price(host, console, of, mine, form, actor)
    if form.problems:
        return False

    def change(now: NewEvent) -> NewEvent | None:
        return read_category(form, now, sku, priced=priced)

    try:
        return drafts.edit(host, of.slug, console.member_id, console.slug, change, actor=actor)
    except EventExists:
        form.wrong("sku", lazy("Another event has a category with this one."))
        return False


def _look_at_price(
    host: Host, console: Console, of: NewEvent, mine: NewCategory, form: Form, actor: str
) -> None:
    """Note beside its field why the offer of a category could not be made."""
    if mine.points is None or mine.cost_micros is None or _offers(host, console, mine.sku):
        return
    new = publishing.offer_of(
        console.slug, of.name, mine.sku, mine.name, mine.points, mine.cost_micros
    )
    try:
        publishing.offer(host, console.member_id, new, actor=actor, dry_run=True)
    except MarketplaceError as error:
        field = FIELDS.get(str(error.extra.get("field")), "form")
        if "brought_micros" in error.extra:
            words = lazy(
                "These points may bring no more than %(least)s. Ask for more points, or be paid"
                " less.",
                least=money_field(error.extra["brought_micros"]),
            )
        elif field == "sku":
            words = lazy("There is an offer with this one already.")
        else:
            words = lazy("It cannot be sold at this price: %(why)s", why=error.detail)
        form.wrong(field, words)


def _offers(host: Host, console: Console, sku: str) -> list[Any]:
    if not sku:
        return []
    with host.transaction() as session:
        return list(host.offers(session, member_id=console.member_id, sku=sku))


def _page(host: Host, page: Page, console: Console, of: NewEvent, sku: str, form: Form) -> Html:
    present = next((each for each in of.categories if each.sku == sku), None)
    if sku and present is None:
        raise UnknownCategory(f"{of.slug!r} has no category {sku!r}.")
    return page.render(
        "conference/own_edit_category.html",
        status_code=422 if form.problems else 200,
        event=of,
        present=present,
        form=form,
        offers=_offers(host, console, sku),
        pools=pools(of, sku),
        sessions=[(each.code, each.name) for each in of.sessions],
        others=other_languages(of.language),
        view=events.read(host, of.slug, drafts=True),
    )
