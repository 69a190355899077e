"""What the demonstration holds: a conference with a plan of its hall, a training that is full and
is only for who attended another one, which ends a few minutes after the program was first started.

Organised by the plugin's own commands before the program starts; taken by people over HTTP once it
runs: two seats with tickets in one burn, somebody who waits, and one who is let in to the training
that ends, and has its certificate soon.
"""

from __future__ import annotations

import tempfile
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final
from uuid import uuid4
from zoneinfo import ZoneInfo

import msgspec
import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncSession

from marketplace.demo import files
from marketplace.demo.calling import CheckFailed, Client
from marketplace.demo.logins import ACTOR, COLLEAGUE, FIRST, LOGINS, DemoState
from marketplace.demo.plan import DemoPerson
from marketplace.demo.terminal import Terminal
from marketplace.exchange.domain import OfferStatus
from marketplace.exchange.models import Offer
from marketplace.exchange.offering import set_status

PLUGIN: Final = "conference"
ORGANISER: Final = "forum-baltica"
CONFERENCE: Final = "baltic-building-days"
TRAINING: Final = "heat-pump-masterclass"
BASICS: Final = "heat-pump-basics"
"""What has to be attended before the training."""
SEAT, PASS, PLACE = "vilnius-opening", "vilnius-pass", "heat-pumps"
"""Skus: of numbered seats, of a pass without a seat, of the training."""
FIRST_BENCH: Final = "heat-pump-basics-bench"
"""Of what has to be attended before; its offer is made by publishing it."""
ON_SALE: Final = tuple(f"{ORGANISER}/{sku}" for sku in (SEAT, PASS, PLACE))
"""Offers whose events are held."""
ROWS, ACROSS = "ABCDEF", 12
AISLE_AFTER: Final = 6
PASSES, TRAINED = 150, 12
KEPT_FOR: Final = "lindner"
"""The firm that all places of the training are kept for."""
POLICY: Final = ((30, 90), (7, 50))
"""(days before, per cent that come back)."""
DOOR: Final = "north door"
ZONE: Final = ZoneInfo("Europe/Vilnius")
CONFERENCE_IN, TRAINING_IN = timedelta(days=75), timedelta(days=45)
BASICS_BEGAN: Final = timedelta(hours=6)
BASICS_POINTS, BASICS_COST_MICROS = 6_000, 36_000_000
RELEASED_BEFORE: Final = timedelta(days=14)
BENCH_NAMES: Final = {
    "ru": "Место за верстаком",
    "pl": "Miejsce przy stanowisku",
    "it": "Un posto al banco",
}
DELIVERED_WITHIN_S: Final = 60.0
POLL_S: Final = 0.2


async def put_on_sale(session: AsyncSession) -> None:
    """Sell what was only announced as long as nothing was held."""
    held = sa.select(Offer).where(Offer.reference.in_(ON_SALE)).with_for_update()
    for offer in await session.scalars(held):
        await set_status(session, offer, OfferStatus.ON_SALE, ACTOR)


async def announce(terminal: Terminal, now: datetime) -> None:
    """Make the events, with the plan of the hall and what is kept for a firm, and publish them."""
    training = training_of(now)
    released = datetime.fromisoformat(training["starts_at"]) - RELEASED_BEFORE
    with tempfile.TemporaryDirectory() as folder:
        for document in (conference_of(now), basics_of(now), training):
            file = Path(folder) / f"{document['slug']}.json"
            file.write_bytes(msgspec.json.format(msgspec.json.encode(document)))
            await terminal.run(PLUGIN, "put", str(file))
        hall = Path(folder) / "hall.csv"
        hall.write_bytes(plan())
        await terminal.run(PLUGIN, "plan-import", CONFERENCE, "opening", str(hall))
    until = f"{released:%Y-%m-%d}"
    await terminal.run(PLUGIN, "allot", PLACE, KEPT_FOR, str(TRAINED), "--until", until)
    for slug in (CONFERENCE, TRAINING):
        await terminal.run(PLUGIN, "publish", slug)


async def door(terminal: Terminal) -> str:
    """What the phone at the door opens; a link that was made before opens nothing any more."""
    listed = await terminal.run(PLUGIN, "doors", CONFERENCE)
    known = any(DOOR in line and "withdrawn" not in line for line in listed.splitlines())
    said = await terminal.run(PLUGIN, "door-renew" if known else "door-add", CONFERENCE, DOOR)
    return said.strip().rpartition(": ")[2]


def plan() -> bytes:
    """The hall as CSV: rows of twelve seats with an aisle between them."""
    return files.as_csv(
        {
            "sku": SEAT,
            "row": row,
            "number": number,
            "x": number if number <= AISLE_AFTER else number + 1,
            "y": y,
        }
        for y, row in enumerate(ROWS, start=1)
        for number in range(1, ACROSS + 1)
    )


def _at(day: datetime, hour: int) -> str:
    return day.astimezone(ZONE).replace(hour=hour, minute=0, second=0, microsecond=0).isoformat()


def conference_of(now: datetime) -> dict[str, Any]:
    """The document that the plugin's command takes: an evening with seats, a day with passes."""
    first, second = now + CONFERENCE_IN, now + CONFERENCE_IN + timedelta(days=1)
    return {
        "slug": CONFERENCE,
        "name": "Baltic Building Days",
        "names": {
            "ru": "Балтийские дни строительства",
            "pl": "Bałtyckie Dni Budowy",
            "it": "Giornate baltiche dell'edilizia",
        },
        "organiser": ORGANISER,
        "language": "en",
        "description": "An evening to open, then a day of talks among people who build.",
        "venue": "Hall of Guilds",
        "address": "Uosto gatve 6, Vilnius",
        "time_zone": ZONE.key,
        "starts_at": _at(first, 17),
        "ends_at": _at(second, 18),
        "sessions": [
            {
                "code": "opening",
                "name": "Opening evening",
                "names": {
                    "ru": "Вечер открытия",
                    "pl": "Wieczór otwarcia",
                    "it": "Serata di apertura",
                },
                "room": "Great hall",
                "starts_at": _at(first, 17),
                "ends_at": _at(first, 21),
            },
            {
                "code": "day",
                "name": "Day of talks",
                "names": {
                    "ru": "День докладов",
                    "pl": "Dzień wykładów",
                    "it": "Giornata di interventi",
                },
                "starts_at": _at(second, 9),
                "ends_at": _at(second, 18),
            },
        ],
        "quotas": {"passes": PASSES},
        "categories": [
            {
                "sku": SEAT,
                "name": "Seat in the great hall",
                "names": {
                    "ru": "Место в большом зале",
                    "pl": "Miejsce w dużej sali",
                    "it": "Posto nella sala grande",
                },
                "session": "opening",
                "numbered": True,
            },
            {
                "sku": PASS,
                "name": "Day pass",
                "names": {
                    "ru": "Билет на день",
                    "pl": "Bilet na dzień",
                    "it": "Biglietto giornaliero",
                },
                "session": "day",
                "quota": "passes",
            },
        ],
        "questions": [
            {
                "code": "meal",
                "label": "Meal",
                "kind": "choice",
                "options": ["fish", "vegetables", "none"],
            }
        ],
    }


def basics_of(now: datetime) -> dict[str, Any]:
    """The document of what has to be attended before: it ends in five to ten minutes."""
    soon = now.astimezone(UTC).replace(second=0, microsecond=0) + timedelta(minutes=10)
    ends = soon - timedelta(minutes=soon.minute % 5)
    begins = ends - BASICS_BEGAN
    hours = {
        "starts_at": begins.astimezone(ZONE).isoformat(),
        "ends_at": ends.astimezone(ZONE).isoformat(),
    }
    return {
        "slug": BASICS,
        "name": "Heat pumps, the basics",
        "names": {
            "ru": "Тепловые насосы, основы",
            "pl": "Pompy ciepła, podstawy",
            "it": "Pompe di calore, le basi",
        },
        "organiser": ORGANISER,
        "language": "en",
        "description": "What everybody knows who comes to the masterclass.",
        "venue": "Workshop 4, Kaunas",
        "time_zone": ZONE.key,
        **hours,
        "sessions": [
            {
                "code": "training",
                "name": "Heat pumps, the basics",
                "names": {
                    "ru": "Тепловые насосы, основы",
                    "pl": "Pompy ciepła, podstawy",
                    "it": "Pompe di calore, le basi",
                },
                "room": "Workshop 4",
                "certified": True,
                **hours,
            }
        ],
        "quotas": {"benches": TRAINED},
        "categories": [
            {
                "sku": FIRST_BENCH,
                "name": "A place at a bench",
                "names": BENCH_NAMES,
                "session": "training",
                "quota": "benches",
                "points": BASICS_POINTS,
                "cost_micros": BASICS_COST_MICROS,
            }
        ],
    }


def training_of(now: datetime) -> dict[str, Any]:
    """The document of the training."""
    day = now + TRAINING_IN
    hours = {"starts_at": _at(day, 9), "ends_at": _at(day, 16)}
    return {
        "slug": TRAINING,
        "name": "Heat pumps, a masterclass",
        "names": {
            "ru": "Тепловые насосы, мастер-класс",
            "pl": "Pompy ciepła, warsztat mistrzowski",
            "it": "Pompe di calore, un corso dal vivo",
        },
        "organiser": ORGANISER,
        "language": "en",
        "description": "Twelve people, one heat pump, and whoever built it.",
        "venue": "Workshop 4, Kaunas",
        "time_zone": ZONE.key,
        **hours,
        "sessions": [
            {
                "code": "training",
                "name": "Training",
                "names": {"ru": "Обучение", "pl": "Szkolenie", "it": "Formazione"},
                "room": "Workshop 4",
                "certified": True,
                "requires": [f"{BASICS}/training"],
                **hours,
            }
        ],
        "quotas": {"benches": TRAINED},
        "categories": [
            {
                "sku": PLACE,
                "name": "A place at a bench",
                "names": BENCH_NAMES,
                "session": "training",
                "quota": "benches",
            }
        ],
    }


# -- once the program runs -------------------------------------------------------------------------


def attend(address: str, state: DemoState) -> None:
    """Two people have tickets and one waits when this returns; what was done before is let be."""
    buyer, waiter = (_signed_in(address, each.reference) for each in (FIRST, COLLEAGUE))
    if standing(buyer, CONFERENCE, SEAT)["sold"]:
        return
    organiser = Client(address, state.keys["organiser"])
    shop = Client(address, state.keys["shop"])
    if not waiting(organiser) and not standing(waiter, TRAINING, PLACE)["free"]:
        waiter.call("POST", "/v1/conference/waiting", {"skus": [PLACE]})
    promise = {"terms": [{"days_before": days, "percent": rate} for days, rate in POLICY]}
    organiser.call("PUT", f"/v1/conference/events/{CONFERENCE}/refund-policy", promise)
    if not _is_public(buyer, BASICS):
        _train(buyer, shop, organiser, state.wallet_id)
    guests = [_guest(each, meal="fish") for each in (FIRST, COLLEAGUE)]
    # As much again is left, for whoever tries the demonstration to take a seat too.
    _buy(buyer, shop, state.wallet_id, SEAT, guests, spare=1)


def _is_public(client: Client, slug: str) -> bool:
    """Whether an event was published, also where it is over by now."""
    try:
        client.call("GET", f"/v1/conference/events/{slug}")
    except CheckFailed:
        return False
    return True


def _train(buyer: Client, shop: Client, organiser: Client, wallet_id: str) -> None:
    """The first participant is let in to the training that is about to end."""
    organiser.call("PUT", "/v1/conference/events", basics_of(datetime.now(UTC)))
    organiser.call("POST", f"/v1/conference/events/{BASICS}/publish")
    order = _buy(buyer, shop, wallet_id, FIRST_BENCH, [_guest(FIRST)])
    (ticket,) = buyer.call("GET", f"/v1/conference/tickets/{order}")
    doors = f"/v1/conference/events/{BASICS}/doors"
    key = organiser.call("POST", doors, {"name": "workshop door"})["key"]
    scans = {"scans": [{"nonce": str(uuid4()), "code": ticket["code"]}]}
    (seen,) = organiser.call("POST", "/v1/conference/door/scans", scans, **{"Door-Key": key})[
        "scans"
    ]
    if seen["result"] != "admitted":
        raise CheckFailed(f"The door of {BASICS} said {seen['result']}.")


def _signed_in(address: str, participant: str) -> Client:
    (login,) = (each for each in LOGINS if each.participant == participant)
    body = {"email": login.email, "password": login.password}
    return Client(address, Client(address, "").call("POST", "/v1/session", body)["token"])


def _guest(of: DemoPerson, **answers: str) -> dict[str, Any]:
    return {"name": of.name, "email": of.email, "answers": answers}


def _buy(
    buyer: Client,
    shop: Client,
    wallet_id: str,
    sku: str,
    guests: list[dict[str, Any]],
    *,
    spare: int = 0,
) -> str:
    """Places beside each other, with points that a purchase earned, `spare` times as many more;
    the order, once it is delivered."""
    asked = {"sku": sku, "quantity": len(guests), "attendees": guests}
    mine = buyer.call("POST", "/v1/conference/reservations", asked)
    reference = f"seats-{mine['selection'][:12]}"
    points = mine["points"] * (1 + spare)
    earned = {"reference": reference, "wallet_id": wallet_id, "points": points}
    shop.call("POST", "/v1/issuances", {"issuances": [earned]})
    offer = next(each for each in _offers(shop) if each["reference"] == mine["offer"])
    body = {
        "wallet_id": wallet_id,
        "offer_id": offer["id"],
        "quantity": len(guests),
        "selection": mine["selection"],
    }
    burn = buyer.call("POST", "/v1/burns", body, **{"Idempotency-Key": reference})
    began = time.monotonic()
    while burn["status"] == "held":
        if time.monotonic() - began > DELIVERED_WITHIN_S:
            raise CheckFailed(f"No tickets came within {DELIVERED_WITHIN_S:g} s.")
        time.sleep(POLL_S)
        burn = buyer.call("GET", f"/v1/burns/{burn['id']}")
    if burn["status"] != "captured":
        raise CheckFailed(f"The burn for {sku} is {burn['status']}.")
    order: str = burn["id"]
    return order


def _offers(shop: Client) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = shop.call("GET", "/v1/offers?kind=seat&status=on_sale")["items"]
    return found


def standing(client: Client, slug: str, sku: str) -> dict[str, Any]:
    """How a category stands."""
    event = client.call("GET", f"/v1/conference/events/{slug}")
    found: dict[str, Any] = next(
        each for part in event["sessions"] for each in part["categories"] if each["sku"] == sku
    )
    return found


def waiting(organiser: Client) -> list[dict[str, Any]]:
    """Who waits for the training."""
    found: list[dict[str, Any]] = organiser.call("GET", f"/v1/conference/events/{TRAINING}/waiting")
    return found
