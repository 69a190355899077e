"""The tickets of a burn as their pretix has them at this moment, for whoever may look at them."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any, Final, Literal, TypeAlias

import msgspec

from marketplace import api
from marketplace_pretix import parts, repository, servers, shelf, stock, telling, words
from marketplace_pretix.asking import said
from marketplace_pretix.client import Pretix, Refused, is_proof_of_absence
from marketplace_pretix.domain import META, Sku, parse_sku, write_sku
from marketplace_pretix.repository import Sent
from marketplace_pretix.settings import PretixSettings

NOTHING_LEFT: Final = "nothing_to_reveal"
TIMEOUT_S: Final = 6.0
State: TypeAlias = Literal["valid", "unpaid", "cancelled"]


class Seat(msgspec.Struct, frozen=True):
    """Where somebody sits."""

    name: str = ""


class _Download(msgspec.Struct, frozen=True):
    output: str = ""


class Position(msgspec.Struct, frozen=True, kw_only=True):
    """A ticket or an add-on, as pretix has it."""

    positionid: int
    item: int
    secret: str
    variation: int | None = None
    subevent: int | None = None
    addon_to: int | None = None
    canceled: bool = False
    attendee_name: str | None = None
    seat: Seat | None = None
    downloads: list[_Download] = []


class Placed(msgspec.Struct, frozen=True, kw_only=True):
    """An order, as pretix has it."""

    code: str
    status: str
    positions: list[Position] = []
    api_meta: dict[str, Any] = {}
    url: str = ""

    @property
    def has_pdf(self) -> bool:
        """Whether pretix prints its tickets."""
        return any(one.output == "pdf" for each in self.positions for one in each.downloads)


class Ticket(msgspec.Struct, frozen=True, kw_only=True):
    """One ticket, for a page."""

    name: str
    """Event, product, date."""
    label: str
    person: str | None
    seat: str | None
    state: State
    secret: str | None
    """What is scanned at the door; None where it is worth nothing, or not handed out."""


class Shown(msgspec.Struct, frozen=True, kw_only=True):
    """All of a burn's tickets."""

    tickets: list[Ticket]
    printable: list[str] = []
    """Codes of orders that pretix prints tickets of."""
    pages: list[str] = []
    """Addresses of orders' pages, where these are handed out."""
    is_live: bool = True
    """Whether pretix answered; if not, it is what was delivered once."""
    is_over: bool = False
    """The points are back."""


def show(host: api.Host, principal: api.Principal, reference: str, language: str = "en") -> Shown:
    """The tickets of a burn now, their products called as in a language.

    NotFound, AlreadyGiven and what else `Host.reveal` raises.
    """
    given, is_over = _reveal(host, principal, reference)
    with host.transaction() as session:
        sent = repository.sent(session, [reference]).get(reference)
        codes = [each.code for each in parts.of(session, reference)]
    settings = None if sent is None else servers.settings_of(host, sent.member_id)
    if sent is None or settings is None or settings.place != sent.place:
        return _as_delivered(given, is_over)
    client = Pretix(host.outbound, settings)
    try:
        orders = [
            order_of(client, sent, code) for code in {sent.code: None, **dict.fromkeys(codes)}
        ]
        names = _names(host, client, settings, sent, orders, language)
    except (Refused, api.MarketplaceError):
        return _as_delivered(given, is_over)
    live = [each for each in orders if each is not None]
    is_code = settings.hand_out == "code" and not is_over
    return Shown(
        tickets=[
            _ticket(sent, each, one, names, is_code)
            for each in live
            for one in each.positions
            if one.addon_to is None
        ],
        printable=[each.code for each in live if each.status == "p" and each.has_pdf and is_code],
        pages=[
            each.url
            for each in live
            if settings.hand_out == "page" and not is_over and each.url.startswith("https://")
        ],
        is_over=is_over,
    )


def note(host: api.Host, reference: str) -> api.Lazy | None:
    """What the page of a reward says first, as its pretix was last looked through."""
    with host.transaction() as session:
        sent = repository.sent(session, [reference]).get(reference)
        split = len(parts.of(session, reference)) > 1
    if sent is None:
        return None
    if sent.cancelled_at is not None:
        return words.NOT_VALID
    if sent.gone:
        return words.SOME_NOT_VALID
    return words.CHANGED if split or sent.noticed is not None else None


def _reveal(
    host: api.Host, principal: api.Principal, reference: str
) -> tuple[Sequence[api.Artefact], bool]:
    """What was delivered, and whether nothing of it is theirs any more."""
    try:
        return host.reveal(principal, reference), False
    except api.MarketplaceError as error:
        if error.code != NOTHING_LEFT:
            raise
    with host.transaction() as session:
        burn = host.placed_orders(session, [reference]).get(reference)
    if burn is None or burn.refunded_points < burn.points:
        raise api.NotFound("There is no ticket yet.")
    return (), True


def _as_delivered(given: Sequence[api.Artefact], is_over: bool) -> Shown:
    tickets = [
        Ticket(
            name=each.label,
            label=each.label,
            person=None,
            seat=None,
            state="valid",
            secret=each.secret if each.kind == "ticket" else None,
        )
        for each in given
    ]
    pages = [each.secret for each in given if each.kind == "link"]
    return Shown(tickets=tickets, pages=list(dict.fromkeys(pages)), is_live=False, is_over=is_over)


def order_of(client: Pretix, sent: Sent, code: str) -> Placed | None:
    """An order of ours, or split from it; None where it is deleted. Refused."""
    answer = client.order(sent.event, code, timeout_s=TIMEOUT_S)
    if is_proof_of_absence(answer):
        return None
    try:
        found = msgspec.json.decode(answer.body, type=Placed)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        raise Refused(f"order {code} cannot be read") from None
    if answer.status != 200 or found.api_meta.get(META) != sent.reference:
        raise Refused(f"order {code}: status {answer.status}")
    return found


def _names(
    host: api.Host,
    client: Pretix,
    settings: PretixSettings,
    sent: Sent,
    orders: Sequence[Placed | None],
    language: str,
) -> dict[str, str]:
    """What the products are called, by sku; pretix is asked where tickets were moved."""
    skus = {_sku(sent, one) for each in orders if each for one in each.positions}
    with host.transaction() as session:
        states = telling.states(session, [(sent.member_id, sku) for sku in sorted(skus)])
    names = {sku: each.called(language) for (_, sku), each in states.items()}
    missing = sorted(skus - set(names))
    if missing:
        found = stock.look(host, client, settings, sent.event, missing)
        names |= {each.sku: each.called(language) for each in found}
    return names


def _sku(sent: Sent, one: Position) -> str:
    return write_sku(Sku(sent.event, one.item, one.variation, one.subevent))


def _ticket(
    sent: Sent, placed: Placed, one: Position, names: dict[str, str], is_code: bool
) -> Ticket:
    is_gone = one.canceled or placed.status in parts.WORTHLESS
    state: State = "cancelled" if is_gone else "valid" if placed.status == "p" else "unpaid"
    return Ticket(
        name=names.get(_sku(sent, one), sent.event),
        label=f"{placed.code}-{one.positionid}",
        person=one.attendee_name,
        seat=None if one.seat is None else one.seat.name or None,
        state=state,
        secret=one.secret if is_code and state == "valid" else None,
    )


class When(msgspec.Struct, frozen=True, kw_only=True):
    """When and where an event is, for a calendar."""

    uid: str
    name: str
    begins: datetime
    ends: datetime | None
    place: str
    time_zone: str
    is_cancelled: bool


def when(host: api.Host, principal: api.Principal, reference: str, language: str) -> list[When]:
    """When the tickets of a burn are for: an entry for each date. As `show`, and Conflict."""
    _, is_over = _reveal(host, principal, reference)
    with host.transaction() as session:
        sent = repository.sent(session, [reference]).get(reference)
        codes = [each.code for each in parts.of(session, reference)]
    if sent is None:
        raise api.NotFound("There is no ticket yet.")
    client = servers.client_of(host, sent.member_id)
    try:
        orders = [
            order_of(client, sent, code) for code in {sent.code: None, **dict.fromkeys(codes)}
        ]
        dates: dict[int | None, bool] = {}
        for each in filter(None, orders):
            for one in each.positions:
                is_good = not one.canceled and each.status not in parts.WORTHLESS and not is_over
                dates[one.subevent] = dates.get(one.subevent, False) or is_good
        found = [entry_of(client, sent, date, good, language) for date, good in dates.items()]
    except Refused:
        raise api.Conflict("The organizer's server does not answer as it should.") from None
    return [each for each in found if each is not None]


def entry_of(
    client: Pretix, sent: Sent, date: int | None, is_good: bool, language: str
) -> When | None:
    sku = parse_sku(sent.sku) or Sku(sent.event, 0)
    event, occasion = shelf.occasion(client, msgspec.structs.replace(sku, subevent=date))
    if occasion.date_from is None:
        return None
    name = said(occasion.name, language) or said(event.name, language)
    return When(
        uid=f"{sent.reference}-{date or 0}",
        name=name or event.slug,
        begins=occasion.date_from,
        ends=occasion.date_to,
        place=said(occasion.location or event.location, language),
        time_zone=event.timezone,
        is_cancelled=not is_good,
    )
