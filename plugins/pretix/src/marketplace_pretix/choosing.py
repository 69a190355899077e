"""Who comes, said before the burn: what is asked of an offer, what was typed, what is kept."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import islice
from typing import Any, Final
from urllib.parse import quote
from uuid import UUID

import msgspec

from marketplace import api
from marketplace_pretix import asking, stock, telling
from marketplace_pretix.asking import Asks, Person, Problems
from marketplace_pretix.client import Pretix, Refused
from marketplace_pretix.domain import Sku, parse_sku
from marketplace_pretix.holding import Held, Taken, hold, release
from marketplace_pretix.servers import settings_of
from marketplace_pretix.settings import PretixSettings
from marketplace_pretix.telling import State, Told

ROOT: Final = "/pretix/who"
MOST_PEOPLE: Final = 20
"""In one form."""
FRESH_S: Final = 60.0
"""So long a look is good for: one is made every half minute, and a page does not wait for it."""
MOST_SEATS: Final = 500
"""That one may choose from."""


class Seat(msgspec.Struct, frozen=True, kw_only=True):
    """A numbered seat, as pretix has it."""

    seat_guid: str
    product: int | None = None
    blocked: bool = False
    zone_name: str | None = None
    row_name: str | None = None
    row_label: str | None = None
    seat_number: str | None = None
    seat_label: str | None = None

    @property
    def name(self) -> str:
        """For people to read."""
        row = self.row_label or self.row_name
        number = self.seat_label or self.seat_number
        words = [self.zone_name, row, number]
        return " · ".join(each for each in words if each) or self.seat_guid


class Chosen(msgspec.Struct, frozen=True, kw_only=True):
    """An offer somebody is about to burn for, with what is asked."""

    offer: api.PluginOffer
    state: State
    settings: PretixSettings
    seats: list[Seat] = []
    held: list[Told] = []
    """What is held for this person from a form before."""

    @property
    def asks(self) -> Asks:
        """What is asked of who comes."""
        return self.state.asks


def path_of(reference: str, quantity: int) -> str:
    """Of the page that asks."""
    return f"{ROOT}/{quote(reference)}?quantity={quantity}"


def page_before(host: api.Host, reference: str, quantity: int) -> str | None:
    """The page that asks, where something has to be said before the burn."""
    with host.transaction() as session:
        offer = _offer(host, session, reference)
        state = None if offer is None else _state(session, offer)
    if state is None or not (state.asks.must_be_told or not state.asks.fits(quantity)):
        return None
    return path_of(reference, quantity)


def find(host: api.Host, reference: str, person: UUID) -> Chosen:
    """An offer of ours with what is asked; pretix is asked where we have not looked lately. Seats
    that are held for the person may be chosen, too.

    NotFound, Conflict, and what a call raises.
    """
    with host.transaction() as session:
        offer = _offer(host, session, reference)
        state = None if offer is None else _state(session, offer)
        is_fresh = state is not None and state.age_s < FRESH_S
        held = [] if offer is None else _held(host, session, person, offer)
    settings = None if offer is None else settings_of(host, offer.member_id)
    sku = None if offer is None else parse_sku(offer.sku)
    if offer is None or settings is None or sku is None:
        raise api.NotFound
    client = Pretix(host.outbound, settings)
    try:
        if state is None or not is_fresh:
            (state,) = stock.look(host, client, settings, sku.event, [offer.sku])
            with host.transaction() as session:
                telling.keep(session, offer.member_id, [state])
        free = islice(_seats(client, sku), MOST_SEATS) if state.asks.is_seated else ()
        seats = [*_own(held), *free]
    except Refused:
        raise api.Conflict("The organizer's server does not answer as it should.") from None
    return Chosen(offer=offer, state=state, settings=settings, seats=seats, held=held)


def _held(host: api.Host, session: Any, person: UUID, offer: api.PluginOffer) -> list[Told]:
    return telling.held_by(host, session, person, offer.member_id, offer.sku)


def _own(held: Sequence[Told]) -> list[Seat]:
    """Seats that are held for somebody already."""
    return [Seat(seat_guid=p.seat, zone_name=p.name) for each in held for p in each.places]


def _seats(client: Pretix, sku: Sku) -> Iterator[Seat]:
    """Seats of a product that are free now, in pretix's order. Refused."""
    date = "" if sku.subevent is None else f"subevents/{sku.subevent}/"
    path = f"/events/{quote(sku.event, safe='')}/{date}seats/"
    for raw in client.list(path, is_available="true", blocked="false"):
        try:
            seat = msgspec.convert(raw, Seat)
        except msgspec.ValidationError as error:
            raise Refused(f"a seat cannot be read: {error}") from None
        if not seat.blocked and seat.product == sku.item:
            yield seat


def people_of(form: Mapping[str, list[str]], chosen: Chosen, quantity: int) -> list[Person]:
    """Who was typed into the form: fields are named `1-email`, `2-q-17` ..."""

    def one(number: int, field: str) -> str:
        return form.get(f"{number}-{field}", [""])[0].strip()[: asking.LONGEST_ANSWER + 1]

    def answers(number: int) -> Iterator[tuple[str, list[str]]]:
        for each in chosen.asks.questions:
            given = [text.strip() for text in form.get(f"{number}-q-{each.id}", [])]
            kept = [text[: asking.LONGEST_ANSWER + 1] for text in given if text]
            if kept:
                yield str(each.id), kept

    return [
        Person(
            name={part: one(number, f"name-{part}") for part in chosen.asks.name_parts},
            email=one(number, "email"),
            company=one(number, "company"),
            address={part: one(number, part) for part in asking.ADDRESS_PARTS},
            answers=dict(answers(number)),
            seat=one(number, "seat"),
        )
        for number in range(1, quantity + 1)
    ]


def problems_of(people: list[Person], chosen: Chosen) -> Problems:
    """What is wrong, by field of the form."""
    found: Problems = {}
    taken: set[str] = set()
    offered = {each.seat_guid for each in chosen.seats}
    for number, each in enumerate(people, start=1):
        wrong = asking.problems(each, chosen.asks)
        if chosen.asks.is_seated and each.seat and (each.seat not in offered - taken):
            wrong["seat"] = asking.NOT_OFFERED
        taken.add(each.seat)
        found |= {f"{number}-{field}": problem for field, problem in wrong.items()}
    return found


def keep(host: api.Host, chosen: Chosen, people: list[Person], person: UUID) -> str | Problems:
    """Hold the seats and keep who comes; the address of the burn that names it, or what is wrong
    by field of the form.
    """
    offer = chosen.offer
    try:
        held = _hold(host, chosen, people) if chosen.asks.is_seated else None
    except Taken as error:
        return {f"{number + 1}-seat": why for number, why in error.why.items()}
    with host.transaction() as session:
        selection = telling.tell(
            host, session, offer.member_id, offer.sku, people, held, held_by=person
        )
    query = f"quantity={len(people)}&selection={selection}"
    return f"/burn/{quote(offer.reference)}?{query}"


def _hold(host: api.Host, chosen: Chosen, people: list[Person]) -> Held | None:
    """Hold the seats of a form in place of those that the person held before. Taken."""
    sku = parse_sku(chosen.offer.sku)
    if sku is None:
        return None
    client = Pretix(host.outbound, chosen.settings)
    for each in chosen.held:
        release(client, sku, each.places)
    with host.transaction() as session:
        telling.let_go(session, [each.cart for each in chosen.held if each.cart])
    names = {each.seat_guid: each.name for each in chosen.seats}
    seats = [(each.seat, names.get(each.seat, each.seat)) for each in people]
    return hold(client, sku, seats, chosen.settings.sales_channel)


def _offer(host: api.Host, session: Any, reference: str) -> api.PluginOffer | None:
    return next(iter(host.offers(session, reference=reference)), None)


def _state(session: Any, offer: api.PluginOffer) -> State | None:
    return telling.states(session, [(offer.member_id, offer.sku)]).get((offer.member_id, offer.sku))
