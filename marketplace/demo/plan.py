"""A year in the life of the demonstration: who bought, who burnt, what became of it. No I/O.

The same day gives the same plan: everything is drawn from one seeded generator.
"""

from __future__ import annotations

import random
import unicodedata
from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from enum import StrEnum
from itertools import count
from typing import Final

import msgspec

from marketplace.demo.people import FIRMS, FIRST_NAMES, LANGUAGES, LAST_NAMES, ROLES, DemoFirm
from marketplace.demo.shelf import DemoOffer

SEED: Final = 20_26
PARTICIPANTS: Final = 400
MONTHS: Final = 12
MONTH: Final = timedelta(days=30)
BURN_DAYS: Final = (9, 19, 29)
"""Days of each month on which people burn; the rest of the month they buy."""
ASKED_A_DAY: Final = 45
"""People who would like a reward on such a day, if they have points for any."""
LONGEST_POINTS: Final = 12_000


class DemoPerson(msgspec.Struct, frozen=True):
    """A participant."""

    reference: str
    firm: DemoFirm
    name: str
    email: str
    role: str
    locale: str


class Purchase(msgspec.Struct, frozen=True):
    """Points a purchase earned, to be issued."""

    reference: str
    issuer: str
    participant: str
    points: int
    at: datetime


class Fate(StrEnum):
    """What becomes of a planned burn, if the exchange accepts it."""

    FULFILLED = "fulfilled"
    VOIDED = "voided"
    REFUNDED = "refunded"
    PARTLY_REFUNDED = "partly_refunded"


class Wish(msgspec.Struct, frozen=True):
    """A burn somebody makes."""

    key: str
    participant: str
    offer: DemoOffer
    fate: Fate
    quantity: int = 1
    """Units; of a gift its points."""


class Day(msgspec.Struct, frozen=True):
    """Purchases up to `at`, then the burns made at `at`."""

    at: datetime
    purchases: list[Purchase]
    wishes: list[Wish]
    ends_month: bool = False
    """The first moment of a month, which ends the one before; nobody burns."""


def participants() -> list[DemoPerson]:
    """Four hundred people, dealt out over the firms."""
    draw = random.Random(SEED)  # noqa: S311 - a story, not a secret
    taken: set[str] = set()
    people = []
    for number in range(PARTICIPANTS):
        firm = FIRMS[number % len(FIRMS)]
        language = LANGUAGES[firm.country]
        name = _new_name(draw, language, taken)
        people.append(
            DemoPerson(
                reference=f"{firm.reference}-{number // len(FIRMS) + 1:02d}",
                firm=firm,
                name=name,
                email=f"{_ascii(name)}@{firm.reference}.example",
                role=draw.choice(ROLES),
                locale=f"{language}-{firm.country}",
            )
        )
    return people


def history(people: list[DemoPerson], shelf: list[DemoOffer], now: datetime) -> Iterator[Day]:
    """A year of days that ends a little before `now`, oldest first."""
    draw = random.Random(SEED + 1)  # noqa: S311 - a story, not a secret
    on_sale = [offer for offer in shelf if offer.status == "on_sale"]
    balance = dict.fromkeys((person.reference for person in people), 0)
    number = count(1)
    first = now.replace(hour=9, minute=0, second=0, microsecond=0) - MONTH * MONTHS
    for month in range(MONTHS):
        start = first + MONTH * month
        since = start
        for day in BURN_DAYS:
            at = start + timedelta(days=day)
            purchases = list(_purchases(draw, people, since, at, number))
            for each in purchases:
                balance[each.participant] += each.points
            wishes = list(_wishes(draw, people, on_sale, balance, number)) if month else []
            yield Day(at, purchases, wishes)
            since = at


def with_month_ends(days: Sequence[Day], now: datetime) -> Iterator[Day]:
    """The days, and between them every moment up to `now` at which a calendar month (UTC) ends.

    What was bought before such a moment is known by then.
    """
    ends = month_after(days[0].purchases[0].at)
    for day in days:
        left = day.purchases
        while ends <= day.at:
            yield Day(ends, [each for each in left if each.at < ends], [], ends_month=True)
            left = [each for each in left if each.at >= ends]
            ends = month_after(ends)
        yield msgspec.structs.replace(day, purchases=left)
    while ends <= now:
        yield Day(ends, [], [], ends_month=True)
        ends = month_after(ends)


def month_after(moment: datetime) -> datetime:
    """The first moment of the next calendar month."""
    first = moment.replace(day=1, hour=0, minute=0, second=0, microsecond=0)
    return (first + timedelta(days=32)).replace(day=1)


def today(people: list[DemoPerson], shelf: list[DemoOffer], now: datetime) -> Day:
    """What people buy in the hours before `now`, and burn then.

    Its references name the moment, so it can be played beside the year and beside another one.
    """
    last = list(history(people, shelf, now))[-1]
    mark = f"{now:%Y%m%d%H%M%S%f}"
    return Day(
        now,
        [
            msgspec.structs.replace(
                each,
                reference=f"{each.reference}-{mark}",
                at=now - timedelta(minutes=5 + number % 100),
            )
            for number, each in enumerate(last.purchases)
        ],
        [
            msgspec.structs.replace(each, key=f"{each.key}-{mark}", fate=Fate.FULFILLED)
            for each in last.wishes
        ],
    )


def _purchases(
    draw: random.Random,
    people: list[DemoPerson],
    since: datetime,
    until: datetime,
    number: Iterator[int],
) -> Iterator[Purchase]:
    for person in people:
        if draw.random() < 0.28:
            seconds = int((until - since).total_seconds())
            issuer = draw.choice((person.firm.sponsor, *person.firm.issuers))
            yield Purchase(
                reference=f"{issuer[:3].upper()}-{next(number):06d}",
                issuer=issuer,
                participant=person.reference,
                # Many small orders, few large ones.
                points=min(int(draw.lognormvariate(6.8, 0.8)) + 20, LONGEST_POINTS),
                at=since + timedelta(seconds=draw.randrange(1, seconds)),
            )


def _wishes(
    draw: random.Random,
    people: list[DemoPerson],
    on_sale: list[DemoOffer],
    balance: dict[str, int],
    number: Iterator[int],
) -> Iterator[Wish]:
    for person in draw.sample(people, ASKED_A_DAY):
        affordable = [offer for offer in on_sale if offer.points <= balance[person.reference]]
        if not affordable:
            continue
        # Many save for something larger.
        offer = max(draw.choice(affordable), draw.choice(affordable), key=lambda o: o.points)
        balance[person.reference] -= offer.points
        yield Wish(f"demo-{next(number):06d}", person.reference, offer, _fate(draw))


def _fate(draw: random.Random) -> Fate:
    chances = (Fate.FULFILLED, Fate.VOIDED, Fate.REFUNDED, Fate.PARTLY_REFUNDED)
    return draw.choices(chances, weights=(88, 5, 4, 3))[0]


def _new_name(draw: random.Random, language: str, taken: set[str]) -> str:
    while True:
        first = draw.choice(FIRST_NAMES[language].split())
        name = f"{first} {draw.choice(LAST_NAMES[language].split())}"
        if name not in taken:
            taken.add(name)
            return name


def _ascii(name: str) -> str:
    """The name as the part of an e-mail address before the @."""
    spelled = name.lower().replace("ł", "l").replace("ß", "ss").replace(" ", ".")
    return unicodedata.normalize("NFKD", spelled).encode("ascii", "ignore").decode()
