"""Pages at /pretix: who comes, asked before the burn; a partner's offers in its console."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Annotated, Any, Final
from uuid import UUID

from litestar import get, post
from litestar.di import NamedDependency
from litestar.params import FromPath, QueryParameter, URLEncodedBody

from marketplace.api import (
    Console,
    Host,
    Html,
    NavEntry,
    NotFound,
    Page,
    Pages,
    Principal,
    Role,
    Routes,
    access,
    lazy,
)
from marketplace_pretix import asking, choosing, repository, showing, telling, ticket_pages, words
from marketplace_pretix.asking import Problems

HERE: Final = Path(__file__).parent
BUYERS: Final = access(roles=[Role.PARTICIPANT], page=True)
ROLES: Final = frozenset({Role.PARTNER, Role.OPERATOR})
SECTION: Final = NavEntry(
    key="console-pretix",
    label=lazy("Pretix"),
    path="/pretix/partner",
    roles=ROLES,
    order=43,
    symbol="ticket",
    console=True,
)

Quantity = Annotated[int, QueryParameter(ge=1, le=1_000)]


def make_pages(host: Host) -> Pages:
    """The pages over a host."""
    return Pages(
        routes=[*_buyers(host), *ticket_pages.make_pages(host), *_partners(host)],
        nav=[SECTION],
        templates=HERE / "templates",
        translations=HERE / "locale",
        reward=ticket_pages.LINK,
        reward_note=partial(showing.note, host),
        before_burn=partial(choosing.page_before, host),
    )


def _buyers(host: Host) -> Routes:
    # Both may ask pretix, so they run on threads of this plugin's and on no other.
    @get("/who/{reference:path}", opt=BUYERS, include_in_schema=False, sync_to_thread=True)
    def ask_who(
        reference: FromPath[str],
        page: NamedDependency[Page],
        principal: NamedDependency[Principal],
        quantity: Quantity = 1,
    ) -> Html:
        """Who comes, and what the organizer wants to know."""
        chosen = choosing.find(host, reference.removeprefix("/"), principal.caller_id)
        return _asked(page, chosen, quantity)

    @post(
        "/who/{reference:path}",
        opt=BUYERS,
        include_in_schema=False,
        status_code=303,
        sync_to_thread=True,
    )
    def take_who(
        reference: FromPath[str],
        data: URLEncodedBody[dict[str, Any]],
        page: NamedDependency[Page],
        principal: NamedDependency[Principal],
        quantity: Quantity = 1,
    ) -> Html:
        """Keep what was said, then on to the points; or say what is wrong with it."""
        form = {
            key: [str(each) for each in (given if isinstance(given, list) else [given])]
            for key, given in data.items()
        }
        offer, person = reference.removeprefix("/"), principal.caller_id
        chosen = choosing.find(host, offer, person)
        if _limit(chosen, quantity) is not None:
            return _asked(page, chosen, quantity, form)
        people = choosing.people_of(form, chosen, quantity)
        problems = choosing.problems_of(people, chosen)
        if problems or chosen.state.trouble:
            return _asked(page, chosen, quantity, form, problems)
        kept = choosing.keep(host, chosen, people, person)
        if isinstance(kept, str):
            return page.redirect(kept)
        return _asked(page, choosing.find(host, offer, person), quantity, form, kept)

    return [ask_who, take_who]


def _limit(chosen: choosing.Chosen, quantity: int) -> str | None:
    """Why so many cannot be had in one order: the name of the limit."""
    if quantity < chosen.asks.least:
        return "least"
    return "most" if quantity > min(chosen.asks.most or quantity, choosing.MOST_PEOPLE) else None


def _asked(
    page: Page,
    chosen: choosing.Chosen,
    quantity: int,
    typed: dict[str, list[str]] | None = None,
    problems: Problems | None = None,
) -> Html:
    page.active = "catalog"
    territories = page.language.locale.territories.items()
    return page.render(
        "pretix/who.html",
        status_code=200 if typed is None else 409,
        chosen=chosen,
        asks=chosen.asks,
        quantity=quantity,
        limit=_limit(chosen, quantity),
        most=min(chosen.asks.most or choosing.MOST_PEOPLE, choosing.MOST_PEOPLE),
        typed=typed or {},
        problems=problems or {},
        summary=[
            (field, f"{_called(page, chosen.asks, field)}: {why}")
            for field, why in (problems or {}).items()
        ],
        parts=asking.PARTS,
        address_parts=asking.ADDRESS_PARTS,
        countries=sorted(
            ((code, name) for code, name in territories if len(code) == 2 and code.isalpha()),
            key=lambda each: each[1],
        ),
        said=partial(_said, page),
        said_in=page.locale,
        by_id={each.id: each for each in chosen.asks.questions},
        path=choosing.path_of(chosen.offer.reference, quantity),
        not_sold=words.NOT_SOLD,
    )


def _called(page: Page, asks: asking.Asks, field: str) -> str:
    """A field of the form, for people to read: `2-q-17` is a question about the second ticket."""
    number, _, name = field.partition("-")
    known = {f"name-{part}": str(words) for part, words in asking.PARTS.items()}
    known |= {part: str(words) for part, words in asking.ADDRESS_PARTS.items()}
    known |= {f"q-{each.id}": _said(page, each.question) for each in asks.questions}
    known |= {"seat": page._("Seat number"), "email": page._("E-mail")}
    known |= {"company": page._("Company")}
    ticket = page._("Ticket %(number)s") % {"number": number}
    return f"{ticket}, {known.get(name, name)}"


def _said(page: Page, text: asking.Text | None) -> str:
    return asking.said(text, page.locale)


def _partners(host: Host) -> Routes:
    @get(
        "/partner", opt=access(roles=ROLES, page=True), include_in_schema=False, sync_to_thread=True
    )
    def show_own(page: NamedDependency[Page], console: NamedDependency[Console]) -> Html:
        """Every offer of the member with what its pretix has of it, and why it is not sold."""
        with host.transaction() as session:
            own: dict[str, Any] = {
                "offers": host.offers(session, member_id=console.member_id),
                "states": telling.known(session, console.member_id),
                "changed": repository.noticed(session, console.member_id),
                "cancelled": repository.not_given_back(session, console.member_id),
                "taken_out": repository.taken_out(session, console.member_id),
            }
        return page.render(
            "pretix/own.html",
            **own,
            troubles=words.TROUBLES,
            noticed=words.NOTICED,
        )

    @post(
        "/partner/seen/{reference:uuid}",
        opt=access(roles=ROLES, page=True),
        include_in_schema=False,
        status_code=303,
        sync_to_thread=True,
    )
    def note_seen(
        reference: FromPath[UUID],
        page: NamedDependency[Page],
        console: NamedDependency[Console],
        principal: NamedDependency[Principal],
    ) -> Html:
        """Somebody has looked at what was changed in an order."""
        with host.transaction() as session:
            if not repository.seen(session, console.member_id, str(reference)):
                raise NotFound("There is nothing to look at in this order.")
            host.audit(session, actor=principal.actor, action="seen", subject=str(reference))
        return page.redirect(SECTION.path)

    return [show_own, note_seen]
